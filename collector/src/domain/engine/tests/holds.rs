//! Maintenance windows, silences and acknowledgements that run out: who is paged when.

use super::*;
use crate::domain::{
    calendar::Span,
    hold::{Hold, Kind, Scope, When},
    ids::HoldNo,
};

const MINUTE: i64 = 60_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(START + ms)
}

fn hold(kind: Kind, host: &str, when: When) -> Command {
    let scope = Scope { hosts: vec![host.into()], ..Scope::default() };
    let (reason, change, by) = ("new disks".into(), "CHG1".into(), String::new());
    let (no, version, made) = (HoldNo(0), 0, at(0));
    Command::AddHold(Box::new(Hold {
        no,
        version,
        kind,
        scope,
        when,
        reason,
        change,
        by,
        made,
        ended: None,
        outcome: None,
        own: None,
    }))
}

fn window(host: &str, from: i64, until: i64) -> Command {
    window_of(host, Span { from: at(from), until: at(until) })
}

/// A silence of a scope, from now on for so long.
pub(super) fn silence_of(scope: Scope, lasts_ms: i64) -> Command {
    let Command::AddHold(silence) = hold(Kind::Silence, "h1", When::Once(Span { from: at(0), until: at(lasts_ms) }))
    else {
        panic!("a hold")
    };
    Command::AddHold(Box::new(Hold { scope, ..*silence }))
}

/// A maintenance window of a host.
pub(super) fn window_of(host: &str, span: Span) -> Command {
    hold(Kind::Maintenance, host, When::Once(span))
}

impl Fleet {
    fn timeline(&self, no: i64) -> Vec<String> {
        let view = self.engine.snapshot().incidents[&IncidentNo(no)].clone();
        view.events.iter().map(|event| format!("{} {}", event.kind, event.text)).collect()
    }

    fn held_until(&self, no: i64) -> Option<Timestamp> {
        self.engine.snapshot().incidents[&IncidentNo(no)].held.map(|held| held.until)
    }
}

#[test]
fn a_host_in_maintenance_is_seen_down_and_pages_nobody_and_its_recovery_neither() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    fleet.operator(window("h1", 0, 60 * MINUTE));
    fleet.silent_from_now(1);
    fleet.until(30 * MINUTE);
    assert_eq!(fleet.state(1), State::Down);
    assert_eq!(fleet.told(), []);
    assert_eq!(fleet.held_until(1), Some(at(60 * MINUTE)));
    assert!(
        fleet.timeline(1)[1].starts_with("held nobody is paged: maintenance 1 (CHG1) until"),
        "{:?}",
        fleet.timeline(1)
    );
    fleet.connect(1);
    fleet.until(70 * MINUTE);
    assert_eq!(fleet.told(), [], "nobody was told of its beginning");
    // The other host is not covered.
    fleet.silent_from_now(2);
    fleet.until(80 * MINUTE);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h2 is down")]);
}

#[test]
fn what_is_not_back_at_the_end_of_its_window_pages_then_and_is_named() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.operator(window("h*", 0, 60 * MINUTE));
    fleet.silent_from_now(1);
    fleet.until(60 * MINUTE - 1);
    assert_eq!(fleet.told(), []);
    fleet.until(60 * MINUTE + 1);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
    let holds = fleet.engine.snapshot().holds.clone();
    assert_eq!(holds[0].outcome.as_ref().map(|outcome| outcome.not_back.clone()), Some(vec!["h1".to_owned()]));
    assert!(fleet.timeline(1).iter().any(|line| line.contains("has ended, the trouble has not")));
    fleet.connect(1);
    assert_eq!(fleet.pages.last().map(|page| page.kind), Some(PageKind::Resolved));
}

#[test]
fn who_was_told_before_the_window_is_told_of_the_end_within_it() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.until(5 * MINUTE);
    assert_eq!(fleet.told().len(), 1);
    fleet.operator(window("h1", 5 * MINUTE, 60 * MINUTE));
    fleet.connect(1);
    assert_eq!(fleet.told()[1].0, PageKind::Resolved);
}

#[test]
fn a_window_that_is_called_off_lets_pages_go_at_once() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.operator(window("h1", 0, 600 * MINUTE));
    fleet.silent_from_now(1);
    fleet.until(10 * MINUTE);
    fleet.operator(Command::EndHold(HoldNo(1)));
    fleet.until(10 * MINUTE + 2);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
    let versions = fleet.rows.iter().filter(|row| matches!(row, Row::Hold(_))).count();
    assert_eq!(versions, 3, "made, ended, and what it left behind");
}

#[test]
fn a_silence_of_one_thing_lets_the_others_page_and_worse_waits_for_its_end() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    let scope = Scope { hosts: vec!["h1".into()], what: Some("finding/filesystem_space:*".into()), ..Scope::default() };
    fleet.operator(silence_of(scope, 60 * MINUTE));
    let judged = |rule: &'static str, severity| Judgement {
        part: "/var".into(),
        rule,
        verdict: Verdict::Holds { severity, evidence: "3 % free".into() },
        cause: None,
    };
    let tell =
        |fleet: &mut Fleet, judgement| fleet.host(1, HostEvent::Judged { through: None, judgements: vec![judgement] });
    tell(&mut fleet, judged("filesystem_space", Severity::Warning));
    tell(&mut fleet, judged("filesystem_inodes", Severity::Warning));
    fleet.until(10 * MINUTE);
    assert_eq!(fleet.told().len(), 1, "{:?}", fleet.told());
    assert!(fleet.pages[0].key.ends_with("/filesystem_inodes:/var"), "{}", fleet.pages[0].key);
    tell(&mut fleet, judged("filesystem_space", Severity::Critical));
    fleet.until(59 * MINUTE);
    assert_eq!(fleet.told().len(), 1);
    fleet.until(61 * MINUTE);
    assert_eq!(fleet.pages.last().map(|page| (page.kind, page.severity)), Some((PageKind::Opened, Severity::Critical)));
}

#[test]
fn a_flexible_window_begins_with_the_first_trouble() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    let within = Span { from: at(0), until: at(600 * MINUTE) };
    fleet.operator(hold(Kind::Maintenance, "h1", When::Flexible { within, lasts_ms: 30 * MINUTE, began: None }));
    fleet.until(60 * MINUTE);
    fleet.silent_from_now(1);
    fleet.until(85 * MINUTE);
    assert_eq!(fleet.told(), []);
    fleet.until(95 * MINUTE);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
}

#[test]
fn an_acknowledgement_for_a_time_runs_out_and_everybody_is_told_again() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.until(5 * MINUTE);
    let acknowledge = |for_ms| Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms };
    fleet.operator(acknowledge(Some(30 * MINUTE)));
    fleet.until(34 * MINUTE);
    assert_eq!(fleet.told().len(), 2, "opened and acknowledged");
    fleet.until(36 * MINUTE);
    assert_eq!(fleet.pages.last().map(|page| (page.kind, page.state)), Some((PageKind::Updated, IncidentState::Open)));
    assert!(fleet.timeline(1).iter().any(|line| line.starts_with("reopened ana had it until now")));
    // Taken again, and this time until it is over.
    fleet.operator(acknowledge(None));
    fleet.until(1_000 * MINUTE);
    assert_eq!(fleet.pages.last().map(|page| page.kind), Some(PageKind::Acknowledged));
}
