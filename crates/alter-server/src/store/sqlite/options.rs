//! How a store is opened, and its bounds.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::crypto::KeySettings;
use crate::store::{Faults, NoFaults};

/// What opening may do to the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Make what is missing: folder, database, master key. For `alter init` and `alter serve`.
    Create,
    /// Write to a vault that must exist.
    Write,
    /// Read a vault that must exist, also while another process serves it. Commits fail with [`StoreError::ReadOnly`](crate::store::StoreError::ReadOnly).
    Read,
}

/// The store's bounds. The defaults suit one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Commits that may wait for the writer; the next one is refused as busy.
    pub commit_queue: usize,
    /// Commits that share one transaction at most.
    pub commit_group: usize,
    /// Reads that may wait for a connection; the next one is refused as busy.
    pub read_queue: usize,
    /// Reading connections.
    pub readers: usize,
    /// How long a read may take, waiting included.
    pub read_timeout: Duration,
    /// Live nonces at most. About 100 bytes of disk each; with 600 s of life a million allows 1,600 requests a second on and on.
    pub nonces: u64,
    /// Pages of 4 KiB that the database may grow to; `None` for as many as the disk holds.
    pub max_pages: Option<u32>,
    /// How long [`Store::close`](crate::store::Store::close) waits for the last writes.
    pub close_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            commit_queue: 1024,
            commit_group: 256,
            read_queue: 1024,
            readers: 2,
            read_timeout: Duration::from_secs(2),
            nonces: 1_000_000,
            max_pages: None,
            close_timeout: Duration::from_secs(10),
        }
    }
}

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
