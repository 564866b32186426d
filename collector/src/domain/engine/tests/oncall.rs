//! Escalation end to end: two people, a weekly rota over a change of the clock, contacts one after the other.

use super::*;
use crate::domain::{
    calendar::Span,
    ids::{OverrideNo, PageId},
    oncall::{
        Contact, Person,
        policy::{Policy, Step as PolicyStep, Target},
        rotation::{Layer, Length, Override, Rotation},
        route::RouteRule,
    },
};

pub(super) const MINUTE: i64 = 60_000;

fn contact(receiver: &str, after_ms: i64) -> Contact {
    Contact { receiver: receiver.into(), to: None, after_ms }
}

fn person(name: &str) -> (String, Person) {
    let contacts = vec![contact(&format!("mail-{name}"), 0)];
    let important = vec![contact(&format!("push-{name}"), 0), contact(&format!("call-{name}"), 5 * MINUTE)];
    (name.into(), Person { name: name.into(), zone: None, contacts, important, notices: None, test_page: None })
}

/// Ann and Bob take weekly turns, handing over on Mondays at 9 in Berlin; the boss comes after 15 minutes, then all again.
pub(super) fn roster() -> Roster {
    let receivers =
        ["chat", "mail-ann", "push-ann", "call-ann", "mail-bob", "push-bob", "call-bob", "push-boss", "call-boss"];
    let messengers = receivers.map(|name| Messenger { receiver: name.into(), least: Some(Severity::Warning) });
    let layer = Layer {
        people: vec!["ann".into(), "bob".into()],
        from: "2026-10-12".parse().unwrap(),
        handoff: "09:00".parse().unwrap(),
        every: Length::Days(7),
        hours: None,
    };
    let rotation = Rotation {
        name: "ops".into(),
        zone: "Europe/Berlin".into(),
        layers: vec![layer],
        gaps_confirmed: false,
        handoff_notice: true,
    };
    let step = |after_ms, target| PolicyStep { after_ms, targets: vec![target] };
    let steps = vec![step(0, Target::Rotation("ops".into())), step(15 * MINUTE, Target::Person("boss".into()))];
    let policy = Policy { name: "day-and-night".into(), steps, repeat: 1, pause_ms: 30 * MINUTE };
    let route = |least, receivers: &[&str], policy: Option<&str>| RouteRule {
        place: "collector.toml:1".into(),
        scope: crate::domain::hold::Scope::default(),
        least,
        urgent: None,
        hours: None,
        receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
        policy: policy.map(str::to_owned),
        go_on: false,
    };
    Roster {
        messengers: messengers.into(),
        people: [person("ann"), person("bob"), person("boss")].into(),
        rotations: [("ops".to_owned(), rotation)].into(),
        policies: [("day-and-night".to_owned(), policy)].into(),
        routes: vec![route(Severity::Critical, &[], Some("day-and-night")), route(Severity::Warning, &["chat"], None)],
        ..Roster::default()
    }
}

pub(super) fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

impl Fleet {
    /// Who was told what, and how many minutes after the incident paged first.
    fn calls(&self) -> Vec<(i64, &str, PageKind)> {
        let first = self.pages.first().map_or(0, |page| page.decided.ms());
        let minutes = |page: &Page| (page.decided.ms() - first) / MINUTE;
        self.pages.iter().map(|page| (minutes(page), page.receiver.as_str(), page.kind)).collect()
    }

    /// Every page is taken as soon as it is sent, but those through these receivers.
    pub(super) fn take_all_but(&mut self, refused: &[&str], until_ms: i64) {
        let mut seen = 0;
        for minute in 1.. {
            self.until((minute * MINUTE).min(until_ms));
            while let Some(page) = self.pages.get(seen).cloned() {
                seen += 1;
                if !refused.contains(&page.receiver.as_str()) {
                    let outcome = Outcome::Accepted { provider_id: None };
                    self.apply(Event::Delivered { page: page.id, outcome });
                }
            }
            if minute * MINUTE >= until_ms {
                break;
            }
        }
    }
}

