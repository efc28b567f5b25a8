//! The id that every answer carries, so that a user's report and a log line can be brought together.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use tracing::Instrument;
use uuid::Uuid;

/// Name of the answer's header.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The same id under the name that clients quote in warnings.
const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The id of one request.
#[derive(Clone, Debug)]
pub struct RequestId(String);

impl RequestId {
    /// The id of a request that came through [`assign`]; empty for one that did not.
    pub fn of(parts: &Parts) -> &str {
        parts.extensions.get::<Self>().map_or("", |id| &id.0)
    }

    /// Gives a request that is made within the process the id of the one that it is made for.
    pub fn put(request: &mut Request, id: &str) {
        request.extensions_mut().insert(Self(id.to_owned()));
    }
}

/// Middleware: gives the request an id of our own (a client's is not trusted to be unique) and puts it on the answer, which no cache may keep unless it says so itself.
pub async fn assign(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().to_string();
    request.extensions_mut().insert(RequestId(id.clone()));
    // Every line that the request leaves in the log carries its id. A span of a lower level would be left out with the lines of that level.
    let span = tracing::error_span!("request", id);
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, value.clone());
        response.headers_mut().insert(X_CORRELATION_ID, value);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
