//! Where a request came from.
//!
//! The connection says so; behind a proxy that the operator trusts, the proxy does (`X-Forwarded-For`). Nobody else is believed.

use std::net::{IpAddr, SocketAddr};

use http::request::Parts;

use crate::model::Networks;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The other end of a connection. The listener leaves it in each request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// The address of whoever sent the request: the nearest one that is no trusted proxy. `None` if it is not known, or if a trusted proxy says something
/// that is no address.
pub fn of(parts: &Parts, trusted: Option<&Networks>) -> Option<IpAddr> {
    let mut nearest = parts.extensions.get::<Peer>()?.0.to_canonical();
    let lines: Vec<&str> = parts.headers.get_all(FORWARDED_FOR).iter().map(|line| line.to_str().ok()).collect::<Option<_>>()?;
    let said = lines.iter().flat_map(|line| line.split(',')).collect::<Vec<_>>();
    for entry in said.into_iter().rev() {
        if !trusted.is_some_and(|trusted| trusted.contains(nearest)) {
            break;
        }
        nearest = address(entry.trim())?;
    }
    Some(nearest)
}

/// An address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip())).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: Option<&str>, said: &[&str], trusted: &[&str]) -> Option<String> {
        let mut request = http::Request::get("/");
        for line in said {
            request = request.header(FORWARDED_FOR, *line);
        }
        let (mut parts, ()) = request.body(()).expect("valid headers").into_parts();
        if let Some(peer) = peer {
            parts.extensions.insert(Peer(peer.parse().expect("an address")));
        }
        let trusted = Networks::parse(trusted).ok();
        of(&parts, trusted.as_ref()).map(|address| address.to_string())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let said = ["203.0.113.9, 198.51.100.7"];
        assert_eq!(seen(Some("192.0.2.1"), &said, &[]).as_deref(), Some("192.0.2.1"));
        assert_eq!(seen(Some("192.0.2.1"), &said, &["10.0.0.0/8"]).as_deref(), Some("192.0.2.1"));
        assert_eq!(seen(Some("10.0.0.1"), &said, &["10.0.0.0/8"]).as_deref(), Some("198.51.100.7"));
        assert_eq!(seen(Some("10.0.0.1"), &["203.0.113.9", "10.0.0.2"], &["10.0.0.0/8"]).as_deref(), Some("203.0.113.9"));
        assert_eq!(seen(Some("10.0.0.1"), &[], &["10.0.0.0/8"]).as_deref(), Some("10.0.0.1"));
        assert_eq!(seen(None, &said, &["10.0.0.0/8"]), None);
    }

    #[test]
    fn addresses_are_read_as_proxies_write_them() {
        let through = |said: &str| seen(Some("::ffff:10.0.0.1"), &[said], &["10.0.0.0/8"]);
        for (said, address) in [
            ("192.0.2.7:4711", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
        ] {
            assert_eq!(through(said).as_deref(), Some(address), "{said}");
        }
        for said in ["unknown", "", "192.0.2.7 192.0.2.8", "192.0.2.7,"] {
            assert_eq!(through(said), None, "{said}");
        }
    }
}
