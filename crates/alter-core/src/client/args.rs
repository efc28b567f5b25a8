//! The arguments of a call, as a host language hands them over.

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::url::query::QueryParams;

/// One argument: absent, a value, or something of a type that the argument cannot have.
///
/// Host languages hand over wrong types instead of refusing them, so that the core decides which of several mistakes is told first, and
/// in which words.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Arg<T> {
    /// Not given, or null.
    #[default]
    Absent,
    /// Given.
    Value(T),
    /// Given with a wrong type: its name in the host language.
    Wrong(String),
}

impl<T> Arg<T> {
    /// Whether the caller gave anything.
    pub fn is_given(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The value, if there is one.
    ///
    /// # Errors
    /// `AlterValueError` for a wrong type.
    pub fn get(self, field: &str, expected: &str) -> Result<Option<T>> {
        match self {
            Self::Absent => Ok(None),
            Self::Value(value) => Ok(Some(value)),
            Self::Wrong(got) => Err(Error::wrong_type(field, expected, &got)),
        }
    }
}

impl<T> From<Option<T>> for Arg<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }
}

/// A body that is sent as it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Raw bytes, or text as UTF-8. No content type is added.
    Raw(Bytes),
    /// A form: URL-encoded, with its content type unless the caller gave one.
    Form(QueryParams),
}

/// JSON text of a value that is handed to the vault as it is. Nobody re-prints its numbers.
pub type JsonText = String;

/// Everything that `request()` takes. Only `method` and `url` are required, and one of `grant_id` and `provider`.
#[derive(Clone, Debug, Default)]
pub struct RequestArgs {
    /// HTTP method in any case.
    pub method: Arg<String>,
    /// URL of the provider, `{name}` parts allowed.
    pub url: Arg<String>,
    /// Id of the grant to use.
    pub grant_id: Arg<JsonText>,
    /// Provider whose grant to use.
    pub provider: Arg<JsonText>,
    /// Picks one of several accounts at a provider. Dropped without `provider`.
    pub account: Arg<JsonText>,
    /// Picks one of several grants of an account.
    pub label: Arg<String>,
    /// Body as compact JSON text in UTF-8.
    pub json: Arg<JsonText>,
    /// Any other body.
    pub body: Arg<Body>,
    /// Additional headers, in order.
    pub extra_headers: Arg<Vec<(String, String)>>,
    /// Another name for `extra_headers`.
    pub headers: Arg<Vec<(String, String)>>,
    /// Query parameters; they replace the URL's own query.
    pub query_params: Arg<QueryParams>,
    /// Values for the `{name}` parts.
    pub path_params: Arg<Vec<(String, String)>>,
    /// Why, in words; stands in the audit log.
    pub reason: Arg<JsonText>,
    /// Metadata of the call; stands in the audit log.
    pub context: Arg<Vec<(String, String)>>,
    /// Context of the surrounding trace, used if the call brings none.
    pub ambient_context: Vec<(String, String)>,
    /// Replaces the client's caller for this call.
    pub caller: Arg<String>,
    /// The end user's JWT for this call.
    pub user_token: Arg<String>,
    /// Filters grants by the application's own id of the user.
    pub app_user_id: Arg<String>,
    /// W3C trace context; sent to the vault, never to the provider. Dropped if malformed.
    pub traceparent: Option<String>,
}

impl RequestArgs {
    /// A call with nothing but its method and URL.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: Arg::Value(method.into()), url: Arg::Value(url.into()), ..Self::default() }
    }
}
