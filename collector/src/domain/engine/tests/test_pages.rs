//! Test pages to people: by all of their ways at their hour, confirmed by one, told to others where they are not.

use super::*;
use crate::domain::{
    hold::Scope,
    ids::PageId,
    oncall::{
        Contact, Person,
        policy::{Policy, Step as PolicyStep, Target},
        route::RouteRule,
        test_page::TestPageRow,
    },
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// A Sunday, an hour before noon in Berlin.
const SUNDAY: &str = "2026-11-29T10:00:00Z";
/// Monday, 10:00 there.
const MONDAY_MS: i64 = 23 * HOUR;

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn person(name: &str, event: Option<&str>) -> (String, Person) {
    let contact = |receiver: &str, after_ms| Contact { receiver: format!("{receiver}-{name}"), to: None, after_ms };
    let test_page = event.map(|event| Box::new(Schedule::on_calendar(event, Some("Europe/Berlin")).unwrap()));
    let (contacts, important) = (vec![contact("mail", 0)], vec![contact("push", 0), contact("mail", 5 * MINUTE)]);
    (name.into(), Person { name: name.into(), zone: None, contacts, important, notices: None, test_page })
}

/// Ann is tested on Mondays at ten; whatever is wrong, she is called first and Bob an hour later.
fn roster(event: Option<&str>) -> Roster {
    let step = |after_ms, name: &str| PolicyStep { after_ms, targets: vec![Target::Person(name.into())] };
    let policy =
        Policy { name: "all".into(), steps: vec![step(0, "ann"), step(HOUR, "bob")], repeat: 0, pause_ms: HOUR };
    let route = RouteRule {
        place: "collector.toml:1".into(),
        scope: Scope::default(),
        least: Severity::Warning,
        urgent: None,
        hours: None,
        receivers: Vec::new(),
        policy: Some("all".into()),
        go_on: false,
    };
    let messengers = ["mail-ann", "push-ann", "mail-bob", "push-bob"];
    let messengers = messengers.map(|name| Messenger { receiver: name.into(), least: Some(Severity::Warning) });
    Roster {
        messengers: messengers.into(),
        people: [person("ann", event), person("bob", None)].into(),
        policies: [("all".to_owned(), policy)].into(),
        routes: vec![route],
        ..Roster::default()
    }
}

fn says_it_came(fleet: &mut Fleet, page: PageId) -> Option<Answer> {
    let by = Principal { name: "ann".into(), via: format!("link of page {page}"), address: None };
    let event = Event::Operator { by, command: Command::ConfirmTest(page), reply: ReplyId(2) };
    let effects = fleet.engine.apply(event, Timestamp::from_ms(fleet.now));
    let mut answer = None;
    for effect in effects {
        match effect {
            Effect::Notify(page) => fleet.pages.push(*page),
            Effect::Reply(_, said) => answer = Some(said),
            _ => {}
        }
    }
    answer
}

fn known(fleet: &Fleet) -> TestPageRow {
    fleet.engine.snapshot().test_pages.iter().find(|row| row.person == "ann").unwrap().clone()
}

#[test]
fn a_person_is_tested_by_each_of_their_ways_at_their_hour_and_one_confirmation_is_enough() {
    let mut fleet = Fleet::with(&[], roster(Some("Mon 10:00")), at(SUNDAY));
    fleet.until(MONDAY_MS - 1);
    assert_eq!(fleet.pages.len(), 0);
    fleet.until(MONDAY_MS);
    let told: Vec<_> = fleet.pages.iter().map(|page| (page.kind, &*page.receiver, page.person.as_deref())).collect();
    assert_eq!(told, [(PageKind::Test, "mail-ann", Some("ann")), (PageKind::Test, "push-ann", Some("ann"))]);
    assert_eq!(known(&fleet).waits_until(), Some(Timestamp::from_ms(at("2026-12-01T09:00:00Z"))));
    fleet.until(MONDAY_MS + HOUR);
    let push = fleet.pages[1].id;
    assert_eq!(says_it_came(&mut fleet, push), Some(Answer::Done));
    let row = known(&fleet);
    assert_eq!(
        (row.confirmed, row.through.as_str()),
        (Some(Timestamp::from_ms(at("2026-11-30T10:00:00Z"))), "push-ann")
    );
    assert_eq!((row.waits_until(), row.due), (None, Some(Timestamp::from_ms(at("2026-12-07T09:00:00Z")))));
    fleet.until(MONDAY_MS + 48 * HOUR);
    assert_eq!(fleet.pages.len(), 2, "nothing is missed");
}

#[test]
fn a_test_that_is_not_confirmed_within_a_day_is_told_to_others_and_not_to_who_may_not_be_reached() {
    let mut fleet = Fleet::with(&[], roster(Some("Mon 10:00")), at(SUNDAY));
    fleet.until(MONDAY_MS + 24 * HOUR - 1);
    assert_eq!(fleet.pages.len(), 2);
    fleet.until(MONDAY_MS + 24 * HOUR + MINUTE);
    let told: Vec<_> = fleet.pages[2..].iter().map(|page| (page.kind, page.severity, &*page.receiver)).collect();
    assert_eq!(told, [(PageKind::Opened, Severity::Warning, "mail-bob")], "at once, for there is no waiting for Ann");
    let page = &fleet.pages[2];
    assert_eq!(page.key, "self/collector/test_page/ann");
    assert!(page.title.starts_with("collector: test page to ann is not confirmed: sent 2026-11-30T09:00:00.000Z"));
    // The next one comes, and its confirmation ends it.
    fleet.until(MONDAY_MS + 7 * 24 * HOUR + MINUTE);
    let tests: Vec<PageId> =
        fleet.pages.iter().filter(|page| page.kind == PageKind::Test).map(|page| page.id).collect();
    assert_eq!(tests.len(), 4);
    assert!(matches!(says_it_came(&mut fleet, tests[0]), Some(Answer::Refused(_))), "a page of the test before");
    assert_eq!(says_it_came(&mut fleet, tests[2]), Some(Answer::Done));
    let last = fleet.pages.last().unwrap();
    assert_eq!((last.kind, &*last.key), (PageKind::Resolved, "self/collector/test_page/ann"));
}

#[test]
fn nobody_is_tested_without_being_asked_and_a_command_tests_at_once() {
    let mut fleet = Fleet::with(&[], roster(None), at(SUNDAY));
    fleet.until(14 * 24 * HOUR);
    assert_eq!((fleet.pages.len(), fleet.engine.snapshot().test_pages.len()), (0, 0));
    fleet.operator(Command::TestPerson("ann".into()));
    assert_eq!(fleet.pages.iter().map(|page| &*page.receiver).collect::<Vec<_>>(), ["mail-ann", "push-ann"]);
    fleet.operator(Command::TestPerson("nobody".into()));
    assert_eq!(fleet.pages.len(), 2);
}

#[test]
fn a_test_that_fell_due_while_no_collector_ran_is_made_up_for_within_the_hour_or_left_out() {
    let due = at("2026-11-30T09:00:00Z");
    let loaded = |row: TestPageRow| Loaded { test_pages: vec![row], ..Loaded::default() };
    let row = TestPageRow {
        rule: "at Mon 10:00 Europe/Berlin".into(),
        due: Some(Timestamp::from_ms(due)),
        ..TestPageRow::new("ann")
    };
    for (late_ms, pages) in [(HOUR, 2), (HOUR + 1, 0)] {
        let now = Timestamp::from_ms(due + late_ms);
        let (mut engine, _) = Engine::new(&loaded(row.clone()), roster(Some("Mon 10:00")), now);
        let effects = engine.apply(Event::Tick, now);
        let sent = effects.iter().filter(|effect| matches!(effect, Effect::Notify(_))).count();
        assert_eq!(sent, pages, "{late_ms} ms late");
        let next = engine.snapshot().test_pages[0].due;
        assert_eq!(next, Some(Timestamp::from_ms(at("2026-12-07T09:00:00Z"))));
    }
}

#[test]
fn who_is_tested_no_more_is_not_missed() {
    let mut fleet = Fleet::with(&[], roster(Some("Mon 10:00")), at(SUNDAY));
    fleet.until(MONDAY_MS + 25 * HOUR);
    let problem = |row: &Row| if let Row::Problem(row) = row { Some(row.clone()) } else { None };
    let loaded = Loaded {
        test_pages: vec![known(&fleet)],
        problems: fleet.rows.iter().filter_map(problem).collect(),
        ..Loaded::default()
    };
    let (_, effects) = Engine::new(&loaded, roster(None), Timestamp::from_ms(fleet.now));
    let cleared =
        |effect: &Effect| matches!(effect, Effect::Record(Row::ProblemCleared(key)) if key.ends_with("test_page/ann"));
    assert!(effects.iter().any(cleared), "{effects:?}");
}
