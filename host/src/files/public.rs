//! Which addresses a request that a caller caused may go to: public ones, and those that the operator has opened.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::LazyLock;

use ipnet::IpNet;

/// What IANA's special-purpose registries list as not globally reachable, multicast, and what leads to IPv4 by another
/// way. The standard library's `is_global` is not stable.
static CLOSED: LazyLock<Vec<IpNet>> = LazyLock::new(|| {
    [
        "0.0.0.0/8",       // this network
        "10.0.0.0/8",      // private
        "100.64.0.0/10",   // carriers' NAT
        "127.0.0.0/8",     // loopback
        "169.254.0.0/16",  // link-local; clouds answer here with credentials
        "172.16.0.0/12",   // private
        "192.0.0.0/24",    // protocol assignments
        "192.0.2.0/24",    // documentation
        "192.88.99.0/24",  // 6to4 relays
        "192.168.0.0/16",  // private
        "198.18.0.0/15",   // benchmarks
        "198.51.100.0/24", // documentation
        "203.0.113.0/24",  // documentation
        "224.0.0.0/4",     // multicast
        "240.0.0.0/4",     // reserved, and broadcast
        "2001::/23",       // protocol assignments, Teredo
        "2001:db8::/32",   // documentation
        "2002::/16",       // 6to4
        "3fff::/20",       // documentation
    ]
    .iter()
    .map(|net| net.parse().expect("a network written here"))
    .collect()
});

/// Of IPv6, everything that is not global unicast is closed: loopback, link-local, private and mapped addresses, NAT64,
/// multicast.
const GLOBAL_UNICAST: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Is the address one of the internet's?
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    let closed = || CLOSED.iter().any(|net| net.contains(&address));
    match address {
        IpAddr::V4(_) => !closed(),
        IpAddr::V6(v6) => {
            let (net, bits) = GLOBAL_UNICAST;
            let mask = u128::MAX << (128 - u32::from(bits));
            v6.to_bits() & mask == net.to_bits() && !closed()
        }
    }
}

/// One place that the operator has opened: a host by its name, or a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// Whatever the name resolves to.
    Host(String),
    /// Every address in it.
    Net(IpNet),
}

impl FromStr for Opened {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        match url::Host::parse(text) {
            Ok(url::Host::Domain(name)) if !text.contains(['/', ':', '*']) => Ok(Self::Host(name)),
            _ => Err("write a host's name, an address, or a network like 10.1.0.0/16".into()),
        }
    }
}

/// The places that are open besides the public ones.
#[derive(Debug, Clone, Default)]
pub struct OpenPlaces(Vec<Opened>);

impl OpenPlaces {
    /// With these opened.
    #[must_use]
    pub fn new(opened: &[Opened]) -> Self {
        Self(opened.to_vec())
    }

    /// Is every address of this name open?
    #[must_use]
    pub fn host(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.0.iter().any(|opened| match opened {
            Opened::Host(host) => host.eq_ignore_ascii_case(name),
            Opened::Net(_) => false,
        })
    }

    /// May a request go to this address?
    #[must_use]
    pub fn address(&self, address: IpAddr) -> bool {
        // An IPv4 address in IPv6's clothes is what it is inside.
        let address = match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        is_public(address)
            || self.0.iter().any(|opened| match opened {
                Opened::Host(_) => false,
                Opened::Net(net) => net.contains(&address),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_the_internet_s_addresses_are_public() {
        for public in [
            "1.1.1.1",
            "93.184.216.34",
            "100.128.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(ip(public)), "{public}");
        }
        for closed in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(ip(closed)), "{closed}");
        }
    }

    #[test]
    fn what_the_operator_opens_is_open_and_nothing_beside_it() {
        let open = |text: &str| text.parse::<Opened>().expect("a place");
        let places = OpenPlaces::new(&[
            open("Files.Internal"),
            open("10.1.0.0/16"),
            open("192.168.1.5"),
            open("fd00::/8"),
        ]);
        assert!(places.host("files.internal") && places.host("files.internal."));
        assert!(!places.host("evil.files.internal"));
        for address in [
            "10.1.9.9",
            "192.168.1.5",
            "::ffff:10.1.0.1",
            "fd00::1",
            "8.8.8.8",
            "::ffff:8.8.8.8",
        ] {
            assert!(places.address(ip(address)), "{address}");
        }
        for address in [
            "10.2.0.1",
            "192.168.1.6",
            "127.0.0.1",
            "::ffff:127.0.0.1",
            "fe80::1",
        ] {
            assert!(!places.address(ip(address)), "{address}");
        }
        for wrong in ["", "http://a", "10.0.0.0/33", "*.internal", "a b"] {
            assert!(wrong.parse::<Opened>().is_err(), "{wrong:?}");
        }
    }
}
