//! A script lived through: agents that beat, keep their alive logs and connect again; an engine on a clock that the world
//! moves, over a store that outlives it.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use muster_collector::domain::{
    calendar::Span,
    engine::Engine,
    event::{AliveProof, Command, Effect, Ending, Event, HostEvent, Look, Principal, ReplyId, Why},
    hold::{Hold, Kind, Scope, When},
    host::{State, ledger::OpenSpan},
    ids::{HoldNo, HostId, HostNo, SessionId},
    labels::{Admission, Class, Facts, Profile},
    layers::{Layer, Layers},
    oncall::Roster,
    record::Row,
    time::Timestamp,
    watch::Watch,
};

use super::{
    keeper::Keeper,
    script::{AT_FIRST, BUSY_MS, HOSTS, QUIET_MS, START_MS, STEP_MS, Script, What},
};

/// The kernel gives a silent connection up after this: before the silence is noticed, after it, or (relaxed) long after.
const GIVEN_UP_MS: [i64; 2] = [4_000, 9_000];
const GIVEN_UP_RELAXED_MS: i64 = 93_000;
/// Between two entries of an alive log while nobody listens, and while somebody does.
const ALONE_MS: i64 = 10_000;
const CALM_MS: i64 = 300_000;
/// From a boot, or the end of a cut, to the next try to connect.
const BACK_MS: i64 = 300;
/// A look's answer takes this long.
const LOOK_MS: i64 = 200;
/// Ten seconds that hosts are waited for, ten until one that cannot be looked at is given up, and five in which silences are
/// counted together.
const SHAKY_MS: i64 = 25_000;
/// Nothing can be said of this host by looking at it.
const VEILED: usize = 2;

struct Machine {
    no: HostNo,
    watch: Watch,
    boot: u8,
    /// What was wrong with it in the last step.
    trouble: Option<What>,
    session: Option<SessionId>,
    /// The stream is open, its first readings are under way.
    greets: bool,
    heard: i64,
    told_silent: bool,
    /// Since when nothing that it says arrives.
    mute_since: Option<i64>,
    tries_at: i64,
    /// When its agent was started; the life that it tells, and the last entry of its log.
    started: i64,
    lives_since: i64,
    logged: i64,
    /// Its agent was not started anew at the beginning of this life: the machine slept.
    resumed: bool,
    /// When it last told its life. It forgets that only when the session has lasted.
    told_at: i64,
    earlier: Vec<AliveProof>,
}

impl Machine {
    /// The session on which its agent can say something: one of its present run that nothing keeps from arriving.
    fn speaks(&self) -> Option<SessionId> {
        self.session.filter(|_| self.mute_since.is_none() && !self.greets && self.started <= self.heard)
    }
}

/// A time in which it is not known how a silence went on, because the collector was killed in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doubt {
    pub(crate) host: HostNo,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// The world of one script.
pub(crate) struct Life<'a> {
    script: &'a Script,
    now: i64,
    machines: Vec<Machine>,
    engine: Engine,
    pub(crate) keeper: Keeper,
    sessions: i64,
    /// The last message of each host that this run of the collector has heard.
    heard: BTreeMap<HostNo, Timestamp>,
    looks: Vec<(i64, HostNo, i64, Look)>,
    /// Events of this instant so far.
    applied: u64,
    /// After which of them the collector is killed.
    kill_after: Option<u64>,
    is_killed: bool,
    /// Silences at the instants at which it may be killed.
    pub(crate) doubts: Vec<Doubt>,
    /// Until then whoever is in doubt may fall due in the same moment as others, which looks like a cut; that lasts.
    shaky_until: i64,
}

impl<'a> Life<'a> {
    pub(crate) fn new(script: &'a Script, mut keeper: Keeper) -> Self {
        let machines: Vec<Machine> = (0..HOSTS).map(machine).collect();
        keeper
            .commit(machines.iter().enumerate().map(|(index, one)| Row::Host(Box::new(profile(index, one)))).collect());
        let (engine, effects) = Engine::new(&keeper.load(), Roster::default(), Timestamp::from_ms(START_MS));
        let mut life = Self {
            script,
            now: START_MS,
            machines,
            engine,
            keeper,
            sessions: 0,
            heard: BTreeMap::new(),
            looks: Vec::new(),
            applied: 0,
            kill_after: None,
            is_killed: false,
            doubts: Vec::new(),
            shaky_until: 0,
        };
        life.carry_out(effects);
        life
    }

