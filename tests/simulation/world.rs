//! The world: hosts with a true state, a network that breaks, a collector that crashes at its commits, a receiver.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use muster_collector::domain::{
    engine::Engine,
    event::{Effect, Ending, Event, HostEvent, Look, Outcome, Why},
    ids::{HostId, HostNo, SessionId},
    labels::{Admission, Class, Facts, Profile},
    layers::{Layer, Layers},
    oncall::{Messenger, Roster},
    record::{Delivery, Page, PageKind, Row},
    severity::Severity,
    time::Timestamp,
    watch::Watch,
};

use crate::memory::Memory;

/// One step of the world; as often as slots are swept.
const STEP_MS: i64 = 100;
/// Trouble happens in this time ...
const BUSY_MS: i64 = 240_000;
/// ... and then everything heals and is given this time to be told.
const QUIET_MS: i64 = 240_000;
/// An outage that lasts this long while the collector runs must be paged: 9 s to see, 30 s to page, settling.
const MUST_PAGE_MS: i64 = 60_000;
const HOSTS: i64 = 14;
const START_MS: i64 = 1_790_000_000_000;

/// A page as the receiver got it the first time.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) incident: i64,
    pub(crate) receiver: String,
    pub(crate) kind: PageKind,
    pub(crate) at: i64,
    pub(crate) host: String,
    pub(crate) details: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    Fine,
    /// The machine is dead: nothing answers.
    Dead,
    /// The agent is gone, the kernel answers.
    NoAgent,
    /// The agent hangs, the kernel answers.
    Hung,
    /// It said that it reboots.
    Rebooting,
}

struct Machine {
    no: HostNo,
    name: String,
    watch: Watch,
    site: usize,
    truth: Truth,
    until: i64,
    /// Times in which it was truly not fine: from, to.
    outages: Vec<(i64, i64)>,
    session: Option<SessionId>,
    reconnect_at: i64,
    heard: i64,
    told_silent: bool,
    boot: u8,
}

