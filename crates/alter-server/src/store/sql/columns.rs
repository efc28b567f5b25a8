//! From columns to Rust values.

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::database::{SqlError, SqlResult};
use crate::clock::Timestamp;

/// One row, as the database gives it. `None` is NULL; another type than the one asked for is an error.
pub(in crate::store) trait Row {
    fn is_null(&self, column: usize) -> SqlResult<bool>;
    /// An integer, or a boolean as 0 or 1.
    fn integer(&self, column: usize) -> SqlResult<Option<i64>>;
    fn text(&self, column: usize) -> SqlResult<Option<&str>>;
    fn bytes(&self, column: usize) -> SqlResult<Option<&[u8]>>;
}

/// Reads columns from left to right.
pub(in crate::store) struct Columns<'r> {
    row: &'r dyn Row,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(super) fn new(row: &'r dyn Row) -> Self {
        Self::after(row, 0)
    }

    /// Begins behind some columns.
    pub(super) fn after(row: &'r dyn Row, columns: usize) -> Self {
        Self { row, next: columns }
    }

    /// How many columns have been read or passed over.
    pub(super) const fn passed(&self) -> usize {
        self.next
    }

    pub(in crate::store) fn get<T: FromColumn>(&mut self) -> SqlResult<T> {
        let value = T::from_column(self.row, self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// Passes over columns.
    pub(super) const fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    /// What an outer join brought: `None` if its first column, which is never null by itself, is null; `width` columns in all.
    pub(super) fn maybe<T>(&mut self, width: usize, read: impl FnOnce(&mut Self) -> SqlResult<T>) -> SqlResult<Option<T>> {
        if self.row.is_null(self.next)? {
            self.skip(width);
            return Ok(None);
        }
        read(self).map(Some)
    }

    pub(in crate::store) fn id<T>(&mut self, make: impl Fn(Uuid) -> T) -> SqlResult<T> {
        Ok(make(Uuid::from_bytes(self.get()?)))
    }

    pub(super) fn maybe_id<T>(&mut self, make: impl Fn(Uuid) -> T) -> SqlResult<Option<T>> {
        Ok(self.get::<Option<[u8; 16]>>()?.map(|bytes| make(Uuid::from_bytes(bytes))))
    }

    pub(super) fn time(&mut self) -> SqlResult<Timestamp> {
        self.get().map(Timestamp::from_millis)
    }

    pub(super) fn maybe_time(&mut self) -> SqlResult<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>()?.map(Timestamp::from_millis))
    }

    pub(super) fn word<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> SqlResult<T> {
        self.maybe_word(parse)?.ok_or_else(|| self.null())
    }

    pub(super) fn maybe_word<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> SqlResult<Option<T>> {
        let Some(word) = self.maybe_text()? else { return Ok(None) };
        parse(word).map(Some).ok_or_else(|| self.unreadable(&format!("'{word}' is no word of this column")))
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> SqlResult<T> {
        self.maybe_json()?.ok_or_else(|| self.null())
    }

    pub(super) fn maybe_json<T: DeserializeOwned>(&mut self) -> SqlResult<Option<T>> {
        let Some(text) = self.maybe_text()? else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|error| self.unreadable(&error.to_string()))
    }

    /// A text where it lies, without a copy.
    fn maybe_text(&mut self) -> SqlResult<Option<&'r str>> {
        let text = self.row.text(self.next)?;
        self.next += 1;
        Ok(text)
    }

    fn null(&self) -> SqlError {
        self.unreadable("it is null")
    }

    /// The error for the column that was read last.
    pub(super) fn unreadable(&self, what: &str) -> SqlError {
        unreadable(self.next - 1, what)
    }
}

/// The error for a column.
pub(in crate::store) fn unreadable(column: usize, what: &str) -> SqlError {
    SqlError::unreadable(format!("column {column}: {what}"))
}

/// What a column can be read as.
pub(in crate::store) trait FromColumn: Sized {
    fn from_column(row: &dyn Row, column: usize) -> SqlResult<Self>;
}

fn present<T>(value: Option<T>, column: usize) -> SqlResult<T> {
    value.ok_or_else(|| unreadable(column, "it is null"))
}

impl FromColumn for i64 {
    fn from_column(row: &dyn Row, column: usize) -> SqlResult<Self> {
        present(row.integer(column)?, column)
    }
}

/// An integer that its type is too small for cannot have been written.
fn integer<T: TryFrom<i64>>(row: &dyn Row, column: usize) -> SqlResult<T> {
    T::try_from(i64::from_column(row, column)?).map_err(|_| unreadable(column, "the number is out of range"))
}

impl FromColumn for u32 {
    fn from_column(row: &dyn Row, column: usize) -> SqlResult<Self> {
        integer(row, column)
    }
}

impl FromColumn for u64 {
    fn from_column(row: &dyn Row, column: usize) -> SqlResult<Self> {
        integer(row, column)
    }
}

impl FromColumn for bool {
    fn from_column(row: &dyn Row, column: usize) -> SqlResult<Self> {
        Ok(i64::from_column(row, column)? != 0)
    }
}

impl FromColumn for String {
    fn from_column(row: &dyn Row, column: usize) -> SqlResult<Self> {
        present(row.text(column)?, column).map(str::to_owned)
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(row: &dyn Row, column: usize) -> SqlResult<Self> {
        present(row.bytes(column)?, column).map(<[u8]>::to_vec)
    }
}

impl<const N: usize> FromColumn for [u8; N] {
    fn from_column(row: &dyn Row, column: usize) -> SqlResult<Self> {
        let bytes = present(row.bytes(column)?, column)?;
        bytes.try_into().map_err(|_| unreadable(column, &format!("it has {} bytes and not {N}", bytes.len())))
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(row: &dyn Row, column: usize) -> SqlResult<Self> {
        if row.is_null(column)? { Ok(None) } else { T::from_column(row, column).map(Some) }
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
