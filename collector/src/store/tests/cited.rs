//! What reports cite that are kept stays, however old it is, and nothing else does.

use super::{kept::count, report_deliveries::issue, *};
use crate::domain::{
    calendar::{Edge, Span, at as local, zone},
    changed::{Changed, ChangedRow, Kind},
    sla::delivery::{Issue, Outcome},
};

const DAY_MS: i64 = 86_400_000;

fn day(text: &str) -> Timestamp {
    Timestamp::from_ms(format!("{text}T00:00:00Z").parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// From midnight to midnight by the clocks of a zone.
fn span(from: &str, until: &str, zone_name: &str) -> Span {
    let midnight = |text: &str| {
        local(text.parse().unwrap(), jiff::civil::Time::midnight(), &zone(zone_name).unwrap(), Edge::Start)
    };
    Span { from: midnight(from), until: midnight(until) }
}

/// An incident that lasted two days, with all that belongs to one.
fn incident_of(no: i64, opened: Timestamp) -> Vec<Row> {
    let Row::Incident(row) = incident(no, IncidentState::Resolved, Some(0)) else { panic!("an incident") };
    let changed = Changed { at: opened.plus_ms(-1), kind: Kind::Package, text: "openssl 3.0.11".into(), by: None };
    let row = IncidentRow {
        since: opened.plus_ms(-1),
        opened,
        resolved: Some(opened.plus_ms(2 * DAY_MS)),
        changes: vec![changed.clone()],
        ..*row
    };
    let mut page = page(no, no, Delivery::Accepted);
    if let Row::Page(page) = &mut page {
        (page.person, page.proof.accepted) = (Some("ann".into()), Some(opened.plus_ms(30_000)));
    }
    let changed = Row::Changed(Box::new(ChangedRow { host: HostNo(1), changed }));
    vec![Row::Incident(Box::new(row)), incident_event(no, 1), page, changed]
}

#[tokio::test]
async fn all_that_a_kept_report_tells_of_incidents_is_as_it_was_and_what_none_cites_goes() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    // Each fifth day of six years, up to the present: 2026-11-18.
    let begun = day("2020-11-18");
    let rows = (0..438).flat_map(|n| incident_of(n + 1, begun.plus_ms(n * 5 * DAY_MS)));
    store.commit(rows.collect()).await.unwrap();
    let ago = |days: i64| -days * DAY_MS;
    let reports = [
        // Asked for 100 days ago, over a year that began five years ago.
        issue("2022", ago(100), Some("ann")),
        // No report is made any more by these two plans: of each the newest is kept, the one before is not.
        issue("2021-06", ago(1_900), None),
        issue("2021-09", ago(1_800), None),
        Issue { report: "weekly".into(), ..issue("2021-W01", ago(2_100), None) },
        Issue { report: "weekly".into(), ..issue("2023-W20", ago(1_270), None) },
    ];
    for report in reports {
        let issued = store.put_issue(report, Vec::new(), None).await.unwrap().unwrap();
        for mut delivery in issued.deliveries {
            delivery.end(Outcome::Taken("250".into()), NOW, NOW);
            store.put_delivery(issued.no, delivery).await.unwrap();
        }
    }
    let zones = ["Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin"];
    let cited = zones.iter().flat_map(|zone| {
        [("2022-01-01", "2023-01-01"), ("2021-09-01", "2021-10-01"), ("2023-05-15", "2023-05-22")]
            .map(|(from, until)| span(from, until, zone))
    });
    let cited: Vec<Span> = cited.collect();
    let told = async |span: Span| store.handling(span, |_| true).await.unwrap();
    let mut before = Vec::new();
    for span in &cited {
        before.push(told(*span).await);
    }
    // By hand, in Berlin: one begins on each fifth day from the 2nd of January to the 28th of December; the one before is over.
    assert_eq!(before[6].len(), 73, "{:#?}", before[6].keys());

    store.prune(NOW).await.unwrap();
    for (span, before) in cited.iter().zip(before) {
        assert_eq!(told(*span).await, before, "{span:?}");
        assert!(before.values().flatten().all(|incident| incident.paged.is_some()), "{span:?}");
    }
    let none = [("2021-06-05", "2021-08-20"), ("2021-01-01", "2021-01-15"), ("2023-01-10", "2023-05-01")];
    for (from, until) in none {
        assert_eq!(told(span(from, until, "UTC")).await.len(), 0, "{from} to {until} is cited by nobody");
    }
    // What is younger than three years is there without any report.
    let young = told(Span { from: NOW.plus_ms(ago(1_094)), until: NOW }).await;
    // They begin on day 5 n, the present is day 2 191.5: the first that lasts until day 1 097.5 is of day 1 100.
    assert_eq!(young.len(), 438 - 220, "{:?}", young.keys());
    // What changed on hosts is kept for 25 months, and for longer with the incidents before which it did.
    assert_eq!(count(&directory, "host_change"), 438 - 287);
    let past = store.past(Timestamp::from_ms(0), |_| true).await.unwrap();
    assert!(past.iter().all(|past| past.row.changes.len() == 1) && past.len() > 290, "{}", past.len());
}

#[tokio::test]
async fn what_somebody_called_no_problem_stays_without_any_report() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let over = |no: i64, days: i64| incident(no, IncidentState::Resolved, Some(-days * DAY_MS));
    store.commit(vec![over(1, 1_500), over(2, 1_400), over(3, 0)]).await.unwrap();
    let file = Connection::open(directory.path().join("state.db")).unwrap();
    file.execute("INSERT INTO dismissal (no, version, incident, body) VALUES (1, 1, 2, '{}')", []).unwrap();
    store.prune(NOW).await.unwrap();
    assert_eq!(count(&directory, "incident"), 2);
}
