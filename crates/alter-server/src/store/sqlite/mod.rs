//! The store on SQLite: one file, one process, nothing to install.
//!
//! The database runs with a write-ahead log and full synchronisation: an answered commit survives a power cut.

mod lock;
mod open;
mod options;
mod schema;
mod session;
mod unnamed;

use std::sync::Arc;

pub use open::DATABASE_FILE;
pub use options::SqliteOptions;
pub(super) use schema::NEWEST as SCHEMA_VERSION;
#[cfg(test)]
pub(super) use schema::migrate;
pub(super) use session::SqliteSession;
pub(super) use unnamed::Unnamed;

use super::sql::database::Database;
use super::sql::database::Session;
use super::sql::{Parts, SqlStore};
pub use super::{Access, Limits};
use super::{OpenError, Opened};
use crate::audit::AuditKey;

/// Opens a vault that must exist, as [`open()`] does, for whoever works on its connection alone.
pub(super) fn open_session(options: &SqliteOptions) -> Result<SqliteSession, OpenError> {
    open::open(options).map(|ready| ready.session)
}

/// As [`open_session`], with the key of its audit.
pub(super) fn open_alone(options: &SqliteOptions) -> Result<(SqliteSession, AuditKey), OpenError> {
    open::open(options).map(|ready| (ready.session, ready.unlocked.audit))
}

/// Opens the vault in a data folder: takes its lock, brings its schema forward, unlocks its keys and starts its threads.
///
/// Blocks on the disk for some milliseconds: call it at start, not from a handler.
///
/// # Errors
/// [`OpenError`], each with a code and what to do. An existing database is not changed by a failed start.
pub fn open(options: &SqliteOptions) -> Result<Opened, OpenError> {
    let ready = open::open(options)?;
    let spawn_failed = |source| OpenError::Io { action: "start a thread for", path: ready.path.clone(), source };
    let reader = |_| Ok(Box::new(SqliteSession::new(open::connect(&ready.path, options)?, None)) as Box<dyn Database + Send>);
    let readers = (0..options.limits.readers.max(1)).map(reader).collect::<Result<Vec<_>, OpenError>>()?;
    let writer = (options.access != Access::Read).then(|| Box::new(ready.session) as Box<dyn Session>);
    let parts = Parts {
        name: ready.path.display().to_string(),
        readers,
        writer,
        audit: ready.unlocked.audit.clone(),
        limits: options.limits,
        clock: Arc::clone(&options.clock),
        faults: Arc::clone(&options.faults),
    };
    let store = SqlStore::start(parts).map_err(spawn_failed)?;
    Ok(Opened {
        store: Arc::new(store),
        keys: ready.unlocked.keys,
        audit: ready.unlocked.audit,
        key_home: ready.masters.home(),
        key_origin: ready.masters.origin,
        created: ready.created,
    })
}
