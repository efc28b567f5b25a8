//! Opening a data folder: lock, file, schema, keys, in the order in which a mistake does least harm.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::lock::FolderLock;
use super::options::SqliteOptions;
use super::schema::{self, Found};
use super::session::SqliteSession;
use crate::crypto::{MasterKeys, Unlocked, unlock};
use crate::store::sql::database::{Session, SqlError, SqlErrorKind};
use crate::store::sql::master_keys::{store_keys, stored_keys};
use crate::store::{Access, OpenError, folder};

/// Name of the database in the data folder.
pub const DATABASE_FILE: &str = "vault.db";

/// Up to this size the whole database is checked at start (about 0.1 s); a larger one is checked as it is read.
const CHECKED_BYTES: u64 = 32 * 1024 * 1024;

/// A database that is ready, on one connection.
pub(super) struct Ready {
    pub(super) session: SqliteSession,
    pub(super) path: PathBuf,
    pub(super) masters: MasterKeys,
    pub(super) unlocked: Unlocked,
    pub(super) created: bool,
}

pub(super) fn open(options: &SqliteOptions) -> Result<Ready, OpenError> {
    let path = options.folder.join(DATABASE_FILE);
    let exists = fs::metadata(&path).is_ok_and(|file| file.len() > 0);
    if !exists && options.access != Access::Create {
        return Err(OpenError::Missing { place: options.folder.display().to_string() });
    }
    if options.access == Access::Create {
        folder::create(&options.folder)?;
    }
    let lock = if options.access == Access::Read { None } else { Some(FolderLock::take(&options.folder)?) };
    // A key file may only be made where there is nothing yet that another key has sealed.
    let masters = options.keys.load(&options.folder, !exists)?;
    if options.access != Access::Read {
        create_file(&path)?;
    }
    let session = SqliteSession::new(connect(&path, options)?, lock);
    let unlocked = prepare(&session, &path, options, &masters)?;
    Ok(Ready { session, path, masters, unlocked, created: !exists })
}

/// Makes the file before SQLite does, so that it never exists with wider permissions; SQLite gives its companions the same.
pub(super) fn create_file(path: &Path) -> Result<(), OpenError> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(|source| OpenError::Io { action: "write to", path: path.to_owned(), source })
}

/// A connection with the settings that all connections share.
pub(super) fn connect(path: &Path, options: &SqliteOptions) -> Result<Connection, OpenError> {
    let mode = if options.access == Access::Read { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let opened = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).and_then(|connection| {
        connection.set_prepared_statement_cache_capacity(128);
        connection.busy_timeout(Duration::from_secs(5))?;
        // Plans do not depend on bound values; without this every new value makes SQLite prepare the statement again.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        Ok(connection)
    });
    opened.map_err(|error| open_error(path, &error))
}

fn prepare(session: &SqliteSession, path: &Path, options: &SqliteOptions, masters: &MasterKeys) -> Result<Unlocked, OpenError> {
    let connection = &session.connection;
    let database = || path.display().to_string();
    let failed = |error: SqlError| open_failure(path, &error);
    let found = schema::inspect(connection).map_err(|error| open_error(path, &error))?;
    let version = match found {
        Found::Empty => 0,
        Found::Ours(version) if version <= schema::NEWEST => version,
        Found::Ours(found) => return Err(OpenError::Newer { database: database(), found, known: schema::NEWEST }),
        Found::Foreign => {
            return Err(OpenError::Corrupt { database: database(), reason: "it belongs to another program or lost its schema".to_owned() });
        }
    };
    check_small(connection, path)?;
    if options.access == Access::Read {
        if version < schema::NEWEST {
            return Err(OpenError::Older { database: database(), found: version, known: schema::NEWEST });
        }
        let stored = stored_keys(session).map_err(failed)?;
        // Only a start that may write gives keys to a vault that has none.
        return if stored.masters.is_empty() { Err(crate::crypto::KeyError::Wrong.into()) } else { Ok(unlock(masters, &stored)?) };
    }
    configure_writer(connection, options).map_err(|error| open_error(path, &error))?;
    let now = options.clock.now();
    let migrate = |from| schema::migrate(connection, from, now).map_err(failed);
    // A wrong key must leave an existing database as it is, so the key comes before the migrations; a new one has no keys to ask.
    if version == 0 {
        migrate(0)?;
    }
    let unlocked = unlock(masters, &stored_keys(session).map_err(failed)?)?;
    if version > 0 {
        migrate(version)?;
    }
    if let Some(to_store) = &unlocked.to_store {
        session.begin().and_then(|()| store_keys(session, to_store, now)).and_then(|()| session.commit()).map_err(failed)?;
    }
    Ok(unlocked)
}

/// Settings of the one connection that writes.
fn configure_writer(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<()> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        tracing::warn!(%mode, "the file system does not support SQLite's write-ahead log; reading and writing will wait for each other");
    }
    // FULL: a commit that was answered survives a power cut, not only a crash.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is overwritten: a deleted data key must not lie around in a free page.
    connection.pragma_update(None, "secure_delete", true)?;
    // In pages, so up to 16 MiB of log: each page is moved once, however often it was written meanwhile, and hot ones are written by every
    // group of commits. After a crash a log of this size is read again in some tens of milliseconds.
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    if let Some(pages) = options.limits.max_pages {
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    }
    Ok(())
}

fn check_small(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let size = fs::metadata(path).map_err(|source| OpenError::Io { action: "read", path: path.to_owned(), source })?.len();
    if size > CHECKED_BYTES {
        return Ok(());
    }
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| open_error(path, &error))?;
    if verdict == "ok" { Ok(()) } else { Err(OpenError::Corrupt { database: path.display().to_string(), reason: verdict }) }
}

pub(super) fn open_error(path: &Path, error: &rusqlite::Error) -> OpenError {
    if let rusqlite::Error::SqliteFailure(failure, _) = error {
        let kind = match failure.code {
            rusqlite::ErrorCode::CannotOpen => Some(("open", io::ErrorKind::Other)),
            rusqlite::ErrorCode::PermissionDenied => Some(("open", io::ErrorKind::PermissionDenied)),
            rusqlite::ErrorCode::ReadOnly => Some(("write to", io::ErrorKind::ReadOnlyFilesystem)),
            _ => None,
        };
        if let Some((action, kind)) = kind {
            return OpenError::Io { action, path: path.to_owned(), source: io::Error::new(kind, error.to_string()) };
        }
    }
    open_failure(path, &SqlError::of_sqlite(error))
}

pub(super) fn open_failure(path: &Path, error: &SqlError) -> OpenError {
    let (database, reason) = (path.display().to_string(), error.text.clone());
    match error.kind {
        SqlErrorKind::Corrupt | SqlErrorKind::Unreadable => OpenError::Corrupt { database, reason },
        SqlErrorKind::Full => OpenError::Io {
            action: "write to",
            path: path.to_owned(),
            source: io::Error::new(io::ErrorKind::StorageFull, "the disk of the store is full"),
        },
        _ => OpenError::Failed { database, reason },
    }
}
