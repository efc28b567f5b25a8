//! A connection to SQLite.

use std::ops::ControlFlow;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};

use super::lock::FolderLock;
use crate::store::sql::columns::{Row, unreadable};
use crate::store::sql::database::{Database, Dialect, Reading, Session, SqlError, SqlErrorKind, SqlResult};
use crate::store::sql::value::Value;

static SQLITE: Dialect = Dialect {
    shared: false,
    json: "",
    json_array: ("json_group_array(", ")"),
    ids_in_2: "SELECT unhex(value) FROM json_each(?2)",
    hold: "",
    hold_free: "",
};

/// A connection to the file.
pub(in crate::store) struct SqliteSession {
    pub(super) connection: Connection,
    /// Given up after the connection, which is declared before it.
    _lock: Option<FolderLock>,
}

impl SqliteSession {
    /// Runs a query and hands on the values of each row as they are stored.
    pub(in crate::store) fn each_stored(
        &self,
        sql: &str,
        read: &mut dyn FnMut(Vec<rusqlite::types::Value>) -> SqlResult<()>,
    ) -> SqlResult<()> {
        let mut statement = self.connection.prepare(sql)?;
        let width = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            read((0..width).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?)?;
        }
        Ok(())
    }

    pub(in crate::store) const fn new(connection: Connection, lock: Option<FolderLock>) -> Self {
        Self { connection, _lock: lock }
    }
}

impl Database for SqliteSession {
    fn dialect(&self) -> &'static Dialect {
        &SQLITE
    }

    fn execute(&self, sql: &str, values: &[Value<'_>]) -> SqlResult<u64> {
        let changed = self.connection.prepare_cached(sql)?.execute(params_from_iter(values))?;
        Ok(changed as u64)
    }

    fn query(&self, sql: &str, values: &[Value<'_>], read: &mut Reading<'_>) -> SqlResult<()> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if read(row)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn in_snapshot(&self, work: &mut dyn FnMut() -> SqlResult<()>) -> SqlResult<()> {
        if !self.connection.is_autocommit() {
            return work();
        }
        self.execute("BEGIN", &[])?;
        let done = work();
        self.execute("COMMIT", &[])?;
        done
    }
}

impl Session for SqliteSession {
    fn begin(&self) -> SqlResult<()> {
        self.execute("BEGIN IMMEDIATE", &[]).map(drop)
    }

    fn commit(&self) -> SqlResult<()> {
        self.execute("COMMIT", &[]).map(drop)
    }

    fn roll_back(&self) {
        if self.connection.is_autocommit() {
            return;
        }
        // An error here leaves the connection inside the transaction, and the next BEGIN says so.
        if let Err(error) = self.execute("ROLLBACK", &[]) {
            tracing::error!(error = %error.text, "a failed transaction could not be rolled back");
        }
    }

    /// Moves the write-ahead log into the database and cuts it to nothing, so that a closed folder holds no remains of what was deleted.
    fn finish(&mut self) {
        // Somebody who is reading from outside keeps the log alive; their end of it does the same.
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(%error, "the write-ahead log could not be emptied at closing");
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Boolean(yes) => ValueRef::Integer(i64::from(*yes)),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Row for rusqlite::Row<'_> {
    fn is_null(&self, column: usize) -> SqlResult<bool> {
        Ok(self.get_ref(column)? == ValueRef::Null)
    }

    fn integer(&self, column: usize) -> SqlResult<Option<i64>> {
        self.get_ref(column)?.as_i64_or_null().map_err(|error| unreadable(column, &error.to_string()))
    }

    fn text(&self, column: usize) -> SqlResult<Option<&str>> {
        self.get_ref(column)?.as_str_or_null().map_err(|error| unreadable(column, &error.to_string()))
    }

    fn bytes(&self, column: usize) -> SqlResult<Option<&[u8]>> {
        self.get_ref(column)?.as_blob_or_null().map_err(|error| unreadable(column, &error.to_string()))
    }
}

impl SqlError {
    /// Texts of SQLite name tables and columns, never values.
    pub(super) fn of_sqlite(error: &rusqlite::Error) -> Self {
        Self::new(kind(error), error.to_string())
    }
}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        Self::of_sqlite(&error)
    }
}

fn kind(error: &rusqlite::Error) -> SqlErrorKind {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return SqlErrorKind::Failed };
    match (failure.code, failure.extended_code) {
        (ErrorCode::ConstraintViolation, SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_UNIQUE) => SqlErrorKind::Duplicate,
        (ErrorCode::ConstraintViolation, SQLITE_CONSTRAINT_FOREIGNKEY) => SqlErrorKind::Dangling,
        (ErrorCode::ConstraintViolation, _) => SqlErrorKind::Constraint,
        (ErrorCode::DiskFull, _) => SqlErrorKind::Full,
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => SqlErrorKind::Corrupt,
        _ => SqlErrorKind::Failed,
    }
}
