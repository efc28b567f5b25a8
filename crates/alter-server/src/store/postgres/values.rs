//! Between our values and PostgreSQL's binary format.

use std::error::Error;
use std::fmt;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::store::sql::columns::{Row, unreadable};
use crate::store::sql::database::SqlResult;
use crate::store::sql::value::Value;

/// A value on its way to the server, in the type that the server has found for its place.
pub(super) struct Bound<'v>(pub(super) Value<'v>);

/// It may be a sealed value.
impl fmt::Debug for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[value]")
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self.0, ty) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (Value::Integer(number), &Type::INT8) => out.extend_from_slice(&number.to_be_bytes()),
            (Value::Integer(number), &Type::INT4) => out.extend_from_slice(&i32::try_from(number)?.to_be_bytes()),
            (Value::Integer(number @ (0 | 1)), &Type::BOOL) => out.extend_from_slice(&[u8::from(number == 1)]),
            (Value::Boolean(yes), &Type::BOOL) => out.extend_from_slice(&[u8::from(yes)]),
            (Value::Text(text), &Type::TEXT | &Type::NAME) => out.extend_from_slice(text.as_bytes()),
            (Value::Bytes(bytes), &Type::BYTEA | &Type::UUID) => out.extend_from_slice(bytes),
            _ => return Err(format!("a value of another type than {ty}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A column as it came.
struct Raw<'r>(&'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A column with its type, or nothing where it is null.
fn raw(row: &tokio_postgres::Row, column: usize) -> SqlResult<Option<(&Type, &[u8])>> {
    let value: Option<Raw<'_>> = row.try_get(column).map_err(|error| unreadable(column, &error.to_string()))?;
    Ok(value.map(|Raw(bytes)| (row.columns()[column].type_(), bytes)))
}

/// The bytes of a column of one of these types.
fn typed<'r>(row: &'r tokio_postgres::Row, column: usize, types: &[Type]) -> SqlResult<Option<&'r [u8]>> {
    match raw(row, column)? {
        Some((ty, bytes)) if types.contains(ty) => Ok(Some(bytes)),
        Some((ty, _)) => Err(unreadable(column, &format!("it is of type {ty}"))),
        None => Ok(None),
    }
}

impl Row for tokio_postgres::Row {
    fn is_null(&self, column: usize) -> SqlResult<bool> {
        Ok(raw(self, column)?.is_none())
    }

    fn integer(&self, column: usize) -> SqlResult<Option<i64>> {
        let Some(bytes) = typed(self, column, &[Type::INT8, Type::BOOL])? else { return Ok(None) };
        match *bytes {
            [yes] => Ok(Some(i64::from(yes))),
            [a, b, c, d, e, f, g, h] => Ok(Some(i64::from_be_bytes([a, b, c, d, e, f, g, h]))),
            _ => Err(unreadable(column, "it is no integer of 8 bytes")),
        }
    }

    fn text(&self, column: usize) -> SqlResult<Option<&str>> {
        let Some(bytes) = typed(self, column, &[Type::TEXT])? else { return Ok(None) };
        std::str::from_utf8(bytes).map(Some).map_err(|error| unreadable(column, &error.to_string()))
    }

    fn bytes(&self, column: usize) -> SqlResult<Option<&[u8]>> {
        typed(self, column, &[Type::BYTEA, Type::UUID])
    }
}
