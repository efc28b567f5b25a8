//! Values as a program gives them, before anybody has looked at them.
//!
//! Most calls take many arguments of many types. A binding hands them over by name, as they are, and the core judges them: which of
//! several mistakes is told first, and in which words, is then the same in every language.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::json;

/// One value of the host language. It has no `Debug`: it may be a user's token.
#[derive(Clone, PartialEq)]
pub enum Given {
    /// Null.
    Null,
    /// A boolean.
    Flag(bool),
    /// A whole number.
    Whole(i128),
    /// A whole number that is larger: its digits.
    Large(String),
    /// Any other number, also one that is not finite.
    Number(f64),
    /// Text.
    Text(String),
    /// An id that the language has a type of its own for, such as a UUID: its text.
    Id(String),
    /// A list.
    List(Vec<Given>),
    /// Something that is written like a list and is none, such as a tuple.
    Tuple(Vec<Given>),
    /// Something that holds elements in no order.
    Set(Vec<Given>),
    /// A map, in its order.
    Map(Vec<(Given, Given)>),
    /// A public model: its name and its fields, in their order.
    Model(String, Vec<(Given, Given)>),
    /// A function, and whether its result has to be awaited.
    Function {
        /// Whether calling it gives a promise.
        awaited: bool,
    },
    /// Anything else: the name of its type.
    Other(String),
}

impl Given {
    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it counts as nothing where only that is asked: null, false, zero, and whatever is empty.
    pub fn is_falsy(&self) -> bool {
        match self {
            Self::Null | Self::Flag(false) | Self::Whole(0) => true,
            Self::Number(number) => *number == 0.0,
            Self::Text(text) => text.is_empty(),
            Self::List(entries) | Self::Tuple(entries) | Self::Set(entries) => entries.is_empty(),
            Self::Map(members) => members.is_empty(),
            Self::Flag(true) | Self::Whole(_) | Self::Large(_) | Self::Id(_) | Self::Model(..) | Self::Function { .. } | Self::Other(_) => {
                false
            }
        }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What a message calls its type.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "a boolean",
            Self::Whole(_) => "a whole number",
            Self::Large(_) => "a number with more than 38 digits",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::Id(_) => "an id object",
            Self::List(_) => "a list",
            Self::Tuple(_) => "a tuple",
            Self::Set(_) => "a set",
            Self::Map(_) => "a map",
            Self::Function { .. } => "a function",
            Self::Model(name, _) | Self::Other(name) => name,
        }
    }

    /// The text of a text, an id or a number.
    pub fn printed(&self) -> Option<String> {
        match self {
            Self::Text(text) | Self::Id(text) | Self::Large(text) => Some(text.clone()),
            Self::Whole(number) => Some(number.to_string()),
            Self::Number(number) if number.is_finite() => serde_json::Number::from_f64(*number).map(|number| number.to_string()),
            _ => None,
        }
    }

    /// The value as compact JSON in ASCII.
    ///
    /// # Errors
    /// `AlterValueError` that names the field, if it holds something that JSON cannot.
    pub fn to_json(&self, field: &str) -> Result<String> {
        self.to_json_utf8(field).map(json::ascii)
    }

    /// The value as compact JSON in UTF-8.
    ///
    /// # Errors
    /// As [`Given::to_json`].
    pub fn to_json_utf8(&self, field: &str) -> Result<String> {
        let mut out = String::new();
        self.write_json(&mut out).map_err(|what| {
            Error::invalid(format!("{field} holds {what}, which cannot be sent. Give texts, numbers, booleans, lists and maps."))
        })?;
        Ok(out)
    }

    fn write_json(&self, out: &mut String) -> std::result::Result<(), String> {
        match self {
            Self::Null => out.push_str("null"),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Whole(number) => out.push_str(&number.to_string()),
            Self::Large(digits) => out.push_str(digits),
            Self::Number(number) => match serde_json::Number::from_f64(*number) {
                Some(number) => out.push_str(&number.to_string()),
                None => return Err("a number that is not finite".to_owned()),
            },
            Self::Text(text) => json::push_string(out, text),
            Self::List(entries) | Self::Tuple(entries) => write_list(entries, out)?,
            Self::Map(members) | Self::Model(_, members) => write_map(members, out)?,
            Self::Id(_) | Self::Set(_) | Self::Function { .. } | Self::Other(_) => return Err(self.type_name().to_owned()),
        }
        Ok(())
    }
}

