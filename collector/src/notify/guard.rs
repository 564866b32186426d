//! The guard against being sent to places that nobody means (server-side request forgery).
//!
//! What the administrator wrote in the configuration file is taken as its literal address, private and loopback
//! included. Never without an explicit `allow`: link-local addresses and cloud metadata services, multicast,
//! unspecified and broadcast. A name is checked again each time it resolves: it may lead into the private network,
//! where the receivers of most companies stand, but to loopback only if it is called `localhost`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use reqwest::Url;

use crate::domain::network::Network;

/// Metadata services outside the link-local ranges: AWS over IPv6, Alibaba, Azure's wire server, Oracle.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
];

/// A URL whose path or query is a credential. Neither `Debug` nor any message shows more than its host.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Hides all but the host of `url`.
    #[must_use]
    pub const fn new(url: Url) -> Self {
        Self(url)
    }

    /// The URL itself, for the one place that uses it.
    #[must_use]
    pub const fn expose(&self) -> &Url {
        &self.0
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}/(hidden)", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

/// Which addresses a receiver may be sent to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    allow: Vec<Network>,
}

/// Why an address or URL is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// No URL that could be posted to.
    #[error("a URL that begins with http:// or https:// and names a host")]
    NotHttp,
    /// A user or password in the URL.
    #[error("a URL without user and password; put a URL that is a secret into a file and set url_file")]
    Credentials,
    /// An address in disguise, such as `http://2130706433`.
    #[error("the address written plainly: http://{0} and not an octal, hexadecimal or shortened form of it")]
    Disguised(Ipv4Addr),
    /// An address that is never meant.
    #[error("another address: {0} is {1}; if it is really meant add allow = [\"{0}\"]")]
    Forbidden(IpAddr, &'static str),
}

impl Guard {
    /// A guard that lets pass what is in `allow` besides what is harmless.
    #[must_use]
    pub fn new(allow: Vec<Network>) -> Self {
        Self { allow }
    }

    /// Takes a URL that the administrator wrote.
    ///
    /// # Errors
    /// [`GuardError`] says what was expected instead.
    pub fn url(&self, text: &str) -> Result<Url, GuardError> {
        let url = Url::parse(text).map_err(|_| GuardError::NotHttp)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(GuardError::NotHttp);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(GuardError::Credentials);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(GuardError::NotHttp)?;
        if let Ok(ip) = host.parse::<Ipv4Addr>() {
            if !written_plainly(text, ip) {
                return Err(GuardError::Disguised(ip));
            }
            self.literal(ip.into())?;
        } else if let Ok(ip) = host.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
            self.literal(ip.into())?;
        }
        Ok(url)
    }

    /// Checks an address that the administrator wrote.
    ///
    /// # Errors
    /// [`GuardError::Forbidden`]
    pub fn literal(&self, ip: IpAddr) -> Result<(), GuardError> {
        match never(canonical(ip)) {
            Some(why) if !self.allows(ip) => Err(GuardError::Forbidden(ip, why)),
            _ => Ok(()),
        }
    }

    /// Checks an address to which `name` resolved just now.
    ///
    /// # Errors
    /// [`GuardError::Forbidden`]
    pub fn resolved(&self, name: &str, ip: IpAddr) -> Result<(), GuardError> {
        self.literal(ip)?;
        let local = name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
        if canonical(ip).is_loopback() && !local && !self.allows(ip) {
            return Err(GuardError::Forbidden(ip, "this machine under another name"));
        }
        Ok(())
    }

    fn allows(&self, ip: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(canonical(ip)))
    }
}

/// Whether the host in `text` is `ip` in the usual form. The URL standard also reads `2130706433`, `0x7f.1` and `127.1`
/// as addresses, which no filter before us would recognise.
fn written_plainly(text: &str, ip: Ipv4Addr) -> bool {
    let rest = text.trim().split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default();
    host == ip.to_string()
}

