//! The mirror against a server that answers like Alertmanager 0.25.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{Json, Router, extract::State, routing::post};
use tokio::{net::TcpListener, sync::mpsc};

use super::*;
use crate::domain::{record::IncidentRow, severity::Severity};

pub(in crate::notify) fn incident(
    no: i64,
    state: IncidentState,
    since: Timestamp,
    resolved: Option<Timestamp>,
) -> Arc<IncidentView> {
    let row = IncidentRow {
        no: IncidentNo(no),
        id: format!("id-{no}"),
        key: format!("liveness/web-{no}/down"),
        state,
        severity: Severity::Critical,
        title: format!("web-{no} is down"),
        host: None,
        component: String::new(),
        since,
        opened: since,
        resolved,
        closed: None,
        acknowledged_by: None,
        acknowledged_until: None,
        page_at: since,
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
    let host_name = format!("web-{no}");
    Arc::new(IncidentView {
        row,
        host_name,
        hosts: Vec::new(),
        events: Vec::new(),
        pages: Vec::new(),
        held: None,
        priority: crate::domain::priority::Priority::P2,
        redundancy: Vec::new(),
    })
}

fn snapshot(incidents: impl IntoIterator<Item = Arc<IncidentView>>) -> Snapshot {
    let incidents: BTreeMap<_, _> = incidents.into_iter().map(|incident| (incident.row.no, incident)).collect();
    Snapshot { incidents: Arc::new(incidents), ..Snapshot::default() }
}

fn mirror(url: &str) -> Mirror {
    // Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Mirror {
        receiver: "mirror".into(),
        severity: Severity::Warning,
        config: AlertmanagerConfig {
            urls: vec![url.parse().unwrap()],
            labels: BTreeMap::from([("environment".into(), "test".into())]),
            ca: None,
            guard: Guard::default(),
        },
        base_url: "https://muster.example.org".into(),
        metrics: NotifyMetrics::register(&prometheus::Registry::new()).unwrap(),
        clock: Clock::start(),
    }
}

#[test]
fn the_picture_holds_what_was_paged_and_is_open_or_ended_less_than_five_minutes_ago() {
    let (mirror, since) = (mirror("http://127.0.0.1:9"), Timestamp::from_ms(1_000_000));
    let now = since.plus_ms(2 * LIVES_MS);
    let mut unpaged = (*incident(4, IncidentState::Open, since, None)).clone();
    unpaged.row.paged = false;
    let picture = mirror.picture(
        &snapshot([
            incident(1, IncidentState::Open, since, None),
            incident(2, IncidentState::Resolved, since, Some(now.plus_ms(1 - LIVES_MS))),
            incident(3, IncidentState::Resolved, since, Some(now.plus_ms(-LIVES_MS))),
            Arc::new(unpaged),
        ]),
        now,
    );
    assert_eq!(picture.keys().map(|no| no.0).collect::<Vec<_>>(), [1, 2]);
    let open = &picture[&IncidentNo(1)];
    assert_eq!(open.labels["alertname"], "MusterLiveness");
    assert_eq!((open.labels["host"].as_str(), open.labels["environment"].as_str()), ("web-1", "test"));
    assert!(!open.labels.contains_key("component"));
    assert_eq!(open.starts_at, since.to_string());
    assert_eq!(open.ends_at, now.plus_ms(LIVES_MS).to_string());
    assert_eq!(open.generator_url, "https://muster.example.org/incidents/1");
    assert_eq!(picture[&IncidentNo(2)].ends_at, now.plus_ms(1 - LIVES_MS).to_string());
}

#[test]
fn only_the_sliding_end_is_no_news() {
    let (mirror, since) = (mirror("http://127.0.0.1:9"), Timestamp::from_ms(1_000_000));
    let at = |now, incident| mirror.picture(&snapshot([incident]), since.plus_ms(now));
    let open = at(1_000, incident(1, IncidentState::Open, since, None));
    assert!(!differs(&open, &at(2_000, incident(1, IncidentState::Open, since, None))));
    assert!(differs(&open, &at(2_000, incident(1, IncidentState::Resolved, since, Some(since.plus_ms(2_000))))));
    assert!(differs(&open, &at(2_000, incident(2, IncidentState::Open, since, None))));
    assert!(!differs(&open, &BTreeMap::new()));
}

type Said = Vec<serde_json::Value>;

