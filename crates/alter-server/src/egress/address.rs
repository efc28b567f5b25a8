//! Which network addresses the vault calls for others.
//!
//! A host name says nothing about where a call ends up: it may resolve to this machine, to the network behind it, or to the service that hands out a cloud
//! machine's own credentials. So the address is judged, each time one is connected to, and nothing else is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::uri::Authority;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Where clouds hand out credentials and configuration. No setting opens these.
const METADATA: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// IPv4 that is not the public internet: the special-purpose registry of RFC 6890, multicast and what is reserved.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// What of the public IPv6 space is not public either: protocol assignments (Teredo is one), documentation, and 6to4, which hides an IPv4 address.
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The public IPv6 space.
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Endings of names that mean something within a network only (RFC 6761, RFC 6762, RFC 8375, and what ICANN keeps free or networks use all the same).
const NOT_PUBLIC_NAMES: [&str; 9] = ["localhost", "local", "internal", "home.arpa", "corp", "home", "lan", "intranet", "private"];

/// Names of metadata services. No setting opens these either.
const METADATA_NAMES: [&str; 2] = ["metadata.google.internal", "instance-data.ec2.internal"];

/// The operator's list of places beyond the public internet that may be called for others: the setting `egress.allow`.
///
/// ```
/// use alter_server::egress::Destinations;
/// assert!(Destinations::parse(["127.0.0.1:8080", "crm.internal:443 in 10.0.0.0/8"]).is_ok());
/// assert!(Destinations::parse(["crm.internal:443"]).is_err(), "a name without a network says nothing");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations(Vec<Destination>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Destination {
    /// As it was given.
    text: String,
    /// In lower case, without brackets.
    host: String,
    port: u16,
    network: IpNet,
}

impl Destinations {
    /// Reads the entries: `ADDRESS:PORT`, or `HOST:PORT in NETWORK`.
    ///
    /// # Errors
    /// The first entry that is neither, and what is wrong with it.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        entries.into_iter().map(Destination::parse).collect::<Result<_, _>>().map(Self)
    }

    /// The entries as they were given.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|entry| entry.text.as_str())
    }

    /// Judges an address to which a call to `host` (in lower case, without brackets) would go.
    ///
    /// # Errors
    /// Why it is not connected to.
    pub(super) fn judge(&self, host: &str, port: u16, address: IpAddr) -> Result<(), &'static str> {
        let address = address.to_canonical();
        if METADATA.contains(&address) {
            return Err("its address is that of a cloud's metadata service, which the vault never calls");
        }
        let listed = |entry: &Destination| entry.host == host && entry.port == port && entry.network.contains(&address);
        if is_public(address) || self.0.iter().any(listed) {
            return Ok(());
        }
        Err("its address is not on the public internet; an operator may allow it with egress.allow")
    }

    /// Judges a name (in lower case) whose address only a proxy looks up. What the network of an entry says cannot be held against anything here.
    ///
    /// # Errors
    /// Why it is not connected to.
    pub(super) fn judge_name(&self, host: &str, port: u16) -> Result<(), &'static str> {
        let name = host.strip_suffix('.').unwrap_or(host);
        if METADATA_NAMES.contains(&name) {
            return Err("its name is that of a cloud's metadata service, which the vault never calls");
        }
        let below = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        let public = name.contains('.') && !NOT_PUBLIC_NAMES.into_iter().any(below);
        if public || self.0.iter().any(|entry| entry.host == host && entry.port == port) {
            return Ok(());
        }
        Err("its name is not one of the public internet; an operator may allow it with egress.allow")
    }
}

impl Destination {
    fn parse(entry: &str) -> Result<Self, String> {
        let text = entry.trim();
        let wrong = |what: &str| {
            Err(format!("must be ADDRESS:PORT, or HOST:PORT in NETWORK as in \"crm.internal:443 in 10.0.0.0/8\"; {text:?} {what}"))
        };
        let (place, network) = match text.split_once(" in ") {
            Some((place, network)) => (place.trim(), Some(network.trim())),
            None => (text, None),
        };
        let Ok(authority) = place.parse::<Authority>() else { return wrong("does not name a host") };
        let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
        let Some(port) = authority.port_u16().filter(|port| *port != 0 && !host.is_empty()) else { return wrong("names no port") };
        if authority.as_str().contains(['@', '*']) {
            return wrong("does not name a host");
        }
        let network = match (network.map(str::parse), host.parse()) {
            (Some(Ok(network)), _) => network,
            (None, Ok(address)) => IpNet::from(IpAddr::to_canonical(&address)),
            (Some(Err(_)), _) => return wrong("names no network"),
            (None, Err(_)) => return wrong("does not say in which network the host may be"),
        };
        Ok(Self { text: text.to_owned(), host, port, network })
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|(start, length)| v4(*start, *length).contains(&address)),
        IpAddr::V6(address) => {
            v6(PUBLIC_V6.0, PUBLIC_V6.1).contains(&address)
                && !NOT_PUBLIC_V6.iter().any(|(start, length)| v6(*start, *length).contains(&address))
        }
    }
}

