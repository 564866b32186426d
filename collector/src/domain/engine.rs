//! Runs the host machines and the desk: `apply(event, now) -> effects`. One writer, synchronous, no clock.

mod audit;
mod declared;
mod devices;
mod labelling;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use self::{audit::audit, devices::Devices};
use super::{
    assets::Assets,
    changed::{self, Changed},
    desk::{Desk, DeskStep},
    device::Device,
    event::{Answer, CloseReason, Command, Effect, Event, HostEvent, Principal},
    heartbeat::Heartbeat,
    host::{
        Cause, State,
        change::{HostChange, Step},
        machine::Host,
    },
    ids::{HostId, HostNo, IncidentNo},
    label_rule::HostRule,
    labels::{Admission, Profile},
    oncall::Roster,
    record::{AuditRow, Loaded, Row},
    snapshot::Snapshot,
    time::Timestamp,
};

/// Hosts are waited for at least this long after the collector was away.
const SETTLE_MS: i64 = 10_000;
/// And at most this long: an agent that has been refused for a while tries again within 60 s, and then has to shake hands.
const SETTLE_MOST_MS: i64 = 70_000;
/// And for so many times as long as we were away: an agent waits at random up to twice as long each time, so that what it
/// waits next may be some times what it has waited so far. Seen: of 1 000 agents 10 came back 52 to 56 s after 20 s.
const AWAY_TIMES: i64 = 6;
/// After a restore elsewhere hosts may have to try what the lost collector listened at first, each try up to a minute after the
/// one before, and a dead address takes a while to be given up.
const SETTLE_MOVED_MS: i64 = 300_000;
/// So many hosts a second are expected to come back.
const BACK_PER_SECOND: i64 = 500;

/// The engine.
#[derive(Debug)]
pub struct Engine {
    hosts: BTreeMap<HostNo, Host>,
    by_id: BTreeMap<HostId, HostNo>,
    due: BTreeSet<(Timestamp, HostNo)>,
    at_address: BTreeMap<IpAddr, usize>,
    desk: Desk,
    rules: Arc<[HostRule]>,
    assets: Assets,
    settling_until: Option<Timestamp>,
    waited_for: usize,
    snapshot: Snapshot,
    dirty_hosts: BTreeSet<HostNo>,
    dirty_incidents: BTreeSet<IncidentNo>,
    dirty_holds: bool,
    dirty_heartbeats: bool,
    dirty_dismissals: bool,
    devices: Devices,
}

impl Engine {
    /// An engine as loaded. Its effects are to be carried out like those of any event.
    #[must_use]
    pub fn new(loaded: &Loaded, roster: Roster, now: Timestamp) -> (Self, Vec<Effect>) {
        let mut engine = Self {
            hosts: BTreeMap::new(),
            by_id: BTreeMap::new(),
            due: BTreeSet::new(),
            at_address: BTreeMap::new(),
            desk: Desk::loaded(loaded, roster),
            rules: Arc::default(),
            assets: loaded.assets.clone(),
            settling_until: None,
            waited_for: 0,
            snapshot: Snapshot { at: now, started: now, last_ran: loaded.last_ran, ..Snapshot::default() },
            dirty_hosts: BTreeSet::new(),
            dirty_incidents: BTreeSet::new(),
            dirty_holds: true,
            dirty_heartbeats: false,
            dirty_dismissals: true,
            devices: Devices::loaded(loaded),
        };
        let mut effects = Vec::new();
        for profile in &loaded.hosts {
            let mut step = Step::default();
            let mut host = Host::loaded(profile.clone(), loaded, now, &mut step);
            if engine.devices.is_one(profile.no) {
                host.set_device();
            }
            engine.insert(host, now);
            effects.append(&mut step.effects);
        }
        engine.desk.problems_without_hosts_go(&engine.hosts.keys().copied().collect(), &mut effects);
        let unreachable: Vec<(HostNo, String)> = engine
            .hosts
            .iter()
            .filter_map(|(no, host)| match host.standing() {
                (State::Unreachable, _, Cause::Cut(scope), _) => Some((*no, scope.clone())),
                _ => None,
            })
            .collect();
        let step = engine.desk.reopen_cuts(&unreachable, now);
        engine.desk_step(step, now, &mut effects);
        let step = engine.desk.regroup(now);
        engine.desk_step(step, now, &mut effects);
        let all: Vec<IncidentNo> = engine.desk.incidents().map(|incident| incident.row.no).collect();
        engine.dirty_incidents.extend(all);
        engine.desk.weigh_holds(now);
        engine.desk.wait_for_senders(now);
        let step = engine.desk.test_people(now);
        engine.desk_step(step, now, &mut effects);
        engine.settle(loaded.last_ran.map_or(0, |last| now.since_ms(last)), now);
        engine.plan_watchers(now, &mut effects);
        effects.push(Effect::Publish);
        engine.refresh(now);
        (engine, effects)
    }