/// Answers 400 to every batch with an alert of `web-13`, and takes nothing as long as `down` says so.
async fn take(
    State((heard, down)): State<(mpsc::UnboundedSender<Said>, Arc<Mutex<bool>>)>,
    Json(alerts): Json<Said>,
) -> http::StatusCode {
    let bad = alerts.iter().any(|alert| alert["labels"]["host"] == "web-13");
    heard.send(alerts).unwrap();
    match () {
        () if *down.lock().unwrap() => http::StatusCode::SERVICE_UNAVAILABLE,
        () if bad => http::StatusCode::BAD_REQUEST,
        () => http::StatusCode::OK,
    }
}

async fn alertmanager() -> (Url, mpsc::UnboundedReceiver<Said>, Arc<Mutex<bool>>, JoinSet<()>) {
    let (heard, said) = mpsc::unbounded_channel();
    let down = Arc::new(Mutex::new(false));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/am/", listener.local_addr().unwrap()).parse().unwrap();
    let routes = Router::new().route("/am/api/v2/alerts", post(take)).with_state((heard, Arc::clone(&down)));
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (url, said, down, server)
}

fn peer(mirror: Mirror) -> Peer {
    let url = mirror.config.urls[0].clone();
    let client = client::build("mirror", &mirror.config.urls, None, &mirror.config.guard).unwrap();
    Peer {
        name: peer_name(&url),
        url: alerts_url(&url),
        mirror,
        client,
        labels: BTreeMap::new(),
        refused: BTreeSet::new(),
    }
}

#[tokio::test]
async fn a_change_is_told_at_once_and_the_end_too() {
    let (url, mut said, _down, _server) = alertmanager().await;
    let mirror = mirror(url.as_str());
    let now = mirror.clock.now();
    let (snapshots, watching) = watch::channel(Arc::new(snapshot([])));
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    mirror.start(&mut tasks, &watching, &stopped).unwrap();
    snapshots.send(Arc::new(snapshot([incident(1, IncidentState::Open, now, None)]))).unwrap();
    let opened = said.recv().await.unwrap();
    snapshots.send(Arc::new(snapshot([incident(1, IncidentState::Resolved, now, Some(now.plus_ms(5)))]))).unwrap();
    let resolved = said.recv().await.unwrap();
    assert_eq!(opened[0]["labels"], resolved[0]["labels"]);
    assert_eq!(resolved[0]["endsAt"], now.plus_ms(5).to_string());
    assert_eq!(resolved[0]["startsAt"], now.to_string());
    stop.send(true).unwrap();
    assert!(tasks.join_next().await.unwrap().is_ok());
}

#[tokio::test]
async fn one_alert_that_is_not_taken_keeps_no_other_back() {
    let (url, mut said, _down, _server) = alertmanager().await;
    let mut peer = peer(mirror(url.as_str()));
    let now = peer.mirror.clock.now();
    let all = snapshot((1..=20).map(|no| incident(no, IncidentState::Open, now, None)));
    let picture = peer.mirror.picture(&all, now);
    assert!(peer.say(&picture, now).await);
    let mut taken = BTreeSet::new();
    while let Ok(batch) = said.try_recv() {
        let hosts: Vec<String> = batch.iter().map(|alert| alert["labels"]["host"].as_str().unwrap().into()).collect();
        if !hosts.iter().any(|host| host == "web-13") {
            taken.extend(hosts);
        }
    }
    assert_eq!(taken.len(), 19);
    assert_eq!(peer.refused.iter().collect::<Vec<_>>(), ["liveness/web-13/down"]);
}

#[tokio::test]
async fn labels_that_change_end_the_old_alert_even_when_the_peer_was_away_meanwhile() {
    let (url, mut said, down, _server) = alertmanager().await;
    let mut peer = peer(mirror(url.as_str()));
    let now = peer.mirror.clock.now();
    let warning = {
        let mut view = (*incident(1, IncidentState::Open, now, None)).clone();
        view.row.severity = Severity::Warning;
        peer.mirror.picture(&snapshot([Arc::new(view)]), now)
    };
    let critical = peer.mirror.picture(&snapshot([incident(1, IncidentState::Open, now, None)]), now);
    assert!(peer.say(&warning, now).await);
    *down.lock().unwrap() = true;
    assert!(!peer.say(&critical, now.plus_ms(1)).await);
    *down.lock().unwrap() = false;
    assert!(peer.say(&critical, now.plus_ms(2)).await);
    let last = std::iter::from_fn(|| said.try_recv().ok()).last().unwrap();
    assert_eq!(last.len(), 2);
    assert_eq!(
        (&last[0]["labels"]["severity"], &last[1]["labels"]["severity"]),
        (&"critical".into(), &"warning".into())
    );
    assert_eq!(last[1]["endsAt"], now.plus_ms(2).to_string());
}
