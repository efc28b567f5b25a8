//! One condition on a parameter.

use std::cmp::Ordering;

use serde_json::Value;

use super::glob::Glob;
use super::parameters::Known;
use super::windows::{self, Windows};
use super::{Facts, folded};

/// A condition of a rule: `{"name": "to", "op": "not_subset_of", "value": ["*@example.com"]}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    name: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Equals(String),
    AnyIn(Vec<Glob>),
    NotSubsetOf(Vec<Glob>),
    Compare(Bound, String),
    OutsideWindows(Windows),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Above,
    From,
    Below,
    UpTo,
}

impl Condition {
    /// Reads a condition that [`content_match`](alter_core::content_match) has found well formed; `None` for any other.
    pub fn read(value: &Value) -> Option<Self> {
        let (name, op, value) = (value.get("name")?.as_str()?, value.get("op")?.as_str()?, value.get("value")?);
        let test = match op {
            "equals" => Test::Equals(match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return None,
            }),
            "any_in" => Test::AnyIn(globs(value)?),
            "not_subset_of" => Test::NotSubsetOf(globs(value)?),
            "outside_windows" => Test::OutsideWindows(Windows::read(value)?),
            _ => Test::Compare(Bound::read(op)?, value.as_number()?.to_string()),
        };
        Some(Self { name: name.to_owned(), test })
    }

    /// The name of the parameter.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it holds for a call; `None` if nobody knows.
    pub fn holds(&self, call: &Facts) -> Option<bool> {
        call.operation.as_ref()?;
        if let Test::OutsideWindows(windows) = &self.test {
            return windows::range(&call.parameters, &self.name, windows).map(|range| range.is_some_and(|range| !windows.hold(range)));
        }
        match call.parameters.of(&self.name) {
            Known::Unclear(_) => None,
            Known::Absent => Some(false),
            Known::Values(values) => self.test.holds(values),
        }
    }
}

impl Test {
    fn holds(&self, values: &[String]) -> Option<bool> {
        match self {
            Self::Equals(wanted) => Some(match values {
                [only] => folded(only) == folded(wanted) || compare(only, wanted) == Some(Ordering::Equal),
                _ => false,
            }),
            Self::AnyIn(globs) => Some(values.iter().any(|value| {
                let matches = |text: &str| globs.iter().any(|glob| glob.matches(text));
                matches(value) || entries(value).any(matches)
            })),
            Self::NotSubsetOf(globs) => Some(values.iter().any(|value| {
                // A text with several entries, such as addresses, is within only if each of them is.
                let whole = globs.iter().any(|glob| glob.is_plain() && glob.matches(value));
                !whole && !entries(value).all(|entry| globs.iter().any(|glob| glob.matches(entry)))
            })),
            Self::Compare(bound, limit) => {
                let mut holds = false;
                for value in values {
                    holds |= bound.holds(compare(value, limit)?);
                }
                Some(holds)
            }
            Self::OutsideWindows(_) => None,
        }
    }
}

impl Bound {
    fn read(op: &str) -> Option<Self> {
        Some(match op {
            "gt" => Self::Above,
            "gte" => Self::From,
            "lt" => Self::Below,
            "lte" => Self::UpTo,
            _ => return None,
        })
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Above => ordering.is_gt(),
            Self::From => ordering.is_ge(),
            Self::Below => ordering.is_lt(),
            Self::UpTo => ordering.is_le(),
        }
    }
}

fn globs(value: &Value) -> Option<Vec<Glob>> {
    value.as_array()?.iter().map(|pattern| pattern.as_str().map(Glob::new)).collect()
}

/// The entries of a text: providers read lists of addresses with commas or semicolons.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';']).map(str::trim)
}

/// How two numbers compare; `None` if one of the texts is no number.
fn compare(one: &str, other: &str) -> Option<Ordering> {
    let (one, other) = (one.trim(), other.trim());
    if let (Ok(one), Ok(other)) = (one.parse::<i128>(), other.parse::<i128>()) {
        return Some(one.cmp(&other));
    }
    let number = |text: &str| {
        let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
        text.parse::<f64>().ok().filter(|number| plain && number.is_finite())
    };
    number(one)?.partial_cmp(&number(other)?)
}
