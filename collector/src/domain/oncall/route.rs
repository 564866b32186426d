//! Routes: which incidents lead to whom.

use crate::domain::{
    calendar::Recurring,
    hold::{Scope, Subject},
    priority::Priority,
    severity::Severity,
    time::Timestamp,
};

/// A route. The first that fits an incident decides, unless it lets the next ones have a say too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRule {
    /// Where it stands, such as `collector.toml:40`.
    pub place: String,
    /// Which incidents. Empty: all.
    pub scope: Scope,
    /// Only those of at least this severity.
    pub least: Severity,
    /// Only those of at least this priority.
    pub urgent: Option<Priority>,
    /// Only at these times.
    pub hours: Option<Recurring>,
    /// Receivers that are told at once.
    pub receivers: Vec<String>,
    /// The policy that is followed.
    pub policy: Option<String>,
    /// Whether routes after it are looked at too.
    pub go_on: bool,
}

/// An incident as routes know it.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The hosts that it is about.
    pub hosts: Vec<Subject<'a>>,
    /// Its key without its subject: `liveness/host`.
    pub what: String,
    /// How bad it is.
    pub severity: Severity,
    /// When somebody must act.
    pub priority: Priority,
}

impl About<'_> {
    /// Whether it is meant; by an empty scope everything is.
    #[must_use]
    pub fn fits(&self, scope: &Scope) -> bool {
        self.fits_hosts(scope) && scope.fits_what(&self.what)
    }

    fn fits_hosts(&self, scope: &Scope) -> bool {
        match self.hosts.as_slice() {
            _ if scope.is_empty() => true,
            [] => scope.fits_no_host(),
            hosts => hosts.iter().any(|host| scope.fits_host(host)),
        }
    }
}

impl RouteRule {
    /// Why it does not fit, or nothing when it does.
    #[must_use]
    pub fn misfit(&self, about: &About<'_>, now: Timestamp) -> Option<&'static str> {
        let checks = [
            (about.fits_hosts(&self.scope), "it is about other hosts"),
            (self.scope.fits_what(&about.what), "it is about something else"),
            (about.severity >= self.least, "it is not bad enough"),
            (self.urgent.is_none_or(|urgent| about.priority <= urgent), "it is not urgent enough"),
            (self.hours.as_ref().is_none_or(|hours| hours.at(now).is_some()), "it is for other hours"),
        ];
        checks.into_iter().find(|(fits, _)| !fits).map(|(_, why)| why)
    }
}
