//! A batch of drives that fail together is one warning, from when it is seen until it is over.

use super::*;
use crate::domain::reliability::Batch;

const HOUR: i64 = 3_600_000;

fn batch(model: &str, drives: u32) -> Batch {
    Batch {
        model: model.into(),
        firmware: "F/2".into(),
        since: Timestamp::from_ms(START - 24 * HOUR),
        hosts: vec![HostNo(1), HostNo(2)],
        summary: format!("{model}, firmware F/2: {drives} drives began to fail within 30 days"),
        evidence: format!("{drives} of 30 drives"),
    }
}

fn incidents(fleet: &Fleet) -> Vec<(String, String, Severity, IncidentState)> {
    let snapshot = fleet.engine.snapshot();
    let rows = snapshot.incidents.values().map(|incident| &incident.row);
    rows.map(|row| (row.key.clone(), row.component.clone(), row.severity, row.state)).collect()
}

#[test]
fn it_is_one_warning_with_all_its_hosts_and_ends_with_the_batch() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal, Watch::Normal]);
    fleet.apply(Event::Batches(vec![batch("BAD", 3), batch("WORSE", 4)]));
    let of = |model: &str, state| (format!("batch/{model}/F_2"), model.to_owned(), Severity::Warning, state);
    assert_eq!(incidents(&fleet), [of("BAD", IncidentState::Open), of("WORSE", IncidentState::Open)]);
    let no = fleet.engine.snapshot().incidents.values().next().unwrap().row.no;
    assert_eq!(fleet.engine.desk.hosts_of(no), [HostNo(1), HostNo(2)].into());
    fleet.until(HOUR);
    let told = fleet.told().len();
    assert_eq!(fleet.pages.iter().filter(|page| page.severity == Severity::Warning).count(), told, "{:?}", fleet.pages);
    // One more drive of it: the same incident, and nobody is told again.
    fleet.apply(Event::Batches(vec![batch("BAD", 4), batch("WORSE", 4)]));
    fleet.until(2 * HOUR);
    assert_eq!((incidents(&fleet).len(), fleet.told().len()), (2, told));
    fleet.apply(Event::Batches(vec![batch("WORSE", 4)]));
    assert_eq!(incidents(&fleet), [of("BAD", IncidentState::Resolved), of("WORSE", IncidentState::Open)]);
    fleet.apply(Event::Batches(vec![]));
    assert_eq!(incidents(&fleet)[1], of("WORSE", IncidentState::Resolved));
}
