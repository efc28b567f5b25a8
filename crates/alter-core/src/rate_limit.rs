//! How much of a rate limit is left, as the vault's answers say it.

/// A snapshot of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per window.
    pub limit: u64,
    /// How many are left.
    pub remaining: u64,
    /// When the window ends, in Unix seconds.
    pub reset_at: u64,
}

/// 9999-12-31T23:59:59Z: the last second that every language's date type can hold.
const LAST_SECOND: u64 = 253_402_300_799;

/// Reads `X-RateLimit-*`, else `RateLimit-Policy` with `RateLimit`. A partial or malformed set is no snapshot.
///
/// `header` gives a header's value by its lower-case name; `now` is in Unix seconds.
pub fn from_headers<'a>(header: impl Fn(&str) -> Option<&'a str>, now: u64) -> Option<RateLimit> {
    let plain = || {
        let number = |name| header(name).and_then(number);
        let reset_at = number("x-ratelimit-reset").filter(|reset| *reset <= LAST_SECOND)?;
        Some(RateLimit { limit: number("x-ratelimit-limit")?, remaining: number("x-ratelimit-remaining")?, reset_at })
    };
    let structured = || {
        let policies = items(header("ratelimit-policy")?);
        items(header("ratelimit")?).into_iter().find_map(|(name, state)| {
            let (_, policy) = policies.iter().rev().find(|(known, _)| *known == name)?;
            let reset_at = now.checked_add(parameter(&state, "t")?).filter(|reset| *reset <= LAST_SECOND)?;
            Some(RateLimit { limit: parameter(policy, "q")?, remaining: parameter(&state, "r")?, reset_at })
        })
    };
    plain().or_else(structured)
}

/// ASCII digits, at most twelve that count.
fn number(text: &str) -> Option<u64> {
    const MOST_DIGITS: usize = 12;
    let digits = text.trim();
    let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && digits.trim_start_matches('0').len() <= MOST_DIGITS;
    if valid { digits.parse().ok() } else { None }
}

type Item<'a> = (&'a str, Vec<(&'a str, u64)>);

/// The well-formed items of a structured list: `"name";key=digits;…`.
fn items(list: &str) -> Vec<Item<'_>> {
    list.split(',').filter_map(item).collect()
}

fn item(text: &str) -> Option<Item<'_>> {
    let mut pieces = text.split(';').map(str::trim);
    let name = pieces.next()?.strip_prefix('"')?.strip_suffix('"')?;
    let valid_name = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b));
    if !valid_name {
        return None;
    }
    let parameters = pieces.map(|piece| {
        let (key, value) = piece.split_once('=')?;
        let valid_key = key.starts_with(|c: char| c.is_ascii_lowercase())
            && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.*-".contains(&b));
        if valid_key { Some((key, number(value)?)) } else { None }
    });
    Some((name, parameters.collect::<Option<_>>()?))
}

fn parameter(parameters: &[(&str, u64)], name: &str) -> Option<u64> {
    parameters.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value)
}
