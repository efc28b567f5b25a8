//! Taking members out of a JSON text. What stays keeps its text: a number is never printed anew.

use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};

type Members<'a> = indexmap::IndexMap<String, &'a RawValue>;

/// The text without the members that have one of these names, at any depth.
///
/// # Errors
/// If it is no JSON.
pub fn redact(text: &[u8], fields: &[String]) -> serde_json::Result<Bytes> {
    let value: &RawValue = serde_json::from_slice(text)?;
    Ok(without(value, fields)?.get().to_owned().into())
}

fn without(value: &RawValue, fields: &[String]) -> serde_json::Result<Box<RawValue>> {
    match value.get().as_bytes().first() {
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(value.get())?;
            let kept = members.into_iter().filter(|(name, _)| !fields.contains(name));
            let kept: serde_json::Result<indexmap::IndexMap<String, Box<RawValue>>> =
                kept.map(|(name, value)| without(value, fields).map(|value| (name, value))).collect();
            to_raw_value(&kept?)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(value.get())?;
            let kept: serde_json::Result<Vec<Box<RawValue>>> = items.into_iter().map(|item| without(item, fields)).collect();
            to_raw_value(&kept?)
        }
        _ => Ok(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn redacted(text: &str, fields: &[&str]) -> String {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        String::from_utf8(redact(text.as_bytes(), &fields).expect("JSON").to_vec()).expect("UTF-8")
    }

    #[test]
    fn members_go_at_any_depth_and_the_rest_keeps_its_text() {
        assert_eq!(redacted(r#"{"a":1.50,"ssn":"x","b":[{"ssn":{"c":1},"n":1e400}]}"#, &["ssn"]), r#"{"a":1.50,"b":[{"n":1e400}]}"#);
        assert_eq!(redacted(r#"{"\u0073sn":1,"ok":2}"#, &["ssn"]), r#"{"ok":2}"#, "an escaped name is the same name");
        assert_eq!(redacted(r#"{"a":1,"a":2,"ssn":3,"ssn":4}"#, &["ssn"]), r#"{"a":2}"#);
        assert_eq!(redacted("17", &["ssn"]), "17");
        assert!(redact(b"{", &[]).is_err());
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(json!(null)), any::<i64>().prop_map(|n| json!(n)), "[a-c]{0,3}".prop_map(|text| json!(text))];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec(("[a-c]{1,2}", inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn names(value: &Value) -> Vec<String> {
        match value {
            Value::Object(members) => members.iter().flat_map(|(name, value)| std::iter::once(name.clone()).chain(names(value))).collect(),
            Value::Array(items) => items.iter().flat_map(names).collect(),
            _ => Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn no_field_is_left_and_nothing_else_is_lost(tree in tree(), field in "[a-c]{1,2}") {
            let fields = vec![field.clone()];
            let left: Value = serde_json::from_slice(&redact(tree.to_string().as_bytes(), &fields).expect("JSON")).expect("JSON");
            prop_assert!(!names(&left).contains(&field));
            if !names(&tree).contains(&field) {
                prop_assert_eq!(left, tree);
            }
        }
    }
}
