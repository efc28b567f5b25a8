//! The engine's transport on hyper: one pool for the vault, one for providers, and the rules that hold for both.
//!
//! No redirect is followed, no cookie kept, nothing retried. The timeout is one number that applies to each step apart: waiting for a free
//! slot, connecting, each write, the answer's head, each read. hyper-util is used instead of reqwest because a request target must
//! go out exactly as the core wrote and authorized it (see `docs/decisions/http-client.md`).

mod body;
mod connect;
mod decode;
mod tls;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alter_core::host::{Answer, Leg, Patience, TransportError};
use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use body::ProgressBody;
use connect::Connector;

pub use tls::CaCertificates;

/// Requests that may be under way at once on each leg; more wait their turn.
const MOST_CONCURRENT: usize = 100;
/// Connections kept open per origin while nobody uses them: as many as can be in use, or a busy program would open a new one for most of
/// its calls. Measured with 64 callers over HTTP/1.1, keeping 20 costs two fifths more processor time for each call.
const MOST_IDLE: usize = MOST_CONCURRENT;
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Options of the transport.
#[derive(Clone, Debug)]
pub struct TransportOptions {
    /// For each step of a request apart; `None` waits for ever. 30 s by default.
    pub timeout: Option<Duration>,
    /// Whom to trust over TLS. By default what the system trusts, or `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub ca_certificates: CaCertificates,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self { timeout: Some(Duration::from_secs(30)), ca_certificates: CaCertificates::default() }
    }
}

/// Both legs.
pub(crate) struct HttpTransport {
    backend: Pool,
    provider: Pool,
    timeout: Option<Duration>,
}

struct Pool {
    /// `None` once closed: dropping the client closes its idle connections.
    client: Mutex<Option<HyperClient<Connector, ProgressBody>>>,
    slots: Semaphore,
}

impl HttpTransport {
    pub(crate) fn new(options: TransportOptions) -> Self {
        let connector = Connector::new(options.ca_certificates, options.timeout);
        Self { backend: Pool::new(connector.clone()), provider: Pool::new(connector), timeout: options.timeout }
    }

    /// Closes idle connections; requests that are under way finish, later ones fail.
    pub(crate) fn close(&self) {
        for pool in [&self.backend, &self.provider] {
            pool.lock().take();
        }
    }

    pub(crate) async fn send(&self, leg: Leg, mut request: http::Request<Bytes>) -> Result<Answer, TransportError> {
        let pool = match leg {
            Leg::Backend => &self.backend,
            Leg::Provider => &self.provider,
        };
        for (name, value) in [(ACCEPT, "*/*"), (ACCEPT_ENCODING, decode::ACCEPTED)] {
            request.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
        }
        let limit = request.extensions().get::<Patience>().map_or(self.timeout, |patience| Some(patience.0));
        let _slot = pool.slot(limit).await?;
        let response = head(pool, request, limit).await?;
        read(response, limit).await
    }
}

/// Connects if need be, writes the request, waits for the answer's head.
async fn head(pool: &Pool, request: http::Request<Bytes>, limit: Option<Duration>) -> Result<http::Response<Incoming>, TransportError> {
    let progress = body::Progress::default();
    let request = request.map(|bytes| ProgressBody::new(bytes, progress.clone()));
    let client = pool.lock().clone().ok_or_else(|| TransportError::Failed("the client is closed".to_owned()))?;
    let answer = connect::noting(progress.clone(), client.request(request));
    let answer = match limit {
        None => answer.await,
        Some(limit) => tokio::select! {
            biased;
            answer = answer => answer,
            () = progress.stalled_for(limit) => return Err(TransportError::Timeout),
        },
    };
    answer.map_err(|error| explain(&error))
}

async fn read(response: http::Response<Incoming>, limit: Option<Duration>) -> Result<Answer, TransportError> {
    let (head, mut body) = response.into_parts();
    let mut chunks = Chunks::default();
    while let Some(frame) = within(limit, body.frame()).await? {
        if let Ok(data) = frame.map_err(|error| explain(&error))?.into_data() {
            chunks.push(data);
        }
    }
    let raw = chunks.finish();
    let bytes_on_wire = raw.len();
    let encoding = head.headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",");
    let body = decode::decode(&encoding, raw).map_err(TransportError::Failed)?;
    let reason_phrase =
        head.extensions.get::<hyper::ext::ReasonPhrase>().map(|phrase| String::from_utf8_lossy(phrase.as_bytes()).into_owned());
    Ok(Answer { status: head.status.as_u16(), reason_phrase, version: head.version, headers: head.headers, body, bytes_on_wire })
}

impl Pool {
    fn new(connector: Connector) -> Self {
        let client = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(MOST_IDLE)
            .build(connector);
        Self { client: Mutex::new(Some(client)), slots: Semaphore::new(MOST_CONCURRENT) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<HyperClient<Connector, ProgressBody>>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn slot(&self, limit: Option<Duration>) -> Result<SemaphorePermit<'_>, TransportError> {
        // The semaphore is never closed.
        within(limit, self.slots.acquire()).await?.map_err(|closed| TransportError::Failed(closed.to_string()))
    }
}

/// The body as it arrives. Most bodies are one chunk, which is handed on without a copy.
#[derive(Default)]
struct Chunks {
    first: Option<Bytes>,
    more: BytesMut,
}

impl Chunks {
    fn push(&mut self, data: Bytes) {
        if self.first.is_none() && self.more.is_empty() {
            self.first = Some(data);
            return;
        }
        if let Some(first) = self.first.take() {
            self.more.extend_from_slice(&first);
        }
        self.more.extend_from_slice(&data);
    }

    fn finish(self) -> Bytes {
        self.first.unwrap_or_else(|| self.more.freeze())
    }
}

async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Result<T, TransportError> {
    match limit {
        None => Ok(work.await),
        Some(limit) => timeout(limit, work).await.map_err(|_| TransportError::Timeout),
    }
}

/// What a person can do something with: the innermost causes, in words. URLs and header values are in none of these errors.
fn explain(error: &(dyn std::error::Error + 'static)) -> TransportError {
    let mut words: Vec<String> = Vec::new();
    let mut cause = Some(error);
    while let Some(current) = cause {
        if current.downcast_ref::<connect::ConnectTimeout>().is_some() {
            return TransportError::Timeout;
        }
        let text = current.to_string();
        // Layers repeat each other's words; one telling is enough.
        if !words.iter().any(|word| word.contains(&text)) {
            words.push(text);
        }
        cause = current.source();
    }
    TransportError::Failed(words.split_off(words.len().saturating_sub(2)).join(": "))
}

/// A shared transport, so that a client and its host are one pointer.
pub(crate) type SharedTransport = Arc<HttpTransport>;
