//! What a call leaves behind besides its answer.

use super::declare::models;
use super::{Fault, Group, Rule};
use serde_json::{Map, Value};

pub(super) const GROUP: Group = Group {
    name: "calls",
    summary: "What a call leaves behind besides its answer: retries inside the vault, and the state of its rate limit.",
    models: &[RetryErrorInfo::MODEL, RetryInfo::MODEL, RateLimitSnapshot::MODEL],
    unions: &[],
    words: &[],
};

models! {
    /// One failed attempt of the vault to get a credential.
    RetryErrorInfo(strict) {
        /// Which attempt it was, counted from 1.
        attempt: u64 = Rule::whole().least(1),
        error: String = Rule::text().most(500),
        /// Its kind, for example `transient_refresh`.
        error_type: String = Rule::text(),
        /// Seconds that the vault waited after it.
        delay_s: f64 = Rule::number().least(0),
        /// Whether trying again could not have helped.
        permanent: bool = Rule::flag_or_false(),
    }

    /// How often the vault tried to get a credential before it had one.
    RetryInfo(strict) {
        total_attempts: u64 = Rule::whole().least(1),
        /// The attempt that succeeded, counted from 1; 0 if none did.
        successful_attempt: u64 = Rule::whole().least(0),
        errors: Vec<RetryErrorInfo> = Rule::tuple(RetryErrorInfo::MODEL),
    } checked by attempts_agree

    /// The key's rate limit, as the vault's last answer told it.
    RateLimitSnapshot {
        /// Requests allowed in the present window.
        limit: u64 = Rule::whole().least(0),
        /// Requests left in it.
        remaining: u64 = Rule::whole().least(0),
        /// When the next window begins (UTC).
        reset_at: String = Rule::time(),
    }
}

impl RetryInfo {
    /// Reads the member of a token answer. Anything malformed is no information, never an error.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        let read = Self::MODEL.read(value).ok()?;
        serde_json::from_value(read.into()).ok()
    }
}

/// The attempt that succeeded is one of those that were made.
fn attempts_agree(read: &mut Map<String, Value>) -> Result<(), Fault> {
    let count = |name: &str| read.get(name).and_then(Value::as_u64);
    if count("successful_attempt") > count("total_attempts") {
        return Err(Fault::new("successful_attempt", "is more than total_attempts"));
    }
    Ok(())
}
