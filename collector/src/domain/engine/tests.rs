//! The transition table of decisions 5, row by row, at its exact milliseconds.

use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

use super::*;
use crate::domain::{
    event::{AliveProof, Ending, Judgement, Look, Outcome, ReplyId, Severity, Verdict, Why},
    host::Cause,
    ids::SessionId,
    labels::{Class, Facts},
    record::{IncidentState, LivenessRow, Observed, Page, PageKind, SpanRow},
    watch::Watch,
};

const START: i64 = 1_790_000_000_000;

/// An engine with hosts, its rows and pages, and a clock that the test moves.
struct Fleet {
    engine: Engine,
    now: i64,
    rows: Vec<Row>,
    pages: Vec<Page>,
    looks: Vec<(HostNo, i64)>,
    answer: Look,
}

impl Fleet {
    fn of(levels: &[Watch]) -> Self {
        let routes = vec![Route { receiver: "ops".into(), least: Severity::Warning }];
        let (engine, _) = Engine::new(&Loaded::default(), routes, Timestamp::from_ms(START));
        let (rows, pages, looks) = (Vec::new(), Vec::new(), Vec::new());
        let mut fleet = Self { engine, now: START, rows, pages, looks, answer: Look::Silent };
        for (index, watch) in levels.iter().enumerate() {
            let no = i64::try_from(index).unwrap() + 1;
            fleet.apply(Event::Enrolled(Box::new(profile(no, *watch))));
            fleet.connect(no);
        }
        fleet
    }

    fn apply(&mut self, event: Event) {
        let effects = self.engine.apply(event, Timestamp::from_ms(self.now));
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
        self.host(no, HostEvent::Opened { session, boot_id, peer, alive, facts: Box::default() });
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
        let end = START + at;
        while self.now < end {
            for (host, look) in std::mem::take(&mut self.looks) {
                self.host(host.0, HostEvent::Looked { look, answer: self.answer });
            }
            let due = self.engine.due().map_or(end, Timestamp::ms);
            self.now = due.clamp(self.now, end).max(self.now + 1).min(end);
            self.apply(Event::Tick);
        }
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
        sources: BTreeMap::new(),
        admission: Admission::Active,
        facts: Facts::default(),
    }
}

#[test]
fn a_silent_host_at_the_normal_level_is_down_after_nine_seconds_and_paged_thirty_later() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(8_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(9_000);
    assert_eq!(fleet.state(1), State::Down);
    // 2 s fold for the cut that may explain it, then 30 s.
    fleet.until(40_999);
    assert_eq!(fleet.told(), []);
    fleet.until(41_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
    assert_eq!(fleet.liveness(1).since.ms(), START, "down since the last proof of life");
}

#[test]
fn at_the_fast_level_a_fin_is_paged_in_the_same_step() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.ends(1, Ending::Fin);
    assert_eq!(fleet.state(1), State::AgentLost);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 has lost its agent")]);
    assert_eq!(fleet.pages[0].severity, Severity::Critical);
}

#[test]
fn a_fast_host_that_falls_silent_is_paged_within_a_second_and_a_half() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.silent_from_now(1);
    fleet.until(1_299);
    assert_eq!(fleet.told(), []);
    fleet.until(1_300);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
}

#[test]
fn a_lost_stream_at_the_normal_level_is_a_warning_after_ten_seconds() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::Answers;
    fleet.ends(1, Ending::Reset);
    fleet.until(9_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(10_000);
    assert_eq!(fleet.state(1), State::AgentLost);
    fleet.until(60_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 has lost its agent")]);
    assert_eq!(fleet.pages[0].severity, Severity::Warning);
}

#[test]
fn a_lost_agent_whose_machine_stops_answering_twice_is_down_and_the_page_gets_worse() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::Answers;
    fleet.ends(1, Ending::Fin);
    fleet.until(50_000);
    fleet.answer = Look::Silent;
    fleet.until(150_000);
    assert_eq!(fleet.state(1), State::Down);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Updated]);
    assert_eq!(fleet.pages[1].severity, Severity::Critical);
}

#[test]
fn a_suspicion_that_comes_to_nothing_leaves_no_record() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    let before = fleet.rows.len();
    fleet.silent_from_now(1);
    fleet.until(8_000);
    fleet.host(1, HostEvent::Heard { session: SessionId(1) });
    assert_eq!(fleet.state(1), State::Up);
    assert_eq!(fleet.rows.len(), before);
    fleet.until(120_000);
    assert_eq!(fleet.told(), []);
}

