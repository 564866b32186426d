//! What comes and goes: one page, one word that it flaps, then nothing until it is stable, and how that ended.

use super::{
    checks::{restarted, says},
    oncall::roster,
    *,
};

const MINUTE: i64 = 60_000;

impl Fleet {
    fn pass(&mut self, ms: i64) {
        let at = self.now - self.start;
        self.until(at + ms);
    }

    /// The first host is silent for so long and then heard for so long.
    fn flap(&mut self, down_ms: i64, up_ms: i64) {
        self.silent_from_now(1);
        self.pass(down_ms - 7_000);
        self.connect(1);
        self.pass(up_ms);
    }

    fn kinds_and_titles(&self) -> Vec<(PageKind, String)> {
        self.pages.iter().map(|page| (page.kind, page.title.clone())).collect()
    }

    fn flapping(&self, no: i64) -> Option<crate::domain::flapping::Flapping> {
        self.engine.snapshot().incidents[&IncidentNo(no)].row.swings.flapping
    }
}

fn page(kind: PageKind, title: &str) -> (PageKind, String) {
    (kind, title.to_owned())
}

/// Two outages as any other, and the third is told as flapping: each two minutes.
fn until_it_flaps() -> Vec<(PageKind, String)> {
    vec![
        page(PageKind::Opened, "h1 is down"),
        page(PageKind::Resolved, "h1 is down"),
        page(PageKind::Opened, "h1 is down"),
        page(PageKind::Resolved, "h1 is down"),
        page(PageKind::Updated, "h1 is down (flapping: 5 changes in 4 min)"),
    ]
}

#[test]
fn a_host_that_flaps_is_told_once_as_flapping_then_not_until_it_is_stable_and_its_outages_count() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    for _ in 0..10 {
        fleet.flap(MINUTE, MINUTE);
    }
    assert_eq!(fleet.kinds_and_titles(), until_it_flaps());
    let view = fleet.engine.snapshot().incidents[&IncidentNo(2)].clone();
    assert_eq!(view.row.state, IncidentState::Open, "well for a minute is not over");
    let flapping = fleet.flapping(2).unwrap();
    assert_eq!((flapping.changes, flapping.well.is_some()), (20, true));
    let told = view.events.iter().find(|event| event.kind == "flapping").unwrap();
    assert_eq!(told.text, "flapping: 5 changes in 4 min; told once, then quiet until it is stable for 18 min");
    // The last change was a minute ago; what changes each minute is stable after eighteen.
    fleet.pass(17 * MINUTE - 1);
    assert_eq!(fleet.pages.len(), 5);
    fleet.pass(2);
    assert_eq!(fleet.pages.last().map(|page| (page.kind, page.receiver.as_str())), Some((PageKind::Resolved, "ops")));
    assert!(
        fleet.pages[5].details.contains("flaps no more: 20 changes in 18 min, now stable for 18 min"),
        "{}",
        fleet.pages[5].details
    );
    assert!(fleet.pages.iter().all(|page| page.key == fleet.pages[0].key));
    let down = fleet.spans(1).into_iter().filter(|span| span.state == Observed::Down);
    assert_eq!(down.map(|span| span.to.since_ms(span.from)).collect::<Vec<_>>(), [MINUTE; 10]);
}

#[test]
fn one_that_stays_down_in_the_end_is_told_so_and_its_end_too() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    for _ in 0..3 {
        fleet.flap(MINUTE, MINUTE);
    }
    fleet.silent_from_now(1);
    fleet.pass(40 * MINUTE);
    let mut told = until_it_flaps();
    told.push(page(PageKind::Updated, "h1 is down (flaps no more: 7 changes in 6 min, now stable for 18 min)"));
    assert_eq!(fleet.kinds_and_titles(), told);
    assert_eq!(fleet.flapping(2), None);
    fleet.connect(1);
    told.push(page(PageKind::Resolved, "h1 is down"));
    assert_eq!(fleet.kinds_and_titles(), told);
}

