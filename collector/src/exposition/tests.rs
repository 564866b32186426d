use crate::domain::{
    finding::FindingRow,
    host::{
        Cause, State,
        check_ledger::CheckLedger,
        checks::{CheckRow, Status},
        ledger::OpenSpan,
        slot::ReadingsUpdate,
    },
    ids::SessionId,
    labels::{Admission, Class, Facts, Profile},
    readings::dictionary::{DictionaryUpdate, FamilyEntry, FamilyType, SeriesEntry, unit::Unit},
    record::Observed,
    severity::Severity,
    watch::Watch,
};
use std::{collections::BTreeMap, sync::Arc};

use axum::{body::Body, http::Request};
use tower::ServiceExt;

use super::*;

mod evidence;
mod service_levels;
pub(super) mod strict;

const SESSION: SessionId = SessionId(1);
const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const START_MS: i64 = 1_790_000_000_000;
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const OPEN: &str = "application/openmetrics-text";

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
        layers: Default::default(),
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
        cause: None,
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
        // The second one is still tried.
        checks: vec![check("web", Status::Critical, true), check("mail", Status::Warning, false)],
        observed: OpenSpan { after: 0, from: at(0), state: Observed::Up, cause: Cause::Reporting },
        incident: None,
        device: None,
        parent: None,
        watches: Vec::new(),
        cannot_watch: None,
    }
}

fn check(name: &str, status: Status, hard: bool) -> CheckRow {
    let (host, check, output) = (HostNo(1), name.to_owned(), String::new());
    let ledger = CheckLedger::default();
    CheckRow { host, check, status, hard, attempt: 1, attempts: 3, since: at(0), output, ledger }
}

/// A collector with this one host, `now_ms` after its readings.
fn context(view: HostView, now_ms: i64) -> ExpositionContext {
    let slots = Arc::new(Slots::default());
    let slot = slots.open(HostNo(1), SESSION, view.profile.watch, at(0));
    let load = FamilyEntry {
        id: 0,
        name: "node_load1".into(),
        kind: FamilyType::Gauge,
        help: "1m load average.".into(),
        unit: Unit::One,
    };
    let series = SeriesEntry { id: 0, family: 0, suffix: String::new(), labels: Vec::new() };
    slot.grow(
        SESSION,
        DictionaryUpdate { families: vec![load], series: vec![series], retired: vec![], bytes: vec![] },
        at(0),
    )
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
        levels: Levels { standings: watch::channel(Arc::default()).1, burns: watch::channel(Arc::default()).1 },
        registry: prometheus::Registry::new(),
        address: None,
        tls: false,
        now: Arc::new(move || at(now_ms)),
        numbers: Numbers::default(),
        is_near: |_| false,
        compressors: Compressors::default(),
        evidence: Evidence::new(|_| 0, |_| Box::pin(async { Some(Vec::new()) })),
        board: Board::default(),
    }
}

async fn ask(context: ExpositionContext, path: &str, headers: &[(&str, &str)]) -> Response {
    let request = Request::get(path).header("host", "collector:7461");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    router(context).oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn get_as(context: ExpositionContext, path: &str, accept: &str) -> (StatusCode, String, String) {
    let response = ask(context, path, &[("accept", accept)]).await;
    let status = response.status();
    let kind = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, kind, String::from_utf8(body.to_vec()).unwrap())
}

async fn get(context: ExpositionContext, path: &str) -> (StatusCode, String, String) {
    get_as(context, path, "*/*").await
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
muster_agent_info{{host="web1",version="0.1.0"}} 1
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
muster_collector_started_timestamp_seconds 1789999998.5
muster_checks{{status="ok"}} 0
muster_checks{{status="warning"}} 0
muster_checks{{status="critical"}} 1
muster_checks{{status="unknown"}} 0"#
    );
    assert_eq!(samples, expected.lines().collect::<Vec<_>>());
    strict::parse(&body).unwrap();
}

