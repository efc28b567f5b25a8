//! URLs of providers: which are allowed, and what is sent for them.
//!
//! What is authorized and signed must be what is sent, so the engine parses and writes URLs itself: a WHATWG parser would turn
//! `/a/%2e%2e/b` into `/b` behind everybody's back. Here an escape stays as it was written; only dot segments written as dots are removed.

pub mod base;
mod normalize;
pub mod query;
pub mod template;

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, Result};
use normalize::{encode_path, encode_query, remove_dot_segments};

/// Longest URL that is sent, in characters, once encoded and with its query.
pub const LONGEST: usize = 65_536;

/// A checked provider URL, ready to be sent. `Debug` shows scheme and host only: path and query may hold what should not be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderUrl {
    scheme: Scheme,
    /// Lower case; IDNA-encoded; an IPv6 address without brackets.
    host: String,
    port: Option<u16>,
    path: String,
    /// Encoded, without the question mark. `Some("")` is a bare question mark.
    query: Option<String>,
}

/// The two schemes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Only to loopback hosts.
    Http,
    /// To any host.
    Https,
}

impl Scheme {
    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that is not written.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl ProviderUrl {
    /// Parses a URL in which nothing is left to fill in.
    ///
    /// # Errors
    /// `AlterValueError`: empty, no or wrong scheme, no host, bad port, `http` to a host that is not loopback, user info, a control
    /// character, a backslash, or longer than [`LONGEST`].
    ///
    /// ```
    /// use alter_core::url::ProviderUrl;
    /// let url = ProviderUrl::parse("https://api.example.com/v1/a b?x=1#note")?;
    /// assert_eq!(url.target(), "/v1/a%20b?x=1");
    /// assert!(ProviderUrl::parse("http://api.example.com/").is_err());
    /// # Ok::<(), alter_core::error::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        check_characters(text)?;
        let (scheme, rest) = split_scheme(text)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (host, port) = split_authority(authority)?;
        if scheme == Scheme::Http && !is_loopback(&host) {
            return Err(Error::invalid(format!(
                "url may use http only for localhost, 127.0.0.1 or [::1]; the host is {}. Use https.",
                quoted(&host)
            )));
        }
        let tail = tail.split('#').next().unwrap_or_default();
        let (path, query) = match tail.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (tail, None),
        };
        if path.contains('\\') {
            return Err(Error::invalid("url contains a backslash. Write a slash, or %5C for a real backslash."));
        }
        let path = remove_dot_segments(&encode_path(if path.is_empty() { "/" } else { path }));
        let url = Self { scheme, host, port, path, query: query.filter(|q| !q.is_empty()).map(encode_query) };
        url.check_length()?;
        Ok(url)
    }

    /// The same URL with another query (already encoded), or with none.
    pub fn with_query(&self, query: Option<String>) -> Self {
        Self { query, ..self.clone() }
    }

    /// The URL as it goes out with these parameters: itself if there are none.
    pub fn with_parameters(&self, parameters: Option<&query::QueryParams>) -> Cow<'_, Self> {
        match parameters {
            None => Cow::Borrowed(self),
            Some(_) => Cow::Owned(self.with_query(query::replace(self.query(), parameters))),
        }
    }

    /// # Errors
    /// `AlterValueError` if the URL is longer than [`LONGEST`].
    pub fn check_length(&self) -> Result<()> {
        let length = self.length();
        if length > LONGEST {
            return Err(Error::invalid(format!("url has {length} characters with its query; {LONGEST} is the most that is sent.")));
        }
        Ok(())
    }

    /// Characters of [`ProviderUrl::to_text`], without writing it.
    fn length(&self) -> usize {
        let brackets = if self.host.contains(':') { 2 } else { 0 };
        let port = self.written_port().map_or(0, |port| 2 + port.checked_ilog10().unwrap_or(0) as usize);
        let query = self.query.as_ref().map_or(0, |query| 1 + query.chars().count());
        self.scheme.as_str().len() + "://".len() + self.host.chars().count() + brackets + port + self.path.chars().count() + query
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Lower-case host, IDNA-encoded; an IPv6 address stands without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port in use, whether it was written or not.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// `host` or `host:port`, the port only if it is not the scheme's own: the `Host` header.
    pub fn authority(&self) -> String {
        let mut text = String::with_capacity(self.host.len() + "[]:65535".len());
        self.push_authority(&mut text);
        text
    }

    fn push_authority(&self, text: &mut String) {
        if self.host.contains(':') {
            text.extend(["[", &self.host, "]"]);
        } else {
            text.push_str(&self.host);
        }
        if let Some(port) = self.written_port() {
            text.push(':');
            text.push_str(&port.to_string());
        }
    }

    fn written_port(&self) -> Option<u16> {
        self.port.filter(|port| *port != self.scheme.default_port())
    }

    /// Encoded path, never empty.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Encoded query without its question mark.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The request target: path and query as they go out.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => [&self.path, "?", query].concat(),
            None => self.path.clone(),
        }
    }

    /// For the HTTP library: built from parts, so that nothing is written differently.
    ///
    /// # Errors
    /// `AlterValueError` if HTTP cannot carry it.
    pub fn to_uri(&self) -> Result<http::Uri> {
        let target = http::uri::PathAndQuery::try_from(self.target()).ok();
        let parts =
            target.map(|target| http::Uri::builder().scheme(self.scheme.as_str()).authority(self.authority()).path_and_query(target));
        parts
            .and_then(|parts| parts.build().ok())
            .ok_or_else(|| Error::invalid("url has characters that HTTP cannot carry. Percent-encode them."))
    }

    /// The whole URL as it is sent.
    pub fn to_text(&self) -> String {
        let query = self.query.as_deref();
        let mut text = String::with_capacity("https://[]:65535?".len() + self.host.len() + self.path.len() + query.map_or(0, str::len));
        text.extend([self.scheme.as_str(), "://"]);
        self.push_authority(&mut text);
        text.push_str(&self.path);
        if let Some(query) = query {
            text.extend(["?", query]);
        }
        text
    }
}

