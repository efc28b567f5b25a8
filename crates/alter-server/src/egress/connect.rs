//! Opening connections. Names are resolved and sockets opened here and nowhere else.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::{BoxError, Service, ServiceExt};

use super::address::Destinations;
use super::tls::LazyTls;
use crate::error::StartError;

/// hyper's connector, with a resolver that judges.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    guard: Option<Arc<Destinations>>,
    tls: Arc<LazyTls>,
    timeout: Duration,
}

impl Connector {
    /// Opens connections within `timeout`, TLS handshake included.
    pub(super) fn new(ca_file: Option<&Path>, timeout: Duration) -> Result<Self, StartError> {
        Ok(Self { guard: None, tls: Arc::new(LazyTls::new(ca_file)?), timeout })
    }

    /// The same, for connections to public addresses and to what the operator allows.
    pub(super) fn guarded(&self, allowed: Destinations) -> Self {
        Self { guard: Some(Arc::new(allowed)), ..self.clone() }
    }

    async fn connect(self, uri: Uri) -> Result<Connection, BoxError> {
        let tcp = self.tcp(&uri)?;
        if uri.scheme_str() == Some("http") {
            return Ok(MaybeHttpsStream::Http(tcp.oneshot(uri).await?));
        }
        let config = match self.tls.ready() {
            Some(config) => config,
            None => {
                let tls = Arc::clone(&self.tls);
                tokio::task::spawn_blocking(move || tls.config()).await??
            }
        };
        HttpsConnector::from((tcp, config)).oneshot(uri).await
    }

    /// What opens the socket of one connection.
    fn tcp(&self, uri: &Uri) -> Result<HttpConnector<Resolver>, BoxError> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        let resolver = Resolver { guard: self.guard.clone(), host, port };
        match resolver.host.parse() {
            // An address needs no resolver, so hyper does not ask it.
            Ok(address) => resolver.judge(address)?,
            Err(_) if ends_in_a_number(&resolver.host) => {
                return Err(Forbidden("its host is a number, and not an address as it is usually written").into());
            }
            Err(_) => {}
        }
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Ok(tcp)
    }
}

/// Whether a host that is no plain address would still be taken for one by some resolvers: `2130706433`, `0x7f.1`, `127.1`.
fn ends_in_a_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let digits = last.strip_prefix("0x").filter(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits.is_some() || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

/// An address that is not connected to, and why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forbidden(pub(super) &'static str);

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Forbidden {}

/// Resolves the host of one call. If only one of its addresses is not to be called, none is: which of them a connection is opened to is chance.
#[derive(Clone, Debug)]
struct Resolver {
    guard: Option<Arc<Destinations>>,
    host: String,
    port: u16,
}

impl Resolver {
    fn judge(&self, address: IpAddr) -> Result<(), Forbidden> {
        self.guard.as_ref().map_or(Ok(()), |guard| guard.judge(&self.host, self.port, address)).map_err(Forbidden)
    }

    async fn resolve(self, name: Name) -> Result<vec::IntoIter<SocketAddr>, BoxError> {
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), self.port)).await?.collect();
        for address in &addresses {
            self.judge(address.ip())?;
        }
        Ok(addresses.into_iter())
    }
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(self.clone().resolve(name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_no_name() {
        for host in ["2130706433", "0177.0.0.1", "0x7f000001", "0x7f.1", "127.1", "1.2.3.4.", "a.0x"] {
            assert!(ends_in_a_number(host), "{host}");
        }
        for host in ["api.example.com", "1.example", "x0x7f", "example.0y1", ""] {
            assert!(!ends_in_a_number(host), "{host}");
        }
    }
}
