//! What a report cites is there for as long as the report is, by a collector whose clock says that years have gone by. Needs
//! libfaketime.

use std::path::Path;

use muster_collector::{
    domain::{
        host::{Cause, State},
        ids::{HostId, HostNo, IncidentNo, PageId},
        labels::{Admission, Class, Facts, Profile},
        record::{
            Delivery, IncidentEventRow, IncidentRow, IncidentState, LivenessRow, Observed, Page, PageKind, Row, SpanRow,
        },
        severity::Severity,
        time::Timestamp,
        watch::Watch,
    },
    store::Store,
};
use muster_tests::{Collector, eventually};
use serde_json::{Value, json};

use crate::s;

const HOST: &str = "01a20010-b3e9-7566-b91b-37403ca53dda";
/// When the host was known first, and when its last collector stopped.
const BEGUN: &str = "2021-01-01T00:00:00Z";
const STOPPED: &str = "2022-11-15T00:00:00Z";
/// What it was down for; of the first a report tells that is kept, of the second none does. The third is the newest, which
/// stays because numbers go on from it.
const OUTAGES: [(&str, &str); 3] = [
    ("2021-06-10T10:00:00Z", "2021-06-10T12:00:00Z"),
    ("2021-08-10T10:00:00Z", "2021-08-10T12:00:00Z"),
    ("2022-11-10T10:00:00Z", "2022-11-10T12:00:00Z"),
];

/// As coreutils read it.
fn at(text: &str) -> Timestamp {
    let said = std::process::Command::new("date").args(["--date", text, "+%s"]).output().expect("coreutils are there");
    let seconds: i64 = String::from_utf8_lossy(&said.stdout).trim().parse().expect("seconds since 1970");
    Timestamp::from_ms(seconds * 1_000)
}

/// An incident about such a time, that ann was called for and took.
fn incident(no: i64, from: Timestamp, until: Timestamp) -> [Row; 3] {
    let opened = from.plus_ms(9_000);
    let row = IncidentRow {
        no: IncidentNo(no),
        id: format!("01a20010-b3e9-7566-b91b-37403ca5{no:04}"),
        key: format!("liveness/{HOST}/host"),
        state: IncidentState::Resolved,
        severity: Severity::Critical,
        title: "web-1 is down".into(),
        host: Some(HostNo(1)),
        component: "host".into(),
        since: from,
        opened,
        resolved: Some(until),
        closed: None,
        acknowledged_by: Some("ann".into()),
        acknowledged_until: None,
        page_at: opened,
        paged: true,
        part_of: None,
        followed: Vec::new(),
        escalations: Vec::new(),
        calls: Vec::new(),
        alert: None,
        changes: Vec::new(),
        swings: Default::default(),
        priority: None,
    };
    let taken = IncidentEventRow {
        incident: row.no,
        n: 1,
        at: opened.plus_ms(60_000),
        kind: "acknowledged".into(),
        text: "ann takes it".into(),
        by: Some("ann".into()),
    };
    let mut page = Page {
        id: PageId(no),
        message_id: no.to_string(),
        receiver: "phone".into(),
        to: None,
        person: Some("ann".into()),
        incident: Some(row.no),
        n: 1,
        kind: PageKind::Opened,
        key: row.key.clone(),
        state: IncidentState::Open,
        severity: row.severity,
        title: row.title.clone(),
        host: "web-1".into(),
        component: row.component.clone(),
        since: from,
        decided: opened,
        details: String::new(),
        path: format!("/incidents/{no}"),
        act: None,
        delivery: Delivery::Accepted,
        facts: Default::default(),
        proof: Default::default(),
    };
    page.proof.accepted = Some(opened.plus_ms(2_000));
    [Row::Incident(Box::new(row)), Row::IncidentEvent(taken), Row::Page(Box::new(page))]
}

/// A store as a collector leaves it that watched one host for two years.
async fn fill(collector: &Collector) {
    let host = HostNo(1);
    let id: HostId = HOST.parse().expect("an id");
    let mut rows = vec![Row::Host(Box::new(Profile {
        no: host,
        id,
        name: "web-1".into(),
        class: Class::Server,
        site: None,
        watch: Watch::None,
        labels: Default::default(),
        layers: Default::default(),
        admission: Admission::Active,
        facts: Facts::default(),
    }))];
    let (mut n, mut from) = (0, at(BEGUN));
    let mut entry = |to: Timestamp, state: Observed, cause: Cause| {
        n += 1;
        let evidence = cause.words();
        let row = Row::Span(SpanRow { host, n, from, to, state, cause, evidence, learned: to, replaces: None });
        from = to;
        row
    };
    for (no, (down, up)) in (1..).zip(OUTAGES) {
        rows.push(entry(at(down), Observed::Up, Cause::Reporting));
        rows.push(entry(at(up), Observed::Down, Cause::Silence));
        rows.extend(incident(no, at(down), at(up)));
    }
    rows.push(Row::Liveness(LivenessRow {
        host,
        state: State::Up,
        since: at(OUTAGES[2].1),
        cause: Cause::Reporting,
        boot_id: None,
        proof: at(STOPPED),
        peer: None,
        answered: None,
    }));
    let store = Store::open(&collector.state(), at(BEGUN)).expect("a store");
    store.commit(rows).await.expect("rows are stored");
    store.heartbeat(at(STOPPED)).await.expect("its run is noted");
}

