use std::{collections::BTreeMap, sync::Arc};

use axum::{body::Body, http::Request};
use tower::ServiceExt;

use super::*;
use crate::domain::{
    event::Severity,
    host::{
        Cause, State,
        dictionary::{DictionaryUpdate, FamilyEntry, FamilyType, SeriesEntry},
        slot::ReadingsUpdate,
    },
    ids::SessionId,
    labels::{Admission, Class, Facts, Profile},
    record::FindingRow,
    watch::Watch,
};

mod strict;

const SESSION: SessionId = SessionId(1);
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const START_MS: i64 = 1_790_000_000_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(START_MS + ms)
}

fn view(name: &str, state: State) -> HostView {
    let profile = Profile {
        no: HostNo(1),
        id: ID.parse().unwrap(),
        name: name.into(),
        class: Class::Server,
        site: Some("zurich".into()),
        watch: Watch::Normal,
        labels: BTreeMap::from([
            ("owner".into(), "web".into()),
            ("no-name".into(), "x".into()),
            ("job".into(), "x".into()),
        ]),
        sources: BTreeMap::new(),
        admission: Admission::Active,
        facts: Facts { os: "linux".into(), agent_version: "0.1.0".into(), ..Facts::default() },
    };
    let finding = FindingRow {
        host: HostNo(1),
        part: "/var".into(),
        rule: "filesystem_space".into(),
        open: true,
        severity: Severity::Warning,
        since: at(0),
        evidence: String::new(),
    };
    HostView {
        profile,
        state,
        since: at(0),
        cause: Cause::Silence,
        proof: at(0),
        peer: None,
        session: Some(SESSION),
        findings: vec![finding],
        incident: None,
    }
}

/// A collector with this one host, `now_ms` after its readings.
fn context(view: HostView, now_ms: i64) -> ExpositionContext {
    let slots = Arc::new(Slots::default());
    let slot = slots.open(HostNo(1), SESSION, view.profile.watch, at(0));
    let load =
        FamilyEntry { id: 0, name: "node_load1".into(), kind: FamilyType::Gauge, help: "1m load average.".into() };
    let series = SeriesEntry { id: 0, family: 0, suffix: String::new(), labels: Vec::new() };
    slot.grow(SESSION, DictionaryUpdate { families: vec![load], series: vec![series], retired: vec![] }, at(0))
        .unwrap();
    let update = ReadingsUpdate {
        full: true,
        agent_wall_ms: at(250).ms(),
        real_gaps: vec![0],
        reals: vec![0.25],
        ..ReadingsUpdate::default()
    };
    slot.apply(SESSION, &update, at(0)).unwrap();
    let hosts = BTreeMap::from([(HostNo(1), Arc::new(view))]);
    let cuts = BTreeMap::from([("basel".to_owned(), at(0))]);
    let snapshot = Snapshot {
        at: at(0),
        started: at(-1_500),
        hosts: Arc::new(hosts),
        cuts: Arc::new(cuts),
        ..Snapshot::default()
    };
    ExpositionContext {
        snapshot: watch::channel(Arc::new(snapshot)).1,
        slots,
        registry: prometheus::Registry::new(),
        address: None,
        tls: false,
        now: Arc::new(move || at(now_ms)),
        numbers: Numbers::default(),
    }
}

async fn get(context: ExpositionContext, path: &str) -> (StatusCode, String, String) {
    let request = Request::get(path).header("host", "collector:7461").body(Body::empty()).unwrap();
    let response = router(context).oneshot(request).await.unwrap();
    let status = response.status();
    let kind = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_host_that_is_up_says_what_its_own_exporter_would() {
    let (status, kind, body) = get(context(view("web1", State::Up), 1_000), &format!("/hosts/{ID}/metrics")).await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, TEXT_FORMAT));
    assert_eq!(body, "# HELP node_load1 1m load average.\n# TYPE node_load1 gauge\nnode_load1 0.25\n");
}

