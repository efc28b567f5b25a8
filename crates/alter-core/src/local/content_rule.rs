//! `content_match_rule`: a request rule about what a call does and to what.

use crate::content_match::{FAMILIES, LONGEST_AGE, LONGEST_NAME, LONGEST_OPERATION, MOST_CONDITIONS, MOST_ENTRIES, MOST_FIELDS};
use crate::error::{Error, Result};
use crate::given::{Args, Given, filled};
use crate::json;

use super::time_windows;

const EFFECTS: [&str; 3] = ["deny", "redact", "step_up"];
const OPERATORS: [&str; 8] = ["equals", "any_in", "not_subset_of", "gt", "gte", "lt", "lte", "outside_windows"];
const MOST_PATTERNS: usize = 200;
const LONGEST_PATTERN: usize = 512;

/// The rule as JSON.
///
/// # Errors
/// `AlterValueError` that names the argument.
pub(super) fn content_match_rule(args: &mut Args) -> Result<String> {
    let effect = args.take("effect").unwrap_or_else(|| "deny".into());
    let effect = one_of("effect", &effect, &EFFECTS)?;
    let operations = texts("operations", args.take_or_null("operations"), LONGEST_OPERATION)?;
    let families = texts("families", args.take_or_null("families"), LONGEST_OPERATION)?;
    for family in &families {
        one_of("an entry of families", &family.as_str().into(), &FAMILIES)?;
    }
    match operations.len() + families.len() {
        0 => return Err(Error::invalid("operations and families are both empty. Name at least one operation or family.")),
        count if count > MOST_ENTRIES => {
            return Err(Error::invalid(format!("operations and families have {count} entries together; {MOST_ENTRIES} is the most.")));
        }
        _ => {}
    }
    let params = conditions(args.take_or_null("params"))?;
    let redact = redacted_fields(args.take_or_null("redact_fields"), effect)?;
    let step_up = session_age(args.take_or_null("max_session_age_seconds"), effect)?;

    let matched = [("operations", &operations), ("families", &families)].into_iter().filter(|(_, entries)| !entries.is_empty());
    let matched: Vec<String> = matched.map(|(name, entries)| format!("\"{name}\":{}", list(entries))).collect();
    let mut body = vec![format!("\"match\":{{{}}}", matched.join(","))];
    if !params.is_empty() {
        body.push(format!("\"params\":[{}]", params.join(",")));
    }
    body.push(format!("\"effect\":\"{effect}\""));
    body.extend(redact.map(|fields| format!("\"redact\":{{\"fields\":{}}}", list(&fields))));
    body.extend(step_up.map(|seconds| format!("\"step_up\":{{\"max_session_age_seconds\":{seconds}}}")));
    Ok(format!("{{\"rule_type\":\"content_match\",\"rule_body\":{{{}}}}}", body.join(",")))
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| json::string(text)).collect();
    format!("[{}]", texts.join(","))
}