    /// Lives it through, with or without the kills of the script.
    pub(crate) fn run(&mut self, with_kills: bool) {
        while self.now < START_MS + BUSY_MS + QUIET_MS {
            self.now += STEP_MS;
            self.applied = 0;
            let mut kills = self.script.kills.iter().filter(|(at, _)| *at == self.now);
            let kill = kills.next().map(|(_, after)| *after);
            self.kill_after = kill.filter(|_| with_kills);
            self.fates();
            let stalled = self.script.stalls.iter().any(|(from, until)| (*from..*until).contains(&self.now));
            if kill.is_some() && !stalled {
                self.all_speak();
            }
            if !stalled {
                self.collector_lives();
            }
            if self.kill_after.take().is_some() && !stalled && !self.is_killed {
                self.kill();
            }
            self.is_killed = false;
            if kill.is_some() && !stalled {
                // Hello and first readings at once: neither collector hears later of anybody than the other.
                self.connections();
                self.connections();
            }
        }
    }

    /// The open ends of all ledgers.
    pub(crate) fn open(&self) -> BTreeMap<HostNo, OpenSpan> {
        self.engine.snapshot().hosts.iter().map(|(no, host)| (*no, host.observed.clone())).collect()
    }

    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    fn collector_lives(&mut self) {
        if let Some((from, until)) = self.script.stalls.iter().copied().find(|(_, until)| *until == self.now) {
            self.machines.iter_mut().for_each(|machine| machine.told_silent = machine.session.is_some());
            let (from, to) = (Timestamp::from_ms(from), Timestamp::from_ms(until));
            self.apply(Event::Stalled { from, to });
        }
        self.windows();
        self.partings();
        self.connections();
        self.beats();
        self.silences();
        self.answers();
        self.apply(Event::Tick);
    }

    /// What happens to machines, whether or not anybody watches.
    fn fates(&mut self) {
        for index in 0..HOSTS {
            let trouble = self.script.trouble(index, self.now);
            let is_cut = self.script.is_cut(index, self.now);
            let machine = &mut self.machines[index];
            if machine.trouble.is_none() && trouble.is_some() {
                let (from, to) = (Timestamp::from_ms(machine.lives_since), Timestamp::from_ms(machine.logged));
                let (boot_id, resumed) = ([machine.boot; 16], machine.resumed);
                machine.earlier.push(AliveProof { boot_id, from, to, clean_end: false, resumed });
            }
            if let Some(was) = machine.trouble.filter(|_| trouble.is_none()) {
                machine.boot += u8::from(was.boots());
                machine.resumed = was == What::Sleep;
                (machine.started, machine.lives_since, machine.logged) = (self.now, self.now, self.now);
                machine.tries_at = self.now + BACK_MS;
            }
            machine.trouble = trouble;
            let mute = is_cut || trouble.is_some();
            if machine.mute_since.is_some() && !mute {
                machine.tries_at = self.now + BACK_MS;
            }
            let shaky = self.now <= self.shaky_until || self.doubts.iter().any(|doubt| doubt.until == i64::MAX);
            if mute && machine.mute_since.is_none() && shaky {
                self.doubts.push(Doubt { host: machine.no, from: machine.heard, until: i64::MAX });
            }
            machine.mute_since = if mute { machine.mute_since.or(Some(self.now)) } else { None };
            let alone = machine.session.is_none() || machine.mute_since.is_some();
            if !alone && self.now - machine.told_at >= CALM_MS {
                machine.earlier.clear();
                machine.lives_since = machine.told_at;
            }
            if trouble.is_none() && self.now - machine.logged >= if alone { ALONE_MS } else { CALM_MS } {
                machine.logged = self.now;
            }
        }
    }

    /// Whoever can says something: whether or not the collector is killed now, it has heard the same so far. Of the others
    /// nothing is in doubt if all of them are known to be away: one of whom that is not known may draw others into a cut.
    fn all_speak(&mut self) {
        let states: BTreeMap<HostNo, State> =
            self.engine.snapshot().hosts.iter().map(|(no, host)| (*no, host.state)).collect();
        let (mut silent, mut doubted) = (Vec::new(), false);
        for index in 0..HOSTS {
            let machine = &mut self.machines[index];
            if let Some(session) = machine.speaks() {
                machine.logged = self.now;
                self.heard(index, session);
                continue;
            }
            silent.push(Doubt { host: machine.no, from: machine.heard, until: i64::MAX });
            doubted |=
                machine.session.is_some() || matches!(states[&machine.no], State::Up | State::Suspect | State::Unknown);
        }
        if doubted {
            self.doubts.append(&mut silent);
            self.shaky_until = self.now + SHAKY_MS;
        }
    }