#[test]
fn when_looks_cannot_tell_a_silent_host_is_down_after_its_hold() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::CannotTell;
    fleet.silent_from_now(1);
    fleet.until(9_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(10_000);
    assert_eq!(fleet.state(1), State::Down);
}

#[test]
fn a_workstation_that_falls_silent_becomes_unknown_and_nobody_is_told() {
    let mut fleet = Fleet::of(&[Watch::Relaxed]);
    fleet.silent_from_now(1);
    fleet.until(599_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(600_000);
    assert_eq!(fleet.state(1), State::Unknown);
    fleet.until(7_200_000);
    assert_eq!(fleet.told(), []);
    assert!(fleet.looks.is_empty());
}

#[test]
fn a_goodbye_is_no_outage_and_a_reboot_that_takes_too_long_is_one() {
    for why in [Why::Shutdown, Why::Sleep] {
        let mut fleet = Fleet::of(&[Watch::Normal]);
        fleet.ends(1, Ending::Goodbye(why));
        fleet.until(3_600_000);
        assert_eq!(fleet.told(), [], "{why:?}");
    }
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.ends(1, Ending::Goodbye(Why::Reboot));
    fleet.until(599_999);
    assert_eq!(fleet.state(1), State::Rebooting);
    fleet.until(600_000);
    assert_eq!(fleet.state(1), State::Down);
    assert_eq!(fleet.liveness(1).since.ms(), START, "down since its goodbye");
}

#[test]
fn an_agent_that_restarts_within_a_minute_pages_nobody() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::Answers;
    fleet.ends(1, Ending::Goodbye(Why::AgentRestart));
    fleet.until(59_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.connect(1);
    fleet.until(600_000);
    assert_eq!(fleet.told(), []);
}

#[test]
fn hosts_that_fall_silent_together_are_one_cut_and_one_page_and_one_recovery() {
    let mut fleet = Fleet::of(&[Watch::Normal; 6]);
    let proof = Timestamp::from_ms(fleet.now);
    fleet.now += 7_000;
    for no in 1..=6 {
        fleet.host(no, HostEvent::Silent { session: SessionId(no), proof });
        fleet.now += 100;
    }
    fleet.until(20_000);
    assert_eq!(fleet.state(6), State::Unreachable);
    fleet.until(120_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "the collector's network: 6 hosts cut off from here")]);
    for no in 1..=6 {
        fleet.connect(no);
    }
    fleet.until(240_000);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Resolved]);
    assert!(fleet.pages[0].details.contains("h1, h2, h3, h4, h5, h6"), "{}", fleet.pages[0].details);
}

#[test]
fn a_storm_of_five_thousand_hosts_is_one_page_and_one_recovery() {
    let mut fleet = Fleet::of(&[Watch::Normal; 5_000]);
    let proof = Timestamp::from_ms(fleet.now);
    fleet.now += 7_000;
    for no in 1..=5_000 {
        fleet.host(no, HostEvent::Silent { session: SessionId(no), proof });
    }
    fleet.until(120_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "the collector's network: 5000 hosts cut off from here")]);
    assert!(fleet.pages[0].details.ends_with("and 4980 more"), "{}", fleet.pages[0].details);
    for no in 1..=5_000 {
        fleet.connect(no);
    }
    fleet.until(240_000);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Resolved]);
}

#[test]
fn two_silent_hosts_are_no_cut() {
    let mut fleet = Fleet::of(&[Watch::Normal; 6]);
    let proof = Timestamp::from_ms(fleet.now);
    fleet.now += 7_000;
    for no in 1..=2 {
        fleet.host(no, HostEvent::Silent { session: SessionId(no), proof });
    }
    fleet.until(120_000);
    assert_eq!(fleet.told().len(), 2);
}

#[test]
fn the_hosts_own_alive_log_turns_down_into_unreachable_from_here() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.until(100_000);
    let (from, to) = (Timestamp::from_ms(START), Timestamp::from_ms(START + 60_000));
    fleet.connect_with(1, [1; 16], vec![AliveProof { boot_id: [1; 16], from, to, clean_end: false }]);
    fleet.until(200_000);
    let told: Vec<(Observed, i64)> =
        fleet.spans(1).iter().map(|span| (span.state, span.to.since_ms(span.from))).collect();
    assert_eq!(told, [(Observed::Unreachable, 60_000), (Observed::Down, 40_000)]);
}

#[test]
fn another_boot_id_proves_nothing() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.until(100_000);
    let (from, to) = (Timestamp::from_ms(START), Timestamp::from_ms(START + 60_000));
    fleet.connect_with(1, [2; 16], vec![AliveProof { boot_id: [2; 16], from, to, clean_end: false }]);
    let states: Vec<Observed> = fleet.spans(1).iter().map(|span| span.state).collect();
    assert_eq!(states, [Observed::Down]);
}

