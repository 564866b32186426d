//! From where this machine speaks to the world.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use super::Host;

/// Addresses that are nobody's (RFC 5737, RFC 3849) and a port that discards: nothing is sent, only the route is asked for.
const ELSEWHERE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];
const DISCARD: u16 = 9;

impl Host {
    /// The addresses from which this machine speaks to the world, IPv4 and IPv6; none where there is no route to it.
    #[must_use]
    pub fn speaks_from(&self) -> [Option<IpAddr>; 2] {
        if !self.is_live() {
            return [None; 2];
        }
        ELSEWHERE.map(|elsewhere| {
            let own: IpAddr =
                if elsewhere.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let socket = UdpSocket::bind(SocketAddr::new(own, 0)).ok()?;
            socket.connect(SocketAddr::new(elsewhere, DISCARD)).ok()?;
            Some(socket.local_addr().ok()?.ip())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_machine_speaks_from_nowhere() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Host::captured(root.path().into(), None).speaks_from(), [None; 2]);
    }
}
