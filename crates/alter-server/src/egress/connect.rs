//! Opening connections. Names are resolved and sockets opened here and nowhere else.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::{BoxError, Service, ServiceExt};

use super::tls::LazyTls;
use crate::error::StartError;

/// hyper's connector.
///
/// A guard against calls into the vault's own network takes the place of `tcp`'s resolver: it resolves the name, judges every address, and lets only
/// judged ones be connected to.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Arc<LazyTls>,
    timeout: Duration,
}

impl Connector {
    /// Opens connections within `timeout`, TLS handshake included.
    pub(super) fn new(ca_file: Option<&Path>, timeout: Duration) -> Result<Self, StartError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Ok(Self { tcp, tls: Arc::new(LazyTls::new(ca_file)?), timeout })
    }

    async fn connect(self, uri: Uri) -> Result<Connection, BoxError> {
        if uri.scheme_str() == Some("http") {
            return Ok(MaybeHttpsStream::Http(self.tcp.oneshot(uri).await?));
        }
        let config = match self.tls.ready() {
            Some(config) => config,
            None => {
                let tls = Arc::clone(&self.tls);
                tokio::task::spawn_blocking(move || tls.config()).await??
            }
        };
        HttpsConnector::from((self.tcp, config)).oneshot(uri).await
    }
}

type Connection = MaybeHttpsStream<TokioIo<TcpStream>>;

impl Service<Uri> for Connector {
    type Response = Connection;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connector, limit) = (self.clone(), self.timeout);
        Box::pin(async move {
            let opened = tokio::time::timeout(limit, connector.connect(uri)).await;
            opened.map_err(|_| io::Error::other(format!("connecting took more than {} s", limit.as_secs())))?
        })
    }
}
