//! What the vault went through to get a token.

use serde::Serialize;
use serde_json::{Map, Value};

/// Attempts that the vault made for one token answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RetryInfo {
    /// At least 1.
    pub total_attempts: u64,
    /// Which attempt succeeded, counted from 1; 0 if that is not known.
    pub successful_attempt: u64,
    /// The attempts that failed.
    pub errors: Vec<RetryErrorInfo>,
}

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RetryErrorInfo {
    /// Counted from 1.
    pub attempt: u64,
    /// What happened, at most 500 characters.
    pub error: String,
    /// Its kind, for example `transient_refresh`.
    pub error_type: String,
    /// How long the vault waited after it, in seconds.
    pub delay_s: f64,
    /// Whether trying again could not have helped.
    pub permanent: bool,
}

impl RetryInfo {
    /// Reads the member of a token answer. Anything malformed is no information, never an error.
    pub fn from_json(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let total_attempts = whole(map, "total_attempts").filter(|n| *n >= 1)?;
        let successful_attempt = whole(map, "successful_attempt").filter(|n| *n <= total_attempts)?;
        let errors = match map.get("errors") {
            None => Vec::new(),
            Some(list) => list.as_array()?.iter().map(RetryErrorInfo::from_json).collect::<Option<_>>()?,
        };
        Some(Self { total_attempts, successful_attempt, errors })
    }
}

impl RetryErrorInfo {
    fn from_json(value: &Value) -> Option<Self> {
        const LONGEST_ERROR: usize = 500;
        let map = value.as_object()?;
        let text = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
        let permanent = match map.get("permanent") {
            None => false,
            Some(flag) => flag.as_bool()?,
        };
        Some(Self {
            attempt: whole(map, "attempt").filter(|n| *n >= 1)?,
            error: text("error").filter(|error| error.chars().count() <= LONGEST_ERROR)?,
            error_type: text("error_type")?,
            delay_s: map.get("delay_s")?.as_f64().filter(|seconds| *seconds >= 0.0)?,
            permanent,
        })
    }
}

fn whole(map: &Map<String, Value>, name: &str) -> Option<u64> {
    map.get(name).and_then(Value::as_u64)
}
