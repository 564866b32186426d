//! Devices: who watches them, what the watchers say, and what hosts are behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::Engine;
use crate::domain::{
    desk::parents::{Family, Watched},
    device::{
        Device, Said, Word,
        declared::Declared,
        detect_ms,
        obstacle::{Obstacle, Refusal, Reply},
        of_check,
        plan::{Plan, is_circle, plan},
        word,
    },
    event::{Answer, Effect, HostEvent},
    host::{change::HostChange, checks::Outcome},
    ids::{HostId, HostNo},
    labels::{Profile, remote_checks::RemoteChecks},
    record::{Loaded, Row},
    settings::Part,
    snapshot::{DeviceView, WatcherView},
    time::Timestamp,
};

/// Most agents that watch one device.
const WATCHERS: usize = 8;

/// What the engine knows of devices.
#[derive(Debug, Default)]
pub(super) struct Devices {
    pub(super) known: BTreeMap<HostNo, Device>,
    /// What the configuration says, whether it can be or not.
    pub(super) asked: Vec<Declared>,
    /// What it says of those that stand there, as far as that can be.
    pub(super) declared: BTreeMap<HostNo, Declared>,
    /// What hosts are behind, by host.
    pub(super) parents: BTreeMap<HostNo, HostNo>,
    plan: Plan,
    /// By device and watcher.
    said: BTreeMap<(HostNo, HostNo), Said>,
    /// Settings that agents refuse.
    refusals: BTreeMap<HostNo, Refusal>,
    /// Something changed by which watchers are chosen.
    pub(super) stale: bool,
}

impl Devices {
    pub(super) fn loaded(loaded: &Loaded) -> Self {
        let known = loaded.devices.iter().map(|device| (device.host, device.clone())).collect();
        Self { known, parents: loaded.parents.iter().copied().collect(), stale: true, ..Self::default() }
    }

    /// Whether watchers are to be chosen anew; many changes are one choice.
    pub(super) fn is_stale(&self) -> bool {
        self.stale && !(self.known.is_empty() && self.plan.watchers.is_empty())
    }

    pub(super) fn is_one(&self, host: HostNo) -> bool {
        self.known.contains_key(&host)
    }

    fn watched_by(&self, watcher: HostNo) -> impl Iterator<Item = HostNo> {
        self.plan.watching.get(&watcher).into_iter().flatten().copied()
    }
}

impl Engine {
    /// Sets what is known of a device. The host itself is known already.
    pub(super) fn set_device(
        &mut self,
        no: HostNo,
        device: Device,
        parent: Option<HostId>,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        if device.watchers.len() > WATCHERS {
            return Answer::Refused(format!("a device has at most {WATCHERS} watchers"));
        }
        if let Some(answer) = device.watchers.iter().find_map(|id| self.is_no_watcher(*id)) {
            return answer;
        }
        match self.set_parent(no, parent, effects) {
            Answer::Done => {}
            refused => return refused,
        }
        if let Some(host) = self.hosts.get_mut(&no) {
            host.set_device();
        }
        effects.push(Effect::Record(Row::Device(Box::new(device.clone()))));
        self.devices.known.insert(no, device);
        self.devices.stale = true;
        Answer::Done
    }

    fn is_no_watcher(&self, id: HostId) -> Option<Answer> {
        match self.by_id.get(&id) {
            None => Some(Answer::NotFound(format!("host {id}, which is to watch it"))),
            Some(no) if self.devices.is_one(*no) => {
                Some(Answer::Refused(format!("{} has no agent that could watch", self.name_of(*no))))
            }
            Some(_) => None,
        }
    }