    fn windows(&mut self) {
        let (script, now) = (self.script, self.now);
        for (host, from, until) in script.windows.iter().copied().filter(|(_, from, _)| *from == now) {
            let scope = Scope { hosts: vec![name(host)], ..Scope::default() };
            let when = When::Once(Span { from: Timestamp::from_ms(from), until: Timestamp::from_ms(until) });
            let hold = Hold {
                no: HoldNo(0),
                version: 0,
                kind: Kind::Maintenance,
                scope,
                when,
                reason: "new disks".into(),
                change: "CHG1".into(),
                by: String::new(),
                made: Timestamp::from_ms(self.now),
                ended: None,
                outcome: None,
                own: None,
            };
            let by = Principal { name: "ana".into(), via: "web".into(), address: None };
            self.apply(Event::Operator { by, command: Command::AddHold(Box::new(hold)), reply: ReplyId(1) });
        }
    }

    /// Goodbyes, closed and given-up connections.
    fn partings(&mut self) {
        for index in 0..HOSTS {
            let is_cut = self.script.is_cut(index, self.now);
            let machine = &self.machines[index];
            let Some((session, since)) = machine.session.zip(machine.mute_since) else { continue };
            let (no, proof) = (machine.no, Timestamp::from_ms(machine.heard));
            let is_relaxed = machine.watch == Watch::Relaxed;
            let given_up_ms = if is_relaxed { GIVEN_UP_RELAXED_MS } else { GIVEN_UP_MS[index % 2] };
            let how = match machine.trouble {
                Some(What::Kill) if since == self.now && !is_cut => Ending::Fin,
                Some(What::Reboot) if since == self.now && !is_cut => Ending::Goodbye(Why::Reboot),
                Some(What::Shutdown) if since == self.now && !is_cut => Ending::Goodbye(Why::Shutdown),
                Some(What::Sleep) if since == self.now && !is_cut => Ending::Goodbye(Why::Sleep),
                _ if self.now - since >= given_up_ms => Ending::TimedOut,
                _ => continue,
            };
            self.machines[index].session = None;
            self.apply(Event::Host(no, HostEvent::Ended { session, how, proof }));
        }
    }

    fn connections(&mut self) {
        for index in 0..HOSTS {
            let machine = &self.machines[index];
            if machine.mute_since.is_some() || self.now < machine.tries_at {
                continue;
            }
            if let Some(session) = machine.session.filter(|_| machine.greets) {
                (self.machines[index].greets, self.machines[index].told_silent) = (false, true);
                self.heard(index, session);
            } else if machine.session.is_none() || machine.started > machine.heard {
                self.connect(index);
            }
        }
    }

    fn connect(&mut self, index: usize) {
        self.sessions += 1;
        let session = SessionId(self.sessions);
        let (now, machine) = (self.now, &mut self.machines[index]);
        let (no, boot_id) = (machine.no, [machine.boot; 16]);
        let mut alive = machine.earlier.clone();
        let (from, to) = (Timestamp::from_ms(machine.lives_since), Timestamp::from_ms(now));
        let resumed = machine.resumed;
        alive.push(AliveProof { boot_id, from, to, clean_end: false, resumed });
        // The session before may not have ended for the collector, unless that was started since.
        let heard_before = self.heard.insert(no, Timestamp::from_ms(now));
        (machine.session, machine.greets, machine.heard, machine.told_silent) = (Some(session), true, now, false);
        (machine.logged, machine.told_at) = (now, now);
        let peer = IpAddr::from([10, 0, 0, u8::try_from(no.0).unwrap()]);
        let facts = Box::new(Facts { name: name(index), ..Facts::default() });
        let labels = Vec::new();
        self.apply(Event::Host(no, HostEvent::Opened { session, boot_id, peer, heard_before, alive, facts, labels }));
    }

    fn beats(&mut self) {
        for index in 0..HOSTS {
            let machine = &self.machines[index];
            let beat_ms = i64::from(machine.watch.timers().beat_ms);
            let phase = i64::try_from(index).unwrap() * 700;
            if let Some(session) = machine.speaks()
                && (self.now - START_MS + phase) % beat_ms < STEP_MS
            {
                self.heard(index, session);
            }
        }
    }

