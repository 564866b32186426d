//! What a page tells besides what happened: impact, evidence, the last time, the runbook and who is next.

use super::{
    oncall::{MINUTE, at, roster},
    *,
};
use crate::domain::{
    device::{Device, Probe},
    hold::Scope,
    host::checks::{Outcome as Checked, Status},
    layers::Says,
    oncall::runbook::Runbook,
    page::{Next, Past},
};

/// Bob is on call then, after him the boss.
const NIGHT: &str = "2026-10-20T02:00:00Z";

fn holds(part: &str, severity: Severity) -> Judgement {
    let evidence = format!("{part}: 3 % free");
    Judgement {
        part: part.into(),
        rule: "filesystem_space",
        verdict: Verdict::Holds { severity, evidence },
        cause: None,
    }
}

impl Fleet {
    fn labelled(&mut self, no: i64, labels: &[(&str, &str)]) {
        let says: Says = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.operator(Command::Label { hosts: vec![profile(no, Watch::Normal).id], says });
    }

    /// What is judged so pages half a minute later.
    fn judged(&mut self, no: i64, judgement: Judgement) {
        self.host(no, HostEvent::Judged { through: None, judgements: vec![judgement] });
        self.until(self.now - self.start + 30_000);
    }

    fn last_page(&self) -> &Page {
        self.pages.last().unwrap()
    }
}

#[test]
fn who_is_told_hears_who_comes_next_and_when_as_long_as_nobody_has_it() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), at(NIGHT));
    fleet.silent_from_now(1);
    fleet.take_all_but(&[], 22 * MINUTE);
    let first = fleet.pages[0].decided;
    let next = |minutes: i64, who: &str| Some(Next { who: who.into(), at: first.plus_ms(minutes * MINUTE) });
    let told: Vec<_> = fleet.pages.iter().map(|page| (page.receiver.as_str(), page.facts.next.clone())).collect();
    assert_eq!(
        told,
        [
            ("push-bob", next(15, "boss")),
            ("call-bob", next(15, "boss")),
            // Half an hour after the last step all of it comes again.
            ("push-boss", next(45, "bob")),
            ("call-boss", next(45, "bob")),
        ]
    );
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms: None });
    assert_eq!((fleet.last_page().kind, fleet.last_page().facts.next.clone()), (PageKind::Acknowledged, None));
}

#[test]
fn the_last_incident_like_it_is_told_with_who_had_it_and_how_it_ended() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), at(NIGHT));
    let outage = |fleet: &mut Fleet| {
        let since = Timestamp::from_ms(fleet.now);
        fleet.silent_from_now(1);
        let after = fleet.now - fleet.start;
        fleet.until(after + MINUTE);
        since
    };
    let began = outage(&mut fleet);
    assert_eq!(fleet.last_page().facts.last, None);
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms: None });
    fleet.connect(1);
    let ended = Timestamp::from_ms(fleet.now);
    outage(&mut fleet);
    let (taken_by, incident) = (Some("ana".to_owned()), IncidentNo(1));
    let last = Past { incident, since: began, resolved: ended, taken_by, closed: None };
    assert_eq!(fleet.last_page().facts.last, Some(last.clone()));
    assert_eq!(last.ended(), "ana had it");

    fleet.operator(Command::Resolve { incident: IncidentNo(2), note: "new disk".into() });
    let view = fleet.engine.snapshot().incidents[&IncidentNo(2)].clone();
    let said: Vec<&str> = view.events.iter().filter(|one| one.kind == "resolved").map(|one| &*one.text).collect();
    assert_eq!(said, ["closed by ana: new disk"], "nobody says that its problems are over");
    fleet.connect(1);
    outage(&mut fleet);
    let last = fleet.last_page().facts.last.clone().unwrap();
    assert_eq!((last.incident, last.ended().as_str()), (IncidentNo(2), "closed by ana: new disk"));
}

#[test]
fn the_three_strongest_pieces_of_evidence_are_told_the_worst_and_the_first_before_others() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.judged(1, holds("/home", Severity::Warning));
    assert_eq!(fleet.last_page().facts.evidence, Vec::<String>::new(), "the title says all of it");
    fleet.until(60_000);
    fleet.silent_from_now(1);
    fleet.until(80_000);
    for (part, severity) in [("/a", Severity::Warning), ("/b", Severity::Warning), ("/c", Severity::Critical)] {
        fleet.host(1, HostEvent::Judged { through: None, judgements: vec![holds(part, severity)] });
        fleet.until(fleet.now - START + 1);
    }
    fleet.until(200_000);
    let facts = &fleet.last_page().facts;
    assert_eq!(fleet.last_page().title, "h1 is down");
    let last_heard = Timestamp::from_ms(START + 60_000);
    let silent = format!("silent, and nothing answers at its address; last heard {last_heard}");
    assert_eq!(facts.evidence, [silent, "h1: /c: 3 % free".into(), "h1: /a: 3 % free".into()]);
    assert_eq!(facts.evidence_left, 2, "/b, and /home, which has an incident of its own");
}

