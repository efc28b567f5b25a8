//! Words for JSON schemas.

use serde_json::{Map, Value, json};

/// Text.
pub fn text() -> Value {
    json!({ "type": "string" })
}

/// Text of a bounded length, in characters.
pub fn short(least: u32, most: u32) -> Value {
    json!({ "type": "string", "minLength": least, "maxLength": most })
}

/// A name that goes into commands and URLs.
pub fn name() -> Value {
    json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$" })
}

/// An id: a UUID in lower case.
pub fn id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// A moment, RFC 3339 in UTC.
pub fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// True or false.
pub fn yes_no() -> Value {
    json!({ "type": "boolean" })
}

/// A whole number, not negative.
pub fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

/// A whole number within bounds.
pub fn whole(least: u64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// One of these words.
pub fn word(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// A list.
pub fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// A list of texts.
pub fn texts() -> Value {
    list(text())
}

/// An object with any names and values of one shape.
pub fn map(values: Value) -> Value {
    json!({ "type": "object", "additionalProperties": values })
}

/// Any JSON object.
pub fn object() -> Value {
    json!({ "type": "object", "additionalProperties": true })
}

/// Anything.
pub fn anything() -> Value {
    json!({})
}

/// The shape, or null.
pub fn nullable(shape: Value) -> Value {
    match shape.get("type").and_then(Value::as_str) {
        Some(kind) if shape.get("enum").is_none() => {
            let kind = kind.to_owned();
            let mut shape = shape;
            shape["type"] = json!([kind, "null"]);
            shape
        }
        _ => json!({ "anyOf": [shape, { "type": "null" }] }),
    }
}

/// A shape of the document's components, by name.
pub fn shape(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// An object with these members, all of them there.
pub fn record<const N: usize>(members: [(&str, Value); N]) -> Value {
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    let required = json!(required);
    json!({ "type": "object", "required": required, "properties": properties(members) })
}

/// An object with these members, of which those are required whose names are listed. The vault knows no others and refuses them.
pub fn body<const N: usize>(required: &[&str], members: [(&str, Value); N]) -> Value {
    json!({ "type": "object", "required": required, "properties": properties(members), "additionalProperties": false })
}

/// A record with more members, all of them there.
pub fn with<const N: usize>(mut record: Value, members: [(&str, Value); N]) -> Value {
    for (name, value) in members {
        if let Some(required) = record["required"].as_array_mut() {
            required.push(name.into());
        }
        record["properties"][name] = value;
    }
    record
}

/// A record whose listed members may be absent.
pub fn without(mut record: Value, names: &[&str]) -> Value {
    if let Some(required) = record["required"].as_array_mut() {
        required.retain(|name| !names.iter().any(|absent| name == absent));
    }
    record
}

/// A page of a list on the admin plane.
pub fn page(items: Value) -> Value {
    record([("items", list(items)), ("next", nullable(text()))])
}

fn properties<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect()
}