#[tokio::test]
async fn a_host_that_is_not_up_or_has_no_fresh_readings_answers_503_and_an_unknown_one_404() {
    let path = format!("/hosts/{ID}/metrics");
    let status = async |state, now_ms| get(context(view("web1", state), now_ms), &path).await.0;
    assert_eq!(status(State::Suspect, 0).await, StatusCode::OK);
    for state in State::ALL.into_iter().filter(|state| !state.counts_as_up()) {
        assert_eq!(status(state, 0).await, StatusCode::SERVICE_UNAVAILABLE, "{state:?}");
    }
    assert_eq!(status(State::Up, 30_000).await, StatusCode::OK);
    assert_eq!(status(State::Up, 30_001).await, StatusCode::SERVICE_UNAVAILABLE);
    let mut relaxed = view("laptop", State::Up);
    relaxed.profile.watch = Watch::Relaxed;
    assert_eq!(get(context(relaxed.clone(), 120_000), &path).await.0, StatusCode::OK);
    assert_eq!(get(context(relaxed, 120_001), &path).await.0, StatusCode::SERVICE_UNAVAILABLE);
    for path in ["/hosts/nonsense/metrics", "/hosts/01890a5d-ac96-774b-bcce-b302099a8058/metrics"] {
        assert_eq!(get(context(view("web1", State::Up), 0), path).await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn discovery_lists_every_admitted_host_once_with_its_labels() {
    let (status, kind, body) = get(context(view("web1", State::Down), 0), "/prometheus/sd").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"));
    let expected = format!(
        r#"[{{"targets":["collector:7461"],"labels":{{"__metrics_path__":"/hosts/{ID}/metrics","__scheme__":"http","class":"server","instance":"web1","job":"node","owner":"web","site":"zurich","watch":"normal"}}}}]"#
    );
    assert_eq!(body, expected);
    let mut retired = view("web1", State::Up);
    retired.profile.admission = Admission::Retired;
    assert_eq!(get(context(retired, 0), "/prometheus/sd").await.2, "[]");
}

#[tokio::test]
async fn discovery_never_answers_with_a_list_that_it_does_not_have() {
    let starting = ExpositionContext {
        snapshot: watch::channel(Arc::new(Snapshot::default())).1,
        ..context(view("web1", State::Up), 0)
    };
    assert_eq!(get(starting, "/prometheus/sd").await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_fleets_page_shows_each_host_in_every_axis() {
    let context = context(view("web1", State::Suspect), 0);
    let counter = prometheus::IntCounter::new("muster_reports_received_total", "Reports.").unwrap();
    context.registry.register(Box::new(counter)).unwrap();
    let (status, kind, body) = get(context, "/metrics").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, TEXT_FORMAT));
    let samples: Vec<&str> = body.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = format!(
        r#"muster_reports_received_total 0
muster_host_up{{host="web1",class="server",site="zurich"}} 1
muster_host_liveness{{host="web1",state="down"}} 0
muster_host_liveness{{host="web1",state="agent_lost"}} 0
muster_host_liveness{{host="web1",state="unreachable"}} 0
muster_host_liveness{{host="web1",state="suspect"}} 1
muster_host_liveness{{host="web1",state="unknown"}} 0
muster_host_liveness{{host="web1",state="rebooting"}} 0
muster_host_liveness{{host="web1",state="shutdown"}} 0
muster_host_liveness{{host="web1",state="asleep"}} 0
muster_host_liveness{{host="web1",state="up"}} 0
muster_host_info{{host="web1",host_id="{ID}",class="server",site="zurich",watch="normal",os="linux",os_release="",kernel="",architecture="",chassis="",agent_version="0.1.0"}} 1
muster_host_last_report_timestamp_seconds{{host="web1"}} 1790000000
muster_host_families_left_out{{host="web1"}} 0
muster_host_clock_ahead_seconds{{host="web1"}} 0.25
muster_finding{{host="web1",component="/var",rule="filesystem_space",severity="warning"}} 1
muster_incidents{{severity="critical",state="open"}} 0
muster_incidents{{severity="critical",state="acknowledged"}} 0
muster_incidents{{severity="warning",state="open"}} 0
muster_incidents{{severity="warning",state="acknowledged"}} 0
muster_incidents{{severity="info",state="open"}} 0
muster_incidents{{severity="info",state="acknowledged"}} 0
muster_cut{{scope="basel"}} 1
muster_collector_started_timestamp_seconds 1789999998.5"#
    );
    assert_eq!(samples, expected.lines().collect::<Vec<_>>());
    strict::parse(&body).unwrap();
}

#[tokio::test]
async fn no_name_that_a_host_gives_breaks_a_page() {
    let long = "\u{202e}\n\"} 1\nevil{x=\"\\".repeat(4_096);
    for hostile in ["\"\n}", "\u{202e}", "\0", "\\", "a\r\nb 1\n", &long] {
        let mut view = view(hostile, State::Up);
        view.profile.site = Some(hostile.into());
        view.profile.facts.os_release = hostile.into();
        view.findings[0].part = hostile.into();
        let context = context(view, 0);
        let slot = context.slots.find(HostNo(1)).unwrap();
        let text = hostile.to_owned();
        let entry = |id, labels| SeriesEntry { id, family: 1, suffix: String::new(), labels };
        let update = DictionaryUpdate {
            families: vec![
                FamilyEntry { id: 1, name: "node_x".into(), kind: FamilyType::Gauge, help: text.clone() },
                FamilyEntry { id: 2, name: text.clone(), kind: FamilyType::Gauge, help: text.clone() },
            ],
            series: vec![
                entry(1, vec!["device".into(), text.clone()]),
                entry(2, vec![text.clone(), "x".into()]),
                entry(3, vec!["job".into(), "evil".into()]),
                SeriesEntry { id: 4, family: 2, suffix: String::new(), labels: vec![] },
                SeriesEntry { id: 5, family: 1, suffix: text.clone(), labels: vec![] },
            ],
            retired: vec![],
        };
        slot.grow(SESSION, update, at(0)).unwrap();
        let update = ReadingsUpdate { whole_gaps: vec![1; 5], whole_diffs: vec![1; 5], ..ReadingsUpdate::default() };
        slot.apply(SESSION, &update, at(0)).unwrap();
        let page = get(context.clone(), &format!("/hosts/{ID}/metrics")).await.2;
        assert_eq!(strict::parse(&page).unwrap(), ["node_load1", "node_x", "node_x"], "{page}");
        assert_eq!((slot.omissions().invalid, slot.omissions().labels), (3, 1));
        let page = get(context.clone(), "/metrics").await.2;
        assert_eq!(strict::parse(&page).unwrap().len(), 23, "{page}");
        let targets = get(context, "/prometheus/sd").await.2;
        let list: serde_json::Value = serde_json::from_str(&targets).unwrap();
        assert_eq!(list.as_array().unwrap().len(), 1);
    }
}