#[tokio::test]
async fn both_pages_say_the_same_in_openmetrics_when_it_is_asked_for() {
    let context = context(view("web1", State::Up), 1_000);
    let counter = prometheus::IntCounter::new("muster_reports_received_total", "Reports.").unwrap();
    context.registry.register(Box::new(counter)).unwrap();
    for path in ["/metrics".to_owned(), format!("/hosts/{ID}/metrics")] {
        let text = get(context.clone(), &path).await.2;
        let (status, kind, open) = get_as(context.clone(), &path, OPEN).await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, OPEN_FORMAT));
        strict::parse_openmetrics(&open).unwrap_or_else(|why| panic!("{why}\n{open}"));
        let samples = |page: &str| -> Vec<String> {
            page.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
        };
        assert_eq!(samples(&text), samples(&open));
    }
}

#[tokio::test]
async fn a_page_is_compressed_for_who_asks_from_afar_and_says_what_it_depends_on() {
    use std::io::Read as _;
    let path = format!("/hosts/{ID}/metrics");
    let plain = get(context(view("web1", State::Up), 0), &path).await.2;
    let near = ExpositionContext { is_near: |_| true, ..context(view("web1", State::Up), 0) };
    for (context, asked, coded) in [
        (context(view("web1", State::Up), 0), "gzip", true),
        (context(view("web1", State::Up), 0), "gzip;q=0", false),
        (near.clone(), "gzip", false),
        (near.clone(), "gzip, identity;q=0", true),
        (near, "gzip;by=proxy", true),
    ] {
        let proxy = asked.contains("proxy").then_some(("x-forwarded-for", "192.0.2.7"));
        let headers: Vec<_> = std::iter::once(("accept-encoding", asked)).chain(proxy).collect();
        let response = ask(context, &path, &headers).await;
        assert_eq!(response.headers()["vary"], "Accept, Accept-Encoding");
        assert_eq!(response.headers().contains_key("content-encoding"), coded, "{asked}");
        assert!(!coded || response.headers()["content-encoding"] == "gzip");
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let mut read = String::new();
        match coded {
            true => flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut read).unwrap(),
            false => (&body[..]).read_to_string(&mut read).unwrap(),
        };
        assert_eq!(read, plain);
    }
    let response = ask(context(view("web1", State::Down), 0), &path, &[("accept-encoding", "gzip")]).await;
    assert_eq!(
        (response.status(), &response.headers()["vary"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"Accept, Accept-Encoding".parse().unwrap())
    );
}

