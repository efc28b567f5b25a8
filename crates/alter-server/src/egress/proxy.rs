//! The HTTP proxy through which the vault's calls leave, where a network has one: the settings `egress.proxy`, `egress.no_proxy` and `egress.resolve`.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use ipnet::IpNet;

use super::error;
use crate::config::is_loopback_host;

/// Who looks up the addresses of names that are called through the proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resolve {
    /// The vault, which judges the address and has the proxy connect to exactly that one.
    #[default]
    Vault,
    /// The proxy, for networks whose names only it can look up. The vault sees no address, so it can judge names and written addresses only.
    Proxy,
}

impl Resolve {
    /// Reads the setting.
    ///
    /// # Errors
    /// What it must be.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "vault" => Ok(Self::Vault),
            "proxy" => Ok(Self::Proxy),
            _ => Err("must be vault or proxy".to_owned()),
        }
    }

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Proxy => "proxy",
        }
    }
}

/// Hosts that are called directly although there is a proxy: names with all that is below them, addresses, networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<String>);

impl NoProxy {
    /// Reads the entries.
    ///
    /// # Errors
    /// The first entry that is neither of these, and what is wrong with it.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let read = |entry: &str| {
            let text = entry.trim();
            let letters =
                |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            let name = text.strip_prefix('.').unwrap_or(text);
            if name.split('.').all(letters) || text.parse::<IpNet>().is_ok() || text.parse::<IpAddr>().is_ok() {
                return Ok(text.to_owned());
            }
            Err(format!(
                "must be hosts, addresses or networks, without ports, such as internal.example, 10.1.2.3 or 10.0.0.0/8; {text:?} is none"
            ))
        };
        entries.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The entries as they were given.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// A proxy that opens tunnels with `CONNECT`. Neither its `Debug` nor its `Display` shows the password.
///
/// ```
/// use alter_server::egress::EgressProxy;
/// let proxy = EgressProxy::parse("http://vault:s3cret@proxy.internal:3128")?;
/// assert_eq!(proxy.to_string(), "http://proxy.internal:3128");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone)]
pub struct EgressProxy {
    /// With the user's name and password.
    url: String,
    shown: String,
    matcher: Arc<Matcher>,
    resolve: Resolve,
}

impl EgressProxy {
    /// Reads `http://[USER:PASSWORD@]HOST[:PORT]`.
    ///
    /// # Errors
    /// What it must be. The text is not repeated: it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shape = || "must be http://HOST:PORT, with USER:PASSWORD@ before the host if the proxy asks for it".to_owned();
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|_| shape())?;
        let authority = uri.authority().ok_or_else(shape)?;
        if uri.scheme_str() == Some("https") {
            return Err("must be an http:// proxy: https:// and socks proxies are not supported".to_owned());
        }
        let port_fits = authority.port().is_none() || authority.port_u16().is_some_and(|port| port != 0);
        let plain = uri.scheme_str() == Some("http") && uri.path() == "/" && uri.query().is_none();
        if authority.host().is_empty() || !port_fits || !plain {
            return Err(shape());
        }
        let shown = format!("http://{}", error::shown(authority));
        let url = uri.to_string();
        Ok(Self { matcher: Arc::new(Matcher::builder().all(url.as_str()).build()), url, shown, resolve: Resolve::default() })
    }

    /// The same, but for these hosts, and with names looked up by `resolve`.
    #[must_use]
    pub fn except(self, direct: &NoProxy, resolve: Resolve) -> Self {
        let matcher = Matcher::builder().all(self.url.as_str()).no(direct.0.join(",")).build();
        Self { matcher: Arc::new(matcher), resolve, ..self }
    }

    /// Whether the URL held a password or a user's name.
    pub fn has_password(&self) -> bool {
        self.url.contains('@')
    }

    /// Who looks up names.
    pub(super) const fn resolve(&self) -> Resolve {
        self.resolve
    }

    /// How to reach the proxy for a call to `uri`; `None` if that goes directly. This machine is never called through a proxy: it would be another one.
    pub(super) fn intercept(&self, uri: &Uri) -> Option<Intercept> {
        if is_loopback_host(uri.host()?) { None } else { self.matcher.intercept(uri) }
    }
}

impl fmt::Display for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for EgressProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EgressProxy").field("url", &self.shown).field("resolve", &self.resolve).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_http_url_without_a_path() {
        for (text, shown) in [
            ("http://proxy.internal:3128", "http://proxy.internal:3128"),
            ("http://proxy.internal/", "http://proxy.internal"),
            ("http://u:canary@[fd00::1]:8080", "http://[fd00::1]:8080"),
        ] {
            let proxy = EgressProxy::parse(text).expect(text);
            assert_eq!(proxy.to_string(), shown);
            assert!(!format!("{proxy:?}").contains("canary"), "{proxy:?}");
            assert_eq!(proxy.has_password(), text.contains("canary"));
        }
        for text in [
            "",
            "proxy.internal:3128",
            "http://",
            "http://p:0",
            "http://p/x-canary",
            "http://p?canary",
            "https://p:1",
            "socks5://p:1",
            "a b",
        ] {
            let error = EgressProxy::parse(text).expect_err(text);
            assert!(error.starts_with("must be ") && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn the_proxy_is_for_everything_but_this_machine_and_what_is_excepted() {
        let direct = NoProxy::parse(["internal.example", "10.0.0.0/8", "192.0.2.7"]).expect("valid");
        let proxy = EgressProxy::parse("http://proxy.internal:3128").expect("valid").except(&direct, Resolve::Vault);
        let intercepts = |url: &str| proxy.intercept(&url.parse().expect("a URL")).is_some();
        for url in ["https://api.example.com/x", "http://idp.test:8080", "https://192.0.2.8", "https://notinternal.example"] {
            assert!(intercepts(url), "{url}");
        }
        for url in [
            "https://internal.example",
            "https://a.INTERNAL.example:444",
            "https://10.9.8.7",
            "https://192.0.2.7",
            "http://localhost:1",
            "https://[::1]",
        ] {
            assert!(!intercepts(url), "{url}");
        }
    }

    #[test]
    fn an_exception_that_would_never_match_is_named() {
        for text in
            ["", "*", "internal.example:443", "http://internal.example", "*.internal.example", "a..b", "10.0.0.0/64", "[::1]", "a b"]
        {
            let error = NoProxy::parse([text]).expect_err(text);
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
        assert!(NoProxy::parse([".internal.example", "fd00::/8", "::1", "my_host"]).is_ok());
    }

    #[test]
    fn names_are_looked_up_by_the_vault_or_the_proxy() {
        for resolve in [Resolve::Vault, Resolve::Proxy] {
            assert_eq!(Resolve::parse(resolve.as_str()), Ok(resolve));
        }
        assert!(Resolve::parse("dns").is_err());
    }
}
