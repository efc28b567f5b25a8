//! Values of any type, as `node/src/given.ts` writes them.
//!
//! Null, booleans, numbers, texts and lists are themselves. JSON has no other forms, so everything else is an object with one member that
//! says what it is: `{"map": [[name, value], …]}`.

use alter_core::error::Result;
use alter_core::given::{Args, Given};
use serde::Deserialize;

/// One value.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Null(()),
    Flag(bool),
    Whole(i64),
    Number(f64),
    Text(String),
    List(Vec<Self>),
    Tagged(Tagged),
}

/// A value that JSON has no form for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Tagged {
    /// An object, in its order.
    Map(Vec<(String, Value)>),
    /// A set.
    Set(Vec<Value>),
    /// A number that is not finite: `NaN`, `Infinity` or `-Infinity`.
    Number(String),
    /// A whole number of any size.
    Whole(String),
    /// A function, and whether its result has to be awaited.
    Function(bool),
    /// Anything else: the name of its type.
    Other(String),
}

impl From<Value> for Given {
    fn from(value: Value) -> Self {
        let all = |values: Vec<Value>| values.into_iter().map(Self::from).collect();
        match value {
            Value::Null(()) => Self::Null,
            Value::Flag(flag) => Self::Flag(flag),
            Value::Whole(number) => Self::Whole(number.into()),
            Value::Number(number) => Self::Number(number),
            Value::Text(text) => Self::Text(text),
            Value::List(values) => Self::List(all(values)),
            Value::Tagged(Tagged::Map(members)) => {
                Self::Map(members.into_iter().map(|(name, value)| (Self::Text(name), value.into())).collect())
            }
            Value::Tagged(Tagged::Set(values)) => Self::Set(all(values)),
            Value::Tagged(Tagged::Number(text)) => Self::Number(text.parse().unwrap_or(f64::NAN)),
            Value::Tagged(Tagged::Whole(digits)) => digits.parse().map_or_else(|_| Self::Large(digits), Self::Whole),
            Value::Tagged(Tagged::Function(awaited)) => Self::Function { awaited },
            Value::Tagged(Tagged::Other(name)) => Self::Other(name),
        }
    }
}

/// Arguments by name.
///
/// # Errors
/// As [`crate::client::read`].
pub fn args(text: &str) -> Result<Args> {
    let given: Vec<(String, Value)> = crate::client::read(text)?;
    Ok(given.into_iter().map(|(name, value)| (name, Given::from(value))).collect())
}
