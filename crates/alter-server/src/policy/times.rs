//! Windows of the week as operators write them: `mon-fri 09:00-17:00, sat 10:00-12:00 Europe/Berlin`.

use alter_core::content_match::DAYS;
use alter_core::given::Args;
use alter_core::local::LocalCall;
use serde_json::{Value, json};

use crate::classify::Windows;

const FORM: &str = "must be days, times and a zone, such as \"mon-fri 09:00-17:00, sat 10:00-12:00 Europe/Berlin\"";

/// Reads windows.
///
/// # Errors
/// What is wrong, as a clause that follows the annotation's name.
pub(super) fn windows(text: &str) -> Result<Windows, String> {
    let (windows, zone) = text.trim().rsplit_once(' ').ok_or(FORM)?;
    let windows = windows.split(',').map(|window| one(window.trim())).collect::<Option<Vec<Value>>>().ok_or(FORM)?;
    let value = json!({ "windows": windows, "timezone": zone });
    // What a client may write in its rule, and nothing else.
    let condition = json!([{ "name": "time", "op": "outside_windows", "value": value }]);
    let checked = LocalCall::ContentMatchRule.run(Args::new().with("families", json!(["read"])).with("params", condition));
    checked.map_err(|error| format!("{FORM}; {}", error.message().trim_start_matches("params[0].value.").trim_end_matches('.')))?;
    Windows::read(&value).ok_or_else(|| FORM.to_owned())
}

/// `mon-fri 09:00-17:00`
fn one(text: &str) -> Option<Value> {
    let (days, times) = text.split_once(' ')?;
    let (start, end) = times.trim().split_once('-')?;
    let days: Vec<&str> = days.split('+').map(span).collect::<Option<Vec<_>>>()?.concat();
    Some(json!({ "days": days, "start": start, "end": end }))
}

/// One day, or the days from one to another.
fn span(text: &str) -> Option<Vec<&'static str>> {
    let place = |day: &str| DAYS.iter().position(|known| *known == day);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (place(first)?, place(last)?);
    let count = (last + DAYS.len() - first) % DAYS.len() + 1;
    Some((0..count).map(|step| DAYS[(first + step) % DAYS.len()]).collect())
}
