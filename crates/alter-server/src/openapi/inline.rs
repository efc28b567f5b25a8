//! References within a document.

use serde_json::{Map, Value};

const REF: &str = "$ref";
/// How deep references are followed. What lies below stays a reference, as does a schema that holds itself.
const DEEPEST: usize = 8;
/// Values that one schema may have once its references are replaced; the rest stays references.
const MOST_VALUES: usize = 2000;

/// What a value refers to, or the value itself. A reference that leads nowhere is an empty object.
pub fn resolved<'d>(document: &'d Value, value: &'d Value) -> &'d Value {
    let mut value = value;
    for _ in 0..DEEPEST {
        match reference(value) {
            None => return value,
            Some(target) => value = follow(document, target).unwrap_or(&Value::Null),
        }
    }
    &Value::Null
}

/// A schema with its references replaced by what they refer to.
pub fn inlined(document: &Value, schema: &Value) -> Value {
    let mut left = MOST_VALUES;
    replace(document, schema, &mut Vec::new(), &mut left)
}

fn replace(document: &Value, value: &Value, open: &mut Vec<String>, left: &mut usize) -> Value {
    *left = left.saturating_sub(1);
    if let Some(target) = reference(value) {
        let closed = open.len() >= DEEPEST || open.iter().any(|known| known == target) || *left == 0;
        return match follow(document, target).filter(|_| !closed) {
            None => value.clone(),
            Some(found) => {
                open.push(target.to_owned());
                let replaced = replace(document, found, open, left);
                open.pop();
                replaced
            }
        };
    }
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| (name.clone(), replace(document, member, open, left)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| replace(document, item, open, left)).collect()),
        plain => plain.clone(),
    }
}

fn reference(value: &Value) -> Option<&str> {
    value.get(REF).and_then(Value::as_str)
}

fn follow<'d>(document: &'d Value, target: &str) -> Option<&'d Value> {
    document.pointer(target.strip_prefix('#')?)
}
