//! The database under the statements of this folder: SQLite or PostgreSQL.
//!
//! A statement stands once, in the SQL that both understand, with `?1`, `?2`, … for its values; every number up to the highest is used, and first
//! where its type is clear (PostgreSQL cannot tell it by `?1 IS NULL`). The few words in which they differ are in [`Dialect`].

use std::ops::ControlFlow;

use super::columns::{Columns, Row};
use super::value::Value;
use crate::store::StoreError;

/// What a statement returns.
pub(in crate::store) type SqlResult<T> = Result<T, SqlError>;

/// One connection. It belongs to one thread, and waits as long as the database does.
pub(in crate::store) trait Database {
    /// The words in which it differs.
    fn dialect(&self) -> &'static Dialect;

    /// Runs a statement that changes something; returns how many rows it changed.
    fn execute(&self, sql: &str, values: &[Value<'_>]) -> SqlResult<u64>;

    /// Runs a statement and hands its rows to `read`, until that breaks.
    fn query(&self, sql: &str, values: &[Value<'_>], read: &mut Reading<'_>) -> SqlResult<()>;

    /// Runs `work` so that all its queries see one moment.
    fn in_snapshot(&self, work: &mut dyn FnMut() -> SqlResult<()>) -> SqlResult<()>;
}

/// What takes the rows of a query one by one.
pub(in crate::store) type Reading<'f> = dyn FnMut(&dyn Row) -> SqlResult<ControlFlow<()>> + 'f;

impl dyn Database + '_ {
    /// The first row, if there is one.
    pub(in crate::store) fn first<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&mut Columns<'_>) -> SqlResult<T>,
    ) -> SqlResult<Option<T>> {
        let mut found = None;
        self.query(sql, values, &mut |row| {
            found = Some(read(&mut Columns::new(row))?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// The row of a statement that always has one.
    pub(in crate::store) fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        read: impl FnMut(&mut Columns<'_>) -> SqlResult<T>,
    ) -> SqlResult<T> {
        self.first(sql, values, read)?.ok_or_else(|| SqlError::unreadable("a row that is always there is missing"))
    }

    /// All rows.
    pub(in crate::store) fn all<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&mut Columns<'_>) -> SqlResult<T>,
    ) -> SqlResult<Vec<T>> {
        let mut found = Vec::new();
        self.query(sql, values, &mut |row| {
            found.push(read(&mut Columns::new(row))?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Whether there is a row.
    pub(in crate::store) fn exists(&self, sql: &str, values: &[Value<'_>]) -> SqlResult<bool> {
        Ok(self.first(sql, values, |_| Ok(()))?.is_some())
    }
}

/// The words in which the two databases differ.
#[derive(Debug)]
pub(in crate::store) struct Dialect {
    /// Whether other processes may write to the database.
    pub(in crate::store) shared: bool,
    /// Behind a text that is JSON, so that `->>` looks into it.
    pub(in crate::store) json: &'static str,
    /// Around an expression and its order: an aggregate that makes a JSON array of texts.
    pub(in crate::store) json_array: (&'static str, &'static str),
    /// The ids in `?2`, a JSON array of UUIDs without hyphens, as a query of one column.
    pub(in crate::store) ids_in_2: &'static str,
    /// Behind a query of rows that this transaction is going to change: it waits for others that change them, and makes others wait.
    pub(in crate::store) hold: &'static str,
    /// As `hold`, but rows that another transaction holds are passed over.
    pub(in crate::store) hold_free: &'static str,
}

/// A connection that can write.
pub(in crate::store) trait Session: Database + Send {
    /// Begins a transaction that writes.
    fn begin(&self) -> SqlResult<()>;

    /// Makes the transaction durable. With [`SqlErrorKind::Lost`] it is not known whether it is; with any other error it is not.
    fn commit(&self) -> SqlResult<()>;

    /// Gives the transaction up, if there is one.
    fn roll_back(&self);

    /// Whatever is to be done once nothing more will be written.
    fn finish(&mut self) {}
}

/// What a database said no with. The text is its own, and names tables and columns but no stored value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct SqlError {
    pub(in crate::store) kind: SqlErrorKind,
    pub(in crate::store) text: String,
}

/// What an error means to whoever ran the statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum SqlErrorKind {
    /// A value that must be there once would be there twice.
    Duplicate,
    /// A row would refer to one that is not there, or be missed by one that is.
    Dangling,
    /// The values break another rule of their table.
    Constraint,
    /// What was read cannot be what was written.
    Unreadable,
    /// The disk, or the limit set for the database, is full.
    Full,
    /// The database is damaged.
    Corrupt,
    /// The connection was lost.
    Lost,
    /// Two transactions were in each other's way, and this one was given up. It can be tried again.
    Conflict,
    /// Anything else.
    Failed,
}

impl SqlError {
    pub(in crate::store) fn new(kind: SqlErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    pub(in crate::store) fn unreadable(text: impl Into<String>) -> Self {
        Self::new(SqlErrorKind::Unreadable, text)
    }

    /// Whether only the rows that one commit asked for are at fault: a constraint that it broke, or a value that cannot be read. The rest of its
    /// group need not suffer.
    pub(in crate::store) const fn is_local(&self) -> bool {
        use SqlErrorKind::{Constraint, Dangling, Duplicate, Unreadable};
        matches!(self.kind, Duplicate | Dangling | Constraint | Unreadable)
    }

    /// Whether the same again may go well: on a new connection, or once the other transaction is done.
    pub(in crate::store) const fn is_passing(&self) -> bool {
        matches!(self.kind, SqlErrorKind::Lost | SqlErrorKind::Conflict)
    }

    /// What it means to the caller of the store.
    pub(in crate::store) fn store_error(&self) -> StoreError {
        match self.kind {
            SqlErrorKind::Full => StoreError::Full,
            SqlErrorKind::Corrupt | SqlErrorKind::Unreadable => StoreError::Corrupt(self.text.clone()),
            _ => StoreError::Failed(self.text.clone()),
        }
    }
}