/// Numbers of the incidents that the records have.
fn kept(collector: &Collector) -> Vec<i64> {
    let file = rusqlite::Connection::open(collector.state().join("state.db")).expect("the records");
    let mut statement = file.prepare("SELECT no FROM incident ORDER BY no").expect("a table of incidents");
    let rows = statement.query_map([], |row| row.get(0)).expect("incidents");
    rows.collect::<Result<_, _>>().expect("numbers")
}

async fn purged(collector: &Collector, left: &[i64]) {
    eventually(&format!("incidents {left:?} are left"), s(30), || async { (kept(collector) == left).then_some(()) })
        .await;
}

async fn report(collector: &Collector) -> Value {
    let words = ["--json", "sla", "report", "--agreement", "web", "--period", "2021-06"];
    serde_json::from_str(&collector.cli(&words).await).expect("JSON")
}

async fn verified(collector: &Collector, file: &Path) {
    let said = collector.cli(&["sla", "verify", &file.display().to_string()]).await;
    assert!(said.contains("verified"), "{said}");
}

#[tokio::test]
async fn the_incident_that_a_kept_report_tells_of_can_be_followed_years_later_and_goes_with_the_report() {
    let mut collector = Collector::prepare("");
    let folder = collector.home().join("reports");
    std::fs::create_dir_all(&folder).expect("a directory in one of our own");
    collector.configure(&format!(
        "[[agreement]]\nname = \"web\"\ntarget = 99.9\nzone = \"Europe/Berlin\"\nhosts = [\"*\"]\n\
         [[report]]\nname = \"own\"\nevery = \"month\"\nformats = [\"json\"]\ndirectory = \"{}\"\n",
        folder.display()
    ));
    fill(&collector).await;
    let deliver = async |collector: &Collector, period: &str| {
        collector.cli(&["sla", "deliver", "own", "--period", period]).await;
    };
    // A year and a half after the first outage somebody wants to see it in writing.
    collector.clock = Some("@2022-11-15 00:00:10".into());
    collector.run().await;
    deliver(&collector, "2021-06").await;
    let file = folder.join("web-2021-06.json");
    let delivered: Value = serde_json::from_slice(&std::fs::read(&file).expect("the report")).expect("JSON");
    assert_eq!(delivered["subjects"][0]["down_ms"], json!(7_200_000), "{delivered:#}");
    assert_eq!(delivered["inputs"]["incidents"][0]["number"], json!(1), "{delivered:#}");
    assert_eq!(delivered["inputs"]["incidents"][0]["acknowledged_by"], json!("ann"), "{delivered:#}");
    assert_eq!(kept(&collector), [1, 2, 3]);
    collector.stop().await;

    // Five days before that report is three years old: both outages of 2021 are older.
    collector.clock = Some("@2025-11-10 00:00:00".into());
    collector.run().await;
    purged(&collector, &[1, 3]).await;
    verified(&collector, &file).await;
    let again = report(&collector).await;
    assert_eq!(again["subjects"], delivered["subjects"]);
    assert_eq!(again["inputs"]["incidents"], delivered["inputs"]["incidents"]);
    let page = collector.get("/service-levels/web/report?period=2021-06").await;
    assert!(page.status == 200 && page.body.contains("#1"), "{}: {}", page.status, page.body);
    let page = collector.get("/incidents/1").await;
    for part in ["web-1 is down", "ann takes it", "phone", "2021-06-10"] {
        assert!(page.status == 200 && page.body.contains(part), "{part}: {} {}", page.status, page.body);
    }
    let told: Value = serde_json::from_str(&collector.get("/api/v1/incidents/1").await.body).expect("JSON");
    assert_eq!((&told["acknowledged_by"], &told["host"]), (&json!("ann"), &json!("web-1")), "{told:#}");
    assert_eq!((&told["timeline"][0]["by"], &told["pages"][0]["person"]), (&json!("ann"), &json!("ann")), "{told:#}");
    let gone = collector.get("/incidents/2").await;
    assert!(gone.status == 404 && gone.body.contains("kept"), "{}: {}", gone.status, gone.body);
    // Of each the newest stays: another one takes its place.
    deliver(&collector, "2022-11").await;
    collector.stop().await;

    collector.clock = Some("@2025-11-20 00:00:00".into());
    collector.run().await;
    purged(&collector, &[3]).await;
    assert_eq!(collector.get("/incidents/1").await.status, 404);
    assert_eq!(report(&collector).await["subjects"][0]["down_ms"], json!(7_200_000), "the ledger stays for good");
}