    /// Sets what a host is behind; nothing takes that away.
    pub(super) fn set_parent(&mut self, child: HostNo, parent: Option<HostId>, effects: &mut Vec<Effect>) -> Answer {
        let parent = match parent.map(|id| (id, self.by_id.get(&id).copied())) {
            None => None,
            Some((id, None)) => return Answer::NotFound(format!("host {id}, which it is to be behind")),
            Some((_, Some(parent))) if !self.devices.is_one(parent) => {
                return Answer::Refused(format!(
                    "{} is no device: only devices have others behind them",
                    self.name_of(parent)
                ));
            }
            Some((_, Some(parent))) if is_circle(child, parent, &self.devices.parents) => {
                let (child, parent) = (self.name_of(child), self.name_of(parent));
                return Answer::Refused(format!(
                    "{parent} is behind {child} already: a circle of parents explains nothing"
                ));
            }
            Some((_, parent)) => parent,
        };
        if self.devices.parents.get(&child).copied() != parent {
            match parent {
                Some(parent) => drop(self.devices.parents.insert(child, parent)),
                None => drop(self.devices.parents.remove(&child)),
            }
            effects.push(Effect::Record(Row::Parent(child, parent)));
            self.devices.stale = true;
            self.dirty_hosts.insert(child);
        }
        effects.push(Effect::Publish);
        Answer::Done
    }

    pub(super) fn name_of(&self, no: HostNo) -> String {
        self.hosts.get(&no).map_or_else(|| no.to_string(), |host| host.profile.name.clone())
    }

    /// Chooses watchers anew where something changed, and has them told.
    pub(super) fn plan_watchers(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        if !self.devices.is_stale() {
            return;
        }
        self.devices.stale = false;
        let profiles = self.hosts.values().map(|host| &host.profile);
        // One of which nothing is known is asked for nothing: it might refuse.
        let is_able = |profile: &Profile| {
            profile.facts.remote_checks == RemoteChecks::Taken && !self.devices.refusals.contains_key(&profile.no)
        };
        let new = plan(profiles, &self.devices.known, &self.devices.parents, is_able);
        let old = std::mem::replace(&mut self.devices.plan, new);
        let plan = &self.devices.plan;
        let is_watched =
            |device: &HostNo, watcher: &HostNo| plan.watchers.get(device).is_some_and(|all| all.contains(watcher));
        self.devices.said.retain(|(device, watcher), _| is_watched(device, watcher));
        let level = |no: &HostNo| self.hosts.get(no).map(|host| host.profile.watch);
        let watched = plan.watchers.iter().filter_map(|(no, watchers)| {
            Some((*no, Watched { detect_ms: detect_ms(level(no)?), watchers: watchers.clone() }))
        });
        self.desk.set_family(Family::new(&self.devices.parents, watched.collect()));
        // Whose document may be another: all that watch or watched, as levels and names are in it too.
        let agents: BTreeSet<HostNo> = old.watching.keys().chain(plan.watching.keys()).copied().collect();
        let devices: Vec<HostNo> = old.watchers.keys().chain(plan.watchers.keys()).copied().collect();
        self.dirty_hosts.extend(agents.iter().chain(&devices));
        effects.push(Effect::Publish);
        let sessions = agents.iter().filter_map(|no| self.hosts.get(no)?.session());
        effects.extend(sessions.map(Effect::Settings).collect::<Vec<_>>());
        self.weigh_devices(devices, now, effects);
    }

