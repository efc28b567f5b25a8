//! Times in text, as widely as the public package reads them.

use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{Date, Duration, Month, OffsetDateTime, Time, UtcOffset, Weekday};

/// Unix numbers beyond this count milliseconds.
const LARGEST_SECONDS: f64 = 2e10;

/// A date or a time of day on a date, with its offset if the text names one.
struct Moment {
    date: Date,
    time: Time,
    offset: Option<UtcOffset>,
}

/// Whether a text is an ISO 8601 date, or a date and a time, in the forms that Python's own parser takes: extended or basic, calendar or
/// week dates, any one character between date and time.
///
/// ```
/// use alter_core::iso8601::is_valid;
/// assert!(is_valid("2026-01-02T03:04:05Z") && is_valid("2026-01-02") && is_valid("2026-W01"));
/// assert!(!is_valid("soon") && !is_valid("2026-02-30"));
/// ```
pub fn is_valid(text: &str) -> bool {
    parse(text).is_some()
}

/// A time of a JSON answer as RFC 3339 text; without an offset in it if the value had none. Numbers, also in text, are Unix times.
pub fn canonical(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => unix(number.as_f64()?),
        Value::String(text) => {
            let text = text.trim().to_ascii_uppercase();
            match text.parse::<f64>() {
                Ok(number) => unix(number),
                // A week names no day.
                Err(_) if text.contains('W') => None,
                Err(_) => shown(&parse(&text)?),
            }
        }
        _ => None,
    }
}

fn unix(number: f64) -> Option<String> {
    let seconds = if number.abs() > LARGEST_SECONDS { number / 1000.0 } else { number };
    let moment = OffsetDateTime::UNIX_EPOCH.checked_add(Duration::checked_seconds_f64(seconds)?)?;
    moment.format(&Rfc3339).ok()
}

fn shown(moment: &Moment) -> Option<String> {
    let utc = moment.date.with_time(moment.time).assume_offset(moment.offset.unwrap_or(UtcOffset::UTC));
    let text = utc.format(&Rfc3339).ok()?;
    Some(match moment.offset {
        Some(_) => text,
        None => text.trim_end_matches('Z').to_owned(),
    })
}

fn parse(text: &str) -> Option<Moment> {
    let (date, rest) = date(text)?;
    let mut after = rest.chars();
    let Some(_separator) = after.next() else {
        return Some(Moment { date, time: Time::MIDNIGHT, offset: None });
    };
    let (time, offset) = clock(after.as_str())?;
    Some(Moment { date, time, offset })
}

/// The date that a text begins with, and what follows it.
fn date(text: &str) -> Option<(Date, &str)> {
    let extended = text.as_bytes().get(4) == Some(&b'-');
    let body_at = if extended { 5 } else { 4 };
    let year: i32 = digits(text.get(..4)?)?.try_into().ok()?;
    if text.as_bytes().get(body_at) == Some(&b'W') {
        return week_date(year, text, body_at + 1, extended);
    }
    let (month, day, end) = match extended {
        true if text.as_bytes().get(7) == Some(&b'-') => (text.get(5..7)?, text.get(8..10)?, 10),
        true => return None,
        false => (text.get(4..6)?, text.get(6..8)?, 8),
    };
    let month = Month::try_from(u8::try_from(digits(month)?).ok()?).ok()?;
    let date = Date::from_calendar_date(year, month, u8::try_from(digits(day)?).ok()?).ok()?;
    Some((date, text.get(end..)?))
}

fn week_date(year: i32, text: &str, at: usize, extended: bool) -> Option<(Date, &str)> {
    let week = u8::try_from(digits(text.get(at..at + 2)?)?).ok()?;
    let after = text.get(at + 2..)?;
    let day_of = |day: &str| Some(Weekday::Monday.nth_next(u8::try_from(digits(day)?.checked_sub(1).filter(|n| *n < 7)?).ok()?));
    let date = |day| Date::from_iso_week_date(year, week, day).ok();
    if extended && after.starts_with('-') && after.get(1..2).is_some_and(|day| digits(day).is_some()) {
        return Some((date(day_of(after.get(1..2)?)?)?, after.get(2..)?));
    }
    if !extended && after.get(..1).is_some_and(|day| digits(day).is_some()) {
        return Some((date(day_of(after.get(..1)?)?)?, after.get(1..)?));
    }
    Some((date(Weekday::Monday)?, after))
}

/// A time of day with an optional offset.
fn clock(text: &str) -> Option<(Time, Option<UtcOffset>)> {
    if let Some(before) = text.strip_suffix('Z') {
        return Some((time_of_day(before)?, Some(UtcOffset::UTC)));
    }
    let Some(sign_at) = text.find(['+', '-']) else { return Some((time_of_day(text)?, None)) };
    let (time, offset) = text.split_at(sign_at);
    let ahead = time_of_day(&offset[1..])?;
    let seconds = i32::from(ahead.hour()) * 3600 + i32::from(ahead.minute()) * 60 + i32::from(ahead.second());
    let seconds = if offset.starts_with('-') { -seconds } else { seconds };
    Some((time_of_day(time)?, Some(UtcOffset::from_whole_seconds(seconds).ok()?)))
}

/// `hh`, `hh:mm`, `hh:mm:ss` or without colons, with a fraction after the seconds.
fn time_of_day(text: &str) -> Option<Time> {
    let (whole, fraction) = match text.split_once(['.', ',']) {
        Some((whole, fraction)) => (whole, fraction),
        None => (text, "0"),
    };
    let parts: Vec<&str> = if whole.contains(':') {
        whole.split(':').collect()
    } else {
        (0..whole.len()).step_by(2).map(|at| whole.get(at..at + 2)).collect::<Option<_>>()?
    };
    let has_fraction = whole.len() != text.len();
    let valid_count = if has_fraction { parts.len() == 3 } else { (1..=3).contains(&parts.len()) };
    if !valid_count || parts.iter().any(|part| part.len() != 2) || fraction.is_empty() {
        return None;
    }
    let number = |at: usize| parts.get(at).map_or(Some(0), |part| u8::try_from(digits(part)?).ok());
    digits(fraction.get(..fraction.len().min(9))?)?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Time::from_hms_micro(number(0)?, number(1)?, number(2)?, digits(&micros)?).ok()
}

/// A number in ASCII digits only.
fn digits(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}
