//! Times of the week in a time zone, and whether a range of time lies within them.

use alter_core::content_match::DAYS;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use serde_json::Value;

use super::members::Node;
use super::parameters::{Known, Parameters, Unclear};

/// Longest range that is looked at; a longer one is within no windows.
const MOST_DAYS: i64 = 400;
/// Members by which a body says that its time comes again.
const RECURRING: [&str; 5] = ["recurrence", "rrule", "recurrencerule", "recurrencepattern", "repeat"];

/// Windows of the week: `{"windows": [{"days": ["mon"], "start": "09:00", "end": "17:00"}], "timezone": "Europe/Berlin"}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    windows: Vec<Window>,
    zone: TimeZone,
}

#[derive(Clone, Debug, PartialEq)]
struct Window {
    days: Vec<Weekday>,
    start: Time,
    /// `None` for the end of the day.
    end: Option<Time>,
}

/// A range of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    start: Timestamp,
    end: Timestamp,
}

impl Windows {
    /// Reads windows that have been found well formed; `None` for any other.
    pub fn read(value: &Value) -> Option<Self> {
        let zone = TimeZone::get(value.get("timezone")?.as_str()?).ok()?;
        let windows = value.get("windows")?.as_array()?.iter().map(Window::read).collect::<Option<_>>()?;
        Some(Self { windows, zone })
    }

    /// Whether a moment lies within, in milliseconds of Unix time.
    pub fn hold_moment(&self, millis: i64) -> bool {
        Timestamp::from_millisecond(millis).is_ok_and(|at| self.hold(Range { start: at, end: at }))
    }

    /// Whether a range lies wholly within. A range that ends when a window ends is within; a moment at its end is not.
    pub(super) fn hold(&self, range: Range) -> bool {
        self.covers(range).unwrap_or(false)
    }

    fn covers(&self, Range { start, end }: Range) -> Option<bool> {
        if end < start || end.duration_since(start).as_hours() > MOST_DAYS * 24 {
            return Some(false);
        }
        let mut date = self.zone.to_datetime(start).date().yesterday().ok()?;
        let last = self.zone.to_datetime(end).date();
        let mut open = Vec::new();
        while date <= last {
            for window in self.windows.iter().filter(|window| window.days.contains(&date.weekday())) {
                open.push(window.on(date, &self.zone)?);
            }
            date = date.tomorrow().ok()?;
        }
        open.sort();
        let mut reached = start;
        let mut begun = false;
        for (from, to) in open {
            if from > reached {
                break;
            }
            if to > reached {
                begun = true;
                reached = to;
            }
        }
        Some(begun && reached >= end)
    }
}

impl Window {
    fn read(value: &Value) -> Option<Self> {
        let days = value.get("days")?.as_array()?.iter().map(day).collect::<Option<_>>()?;
        let end = value.get("end")?.as_str()?;
        let end = if end == "24:00" { None } else { Some(clock(end)?) };
        Some(Self { days, start: clock(value.get("start")?.as_str()?)?, end })
    }

    /// From when to when it lasts if it begins on a date. One that ends before it begins, ends on the next day.
    fn on(&self, date: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let moment = |date: Date, time: Time| zone.to_timestamp(date.to_datetime(time)).ok();
        let end = match self.end {
            Some(end) if end > self.start => moment(date, end)?,
            Some(end) => moment(date.tomorrow().ok()?, end)?,
            None => moment(date.tomorrow().ok()?, Time::midnight())?,
        };
        Some((moment(date, self.start)?, end))
    }
}

/// The day of a word.
fn day(word: &Value) -> Option<Weekday> {
    let place = DAYS.iter().position(|day| word == day)?;
    Weekday::from_monday_zero_offset(i8::try_from(place).ok()?).ok()
}

fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// The range of time that a parameter is about: `Some(None)` if the call has none, `None` if nobody knows or if it comes again.
///
/// It is a moment, or an object with `start` and `end`; a `start` with an `end` beside it is the range of both.
pub(super) fn range(parameters: &Parameters, name: &str, windows: &Windows) -> Option<Option<Range>> {
    let name = super::folded(name);
    let Some(body) = &parameters.body else { return moment_of(parameters, &name, windows) };
    let (way, last) = name.rsplit_once('.').map_or(("", name.as_str()), |(way, last)| (way, last));
    let mut holder = body;
    for part in way.split('.').filter(|part| !part.is_empty()) {
        holder = match (holder, holder.member(part)) {
            // Which of several is meant, nobody knows.
            (Node::List(_), _) => return None,
            (_, Some(inner)) => inner,
            (_, None) => return moment_of(parameters, &name, windows),
        };
    }
    let node = match (holder, holder.member(last)) {
        (Node::List(_), _) => return None,
        (_, Some(node)) => node,
        (_, None) => return moment_of(parameters, &name, windows),
    };
    // The body is the event as well, whatever names lead to the time.
    let again = |node: &Node| RECURRING.iter().any(|member| node.member(member).is_some_and(|value| !value.is_empty()));
    if again(body) || again(holder) || again(node) || is_doubled(parameters, &name) {
        return None;
    }
    let ends = match (node.member("start"), node.member("end")) {
        (Some(start), Some(end)) => (start, end),
        (None, None) if last == "start" => (node, holder.member("end").unwrap_or(node)),
        (None, None) => (node, node),
        _ => return None,
    };
    if ends.0 == &Node::Null {
        return Some(None);
    }
    Some(Some(Range { start: time_of(ends.0, windows)?.0, end: time_of(ends.1, windows)?.1 }))
}

/// Whether a name is given in a way that two readers may take differently. That it has members is how a time with a zone is written.
fn is_doubled(parameters: &Parameters, name: &str) -> bool {
    let unclear = |name: &str| matches!(parameters.of(name), Known::Unclear(why) if why != Unclear::Nested);
    let around = name.rsplit_once('.').map_or_else(|| "end".to_owned(), |(way, _)| format!("{way}.end"));
    let parts = ["start", "end", "datetime", "date", "timezone"];
    unclear(name) || unclear(&around) || parts.iter().any(|part| unclear(&format!("{name}.{part}")) || unclear(&format!("{around}.{part}")))
}

fn moment_of(parameters: &Parameters, name: &str, windows: &Windows) -> Option<Option<Range>> {
    match parameters.of(name) {
        Known::Unclear(_) => None,
        Known::Absent => Some(None),
        Known::Values([only]) => time(only, None, windows).map(|(start, end)| Some(Range { start, end })),
        Known::Values([]) => Some(None),
        Known::Values(_) => None,
    }
}

/// A time as APIs write it: a text, or an object with `dateTime` or `date`, and `timeZone`.
fn time_of(node: &Node, windows: &Windows) -> Option<(Timestamp, Timestamp)> {
    if let Some(text) = node.scalar() {
        return time(text, None, windows);
    }
    let zone = match node.member("timezone") {
        None | Some(Node::Null) => None,
        Some(zone) => Some(TimeZone::get(zone.scalar()?).ok()?),
    };
    let text = ["datetime", "date"].iter().find_map(|name| node.member(name)?.scalar())?;
    time(text, zone, windows)
}

/// A moment with its offset or in its zone; a date is the whole day. `None` for anything else: without an offset nobody knows when it is.
fn time(text: &str, zone: Option<TimeZone>, windows: &Windows) -> Option<(Timestamp, Timestamp)> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some((at, at));
    }
    if text.len() == 10 {
        let date: Date = text.parse().ok()?;
        let zone = zone.unwrap_or_else(|| windows.zone.clone());
        let day: Span = 1.day();
        let midnight = |date: Date| zone.to_timestamp(date.to_datetime(Time::midnight())).ok();
        return Some((midnight(date)?, midnight(date.checked_add(day).ok()?)?));
    }
    let at = zone?.to_timestamp(text.parse::<DateTime>().ok()?).ok()?;
    Some((at, at))
}
