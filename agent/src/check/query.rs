//! PURE: what a check may ask a name server.

use std::net::{IpAddr, SocketAddr};

/// The port of name servers.
const PORT: u16 = 53;

/// What is asked of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// An IPv4 address.
    A,
    /// A name server.
    Ns,
    /// Another name.
    Cname,
    /// The name of an address.
    Ptr,
    /// A mail server.
    Mx,
    /// A text.
    Txt,
    /// An IPv6 address.
    Aaaa,
}

impl Record {
    pub(super) const EXPECTED: &str = "\"A\", \"AAAA\", \"CNAME\", \"MX\", \"NS\", \"PTR\" or \"TXT\"";
    pub(crate) const ALL: [(&'static str, Self, u16); 7] = [
        ("A", Self::A, 1),
        ("NS", Self::Ns, 2),
        ("CNAME", Self::Cname, 5),
        ("PTR", Self::Ptr, 12),
        ("MX", Self::Mx, 15),
        ("TXT", Self::Txt, 16),
        ("AAAA", Self::Aaaa, 28),
    ];

    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, ..)| *name == word).map(|(_, record, _)| *record)
    }

    /// Its number (IANA, Resource Record TYPEs).
    pub(crate) fn number(self) -> u16 {
        Self::ALL.iter().find(|(_, record, _)| *record == self).map_or(0, |(.., number)| *number)
    }

    /// Its name.
    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, record, _)| *record == self).map_or("", |(word, ..)| word)
    }
}

/// Whether a text can be asked for.
pub(super) fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

/// An address with or without a port.
pub(crate) fn server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, PORT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_servers_are_checked() {
        for fine in ["a", "a.example", "_ldap._tcp.a.example.", "xn--bcher-kva.example"] {
            assert!(is_name(fine), "{fine}");
        }
        for wrong in ["", ".", "a..b", "a b", "ü.example", &"a".repeat(64)] {
            assert!(!is_name(wrong), "{wrong}");
        }
        assert_eq!(server("192.0.2.1"), Some("192.0.2.1:53".parse().unwrap()));
        assert_eq!(server("[::1]:5353"), Some("[::1]:5353".parse().unwrap()));
        assert_eq!(server("ns.example"), None);
    }
}