#[test]
fn nobody_takes_it_contacts_then_steps_follow_and_all_of_it_comes_again_until_somebody_does() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), at("2026-10-20T02:00:00Z"));
    fleet.silent_from_now(1);
    fleet.take_all_but(&[], 48 * MINUTE);
    assert_eq!(
        fleet.calls(),
        [
            (0, "push-bob", PageKind::Opened),
            (5, "call-bob", PageKind::Opened),
            (15, "push-boss", PageKind::Opened),
            (20, "call-boss", PageKind::Opened),
            (45, "push-bob", PageKind::Updated),
        ]
    );
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms: None });
    fleet.until(300 * MINUTE);
    let told: Vec<&str> = fleet.pages[5..].iter().map(|page| page.receiver.as_str()).collect();
    assert_eq!(told, ["call-bob", "call-boss", "push-bob", "push-boss"], "everybody who was paged hears who has it");
    assert!(fleet.pages[5..].iter().all(|page| page.kind == PageKind::Acknowledged));
    fleet.connect(1);
    let told: Vec<&str> = fleet.pages[9..].iter().map(|page| page.receiver.as_str()).collect();
    assert_eq!(told, ["call-bob", "call-boss", "push-bob", "push-boss"], "and of its end");
}

#[test]
fn the_week_is_handed_over_at_nine_by_the_clock_also_after_the_clock_was_changed() {
    // On Monday 2026-10-26, 9:00 in Berlin is 8:00 UTC; a week before it was 7:00.
    for (start, who) in [
        ("2026-10-19T06:55:00Z", "ann"),
        ("2026-10-19T07:05:00Z", "bob"),
        ("2026-10-26T07:30:00Z", "bob"),
        ("2026-10-26T08:05:00Z", "ann"),
    ] {
        let mut fleet = Fleet::with(&[Watch::Normal], roster(), at(start));
        fleet.silent_from_now(1);
        fleet.until(2 * MINUTE);
        assert_eq!(fleet.pages[0].person.as_deref(), Some(who), "{start}");
    }
}

#[test]
fn an_escalation_that_lasts_over_the_hand_over_after_the_clock_was_set_back_calls_who_has_it_by_then() {
    // It begins in Bob's week; Ann has it from 9:00 in Berlin on, which is 8:00 UTC since the day before.
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), at("2026-10-26T07:40:00Z"));
    fleet.silent_from_now(1);
    fleet.take_all_but(&[], 70 * MINUTE);
    assert_eq!(
        fleet.calls(),
        [
            (0, "push-bob", PageKind::Opened),
            (5, "call-bob", PageKind::Opened),
            (15, "push-boss", PageKind::Opened),
            (20, "call-boss", PageKind::Opened),
            (45, "push-ann", PageKind::Opened),
            (50, "call-ann", PageKind::Opened),
            (60, "push-boss", PageKind::Updated),
            (65, "call-boss", PageKind::Updated),
        ]
    );
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms: None });
    let told: Vec<&str> = fleet.pages[8..].iter().map(|page| page.receiver.as_str()).collect();
    assert_eq!(told, ["call-ann", "call-bob", "call-boss", "push-ann", "push-bob", "push-boss"]);
}

#[test]
fn an_override_puts_somebody_else_on_call_and_is_withdrawn() {
    let start = at("2026-10-20T02:00:00Z");
    let mut fleet = Fleet::with(&[Watch::Normal, Watch::Normal], roster(), start);
    let span = Span { from: Timestamp::from_ms(start), until: Timestamp::from_ms(start + 600 * MINUTE) };
    fleet.operator(Command::AddOverride(Box::new(Override {
        no: OverrideNo(0),
        rotation: "ops".into(),
        person: "ann".into(),
        span,
        instead_of: None,
        by: String::new(),
        made: span.from,
        withdrawn: None,
    })));
    fleet.silent_from_now(1);
    fleet.until(MINUTE);
    assert_eq!(fleet.pages[0].person.as_deref(), Some("ann"));
    fleet.connect(1);
    fleet.operator(Command::EndOverride(OverrideNo(1)));
    fleet.silent_from_now(2);
    fleet.until(2 * MINUTE);
    assert_eq!(fleet.pages.last().unwrap().person.as_deref(), Some("bob"));
}

