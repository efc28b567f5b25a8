//! What an operation gives back.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::PreparedOperation;
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::model::{Described, Model};

/// The result of an operation. A binding makes its language's object of it; the core has judged the values already.
#[derive(Clone)]
pub enum Outcome {
    /// Nothing.
    Nothing,
    /// A text, or null.
    Text(Option<String>),
    /// A model: its description and its fields.
    One(&'static Model, Map<String, Value>),
    /// A list of a model.
    Many(&'static Model, Vec<Map<String, Value>>),
}

impl Outcome {
    /// The result as a Rust struct.
    ///
    /// # Errors
    /// `AlterSDKError` if it is something else: a mistake in this crate.
    pub fn one<T: Described + DeserializeOwned>(self) -> Result<T> {
        match self {
            Self::One(model, fields) if model.name == T::MODEL.name => fill(fields),
            _ => Err(unexpected(T::MODEL.name)),
        }
    }

    /// The results as Rust structs.
    ///
    /// # Errors
    /// As [`Outcome::one`].
    pub fn many<T: Described + DeserializeOwned>(self) -> Result<Vec<T>> {
        match self {
            Self::Many(model, list) if model.name == T::MODEL.name => list.into_iter().map(fill).collect(),
            _ => Err(unexpected(T::MODEL.name)),
        }
    }

    /// The text.
    ///
    /// # Errors
    /// As [`Outcome::one`].
    pub fn text(self) -> Result<Option<String>> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(unexpected("text")),
        }
    }
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The fields may be tokens.
        match self {
            Self::Nothing => f.write_str("Nothing"),
            Self::Text(_) => f.write_str("Text"),
            Self::One(model, _) => write!(f, "One({})", model.name),
            Self::Many(model, list) => write!(f, "Many({}, {})", model.name, list.len()),
        }
    }
}

fn fill<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(fields)).map_err(|_| unexpected(std::any::type_name::<T>()))
}

fn unexpected(wanted: &str) -> Error {
    Error::new(Kind::AlterSdk, format!("The engine's result is not {wanted}. Please report this.")).with_code("internal_error")
}

/// How far an operation has come.
pub enum Step<H: Host> {
    /// It is done.
    Done(Outcome),
    /// It goes on with another exchange, for which the program's token getter is asked anew.
    Again(PreparedOperation<H>),
    /// A person has to visit an address while it goes on.
    Visit(Visit<H>),
}

/// An address for a person.
pub struct Visit<H: Host> {
    /// The address. It opens the session to whoever has it, so it is for this person's eyes only.
    pub url: String,
    /// Whether to open a browser; if not, or if that fails, the address is shown.
    pub open_browser: bool,
    /// What to go on with once the address is opened or shown.
    pub then: PreparedOperation<H>,
}