/// The address that is really reached: IPv4 inside IPv6 (mapped, NAT64, 6to4) is unwrapped.
fn canonical(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let s = v6.segments();
    let inner = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match s {
        _ if v6.to_ipv4_mapped().is_some() => inner(s[6], s[7]),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => inner(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => inner(high, low),
        _ => ip,
    }
}

/// Why an address is never meant, if so.
fn never(ip: IpAddr) -> Option<&'static str> {
    if METADATA.contains(&ip) {
        return Some("a cloud metadata service");
    }
    let link_local = match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if link_local {
        return Some("link-local, where cloud metadata services stand");
    }
    if ip.is_multicast() {
        return Some("a multicast address");
    }
    let nowhere = match ip {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    nowhere.then_some("no address of a machine")
}

/// Resolves names for the HTTP client and drops nothing silently: one forbidden address refuses the name.
#[derive(Debug, Clone)]
pub(super) struct Resolver(pub(super) Guard);

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                guard.resolved(name.as_str(), address.ip())?;
            }
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> GuardError {
        Guard::default().url(url).expect_err(url)
    }

    #[test]
    fn what_the_administrator_wrote_is_taken_as_its_literal_address() {
        for url in [
            "http://127.0.0.1:8080/hook",
            "http://[::1]:8080/",
            "https://10.1.2.3/x?y=z",
            "http://pager.corp.example/hook",
            "http://localhost:9093",
        ] {
            assert!(Guard::default().url(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn metadata_link_local_multicast_and_unspecified_are_refused_in_every_spelling() {
        for url in [
            "http://169.254.169.254/latest/meta-data",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://100.100.100.200/",
            "http://[::ffff:169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://224.0.0.1/",
            "http://[ff02::1]/",
            "http://0.0.0.0:80/",
            "http://[::]/",
            "http://255.255.255.255/",
        ] {
            assert!(matches!(refused(url), GuardError::Forbidden(..)), "{url}");
        }
        let guard = Guard::new(vec!["169.254.169.254".parse().unwrap()]);
        assert!(guard.url("http://169.254.169.254/hook").is_ok());
        assert!(guard.url("http://169.254.169.253/hook").is_err());
    }

    #[test]
    fn disguised_addresses_are_refused() {
        for url in [
            "http://2130706433/",
            "http://0x7f.1/",
            "http://127.1:80/",
            "http://0177.0.0.1/",
            "http://%31%32%37.0.0.1/",
        ] {
            assert_eq!(refused(url), GuardError::Disguised(Ipv4Addr::LOCALHOST), "{url}");
        }
    }

    #[test]
    fn other_schemes_and_credentials_are_refused() {
        for url in ["ftp://example.org/", "file:///etc/passwd", "example.org/hook", "http://", ""] {
            assert_eq!(refused(url), GuardError::NotHttp, "{url}");
        }
        assert_eq!(refused("https://user:hunter2@example.org/"), GuardError::Credentials);
    }

    #[test]
    fn a_name_may_resolve_into_the_private_network_but_not_to_this_machine() {
        let guard = Guard::default();
        assert!(guard.resolved("pager.corp.example", "10.0.0.7".parse().unwrap()).is_ok());
        assert!(guard.resolved("localhost", "::1".parse().unwrap()).is_ok());
        assert!(guard.resolved("rebound.example", "127.0.0.1".parse().unwrap()).is_err());
        assert!(guard.resolved("rebound.example", "::ffff:127.0.0.1".parse().unwrap()).is_err());
        assert!(guard.resolved("localhost", "169.254.169.254".parse().unwrap()).is_err());
    }

    #[test]
    fn a_url_that_is_a_secret_prints_its_host_only() {
        let url = SecretUrl::new(Guard::default().url("https://hooks.example.org/T0/hunter2?sig=hunter2").unwrap());
        assert_eq!(format!("{url:?}"), "https://hooks.example.org/(hidden)");
    }

    #[test]
    fn networks_contain_up_to_their_edges() {
        let network: Network = "10.1.0.0/16".parse().unwrap();
        assert!(network.contains("10.1.255.255".parse().unwrap()));
        assert!(!network.contains("10.2.0.0".parse().unwrap()));
        assert!(!network.contains("::1".parse().unwrap()));
        assert!("::/0".parse::<Network>().unwrap().contains("fe80::1".parse().unwrap()));
        for wrong in ["10.0.0.0/33", "10.0.0", "x/8", "10.0.0.0/-1", "::/129"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
