//! What the collector says of itself to its watchdogs, seen from the pages that it could not get rid of.

use super::*;
use crate::domain::watchdog::{Health, left_over};

const MINUTE: i64 = 60_000;

fn found(fleet: &Fleet) -> Health {
    Health::found(Vec::new(), &fleet.engine.snapshot(), Timestamp::from_ms(fleet.now))
}

fn delivered(fleet: &mut Fleet, page: usize, outcome: Outcome) {
    let page = fleet.pages[page].id;
    fleet.apply(Event::Delivered { page, outcome });
}

/// A host that is gone, and when its page was decided.
fn paged() -> (Fleet, i64) {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.silent_from_now(1);
    fleet.until(5_000);
    let decided = fleet.pages[0].decided.ms() - START;
    (fleet, decided)
}

#[test]
fn a_page_that_nobody_takes_for_ten_minutes_is_no_health_until_somebody_takes_it() {
    let (mut fleet, decided) = paged();
    delivered(&mut fleet, 0, Outcome::Retrying { error: "it answered 503".into(), not_before: None });
    fleet.until(decided + 10 * MINUTE);
    assert_eq!(found(&fleet), Health::Well, "retries are the outbox's daily bread");
    fleet.until(decided + 10 * MINUTE + 1);
    let why = "nobody has taken the pages of #1 for 10 min".to_owned();
    assert_eq!(found(&fleet), Health::Unwell { severity: Severity::Critical, why });
    delivered(&mut fleet, 0, Outcome::Accepted { provider_id: None });
    assert_eq!(found(&fleet), Health::Well);
}

#[test]
fn the_trouble_of_not_being_well_pages_once_and_does_not_keep_itself_alive() {
    let (mut fleet, decided) = paged();
    fleet.until(decided + 11 * MINUTE);
    let unwell = found(&fleet).event();
    fleet.apply(unwell.clone());
    fleet.apply(unwell);
    let last = fleet.pages.last().unwrap().clone();
    assert_eq!((fleet.pages.len(), last.key.as_str()), (2, "self/collector/way_to_page"));
    assert_eq!(last.title, "collector: pages may reach nobody: nobody has taken the pages of #1 for 10 min");
    delivered(&mut fleet, 0, Outcome::Accepted { provider_id: None });
    fleet.until(decided + 30 * MINUTE);
    assert_eq!(found(&fleet), Health::Well, "its own page still waits, which says nothing new");
    let well = found(&fleet).event();
    fleet.apply(well);
    assert_eq!(fleet.pages.last().map(|page| page.kind), Some(PageKind::Resolved));
}

#[test]
fn what_the_engine_or_the_store_fails_at_is_critical_and_stands_before_the_pages() {
    let (mut fleet, decided) = paged();
    fleet.until(decided + 11 * MINUTE);
    let troubles = vec!["the store does not write: full".to_owned()];
    let health = Health::found(troubles, &fleet.engine.snapshot(), Timestamp::from_ms(fleet.now));
    let why = "the store does not write: full; nobody has taken the pages of #1 for 10 min".to_owned();
    assert_eq!(health, Health::Unwell { severity: Severity::Critical, why });
}

#[test]
fn a_watchdog_that_is_configured_no_more_is_in_no_trouble() {
    let mut fleet = Fleet::of(&[]);
    let trouble = Some((Severity::Warning, "not reached".to_owned()));
    for what in ["watchdog/old", "watchdog/outside", "state_disk"] {
        fleet.apply(Event::SelfCheck { what: what.into(), trouble: trouble.clone() });
    }
    for event in left_over(&fleet.engine.snapshot(), &["outside"]) {
        fleet.apply(event);
    }
    let resolved: Vec<_> = fleet.pages.iter().filter(|page| page.kind == PageKind::Resolved).collect();
    assert_eq!(resolved.iter().map(|page| page.key.as_str()).collect::<Vec<_>>(), ["self/collector/watchdog/old"]);
}
