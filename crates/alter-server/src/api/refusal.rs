//! What the vault answers when it says no, in one shape for every endpoint.
//!
//! Which type to use where: rules of the signed API return a [`Refusal`]; its `code` and `message` go to the client, its `reason` goes to the
//! audit trail only. A fault of ours (store, keys) becomes [`Refusal::internal`] or, from a [`StoreError`], 503: the client gets fixed bytes, the
//! text goes to the log.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde_json::{Map, Value};

use crate::store::StoreError;

/// What a client is asked to wait when the store cannot be used.
const RETRY_AFTER_SECONDS: u32 = 1;

/// A request that was judged and refused. Cheap to move: the contents are boxed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    message: String,
    fields: Map<String, Value>,
    retry_after: Option<u32>,
    reason: Option<String>,
}

impl Refusal {
    /// A refusal with the status, the stable code and a sentence that names the field and the remedy.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { status, code, message: message.into(), fields: Map::new(), retry_after: None, reason: None }))
    }

    /// 400: the request itself is at fault.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401: the caller is not who the request claims.
    pub fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 403: the caller is known and may not.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 422: the request is understood, and cannot be done as it asks.
    pub fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 404 for unknown, foreign and malformed grants alike: the bytes are the same, the real reason is for the audit.
    pub fn grant_not_found(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "grant_not_found", "No grant of this application matches. List grants to find its id.")
            .because(reason)
    }

    /// 422: the request would carry the credential to a host that it is not bound to.
    pub fn blocked_destination(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "blocked_destination", reason.clone()).because(reason)
    }

    /// 500 with a fixed body. The cause is the caller's to log; it never reaches the client.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "The vault failed to handle this request. Its log has the request id.",
        )
    }

    /// Adds a member to the body, next to `error` and `message`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Asks the client to wait this many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Sets the real reason, which only the audit trail tells.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.0.reason = Some(reason.into());
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code of the body's `error`.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What the client is told.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the audit row says: the real reason if there is one, else the message.
    pub fn reason(&self) -> &str {
        self.0.reason.as_deref().unwrap_or(&self.0.message)
    }
}

impl From<StoreError> for Refusal {
    /// 503 `audit_unavailable` with `Retry-After`: what cannot be read cannot be judged, and what cannot be recorded is not released. The store's
    /// own words go to the log.
    fn from(error: StoreError) -> Self {
        tracing::error!(code = error.code(), %error, "the store cannot be used");
        let message = "The vault's store cannot be used right now, so nothing is changed or released. Try again shortly.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", message).retry_after(RETRY_AFTER_SECONDS).because(error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let refusal = *self.0;
        let mut body = Map::new();
        body.insert("error".to_owned(), refusal.code.into());
        body.insert("message".to_owned(), refusal.message.into());
        body.extend(refusal.fields);
        let mut response = (refusal.status, Value::Object(body).to_string()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = refusal.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_real_reason_never_reaches_the_wire() {
        let unknown = Refusal::grant_not_found("no such grant").into_response();
        let foreign = Refusal::grant_not_found("grant belongs to app other").into_response();
        let bytes = |r: Response| async { axum::body::to_bytes(r.into_body(), 4096).await.expect("small body") };
        assert_eq!(bytes(unknown).await, bytes(foreign).await);
    }
}
