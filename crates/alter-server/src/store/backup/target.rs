//! Where a backup is restored to: a folder or a database without a vault, which gets one with the last step only.

use super::BackupError;
use super::rows::Cell;
use crate::clock::Timestamp;
use crate::store::copy::{VALUES_AT_ONCE, insert as insert_statement};
use crate::store::postgres::PostgresSession;
use crate::store::sql::database::{Database, Session, SqlResult};
use crate::store::sql::value::{ToValue, Value};
use crate::store::sqlite::Unnamed;
use crate::store::{StoreOptions, postgres};

/// A vault that is being made, in a transaction.
pub(super) enum Target {
    /// A file that is not called a database yet.
    Sqlite(Unnamed),
    /// A schema that nobody else sees yet.
    Postgres(PostgresSession),
}

impl Target {
    /// Makes the tables.
    ///
    /// # Errors
    /// [`BackupError::NotEmpty`] if there is a vault.
    pub(super) fn begin(to: &StoreOptions, now: Timestamp) -> Result<Self, BackupError> {
        match to {
            StoreOptions::Sqlite(options) => {
                let place = options.folder.display().to_string();
                let unnamed = Unnamed::begin(options, now)?.ok_or(BackupError::NotEmpty { place })?;
                unnamed.session().begin().map_err(|error| BackupError::failed("begin", &error))?;
                Ok(Self::Sqlite(unnamed))
            }
            StoreOptions::Postgres(options) => {
                let session = postgres::connect(options)?;
                if postgres::begin_empty(&session, options)? {
                    return Ok(Self::Postgres(session));
                }
                Err(BackupError::NotEmpty { place: options.url.to_string() })
            }
        }
    }

    /// Where the rows go.
    pub(super) fn database(&self) -> &dyn Database {
        match self {
            Self::Sqlite(unnamed) => unnamed.session(),
            Self::Postgres(session) => session,
        }
    }

    /// Makes everything durable, and only then a vault of it.
    pub(super) fn finish(self) -> Result<(), BackupError> {
        let failed = |error: crate::store::sql::database::SqlError| BackupError::failed("commit", &error);
        match self {
            Self::Sqlite(unnamed) => {
                unnamed.session().commit().map_err(failed)?;
                Ok(unnamed.name()?)
            }
            Self::Postgres(session) => session.commit().map_err(failed),
        }
    }
}

/// Rows of so many columns that one statement writes at most.
pub(super) fn rows_at_once(width: usize) -> u64 {
    (VALUES_AT_ONCE / width.max(1)).max(1) as u64
}

pub(super) fn insert(db: &dyn Database, table: &str, columns: &[String], rows: &[Vec<Cell>]) -> SqlResult<()> {
    let values: Vec<Value<'_>> = rows.iter().flatten().map(ToValue::to_value).collect();
    db.execute(&insert_statement(table, &columns.join(", "), columns.len(), rows.len()), &values).map(drop)
}

/// What comes next is younger than all that was restored. SQLite sees to it by itself.
pub(super) fn go_on_numbering(db: &dyn Database, table: &str, columns: &[String]) -> SqlResult<()> {
    if !db.dialect().shared || !columns.iter().any(|name| name == "n") {
        return Ok(());
    }
    let next = format!("SELECT setval(pg_get_serial_sequence('{table}', 'n'), max(n)) IS NULL FROM {table}");
    db.one(&next, &[], |columns| columns.get::<bool>()).map(drop)
}