#[test]
fn who_is_not_reached_is_passed_over_at_once_and_after_a_minute_without_a_receipt() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), at("2026-10-20T02:00:00Z"));
    fleet.silent_from_now(1);
    fleet.until(MINUTE);
    let first = fleet.pages[0].id;
    fleet.apply(Event::Delivered { page: first, outcome: Outcome::Failed { error: "410 Gone".into() } });
    let now = [(0, "push-bob", PageKind::Opened), (0, "call-bob", PageKind::Opened)];
    assert_eq!(fleet.calls(), now, "the way that was to come after five minutes comes now");
    // And that one hangs: a minute later it is the boss's turn.
    fleet.until(2 * MINUTE + 10_000);
    assert_eq!(fleet.pages[2].person.as_deref(), Some("boss"));
    let view = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    let said: Vec<&str> =
        view.events.iter().filter(|event| event.kind == "escalated").map(|event| &*event.text).collect();
    assert_eq!(said[1], "bob was not reached through push-bob (410 Gone): call-bob is tried");
    assert!(said[2].contains("nobody has taken it for a minute"), "{said:?}");
}

#[test]
fn whose_page_is_answered_has_it_and_what_is_heard_again_changes_nothing() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), at("2026-10-20T02:00:00Z"));
    fleet.silent_from_now(1);
    fleet.until(MINUTE);
    let page = fleet.pages[0].id;
    let answer = |fleet: &mut Fleet, page: PageId, seconds: i64| {
        let by = Principal { name: "bob".into(), via: "ntfy".into(), address: None };
        let at = Timestamp::from_ms(1_795_252_440_000 + seconds * 1_000);
        let command = Command::Answer { incident: IncidentNo(1), page, at };
        fleet.apply(Event::Operator { by, command, reply: ReplyId(1) });
        fleet.engine.snapshot().incidents[&IncidentNo(1)].row.acknowledged_by.clone()
    };
    assert_eq!(answer(&mut fleet, PageId(99), 0), None, "no page of this incident");
    assert_eq!(answer(&mut fleet, page, 0).as_deref(), Some("bob"));
    let view = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    let said = view.events.iter().find(|event| event.kind == "acknowledged").unwrap();
    assert_eq!((said.text.as_str(), said.by.as_deref()), ("bob has it (ntfy)", Some("bob")));
    assert_eq!(fleet.pages.last().unwrap().kind, PageKind::Acknowledged, "who was paged is told");
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms: None });
    let told = fleet.pages.len();
    assert_eq!(answer(&mut fleet, page, 0).as_deref(), Some("ana"), "heard again after a restart");
    assert_eq!(fleet.pages.len(), told);
    assert_eq!(answer(&mut fleet, page, 1).as_deref(), Some("bob"), "pressed again");
}

#[test]
fn what_was_taken_and_did_not_arrive_is_passed_over_at_its_word_or_when_it_says_nothing_for_two_minutes() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), at("2026-10-20T02:00:00Z"));
    fleet.silent_from_now(1);
    fleet.until(MINUTE);
    let tell = |fleet: &mut Fleet, page: usize, outcome: Outcome| {
        let page = fleet.pages[page].id;
        fleet.apply(Event::Delivered { page, outcome });
    };
    let taken = || Outcome::Accepted { provider_id: Some("SM1".into()) };
    tell(&mut fleet, 0, taken());
    tell(&mut fleet, 0, Outcome::Awaited);
    tell(&mut fleet, 0, Outcome::Lost { error: "undelivered, Twilio's error 30005".into() });
    let now = [(0, "push-bob", PageKind::Opened), (0, "call-bob", PageKind::Opened)];
    assert_eq!(fleet.calls(), now, "his next way at once");
    // The call rings, and nobody ever says how it ended: the next step comes two minutes after it was taken.
    tell(&mut fleet, 1, taken());
    tell(&mut fleet, 1, Outcome::Awaited);
    let taken_at = fleet.now - fleet.start;
    fleet.until(taken_at + 2 * MINUTE - 1);
    assert_eq!(fleet.pages.len(), 2);
    fleet.until(taken_at + 2 * MINUTE);
    assert_eq!(fleet.pages[2].receiver, "push-boss");
    // What arrives is not passed over, and a receiver that says nothing of arrival is believed.
    tell(&mut fleet, 2, taken());
    tell(&mut fleet, 2, Outcome::Awaited);
    tell(&mut fleet, 2, Outcome::Delivered { receipt: "delivered".into() });
    fleet.until(taken_at + 6 * MINUTE);
    assert_eq!(fleet.pages.len(), 3, "{:?}", fleet.calls());
    let view = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    let said: Vec<&str> = view.events.iter().filter(|one| one.kind == "paged").map(|one| &*one.text).collect();
    let lost = "lost by push-bob: undelivered, Twilio's error 30005";
    assert_eq!(
        said,
        [
            "accepted by push-bob: SM1",
            lost,
            "accepted by call-bob: SM1",
            "accepted by push-boss: SM1",
            "delivered by push-boss"
        ]
    );
    let texts: Vec<&str> = view.events.iter().map(|one| &*one.text).collect();
    let passed = "bob was not reached through call-bob (it has not arrived within two minutes): the next step of policy day-and-night is taken";
    assert!(texts.contains(&passed), "{texts:#?}");
    assert_eq!((view.pages[0].delivery, view.pages[0].proof.missed), (crate::domain::record::Delivery::Failed, true));
    assert!(view.pages[2].proof.delivered.is_some() && !view.pages[2].proof.missed);
    assert_eq!(fleet.rows.iter().filter(|row| matches!(row, Row::Attempt(_))).count(), 3, "only tries are counted");
}