    /// Labels all hosts by the configuration's rules from now on. Its effects are to be carried out like those of any event.
    pub fn rule(&mut self, rules: Vec<HostRule>, now: Timestamp) -> Vec<Effect> {
        self.rules = rules.into();
        let mut effects = Vec::new();
        self.rule_all(now, &mut effects);
        self.refresh(now);
        effects
    }

    /// Watches over these jobs of other people from now on; what was said while no collector ran was not heard. Its effects
    /// are to be carried out like those of any event.
    pub fn expect(&mut self, jobs: Vec<Heartbeat>, last_ran: Option<Timestamp>, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        let step = self.desk.expect(jobs, last_ran, now);
        self.desk_step(step, now, &mut effects);
        self.refresh(now);
        effects
    }

    /// Applies one event.
    pub fn apply(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Host(no, event) => self.host(no, event, now, &mut effects),
            Event::Enrolled(profile) => self.enrolled(*profile, now, &mut effects),
            Event::Operator { by, command, reply } => {
                let answer = self.command(&by, &command, now, &mut effects);
                effects.push(Effect::Reply(reply, answer));
            }
            Event::Delivered { page, outcome } => {
                let step = self.desk.delivered(page, &outcome, now);
                self.desk_step(step, now, &mut effects);
            }
            Event::Settings(hosts) => {
                let sessions = hosts.iter().filter_map(|no| self.hosts.get(no)?.session());
                effects.extend(sessions.map(Effect::Settings));
            }
            Event::Changed { hosts, changed } => {
                hosts.into_iter().for_each(|no| self.desk.note_change(no, changed.clone(), &mut effects));
            }
            Event::Tick => self.tick(now, &mut effects),
            Event::Stalled { from, to } => self.stalled(from, to, &mut effects),
            Event::Stepped { by_ms } => self.stepped(by_ms, now, &mut effects),
            Event::Burn(burns) => {
                let step = self.desk.burn(&burns, now);
                self.desk_step(step, now, &mut effects);
            }
            Event::Batches(batches) => {
                let step = self.desk.batches(&batches, now);
                self.desk_step(step, now, &mut effects);
            }
            Event::SelfCheck { what, trouble } => {
                let step = self.desk.self_check(&what, trouble, now);
                self.desk_step(step, now, &mut effects);
            }
        }
        self.refresh(now);
        effects
    }

    /// When something is due next.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let hosts = self.due.first().map(|(at, _)| *at);
        let settled = self.settling_until.map(|until| if self.waited_for == 0 { Timestamp::default() } else { until });
        let plan = self.devices.is_stale().then(Timestamp::default);
        [hosts, self.desk.due(), settled, plan].into_iter().flatten().min()
    }

    /// The present picture; publish it only after the records of its batch are durable.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.clone()
    }

    fn insert(&mut self, host: Host, now: Timestamp) {
        let no = host.profile.no;
        self.by_id.insert(host.profile.id, no);
        self.desk.know(&host.profile, host.state(), now);
        if let Some(peer) = address(&host) {
            *self.at_address.entry(peer).or_insert(0) += 1;
        }
        if let Some(due) = host.due() {
            self.due.insert((due, no));
        }
        self.hosts.insert(no, host);
        self.dirty_hosts.insert(no);
    }

    /// Hosts are given time to come back: the longer we were away, the further apart their tries to connect are.
    fn settle(&mut self, away_ms: i64, now: Timestamp) {
        let awaited = self.hosts.values().filter(|host| host.waited_for()).count();
        if awaited == 0 {
            return;
        }
        let spread_ms = i64::try_from(self.hosts.len()).unwrap_or(i64::MAX) * 1_000 / BACK_PER_SECOND;
        let until = now.plus_ms((SETTLE_MS + spread_ms).max(away_ms.saturating_mul(AWAY_TIMES)).min(SETTLE_MOST_MS));
        self.waited_for = awaited;
        self.settle_until(until);
    }

    fn settle_until(&mut self, until: Timestamp) {
        self.settling_until = Some(until);
        self.snapshot.settling_until = Some(until);
        self.desk.hold(until);
    }

    /// Records that were `restored` from a backup, perhaps elsewhere, give hosts longer to come back. Over early when all are.
    pub fn await_longer(&mut self, restored: bool, now: Timestamp) {
        if restored && self.settling_until.is_some() {
            self.settle_until(now.plus_ms(SETTLE_MOVED_MS));
        }
    }

    fn settled(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.settling_until = None;
        self.snapshot.settling_until = None;
        self.desk.hold(now);
        let waited: Vec<HostNo> = self.hosts.iter().filter(|(_, host)| host.waited_for()).map(|(no, _)| *no).collect();
        for no in waited {
            self.with_host(no, now, effects, |host, now| {
                let mut step = Step::default();
                host.not_back(now, &mut step);
                step
            });
        }
        self.weigh_all_devices(now, effects);
        effects.push(Effect::Publish);
    }

    fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.plan_watchers(now, effects);
        if self.settling_until.is_some_and(|until| until <= now || self.waited_for == 0) {
            self.settled(now, effects);
        }
        while let Some((at, no)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, no));
            self.with_host(no, now, effects, |host, now| host.tick(now));
        }
        let step = self.desk.tick(now);
        self.desk_step(step, now, effects);
    }

    fn stalled(&mut self, from: Timestamp, to: Timestamp, effects: &mut Vec<Effect>) {
        let all: Vec<HostNo> = self.hosts.keys().copied().collect();
        for no in all {
            self.with_host(no, to, effects, |host, now| {
                let mut step = Step::default();
                host.away(from, now, &mut step);
                step
            });
        }
        let step = self.desk.jobs_unheard(from, to);
        self.desk_step(step, to, effects);
        self.desk.wait_for_senders(to);
        self.settle(to.since_ms(from), to);
        effects.push(Effect::Publish);
    }

    /// Everything that is due moves with the clock; what was being suspected is waited for anew.
    fn stepped(&mut self, by_ms: i64, now: Timestamp, effects: &mut Vec<Effect>) {
        self.settling_until = self.settling_until.map(|until| until.plus_ms(by_ms));
        self.desk.stepped(by_ms, effects);
        let all: Vec<HostNo> = self.hosts.keys().copied().collect();
        for no in all {
            self.with_host(no, now, effects, |host, now| {
                host.stepped(by_ms, now);
                Step::default()
            });
        }
    }

    fn enrolled(&mut self, profile: Profile, now: Timestamp, effects: &mut Vec<Effect>) {
        let no = profile.no;
        if let Some(host) = self.hosts.get_mut(&no) {
            // Installed anew: whoever still speaks with the old certificate is not this host any more.
            effects.extend(host.session().map(|session| Effect::Close(session, CloseReason::Superseded)));
            host.profile = profile;
            self.dirty_hosts.insert(no);
        } else {
            self.insert(Host::enrolled(profile, now), now);
        }
        self.devices.stale = true;
        self.awaited(no, now, effects);
        self.watcher_enrolled(no, now, effects);
        effects.push(Effect::Publish);
    }

    fn host(&mut self, no: HostNo, event: HostEvent, now: Timestamp, effects: &mut Vec<Effect>) {
        let own = if let HostEvent::Opened { labels, .. } = &event { Some(labels.clone()) } else { None };
        let event = match event {
            HostEvent::Answered(reply) => return self.answered(no, reply, effects),
            HostEvent::Checked { outcomes } => {
                HostEvent::Checked { outcomes: self.take_device_outcomes(no, outcomes, now, effects) }
            }
            event => event,
        };
        self.tell_watcher(no, &event, effects);
        self.with_host(no, now, effects, |host, now| host.step(event, now));
        if let Some(own) = own {
            self.seen(no, &own, now, effects);
        }
    }

    fn with_host(
        &mut self,
        no: HostNo,
        now: Timestamp,
        effects: &mut Vec<Effect>,
        apply: impl FnOnce(&mut Host, Timestamp) -> Step,
    ) {
        let Some(host) = self.hosts.get_mut(&no) else { return };
        let (before, before_due, waited) = (address(host), host.due(), host.waited_for());
        host.set_sharing(host.peer().and_then(|peer| self.at_address.get(&peer)).copied().unwrap_or(1));
        let step = apply(host, now);
        let (after, after_due) = (address(host), host.due());
        if waited && !host.waited_for() {
            self.waited_for = self.waited_for.saturating_sub(1);
        }
        if before_due != after_due {
            before_due.map(|due| self.due.remove(&(due, no)));
        }
        after_due.map(|due| self.due.insert((due, no)));
        if before != after {
            self.moved(before, after);
        }
        if !step.changes.is_empty() || !step.effects.is_empty() {
            self.dirty_hosts.insert(no);
        }
        effects.extend(step.effects);
        for change in step.changes {
            self.tell_desk(no, &change, now, effects);
        }
    }

    fn moved(&mut self, before: Option<IpAddr>, after: Option<IpAddr>) {
        if let Some(count) = before.and_then(|peer| self.at_address.get_mut(&peer)) {
            *count = count.saturating_sub(1);
        }
        if let Some(peer) = before
            && self.at_address.get(&peer) == Some(&0)
        {
            self.at_address.remove(&peer);
        }
        if let Some(peer) = after {
            *self.at_address.entry(peer).or_insert(0) += 1;
        }
    }

    fn tell_desk(&mut self, no: HostNo, change: &HostChange, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(host) = self.hosts.get(&no) else { return };
        let step = self.desk.host_changed(&host.profile, change, now);
        self.desk_step(step, now, effects);
        self.watcher_changed(no, change, now, effects);
    }

    fn desk_step(&mut self, step: DeskStep, now: Timestamp, effects: &mut Vec<Effect>) {
        for no in step.touched {
            self.dirty_hosts.extend(self.desk.hosts_of(no));
            self.dirty_incidents.insert(no);
        }
        self.dirty_holds |= step.holds;
        self.dirty_heartbeats |= step.heartbeats;
        self.dirty_dismissals |= step.dismissals;
        effects.extend(step.effects);
        for order in step.for_hosts {
            for no in order.hosts {
                self.host(no, order.event.clone(), now, effects);
            }
        }
    }

    fn command(&mut self, by: &Principal, command: &Command, now: Timestamp, effects: &mut Vec<Effect>) -> Answer {
        let answer = match command {
            // These say in the log which hosts they changed, and how.
            Command::Label { hosts, says } => return self.label(by, hosts, says, now, effects),
            Command::Assets { rows } => return self.import(by, rows, now, effects),
            // What is said each minute is no change that somebody made: incidents keep it.
            Command::Alerts(_) => {
                let (step, answer) = self.desk.command(by, command, now);
                self.desk_step(step, now, effects);
                return answer;
            }
            Command::Admit { host, .. } | Command::Device { host, .. } | Command::Parent { host, .. } => {
                let Some(no) = self.by_id.get(host).copied() else {
                    return Answer::NotFound(format!("host {host}"));
                };
                if let Some(refused) = self.said_by_file(no, command) {
                    return refused;
                }
                let answer = match command {
                    Command::Admit { admission, .. } => self.admit(no, *admission, now, effects),
                    Command::Device { device, parent, .. } => {
                        self.set_device(no, Device { host: no, ..(**device).clone() }, *parent, effects)
                    }
                    Command::Parent { parent, .. } => self.set_parent(no, *parent, effects),
                    _ => Answer::Refused("not about one host".into()),
                };
                if answer == Answer::Done {
                    let AuditRow { action, detail, who, .. } = audit(by, command, now);
                    let changed = Changed::new(now, changed::Kind::Person, &format!("{action}: {detail}"), Some(who));
                    self.desk.note_change(no, changed, effects);
                }
                answer
            }
            Command::AreYouThere => return Answer::Done,
            // What a job says is no change by a person.
            Command::Ping(_) => {
                let (step, answer) = self.desk.command(by, command, now);
                self.desk_step(step, now, effects);
                return answer;
            }
            _ => {
                let (step, answer) = self.desk.command(by, command, now);
                self.desk_step(step, now, effects);
                answer
            }
        };
        if matches!(answer, Answer::Done | Answer::Made(_)) {
            effects.push(Effect::Record(Row::Audit(audit(by, command, now))));
        }
        answer
    }

    fn admit(&mut self, no: HostNo, admission: Admission, now: Timestamp, effects: &mut Vec<Effect>) -> Answer {
        self.host(no, HostEvent::Admitted(admission), now, effects);
        self.devices.stale = true;
        if let Some(host) = self.hosts.get(&no) {
            effects.push(Effect::Record(Row::Host(Box::new(host.profile.clone()))));
        }
        effects.push(Effect::Publish);
        self.dirty_hosts.insert(no);
        Answer::Done
    }
}

/// Where a host counts as one that shares an address: what answers there may be another, up or down (or the gateway).
fn address(host: &Host) -> Option<IpAddr> {
    host.peer().filter(|_| host.profile.admission == Admission::Active)
}

#[cfg(test)]
mod tests;
