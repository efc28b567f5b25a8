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
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::{BoxError, Service, ServiceExt};

use super::address::Destinations;
use super::lookup::Lookup;
use super::proxy::{EgressProxy, Resolve};
use super::tls::LazyTls;
use super::tunnel;
use crate::error::StartError;

/// hyper's connector, with a resolver that judges and a proxy in between where the operator has one.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    guard: Option<Arc<Destinations>>,
    lookup: Lookup,
    proxy: Option<EgressProxy>,
    tls: Arc<LazyTls>,
    timeout: Duration,
}

impl Connector {
    /// Opens connections within `timeout`, TLS handshake included.
    pub(super) fn new(ca_file: Option<&Path>, proxy: Option<EgressProxy>, lookup: Lookup, timeout: Duration) -> Result<Self, StartError> {
        Ok(Self { guard: None, lookup, proxy, tls: Arc::new(LazyTls::new(ca_file)?), timeout })
    }

    /// The same, for connections to public addresses and to what the operator allows.
    pub(super) fn guarded(&self, allowed: Destinations) -> Self {
        Self { guard: Some(Arc::new(allowed)), ..self.clone() }
    }

    async fn connect(self, uri: Uri) -> Result<Connection, BoxError> {
        let target = Target::of(&uri, self.guard.clone(), self.lookup.clone())?;
        let through = self.proxy.as_ref().and_then(|proxy| Some((proxy.intercept(&uri)?, proxy.resolve())));
        match through {
            None => self.encrypt(target.directly(), uri).await,
            Some((proxy, resolve)) => {
                let transport = tower::service_fn(move |_: Uri| target.clone().through(proxy.clone(), resolve));
                self.encrypt(transport, uri).await
            }
        }
    }

    /// Opens a connection with `transport`, and speaks TLS over it if the URL says so.
    async fn encrypt<T>(self, transport: T, uri: Uri) -> Result<Connection, BoxError>
    where
        T: Service<Uri, Response = TokioIo<TcpStream>> + Send + 'static,
        T::Future: Send + 'static,
        T::Error: Into<BoxError>,
    {
        if uri.scheme_str() == Some("http") {
            return Ok(MaybeHttpsStream::Http(transport.oneshot(uri).await.map_err(Into::into)?));
        }
        let config = match self.tls.ready() {
            Some(config) => config,
            None => {
                let tls = Arc::clone(&self.tls);
                tokio::task::spawn_blocking(move || tls.config()).await??
            }
        };
        HttpsConnector::from((transport, config)).oneshot(uri).await
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

/// The host and port of one call.
#[derive(Clone, Debug)]
struct Target {
    guard: Option<Arc<Destinations>>,
    lookup: Lookup,
    /// In lower case, without brackets.
    host: String,
    port: u16,
}

impl Target {
    /// That of a URL.
    ///
    /// # Errors
    /// [`Forbidden`] for an address that is not connected to, and for a number that only some resolvers take for an address.
    fn of(uri: &Uri, guard: Option<Arc<Destinations>>, lookup: Lookup) -> Result<Self, Forbidden> {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
        let target = Self { guard, lookup, host, port };
        match target.address() {
            Some(address) => target.judge(address)?,
            None if ends_in_a_number(&target.host) => {
                return Err(Forbidden("its host is a number, and not an address as it is usually written"));
            }
            None => {}
        }
        Ok(target)
    }

    /// The address, if the host is one.
    fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    fn judge(&self, address: IpAddr) -> Result<(), Forbidden> {
        self.guard.as_ref().map_or(Ok(()), |guard| guard.judge(&self.host, self.port, address)).map_err(Forbidden)
    }

    /// Where the host leads. If only one of its addresses is not to be called, none is: which of them a connection is opened to is chance.
    async fn addresses(&self) -> Result<Vec<SocketAddr>, BoxError> {
        if let Some(address) = self.address() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let addresses = self.lookup.find(&self.host, self.port).await?;
        for address in &addresses {
            self.judge(address.ip())?;
        }
        Ok(addresses)
    }

    /// What opens a connection without a proxy.
    fn directly(self) -> HttpConnector<Resolver> {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(self));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp
    }

    /// Opens a connection through a proxy, to an address that was judged; to a name only if the proxy is the one that looks names up.
    async fn through(self, proxy: Intercept, resolve: Resolve) -> Result<TokioIo<TcpStream>, BoxError> {
        if resolve == Resolve::Proxy && self.address().is_none() {
            self.guard.as_ref().map_or(Ok(()), |guard| guard.judge_name(&self.host, self.port)).map_err(Forbidden)?;
            return Ok(tunnel::open(&proxy, &format!("{}:{}", self.host, self.port)).await?);
        }
        let addresses = match self.addresses().await {
            Err(error) if error.is::<io::Error>() => {
                let hint = "where only the proxy can look names up, egress.resolve has to be proxy";
                return Err(io::Error::other(format!("{error}; {hint}")).into());
            }
            found => found?,
        };
        let mut last = None;
        for address in addresses {
            let address = SocketAddr::new(address.ip().to_canonical(), address.port());
            if address.ip().is_loopback() {
                // That of the proxy would be another machine.
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                return Ok(TokioIo::new(stream));
            }
            match tunnel::open(&proxy, &address.to_string()).await {
                Ok(connection) => return Ok(connection),
                Err(error) if error.is_of_the_target() => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or_else(|| io::Error::other("its name has no address").into(), Into::into))
    }
}

/// [`Target::addresses`] for hyper, which asks when the host is a name.
#[derive(Clone, Debug)]
struct Resolver(Target);

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        let target = self.0.clone();
        Box::pin(async move { Ok(target.addresses().await?.into_iter()) })
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
