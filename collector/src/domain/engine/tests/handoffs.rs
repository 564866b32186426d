//! Who comes on call and who leaves hears of it: once, over restarts too, and nobody is woken who is not on call.

use super::*;
use crate::domain::{
    calendar::Span,
    desk::handoffs::HandoffRow,
    ids::OverrideNo,
    oncall::{
        Contact, Person,
        rotation::{Layer, Length, Override, Rotation},
    },
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// Monday 2026-10-26 at 06:00 in Berlin, the day after the clock was set back.
const MORNING: &str = "2026-10-26T05:00:00Z";

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn person(name: &str, notices: bool) -> (String, Person) {
    let way = |receiver: String| Contact { receiver, to: None, after_ms: 0 };
    let contacts = vec![way(format!("mail-{name}"))];
    let notices = notices.then(|| contacts[0].clone());
    (name.into(), Person { name: name.into(), zone: None, contacts, important: vec![], notices, test_page: None })
}

/// Weekly turns from 2026-10-19 on, handed over on Mondays at this time in Berlin. Cleo cannot be told without waking her.
fn roster(people: &[&str], handoff: &str, handoff_notice: bool) -> Roster {
    let layer = Layer {
        people: people.iter().map(|name| (*name).to_owned()).collect(),
        from: "2026-10-19".parse().unwrap(),
        handoff: handoff.parse().unwrap(),
        every: Length::Days(7),
        hours: None,
    };
    let (zone, layers) = ("Europe/Berlin".to_owned(), vec![layer]);
    let ops = Rotation { name: "ops".into(), zone, layers, gaps_confirmed: false, handoff_notice };
    let messengers = vec![Messenger { receiver: "mail-ann".into(), least: None }];
    let people = [person("ann", true), person("bob", true), person("cleo", false)].into();
    Roster { messengers, people, rotations: [("ops".to_owned(), ops)].into(), ..Roster::default() }
}

impl Fleet {
    /// When whom was told what, in hours after the start.
    fn notices(&self) -> Vec<(i64, &str, &str)> {
        let notices = self.pages.iter().filter(|page| page.kind == PageKind::Notice);
        notices
            .map(|page| ((page.decided.ms() - self.start) / HOUR, page.receiver.as_str(), page.title.as_str()))
            .collect()
    }

    /// What a collector finds in its store that crashed just now.
    fn restarted(&self, roster: Roster, after_ms: i64) -> Self {
        let mut rows: BTreeMap<String, HandoffRow> = BTreeMap::new();
        for row in &self.rows {
            if let Row::Handoff(row) = row {
                rows.insert(row.rotation.clone(), (**row).clone());
            }
        }
        let last_page = self.pages.iter().map(|page| page.id.0).max().unwrap_or(0);
        let loaded = Loaded { handoffs: rows.into_values().collect(), last_page, ..Loaded::default() };
        let now = self.now + after_ms;
        let (engine, _) = Engine::new(&loaded, roster, Timestamp::from_ms(now));
        Self {
            engine,
            start: now,
            now,
            rows: vec![],
            pages: vec![],
            looks: vec![],
            answer: Look::Silent,
            heard_before: None,
        }
    }
}

#[test]
fn who_comes_on_call_hears_what_is_open_and_until_when_and_who_leaves_hears_it_too() {
    let mut fleet = Fleet::with(&[Watch::Normal], roster(&["ann", "bob"], "09:00", true), at(MORNING));
    fleet.silent_from_now(1);
    fleet.until(HOUR);
    assert_eq!(fleet.notices(), [], "nobody handed anything over yet");
    fleet.until(4 * HOUR);
    let bob = "You are on call for ops until Mon 2026-11-02 09:00 (Europe/Berlin)";
    let ann = "You are no longer on call for ops: bob has it until Mon 2026-11-02 09:00 (Europe/Berlin)";
    assert_eq!(fleet.notices(), [(3, "mail-bob", bob), (3, "mail-ann", ann)], "9:00 in Berlin is 8:00 UTC again");
    let notices: Vec<&Page> = fleet.pages.iter().filter(|page| page.kind == PageKind::Notice).collect();
    assert_eq!(notices[0].decided.ms(), at("2026-10-26T08:00:00Z"));
    assert!(
        notices[0].details.starts_with("ann had it before you.\nOne incident is open:\n#1 critical: h1 is down, since")
    );
    assert!(
        notices[1].details.starts_with("You had it until Mon 2026-10-26 09:00 (Europe/Berlin).\nOne incident is open:")
    );
    assert_eq!((notices[0].severity, notices[0].incident), (Severity::Info, None));
    // Delivered, it is no more looked after.
    let id = notices[0].id;
    fleet.apply(Event::Delivered { page: id, outcome: Outcome::Accepted { provider_id: None } });
    fleet.until(6 * 24 * HOUR);
    assert_eq!(fleet.notices().len(), 2, "once");
}

#[test]
fn a_start_tells_nothing_twice_and_tells_what_came_while_no_collector_ran() {
    let people = ["ann", "bob"];
    let mut fleet = Fleet::with(&[], roster(&people, "09:00", true), at(MORNING));
    fleet.until(4 * HOUR);
    assert_eq!(fleet.notices().len(), 2);
    let mut again = fleet.restarted(roster(&people, "09:00", true), MINUTE);
    again.until(5 * 24 * HOUR);
    assert_eq!(again.notices(), []);
    // It is away over the next hand-over, until noon.
    let mut late = fleet.restarted(roster(&people, "09:00", true), 7 * 24 * HOUR + 2 * HOUR);
    late.until(MINUTE);
    let told: Vec<(&str, Timestamp)> = late.pages.iter().map(|page| (&*page.receiver, page.since)).collect();
    let handed = Timestamp::from_ms(at("2026-11-02T08:00:00Z"));
    assert_eq!(told, [("mail-ann", handed), ("mail-bob", handed)]);
}

#[test]
fn who_leaves_at_night_sleeps_on_and_is_told_in_the_morning() {
    let mut fleet = Fleet::with(&[], roster(&["ann", "bob"], "03:00", true), at("2026-10-26T01:00:00Z"));
    fleet.until(3 * HOUR);
    assert_eq!(fleet.notices().iter().map(|one| (one.0, one.1)).collect::<Vec<_>>(), [(1, "mail-bob")]);
    // A crash in between changes nothing.
    let mut fleet = fleet.restarted(roster(&["ann", "bob"], "03:00", true), 0);
    fleet.until(24 * HOUR);
    let told: Vec<(i64, &str)> = fleet.pages.iter().map(|page| (page.decided.ms(), &*page.receiver)).collect();
    assert_eq!(told, [(at("2026-10-26T06:00:00Z"), "mail-ann")], "7:00 in Berlin");
    assert!(fleet.pages[0].details.starts_with("You had it until Mon 2026-10-26 03:00"), "{}", fleet.pages[0].details);
}

#[test]
fn a_rotation_that_wants_no_notices_and_a_person_who_would_be_woken_get_none() {
    let mut silent = Fleet::with(&[], roster(&["ann", "bob"], "09:00", false), at(MORNING));
    silent.until(24 * HOUR);
    assert_eq!(silent.notices(), []);
    let mut fleet = Fleet::with(&[], roster(&["ann", "cleo"], "09:00", true), at(MORNING));
    fleet.until(24 * HOUR);
    assert_eq!(fleet.notices().iter().map(|one| one.1).collect::<Vec<_>>(), ["mail-ann"]);
}

#[test]
fn somebody_who_stands_in_is_told_at_both_ends_and_so_is_who_is_stood_in_for() {
    let start = at("2026-10-27T10:00:00Z");
    let mut fleet = Fleet::with(&[], roster(&["ann", "bob"], "09:00", true), start);
    fleet.until(MINUTE);
    let span = Span { from: Timestamp::from_ms(start + HOUR), until: Timestamp::from_ms(start + 3 * HOUR) };
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
    fleet.until(5 * HOUR);
    let told: Vec<(i64, &str)> = fleet.notices().iter().map(|one| (one.0, one.1)).collect();
    assert_eq!(told, [(1, "mail-ann"), (1, "mail-bob"), (3, "mail-bob"), (3, "mail-ann")]);
    assert!(fleet.pages[0].details.starts_with("You stand in; bob had it before you."), "{}", fleet.pages[0].details);
}
