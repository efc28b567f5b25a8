//! The vault's own outgoing HTTP: token exchanges, OIDC discovery, key sets, revocations.
//!
//! One rule for all of it: `https`, or `http` to loopback and to hosts that the operator named; no redirect is followed, nothing is sent twice, and both
//! time and size are bounded for every call. Errors name the host and never the path, the query or a body, so they may be logged and audited.
//!
//! Calls that the vault makes for others also have the *address* judged ([`Egress::guarded`]), in `connect::Connector`, which alone resolves names and opens
//! sockets, directly or through an [`EgressProxy`].

mod address;
mod connect;
mod error;
mod hosts;
mod lookup;
mod proxy;
mod tls;
mod tunnel;

use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, HeaderValue, USER_AGENT};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tracing::Instrument;

use crate::config::is_loopback_host;
use crate::error::StartError;
pub use address::Destinations;
use connect::{Connector, Forbidden};
pub use error::EgressError;
pub use hosts::HttpHosts;
pub use lookup::Lookup;
pub use proxy::{EgressProxy, NoProxy, Resolve};

/// How long a connection may take to open, name resolution and TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Some providers refuse calls that do not say who is calling.
pub const AGENT: HeaderValue = HeaderValue::from_static(concat!("alter/", env!("CARGO_PKG_VERSION")));

/// Bounds of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the call to the last byte of the answer.
    pub timeout: Duration,
    /// The longest body that is accepted, in bytes.
    pub answer_bytes: usize,
}

/// What the operator decides about outgoing calls: the table `[egress]` of `alter.toml`.
#[derive(Clone, Debug, Default)]
pub struct EgressOptions {
    /// A PEM file with authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Hosts beyond loopback that may be called without TLS.
    pub http_hosts: HttpHosts,
    /// Places beyond the public internet that may be called for others.
    pub allow: Destinations,
    /// Through which proxy calls leave; `None` if directly.
    pub proxy: Option<EgressProxy>,
    /// Where names lead.
    pub lookup: Lookup,
}

/// The vault's HTTP client. Cheap to clone; clones share their connections.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use alter_server::egress::{Egress, EgressOptions, Limits};
///
/// let egress = Egress::new(EgressOptions::default())?;
/// let request = http::Request::get("https://id.example.com/.well-known/openid-configuration").body(bytes::Bytes::new())?;
/// let answer = egress.send(request, Limits { timeout: Duration::from_secs(10), answer_bytes: 64 * 1024 }).await?;
/// assert!(answer.status().is_success());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Egress {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
    http_hosts: HttpHosts,
    allow: Destinations,
}

/// An answer of which not everything was read.
#[derive(Debug)]
pub struct Bounded {
    /// The answer; its body holds at most as many bytes as the limit.
    pub answer: Response<Bytes>,
    /// Whether there was more.
    pub truncated: bool,
}

impl Egress {
    /// A client with these options.
    ///
    /// # Errors
    /// [`ConfigInvalid`](crate::error::StartErrorKind::ConfigInvalid) if the file of authorities cannot be used.
    pub fn new(options: EgressOptions) -> Result<Self, StartError> {
        let connector = Connector::new(options.ca_file.as_deref(), options.proxy, options.lookup, CONNECT_TIMEOUT)?;
        Ok(Self { client: client(connector.clone()), connector, http_hosts: options.http_hosts, allow: options.allow })
    }

    /// A client for calls that others ask for: it connects to public addresses, and to what the operator allows. It shares no connection with this one.
    #[must_use]
    pub fn guarded(&self) -> Self {
        let connector = self.connector.guarded(self.allow.clone());
        Self { client: client(connector.clone()), connector, ..self.clone() }
    }

    /// Sends one request and reads the whole answer, whatever its status. A redirect is an answer like any other.
    ///
    /// Dropping the future closes the connection that it uses.
    ///
    /// # Errors
    /// [`EgressError`]; [`EgressError::may_have_arrived`] tells whether the other side may have acted on the request.
    pub async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, EgressError> {
        let host = request.uri().authority().map(error::shown).unwrap_or_default();
        match self.send_bounded(request, limits).await? {
            Bounded { truncated: true, .. } => Err(EgressError::TooLarge { host, limit: limits.answer_bytes }),
            Bounded { answer, .. } => Ok(answer),
        }
    }

    /// As [`send`](Self::send), but an answer that is too long is cut.
    ///
    /// # Errors
    /// As [`send`](Self::send), but for its length.
    pub async fn send_bounded(&self, mut request: Request<Bytes>, limits: Limits) -> Result<Bounded, EgressError> {
        let host = self.admit(request.uri())?;
        request.headers_mut().entry(USER_AGENT).or_insert(AGENT);
        // Bodies are small, and a compressed one could grow beyond any limit.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let span = tracing::info_span!("egress", otel.kind = "client", server.address = host);
        match tokio::time::timeout(limits.timeout, self.exchange(&host, request, limits).instrument(span)).await {
            Ok(answer) => answer,
            Err(_) => Err(EgressError::Timeout { host, limit: limits.timeout }),
        }
    }

    async fn exchange(&self, host: &str, request: Request<Bytes>, limits: Limits) -> Result<Bounded, EgressError> {
        let answer = self.client.request(request.map(Full::new)).await.map_err(|error| {
            let host = host.to_owned();
            if let Some(Forbidden(reason)) = error::cause_of(&error) {
                return EgressError::Refused { host, reason };
            }
            let cause = error::explain(&error);
            if error.is_connect() { EgressError::Unreachable { host, cause } } else { EgressError::Broken { host, cause } }
        })?;
        let (head, mut body) = answer.into_parts();
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| EgressError::Broken { host: host.to_owned(), cause: error::explain(&error) })?;
            let Ok(data) = frame.into_data() else { continue };
            let room = limits.answer_bytes - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Ok(Bounded { answer: Response::from_parts(head, read.freeze()), truncated: true });
            }
        }
        Ok(Bounded { answer: Response::from_parts(head, read.freeze()), truncated: false })
    }

    /// Judges where a request would go, and gives the host for messages.
    ///
    /// # Errors
    /// [`EgressError::Refused`].
    pub fn admit(&self, uri: &Uri) -> Result<String, EgressError> {
        let refused = |host: &str, reason| EgressError::Refused { host: host.to_owned(), reason };
        let authority = uri.authority().ok_or_else(|| refused("", "it names no host"))?;
        let (host, name) = (authority.host(), error::shown(authority));
        if authority.as_str().contains('@') {
            return Err(refused(&name, "a user name in the URL would be sent and logged by others"));
        }
        match uri.scheme_str() {
            Some("https") => Ok(name),
            Some("http") if is_loopback_host(host) || self.http_hosts.admits(authority) => Ok(name),
            Some("http") => Err(refused(&name, "it would be called without TLS; use https, or name it in egress.http_hosts")),
            _ => Err(refused(&name, "only https can be called")),
        }
    }
}

fn client(connector: Connector) -> Client<Connector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_TIMEOUT).build(connector)
}