impl fmt::Debug for ProviderUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProviderUrl({}://{})", self.scheme.as_str(), self.host)
    }
}

/// Whether `http` is allowed for the host. Names and spellings that merely resolve to loopback are not.
pub fn is_loopback(host: &str) -> bool {
    ["localhost", "127.0.0.1", "::1"].iter().any(|name| host.eq_ignore_ascii_case(name))
}

/// A URL as it may stand in a log: scheme and host, nothing else.
///
/// ```
/// use alter_core::url::for_log;
/// assert_eq!(for_log("https://u:p@h.example:8443/p?q=1"), "https://h.example");
/// assert_eq!(for_log("nonsense"), "<unparseable-url>");
/// ```
pub fn for_log(url: &str) -> String {
    let parts = || {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = split_port(authority)?;
        let valid_port = port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok());
        (!host.is_empty() && valid_port && !scheme.is_empty()).then(|| format!("{}://{}", scheme.to_lowercase(), host.to_lowercase()))
    };
    parts().unwrap_or_else(|| "<unparseable-url>".to_owned())
}

fn check_characters(text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid("url is empty. Give the full URL of the provider, for example https://api.example.com/v1/items."));
    }
    if text.starts_with(' ') {
        return Err(Error::invalid("url begins with a space. Remove it."));
    }
    if let Some(position) = text.chars().position(|c| c.is_ascii_control()) {
        return Err(Error::invalid(format!("url has a control character at position {position}. Percent-encode it or remove it.")));
    }
    Ok(())
}

fn split_scheme(text: &str) -> Result<(Scheme, &str)> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(Error::invalid(format!("url has no scheme and host: {}. Give a full URL that begins with https://.", quoted(text))));
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err(Error::invalid(format!("url must begin with https://, not {}.", quoted(&format!("{scheme}://"))))),
    };
    Ok((scheme, rest))
}

/// Host (IDNA-encoded, lower case, no brackets) and port.
fn split_authority(authority: &str) -> Result<(String, Option<u16>)> {
    if authority.contains('@') {
        // The text is not quoted here: it may hold a password.
        return Err(Error::invalid("url holds a user name or password. Remove it: the vault injects the credential."));
    }
    let Some((host, port)) = split_port(authority) else {
        return Err(Error::invalid(format!("url has a malformed host: {}.", quoted(authority))));
    };
    let host = if host.starts_with('[') { ipv6(host)? } else { domain(host)? };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(
            port.parse::<u16>()
                .ok()
                .filter(|_| port.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(|| Error::invalid(format!("url has a port that is not a number from 0 to 65535: {}.", quoted(port))))?,
        ),
    };
    Ok((host, port))
}

/// Splits `host:port`, keeping the brackets of an IPv6 address with the host.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    if authority.starts_with('[') {
        let (host, rest) = authority.split_at(authority.find(']')? + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

fn ipv6(bracketed: &str) -> Result<String> {
    let address = bracketed.trim_start_matches('[').trim_end_matches(']');
    let parsed: std::net::Ipv6Addr =
        address.parse().map_err(|_| Error::invalid(format!("url has a malformed IPv6 address: {}.", quoted(bracketed))))?;
    Ok(parsed.to_string())
}

fn domain(host: &str) -> Result<String> {
    let malformed = || Error::invalid(format!("url has a malformed host: {}.", quoted(host)));
    if host.is_empty() {
        return Err(Error::invalid("url has no host. Give a full URL, for example https://api.example.com/v1/items."));
    }
    let allowed = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=%".contains(c);
    if !host.chars().all(allowed) {
        return Err(malformed());
    }
    if host.is_ascii() {
        return Ok(host.to_ascii_lowercase());
    }
    // Mapping may turn a character into one that ends a host, such as a full-width slash into a slash: refused like the plain one.
    let mapped = idna::domain_to_ascii(host).map_err(|_| malformed())?;
    if mapped.is_empty() || !mapped.chars().all(allowed) { Err(malformed()) } else { Ok(mapped) }
}

/// A value as it may be shown in a message: quoted, bounded, without control characters.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    let shown: String = text.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let more = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("'{shown}{more}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_not_become_one_that_ends_early() {
        assert_eq!(ProviderUrl::parse("https://b\u{fc}cher.example/").unwrap().host(), "xn--bcher-kva.example");
        // Full-width slash, question mark and commercial at; a tilde that maps to a space and its mark; a soft hyphen, which maps to nothing.
        for host in ["h\u{ff0f}.example", "h\u{ff1f}.example", "u\u{ff20}h.example", "h\u{2dc}.example", "\u{ad}"] {
            let error = ProviderUrl::parse(&format!("https://{host}/")).unwrap_err();
            assert!(error.message().contains("malformed host"), "{error}");
        }
    }

    #[test]
    fn the_length_is_that_of_the_text() {
        for text in [
            "https://a.example",
            "https://a.example:443/x",
            "https://a.example:8443/x?",
            "http://[::1]:9/é?q=ü&r=%20",
            "http://localhost:0/",
            "https://bücher.example:65535/a/../b?c#d",
        ] {
            let url = ProviderUrl::parse(text).unwrap();
            assert_eq!(url.length(), url.to_text().chars().count(), "{text}");
        }
    }
}
