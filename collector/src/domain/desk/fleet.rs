//! What the desk knows of each host, and how many of a site are up: kept as it changes, never counted anew.

use std::collections::BTreeMap;

use super::parents::Family;
use crate::domain::{
    hold::{Labels, Subject, confirmed_labels},
    host::State,
    ids::HostNo,
    labels::{Class, Profile},
    redundancy::Group,
    time::Timestamp,
    watch::Watch,
};

/// All hosts, as the desk knows them.
#[derive(Debug, Default)]
pub struct Fleet {
    hosts: BTreeMap<HostNo, Member>,
    /// By display name in lower case.
    names: BTreeMap<String, HostNo>,
    sites: BTreeMap<String, Tally>,
    all: Tally,
    /// Who is behind whom.
    pub(super) family: Family,
    /// Groups of which hosts are behind any.
    alternatives: Vec<Group>,
}

/// One host.
#[derive(Debug)]
pub struct Member {
    /// Display name.
    pub name: String,
    /// Where it stands; a host's own word does not make it part of a site's cut.
    pub site: Option<String>,
    /// How closely it is watched.
    pub watch: Watch,
    /// Observed state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Last proof of life, as of its last suspicion.
    pub proof: Timestamp,
    /// What kind of machine it is. A device has no agent, and never falls silent: it does not count for a cut.
    pub class: Class,
    /// Labels that somebody else than the host itself says.
    pub labels: Vec<(String, String)>,
}

impl Member {
    /// Whether it has no agent.
    #[must_use]
    pub fn is_device(&self) -> bool {
        self.class == Class::Device
    }

    /// The host as scopes and routes know it.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject { name: &self.name, site: self.site.as_deref(), class: Some(self.class), labels: Labels(&self.labels) }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    hosts: usize,
    up: usize,
}

impl Tally {
    fn add(&mut self, up: bool) {
        self.hosts += 1;
        self.up += usize::from(up);
    }

    fn take(&mut self, up: bool) {
        self.hosts -= 1;
        self.up -= usize::from(up);
    }
}

impl Fleet {
    /// Nobody yet; hosts may be behind any of these groups.
    pub(super) fn behind(alternatives: Vec<Group>) -> Self {
        Self { alternatives, ..Self::default() }
    }

    /// Groups that hosts are behind.
    pub(super) fn alternatives(&self) -> &[Group] {
        &self.alternatives
    }

    /// Takes over name, site and level; a new host is unknown.
    pub fn know(&mut self, profile: &Profile, now: Timestamp) {
        let (state, since, proof) = self
            .hosts
            .get(&profile.no)
            .map_or((State::Unknown, now, now), |known| (known.state, known.since, known.proof));
        let (name, site) = (profile.name.clone(), profile.confirmed_site().map(str::to_owned));
        let (class, labels, watch) = (profile.class, confirmed_labels(profile), profile.watch);
        self.put(profile.no, Member { name, site, watch, state, since, proof, class, labels });
    }

    /// Takes over a state.
    pub fn turn(&mut self, host: HostNo, state: State, since: Timestamp) {
        let Some(member) = self.hosts.get_mut(&host) else { return };
        let (was, is) = (member.state.counts_as_up(), state.counts_as_up());
        (member.state, member.since) = (state, since);
        if was != is && !member.is_device() {
            let site = member.site.as_ref().and_then(|site| self.sites.get_mut(site));
            for tally in site.into_iter().chain([&mut self.all]) {
                tally.take(was);
                tally.add(is);
            }
        }
    }

    /// Takes over the last proof of life.
    pub fn proven(&mut self, host: HostNo, proof: Timestamp) {
        if let Some(member) = self.hosts.get_mut(&host) {
            member.proof = proof;
        }
    }

    /// One host.
    #[must_use]
    pub fn get(&self, host: HostNo) -> Option<&Member> {
        self.hosts.get(&host)
    }

    /// The host with this display name, in whatever case.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<HostNo> {
        self.names.get(&name.to_lowercase()).copied()
    }

    /// All hosts.
    pub fn iter(&self) -> impl Iterator<Item = (HostNo, &Member)> {
        self.hosts.iter().map(|(no, member)| (*no, member))
    }

    /// How many hosts a site (or, without one, the fleet) has.
    #[must_use]
    pub fn hosts_in(&self, site: Option<&str>) -> usize {
        self.tally(site).hosts
    }

    /// How many of them are up.
    #[must_use]
    pub fn up_in(&self, site: Option<&str>) -> usize {
        self.tally(site).up
    }

    fn tally(&self, site: Option<&str>) -> Tally {
        site.map_or(self.all, |site| self.sites.get(site).copied().unwrap_or_default())
    }

    fn put(&mut self, host: HostNo, member: Member) {
        let up = member.state.counts_as_up();
        if !member.is_device() {
            if let Some(site) = &member.site {
                self.sites.entry(site.clone()).or_default().add(up);
            }
            self.all.add(up);
        }
        if let Some(old) = self.hosts.get(&host).filter(|old| old.name != member.name) {
            self.names.remove(&old.name.to_lowercase());
        }
        self.names.insert(member.name.to_lowercase(), host);
        if let Some(old) = self.hosts.insert(host, member).filter(|old| !old.is_device()) {
            let was_up = old.state.counts_as_up();
            self.all.take(was_up);
            if let Some(tally) = old.site.as_ref().and_then(|site| self.sites.get_mut(site)) {
                tally.take(was_up);
            }
        }
    }
}
