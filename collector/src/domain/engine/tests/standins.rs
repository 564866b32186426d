//! Turns that people exchange, and people who are away: who is called then, who is told, and what is refused.

use super::*;
use crate::domain::{
    calendar::Span,
    desk::standins::Away,
    ids::{AbsenceNo, OverrideNo},
    oncall::{
        Contact, Person,
        absence::Absence,
        ical::Entry,
        policy::{Policy, Step as PolicyStep, Target},
        rotation::{Layer, Length, Override, Rotation},
        route::RouteRule,
        swap::Swap,
    },
};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Tuesday noon of Ann's week.
const TUESDAY: &str = "2026-10-20T10:00:00Z";

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

/// Weekly turns from Monday 2026-10-19 at 9:00 in Berlin on; critical incidents call whoever has it.
fn roster(people: &[&str]) -> Roster {
    let way = |name: &str| Contact { receiver: format!("mail-{name}"), to: None, after_ms: 0 };
    let person = |name: &&str| {
        let (contacts, notices) = (vec![way(name)], Some(way(name)));
        (
            (*name).to_owned(),
            Person { name: (*name).into(), zone: None, contacts, important: vec![], notices, test_page: None },
        )
    };
    let layer = Layer {
        people: people.iter().map(|name| (*name).to_owned()).collect(),
        from: "2026-10-19".parse().unwrap(),
        handoff: "09:00".parse().unwrap(),
        every: Length::Days(7),
        hours: None,
    };
    let (zone, layers) = ("Europe/Berlin".to_owned(), vec![layer]);
    let ops = Rotation { name: "ops".into(), zone, layers, gaps_confirmed: false, handoff_notice: false };
    let steps = vec![PolicyStep { after_ms: 0, targets: vec![Target::Rotation("ops".into())] }];
    let policy = Policy { name: "p".into(), steps, repeat: 0, pause_ms: MINUTE };
    let route = RouteRule {
        place: "collector.toml:1".into(),
        scope: crate::domain::hold::Scope::default(),
        least: Severity::Critical,
        urgent: None,
        hours: None,
        receivers: vec![],
        policy: Some("p".into()),
        go_on: false,
    };
    Roster {
        messengers: vec![],
        people: people.iter().map(person).collect(),
        rotations: [("ops".to_owned(), ops)].into(),
        policies: [("p".to_owned(), policy)].into(),
        routes: vec![route],
        ..Roster::default()
    }
}

fn away(person: &str, spans: &[(&str, &str, &str)], gaps_confirmed: bool) -> Command {
    let entry = |(uid, from, until): &(&str, &str, &str)| Entry {
        uid: (*uid).into(),
        summary: "holiday".into(),
        span: Span { from: Timestamp::from_ms(at(from)), until: Timestamp::from_ms(at(until)) },
    };
    let entries = spans.iter().map(entry).collect();
    Command::AddAbsences(Box::new(Away { person: person.into(), entries, gaps_confirmed }))
}

fn swap(one: &str, other: &str) -> Command {
    Command::Swap(Box::new(Swap { rotation: "ops".into(), one: (one.into(), None), other: (other.into(), None) }))
}

impl Fleet {
    fn commanded(&mut self, command: Command) -> Answer {
        let by = Principal { name: "ana".into(), via: "web".into(), address: None };
        let event = Event::Operator { by, command, reply: ReplyId(1) };
        let effects = self.engine.apply(event, Timestamp::from_ms(self.now));
        let mut answer = None;
        for effect in effects {
            match effect {
                Effect::Reply(_, given) => answer = Some(given),
                Effect::Record(row) => self.rows.push(row),
                Effect::Notify(page) => self.pages.push(*page),
                _ => {}
            }
        }
        answer.expect("an answer")
    }

    /// Who is called when the host is lost now; it comes back afterwards.
    fn who_is_called(&mut self) -> Vec<String> {
        let before = self.pages.len();
        self.silent_from_now(1);
        let passed = self.now - self.start;
        self.until(passed + 2 * MINUTE);
        let called = |page: &&Page| page.kind == PageKind::Opened;
        let called = self.pages[before..].iter().filter(called).filter_map(|page| page.person.clone()).collect();
        self.connect(1);
        called
    }

    fn audits(&self) -> Vec<(String, String)> {
        let audit =
            |row: &Row| if let Row::Audit(row) = row { Some((row.action.clone(), row.detail.clone())) } else { None };
        self.rows.iter().filter_map(audit).collect()
    }
}

#[test]
fn two_people_exchange_turns_in_one_go_and_both_are_told() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(&["ann", "bob"]), at(TUESDAY));
    assert_eq!(fleet.commanded(swap("ann", "bob")), Answer::Made(1));
    assert_eq!(fleet.audits(), [("on_call.swap".to_owned(), "ann with bob".to_owned())], "one line for both");
    let told: Vec<(&str, &str, &str)> =
        fleet.pages.iter().map(|page| (page.receiver.as_str(), page.title.as_str(), page.details.as_str())).collect();
    let anns = "You have it from Mon 2026-10-26 09:00 (Europe/Berlin) to Mon 2026-11-02 09:00 (Europe/Berlin).\n\
        bob has it from Tue 2026-10-20 12:00 (Europe/Berlin) to Mon 2026-10-26 09:00 (Europe/Berlin).";
    assert_eq!(told[0], ("mail-ann", "bob and you exchange turns in ops", anns));
    assert_eq!((told[1].0, told[1].1), ("mail-bob", "ann and you exchange turns in ops"));
    assert_eq!(fleet.who_is_called(), ["bob"]);
    fleet.until(7 * DAY);
    assert_eq!(fleet.who_is_called(), ["ann"]);
    fleet.until(14 * DAY);
    assert_eq!(fleet.who_is_called(), ["ann"], "and then as planned");
}

