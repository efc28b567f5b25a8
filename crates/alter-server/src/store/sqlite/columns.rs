//! Between Rust values and columns.

use rusqlite::types::{FromSqlError, Type};
use rusqlite::{ErrorCode, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::store::StoreError;

/// What an SQLite error means to the caller of the store. Texts of SQLite name tables and columns, never values.
pub(super) fn store_error(error: &rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => StoreError::Full,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt(error.to_string()),
            _ => StoreError::Failed(error.to_string()),
        },
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Failed(error.to_string()),
    }
}

/// Whether only the rows that one commit asked for are at fault: a constraint that it broke, or a value that cannot be read. The transaction
/// is well, and the rest of its group need not suffer.
pub(super) fn is_local(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => failure.code == ErrorCode::ConstraintViolation,
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => true,
        _ => false,
    }
}

/// Whether the error is a broken UNIQUE or PRIMARY KEY constraint.
pub(super) fn is_duplicate(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
    matches!(error, rusqlite::Error::SqliteFailure(failure, _)
        if [SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE].contains(&failure.extended_code))
}

/// Whether the error is a broken foreign key.
pub(super) fn is_dangling(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(failure, _)
        if failure.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}

/// Reads columns from left to right.
pub(super) struct Columns<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl<'r, 's> Columns<'r, 's> {
    pub(super) const fn new(row: &'r Row<'s>) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn get<T: rusqlite::types::FromSql>(&mut self) -> rusqlite::Result<T> {
        let value = self.row.get(self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// Passes over columns.
    pub(super) const fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    /// What an outer join brought: `None` if its first column, which is never null by itself, is null; `width` columns in all.
    pub(super) fn maybe<T>(&mut self, width: usize, read: impl FnOnce(&mut Self) -> rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
        if self.row.get_ref(self.next)? == rusqlite::types::ValueRef::Null {
            self.skip(width);
            return Ok(None);
        }
        read(self).map(Some)
    }

    pub(super) fn id<T>(&mut self, make: impl Fn(Uuid) -> T) -> rusqlite::Result<T> {
        Ok(make(Uuid::from_bytes(self.get()?)))
    }

    pub(super) fn maybe_id<T>(&mut self, make: impl Fn(Uuid) -> T) -> rusqlite::Result<Option<T>> {
        Ok(self.get::<Option<[u8; 16]>>()?.map(|bytes| make(Uuid::from_bytes(bytes))))
    }

    pub(super) fn time(&mut self) -> rusqlite::Result<Timestamp> {
        self.get().map(Timestamp::from_millis)
    }

    pub(super) fn maybe_time(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    pub(super) fn word<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<T> {
        let word = self.text()?;
        parse(word).ok_or_else(|| self.unreadable(format!("'{word}' is no word of this column").into()))
    }

    pub(super) fn maybe_word<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> rusqlite::Result<Option<T>> {
        let Some(word) = self.maybe_text()? else { return Ok(None) };
        parse(word).map(Some).ok_or_else(|| self.unreadable(format!("'{word}' is no word of this column").into()))
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> rusqlite::Result<T> {
        let text = self.text()?;
        serde_json::from_str(text).map_err(|error| self.unreadable(error.into()))
    }

    pub(super) fn maybe_json<T: DeserializeOwned>(&mut self) -> rusqlite::Result<Option<T>> {
        let Some(text) = self.maybe_text()? else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| self.unreadable(error.into()))
    }

    /// A text where it lies, without a copy.
    fn text(&mut self) -> rusqlite::Result<&'r str> {
        self.maybe_text()?.ok_or_else(|| self.unreadable("it is null".into()))
    }

    fn maybe_text(&mut self) -> rusqlite::Result<Option<&'r str>> {
        let value = self.row.get_ref(self.next)?;
        self.next += 1;
        value.as_str_or_null().map_err(|error| self.unreadable(error.into()))
    }

    /// The error for the column that was read last.
    pub(super) fn unreadable(&self, cause: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
        rusqlite::Error::FromSqlConversionFailure(self.next - 1, Type::Text, Box::new(FromSqlError::Other(cause)))
    }
}

/// JSON text of a value of ours, for a column.
pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our own plain data has string keys and serializes")
}

/// A column's bytes for an optional id.
pub(super) fn maybe_bytes(id: Option<Uuid>) -> Option<[u8; 16]> {
    id.map(Uuid::into_bytes)
}
