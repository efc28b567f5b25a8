//! A grant's time limits and restrictions, as a program gives them.

use crate::error::{Error, Result};
use crate::given::Given;
use crate::iso8601;
use crate::json;

use super::arguments;

const POLICY_KEYS: [&str; 3] = ["expires_at", "max_ttl_seconds", "default_ttl_seconds"];
const RESTRICTION_KEYS: [&str; 2] = ["allowed_methods", "allowed_endpoints"];
const LONGEST_LABEL: usize = 255;
/// The class that carries a policy.
pub(super) const POLICY_MODEL: &str = "GrantPolicyInput";

/// A map whose names are texts.
type Members = Vec<(String, Given)>;

/// `grant_policy` as JSON; `None` for null.
///
/// # Errors
/// `AlterValueError` for unknown keys, a time that is none, and limits that are no positive whole numbers.
pub(super) fn grant_policy(value: Given) -> Result<Option<String>> {
    const FIELD: &str = "grant_policy";
    let members = match value {
        Given::Null => return Ok(None),
        // The class has checked its fields when it was made.
        Given::Model(name, fields) if name == POLICY_MODEL => return model_json(fields).map(Some),
        Given::Map(members) => known_members(FIELD, members, &POLICY_KEYS)?,
        other => return Err(Error::wrong_type(FIELD, "a map or a GrantPolicyInput", other.type_name())),
    };
    let mut body = Vec::new();
    for key in POLICY_KEYS {
        let Some((_, value)) = members.iter().find(|(name, _)| name == key) else { continue };
        let text = match (key, value) {
            (_, Given::Null) => continue,
            ("expires_at", value) => expires_at(value)?,
            (key, value) => ttl(key, value)?.to_string(),
        };
        body.push(format!("\"{key}\":{text}"));
    }
    Ok(Some(format!("{{{}}}", body.join(","))))
}

/// The fields of a policy that are set.
pub(super) fn model_json(fields: Vec<(Given, Given)>) -> Result<String> {
    Given::Map(fields.into_iter().filter(|(_, value)| !value.is_null()).collect()).to_json("grant_policy")
}

fn expires_at(value: &Given) -> Result<String> {
    let text = value.as_text().ok_or_else(|| Error::wrong_type("grant_policy[\"expires_at\"]", "text", value.type_name()))?;
    if iso8601::is_valid(&text.replace('Z', "+00:00")) {
        return Ok(json::ascii(json::string(text)));
    }
    Err(Error::invalid("grant_policy[\"expires_at\"] is not an ISO 8601 time. Give for example \"2026-01-02T03:04:05Z\"."))
}

fn ttl(key: &str, value: &Given) -> Result<i128> {
    let seconds = match value {
        Given::Whole(number) => Some(*number),
        Given::Number(number) if number.is_finite() && number.fract() == 0.0 => Some(*number as i128),
        _ => None,
    };
    seconds.filter(|seconds| *seconds > 0).ok_or_else(|| {
        Error::invalid(format!("grant_policy[\"{key}\"] must be a positive whole number of seconds, for example 86400 for a day."))
    })
}

/// `requested_grant` of a Connect session as JSON; `None` for null.
///
/// # Errors
/// `AlterValueError` for unknown keys, a label of 0 or more than 255 characters, and restrictions that are no lists of texts.
pub(super) fn requested_grant(value: Given, with_restrictions: bool) -> Result<Option<String>> {
    const FIELD: &str = "requested_grant";
    let known: &[&str] = if with_restrictions { &["label", "restrictions"] } else { &["label"] };
    let members = match value {
        Given::Null => return Ok(None),
        Given::Map(members) => known_members(FIELD, members, known)?,
        other => return Err(Error::wrong_type(FIELD, "a map", other.type_name())),
    };
    let mut label = None;
    let mut rest = String::new();
    for (name, value) in members {
        match name.as_str() {
            "label" => label = Some(checked_label(value)?),
            _ => {
                if let Some(text) = restrictions(value)? {
                    rest = format!(",\"restrictions\":{text}");
                }
            }
        }
    }
    let label = label.ok_or_else(|| Error::invalid("requested_grant has no label. Give one: a short name for the grant."))?;
    Ok(Some(format!("{{\"label\":{}{rest}}}", json::ascii(json::string(&label)))))
}

fn checked_label(value: Given) -> Result<String> {
    let label = arguments::filled("requested_grant[\"label\"]", value)?;
    match label.chars().count() {
        length if length > LONGEST_LABEL => {
            Err(Error::invalid(format!("requested_grant[\"label\"] has {length} characters; {LONGEST_LABEL} is the most.")))
        }
        _ => Ok(label),
    }
}

fn restrictions(value: Given) -> Result<Option<String>> {
    const FIELD: &str = "requested_grant[\"restrictions\"]";
    let members = match value {
        Given::Null => return Ok(None),
        Given::Map(members) => known_members(FIELD, members, &RESTRICTION_KEYS)?,
        other => return Err(Error::wrong_type(FIELD, "a map", other.type_name())),
    };
    let mut body = Vec::new();
    for (name, value) in members {
        let field = format!("{FIELD}[\"{name}\"]");
        let entries = match value {
            Given::Null => continue,
            Given::List(entries) | Given::Tuple(entries) | Given::Set(entries) => entries,
            other => return Err(Error::wrong_type(&field, "a list of texts", other.type_name())),
        };
        let entries = entries.into_iter().map(|entry| arguments::text_entry(&field, entry)).collect::<Result<Vec<_>>>()?;
        body.push(format!("\"{name}\":{}", arguments::texts_json(&entries)));
    }
    Ok(Some(format!("{{{}}}", body.join(","))))
}

/// The members of a map, all of whose names must be known.
///
/// # Errors
/// `AlterValueError` that names the first unknown one.
pub(super) fn known_members(field: &str, members: Vec<(Given, Given)>, known: &[&str]) -> Result<Members> {
    let mut out = Vec::with_capacity(members.len());
    for (name, value) in members {
        let Given::Text(name) = name else {
            return Err(Error::invalid(format!("{field} has a key that is {}; every key must be text.", name.type_name())));
        };
        if !known.contains(&name.as_str()) {
            let name = crate::url::quoted(&name);
            return Err(Error::invalid(format!("{field} has the unknown key {name}. It takes {}.", known.join(", "))));
        }
        out.push((name, value));
    }
    Ok(out)
}
