//! A database that is being made of a backup. It has another name until it is complete, so that no start ever takes half of one for a vault.

use std::fs;
use std::path::{Path, PathBuf};

use super::lock::FolderLock;
use super::open::{DATABASE_FILE, connect, create_file, open_error, open_failure};
use super::options::SqliteOptions;
use super::schema;
use super::session::SqliteSession;
use crate::clock::Timestamp;
use crate::store::{OpenError, folder};

const UNNAMED_FILE: &str = "vault.db.restoring";

/// The database, with our tables in it and nothing else. Held with the folder's lock: no vault starts there meanwhile.
pub(in crate::store) struct Unnamed {
    session: SqliteSession,
    path: PathBuf,
    name: PathBuf,
    /// Given up last.
    _lock: FolderLock,
}

impl Unnamed {
    /// Begins one in a folder; `None` if there is a vault. What an interrupted one has left is thrown away.
    pub(in crate::store) fn begin(options: &SqliteOptions, now: Timestamp) -> Result<Option<Self>, OpenError> {
        folder::create(&options.folder)?;
        let lock = FolderLock::take(&options.folder)?;
        let (path, name) = (options.folder.join(UNNAMED_FILE), options.folder.join(DATABASE_FILE));
        if fs::metadata(&name).is_ok_and(|file| file.len() > 0) {
            return Ok(None);
        }
        for left in ["", "-journal", "-wal", "-shm"] {
            let left = options.folder.join(format!("{UNNAMED_FILE}{left}"));
            match fs::remove_file(&left) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(OpenError::Io { action: "remove", path: left, source });
                }
                _ => {}
            }
        }
        create_file(&path)?;
        let connection = connect(&path, options)?;
        // Nobody else reads it, and its one transaction is durable at its end.
        connection.pragma_update(None, "synchronous", "FULL").map_err(|error| open_error(&path, &error))?;
        schema::migrate(&connection, 0, now).map_err(|error| open_failure(&path, &error))?;
        Ok(Some(Self { session: SqliteSession::new(connection, None), path, name, _lock: lock }))
    }

    /// Its connection.
    pub(in crate::store) const fn session(&self) -> &SqliteSession {
        &self.session
    }

    /// Gives it its name: from then on it is the folder's vault.
    pub(in crate::store) fn name(self) -> Result<(), OpenError> {
        let Self { session, path, name, _lock } = self;
        // With the connection the journal goes, too.
        drop(session);
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { action, path, source }
        };
        let folder = name.parent().unwrap_or(Path::new("."));
        fs::File::open(&path).and_then(|file| file.sync_all()).map_err(failed("write", &path))?;
        fs::rename(&path, &name).map_err(failed("name", &name))?;
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("write", folder))
    }
}
