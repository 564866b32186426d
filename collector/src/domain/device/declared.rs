//! Devices that stand in the configuration, and what is said of them there that cannot be as the fleet is.
//!
//! What the file says of a device holds from one start to the next: it is made, changed, and removed when it is gone from
//! there. Where the fleet contradicts the file - a host is called so, a parent or a watcher is not known - only that part
//! waits: a collector that does not start watches nobody.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Device, Probe,
    kin::{Kin, WrongParent, wrong_parents},
};
use crate::domain::{
    ids::HostNo,
    labels::{Admission, Class, Facts, Profile},
    layers::Says,
};

/// What the file says of one device. Others are named as people name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// A name or an address.
    pub address: String,
    /// How it is asked.
    pub probe: Probe,
    /// Site, watch level and labels.
    pub says: Says,
    /// The device that it is behind.
    pub parent: Option<String>,
    /// Hosts that are to watch it.
    pub watchers: Vec<String>,
    /// Where that stands: `collector.toml:12`.
    pub place: String,
}

/// Something that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Which of the devices, by its place among them.
    pub which: usize,
    /// Which key.
    pub key: &'static str,
    /// What it says.
    pub value: String,
    /// What was expected.
    pub expected: String,
}

/// The fleet by names, as far as devices of a file depend on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet(BTreeMap<String, Member>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    kind: Kind,
    parent: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It has an agent.
    Host,
    Device,
    /// It came from the file, and goes where that does not name it any more.
    OfFile,
}

impl Fleet {
    /// The fleet of these hosts; who is gone for good is no part of it.
    #[must_use]
    pub fn new<'a>(
        hosts: impl Iterator<Item = &'a Profile>,
        devices: &BTreeMap<HostNo, Device>,
        parents: &BTreeMap<HostNo, HostNo>,
    ) -> Self {
        let here = hosts.filter(|host| host.admission != Admission::Retired);
        let here: BTreeMap<HostNo, &Profile> = here.map(|host| (host.no, host)).collect();
        let member = |(no, host): (&HostNo, &&Profile)| {
            let kind = match devices.get(no) {
                Some(device) if device.place.is_some() => Kind::OfFile,
                Some(_) => Kind::Device,
                // One that was being made when the collector ended.
                None if host.class == Class::Device && host.facts == Facts::default() => Kind::OfFile,
                None => Kind::Host,
            };
            let parent = parents.get(no).and_then(|parent| here.get(parent)).map(|parent| parent.name.clone());
            (host.name.clone(), Member { kind, parent })
        };
        Self(here.iter().map(member).collect())
    }

    /// Whether a host or device is called so.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    fn kind(&self, name: &str) -> Option<Kind> {
        self.0.get(name).map(|member| member.kind)
    }

    fn kin(&self) -> Kin<'_> {
        let stays = |member: &&Member| member.kind == Kind::Device;
        let devices = self.0.iter().filter(|(_, member)| stays(member)).map(|(name, _)| name.as_str()).collect();
        let here = self.0.iter().filter(|(_, member)| member.kind != Kind::OfFile);
        let parents = here.filter_map(|(name, member)| Some((name.as_str(), member.parent.as_deref()?))).collect();
        Kin { devices, parents }
    }
}

/// Everything of these devices that cannot be in this fleet, in their order.
#[must_use]
pub fn wrong(declared: &[Declared], fleet: &Fleet) -> Vec<Wrong> {
    let named: BTreeSet<&str> = declared.iter().map(|device| device.name.as_str()).collect();
    let mut all = Vec::new();
    for (which, device) in declared.iter().enumerate() {
        let mut note = |key, value: &str, expected: &str| {
            all.push(Wrong { which, key, value: value.to_owned(), expected: expected.to_owned() });
        };
        if fleet.kind(&device.name) == Some(Kind::Host) {
            note("name", &device.name, "another name: a host with an agent is called so");
        }
        for watcher in &device.watchers {
            match fleet.kind(watcher) {
                _ if named.contains(watcher.as_str()) => note("watchers", watcher, NO_AGENT),
                Some(Kind::Host) => {}
                Some(_) => note("watchers", watcher, NO_AGENT),
                None => note("watchers", watcher, "the name of a host (muster-collector host list)"),
            }
        }
    }
    let pairs: Vec<_> = declared.iter().map(|device| (device.name.as_str(), device.parent.as_deref())).collect();
    for (which, why) in wrong_parents(&pairs, &fleet.kin()) {
        let (name, parent) = (&declared[which].name, declared[which].parent.clone().unwrap_or_default());
        let expected = match why {
            WrongParent::Unknown => "a device of this file, or one that is known (muster-collector device list)".into(),
            WrongParent::Circle => format!("no circle: {parent:?} is behind {name:?} itself"),
        };
        all.push(Wrong { which, key: "parent", value: parent, expected });
    }
    all.sort_by_key(|wrong| wrong.which);
    all
}

const NO_AGENT: &str = "a host with an agent, which could ask";
