//! Rows of any table, as they are.

use std::ops::ControlFlow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value as Json, json};

use crate::store::sql::columns::Row;
use crate::store::sql::database::{Database, SqlResult};
use crate::store::sql::value::{ToValue, Value, values};

/// Rows that a server hands out at once.
const ROWS_AT_ONCE: usize = 2000;

/// One stored value. In JSON null, a number, a text, or bytes as `{"b": BASE64}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Cell {
    fn of(row: &dyn Row, column: usize) -> SqlResult<Self> {
        if row.is_null(column)? {
            return Ok(Self::Null);
        }
        // A column is of one type, and asking for another is an error.
        if let Ok(Some(number)) = row.integer(column) {
            return Ok(Self::Integer(number));
        }
        if let Ok(Some(text)) = row.text(column) {
            return Ok(Self::Text(text.to_owned()));
        }
        Ok(row.bytes(column)?.map_or(Self::Null, |bytes| Self::Bytes(bytes.to_vec())))
    }
}

impl ToValue for Cell {
    fn to_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(number) => Value::Integer(*number),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => json!({ "b": STANDARD.encode(bytes) }).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let strange = || D::Error::custom("no value of a row");
        match Json::deserialize(deserializer)? {
            Json::Null => Ok(Self::Null),
            Json::Number(number) => number.as_i64().map(Self::Integer).ok_or_else(strange),
            Json::String(text) => Ok(Self::Text(text)),
            Json::Object(members) => {
                let text = members.get("b").filter(|_| members.len() == 1).and_then(Json::as_str).ok_or_else(strange)?;
                STANDARD.decode(text).map(Self::Bytes).map_err(|_| strange())
            }
            Json::Bool(_) | Json::Array(_) => Err(strange()),
        }
    }
}

/// The names of a table's columns. The table is one of ours.
pub(super) fn columns(db: &dyn Database, table: &str) -> SqlResult<Vec<String>> {
    let names = if db.dialect().shared {
        "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ?1 ORDER BY ordinal_position"
    } else {
        "SELECT name FROM pragma_table_info(?1) ORDER BY cid"
    };
    db.all(names, values![table], |columns| columns.get())
}

pub(super) fn count(db: &dyn Database, table: &str) -> SqlResult<u64> {
    db.one(&format!("SELECT count(*) FROM {table}"), &[], |columns| columns.get())
}

/// Hands on each row of a table, by age where it has one: a row refers to older ones.
pub(super) fn each_row(
    db: &dyn Database,
    table: &str,
    columns: &[String],
    read: &mut dyn FnMut(Vec<Cell>) -> SqlResult<()>,
) -> SqlResult<()> {
    let order = if columns.iter().any(|name| name == "n") { " ORDER BY n" } else { "" };
    let select = format!("SELECT {} FROM {table}{order}", columns.join(", "));
    let mut seen = 0;
    let mut one = |row: &dyn Row| {
        seen += 1;
        read((0..columns.len()).map(|column| Cell::of(row, column)).collect::<SqlResult<_>>()?)?;
        Ok(ControlFlow::Continue(()))
    };
    if !db.dialect().shared {
        return db.query(&select, &[], &mut one);
    }
    // A server would send all rows at once otherwise.
    let cursor = format!("all_{table}");
    db.execute(&format!("DECLARE {cursor} NO SCROLL CURSOR FOR {select}"), &[])?;
    let fetch = format!("FETCH {ROWS_AT_ONCE} FROM {cursor}");
    loop {
        let mut fetched = 0;
        db.query(&fetch, &[], &mut |row| {
            fetched += 1;
            one(row)
        })?;
        if fetched < ROWS_AT_ONCE {
            break;
        }
    }
    db.execute(&format!("CLOSE {cursor}"), &[]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_and_read_back() {
        let row = vec![
            Cell::Null,
            Cell::Integer(i64::MIN),
            Cell::Text("{\"b\":\"ü\"}".into()),
            Cell::Bytes(vec![0, 255]),
            Cell::Bytes(Vec::new()),
        ];
        let text = serde_json::to_string(&row).expect("JSON");
        assert_eq!(text, r#"[null,-9223372036854775808,"{\"b\":\"ü\"}",{"b":"AP8="},{"b":""}]"#);
        assert_eq!(serde_json::from_str::<Vec<Cell>>(&text).expect("read"), row);
        for strange in ["true", "1.5", "[]", "{}", r#"{"b":1}"#, r#"{"b":"AP8=","c":1}"#, r#"{"b":"*"}"#] {
            assert!(serde_json::from_str::<Cell>(strange).is_err(), "{strange}");
        }
    }
}
