//! To whom an agreement applies, and what was planned for them.

use std::sync::Arc;

use super::{
    amendment::Amendment,
    history::{Planned, covering, maintenance},
    inputs::Version,
    report::Declared,
    service::Service,
};
use crate::domain::{
    calendar::Span,
    hold::{Hold, Labels, Scope, Subject, confirmed_labels},
    snapshot::{HostView, Snapshot},
};

/// The hosts that an agreement applies to or that its services are made of, by name.
#[must_use]
pub fn subjects(declared: &Declared, snapshot: &Snapshot) -> Vec<Arc<HostView>> {
    let mut found: Vec<Arc<HostView>> =
        snapshot.hosts.values().filter(|host| applies(declared, host)).cloned().collect();
    found.sort_by(|one, other| one.profile.name.cmp(&other.profile.name));
    found
}

/// Whether an agreement applies to a host, or to a service that is made of it. What a host says of itself does not bring it
/// under a contract.
#[must_use]
pub fn applies(declared: &Declared, host: &HostView) -> bool {
    match declared.services.is_empty() {
        true => fits(&declared.scope, host),
        false => declared.whole_services().any(|service| has_hosts(service) && fits(&service.scope, host)),
    }
}

/// The hosts of a service itself, of these.
pub fn hosts_of<'a>(service: &Service, hosts: &'a [Arc<HostView>]) -> impl Iterator<Item = &'a Arc<HostView>> {
    let some = hosts.iter().filter(|_| has_hosts(service));
    some.filter(|host| fits(&service.scope, host))
}

/// Who names no hosts means none, not all.
fn has_hosts(service: &Service) -> bool {
    !service.scope.is_empty()
}

fn fits(scope: &Scope, host: &HostView) -> bool {
    let labels = confirmed_labels(&host.profile);
    scope.fits_host(&subject(host, &labels))
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
