//! Checks that several operations make of their arguments.

use std::time::Duration;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::given::{Args, Given};
pub(super) use crate::given::{filled, optional_text};
use crate::token::is_canonical_uuid;

/// Most entries of a scope constraint.
const MOST_SCOPES: usize = 100;
/// Longest entry of a scope constraint, in characters.
const LONGEST_SCOPE: usize = 512;
/// The longest that anything waits. Longer waits are cut to it, since a clock cannot hold them.
const LONGEST_WAIT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Text that is not empty, or nothing for null.
///
/// # Errors
/// `AlterValueError` for another type or an empty text.
pub(super) fn optional_filled(field: &str, value: Given) -> Result<Option<String>> {
    match optional_text(field, value)? {
        Some(text) if text.is_empty() => Err(Error::invalid(format!("{field} is empty. Leave it out, or give a value."))),
        other => Ok(other),
    }
}

/// Text with something other than spaces in it.
///
/// # Errors
/// `AlterValueError` for anything else.
pub(super) fn not_blank(field: &str, value: Given) -> Result<String> {
    let text = filled(field, value)?;
    if text.trim().is_empty() { Err(Error::invalid(format!("{field} is blank. Give a value."))) } else { Ok(text) }
}

/// A UUID with hyphens, in any case, as its lower-case form.
///
/// # Errors
/// `AlterValueError` for anything else: an id goes into a path, where other text could name another resource.
pub(super) fn uuid(field: &str, value: Given) -> Result<String> {
    let text = filled(field, value)?.to_ascii_lowercase();
    if is_canonical_uuid(&text) {
        return Ok(text);
    }
    Err(Error::invalid(format!("{field} is not a UUID. Give the id as the vault wrote it, for example {EXAMPLE}.")))
}

const EXAMPLE: &str = "8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f";

/// A boolean.
///
/// # Errors
/// `AlterValueError` for anything else, null included.
pub(super) fn flag(field: &str, value: Given) -> Result<bool> {
    match value {
        Given::Flag(flag) => Ok(flag),
        other => Err(Error::wrong_type(field, "a boolean", other.type_name())),
    }
}

/// Takes a boolean that has a default.
///
/// # Errors
/// `AlterValueError` for anything but a boolean.
pub(super) fn take_flag(args: &mut Args, field: &str, default: bool) -> Result<bool> {
    args.take(field).map_or(Ok(default), |value| flag(field, value))
}

/// Takes an argument of which only counts whether it is something, see [`Given::is_falsy`].
pub(super) fn take_truth(args: &mut Args, field: &str) -> bool {
    args.take(field).is_some_and(|value| !value.is_falsy())
}

/// Takes an argument that goes to the vault as it is, unless it is null.
///
/// # Errors
/// `AlterValueError` for what JSON cannot hold.
pub(super) fn take_json(args: &mut Args, field: &str) -> Result<Option<String>> {
    match args.take_or_null(field) {
        Given::Null => Ok(None),
        value => value.to_json(field).map(Some),
    }
}

/// Takes `limit` and `offset` of a page.
///
/// # Errors
/// `AlterValueError` unless they are whole numbers in their range.
pub(super) fn take_page(args: &mut Args, default: i128, largest: i128) -> Result<(i128, i128)> {
    let limit = whole("limit", args.take("limit").unwrap_or(Given::Whole(default)), 1, Some(largest))?;
    let offset = whole("offset", args.take("offset").unwrap_or(Given::Whole(0)), 0, None)?;
    Ok((limit, offset))
}

/// A boolean, or nothing for null.
///
/// # Errors
/// `AlterValueError` for anything else.
pub(super) fn optional_flag(field: &str, value: Given) -> Result<Option<bool>> {
    if value.is_null() { Ok(None) } else { flag(field, value).map(Some) }
}

/// A whole number of at least `least`.
///
/// # Errors
/// `AlterValueError` for anything else; a boolean or `3.0` is no whole number.
pub(super) fn whole(field: &str, value: Given, least: i128, most: Option<i128>) -> Result<i128> {
    match value {
        Given::Whole(number) if number < least => Err(Error::invalid(format!("{field} is {number}; it must be at least {least}."))),
        Given::Whole(number) if most.is_some_and(|most| number > most) => {
            Err(Error::invalid(format!("{field} is {number}; it must be at most {}.", most.unwrap_or_default())))
        }
        Given::Whole(number) => Ok(number),
        other => Err(Error::wrong_type(field, "a whole number", other.type_name())),
    }
}

