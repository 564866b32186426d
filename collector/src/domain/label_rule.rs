//! `[[host_rule]]`: labels for hosts whose name, address or system fits.

use std::net::IpAddr;

use super::{labels::matches_pattern, layers::Says, network::Network};

/// One rule. What it does not name fits every host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostRule {
    /// Host name with `*` and `?`.
    pub name: Option<String>,
    /// Where its agent's sessions come from.
    pub address: Option<Network>,
    /// System, such as `windows`, or its release, such as `debian*`, with `*` and `?`.
    pub os: Option<String>,
    /// What it gives.
    pub says: Says,
}

/// A host as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Display name.
    pub name: &'a str,
    /// Where it was last.
    pub address: Option<IpAddr>,
    /// `linux`, `windows`, `macos`.
    pub os: &'a str,
    /// The release's pretty name.
    pub os_release: &'a str,
}

impl HostRule {
    fn fits(&self, subject: &Subject<'_>) -> bool {
        self.name.as_deref().is_none_or(|pattern| matches_pattern(pattern, subject.name))
            && self.address.is_none_or(|range| subject.address.is_some_and(|ip| range.contains(ip.to_canonical())))
            && self.os.as_deref().is_none_or(|pattern| {
                matches_pattern(pattern, subject.os) || matches_pattern(pattern, subject.os_release)
            })
    }
}

/// What all rules together say of a host; later ones win.
#[must_use]
pub fn says(rules: &[HostRule], subject: &Subject<'_>) -> Says {
    let fitting = rules.iter().filter(|rule| rule.fits(subject));
    fitting.flat_map(|rule| &rule.says).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: Option<&str>, address: Option<&str>, os: Option<&str>, site: &str) -> HostRule {
        HostRule {
            name: name.map(str::to_owned),
            address: address.map(|range| range.parse().unwrap()),
            os: os.map(str::to_owned),
            says: [("site".to_owned(), site.to_owned())].into(),
        }
    }

    fn site(rules: &[HostRule], name: &str, address: Option<&str>, os: &str) -> Option<String> {
        let address = address.map(|text| text.parse().unwrap());
        says(rules, &Subject { name, address, os, os_release: "Debian GNU/Linux 12" }).remove("site")
    }

    #[test]
    fn all_that_a_rule_names_has_to_fit() {
        let rules = [rule(Some("DB-*"), Some("10.1.0.0/16"), Some("linux"), "berlin")];
        assert_eq!(site(&rules, "db-1", Some("10.1.255.255"), "linux").as_deref(), Some("berlin"));
        assert_eq!(site(&rules, "db-1", Some("::ffff:10.1.0.0"), "linux").as_deref(), Some("berlin"));
        for (name, address, os) in [
            ("web-1", Some("10.1.0.1"), "linux"),
            ("db-1", Some("10.2.0.0"), "linux"),
            ("db-1", None, "linux"),
            ("db-1", Some("10.1.0.1"), "windows"),
        ] {
            assert_eq!(site(&rules, name, address, os), None, "{name} {address:?} {os}");
        }
        assert_eq!(site(&[rule(None, None, Some("debian*"), "x")], "any", None, "linux").as_deref(), Some("x"));
    }

    #[test]
    fn later_rules_win() {
        let rules = [rule(Some("*"), None, None, "all"), rule(Some("db-?"), None, None, "databases")];
        assert_eq!(site(&rules, "db-1", None, "linux").as_deref(), Some("databases"));
        assert_eq!(site(&rules, "db-10", None, "linux").as_deref(), Some("all"));
    }
}
