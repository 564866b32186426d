//! Who watches which device: those that are named, else two agents of its site that can, chosen so that the same fleet
//! gives the same choice and few are chosen anew when it changes.

use std::collections::{BTreeMap, BTreeSet};

use super::Device;
use crate::domain::{
    ids::{HostId, HostNo},
    labels::{Admission, Class, Profile},
};

/// Agents that are chosen for a device that names none.
const CHOSEN: usize = 2;
/// A chain of parents is followed so far; a cycle is refused where it would be made.
const ANCESTORS: usize = 64;

/// Who watches which device, both ways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Watchers of each device.
    pub watchers: BTreeMap<HostNo, Vec<HostNo>>,
    /// Devices of each watcher.
    pub watching: BTreeMap<HostNo, BTreeSet<HostNo>>,
}

/// Makes the plan for these hosts, of which `devices` have no agent. Whatever is behind a device does not watch it: it
/// would fall silent with it. Only those that are able are chosen; whoever is named is meant.
#[must_use]
pub fn plan<'a>(
    hosts: impl Iterator<Item = &'a Profile>,
    devices: &BTreeMap<HostNo, Device>,
    parents: &BTreeMap<HostNo, HostNo>,
    is_able: impl Fn(&Profile) -> bool,
) -> Plan {
    let profiles: BTreeMap<HostNo, &Profile> = hosts.map(|profile| (profile.no, profile)).collect();
    let (mut of_site, mut by_id) = (BTreeMap::<Option<&str>, Vec<&Profile>>::new(), BTreeMap::<HostId, HostNo>::new());
    for profile in profiles.values().filter(|profile| can_watch(profile, devices)) {
        // Where a host only says itself that it stands decides nothing about others.
        if is_able(profile) {
            of_site.entry(profile.confirmed_site()).or_default().push(profile);
        }
        by_id.insert(profile.id, profile.no);
    }
    let mut plan = Plan::default();
    for (no, device) in devices {
        let Some(profile) = profiles.get(no).filter(|profile| profile.admission == Admission::Active) else { continue };
        let watchers: Vec<HostNo> = if device.watchers.is_empty() {
            let site = of_site.get(&profile.confirmed_site()).map(Vec::as_slice).unwrap_or_default();
            choose(profile, site, parents)
        } else {
            device.watchers.iter().filter_map(|id| by_id.get(id).copied()).collect()
        };
        for watcher in &watchers {
            plan.watching.entry(*watcher).or_default().insert(*no);
        }
        plan.watchers.insert(*no, watchers);
    }
    plan
}

fn can_watch(profile: &Profile, devices: &BTreeMap<HostNo, Device>) -> bool {
    profile.admission == Admission::Active && !devices.contains_key(&profile.no)
}

/// Servers before workstations, and among equals by what device and agent come to together.
fn choose(device: &Profile, site: &[&Profile], parents: &BTreeMap<HostNo, HostNo>) -> Vec<HostNo> {
    let behind = |host: &&&Profile| ancestors(host.no, parents).any(|ancestor| ancestor == device.no);
    let rank = |host: &&Profile| (host.class == Class::Workstation, mixed(device.id, host.id), host.no);
    let mut ranked: Vec<_> = site.iter().filter(|host| !behind(host)).map(rank).collect();
    let count = CHOSEN.min(ranked.len());
    if count < ranked.len() {
        ranked.select_nth_unstable(count);
    }
    ranked.truncate(count);
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, _, no)| no).collect()
}

/// A number of a pair of ids: its bytes through FNV-1a, then mixed once more, as ids that follow each other differ little.
fn mixed(one: HostId, other: HostId) -> u64 {
    let bytes = one.0.as_bytes().iter().chain(other.0.as_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd)
}

/// What a host is behind, nearest first.
pub fn ancestors(host: HostNo, parents: &BTreeMap<HostNo, HostNo>) -> impl Iterator<Item = HostNo> {
    std::iter::successors(parents.get(&host).copied(), |no| parents.get(no).copied()).take(ANCESTORS)
}

/// Whether `parent` above `child` would make a circle.
#[must_use]
pub fn is_circle(child: HostNo, parent: HostNo, parents: &BTreeMap<HostNo, HostNo>) -> bool {
    child == parent || ancestors(parent, parents).any(|ancestor| ancestor == child)
}
