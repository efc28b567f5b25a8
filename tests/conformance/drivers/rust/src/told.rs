//! What a caller can tell from an error.

use serde_json::{Map, Value, json};

/// What a caller can tell from an error.
pub fn raised(error: &alter_sdk::Error) -> Map<String, Value> {
    let mut bases = vec![error.kind()];
    while let Some(parent) = bases.last().and_then(|kind| kind.parent()) {
        bases.push(parent);
    }
    let mut attributes = error.attributes();
    attributes.insert("details".to_owned(), Value::Object(error.details().clone()));
    let bases: Vec<_> = bases.into_iter().map(alter_sdk::Kind::name).collect();
    Map::from_iter([
        ("error".to_owned(), json!(error.kind().name())),
        ("bases".to_owned(), json!(bases)),
        ("attributes".to_owned(), Value::Object(attributes)),
        ("visible".to_owned(), json!([error.to_string(), format!("{error:?}")])),
    ])
}
