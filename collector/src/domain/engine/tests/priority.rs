//! Priority apart from severity: what it is by itself, what a person says, and who is told because of it.

use super::*;
use crate::domain::{hold::Scope, oncall::route::RouteRule, priority::Priority};

const MINUTE: i64 = 60_000;

/// `boss` is told of P1 only, `ops` of everything.
fn roster() -> Roster {
    let route = |urgent, receiver: &str, go_on| RouteRule {
        place: receiver.to_owned(),
        scope: Scope::default(),
        least: Severity::Warning,
        urgent,
        hours: None,
        receivers: vec![receiver.to_owned()],
        policy: None,
        go_on,
    };
    Roster { routes: vec![route(Some(Priority::P1), "boss", true), route(None, "ops", false)], ..Roster::default() }
}

fn said(priority: Option<Priority>) -> Command {
    Command::Prioritise { incident: IncidentNo(1), priority, note: "the shop is closed".into() }
}

impl Fleet {
    fn priority(&self, no: i64) -> Priority {
        self.engine.snapshot().incidents[&IncidentNo(no)].priority
    }

    fn receivers(&self) -> Vec<(&str, PageKind)> {
        self.pages.iter().map(|page| (page.receiver.as_str(), page.kind)).collect()
    }
}

#[test]
fn a_person_makes_it_more_urgent_and_who_is_told_of_such_things_is_told_now() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), START);
    fleet.silent_from_now(1);
    fleet.until(5 * MINUTE);
    assert_eq!((fleet.priority(1), fleet.pages[0].facts.priority), (Priority::P2, Some(Priority::P2)));
    assert_eq!(fleet.receivers(), [("ops", PageKind::Opened)]);
    fleet.operator(said(Some(Priority::P4)));
    assert_eq!((fleet.priority(1), fleet.pages.len()), (Priority::P4, 1));
    fleet.operator(said(Some(Priority::P1)));
    assert_eq!(fleet.receivers(), [("ops", PageKind::Opened), ("boss", PageKind::Opened)]);
    assert_eq!(fleet.pages[1].severity, Severity::Critical);
    fleet.operator(said(None));
    assert_eq!((fleet.priority(1), fleet.pages.len()), (Priority::P2, 2));
    let view = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    let lines: Vec<&str> =
        view.events.iter().filter(|event| event.kind == "priority").map(|event| event.text.as_str()).collect();
    let expected = [
        "it is P4, before P2: the shop is closed",
        "it is P1, before P4: the shop is closed",
        "it is by its rules P2, before P1: the shop is closed",
    ];
    assert_eq!(lines, expected);
    let audited = fleet.rows.iter().filter(|row| matches!(row, Row::Audit(row) if row.action == "incident.prioritise"));
    assert_eq!(audited.count(), 3);
    fleet.connect(1);
    let before = fleet.rows.len();
    fleet.operator(said(Some(Priority::P1)));
    assert_eq!(fleet.rows.len(), before, "it is over");
}

#[test]
fn the_label_of_a_host_says_how_important_it_is_and_a_cut_is_more_urgent_than_a_host() {
    let mut fleet = Fleet::with(&[Watch::Normal; 6], roster(), START);
    let important = [("priority".to_owned(), "P1".to_owned())].into();
    fleet.operator(Command::Label { hosts: vec![profile(1, Watch::Normal).id], says: important });
    fleet.silent_from_now(1);
    fleet.until(5 * MINUTE);
    fleet.silent_from_now(2);
    fleet.until(10 * MINUTE);
    assert_eq!([fleet.priority(1), fleet.priority(2)], [Priority::P1, Priority::P2]);
    assert_eq!(fleet.receivers(), ["boss", "ops", "ops"].map(|name| (name, PageKind::Opened)));
    let less = [("priority".to_owned(), "P3".to_owned())].into();
    fleet.operator(Command::Label { hosts: vec![profile(1, Watch::Normal).id], says: less });
    assert_eq!(fleet.priority(1), Priority::P3, "as its label is now");
    let important = [("priority".to_owned(), "P1".to_owned())].into();
    fleet.operator(Command::Label { hosts: vec![profile(1, Watch::Normal).id], says: important });
    fleet.connect(1);
    fleet.connect(2);
    let holds = Verdict::Holds { severity: Severity::Warning, evidence: "3 % free".into() };
    let full = Judgement { part: "/".into(), rule: "filesystem_space", verdict: holds, cause: None };
    fleet.host(1, HostEvent::Judged { through: None, judgements: vec![full] });
    assert_eq!(fleet.priority(3), Priority::P3, "a warning on what is P1");
    fleet.until(40 * MINUTE);
    fleet.silent_together(&[2, 3, 4, 5, 6]);
    fleet.until(50 * MINUTE);
    assert_eq!(fleet.priority(4), Priority::P1, "P2 and a whole network");
}