/// A list of texts.
///
/// # Errors
/// `AlterValueError` for anything else, a tuple included.
pub(super) fn texts(field: &str, value: Given) -> Result<Vec<String>> {
    let Given::List(entries) = value else { return Err(Error::wrong_type(field, "a list of texts", value.type_name())) };
    entries.into_iter().map(|entry| text_entry(field, entry)).collect()
}

/// An element of a list of texts.
pub(super) fn text_entry(field: &str, entry: Given) -> Result<String> {
    match entry {
        Given::Text(text) => Ok(text),
        other => Err(Error::invalid(format!("{field} holds {}; every entry must be text.", other.type_name()))),
    }
}

/// A scope constraint: the scopes to which something is narrowed. They are sent as they are; the vault trims them.
///
/// # Errors
/// `AlterValueError` unless it is a list of 1 to 100 scopes.
pub(super) fn scope_constraint(field: &str, value: Given) -> Result<Option<Vec<String>>> {
    if value.is_null() {
        return Ok(None);
    }
    let scopes = texts(field, value)?;
    if scopes.is_empty() || scopes.len() > MOST_SCOPES {
        return Err(Error::invalid(format!("{field} has {} scopes; give 1 to {MOST_SCOPES}, or leave it out.", scopes.len())));
    }
    for scope in &scopes {
        let scope = scope.trim();
        if scope == "*" {
            return Err(Error::invalid(format!("{field} holds \"*\", which narrows nothing. Name the scopes that are needed.")));
        }
        let well_formed = |b: u8| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        if scope.is_empty() || scope.len() > LONGEST_SCOPE || !scope.bytes().all(well_formed) {
            return Err(Error::invalid(format!(
                "{field} holds {}. A scope has 1 to {LONGEST_SCOPE} printable ASCII characters without spaces, quotes and backslashes.",
                crate::url::quoted(scope)
            )));
        }
    }
    Ok(Some(scopes))
}

/// A list of texts as JSON.
pub(super) fn texts_json(texts: &[String]) -> String {
    crate::json::ascii(Value::from(texts).to_string())
}

/// A span of time: for the clock, and as a caller gave it for the details of an error.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) duration: Duration,
    pub(super) given: Value,
}

/// What a span is counted in.
#[derive(Clone, Copy)]
struct Unit {
    name: &'static str,
    per_second: f64,
}

const SECONDS: Unit = Unit { name: "seconds", per_second: 1.0 };
const MILLISECONDS: Unit = Unit { name: "milliseconds", per_second: 1000.0 };

/// A positive number of a unit.
///
/// # Errors
/// `AlterValueError` for anything else.
fn span(field: &str, value: Given, unit: Unit) -> Result<Span> {
    let (number, given) = match value {
        Given::Whole(number) => (number as f64, i64::try_from(number).map(Value::from).unwrap_or_else(|_| Value::from(number as f64))),
        Given::Number(number) => (number, Value::from(number)),
        other => return Err(Error::wrong_type(field, &format!("a number of {}", unit.name), other.type_name())),
    };
    if !number.is_finite() || number <= 0.0 {
        return Err(Error::invalid(format!("{field} must be a positive number of {}.", unit.name)));
    }
    Ok(Span { duration: Duration::try_from_secs_f64(number / unit.per_second).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT), given })
}

/// Takes a span that has a default. It is in seconds; languages that count in milliseconds give it as `FIELD_ms`.
///
/// # Errors
/// `AlterValueError` for anything but a positive number.
pub(super) fn take_span(args: &mut Args, field: &str, default: Given) -> Result<Span> {
    match args.take(&format!("{field}_ms")) {
        Some(value) => span(field, value, MILLISECONDS),
        None => span(field, args.take(field).unwrap_or(default), SECONDS),
    }
}

/// Takes a number of seconds that has a default and may be zero or less. Languages that count in milliseconds give it as `FIELD_ms`.
///
/// # Errors
/// `AlterValueError` for anything but a finite number.
pub(super) fn take_seconds(args: &mut Args, field: &str, default: Given) -> Result<f64> {
    let (value, unit) = match args.take(&format!("{field}_ms")) {
        Some(value) => (value, MILLISECONDS),
        None => (args.take(field).unwrap_or(default), SECONDS),
    };
    let number = match value {
        Given::Whole(number) => number as f64,
        Given::Number(number) if number.is_finite() => number,
        Given::Number(_) => return Err(Error::invalid(format!("{field} must be a finite number of {}.", unit.name))),
        other => return Err(Error::wrong_type(field, &format!("a number of {}", unit.name), other.type_name())),
    };
    Ok(number / unit.per_second)
}

/// Seconds for the clock: none for less than none, and no more than a clock can hold.
pub(super) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT)
}
