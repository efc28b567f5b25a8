//! What opening a store has in common, on whatever database.

use std::time::Duration;

/// What opening may do to a vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Make what is missing: folder, tables, master key. For `alter init` and `alter serve`.
    Create,
    /// Write to a vault that must exist.
    Write,
    /// Read a vault that must exist, also while another process serves it. Commits fail with [`StoreError::ReadOnly`](crate::store::StoreError::ReadOnly).
    Read,
}

/// A store's bounds. The defaults suit one machine.
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
    /// Pages of 4 KiB that SQLite's file may grow to; `None` for as many as the disk holds.
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