#[test]
fn a_warning_goes_to_the_chat_and_wakes_nobody_until_it_is_critical() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), at("2026-10-20T02:00:00Z"));
    let judged = |severity| Judgement {
        part: "/".into(),
        rule: "filesystem_space",
        verdict: Verdict::Holds { severity, evidence: "3 % free".into() },
        cause: None,
    };
    fleet.host(1, HostEvent::Judged { through: None, judgements: vec![judged(Severity::Warning)] });
    fleet.take_all_but(&[], 30 * MINUTE);
    assert_eq!(fleet.calls().iter().map(|call| call.1).collect::<Vec<_>>(), ["chat"]);
    fleet.host(1, HostEvent::Judged { through: None, judgements: vec![judged(Severity::Critical)] });
    let told: Vec<(&str, PageKind)> = fleet.pages[1..].iter().map(|page| (page.receiver.as_str(), page.kind)).collect();
    assert_eq!(told, [("push-bob", PageKind::Opened), ("chat", PageKind::Updated)]);
}

#[test]
fn a_window_that_is_called_off_lets_an_escalation_go_on() {
    let start = at("2026-10-20T02:00:00Z");
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), start);
    fleet.silent_from_now(1);
    fleet.take_all_but(&[], 2 * MINUTE);
    let span = Span { from: Timestamp::from_ms(fleet.now), until: Timestamp::from_ms(start + 600 * MINUTE) };
    fleet.operator(super::holds::window_of("h1", span));
    fleet.take_all_but(&[], 40 * MINUTE);
    assert_eq!(fleet.pages.len(), 1, "{:?}", fleet.calls());
    fleet.operator(Command::EndHold(crate::domain::ids::HoldNo(1)));
    fleet.until(41 * MINUTE);
    let told: Vec<&str> = fleet.pages.iter().map(|page| page.receiver.as_str()).collect();
    assert_eq!(told, ["push-bob", "call-bob", "push-boss"]);
}

#[test]
fn who_is_called_again_when_an_acknowledgement_runs_out_is_told_once() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), at("2026-10-20T02:00:00Z"));
    fleet.silent_from_now(1);
    fleet.take_all_but(&[], 2 * MINUTE);
    let for_ms = Some(30 * MINUTE);
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: String::new(), for_ms });
    fleet.take_all_but(&[], 33 * MINUTE);
    let again = fleet.pages.iter().filter(|page| page.kind == PageKind::Updated && page.receiver == "push-bob");
    assert_eq!(again.count(), 1, "{:?}", fleet.calls());
}

#[test]
fn when_the_clock_is_set_the_next_step_comes_as_much_later_as_it_would_have() {
    for by_ms in [-600 * MINUTE, 600 * MINUTE] {
        let mut fleet = Fleet::with(&[Watch::Normal], roster(), at("2026-10-20T02:00:00Z"));
        fleet.silent_from_now(1);
        fleet.take_all_but(&[], 2 * MINUTE);
        fleet.now += by_ms;
        fleet.start += by_ms;
        fleet.apply(Event::Stepped { by_ms });
        fleet.until(4 * MINUTE);
        assert_eq!(fleet.pages.len(), 1, "{by_ms}: {:?}", fleet.calls());
        fleet.until(6 * MINUTE);
        assert_eq!(fleet.pages.len(), 2, "{by_ms}: {:?}", fleet.calls());
    }
}
