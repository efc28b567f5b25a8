//! The operator's list of hosts that may be called without TLS.

use http::uri::Authority;

/// Hosts, each with or without a port: `idp.internal`, `idp.internal:8080`, `10.1.2.3:80`. Without a port every port is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpHosts(Vec<Authority>);

impl HttpHosts {
    /// Reads the entries.
    ///
    /// # Errors
    /// The first entry that is not `HOST` or `HOST:PORT`, and what is wrong with it.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let read = |text: &str| {
            let wrong = || format!("must be hosts such as idp.internal or idp.internal:8080, and {text:?} is not one");
            let authority: Authority = text.trim().parse().map_err(|_| wrong())?;
            let plain = !authority.as_str().contains(['@', '*']) && !authority.host().is_empty();
            let port_fits = authority.as_str() == authority.host() || authority.port_u16().is_some_and(|port| port != 0);
            if plain && port_fits { Ok(authority) } else { Err(wrong()) }
        };
        entries.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The entries as they were given.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Authority::as_str)
    }

    /// Whether a host with its port is on the list.
    pub(super) fn admits(&self, called: &Authority) -> bool {
        let port = called.port_u16().unwrap_or(80);
        self.0
            .iter()
            .any(|listed| listed.host().eq_ignore_ascii_case(called.host()) && listed.port_u16().is_none_or(|allowed| allowed == port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_host_is_admitted_on_its_port() {
        let hosts = HttpHosts::parse(["idp.internal", " Other.internal:8080", "[fd00::1]:80"]).expect("valid");
        let admits = |text: &str| hosts.admits(&text.parse().expect("an authority"));
        for called in ["idp.internal", "IDP.internal:9000", "other.internal:8080", "[fd00::1]"] {
            assert!(admits(called), "{called}");
        }
        for called in ["other.internal", "other.internal:80", "x.idp.internal", "idp.internal.evil.example", "[fd00::1]:81"] {
            assert!(!admits(called), "{called}");
        }
    }

    #[test]
    fn what_is_no_host_is_named() {
        for text in ["", "*", "*.internal", "http://idp", "user@idp", "idp:0", "idp:x", "idp/path", "a b"] {
            let error = HttpHosts::parse([text]).expect_err(text);
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
