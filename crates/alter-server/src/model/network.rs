//! Networks that requests may come from.

use std::net::IpAddr;

use ipnet::IpNet;

/// A list of networks; not empty.
///
/// ```
/// use alter_server::model::Networks;
///
/// let office = Networks::parse(&["192.0.2.0/24", "2001:db8::1"]).unwrap();
/// assert!(office.contains("192.0.2.7".parse().unwrap()));
/// assert!(office.contains("::ffff:192.0.2.7".parse().unwrap()), "the same address");
/// assert!(!office.contains("198.51.100.7".parse().unwrap()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// Most networks in one list.
pub const MOST_NETWORKS: usize = 100;

impl Networks {
    /// Reads addresses and networks in CIDR notation. Bits behind the prefix are cleared.
    ///
    /// # Errors
    /// What is wrong, as a clause that follows the list's name: how many there must be, or which entry is no network.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, String> {
        if texts.is_empty() || texts.len() > MOST_NETWORKS {
            return Err(format!("must hold 1 to {MOST_NETWORKS} networks"));
        }
        let read = |(index, text): (usize, &T)| {
            let text = text.as_ref();
            let net = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
                format!("has an entry that is no network, at position {}: write it as 192.0.2.0/24 or 2001:db8::/32", index + 1)
            })?;
            match net {
                // Addresses are compared as what they are, so such a network would never contain one.
                IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some() => {
                    Err(format!("has an IPv4-mapped network at position {}: write it as IPv4", index + 1))
                }
                net => Ok(net.trunc()),
            }
        };
        texts.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the address is in one of them. An IPv4-mapped address is the IPv4 address that it maps.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }

    /// Whether each of these networks lies within one of the others.
    pub fn is_within(&self, others: &Self) -> bool {
        self.0.iter().all(|net| others.0.iter().any(|other| other.contains(net)))
    }

    /// In CIDR notation.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl serde::Serialize for Networks {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<'de> serde::Deserialize<'de> for Networks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&<Vec<String>>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        Networks::parse(texts).expect("networks")
    }

    #[test]
    fn what_is_no_network_is_named_by_its_place() {
        for (texts, part) in [
            (&[][..], "1 to 100"),
            (&["10.0.0.0/8", "10.0.0.0/33"], "position 2"),
            (&["example.com"], "position 1"),
            (&["10.0.0.0/8 "], "position 1"),
            (&["::ffff:10.0.0.0/104"], "IPv4-mapped"),
        ] {
            let error = Networks::parse(texts).expect_err("no network");
            assert!(error.contains(part), "{texts:?}: {error}");
        }
        assert!(Networks::parse(&["10.0.0.1"; 101]).is_err());
        assert_eq!(networks(&["10.1.2.3/8", "::1"]).texts(), ["10.0.0.0/8", "::1/128"]);
    }

    #[test]
    fn a_list_is_within_another_if_each_of_its_networks_is() {
        let wide = networks(&["10.0.0.0/8", "2001:db8::/32"]);
        assert!(networks(&["10.1.0.0/16", "2001:db8:1::/48"]).is_within(&wide));
        assert!(wide.is_within(&wide));
        assert!(!networks(&["10.0.0.0/7"]).is_within(&wide));
        assert!(!networks(&["10.1.0.0/16", "192.0.2.0/24"]).is_within(&wide));
        assert!(!networks(&["0.0.0.0/0"]).is_within(&networks(&["::/0"])));
    }
}
