//! The ids that bring together what one request leaves behind: its own, which every answer carries, and that of the trace which it is part of.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::header::CACHE_CONTROL;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

/// Name of the answer's header.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The same id under the name that clients quote in warnings.
const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The ids of one request.
#[derive(Clone, Debug)]
pub struct RequestId {
    id: String,
    trace: Option<String>,
}

impl RequestId {
    /// The id of a request that came through [`assign`]; empty for one that did not.
    pub fn of(parts: &Parts) -> &str {
        parts.extensions.get::<Self>().map_or("", |ids| &ids.id)
    }

    /// The id of the trace that the request is part of, 32 hexadecimal digits: the client's, or one that begins here while traces are exported.
    pub fn trace_of(parts: &Parts) -> Option<&str> {
        parts.extensions.get::<Self>()?.trace.as_deref()
    }

    /// Gives a request that is made within the process the id of the one that it is made for.
    pub fn put(request: &mut Request, id: &str) {
        request.extensions_mut().insert(Self { id: id.to_owned(), trace: None });
    }
}

/// Middleware: gives the request an id of our own (a client's is not trusted to be unique) and puts it on the answer, which no cache may keep unless it says so itself.
///
/// A `traceparent` of the client is believed, since it only names a trace. It is not signed, so it decides nothing.
pub async fn assign(mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4().to_string();
    // Every line that the request leaves in the log carries its ids. A span of a lower level would be left out with the lines of that level.
    let span = tracing::error_span!("request", id, trace_id = tracing::field::Empty, otel.name = name(&request), otel.kind = "server");
    let trace = trace(&span, parent(request.headers()));
    if let Some(trace) = &trace {
        span.record("trace_id", trace);
    }
    request.extensions_mut().insert(RequestId { id: id.clone(), trace });
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(X_REQUEST_ID, value.clone());
        response.headers_mut().insert(X_CORRELATION_ID, value);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Method and the template of the path, without any id or name in it.
fn name(request: &Request) -> String {
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    format!("{} {route}", request.method())
}

/// Joins the span to the client's trace, and gives the id of the trace that it is now part of.
fn trace(span: &tracing::Span, parent: Option<SpanContext>) -> Option<String> {
    if let Some(parent) = parent {
        let id = parent.trace_id().to_string();
        // Nobody may be exporting; the id joins log and audit all the same.
        drop(span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent)));
        return Some(id);
    }
    let own = span.context().span().span_context().clone();
    own.is_valid().then(|| own.trace_id().to_string())
}

/// The client's `traceparent` (W3C Trace Context), if it has one that can be read.
fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let mut given = headers.get_all(TRACEPARENT).iter();
    let (Some(text), None) = (given.next(), given.next()) else { return None };
    let text = text.to_str().ok()?;
    if !alter_core::traceparent::is_valid(text) {
        return None;
    }
    let mut parts = text.split('-').skip(1);
    let (trace, span) = (TraceId::from_hex(parts.next()?).ok()?, SpanId::from_hex(parts.next()?).ok()?);
    let flags = u8::from_str_radix(parts.next()?, 16).ok()?;
    let parent = SpanContext::new(trace, span, TraceFlags::new(flags) & TraceFlags::SAMPLED, true, TraceState::default());
    parent.is_valid().then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Option<(String, String, bool)> {
        let headers: HeaderMap = values.iter().map(|value| (TRACEPARENT, HeaderValue::from_static(value))).collect();
        parent(&headers).map(|parent| (parent.trace_id().to_string(), parent.span_id().to_string(), parent.is_sampled()))
    }

    #[test]
    fn a_traceparent_is_read_or_there_is_none() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c".to_owned(), "b7ad6b7169203331".to_owned());
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(read(&[good]), Some((trace.clone(), span.clone(), true)));
        // Ids are lower case from here on.
        assert_eq!(read(&["00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-00"]), Some((trace, span, false)));
        for bad in [
            "",
            "x",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01",
        ] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
        assert_eq!(read(&[good, good]), None, "two of them name no trace");
        assert_eq!(read(&[]), None);
    }
}