    fn heard(&mut self, index: usize, session: SessionId) {
        let machine = &mut self.machines[index];
        machine.heard = self.now;
        let no = machine.no;
        self.heard.insert(no, Timestamp::from_ms(self.now));
        let was_silent = std::mem::take(&mut machine.told_silent);
        let open = self.doubts.iter_mut().filter(|doubt| doubt.host == no && doubt.until == i64::MAX);
        open.for_each(|doubt| doubt.until = self.now);
        if was_silent {
            self.apply(Event::Host(no, HostEvent::Heard { session }));
        }
    }

    fn silences(&mut self) {
        for index in 0..HOSTS {
            let machine = &mut self.machines[index];
            let silent = self.now - machine.heard >= machine.watch.timers().suspect_ms;
            if let Some(session) = machine.session.filter(|_| silent && !machine.told_silent) {
                machine.told_silent = true;
                let (no, proof) = (machine.no, Timestamp::from_ms(machine.heard));
                self.apply(Event::Host(no, HostEvent::Silent { session, proof }));
            }
        }
    }

    fn answers(&mut self) {
        let due: Vec<_> = self.looks.iter().copied().filter(|look| look.0 <= self.now).collect();
        self.looks.retain(|look| look.0 > self.now);
        for (_, host, look, answer) in due {
            self.apply(Event::Host(host, HostEvent::Looked { look, answer }));
        }
    }

    fn apply(&mut self, event: Event) {
        let effects = self.engine.apply(event, Timestamp::from_ms(self.now));
        self.carry_out(effects);
        if self.kill_after == Some(self.applied) && !self.is_killed {
            self.kill();
        }
        self.applied += 1;
    }

    /// Ends the collector and starts another on what it has kept, at the same instant. Agents connect again at once.
    fn kill(&mut self) {
        self.is_killed = true;
        self.kill_after = None;
        self.looks.clear();
        self.heard.clear();
        for machine in &mut self.machines {
            (machine.session, machine.greets, machine.told_silent) = (None, false, false);
        }
        self.keeper.kill(Timestamp::from_ms(self.now));
        let (engine, effects) = Engine::new(&self.keeper.load(), Roster::default(), Timestamp::from_ms(self.now));
        self.engine = engine;
        self.carry_out(effects);
    }

    /// Record, then act.
    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut rows = Vec::new();
        for effect in effects {
            match effect {
                Effect::Record(row) => rows.push(row),
                Effect::Look { host, look, .. } => {
                    let index = usize::try_from(host.0 - 1).unwrap();
                    let off = self.machines[index].trouble.is_some_and(What::is_off);
                    let answer = match index {
                        VEILED => Look::CannotTell,
                        _ if off || self.script.is_cut(index, self.now) => Look::Silent,
                        _ => Look::Answers,
                    };
                    self.looks.push((self.now + LOOK_MS, host, look, answer));
                }
                _ => {}
            }
        }
        if !rows.is_empty() {
            self.keeper.commit(rows);
        }
    }
}

fn machine(index: usize) -> Machine {
    let watch = match index {
        3 => Watch::Fast,
        7 => Watch::Relaxed,
        _ => Watch::Normal,
    };
    Machine {
        no: HostNo(i64::try_from(index).unwrap() + 1),
        watch,
        boot: 1,
        trouble: None,
        session: None,
        greets: false,
        heard: START_MS,
        told_silent: false,
        mute_since: None,
        tries_at: START_MS,
        started: START_MS,
        lives_since: START_MS,
        logged: START_MS,
        resumed: false,
        told_at: START_MS,
        earlier: Vec::new(),
    }
}

fn name(index: usize) -> String {
    format!("host-{}", index + 1)
}

fn profile(index: usize, machine: &Machine) -> Profile {
    let site = if index < AT_FIRST { "north" } else { "south" };
    let said = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let token = said(&[("site", site), ("watch", machine.watch.word())]);
    Profile {
        no: machine.no,
        id: HostId::from_str(&format!("00000000-0000-7000-8000-{:012}", machine.no.0)).unwrap(),
        name: name(index),
        class: Class::Server,
        site: Some(site.into()),
        watch: machine.watch,
        labels: BTreeMap::new(),
        layers: Layers::default().with(Layer::Guess, &said(&[("class", "server")])).with(Layer::Token, &token),
        admission: Admission::Active,
        facts: Facts::default(),
    }
}
