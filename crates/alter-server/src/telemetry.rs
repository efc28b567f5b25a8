//! Exporting traces over OTLP (HTTP with protobuf), to whatever collector the operator names.
//!
//! What is exported are spans of the vault's own: requests by the template of their path, commits, and calls to other hosts by the host's name. No
//! span has a path, a query, a header, a body or an id of a client's, so there is no secret in any.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::egress::{Egress, Limits};
use crate::error::{StartError, StartErrorKind};

/// Bounds of one export.
const LIMITS: Limits = Limits { timeout: Duration::from_secs(10), answer_bytes: 64 * 1024 };
/// What one service is called in traces, unless `OTEL_SERVICE_NAME` says otherwise.
const SERVICE: &str = "alter";
/// Where a collector takes traces.
const PATH: &str = "/v1/traces";

/// The export of traces. It has to be told when the vault stops.
pub struct Traces(SdkTracerProvider);

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces")
    }
}

impl Traces {
    /// Exports to the collector with this base URL, through the vault's own egress: its rules about TLS and its authorities hold here, too. Must be called
    /// within the runtime that is to send. `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_TRACES_SAMPLER` are
    /// read as OpenTelemetry says.
    ///
    /// # Errors
    /// [`StartErrorKind::ConfigInvalid`] if the URL is none that may be called.
    pub fn export_to(endpoint: &str, egress: Egress) -> Result<Self, StartError> {
        let invalid = |what: String| {
            StartError::new(StartErrorKind::ConfigInvalid, "traces cannot be exported to where otlp_endpoint says")
                .caused_by(what)
                .help("write https://HOST[:PORT]; http for loopback, and for hosts that egress.http_hosts names")
        };
        let url = format!("{}{PATH}", endpoint.trim_end_matches('/'));
        let uri = url.parse().map_err(|error: http::uri::InvalidUri| invalid(error.to_string()))?;
        egress.admit(&uri).map_err(|error| invalid(error.to_string()))?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client { egress, runtime: Handle::current() })
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(url)
            .build()
            .map_err(|error| invalid(error.to_string()))?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let resource = resource.with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    /// The layer that turns spans into those that are exported.
    pub fn layer<S>(&self) -> impl Layer<S>
    where
        S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        // Ours alone, and no events: what is logged is for the log.
        let ours = |metadata: &Metadata<'_>| {
            metadata.is_span() && metadata.target().starts_with("alter_server") && *metadata.level() <= Level::INFO
        };
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(SERVICE))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(ours))
    }

    /// Sends what has not been sent yet. Blocks until it is done or has failed: not for a thread of the runtime.
    pub fn finish(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last traces were not exported");
        }
    }
}

/// Sends through the egress. The exporter waits on a thread of its own, which has no runtime.
#[derive(Debug)]
struct Client {
    egress: Egress,
    runtime: Handle,
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Client {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Sending<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let egress = self.egress.clone();
        // An export must not be traced, or there would be one more to export for each.
        let sent = async move { egress.send(request, LIMITS).await }.with_subscriber(NoSubscriber::default());
        let sent = self.runtime.spawn(sent);
        Box::pin(async move { Ok(sent.await??) })
    }
}