#[test]
fn what_else_is_wrong_with_its_host_may_be_why() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    fleet.judged(1, holds("/home", Severity::Info));
    fleet.judged(2, holds("/", Severity::Critical));
    fleet.judged(1, holds("/", Severity::Critical));
    assert_eq!(fleet.last_page().facts.evidence, ["also: h1: /home: 3 % free"]);
}

#[test]
fn a_page_tells_the_services_of_its_hosts_and_how_many_hosts_are_behind_it() {
    let mut fleet = Fleet::of(&[Watch::Normal; 3]);
    let known = Profile { class: Class::Device, ..profile(4, Watch::Normal) };
    fleet.apply(Event::Enrolled(Box::new(known)));
    let watchers = vec![profile(1, Watch::Normal).id];
    let device = Device { host: HostNo(0), address: "192.0.2.1".into(), probe: Probe::Icmp, watchers, place: None };
    let id = |no| profile(no, Watch::Normal).id;
    fleet.operator(Command::Device { host: id(4), device: Box::new(device), parent: None });
    for no in [2, 3] {
        fleet.operator(Command::Parent { host: id(no), parent: Some(id(4)) });
    }
    fleet.labelled(4, &[("service", "shop")]);
    fleet.apply(Event::Tick);
    for attempt in [1, 2] {
        let (check, at, output) = ("device.4".into(), Timestamp::from_ms(fleet.now), "gone".into());
        let outcome = Checked { check, status: Some(Status::Critical), attempt, attempts: 2, ok_ago_ms: 0, output, at };
        fleet.host(1, HostEvent::Checked { outcomes: vec![outcome] });
    }
    fleet.until(60_000);
    assert_eq!(fleet.last_page().title, "h4 is down");
    assert_eq!(fleet.last_page().facts.impact, ["service shop", "2 hosts behind it"]);
}

#[test]
fn the_runbook_is_that_of_the_alert_then_of_the_configuration_then_of_the_host() {
    let scope = Scope { what: Some("liveness/*".into()), ..Scope::default() };
    let runbooks = vec![Runbook { scope, url: "https://wiki.example.org/down".into() }];
    let messengers = vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }];
    let mut fleet = Fleet::with(&[Watch::Normal], Roster { messengers, runbooks, ..Roster::default() }, START);
    fleet.judged(1, holds("/", Severity::Critical));
    assert_eq!(fleet.last_page().facts.runbook, None);
    fleet.labelled(1, &[("runbook", "javascript:alert(1)")]);
    fleet.judged(1, holds("/a", Severity::Critical));
    assert_eq!(fleet.last_page().facts.runbook, None, "no address that could be opened");
    fleet.labelled(1, &[("runbook", "https://wiki.example.org/h1")]);
    fleet.judged(1, holds("/b", Severity::Critical));
    assert_eq!(fleet.last_page().facts.runbook.as_deref(), Some("https://wiki.example.org/h1"));

    let pairs = |pairs: [(&str, &str); 2]| pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let labels = pairs([("alertname", "Slow"), ("instance", "h1:9100")]);
    let annotations = pairs([("summary", "slow"), ("runbook_url", "https://wiki.example.org/slow")]);
    let said = crate::domain::alert::Said { labels, annotations, ..Default::default() };
    let alert = crate::domain::alert::Alert::posted(said, Timestamp::from_ms(fleet.now)).unwrap();
    fleet.operator(Command::Alerts(vec![alert]));
    fleet.until(fleet.now - START + 30_000);
    assert_eq!(fleet.last_page().facts.runbook.as_deref(), Some("https://wiki.example.org/slow"));

    fleet.silent_from_now(1);
    fleet.until(fleet.now - START + 60_000);
    let down = fleet.pages.iter().find(|page| page.title == "h1 is down").unwrap();
    assert_eq!(down.facts.runbook.as_deref(), Some("https://wiki.example.org/down"));
}
