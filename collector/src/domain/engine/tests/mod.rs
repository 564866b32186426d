//! An engine with hosts and a clock that the test moves.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use super::*;
use crate::domain::{
    event::{AliveProof, Ending, Look, Outcome, ReplyId, Why},
    finding::{Judgement, Verdict},
    heartbeat::schedule::Schedule,
    host::Cause,
    ids::SessionId,
    labels::{Class, Facts},
    layers::{Layer, Layers},
    oncall::Messenger,
    record::{IncidentState, LivenessRow, Observed, Page, PageKind, SpanRow},
    severity::Severity,
    watch::Watch,
};

mod alerts;
mod batches;
mod behind;
mod burn;
mod changes;
mod checks;
mod declared;
mod desk;
mod devices;
mod dismissals;
mod facts;
mod flapping;
mod handoffs;
mod heartbeats;
mod holds;
mod labels;
mod ledger;
mod oncall;
mod own;
mod priority;
mod properties;
mod redundancy;
mod standins;
mod storms;
mod table;
mod test_pages;
mod watchdog;
mod watchers;

const START: i64 = 1_790_000_000_000;

/// An engine with hosts, its rows and pages, and a clock that the test moves.
struct Fleet {
    engine: Engine,
    start: i64,
    now: i64,
    rows: Vec<Row>,
    pages: Vec<Page>,
    looks: Vec<(HostNo, i64)>,
    answer: Look,
    /// When the session before the next one was last heard.
    heard_before: Option<Timestamp>,
}

impl Fleet {
    fn of(levels: &[Watch]) -> Self {
        let messengers = vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }];
        Self::with(levels, Roster { messengers, ..Roster::default() }, START)
    }

    /// The same with a roster, from a moment on.
    fn with(levels: &[Watch], roster: Roster, start: i64) -> Self {
        let (engine, _) = Engine::new(&Loaded::default(), roster, Timestamp::from_ms(start));
        let (rows, pages, looks) = (Vec::new(), Vec::new(), Vec::new());
        let mut fleet =
            Self { engine, start, now: start, rows, pages, looks, answer: Look::Silent, heard_before: None };
        for (index, watch) in levels.iter().enumerate() {
            let no = i64::try_from(index).unwrap() + 1;
            fleet.apply(Event::Enrolled(Box::new(profile(no, *watch))));
            fleet.connect(no);
        }
        fleet
    }

    fn apply(&mut self, event: Event) {
        let effects = self.engine.apply(event, Timestamp::from_ms(self.now));
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Record(row) => self.rows.push(row),
                Effect::Notify(page) => self.pages.push(*page),
                Effect::Look { host, look, .. } => self.looks.push((host, look)),
                _ => {}
            }
        }
    }

    fn host(&mut self, no: i64, event: HostEvent) {
        self.apply(Event::Host(HostNo(no), event));
    }

    fn connect(&mut self, no: i64) {
        self.connect_with(no, [1; 16], Vec::new());
    }

    fn connect_with(&mut self, no: i64, boot_id: [u8; 16], alive: Vec<AliveProof>) {
        let (session, peer) =
            (SessionId(no), IpAddr::from((0x0a00_0000_u32 + u32::try_from(no).unwrap()).to_be_bytes()));
        self.host(
            no,
            HostEvent::Opened {
                session,
                boot_id,
                peer,
                heard_before: self.heard_before,
                alive,
                facts: Box::default(),
                labels: Vec::new(),
            },
        );
        self.host(no, HostEvent::Heard { session });
    }

    /// The slot finds it silent `suspect` after its last message, which was now.
    fn silent_from_now(&mut self, no: i64) {
        let proof = Timestamp::from_ms(self.now);
        let suspect_ms = self.engine.hosts[&HostNo(no)].profile.watch.timers().suspect_ms;
        self.now += suspect_ms;
        self.host(no, HostEvent::Silent { session: SessionId(no), proof });
    }

    fn ends(&mut self, no: i64, how: Ending) {
        let proof = Timestamp::from_ms(self.now);
        self.host(no, HostEvent::Ended { session: SessionId(no), how, proof });
    }

    /// Moves on to `at` after the start, letting due things happen and looks be answered on the way.
    fn until(&mut self, at: i64) {
        let end = self.start + at;
        while self.now < end {
            for (host, look) in std::mem::take(&mut self.looks) {
                self.host(host.0, HostEvent::Looked { look, answer: self.answer });
            }
            let due = self.engine.due().map_or(end, Timestamp::ms);
            self.now = due.clamp(self.now, end).max(self.now + 1).min(end);
            self.apply(Event::Tick);
        }
    }

    fn operator(&mut self, command: Command) {
        let by = Principal { name: "ana".into(), via: "web".into(), address: None };
        self.apply(Event::Operator { by, command, reply: ReplyId(1) });
    }

    fn state(&self, no: i64) -> State {
        self.engine.snapshot().hosts[&HostNo(no)].state
    }

    fn told(&self) -> Vec<(PageKind, &str)> {
        self.pages.iter().map(|page| (page.kind, page.title.as_str())).collect()
    }

    fn spans(&self, no: i64) -> Vec<&SpanRow> {
        let rows = self.rows.iter();
        rows.filter_map(|row| if let Row::Span(span) = row { Some(span) } else { None })
            .filter(|span| span.host.0 == no)
            .collect()
    }

    /// Its liveness as last recorded.
    fn liveness(&self, no: i64) -> LivenessRow {
        let of = |row: &Row| if let Row::Liveness(row) = row { Some(row.clone()) } else { None };
        self.rows.iter().filter_map(of).rfind(|row| row.host.0 == no).unwrap()
    }
}

fn profile(no: i64, watch: Watch) -> Profile {
    Profile {
        no: HostNo(no),
        id: HostId::from_str(&format!("00000000-0000-7000-8000-{no:012}")).unwrap(),
        name: format!("h{no}"),
        class: Class::Server,
        site: None,
        watch,
        labels: BTreeMap::new(),
        layers: Layers::default()
            .with(Layer::Guess, &[("class".to_owned(), "server".to_owned())].into())
            .with(Layer::Token, &[("watch".to_owned(), watch.word().to_owned())].into()),
        admission: Admission::Active,
        facts: Facts::default(),
    }
}