#[test]
fn a_suspended_collector_waits_for_its_hosts_and_blames_none() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Fast]);
    let from = Timestamp::from_ms(fleet.now);
    fleet.now += 3_600_000;
    fleet.apply(Event::Stalled { from, to: Timestamp::from_ms(fleet.now) });
    assert_eq!(fleet.state(1), State::Unknown);
    fleet.ends(2, Ending::Reset);
    fleet.connect(2);
    fleet.host(1, HostEvent::Heard { session: SessionId(1) });
    fleet.until(3_700_000);
    assert_eq!((fleet.state(1), fleet.state(2)), (State::Up, State::Up));
    assert_eq!(fleet.told(), []);
    assert_eq!(fleet.spans(1).last().map(|span| span.state), Some(Observed::CollectorDown));
}

#[test]
fn a_finding_on_a_host_that_is_down_joins_its_incident_and_alone_opens_its_own() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    let holds = |part: &str| Judgement {
        part: part.into(),
        rule: "filesystem_space",
        verdict: Verdict::Holds { severity: Severity::Warning, evidence: format!("{part}: 3 % free") },
    };
    fleet.silent_from_now(1);
    fleet.until(20_000);
    fleet.host(1, HostEvent::Judged { through: None, judgements: vec![holds("/var")] });
    fleet.host(2, HostEvent::Judged { through: None, judgements: vec![holds("/")] });
    fleet.until(120_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down"), (PageKind::Opened, "h2: /: 3 % free")]);
    let cleared = Judgement { verdict: Verdict::Cleared { evidence: "40 % free".into() }, ..holds("/") };
    fleet.host(2, HostEvent::Judged { through: None, judgements: vec![cleared] });
    assert_eq!(fleet.pages.last().map(|page| page.kind), Some(PageKind::Resolved));
    assert_eq!(fleet.pages.last().map(|page| page.component.as_str()), Some("/"));
}

#[test]
fn whoever_acknowledges_stops_pages_that_have_not_gone_out() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.until(20_000);
    let by = Principal { name: "ana".into(), via: "web".into(), address: None };
    let command = Command::Acknowledge { incident: IncidentNo(1), note: String::new() };
    fleet.apply(Event::Operator { by, command, reply: ReplyId(1) });
    fleet.until(120_000);
    assert_eq!(fleet.told(), []);
    fleet.connect(1);
    let incident = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    assert_eq!(incident.row.state, IncidentState::Resolved);
    assert_eq!(incident.row.acknowledged_by.as_deref(), Some("ana"));
}

#[test]
fn each_try_of_a_page_is_recorded_and_its_end_is_noted() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.ends(1, Ending::Fin);
    let page = fleet.pages[0].id;
    fleet.apply(Event::Delivered { page, outcome: Outcome::Retrying { error: "503".into() } });
    fleet.apply(Event::Delivered { page, outcome: Outcome::Accepted { provider_id: None } });
    let tries = fleet.rows.iter().filter(|row| matches!(row, Row::Attempt(_))).count();
    assert_eq!(tries, 2);
    let events = &fleet.engine.snapshot().incidents[&IncidentNo(1)].events;
    assert!(events.iter().any(|event| event.kind == "paged" && event.text == "accepted by ops"), "{events:?}");
}

#[test]
fn a_revoked_host_is_nobodys_outage() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.ends(1, Ending::Fin);
    fleet.host(1, HostEvent::Admitted(Admission::Revoked));
    assert_eq!(fleet.state(1), State::Unknown);
    assert_eq!(fleet.engine.snapshot().hosts[&HostNo(1)].cause, Cause::NotAdmitted);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Resolved]);
}

#[test]
fn a_restart_of_the_collector_is_no_news_about_a_host_but_its_own_reboot_is() {
    for (boot, since) in [(1, 0), (2, 60_000)] {
        let mut fleet = Fleet::of(&[Watch::Normal]);
        let from = Timestamp::from_ms(fleet.now);
        fleet.now += 60_000;
        fleet.apply(Event::Stalled { from, to: Timestamp::from_ms(fleet.now) });
        fleet.connect_with(1, [boot; 16], Vec::new());
        assert_eq!(fleet.state(1), State::Up);
        assert_eq!(fleet.liveness(1).since.ms() - START, since, "boot {boot}");
        assert_eq!(fleet.spans(1).last().map(|span| span.to.ms() - START), Some(60_000));
    }
}