    /// What a watcher says of devices; the rest is about itself.
    pub(super) fn take_device_outcomes(
        &mut self,
        watcher: HostNo,
        outcomes: Vec<Outcome>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Vec<Outcome> {
        let (of_devices, own): (Vec<Outcome>, Vec<Outcome>) =
            outcomes.into_iter().partition(|outcome| of_check(&outcome.check).is_some());
        let mut touched = BTreeSet::new();
        for outcome in of_devices {
            let Some(device) =
                of_check(&outcome.check).filter(|device| self.devices.watched_by(watcher).any(|no| no == *device))
            else {
                continue;
            };
            let key = (device, watcher);
            match outcome.status {
                Some(status) => {
                    let said = Said::after(self.devices.said.get(&key), outcome, status);
                    self.devices.said.insert(key, said);
                }
                None => drop(self.devices.said.remove(&key)),
            }
            touched.insert(device);
        }
        if !touched.is_empty() {
            self.dirty_hosts.extend(touched.iter().copied());
            effects.push(Effect::Publish);
            self.weigh_devices(touched, now, effects);
        }
        own
    }

    /// A watcher is heard again, or no more.
    pub(super) fn watcher_changed(
        &mut self,
        watcher: HostNo,
        change: &HostChange,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        if let HostChange::Liveness { from, to, .. } = change
            && from.counts_as_up() != to.counts_as_up()
        {
            let devices: Vec<HostNo> = self.devices.watched_by(watcher).collect();
            self.dirty_hosts.extend(&devices);
            self.weigh_devices(devices, now, effects);
        }
    }

    /// All devices as their watchers say now.
    pub(super) fn weigh_all_devices(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let devices: Vec<HostNo> = self.devices.plan.watchers.keys().copied().collect();
        self.weigh_devices(devices, now, effects);
    }

    fn weigh_devices(&mut self, devices: impl IntoIterator<Item = HostNo>, now: Timestamp, effects: &mut Vec<Effect>) {
        for device in devices {
            let Some(watchers) = self.devices.plan.watchers.get(&device) else { continue };
            let word = word(watchers.iter().filter_map(|no| {
                let watcher = self.hosts.get(no)?;
                let said = self.devices.said.get(&(device, *no));
                Some((watcher.profile.name.as_str(), watcher.state().counts_as_up(), said))
            }));
            // While hosts are given time to come back silence says nothing.
            if self.settling_until.is_some() && matches!(word, Word::Unheard(_)) {
                continue;
            }
            self.with_host(device, now, effects, |host, now| host.device_is(word, now));
        }
    }

    /// An agent answered to its settings: it may be able to watch now, or no more.
    pub(super) fn answered(&mut self, no: HostNo, reply: Reply, effects: &mut Vec<Effect>) {
        let before = self.cannot_watch(no);
        let Some(host) = self.hosts.get_mut(&no) else { return };
        let is_new = host.profile.facts.remote_checks != reply.remote_checks;
        if is_new {
            host.profile.facts.remote_checks = reply.remote_checks;
            effects.push(Effect::Record(Row::Host(Box::new(host.profile.clone()))));
        }
        if let Some(refusal) = Refusal::after(self.devices.refusals.remove(&no), reply) {
            self.devices.refusals.insert(no, refusal);
        }
        if is_new || self.cannot_watch(no) != before {
            self.devices.stale = true;
            self.dirty_hosts.insert(no);
            effects.push(Effect::Publish);
        }
    }

    /// What keeps a host's agent from watching devices, as far as is known.
    pub(super) fn cannot_watch(&self, no: HostNo) -> Option<Obstacle> {
        Obstacle::of(self.hosts.get(&no)?.profile.facts.remote_checks, self.devices.refusals.get(&no))
    }

    /// A watcher's session has begun: its welcome may have been written before it was to watch.
    pub(super) fn tell_watcher(&self, no: HostNo, event: &HostEvent, effects: &mut Vec<Effect>) {
        if let HostEvent::Opened { session, .. } = event
            && self.devices.plan.watching.contains_key(&no)
        {
            effects.push(Effect::Publish);
            effects.push(Effect::Settings(*session));
        }
    }

    /// What a watcher is told of the devices that it watches.
    pub(super) fn parts_for(&self, watcher: HostNo) -> Vec<Part> {
        let part = |no: HostNo| {
            let profile = &self.hosts.get(&no)?.profile;
            Some(self.devices.known.get(&no)?.part(&profile.name, profile.watch))
        };
        self.devices.watched_by(watcher).filter_map(part).collect()
    }

    pub(super) fn device_view(&self, no: HostNo) -> Option<Arc<DeviceView>> {
        let device = self.devices.known.get(&no)?.clone();
        let watchers = self.devices.plan.watchers.get(&no).into_iter().flatten().filter_map(|watcher| {
            let host = self.hosts.get(watcher)?;
            Some(WatcherView {
                host: *watcher,
                name: host.profile.name.clone(),
                heard: host.state().counts_as_up(),
                said: self.devices.said.get(&(no, *watcher)).cloned(),
            })
        });
        Some(Arc::new(DeviceView { device, watchers: watchers.collect() }))
    }
}
