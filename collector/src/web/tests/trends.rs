//! What has a past is drawn: in the list, on an incident, at a finding.

use super::*;
use crate::domain::trend::{Minutes, Series, phase_of, row_of};

const PART: &str = "/var";

/// A host whose /var is full, with the incident of it.
fn full_disk(now: Timestamp) -> Snapshot {
    let mut snapshot = hostile_fleet(now);
    let mut host = (*snapshot.hosts[&HostNo(1)]).clone();
    host.findings[0].part = PART.into();
    host.findings[0].rule = "filesystem_space".into();
    let mut incident = hostile_incident(now);
    incident.row.key = format!("finding/{}/filesystem_space:{PART}", host.profile.id);
    incident.row.component = PART.into();
    snapshot.hosts = Arc::new([(HostNo(1), Arc::new(host))].into());
    snapshot.incidents = Arc::new([(IncidentNo(7), Arc::new(incident))].into());
    snapshot
}

/// Hours of minutes: `ago` hours before the present one, the last one first.
async fn write(stage: &Stage, hours: &[(i64, f64)]) {
    let phase = phase_of(1);
    let present = row_of(stage.now.ms() / 60_000, phase);
    let rows = hours.iter().map(|(ago, free)| {
        let mut row = Minutes::new(present - ago * 60);
        for minute in row.from..row.from + 60 {
            row.set(minute, &Series::new("filesystem_avail_bytes", PART).unwrap(), *free);
            row.set(minute, &Series::new("cpu_busy_ratio", "").unwrap(), 0.25);
        }
        (HostNo(1), row)
    });
    stage.store.write_trends(rows.collect(), 1 << 30, stage.now).await.unwrap();
}

async fn shown(stage: &Stage, path: &str) -> String {
    text(stage.ask(loopback(), request(&Method::GET, path, &[], "")).await).await
}

#[tokio::test]
async fn the_list_draws_two_days_of_each_host_with_gaps_as_gaps() {
    let hour = |now: Timestamp| row_of(now.ms() / 60_000, phase_of(1));
    let (stage, pages) = loop {
        let stage = Stage::new(full_disk(Clock::start().now()), |_| {});
        write(&stage, &[(47, 4e9), (3, 2e9), (2, 1e9), (1, 1e9)]).await;
        // The second time from memory.
        let pages = [shown(&stage, "/").await, shown(&stage, "/").await];
        // The host's hour may just have ended; then all has moved on by one.
        if hour(Clock::start().now()) == hour(stage.now) {
            break (stage, pages);
        }
    };
    drop(stage);
    for page in pages {
        assert!(page.contains("<path d=\"M0 1h2M88 10L90 14L92 14\"/>"), "{page}");
        assert!(page.contains("aria-label=\"Free space /var, 48 hours: 954 MiB to 3.7 GiB, with gaps\""), "{page}");
        assert!(page.contains("<small>CPU </small>"), "the present hour is not known: {page}");
    }
}

#[tokio::test]
async fn a_host_without_a_past_has_no_picture() {
    let stage = Stage::new(full_disk(Clock::start().now()), |_| {});
    let page = shown(&stage, "/").await;
    assert!(page.contains("class=\"sparks\"") && !page.contains("class=\"spark\""), "{page}");
}

#[tokio::test]
async fn an_incident_and_a_finding_show_the_past_of_what_they_are_about() {
    let stage = Stage::new(full_disk(Clock::start().now()), |_| {});
    write(&stage, &[(3, 2e9), (2, 1e9), (1, 1e9)]).await;
    let incident = shown(&stage, "/incidents/7").await;
    assert!(incident.contains("What it is about") && incident.contains(">/var</span>"), "{incident}");
    assert!(incident.contains("class=\"gap\"") && !incident.contains("Processors busy"), "{incident}");
    let host = shown(&stage, "/hosts/00000000-0000-0000-0000-000000000001").await;
    assert!(host.contains("id=\"finding-filesystem_space-filesystem_avail_bytes-2fvar\""), "{host}");
    let other = Stage::new(hostile_fleet(Clock::start().now()), |_| {});
    assert!(!shown(&other, "/incidents/7").await.contains("What it is about"));
}
