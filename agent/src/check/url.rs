//! PURE: the URLs that a check may name.

use std::fmt;

use hyper::Uri;

/// An absolute URL of the two kinds that are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Over TLS.
    pub(crate) tls: bool,
    /// A name or an address, IPv6 in brackets.
    pub(crate) host: String,
    /// 1 to 65535.
    pub(crate) port: u16,
    /// With the query.
    pub(crate) path: String,
}

impl Url {
    /// Reads `http://...` or `https://...`; user names in it are refused.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let tls = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let port = match authority.port() {
            Some(port) => port.as_str().parse().ok().filter(|port| *port > 0)?,
            None if authority.as_str().ends_with(':') => return None,
            None => {
                if tls {
                    443
                } else {
                    80
                }
            }
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Some(Self {
            tls,
            host: authority.host().to_owned(),
            port,
            path: if path.starts_with('/') { path.to_owned() } else { format!("/{path}") },
        })
    }

    /// Where a `Location` leads from here (RFC 9110, 10.2.2): an absolute URL, or a path on the same server.
    pub(crate) fn join(&self, location: &str) -> Option<Self> {
        let location = location.split('#').next().unwrap_or_default();
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme()));
        }
        if location.contains("://") {
            return Self::parse(location);
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            let own = self.path.split('?').next().unwrap_or("/");
            let directory = own.rfind('/').map_or("/", |end| &own[..=end]);
            format!("{directory}{location}")
        };
        Self::parse(&format!("{}://{}:{}{path}", self.scheme(), self.host, self.port))
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// As `Host` names it: with the port unless it is the usual one.
    pub(crate) fn authority(&self) -> String {
        if self.port == if self.tls { 443 } else { 80 } {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_http_or_https_with_a_host() {
        for (text, shown) in [
            ("http://a.example", "http://a.example/"),
            ("https://a.example:8443/x?y=1", "https://a.example:8443/x?y=1"),
            ("https://a.example:443/", "https://a.example/"),
            ("http://[::1]:8080/x", "http://[::1]:8080/x"),
            ("http://a.example?q", "http://a.example/?q"),
        ] {
            assert_eq!(Url::parse(text).map(|url| url.to_string()).as_deref(), Some(shown));
        }
        for wrong in
            ["a.example", "/x", "ftp://a.example/", "http://", "http://u:p@a.example/", "http://a:0/", "http://a b/"]
        {
            assert_eq!(Url::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_location_is_followed_as_browsers_do() {
        let url = Url::parse("https://a.example:8443/x/y?q").unwrap();
        for (location, leads) in [
            ("/z", Some("https://a.example:8443/z")),
            ("z?1", Some("https://a.example:8443/x/z?1")),
            ("http://b.example/#top", Some("http://b.example/")),
            ("//b.example/z", Some("https://b.example/z")),
            ("file:///etc/passwd", None),
        ] {
            assert_eq!(url.join(location).map(|url| url.to_string()).as_deref(), leads, "{location}");
        }
    }
}
