//! `CONNECT`: a connection through an HTTP proxy.

use bytes::Bytes;
use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::error::explain;

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
pub(super) enum TunnelError {
    /// The proxy answered, and not with success.
    #[error("the egress proxy {proxy} answered {}{}", .status.as_u16(), advice(*.status))]
    Denied {
        /// Host and port.
        proxy: String,
        /// What it answered.
        status: StatusCode,
    },
    /// The proxy did not answer.
    #[error("the egress proxy {proxy} failed: {cause}")]
    Failed {
        /// Host and port.
        proxy: String,
        /// What happened.
        cause: String,
    },
}

impl TunnelError {
    /// Whether it lies with the place that was asked for, so that another address of the same host may do.
    pub(super) fn is_of_the_target(&self) -> bool {
        matches!(self, Self::Denied { status, .. } if status.is_server_error())
    }
}

const fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => ": it does not accept the user and password in ALTER_EGRESS_PROXY",
        StatusCode::FORBIDDEN => ": it does not allow this destination",
        _ => "",
    }
}

/// Has the proxy connect to `target`, an address or a name with its port.
///
/// # Errors
/// [`TunnelError`].
pub(super) async fn open(proxy: &Intercept, target: &str) -> Result<TokioIo<TcpStream>, TunnelError> {
    let name = proxy.uri().authority().map(super::error::shown).unwrap_or_default();
    let failed = |cause: &(dyn std::error::Error + 'static)| TunnelError::Failed { proxy: name.clone(), cause: explain(cause) };
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    let stream = tcp.oneshot(proxy.uri().clone()).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) = http1::handshake(stream).await.map_err(|error| failed(&error))?;
    // It ends with the sender, at the latest.
    tokio::spawn(connection.with_upgrades());
    let request = connect(target, proxy.basic_auth()).map_err(|error| failed(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
    if !answer.status().is_success() {
        return Err(TunnelError::Denied { proxy: name, status: answer.status() });
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(|error| failed(&error))?;
    match upgraded.downcast() {
        Ok(parts) if parts.read_buf.is_empty() => Ok(parts.io),
        // Neither TLS nor HTTP lets a server speak first.
        _ => Err(TunnelError::Failed { proxy: name, cause: "it sent something before it was asked".to_owned() }),
    }
}

fn connect(target: &str, auth: Option<&HeaderValue>) -> Result<Request<Empty<Bytes>>, http::Error> {
    let request = Request::connect(target).header(HOST, target);
    match auth {
        Some(auth) => request.header(PROXY_AUTHORIZATION, auth),
        None => request,
    }
    .body(Empty::new())
}