/// One of some words.
pub(super) fn one_of(field: &str, value: &Given, words: &[&'static str]) -> Result<&'static str> {
    let known = value.as_text().and_then(|text| words.iter().find(|word| **word == text));
    known.copied().ok_or_else(|| Error::invalid(format!("{field} must be one of {}.", words.join(", "))))
}

/// The entries of something that is written like a list; null is none.
pub(super) fn sequence(field: &str, value: Given) -> Result<Vec<Given>> {
    match value {
        Given::Null => Ok(Vec::new()),
        Given::List(entries) | Given::Tuple(entries) => Ok(entries),
        other => Err(Error::wrong_type(field, "a list", other.type_name())),
    }
}

/// A list of texts that are not empty and not too long.
fn texts(field: &str, value: Given, longest: usize) -> Result<Vec<String>> {
    let one = |entry: Given| bounded(&format!("an entry of {field}"), entry, longest);
    sequence(field, value)?.into_iter().map(one).collect()
}

fn bounded(field: &str, value: Given, longest: usize) -> Result<String> {
    let text = filled(field, value)?;
    match text.chars().count() {
        length if length > longest => Err(Error::invalid(format!("{field} has {length} characters; {longest} is the most."))),
        _ => Ok(text),
    }
}

/// The members of a map that has exactly these, in this order.
pub(super) fn exactly<const N: usize>(field: &str, value: Given, names: [&str; N]) -> Result<[Given; N]> {
    let Given::Map(mut members) = value else { return Err(Error::wrong_type(field, "a map", value.type_name())) };
    let known = |name: &Given| name.as_text().is_some_and(|name| names.contains(&name));
    if members.len() != N || !members.iter().all(|(name, _)| known(name)) {
        return Err(Error::invalid(format!("{field} must have exactly {}.", names.join(", "))));
    }
    let mut taken = names.map(|_| Given::Null);
    for (place, name) in taken.iter_mut().zip(names) {
        let Some(at) = members.iter().position(|(known, _)| known.as_text() == Some(name)) else {
            return Err(Error::invalid(format!("{field} has no {name}.")));
        };
        *place = members.swap_remove(at).1;
    }
    Ok(taken)
}

fn conditions(value: Given) -> Result<Vec<String>> {
    let entries = sequence("params", value)?;
    if entries.len() > MOST_CONDITIONS {
        return Err(Error::invalid(format!("params has {} conditions; {MOST_CONDITIONS} is the most.", entries.len())));
    }
    entries.into_iter().enumerate().map(|(at, entry)| condition(&format!("params[{at}]"), entry)).collect()
}

fn condition(field: &str, value: Given) -> Result<String> {
    let [name, operator, value] = exactly(field, value, ["name", "op", "value"])?;
    let name = bounded(&format!("{field}.name"), name, LONGEST_NAME)?;
    let operator = one_of(&format!("{field}.op"), &operator, &OPERATORS)?;
    let field = format!("{field}.value");
    let value = match operator {
        "equals" => match &value {
            Given::Text(_) => value.to_json_utf8(&field)?,
            _ => number(&field, &value, "text or a finite number")?,
        },
        "any_in" | "not_subset_of" => {
            let patterns = texts(&field, value, LONGEST_PATTERN)?;
            if patterns.is_empty() || patterns.len() > MOST_PATTERNS {
                return Err(Error::invalid(format!("{field} must have 1 to {MOST_PATTERNS} patterns.")));
            }
            list(&patterns)
        }
        "outside_windows" => time_windows::json(&field, value)?,
        _ => number(&field, &value, "a finite number")?,
    };
    Ok(format!("{{\"name\":{},\"op\":\"{operator}\",\"value\":{value}}}", json::string(&name)))
}

fn number(field: &str, value: &Given, expected: &str) -> Result<String> {
    let finite = match value {
        Given::Whole(_) | Given::Large(_) => true,
        Given::Number(number) => number.is_finite(),
        _ => false,
    };
    if finite { value.to_json_utf8(field) } else { Err(Error::wrong_type(field, expected, value.type_name())) }
}

fn redacted_fields(value: Given, effect: &str) -> Result<Option<Vec<String>>> {
    const FIELD: &str = "redact_fields";
    if effect != "redact" {
        return if value.is_null() { Ok(None) } else { Err(Error::invalid("redact_fields goes with effect \"redact\" only.")) };
    }
    let fields = texts(FIELD, value, LONGEST_NAME)?;
    if fields.is_empty() || fields.len() > MOST_FIELDS {
        return Err(Error::invalid(format!("redact_fields must name 1 to {MOST_FIELDS} fields.")));
    }
    Ok(Some(fields))
}

fn session_age(value: Given, effect: &str) -> Result<Option<i128>> {
    match (effect, value) {
        ("step_up", Given::Whole(seconds)) if (1..=i128::from(LONGEST_AGE)).contains(&seconds) => Ok(Some(seconds)),
        ("step_up", _) => Err(Error::invalid(format!("max_session_age_seconds must be a whole number, 1 to {LONGEST_AGE}."))),
        (_, Given::Null) => Ok(None),
        _ => Err(Error::invalid("max_session_age_seconds goes with effect \"step_up\" only.")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rule(members: Value) -> Result<Value> {
        let Given::Map(members) = Given::from(members) else { panic!("it is a map") };
        let args = members.into_iter().map(|(name, value)| (name.as_text().unwrap_or_default().to_owned(), value)).collect();
        super::super::run("content_match_rule", args).map(|text| serde_json::from_str(&text).expect("it is JSON"))
    }

    #[test]
    fn a_rule_has_the_contracts_form_and_order() {
        let windows = json!({ "windows": [{ "days": ["mon", "fri"], "start": "22:00", "end": "06:00" }], "timezone": "Europe/Berlin" });
        let params = json!([
            { "name": "to", "op": "any_in", "value": ["*@example.com"] },
            { "name": "amount", "op": "gt", "value": 1.5 },
            { "name": "at", "op": "outside_windows", "value": windows },
        ]);
        let made =
            rule(json!({ "operations": ["a/b"], "families": ["send"], "params": params, "effect": "redact", "redact_fields": ["iban"] }));
        let text = made.expect("it is a rule").to_string();
        let wanted = format!(
            r#"{{"rule_type":"content_match","rule_body":{{"match":{{"operations":["a/b"],"families":["send"]}},"params":{params},"effect":"redact","redact":{{"fields":["iban"]}}}}}}"#
        );
        assert_eq!(text, wanted);
        let step_up = rule(json!({ "families": ["admin"], "effect": "step_up", "max_session_age_seconds": 300 })).expect("it is a rule");
        assert_eq!(step_up["rule_body"]["step_up"], json!({ "max_session_age_seconds": 300 }));
        assert_eq!(rule(json!({ "families": ["read"] })).expect("it is a rule")["rule_body"]["effect"], "deny");
    }

    #[test]
    fn what_is_refused_names_its_argument() {
        let condition = |op: &str, value: Value| json!({ "families": ["read"], "params": [{ "name": "p", "op": op, "value": value }] });
        let windows = |windows: Value, zone: &str| condition("outside_windows", json!({ "windows": windows, "timezone": zone }));
        let window = |days: Value, start: &str, end: &str| json!([{ "days": days, "start": start, "end": end }]);
        for (arguments, start) in [
            (json!({}), "operations and families"),
            (json!({ "families": ["read"], "effect": null }), "effect"),
            (json!({ "families": ["look"] }), "an entry of families"),
            (json!({ "operations": "a" }), "operations"),
            (json!({ "operations": [""] }), "an entry of operations"),
            (json!({ "operations": vec!["a"; 101] }), "operations and families have 101"),
            (json!({ "families": ["read"], "params": [{ "name": "p" }] }), "params[0]"),
            (json!({ "families": ["read"], "redact_fields": [] }), "redact_fields"),
            (json!({ "families": ["read"], "effect": "redact" }), "redact_fields"),
            (json!({ "families": ["read"], "effect": "step_up", "max_session_age_seconds": 1.0 }), "max_session_age_seconds"),
            (json!({ "families": ["read"], "max_session_age_seconds": 5 }), "max_session_age_seconds"),
            (condition("like", json!("x")), "params[0].op"),
            (condition("equals", json!(true)), "params[0].value"),
            (condition("any_in", json!([])), "params[0].value"),
            (condition("gt", json!("5")), "params[0].value"),
            (windows(window(json!(["mon"]), "09:00", "17:00"), "utc"), "params[0].value.timezone"),
            (windows(window(json!(["mon"]), "09:00", "17:00"), "../etc"), "params[0].value.timezone"),
            (windows(json!([]), "UTC"), "params[0].value.windows"),
            (windows(window(json!(["mon", "mon"]), "09:00", "17:00"), "UTC"), "params[0].value.windows[0].days"),
            (windows(window(json!(["Mon"]), "09:00", "17:00"), "UTC"), "params[0].value.windows[0].days"),
            (windows(window(json!(["mon"]), "24:00", "17:00"), "UTC"), "params[0].value.windows[0].start"),
            (windows(window(json!(["mon"]), "0٣:0٣", "17:00"), "UTC"), "params[0].value.windows[0].start"),
            (windows(window(json!(["mon"]), "09:00", "09:00"), "UTC"), "params[0].value.windows[0]"),
        ] {
            let error = rule(arguments).expect_err(start);
            assert!(error.message().starts_with(start), "{error}");
        }
        assert!(rule(windows(window(json!(["sun"]), "09:00", "24:00"), "Etc/GMT+5")).is_ok());
    }
}
