//! JSON from strangers: objects in which no name stands twice.
//!
//! Readers disagree on which of two equal names counts, and a signed object that two readers understand differently is one that can be forged in
//! effect (RFC 8725 §2.4, RFC 7515 §4). `serde_json` takes the last one; here a repetition is an error, at any depth.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads an object.
///
/// # Errors
/// What is wrong, in words that hold nothing of the text.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, &'static str> {
    match serde_json::from_slice(bytes) {
        Ok(Unique(Value::Object(members))) => Ok(members),
        Ok(_) => Err("it is not a JSON object"),
        Err(error) if error.is_data() => Err("a name stands twice in its JSON, or a number in it cannot be held"),
        Err(_) => Err("it is not JSON"),
    }
}

/// A value whose objects have no repeated names.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Build).map(Self)
    }
}

struct Build;

impl<'de> Visitor<'de> for Build {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, Unique>()? {
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a repeated name"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_repeated_name_is_refused_at_any_depth() {
        for text in [r#"{"alg":"RS256","alg":"none"}"#, r#"{"a":[{"b":1,"b":1}]}"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(object(text.as_bytes()).expect_err(text).contains("twice"), "{text}");
        }
        for text in ["", "[]", "null", "{", r#"{"a":1}x"#, "\u{feff}{}", r#"{"a":NaN}"#] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
        assert!(object(format!("{}{}", r#"{"a":"#.repeat(200), "1".to_owned() + &"}".repeat(200)).as_bytes()).is_err());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".{0,4}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_has_no_repetition_is_read_as_serde_json_reads_it(members in proptest::collection::btree_map(".{0,4}", json(), 0..4)) {
            let text = serde_json::to_vec(&members).expect("JSON");
            prop_assert_eq!(object(&text).map(Value::Object), Ok(serde_json::from_slice(&text).expect("JSON")));
        }
    }
}