/// The simulated world.
pub(crate) struct World {
    seed: u64,
    random: u64,
    now: i64,
    machines: Vec<Machine>,
    cut_until: Vec<i64>,
    cuts: Vec<(usize, i64, i64)>,
    engine: Option<Engine>,
    back_at: i64,
    ran: Vec<(i64, i64)>,
    sessions: i64,
    looks: Vec<(i64, HostNo, i64, i64)>,
    outbox: BTreeMap<i64, Page>,
    pub(crate) memory: Memory,
    pub(crate) told: Vec<Told>,
    seen: BTreeMap<String, ()>,
    crash_in: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = Self {
            seed,
            random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15),
            now: START_MS,
            machines: Vec::new(),
            cut_until: vec![0; 2],
            cuts: Vec::new(),
            engine: None,
            back_at: START_MS,
            ran: Vec::new(),
            sessions: 0,
            looks: Vec::new(),
            outbox: BTreeMap::new(),
            memory: Memory::default(),
            told: Vec::new(),
            seen: BTreeMap::new(),
            crash_in: 0,
        };
        world.crash_in = 20 + world.dice(200);
        for index in 0..HOSTS {
            let machine = world.machine(index);
            let profile = profile(&machine);
            world.memory.hosts.insert(machine.no, profile);
            world.machines.push(machine);
        }
        world
    }

    fn machine(&mut self, index: i64) -> Machine {
        let watch = match self.dice(6) {
            0 => Watch::Fast,
            1 => Watch::Relaxed,
            _ => Watch::Normal,
        };
        Machine {
            no: HostNo(index + 1),
            name: format!("host-{}", index + 1),
            watch,
            site: usize::try_from(index % 2).unwrap(),
            truth: Truth::Fine,
            until: 0,
            outages: Vec::new(),
            session: None,
            reconnect_at: START_MS,
            heard: START_MS,
            told_silent: false,
            boot: 1,
        }
    }

    /// splitmix64
    fn dice(&mut self, sides: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    pub(crate) fn run(&mut self) {
        let end = START_MS + BUSY_MS + QUIET_MS;
        while self.now < end {
            self.now += STEP_MS;
            let busy = self.now < START_MS + BUSY_MS && self.now > START_MS + 20_000;
            if busy {
                self.trouble();
            }
            self.heal();
            self.collector();
            self.agents();
            self.sweep();
            self.deliver();
        }
    }

    fn trouble(&mut self) {
        if self.dice(150) == 0 {
            let which = usize::try_from(self.dice(HOSTS.unsigned_abs())).unwrap();
            let lasts = i64::try_from(1_000 + self.dice(4) * self.dice(40_000)).unwrap();
            let truth = [Truth::Dead, Truth::NoAgent, Truth::Hung, Truth::Rebooting, Truth::Dead]
                [usize::try_from(self.dice(5)).unwrap()];
            self.strike(which, truth, lasts);
        }
        if self.dice(900) == 0 {
            let site = usize::try_from(self.dice(2)).unwrap();
            let lasts = i64::try_from(2_000 + self.dice(3) * self.dice(40_000)).unwrap();
            self.cut_until[site] = self.now + lasts;
            self.cuts.push((site, self.now, self.now + lasts));
        }
    }

    fn strike(&mut self, which: usize, truth: Truth, lasts: i64) {
        let (now, cut) = (self.now, self.cut_until[self.machines[which].site] > self.now);
        let machine = &mut self.machines[which];
        if machine.truth != Truth::Fine {
            return;
        }
        machine.truth = truth;
        machine.until = now + lasts;
        machine.outages.push((now, now + lasts));
        let proof = Timestamp::from_ms(machine.heard);
        let how = match truth {
            Truth::NoAgent => Ending::Fin,
            Truth::Rebooting => Ending::Goodbye(Why::Reboot),
            _ => return,
        };
        if truth == Truth::Rebooting {
            machine.boot += 1;
        }
        let (no, session) = (machine.no, machine.session);
        if let Some(session) = session.filter(|_| !cut) {
            self.machines[which].session = None;
            self.apply(Event::Host(no, HostEvent::Ended { session, how, proof }));
        }
    }

    fn heal(&mut self) {
        let (now, last) = (self.now, self.now >= START_MS + BUSY_MS);
        for machine in &mut self.machines {
            if machine.truth != Truth::Fine && (machine.until <= now || last) {
                if let Some(outage) = machine.outages.last_mut() {
                    outage.1 = now;
                }
                if machine.truth != Truth::Hung {
                    machine.session = None;
                    machine.reconnect_at = now + 300;
                }
                machine.truth = Truth::Fine;
            }
        }
        if last {
            for site in 0..2 {
                if self.cut_until[site] > now {
                    self.cut_until[site] = now;
                    for cut in self.cuts.iter_mut().filter(|cut| cut.0 == site && cut.2 > now) {
                        cut.2 = now;
                    }
                }
            }
        }
    }

    fn collector(&mut self) {
        if self.engine.is_some() || self.now < self.back_at {
            return;
        }
        let messengers = vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }];
        // What is told of each outage is looked at; that what flaps is told once is the engine's own test.
        let routes = Roster { messengers, tells_each_change: true, ..Roster::default() };
        let loaded = self.memory.load();
        self.outbox = loaded
            .pages
            .iter()
            .filter(|page| page.delivery == Delivery::Queued)
            .map(|page| (page.id.0, page.clone()))
            .collect();
        let (engine, effects) = Engine::new(&loaded, routes, Timestamp::from_ms(self.now));
        self.engine = Some(engine);
        self.ran.push((self.now, i64::MAX));
        self.carry_out(effects);
    }

    fn crash(&mut self) {
        self.engine = None;
        self.back_at = self.now + 500 + i64::try_from(self.dice(8_000)).unwrap();
        if let Some(run) = self.ran.last_mut() {
            run.1 = self.now;
        }
        self.looks.clear();
        self.outbox.clear();
        for index in 0..self.machines.len() {
            let spread = i64::try_from(self.dice(3_000)).unwrap();
            let machine = &mut self.machines[index];
            machine.session = None;
            machine.reconnect_at = self.back_at + spread;
        }
    }

    fn agents(&mut self) {
        for index in 0..self.machines.len() {
            let machine = &self.machines[index];
            let reachable = self.cut_until[machine.site] <= self.now;
            if self.engine.is_none() || machine.truth != Truth::Fine || !reachable {
                continue;
            }
            let (no, boot) = (machine.no, machine.boot);
            match machine.session {
                None if self.now >= machine.reconnect_at => self.connect(index, no, boot),
                None => {}
                Some(session) => {
                    let due = self.now - machine.heard >= i64::from(machine.watch.timers().beat_ms);
                    let machine = &mut self.machines[index];
                    if due {
                        machine.heard = self.now;
                        if std::mem::take(&mut machine.told_silent) {
                            self.apply(Event::Host(no, HostEvent::Heard { session }));
                        }
                    }
                }
            }
        }
    }

    fn connect(&mut self, index: usize, no: HostNo, boot: u8) {
        self.sessions += 1;
        let session = SessionId(self.sessions);
        let machine = &mut self.machines[index];
        machine.session = Some(session);
        machine.heard = self.now;
        machine.told_silent = false;
        let peer = IpAddr::from([10, 0, 0, u8::try_from(no.0).unwrap()]);
        let facts = Box::new(Facts { name: machine.name.clone(), ..Facts::default() });
        let opened = HostEvent::Opened {
            session,
            boot_id: [boot; 16],
            peer,
            heard_before: None,
            alive: Vec::new(),
            facts,
            labels: Vec::new(),
        };
        self.apply(Event::Host(no, opened));
        self.apply(Event::Host(no, HostEvent::Heard { session }));
    }

    fn sweep(&mut self) {
        for index in 0..self.machines.len() {
            let machine = &mut self.machines[index];
            let silent = self.now - machine.heard >= machine.watch.timers().suspect_ms;
            if let Some(session) = machine.session.filter(|_| silent && !machine.told_silent) {
                machine.told_silent = true;
                let (no, proof) = (machine.no, Timestamp::from_ms(machine.heard));
                self.apply(Event::Host(no, HostEvent::Silent { session, proof }));
            }
        }
        let due: Vec<_> = self.looks.iter().copied().filter(|look| look.0 <= self.now).collect();
        self.looks.retain(|look| look.0 > self.now);
        for (_, host, look, asked) in due {
            let machine = &self.machines[usize::try_from(host.0 - 1).unwrap()];
            let reachable = self.cut_until[machine.site] <= asked;
            let answer = match machine.truth {
                Truth::Dead | Truth::Rebooting => Look::Silent,
                _ if !reachable => Look::Silent,
                _ => Look::Answers,
            };
            self.apply(Event::Host(host, HostEvent::Looked { look, answer }));
        }
        self.apply(Event::Tick);
    }

    fn deliver(&mut self) {
        if self.engine.is_none() || self.dice(3) == 0 {
            return;
        }
        let Some((id, page)) = self.outbox.pop_first() else { return };
        // The receiver fails now and then; a page that was answered may still be forgotten by a crash.
        if self.dice(4) == 0 {
            self.outbox.insert(id, page);
            return;
        }
        if self.seen.insert(page.message_id.clone(), ()).is_none() {
            self.told.push(Told {
                incident: page.incident.unwrap().0,
                receiver: page.receiver.clone(),
                kind: page.kind,
                at: self.now,
                host: page.host.clone(),
                details: page.details.clone(),
            });
        }
        let outcome = Outcome::Accepted { provider_id: None };
        self.apply(Event::Delivered { page: page.id, outcome });
    }

    fn apply(&mut self, event: Event) {
        let Some(engine) = &mut self.engine else { return };
        let effects = engine.apply(event, Timestamp::from_ms(self.now));
        self.carry_out(effects);
    }

    /// Record, then act: a crash before the commit loses both, a crash after it loses only the acting.
    fn carry_out(&mut self, effects: Vec<Effect>) {
        let rows: Vec<Row> = effects
            .iter()
            .filter_map(|effect| if let Effect::Record(row) = effect { Some(row.clone()) } else { None })
            .collect();
        let busy = self.now < START_MS + BUSY_MS;
        if !rows.is_empty() {
            self.crash_in = self.crash_in.saturating_sub(1);
            let crash = self.crash_in == 0 && busy;
            if crash {
                self.crash_in = 5 + self.dice(150);
                if self.dice(2) == 0 {
                    self.memory.commit(rows);
                }
                self.crash();
                return;
            }
            self.memory.commit(rows);
        }
        self.memory.last_ran = Some(Timestamp::from_ms(self.now));
        for effect in effects {
            match effect {
                Effect::Notify(page) => drop(self.outbox.insert(page.id.0, *page)),
                Effect::Look { host, look, within_ms, .. } => {
                    self.looks.push((self.now + within_ms.min(200), host, look, self.now));
                }
                _ => {}
            }
        }
    }

    /// What people were told, against what was so.
    pub(crate) fn check_truth(&self) {
        let seed = self.seed;
        for page in self.told.iter().filter(|page| page.kind == PageKind::Opened) {
            let true_cut = self.cuts.iter().any(|(_, from, to)| *from <= page.at && page.at <= to + 60_000);
            let Some(machine) = self.machines.iter().find(|machine| machine.name == page.host) else {
                // Three independent deaths within five seconds look like a cut, and are told as one.
                let out = |machine: &&Machine| {
                    machine.outages.iter().any(|(from, to)| *from <= page.at && page.at <= to + 60_000)
                };
                let together = self.machines.iter().filter(out).count() >= 3;
                assert!(true_cut || together, "seed {seed}: told of a cut that was not: {page:?}");
                continue;
            };
            let outage = machine.outages.iter().any(|(from, to)| *from <= page.at && page.at <= to + 60_000);
            assert!(outage || true_cut, "seed {seed}: falsely told: {page:?}\n{:?}", machine.outages);
        }
        for machine in self.machines.iter().filter(|machine| machine.watch != Watch::Relaxed) {
            for (from, to) in &machine.outages {
                self.check_paged(machine, *from, *to);
            }
        }
        let open: Vec<_> = self.memory.incidents.values().filter(|row| row.resolved.is_none()).collect();
        assert!(open.is_empty(), "seed {seed}: still open in a world that is fine: {open:#?}");
        self.check_ledger();
    }

    fn check_paged(&self, machine: &Machine, from: i64, to: i64) {
        let watched = self.ran.iter().any(|run| run.0 <= from + 5_000 && run.1 >= to);
        let in_cut = self.cuts.iter().any(|cut| cut.0 == machine.site && cut.1 < to + 60_000 && from < cut.2 + 120_000);
        if !watched || to - from < MUST_PAGE_MS || in_cut {
            return;
        }
        let told = self.told.iter().any(|page| {
            let names = page.host == machine.name || page.details.split([',', ' ']).any(|word| word == machine.name);
            page.kind != PageKind::Resolved && names && from <= page.at && page.at <= to + 60_000
        });
        // Taken for part of a cut: the rest of it becomes suspect again a minute after half are back.
        let cut = self.memory.journal.iter().any(|row| {
            matches!(row, Row::Liveness(row) if row.host == machine.no && format!("{:?}", row.state) == "Unreachable"
                && row.since.ms() >= from - 10_000 && row.since.ms() <= to)
        });
        let reboot = self.memory.journal.iter().any(|row| {
            matches!(row, Row::Liveness(row) if row.host == machine.no && format!("{:?}", row.state) == "Rebooting"
                && row.since.ms() >= from && row.since.ms() <= to)
        });
        // A page of before may still be open: then it is the same incident that goes on.
        let open = self.memory.incidents.values().any(|row| {
            row.host == Some(machine.no) && row.opened.ms() <= to && row.resolved.is_none_or(|at| at.ms() >= to)
        });
        let seed = self.seed;
        assert!(
            told || reboot || open || (cut && to - from < 150_000),
            "seed {seed}: {} was out from {from} to {to} and nobody was told",
            machine.name
        );
    }

    /// Each subject's ledger has no hole and no overlap, entries that others replace left out.
    fn check_ledger(&self) {
        for (host, spans) in &self.memory.spans {
            for pair in spans.windows(2) {
                assert_eq!(pair[0].n + 1, pair[1].n, "seed {}: host {host}: entries miscounted", self.seed);
            }
            let replaced: Vec<i64> = spans.iter().filter_map(|span| span.replaces).collect();
            let mut standing: Vec<_> = spans.iter().filter(|span| !replaced.contains(&span.n)).collect();
            standing.sort_by_key(|span| span.from);
            for pair in standing.windows(2) {
                assert_eq!(pair[0].to, pair[1].from, "seed {}: host {host}: ledger torn: {pair:#?}", self.seed);
            }
        }
    }
}

/// As an enrolment gives them.
fn layers(machine: &Machine) -> Layers {
    let said = |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let token = said(&[("site", ["north", "south"][machine.site]), ("watch", machine.watch.word())]);
    Layers::default().with(Layer::Guess, &said(&[("class", "server")])).with(Layer::Token, &token)
}

fn profile(machine: &Machine) -> Profile {
    Profile {
        no: machine.no,
        id: HostId::from_str(&format!("00000000-0000-7000-8000-{:012}", machine.no.0)).unwrap(),
        name: machine.name.clone(),
        class: Class::Server,
        site: Some(["north", "south"][machine.site].into()),
        watch: machine.watch,
        labels: BTreeMap::new(),
        layers: layers(machine),
        admission: Admission::Active,
        facts: Facts::default(),
    }
}