#[test]
fn another_collector_goes_on_being_quiet_and_tells_the_end() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    for _ in 0..2 {
        fleet.flap(MINUTE, MINUTE);
    }
    for _ in 0..4 {
        let loaded = restarted(&fleet);
        let messengers = vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }];
        let roster = Roster { messengers, ..Roster::default() };
        fleet.engine = Engine::new(&loaded, roster, Timestamp::from_ms(fleet.now)).0;
        fleet.connect(1);
        fleet.flap(MINUTE, MINUTE);
    }
    assert_eq!(fleet.kinds_and_titles(), until_it_flaps());
    fleet.pass(30 * MINUTE);
    assert_eq!(fleet.pages.last().map(|page| page.kind), Some(PageKind::Resolved));
    assert_eq!(fleet.pages.len(), 6);
}

#[test]
fn nobody_is_called_while_it_is_well_and_the_next_one_is_when_it_is_not() {
    let start = "2026-10-20T02:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let mut fleet = Fleet::with(&[Watch::Normal], roster(), start);
    for _ in 0..3 {
        fleet.flap(MINUTE, MINUTE);
    }
    let taken = fleet.pages.len();
    assert_eq!(
        fleet.pages.last().map(|page| (page.receiver.as_str(), page.kind)),
        Some(("push-bob", PageKind::Updated))
    );
    for page in fleet.pages.clone() {
        fleet.apply(Event::Delivered { page: page.id, outcome: Outcome::Accepted { provider_id: None } });
    }
    // Bob's phone would ring after five minutes, the boss's after fifteen.
    fleet.pass(10 * MINUTE);
    assert_eq!(fleet.pages.len(), taken, "it is well");
    fleet.silent_from_now(1);
    fleet.pass(MINUTE);
    assert_eq!(fleet.pages.last().map(|page| page.receiver.as_str()), Some("call-bob"));
}

#[test]
fn blips_that_would_page_nobody_each_are_one_page_when_they_do_not_end() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    for _ in 0..3 {
        fleet.flap(20_000, 40_000);
    }
    assert_eq!(fleet.told(), [], "each was over before its page was due, and it is well now");
    for _ in 0..30 {
        fleet.flap(20_000, 40_000);
    }
    assert_eq!(fleet.kinds_and_titles(), [page(PageKind::Opened, "h1 is down (flapping: 7 changes in 3 min)")]);
}

#[test]
fn a_check_that_flaps_is_told_like_a_host_and_with_the_switch_off_each_time() {
    for (each, pages) in [(false, 5), (true, 16)] {
        let messengers = vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }];
        let roster = Roster { messengers, tells_each_change: each, ..Roster::default() };
        let mut fleet = Fleet::with(&[Watch::Normal], roster, START);
        for _ in 0..8 {
            says(&mut fleet, 1, 2, 3);
            fleet.pass(2 * MINUTE);
            says(&mut fleet, 1, 0, 1);
            fleet.pass(2 * MINUTE);
        }
        assert_eq!(fleet.pages.len(), pages, "{:?}", fleet.told());
        let said = fleet.pages[4].title == "h1: check web is critical (flapping: 5 changes in 8 min)";
        assert_eq!(said, !each, "{}", fleet.pages[4].title);
    }
}

#[test]
fn what_fails_each_hour_is_told_each_time() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    for _ in 0..6 {
        fleet.flap(MINUTE, 59 * MINUTE);
    }
    assert_eq!(fleet.pages.len(), 12);
}

#[test]
fn whoever_takes_what_flaps_has_it_until_it_is_stable() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    for _ in 0..3 {
        fleet.flap(MINUTE, MINUTE);
    }
    fleet.operator(Command::Acknowledge { incident: IncidentNo(2), note: String::new(), for_ms: None });
    for _ in 0..3 {
        fleet.flap(MINUTE, MINUTE);
    }
    fleet.pass(30 * MINUTE);
    let kinds: Vec<PageKind> = fleet.pages[5..].iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Acknowledged, PageKind::Resolved]);
}
