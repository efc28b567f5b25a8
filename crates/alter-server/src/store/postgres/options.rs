//! How a vault in a database is opened.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::PostgresUrl;
use crate::clock::{Clock, SystemClock};
use crate::crypto::KeySettings;
use crate::store::{Access, Faults, Limits, NoFaults};

/// How to open a store: start from [`PostgresOptions::new`] and change what differs.
#[derive(Clone)]
pub struct PostgresOptions {
    /// The database.
    pub url: PostgresUrl,
    /// The data folder: settings, and the file with the master key if it has no other place.
    pub folder: PathBuf,
    /// What opening may do.
    pub access: Access,
    /// Where the master key comes from.
    pub keys: KeySettings,
    /// The bounds.
    pub limits: Limits,
    /// The clock that rows, uses and expiry are judged by. Vaults on one database need clocks that agree to the second.
    pub clock: Arc<dyn Clock>,
    /// What the database does wrong; for tests.
    pub faults: Arc<dyn Faults>,
}

impl PostgresOptions {
    /// A store in this database with the machine's clock, default bounds with four reading connections, and the master key in the folder's own file.
    pub fn new(url: PostgresUrl, folder: impl Into<PathBuf>, access: Access) -> Self {
        Self {
            url,
            folder: folder.into(),
            access,
            keys: KeySettings::default(),
            limits: Limits { readers: 4, ..Limits::default() },
            clock: Arc::new(SystemClock),
            faults: Arc::new(NoFaults),
        }
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("url", &self.url)
            .field("folder", &self.folder)
            .field("access", &self.access)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
