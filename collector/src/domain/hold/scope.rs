//! What a hold covers.

use serde::{Deserialize, Serialize};

use crate::domain::labels::{Class, Profile, matches_pattern};

/// Which hosts and what about them. Everything that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Names of hosts with `*` and `?`, any of them.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Sites, any of them.
    #[serde(default)]
    pub sites: Vec<String>,
    /// Their class.
    #[serde(default)]
    pub class: Option<Class>,
    /// Labels that they have, all of them; values with `*` and `?`.
    #[serde(default)]
    pub labels: Vec<(String, String)>,
    /// Only this about them, with `*` and `?`: `liveness/host`, `check/web`, `finding/filesystem_space:*`.
    #[serde(default)]
    pub what: Option<String>,
    /// Whatever it is, the collector's own troubles too. Said so that nothing is not taken for everything.
    #[serde(default)]
    pub all: bool,
}

/// A host (or a job) as scopes and routes know it: what it says of itself alone does not count.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its display name; empty for a job that belongs to no host.
    pub name: &'a str,
    /// Where it stands.
    pub site: Option<&'a str>,
    /// What kind of machine it is; nothing where it is none.
    pub class: Option<Class>,
    /// Its labels.
    pub labels: Labels<'a>,
}

/// Labels by name.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a>(pub &'a [(String, String)]);

impl<'a> Labels<'a> {
    /// The value of a label.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// Labels of a host that somebody else than the host itself says.
#[must_use]
pub fn confirmed_labels(profile: &Profile) -> Vec<(String, String)> {
    let confirmed = profile.labels.keys().filter_map(|name| Some((name, profile.layers.confirmed(name)?)));
    confirmed.map(|(name, value)| (name.clone(), value.to_owned())).collect()
}

impl Scope {
    /// Whether nothing is said, which is no scope.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a host is meant.
    #[must_use]
    pub fn fits_host(&self, host: &Subject<'_>) -> bool {
        let any = |patterns: &[String], value: &str| patterns.iter().any(|pattern| matches_pattern(pattern, value));
        let has =
            |(name, value): &(String, String)| host.labels.get(name).is_some_and(|given| matches_pattern(value, given));
        !self.is_empty()
            && (self.hosts.is_empty() || !host.name.is_empty() && any(&self.hosts, host.name))
            && (self.sites.is_empty() || host.site.is_some_and(|site| self.sites.iter().any(|known| known == site)))
            && self.class.is_none_or(|class| Some(class) == host.class)
            && self.labels.iter().all(has)
    }

    /// Whether this about a host is meant: the key of a problem without its subject, such as `check/web`.
    #[must_use]
    pub fn fits_what(&self, what: &str) -> bool {
        self.what.as_deref().is_none_or(|pattern| matches_pattern(pattern, what))
    }

    /// Whether it asks nothing of hosts, so that it also covers what is about none.
    #[must_use]
    pub fn fits_no_host(&self) -> bool {
        let asks = !self.hosts.is_empty() || !self.sites.is_empty() || self.class.is_some() || !self.labels.is_empty();
        !asks && (self.all || self.what.is_some())
    }

    /// In words: `host web-*, site Berlin`.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        let mut list = |name: &str, values: &[String]| {
            if !values.is_empty() {
                words.push(format!("{name} {}", values.join(" or ")));
            }
        };
        list("host", &self.hosts);
        list("site", &self.sites);
        words.extend(self.class.map(|class| format!("class {}", class.word())));
        words.extend(self.labels.iter().map(|(name, value)| format!("{name}={value}")));
        words.extend(self.what.iter().map(|what| format!("only {what}")));
        if words.is_empty() { "everything".into() } else { words.join(", ") }
    }
}

/// The key of a problem without its subject: `finding/<host id>/disk:/var` is `finding/disk:/var`.
#[must_use]
pub fn what_of(key: &str) -> String {
    let mut parts = key.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(kind), Some(_), Some(what)) => format!("{kind}/{what}"),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject<'a>(name: &'a str, site: Option<&'a str>, labels: &'a [(String, String)]) -> Subject<'a> {
        Subject { name, site, class: Some(Class::Server), labels: Labels(labels) }
    }

    #[test]
    fn everything_that_is_asked_must_fit() {
        let labels = [("env".to_owned(), "prod".to_owned())];
        let web = subject("web-1", Some("Berlin"), &labels);
        let fits = |scope: &Scope| scope.fits_host(&web);
        let hosts = Scope { hosts: vec!["db-*".into(), "web-?".into()], ..Scope::default() };
        assert!(fits(&hosts));
        assert!(fits(&Scope { sites: vec!["Berlin".into()], ..hosts.clone() }));
        assert!(!fits(&Scope { sites: vec!["Kiel".into()], ..hosts.clone() }));
        assert!(fits(&Scope { labels: vec![("env".into(), "pr*".into())], ..hosts.clone() }));
        assert!(!fits(&Scope { class: Some(Class::Workstation), ..hosts.clone() }));
        assert!(!fits(&Scope::default()), "nothing said is not everything");
        assert!(fits(&Scope { all: true, ..Scope::default() }));
        assert_eq!(hosts.words(), "host db-* or web-?");
    }

    #[test]
    fn what_is_about_no_host_is_covered_only_where_hosts_are_not_asked_for() {
        assert!(Scope { all: true, ..Scope::default() }.fits_no_host());
        assert!(Scope { what: Some("self/*".into()), ..Scope::default() }.fits_no_host());
        assert!(!Scope { hosts: vec!["*".into()], ..Scope::default() }.fits_no_host());
        assert_eq!(what_of("finding/0193-a/filesystem_space:/var/lib"), "finding/filesystem_space:/var/lib");
        let disks = Scope { what: Some("finding/filesystem_*".into()), ..Scope::default() };
        assert!(disks.fits_what("finding/filesystem_space:/var") && !disks.fits_what("liveness/host"));
    }
}