#[tokio::test]
async fn names_of_the_field_stay_as_they_are_whatever_their_type() {
    use FamilyType::{Counter, Gauge, Histogram, Summary, Untyped};
    let context = context(view("web1", State::Up), 0);
    let slot = context.slots.find(HostNo(1)).unwrap();
    let families = [
        ("node_intr_total", Counter, "", ""),
        ("node_vmstat_pgfault", Untyped, "", ""),
        ("node_odd", Counter, "", ""),
        ("node_systemd_service_restart_total", Gauge, "", ""),
        // A counter whose short name another family has.
        ("node_forks", Gauge, "", ""),
        ("node_forks_total", Counter, "", ""),
        ("_total", Counter, "", ""),
        ("h", Histogram, "_bucket", "le"),
        ("h_count_total", Counter, "", ""),
        ("s", Summary, "", "quantile"),
        // What is no part of its type is not shown in either format.
        ("g", Gauge, "_sum", ""),
        ("b", Histogram, "_bucket", ""),
        ("q", Summary, "", ""),
        ("t", Histogram, "", "le"),
    ];
    let mut update = DictionaryUpdate::default();
    for (n, (name, kind, suffix, label)) in (10..).zip(families) {
        update.families.push(FamilyEntry { id: n, name: name.into(), kind, help: "\"Help\"".into(), unit: Unit::One });
        let labels = if label.is_empty() { vec![] } else { vec![label.into(), "+Inf".into()] };
        update.series.push(SeriesEntry { id: n, family: n, suffix: suffix.into(), labels });
    }
    let count = SeriesEntry { id: 50, family: 17, suffix: "_count".into(), labels: vec![] };
    update.series.push(count);
    slot.grow(SESSION, update, at(0)).unwrap();
    let gaps = std::iter::once(10).chain([1; 13]).chain([27]).collect();
    slot.apply(SESSION, &ReadingsUpdate { whole_gaps: gaps, whole_diffs: vec![4; 15], ..Default::default() }, at(0))
        .unwrap();
    assert_eq!(slot.omissions().invalid, 4);

    let path = format!("/hosts/{ID}/metrics");
    let text = strict::parse(&get(context.clone(), &path).await.2).unwrap();
    let page = get_as(context.clone(), &path, OPEN).await.2;
    let open = strict::parse_openmetrics(&page).unwrap_or_else(|why| panic!("{why}\n{page}"));
    let typed: Vec<(&str, &str)> = open.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
    let expected = [
        ("_total", "unknown"),
        ("h_bucket", "histogram"),
        ("h_count", "histogram"),
        ("h_count_total", "unknown"),
        ("node_forks", "gauge"),
        ("node_forks_total", "unknown"),
        ("node_intr_total", "counter"),
        ("node_load1", "gauge"),
        ("node_odd", "unknown"),
        ("node_systemd_service_restart_total", "gauge"),
        ("node_vmstat_pgfault", "unknown"),
        ("s", "summary"),
    ];
    assert_eq!(typed, expected);
    assert_eq!(text, expected.map(|(name, _)| name));
    assert!(page.contains("# HELP node_intr \\\"Help\\\"\n# TYPE node_intr counter\nnode_intr_total 4\n"), "{page}");

    // A counter below zero, or none at all, is no counter: the standard refuses whole pages for it.
    for value in [-1.0, f64::NAN] {
        let update = ReadingsUpdate { real_gaps: vec![10, 2], reals: vec![value; 2], ..Default::default() };
        slot.apply(SESSION, &update, at(0)).unwrap();
        let page = get_as(context.clone(), &path, OPEN).await.2;
        let open = strict::parse_openmetrics(&page).unwrap();
        assert!(!page.contains("node_intr") && page.contains("node_odd ") && open.len() == 11, "{page}");
        assert!(get(context.clone(), &path).await.2.contains("\nnode_intr_total "));
    }
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
                FamilyEntry {
                    id: 1,
                    name: "node_x".into(),
                    kind: FamilyType::Gauge,
                    help: text.clone(),
                    unit: Unit::One,
                },
                FamilyEntry { id: 2, name: text.clone(), kind: FamilyType::Gauge, help: text.clone(), unit: Unit::One },
            ],
            series: vec![
                entry(1, vec!["device".into(), text.clone()]),
                entry(2, vec![text.clone(), "x".into()]),
                entry(3, vec!["job".into(), "evil".into()]),
                SeriesEntry { id: 4, family: 2, suffix: String::new(), labels: vec![] },
                SeriesEntry { id: 5, family: 1, suffix: text.clone(), labels: vec![] },
            ],
            retired: vec![],
            bytes: vec![],
        };
        slot.grow(SESSION, update, at(0)).unwrap();
        let update = ReadingsUpdate { whole_gaps: vec![1; 5], whole_diffs: vec![1; 5], ..ReadingsUpdate::default() };
        slot.apply(SESSION, &update, at(0)).unwrap();
        let page = get(context.clone(), &format!("/hosts/{ID}/metrics")).await.2;
        assert_eq!(strict::parse(&page).unwrap(), ["node_load1", "node_x", "node_x"], "{page}");
        assert_eq!((slot.omissions().invalid, slot.omissions().labels), (3, 1));
        let page = get_as(context.clone(), &format!("/hosts/{ID}/metrics"), OPEN).await.2;
        assert_eq!(strict::parse_openmetrics(&page).unwrap().len(), 3, "{page}");
        let page = get(context.clone(), "/metrics").await.2;
        assert_eq!(strict::parse(&page).unwrap().len(), 28, "{page}");
        let page = get_as(context.clone(), "/metrics", OPEN).await.2;
        assert_eq!(strict::parse_openmetrics(&page).unwrap().len(), 28, "{page}");
        let targets = get(context, "/prometheus/sd").await.2;
        let list: serde_json::Value = serde_json::from_str(&targets).unwrap();
        assert_eq!(list.as_array().unwrap().len(), 1);
    }
}
