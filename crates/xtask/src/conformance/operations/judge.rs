//! Holding what a client told of an operation against what must come of it, and ours against the public package.

use std::collections::BTreeSet;

use alter_core::iso8601;
use alter_core::key::is_valid_key;
use serde_json::{Map, Value};

use super::driver::Told;
use super::list::Expectation;

/// Members that differ from call to call, or are the SDK's own wording.
const VOLATILE: [&str; 5] = ["request_id", "message", "hint", "help", "duration_ms"];
/// The length of what is shown of a key, such as `alter_rk_abcd`.
const KEY_PREFIX: usize = 13;
/// Texts without spaces from this length on are tokens.
const SHORTEST_TOKEN: usize = 40;

/// What is wrong with what was told; empty if nothing is. `expect` has no `$` any more.
pub fn judge(expect: &Expectation, told: &Told) -> Vec<String> {
    if told.error != expect.error {
        let name = |error: &Option<String>| error.clone().unwrap_or_else(|| "a result".to_owned());
        let text = told.visible.first().map(String::as_str).unwrap_or_default();
        let mut wrong = format!("{}, not {}", name(&told.error), name(&expect.error));
        if told.error.is_some() {
            wrong.push_str(&format!(": {text:?} with {}", Value::Object(told.attributes.clone())));
        } else {
            wrong.push_str(&format!(": {}", told.result));
        }
        return vec![wrong];
    }
    let attributes = Value::Object(told.attributes.clone());
    let members = expect.result.iter().map(|pair| (&told.result, pair)).chain(expect.attributes.iter().map(|pair| (&attributes, pair)));
    members
        .filter_map(|(of, (path, expected))| {
            let there = member(of, path);
            (there != Some(expected))
                .then(|| format!("{path:?} is {}, not {expected}", there.map_or_else(|| "missing".to_owned(), Value::to_string)))
        })
        .collect()
}

/// The value at a path such as `grants.0.status`; the whole value for an empty path.
pub fn member<'a>(of: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(of, |value, part| match part.parse::<usize>() {
        Ok(index) => value.get(index),
        Err(_) => value.get(part),
    })
}

/// Where ours told something different from the public package.
pub fn disagreement(theirs: &Told, ours: &Told) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |what: &str, theirs: Value, ours: Value| {
        if theirs != ours {
            wrong.push(format!("{what}: public package {theirs}, ours {ours}"));
        }
    };
    compare("class", theirs.bases.clone().into(), ours.bases.clone().into());
    compare("result", settled(&theirs.result), settled(&ours.result));
    let names: BTreeSet<_> =
        theirs.attributes.keys().chain(ours.attributes.keys()).filter(|name| !VOLATILE.contains(&name.as_str())).collect();
    for name in names {
        let of = |told: &Map<String, Value>| settled(told.get(name).unwrap_or(&Value::Null));
        compare(name, of(&theirs.attributes), of(&ours.attributes));
    }
    wrong
}

/// A value in which what is new in every run stands by its kind. Null counts as absent: not every language tells the two apart.
fn settled(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let stable = members.iter().filter(|(name, value)| !VOLATILE.contains(&name.as_str()) && !value.is_null());
            Value::Object(stable.map(|(name, value)| (name.clone(), settled(value))).collect())
        }
        Value::Array(items) => items.iter().map(settled).collect(),
        Value::String(text) => kind(text).map_or_else(|| value.clone(), Value::from),
        Value::Number(number) if number.as_i64().is_some_and(|number| number > 1_000_000_000) => "<time>".into(),
        other => other.clone(),
    }
}

fn kind(text: &str) -> Option<&'static str> {
    let groups: Vec<&str> = text.split('-').collect();
    let is_uuid = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if is_uuid {
        Some("<uuid>")
    } else if text.len() >= 20 && text.contains('T') && iso8601::is_valid(text) {
        Some("<time>")
    } else if is_valid_key(text) {
        Some("<key>")
    } else if text.starts_with("alter_") && text.len() == KEY_PREFIX {
        Some("<prefix of a key>")
    } else if text.starts_with("http://127.0.0.1:") {
        Some("<address>")
    } else if text.len() >= SHORTEST_TOKEN && !text.contains(' ') {
        Some("<token>")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(value: &Value) -> Told {
        serde_json::from_value(value.clone()).expect("a report")
    }

    fn expect(toml: &str) -> Expectation {
        toml::from_str(toml).expect("an expectation")
    }

    #[test]
    fn what_was_expected_is_in_order_and_each_trouble_is_found() {
        let result = told(&json!({"result": {"grants": [{"status": "active"}], "total": 1}}));
        let good = expect("result = { \"grants.0.status\" = \"active\", total = 1 }");
        assert!(judge(&good, &result).is_empty() && judge(&expect(""), &result).is_empty());
        assert_eq!(judge(&expect("result = { total = 2, x = 1 }"), &result).len(), 2);
        assert!(judge(&expect("error = \"E\""), &result)[0].contains("a result, not E"));
        let raised = told(&json!({"error": "E", "attributes": {"details": {"error": "x"}}}));
        assert!(judge(&expect("error = \"E\"\nattributes = { \"details.error\" = \"x\" }"), &raised).is_empty());
        assert_eq!(judge(&expect("error = \"E\"\nattributes = { \"details.error\" = \"y\" }"), &raised).len(), 1);
        assert!(judge(&good, &raised)[0].contains("E, not a result"));
        assert!(judge(&expect("result = { \"\" = \"ada\" }"), &told(&json!({"result": "ada"}))).is_empty());
    }

    #[test]
    fn only_what_is_new_in_every_run_may_differ() {
        let with = |id: &str, at: &str, status: &str| told(&json!({"result": {"grant_id": id, "created_at": at, "status": status}}));
        let first = with("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f", "2026-11-27T10:00:00Z", "active");
        assert!(disagreement(&first, &with("00000000-0000-4000-8000-000000000000", "2026-11-27T11:00:00.123Z", "active")).is_empty());
        assert_eq!(disagreement(&first, &with("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f", "2026-11-27T10:00:00Z", "revoked")).len(), 1);
        assert_eq!(disagreement(&first, &with("not-an-id", "2026-11-27T10:00:00Z", "active")).len(), 1);
        let took = |millis: u64| told(&json!({"result": {"duration_ms": millis}}));
        assert!(disagreement(&took(0), &took(1)).is_empty());
        let key = |text: &str, prefix: &str| told(&json!({"result": {"api_key": text, "key_prefix": prefix}}));
        let first_key = key("alter_rk_abcdefghijklmnopqrstuv_iwpykn", "alter_rk_abcd");
        assert!(disagreement(&first_key, &key("alter_ak_k7q2mzt4yb6xw3n5p2adfh_4gj2vw", "alter_ak_k7q2")).is_empty());
        assert_eq!(disagreement(&first_key, &key("alter_rk_abcdefghijklmnopqrstuv_iwpykm", "alter_rk_abcd")).len(), 1, "no key");
        let raised = |code: &str, message: &str| {
            told(&json!({"error": "E", "bases": ["E"], "attributes": {"details": {"error": code, "message": message}}}))
        };
        assert!(disagreement(&raised("x", "1"), &raised("x", "2")).is_empty());
        assert_eq!(disagreement(&raised("x", "1"), &raised("y", "1")).len(), 1);
        assert_eq!(disagreement(&raised("x", "1"), &first).len(), 3);
    }
}