fn v4(start: Ipv4Addr, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(start, length)
}

fn v6(start: Ipv6Addr, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(start, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(allowed: &[&str], host: &str, port: u16, address: &str) -> bool {
        let allowed = Destinations::parse(allowed.iter().copied()).expect("valid");
        allowed.judge(host, port, address.parse().expect("an address")).is_ok()
    }

    #[test]
    fn only_the_public_internet_is_called_unless_the_operator_says_so() {
        for public in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.63.255.255", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(judge(&[], "api.example.com", 443, public), "{public}");
        }
        for inside in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!judge(&[], "api.example.com", 443, inside), "{inside}");
        }
    }

    #[test]
    fn an_entry_opens_one_port_of_one_host_in_one_network() {
        let allowed = ["127.0.0.1:8080", "CRM.internal:443 in 10.0.0.0/8", "[::1]:9000"];
        assert!(judge(&allowed, "127.0.0.1", 8080, "127.0.0.1"));
        assert!(judge(&allowed, "crm.internal", 443, "10.200.0.1"));
        assert!(judge(&allowed, "::1", 9000, "::1"));
        for (host, port, address) in [
            ("127.0.0.1", 8081, "127.0.0.1"),
            ("localhost", 8080, "127.0.0.1"),
            ("crm.internal", 444, "10.0.0.1"),
            ("crm.internal", 443, "192.168.0.1"),
            ("crm.internal.evil.example", 443, "10.0.0.1"),
        ] {
            assert!(!judge(&allowed, host, port, address), "{host}:{port} at {address}");
        }
    }

    #[test]
    fn a_name_alone_is_judged_by_where_it_can_mean_something() {
        let allowed = Destinations::parse(["crm.internal:443 in 10.0.0.0/8"]).expect("valid");
        for (host, port) in [("api.example.com", 443), ("api.example.com.", 443), ("internal.example.com", 443), ("crm.internal", 443)] {
            assert_eq!(allowed.judge_name(host, port), Ok(()), "{host}");
        }
        for (host, port) in [
            ("localhost", 443),
            ("a.localhost", 443),
            ("intranet", 443),
            ("crm.internal", 444),
            ("erp.internal.", 443),
            ("printer.home.arpa", 443),
            ("metadata.google.internal", 80),
            ("metadata.google.internal.", 80),
        ] {
            assert!(allowed.judge_name(host, port).is_err(), "{host}:{port}");
        }
        let listed = Destinations::parse(["metadata.google.internal:80 in 169.254.0.0/16"]).expect("valid");
        assert!(listed.judge_name("metadata.google.internal", 80).is_err());
    }

    #[test]
    fn nothing_opens_a_metadata_service() {
        let allowed = ["169.254.169.254:80", "meta.internal:80 in 169.254.0.0/16", "[fd00:ec2::254]:80"];
        assert!(judge(&allowed, "meta.internal", 80, "169.254.1.1"));
        for (host, address) in
            [("169.254.169.254", "169.254.169.254"), ("meta.internal", "::ffff:169.254.169.254"), ("fd00:ec2::254", "fd00:ec2::254")]
        {
            assert!(!judge(&allowed, host, 80, address), "{address}");
        }
    }

    #[test]
    fn what_says_too_little_or_too_much_is_named() {
        for text in [
            "",
            "10.0.0.1",
            "crm.internal:443",
            "crm.internal in 10.0.0.0/8",
            "a:443 in 10.0.0.0/64",
            "*.internal:443 in 10.0.0.0/8",
            "u@h:1 in ::/0",
        ] {
            let error = Destinations::parse([text]).expect_err(text);
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
