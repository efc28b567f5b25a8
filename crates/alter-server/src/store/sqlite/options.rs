//! How a data folder is opened.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};
use crate::crypto::KeySettings;
use crate::store::{Access, Faults, Limits, NoFaults};

/// How to open a store: start from [`SqliteOptions::new`] and change what differs.
#[derive(Clone)]
pub struct SqliteOptions {
    /// The data folder.
    pub folder: PathBuf,
    /// What opening may do to it.
    pub access: Access,
    /// Where the master key comes from.
    pub keys: KeySettings,
    /// The bounds.
    pub limits: Limits,
    /// The clock that rows, uses and expiry are judged by.
    pub clock: Arc<dyn Clock>,
    /// What the disk does wrong; for tests.
    pub faults: Arc<dyn Faults>,
}

impl SqliteOptions {
    /// A store in this folder with the machine's clock, default bounds, and the master key in the folder's own file.
    pub fn new(folder: impl Into<PathBuf>, access: Access) -> Self {
        Self {
            folder: folder.into(),
            access,
            keys: KeySettings::default(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            faults: Arc::new(NoFaults),
        }
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions")
            .field("folder", &self.folder)
            .field("access", &self.access)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
