//! Which names the vault answers to.
//!
//! A web page can make a browser send requests to loopback under a name of its own (DNS rebinding). Such a request says the page's name in its
//! `Host` header, so a vault that answers to its own names only is out of the page's reach.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::uri::Authority;

use super::Vault;
use super::refusal::Refusal;
use crate::config::is_loopback_host;

/// The names under which the vault may be called; loopback names always are among them.
#[derive(Clone, Debug, Default)]
pub struct HostPolicy {
    public: Option<String>,
    bound: Option<IpAddr>,
}

impl HostPolicy {
    /// The host of the public URL, if there is one, and the address that the vault listens on.
    pub fn new(public_url: Option<&str>, bound: IpAddr) -> Self {
        let public = public_url.and_then(|url| url.parse::<http::Uri>().ok()).and_then(|uri| uri.host().map(str::to_ascii_lowercase));
        Self { public, bound: Some(bound) }
    }

    /// Whether a `Host` header (or HTTP/2 authority) names this vault. The port is not judged: a tunnel may have changed it.
    pub fn admits(&self, host: &str) -> bool {
        let Ok(authority) = host.parse::<Authority>() else { return false };
        if host.contains('@') {
            return false;
        }
        let name = authority.host().to_ascii_lowercase();
        let address = name.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        is_loopback_host(&name) || self.public.as_deref() == Some(&*name) || (address.is_some() && address == self.bound)
    }
}

/// Middleware: refuses a request for a name that is not the vault's.
pub async fn check(State(vault): State<Arc<Vault>>, request: Request, next: Next) -> Response {
    let in_header = request.headers().get(http::header::HOST).map(|value| value.to_str().unwrap_or_default().to_owned());
    // HTTP/2 has the name in the request's target.
    let named = in_header.or_else(|| request.uri().authority().map(|authority| authority.as_str().to_owned()));
    if named.is_some_and(|name| vault.hosts.admits(&name)) {
        return next.run(request).await;
    }
    let message = "The Host header does not name this vault. Call it by a loopback name, or set public_url to the name that clients use.";
    Refusal::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", message).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_names_are_admitted() {
        let policy = HostPolicy::new(Some("https://vault.example.com"), "192.168.1.5".parse().expect("address"));
        for host in
            ["localhost:7117", "LOCALHOST", "127.0.0.1:1", "[::1]:7117", "vault.example.com", "VAULT.example.com:443", "192.168.1.5:7117"]
        {
            assert!(policy.admits(host), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example", "127.0.0.2", "x@localhost", "127.0.0.1.nip.io", "192.168.1.6", "local host"]
        {
            assert!(!policy.admits(host), "{host}");
        }
    }
}
