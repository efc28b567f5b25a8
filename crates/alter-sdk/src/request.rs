//! One call, as a Rust program writes it.

use alter_core::client::{Arg, Body, RequestArgs};
use alter_core::json;
use alter_core::url::query::QueryValue;
use bytes::Bytes;
use serde::Serialize;

/// A request to a provider. Nothing is checked before [`crate::App::request`] gets it.
///
/// ```
/// use alter_sdk::Request;
/// let request = Request::post("https://api.example.com/v1/users/{id}/notes")
///     .grant_id("8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f")
///     .path_param("id", "42")
///     .json(&serde_json::json!({ "text": "hello" }))
///     .context("tool", "add_note");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a request does nothing until a client sends it"]
pub struct Request {
    pub(crate) args: RequestArgs,
}

impl Request {
    /// A request with any method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { args: RequestArgs::new(method, url) }
    }

    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// The grant to use. Either this or [`Request::provider`] is required.
    pub fn grant_id(mut self, id: impl AsRef<str>) -> Self {
        self.args.grant_id = Arg::Value(json::string(id.as_ref()));
        self
    }

    /// The provider whose grant to use.
    pub fn provider(mut self, id: impl AsRef<str>) -> Self {
        self.args.provider = Arg::Value(json::string(id.as_ref()));
        self
    }

    /// Picks one of several accounts at the provider.
    pub fn account(mut self, account: impl AsRef<str>) -> Self {
        self.args.account = Arg::Value(json::string(account.as_ref()));
        self
    }

    /// Picks one of several grants of an account. Needs [`Request::provider`].
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.args.label = Arg::Value(label.into());
        self
    }

    /// A JSON body.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        self.args.json = match serde_json::to_string(value) {
            Ok(text) => Arg::Value(text),
            Err(cause) => Arg::Wrong(format!("a value that fails to serialize ({cause})")),
        };
        self
    }

    /// A JSON body that is text already. It is sent as it is.
    pub fn json_text(mut self, text: impl Into<String>) -> Self {
        self.args.json = Arg::Value(text.into());
        self
    }

    /// A raw body, without a content type.
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        self.args.body = Arg::Value(Body::Raw(bytes.into()));
        self
    }

    /// A body of form fields.
    pub fn form<N: Into<String>, V: Into<String>>(mut self, fields: impl IntoIterator<Item = (N, V)>) -> Self {
        let fields = fields.into_iter().map(|(name, value)| (name.into(), QueryValue::Text(value.into()))).collect();
        self.args.body = Arg::Value(Body::Form(fields));
        self
    }

    /// Adds a header. The credential's own header is replaced by the vault's.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        push(&mut self.args.extra_headers, (name.into(), value.into()));
        self
    }

    /// Adds a query parameter. Any of them replaces the URL's own query.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        push(&mut self.args.query_params, (name.into(), QueryValue::Text(value.into())));
        self
    }

    /// The value for a `{name}` part of the URL; it is percent-encoded.
    pub fn path_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        push(&mut self.args.path_params, (name.into(), value.into()));
        self
    }

    /// Why the call is made; stands in the audit log and in the user's wallet.
    pub fn reason(mut self, reason: impl AsRef<str>) -> Self {
        self.args.reason = Arg::Value(json::string(reason.as_ref()));
        self
    }

    /// Adds one entry of metadata; stands in the audit log.
    pub fn context(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        push(&mut self.args.context, (key.into(), value.into()));
        self
    }

    /// Replaces the client's caller for this call.
    pub fn caller(mut self, caller: impl Into<String>) -> Self {
        self.args.caller = Arg::Value(caller.into());
        self
    }

    /// The end user's JWT for this call; the client's getter is not asked.
    pub fn user_token(mut self, token: impl Into<String>) -> Self {
        self.args.user_token = Arg::Value(token.into());
        self
    }

    /// Filters grants by the application's own id of the user. Needs [`Request::provider`].
    pub fn app_user_id(mut self, id: impl Into<String>) -> Self {
        self.args.app_user_id = Arg::Value(id.into());
        self
    }

    /// W3C trace context for the vault.
    pub fn traceparent(mut self, value: impl Into<String>) -> Self {
        self.args.traceparent = Some(value.into());
        self
    }
}

fn push<T>(list: &mut Arg<Vec<T>>, entry: T) {
    match list {
        Arg::Value(list) => list.push(entry),
        _ => *list = Arg::Value(vec![entry]),
    }
}
