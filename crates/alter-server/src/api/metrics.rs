//! `/metrics`: what happened since this process started, for Prometheus and whatever reads its format (OpenMetrics 1.0 text).
//!
//! It takes an operator's key of any role, as the admin plane does, on the address of everything else: figures tell who calls whom how often, a
//! second listener would be a second thing to guard, and every scraper can send a bearer token from a file.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;
use http::header::CONTENT_TYPE;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::Vault;
use super::refusal::Refusal;
use crate::store::Measures;

/// Where they are served.
pub const PATH: &str = "/metrics";
/// The type of the answer.
pub const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counts of one process. Every label is a word of ours: a path's template, a method of HTTP, a status.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    unknown_keys: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

impl Metrics {
    /// Metrics of a vault on this store.
    pub fn new(store: &Measures) -> Self {
        // From a millisecond to half a minute, which is as long as a provider may take.
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 2.0, 16));
        let (requests, durations) = (Family::default(), Family::new_with_constructor(seconds));
        let (in_flight, unknown_keys) = (Gauge::default(), Counter::default());
        let mut registry = Registry::with_prefix("alter");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The version of the vault", build);
        registry.register("http_requests", "Requests that were answered, by the template of their path", requests.clone());
        let took = "How long requests take, by the template of their path";
        registry.register_with_unit("http_request_duration", took, Unit::Seconds, durations.clone());
        registry.register("http_requests_in_flight", "Requests that are being answered", in_flight.clone());
        let unknown = "Signed requests with an API key that the vault does not know: they leave no audit row";
        registry.register("unknown_api_keys", unknown, unknown_keys.clone());
        store.register(&mut registry);
        Self { registry, requests, durations, in_flight, unknown_keys }
    }

    /// A request came with an API key that the vault does not know.
    pub(super) fn unknown_key(&self) {
        self.unknown_keys.inc();
    }
}

/// `GET /metrics`
pub async fn serve(State(vault): State<Arc<Vault>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &vault.metrics.registry) {
        Ok(()) => ([(CONTENT_TYPE, KIND)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written down");
            Refusal::internal().into_response()
        }
    }
}

/// Middleware: counts and times a request.
pub async fn measure(State(vault): State<Arc<Vault>>, request: Request, next: Next) -> Response {
    let metrics = &vault.metrics;
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = known(request.method());
    let (begun, _counted) = (Instant::now(), InFlight::begin(&metrics.in_flight));
    let response = next.run(request).await;
    metrics.durations.get_or_create(&RouteLabels { route: route.clone() }).observe(begun.elapsed().as_secs_f64());
    metrics.requests.get_or_create(&RequestLabels { method, route, status: response.status().as_u16() }).inc();
    response
}

/// Counts a request until it is dropped, which it also is when its client has gone.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A method by its name, and all that a client may invent by one.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_a_client_invents_is_no_label() {
        let invented = Method::from_bytes(b"BREW").expect("a token");
        assert_eq!((known(&Method::PATCH), known(&invented), known(&Method::TRACE)), ("PATCH", "other", "other"));
    }

    #[test]
    fn a_request_that_is_given_up_is_in_flight_no_more() {
        let gauge = Gauge::default();
        let counted = InFlight::begin(&gauge);
        assert_eq!(gauge.get(), 1_i64);
        drop(counted);
        assert_eq!(gauge.get(), 0_i64);
    }
}
