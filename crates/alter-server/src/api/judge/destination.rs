//! Where a credential may go: the hosts that its secret is bound to.
//!
//! The URL is parsed by [`alter_core::url`], as the client parses it, so the host that is judged is the host that is connected to.

use std::fmt;

use alter_core::url::ProviderUrl;

use crate::api::refusal::Refusal;

/// One entry of a secret's allowed hosts: `api.example.com`, `api.example.com:8443`, `*.example.com`, `[::1]:8080`.
///
/// Without a port only the scheme's own port is allowed (443; 80 for `http` to loopback). A wildcard stands for one or more labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    wildcard: bool,
    /// Lower case; an IPv6 address without brackets; of a wildcard the part after `*.`.
    host: String,
    port: Option<u16>,
}

impl AllowedHost {
    /// Reads an entry.
    ///
    /// # Errors
    /// The reason, as a clause that follows the entry.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.contains("://") || text.contains(['/', '?', '#', '@', ' ']) {
            return Err("is not a host: give the host alone, without scheme, user, path and spaces, such as api.example.com".into());
        }
        let (wildcard, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        if rest.contains('*') {
            return Err("has a wildcard in the wrong place: only *.example.com is one".into());
        }
        // The same parser that judges requests decides what a host is.
        let url =
            ProviderUrl::parse(&format!("https://{rest}")).map_err(|_| "is not a host name or address with an optional port".to_owned())?;
        let written_port = rest.rsplit_once(':').is_some_and(|(before, _)| !before.starts_with('[') || before.ends_with(']'));
        if wildcard && (!url.host().contains('.') || is_address(url.host())) {
            return Err("is too wide: a wildcard needs a domain of its own below it, such as *.example.com".into());
        }
        Ok(Self { wildcard, host: url.host().to_owned(), port: written_port.then(|| url.port()) })
    }

    /// Whether the URL may receive the credential.
    pub fn allows(&self, url: &ProviderUrl) -> bool {
        let host = if self.wildcard {
            url.host().strip_suffix(&self.host).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
        } else {
            url.host() == self.host
        };
        host && url.port() == self.port.unwrap_or(url.scheme().default_port())
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.wildcard { "*." } else { "" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{star}{open}{}{close}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn is_address(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok()
}

/// Judges the URL of a call against a secret's allowed hosts.
///
/// # Errors
/// 422 `blocked_destination`: the URL is malformed, holds user information, is neither `https` nor `http` to loopback, or its host and port
/// are not among the allowed ones. The entry's owner asks, so the answer names them.
pub fn judge(url: &str, allowed: &[String]) -> Result<(), Refusal> {
    let url = ProviderUrl::parse(url).map_err(|error| Refusal::blocked_destination(error.message()))?;
    // Entries are checked when they are stored; one that cannot be read all the same allows nothing.
    let entries: Vec<AllowedHost> = allowed.iter().filter_map(|entry| AllowedHost::parse(entry).ok()).collect();
    if entries.iter().any(|entry| entry.allows(&url)) {
        return Ok(());
    }
    let list: Vec<String> = entries.iter().map(AllowedHost::to_string).collect();
    let same_host = entries.iter().any(|entry| entry.port.is_none() && entry.host == url.host());
    let port_hint = if same_host { " (on its usual port only)" } else { "" };
    let message = format!("The secret is not bound to {}; it may be sent to {}{port_hint}.", url.authority(), list.join(", "));
    Err(Refusal::blocked_destination(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(url: &str, allowed: &[&str]) -> bool {
        let allowed: Vec<String> = allowed.iter().map(|a| (*a).to_owned()).collect();
        judge(url, &allowed).is_ok()
    }

    #[test]
    fn an_exact_host_is_exact() {
        let allowed = ["api.example.com"];
        assert!(passes("https://api.example.com/v1?x=1", &allowed));
        assert!(passes("https://API.Example.com:443", &allowed));
        for url in [
            "https://api.example.com:8443/",
            "https://example.com/",
            "https://x.api.example.com/",
            "https://api.example.com.evil.net/",
            "https://api.example.com./",
            "https://evil.net/api.example.com",
            "https://evil.net#@api.example.com",
            "https://evil.net\\@api.example.com",
            "https://api.example.com@evil.net/",
            "https://user:pw@api.example.com/",
            "http://api.example.com/",
            "ftp://api.example.com/",
            "//api.example.com/",
            "api.example.com",
            "",
            " https://api.example.com/",
            "https://api.example.com\r\n/",
        ] {
            assert!(!passes(url, &allowed), "{url}");
        }
    }

    #[test]
    fn ports_wildcards_and_addresses() {
        assert!(passes("https://api.example.com:8443/", &["api.example.com:8443"]));
        assert!(!passes("https://api.example.com/", &["api.example.com:8443"]));
        assert!(passes("https://a.example.com/", &["*.example.com"]));
        assert!(passes("https://a.b.example.com/", &["*.example.com"]));
        assert!(!passes("https://example.com/", &["*.example.com"]));
        assert!(!passes("https://badexample.com/", &["*.example.com"]));
        assert!(!passes("https://.example.com/", &["*.example.com"]));
        assert!(passes("http://127.0.0.1:9000/x", &["127.0.0.1:9000"]));
        assert!(!passes("http://127.0.0.1:9001/x", &["127.0.0.1:9000"]));
        assert!(passes("http://[::1]:9000/x", &["[::1]:9000"]));
        assert!(passes("https://[2001:DB8::1]/", &["[2001:db8:0::1]"]));
    }

    #[test]
    fn entries_that_are_no_hosts_are_refused() {
        for text in [
            "",
            "*",
            "*.",
            "*.com",
            "*.127.0.0.1",
            "a.*.com",
            "**.example.com",
            "https://a.b",
            "a.b/c",
            "a@b",
            "a b",
            "a.b:99999",
            "a.b:x",
            "[::1",
            "user:pw@h",
        ] {
            assert!(AllowedHost::parse(text).is_err(), "{text}");
        }
        for (text, shown) in [
            ("API.Example.COM", "api.example.com"),
            ("*.Example.com:8443", "*.example.com:8443"),
            ("[::1]:80", "[::1]:80"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(AllowedHost::parse(text).expect("a host").to_string(), shown);
        }
    }
}
