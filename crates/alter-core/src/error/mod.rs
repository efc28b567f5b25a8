//! One error type for everything the engine refuses or fails at.
//!
//! An [`Error`] has a [`Kind`], which names the public class in every language, a stable `code` for machines, a message for people,
//! `details` (a JSON object) and the typed attributes of its class. No part of it ever holds a credential.

mod agents;
mod backend;
pub mod taxonomy;

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

pub use agents::from_agents_backend;
pub use backend::{BackendAnswer, from_backend};
pub(crate) use backend::{bounded, cut};
pub use taxonomy::Kind;

/// What went wrong. Cheap to move: the contents are boxed.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    code: Cow<'static, str>,
    message: String,
    details: Map<String, Value>,
    attributes: Map<String, Value>,
}

/// Result of the engine's operations.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a kind, with that kind's own code.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            code: Cow::Borrowed(kind.code()),
            message: message.into(),
            details: Map::new(),
            attributes: Map::new(),
        }))
    }

    /// An argument that was refused: `invalid_argument`. The message names the field, what was wrong and what to do.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::AlterValue, message)
    }

    /// An argument of a wrong type, as the host language calls its types.
    ///
    /// ```
    /// let error = alter_core::error::Error::wrong_type("context", "a map of text to text", "int");
    /// assert_eq!(error.message(), "context must be a map of text to text, not int.");
    /// ```
    pub fn wrong_type(field: &str, expected: &str, got: &str) -> Self {
        Self::invalid(format!("{field} must be {expected}, not {got}."))
    }

    /// Use of a client that was closed.
    pub(crate) fn closed() -> Self {
        Self::new(Kind::AlterSdk, "This client is closed. Make a new one; a closed client does not open again.").with_code("client_closed")
    }

    /// Replaces the code.
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.0.code = code.into();
        self
    }

    /// Replaces the kind and keeps the rest: how an agent's client turns "not found" into "not delegated to you".
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Replaces the message.
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Sets one entry of `details`.
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// Replaces `details`.
    pub fn with_details(mut self, details: Map<String, Value>) -> Self {
        self.0.details = details;
        self
    }

    /// Sets one typed attribute of the class.
    pub fn with_attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        debug_assert!(self.0.kind.attributes().iter().any(|a| a.name == name), "{} has no attribute {name}", self.0.kind.name());
        self.0.attributes.insert(name.to_owned(), value.into());
        self
    }

    /// Names the public class.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Stable, for machines: the vault's own code if it sent one, else the kind's.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// For people.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Facts that came with the error, as a JSON object.
    pub fn details(&self) -> &Map<String, Value> {
        &self.0.details
    }

    /// The value of one attribute of the class: as set, or its default. `None` if the class has no such attribute.
    pub fn attribute(&self, name: &str) -> Option<Value> {
        let declared = self.0.kind.attributes().into_iter().find(|a| a.name == name)?;
        Some(self.0.attributes.get(name).cloned().unwrap_or_else(|| declared.default.value()))
    }

    /// All attributes of the class, in the order of their declaration.
    pub fn attributes(&self) -> Map<String, Value> {
        let value = |a: &taxonomy::Attribute| self.0.attributes.get(a.name).cloned().unwrap_or_else(|| a.default.value());
        self.0.kind.attributes().iter().map(|a| (a.name.to_owned(), value(a))).collect()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.0.kind.name())
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("details", &self.0.details)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {}
