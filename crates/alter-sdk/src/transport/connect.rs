//! Opening connections: directly, or through a proxy that the environment names; TLS with ALPN.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::{BoxError, Service, ServiceExt};

use super::body::Progress;
use super::tls::{CaCertificates, LazyTls};

tokio::task_local! {
    /// The request that a connection is being opened for.
    static CONNECTING_FOR: Progress;
}

/// Runs a request so that opening its connection counts as progress: after it, the answer gets the whole timeout again.
pub(super) async fn noting<T>(progress: Progress, request: impl Future<Output = T>) -> T {
    CONNECTING_FOR.scope(progress, request).await
}

/// A connection that was not open in time.
#[derive(Debug)]
pub(super) struct ConnectTimeout;

impl std::fmt::Display for ConnectTimeout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("connecting took too long")
    }
}

impl std::error::Error for ConnectTimeout {}

/// hyper's connector.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Arc<LazyTls>,
    proxies: Arc<Matcher>,
    timeout: Option<Duration>,
}

impl Connector {
    /// Reads `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` (either case) once, now.
    pub(super) fn new(certificates: CaCertificates, timeout: Option<Duration>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self { tcp, tls: Arc::new(LazyTls::new(certificates)), proxies: Arc::new(Matcher::from_env()), timeout }
    }

    async fn connect(self, uri: Uri) -> Result<Connection, BoxError> {
        if uri.scheme_str() != Some("https") {
            // Cleartext goes to loopback only, and so never through a proxy.
            return Ok(MaybeHttpsStream::Http(self.tcp.oneshot(uri).await?));
        }
        let config = self.tls.config()?;
        match self.proxies.intercept(&uri) {
            None => HttpsConnector::from((self.tcp, config)).oneshot(uri).await,
            Some(proxy) => HttpsConnector::from((self.tunnel(&proxy)?, config)).oneshot(uri).await,
        }
    }

    fn tunnel(self, proxy: &Intercept) -> Result<Tunnel<HttpConnector>, BoxError> {
        if proxy.uri().scheme_str() != Some("http") {
            return Err(io::Error::other("the proxy that the environment names is not an http:// proxy").into());
        }
        let tunnel = Tunnel::new(proxy.uri().clone(), self.tcp);
        Ok(match proxy.basic_auth() {
            Some(auth) => tunnel.with_auth(auth.clone()),
            None => tunnel,
        })
    }
}

type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, BoxError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        // Read now: hyper may finish opening the connection in another task, for a later request.
        let progress = CONNECTING_FOR.try_with(Progress::clone).ok();
        Box::pin(async move {
            let connection = match connector.timeout {
                None => connector.connect(uri).await?,
                Some(limit) => tokio::time::timeout(limit, connector.connect(uri)).await.map_err(|_| ConnectTimeout)??,
            };
            if let Some(progress) = progress {
                progress.note();
            }
            Ok(connection)
        })
    }
}
