//! The backend of this program: SQLite, a folder for each test.

use std::path::Path;
use std::sync::Arc;

use alter_server::clock::{Clock, ManualClock};
use alter_server::store::sqlite::{self, Access, SqliteOptions};
use alter_server::store::{OpenError, Opened};

use super::harness::Options;

/// A folder is all that it needs.
pub struct Database;

impl Database {
    pub fn new() -> Self {
        Self
    }

    pub fn open(&self, folder: &Path, options: Options) -> Result<Opened, OpenError> {
        let Options { access, keys, limits, clock, faults } = options;
        sqlite::open(&SqliteOptions { keys, limits, clock, faults, ..SqliteOptions::new(folder, access) })
    }
}

/// Options for a folder with a clock that the test moves.
pub fn options(folder: &Path, access: Access, clock: &Arc<ManualClock>) -> SqliteOptions {
    SqliteOptions { clock: Arc::clone(clock) as Arc<dyn Clock>, ..SqliteOptions::new(folder, access) }
}