impl From<&str> for Given {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Given {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Given {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u64> for Given {
    fn from(number: u64) -> Self {
        Self::Whole(number.into())
    }
}

impl From<f64> for Given {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<serde_json::Value> for Given {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Flag(flag),
            Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
                (Some(whole), ..) => Self::Whole(whole.into()),
                (_, Some(whole), _) => Self::Whole(whole.into()),
                (.., number) => Self::Number(number.unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(entries) => Self::List(entries.into_iter().map(Self::from).collect()),
            Value::Object(members) => Self::Map(members.into_iter().map(|(name, value)| (name.into(), value.into())).collect()),
        }
    }
}

fn write_list(entries: &[Given], out: &mut String) -> std::result::Result<(), String> {
    out.push('[');
    for (position, entry) in entries.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        entry.write_json(out)?;
    }
    out.push(']');
    Ok(())
}

fn write_map(members: &[(Given, Given)], out: &mut String) -> std::result::Result<(), String> {
    out.push('{');
    for (position, (name, value)) in members.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        json::push_string(out, &member_name(name)?);
        out.push(':');
        value.write_json(out)?;
    }
    out.push('}');
    Ok(())
}

/// A member's name as JSON has it. Python's maps have names of other types, too, and its own encoder writes them so.
fn member_name(name: &Given) -> std::result::Result<Cow<'_, str>, String> {
    match name {
        Given::Text(text) => Ok(text.into()),
        Given::Null => Ok("null".into()),
        Given::Flag(flag) => Ok(flag.to_string().into()),
        Given::Whole(_) | Given::Large(_) | Given::Number(_) => {
            name.printed().map(Cow::Owned).ok_or_else(|| "a number that is not finite".to_owned())
        }
        other => Err(format!("a map with a name that is {}", other.type_name())),
    }
}

/// The arguments of a call, by name. One that is not there has its default; null is a value like any other.
#[derive(Clone, Default)]
pub struct Args(Vec<(String, Given)>);

impl Args {
    /// No arguments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one. The first of a name counts.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<Given>) {
        self.0.push((name.into(), value.into()));
    }

    /// The same with one more.
    pub fn with(mut self, name: &str, value: impl Into<Given>) -> Self {
        self.push(name, value);
        self
    }

    /// The same with one more, unless there is none.
    pub fn with_some(self, name: &str, value: Option<impl Into<Given>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Takes an argument out; `None` if it was not given.
    pub fn take(&mut self, name: &str) -> Option<Given> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Takes an argument for which null and nothing are the same.
    pub fn take_or_null(&mut self, name: &str) -> Given {
        self.take(name).unwrap_or(Given::Null)
    }
}

impl<N: Into<String>> FromIterator<(N, Given)> for Args {
    fn from_iter<T: IntoIterator<Item = (N, Given)>>(arguments: T) -> Self {
        Self(arguments.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

/// Text, or nothing for null.
///
/// # Errors
/// `AlterValueError` for another type.
pub(crate) fn optional_text(field: &str, value: Given) -> Result<Option<String>> {
    match value {
        Given::Null => Ok(None),
        Given::Text(text) => Ok(Some(text)),
        other => Err(Error::wrong_type(field, "text", other.type_name())),
    }
}

/// Text that is not empty.
///
/// # Errors
/// `AlterValueError` for anything else.
pub(crate) fn filled(field: &str, value: Given) -> Result<String> {
    match optional_text(field, value)? {
        Some(text) if !text.is_empty() => Ok(text),
        Some(_) => Err(Error::invalid(format!("{field} is empty. Give a value."))),
        None => Err(Error::invalid(format!("{field} is missing. Give a text."))),
    }
}