#[test]
fn turns_that_nobody_could_take_are_not_exchanged() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(&["ann", "bob", "cleo"]), at(TUESDAY));
    fleet.commanded(away("cleo", &[("1", "2026-10-28T00:00:00Z", "2026-10-29T00:00:00Z")], false));
    let Answer::Refused(why) = fleet.commanded(swap("bob", "cleo")) else { panic!("refused") };
    assert!(why.contains("cleo is away from 2026-10-28T00:00"), "{why}");
    assert!(matches!(fleet.commanded(swap("ann", "dora")), Answer::NotFound(_)));
    let stand_in = Override {
        no: OverrideNo(0),
        rotation: "ops".into(),
        person: "cleo".into(),
        span: Span {
            from: Timestamp::from_ms(at("2026-10-28T10:00:00Z")),
            until: Timestamp::from_ms(at("2026-10-28T11:00:00Z")),
        },
        instead_of: None,
        by: String::new(),
        made: Timestamp::default(),
        withdrawn: None,
    };
    assert!(matches!(fleet.commanded(Command::AddOverride(Box::new(stand_in))), Answer::Refused(_)));
    assert_eq!(fleet.engine.snapshot().exceptions.overrides, []);
}

#[test]
fn while_somebody_is_away_the_next_one_is_called_and_then_they_are_again() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(&["ann", "bob"]), at(TUESDAY));
    let days = [("1", "2026-10-21T22:00:00Z", "2026-10-23T22:00:00Z")];
    assert_eq!(fleet.commanded(away("ann", &days, false)), Answer::Made(1));
    assert_eq!(fleet.who_is_called(), ["ann"]);
    fleet.until(2 * DAY);
    assert_eq!(fleet.who_is_called(), ["bob"]);
    fleet.until(4 * DAY);
    assert_eq!(fleet.who_is_called(), ["ann"]);
}

#[test]
fn a_calendar_that_is_read_again_moves_what_has_moved_and_makes_nothing_twice() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(&["ann", "bob"]), at(TUESDAY));
    let (first, moved) =
        (("1", "2026-10-21T22:00:00Z", "2026-10-23T22:00:00Z"), ("2", "2026-12-23T23:00:00Z", "2026-12-26T23:00:00Z"));
    assert_eq!(fleet.commanded(away("ann", &[first, moved], false)), Answer::Made(2));
    assert_eq!(fleet.commanded(away("ann", &[first, moved], false)), Answer::Made(0));
    let later = ("2", "2026-12-24T23:00:00Z", "2026-12-27T23:00:00Z");
    assert_eq!(fleet.commanded(away("ann", &[first, later], false)), Answer::Made(1));
    let alive: Vec<(i64, String)> = fleet
        .engine
        .snapshot()
        .exceptions
        .absences
        .iter()
        .filter(|one| one.withdrawn.is_none())
        .map(|one| (one.no.0, one.span.from.to_string()))
        .collect();
    assert_eq!(alive, [(1, "2026-10-21T22:00:00.000Z".to_owned()), (3, "2026-12-24T23:00:00.000Z".to_owned())]);
    // The store has the same.
    let mut rows: BTreeMap<AbsenceNo, Absence> = BTreeMap::new();
    for row in &fleet.rows {
        if let Row::Absence(row) = row {
            rows.insert(row.no, (**row).clone());
        }
    }
    let loaded = Loaded { absences: rows.into_values().collect(), ..Loaded::default() };
    let (engine, _) = Engine::new(&loaded, roster(&["ann", "bob"]), Timestamp::from_ms(fleet.now));
    assert_eq!(engine.snapshot().exceptions.absences, fleet.engine.snapshot().exceptions.absences);
    assert_eq!(fleet.commanded(Command::EndAbsence(AbsenceNo(1))), Answer::Done);
    assert!(matches!(fleet.commanded(Command::EndAbsence(AbsenceNo(1))), Answer::Refused(_)));
    fleet.until(2 * DAY);
    assert_eq!(fleet.who_is_called(), ["ann"]);
}

#[test]
fn a_time_without_anybody_is_refused_with_the_time_unless_it_is_meant() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(&["ann", "bob"]), at(TUESDAY));
    assert_eq!(
        fleet.commanded(away("ann", &[("1", "2026-10-22T00:00:00Z", "2026-10-24T00:00:00Z")], false)),
        Answer::Made(1)
    );
    let bobs =
        [("2", "2026-10-23T00:00:00Z", "2026-10-25T00:00:00Z"), ("3", "2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z")];
    let Answer::Refused(why) = fleet.commanded(away("bob", &bobs, false)) else { panic!("refused") };
    assert!(why.contains("in ops from 2026-10-23T00:00:00.000Z to 2026-10-24T00:00:00.000Z:"), "{why}");
    assert!(why.contains("on-call override") && why.contains("--confirm-gaps"), "{why}");
    assert_eq!(fleet.engine.snapshot().exceptions.absences.len(), 1, "all of it or nothing");
    assert_eq!(fleet.commanded(away("bob", &bobs, true)), Answer::Made(2));
    // What is a gap already is confessed once.
    assert_eq!(
        fleet.commanded(away("ann", &[("4", "2026-10-23T06:00:00Z", "2026-10-23T08:00:00Z")], false)),
        Answer::Made(1)
    );
}
