//! To whom an agreement applies, and what was planned for them.

use std::sync::Arc;

use super::{
    amendment::Amendment,
    history::{Planned, covering, maintenance},
    inputs::Version,
    report::Declared,
};
use crate::domain::{
    calendar::Span,
    hold::{Hold, Labels, Subject, confirmed_labels},
    snapshot::{HostView, Snapshot},
};

/// The hosts that an agreement applies to, by name.
#[must_use]
pub fn subjects(declared: &Declared, snapshot: &Snapshot) -> Vec<Arc<HostView>> {
    let mut found: Vec<Arc<HostView>> =
        snapshot.hosts.values().filter(|host| applies(declared, host)).cloned().collect();
    found.sort_by(|one, other| one.profile.name.cmp(&other.profile.name));
    found
}

/// Whether an agreement applies to a host. What a host says of itself does not bring it under a contract.
#[must_use]
pub fn applies(declared: &Declared, host: &HostView) -> bool {
    let labels = confirmed_labels(&host.profile);
    declared.scope.fits_host(&subject(host, &labels))
}

/// Planned work on a host, or on this about it (`check/web`), in a stretch of time.
#[must_use]
pub fn planned(holds: &[Hold], amendments: &[Amendment], host: &HostView, what: &str, within: Span) -> Vec<Planned> {
    let labels = confirmed_labels(&host.profile);
    maintenance(holds, amendments, &subject(host, &labels), what, within)
}

/// The windows that have planned work on a host, or on this about it, in a stretch of time.
#[must_use]
pub fn laid(holds: &[Hold], host: &HostView, what: &str, within: Span) -> Vec<Version> {
    let labels = confirmed_labels(&host.profile);
    let subject = subject(host, &labels);
    let laid = covering(holds, &subject, what).filter(|hold| !hold.within(within).is_empty());
    laid.map(|hold| Version { number: hold.no.0, version: hold.version }).collect()
}

/// A host as scopes know it.
#[must_use]
pub fn subject<'a>(host: &'a HostView, labels: &'a [(String, String)]) -> Subject<'a> {
    let profile = &host.profile;
    Subject { name: &profile.name, site: profile.confirmed_site(), class: Some(profile.class), labels: Labels(labels) }
}
