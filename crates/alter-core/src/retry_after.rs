//! How long to wait, as a server says it: the `Retry-After` header first, then the body's `retry_after`.

use serde_json::Value;

/// Longest wait that a rate limit or a 500/503 may ask for, in seconds (one hour).
pub const RATE_LIMIT_CEILING_SECONDS: u64 = 3600;
/// Longest wait that a quota may ask for, in seconds (31 days).
pub const QUOTA_CEILING_SECONDS: u64 = 2_678_400;

/// Seconds to wait, at most `ceiling`; `None` if neither source is usable.
pub fn seconds(header: Option<&str>, body: Option<&Value>, ceiling: u64) -> Option<u64> {
    header.and_then(from_header).or_else(|| body.and_then(from_body)).map(|seconds| seconds.min(ceiling))
}

/// ASCII digits only: dates, signs and fractions are not read. A number too large to hold counts as the largest.
pub fn from_header(value: &str) -> Option<u64> {
    let digits = value.trim();
    let only_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    only_digits.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// A non-negative whole number, also written `60.0`; no booleans, text or fractions.
fn from_body(value: &Value) -> Option<u64> {
    let number = value.as_number()?;
    let whole = |f: f64| (f >= 0.0 && f.fract() == 0.0).then_some(f as u64);
    number.as_u64().or_else(|| number.as_f64().and_then(whole))
}
