//! The guard, sign-in and views, through the router as the listeners serve it, on a real store in a directory of its own.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, Response, StatusCode, header},
    routing::get,
};
use tokio::{sync::watch, task::JoinSet};
use tower::ServiceExt;

use super::{Carrier, Door, WebContext, WebMetrics, router, routes, secret};
use crate::{
    board::Board,
    clock::Clock,
    config::{self, Config},
    domain::{
        event::{Answer, Command, Event},
        finding::FindingRow,
        heartbeat::secrets::PingSecrets,
        host::{
            Cause, State,
            check_ledger::CheckLedger,
            checks::{CheckRow, Status},
            ledger::OpenSpan,
            slots::Slots,
        },
        ids::{HostId, HostNo, IncidentNo, PageId},
        labels::{Admission, Class, Facts, Profile},
        layers::{Layer, Layers},
        record::{AuditRow, Delivery, IncidentEventRow, IncidentRow, IncidentState, Observed, Page, PageKind},
        severity::Severity,
        snapshot::{HostView, IncidentView, Snapshot},
        time::Timestamp,
        watch::Watch,
    },
    identity::Identity,
    mailbox::Mailbox,
    store::{
        Store,
        people::{ApiTokenRow, Role, WebSessionRow},
    },
};

mod alerts;
mod backup;
mod hardware;
mod help;
mod inventory;
mod labels;
mod links;
mod lists;
mod not_a_problem;
mod parts;
mod pings;
mod processes;
mod reports;
mod rules;
mod sign_in;
mod trends;

const HOSTILE: &str = "\"'</script><b onmouseover=alert(1)>&";

/// A door with its own store, clock and engine that says yes.
pub(super) struct Stage {
    pub(super) router: Router,
    store: Store,
    now: Timestamp,
    told: Arc<Mutex<Vec<String>>>,
    pub(super) board: Board,
    _engine: JoinSet<()>,
    directory: tempfile::TempDir,
}

impl Stage {
    pub(super) fn new(snapshot: Snapshot, change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let now = clock.now();
        let store = Store::open(directory.path(), now).unwrap();
        let identity = Identity::open(directory.path(), store.clone(), now).unwrap();
        let (mailbox, mut events) = Mailbox::new();
        let mut engine = JoinSet::new();
        let answering = mailbox.clone();
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        engine.spawn(async move {
            while let Some(event) = events.recv().await {
                if let Event::Operator { reply, command, by } = event {
                    telling.lock().unwrap().push(format!("{} through {}: {command:?}", by.name, by.via));
                    let answer = match command {
                        Command::Acknowledge { incident: IncidentNo(404), .. } => Answer::NotFound("no #404".into()),
                        Command::Resolve { .. } => Answer::Refused("it still holds".into()),
                        _ => Answer::Done,
                    };
                    answering.answer(reply, answer);
                }
            }
        });
        let mut config = config::parse("", Path::new("collector.toml")).unwrap();
        change(&mut config);
        let board = Board::default();
        let context = WebContext {
            links: crate::links::Links::open(directory.path()).unwrap(),
            snapshot: watch::channel(Arc::new(snapshot)).1,
            slots: Arc::new(Slots::default()),
            settings: Arc::default(),
            pings: Arc::new(std::sync::RwLock::new(PingSecrets::new(vec![(
                "backup".into(),
                "the-secret-of-backup".into(),
            )]))),
            identity,
            store: store.clone(),
            agreements: Arc::new(watch::Sender::new(Arc::new(config.agreements.clone()))),
            burns: watch::channel(Arc::default()).1,
            board: board.clone(),
            carrier: Carrier { bell: Arc::default(), rounds: watch::channel(0).1 },
            mailbox,
            clock,
            config: Arc::new(config),
            ready: Arc::new(AtomicBool::new(false)),
            metrics: WebMetrics::register(&prometheus::Registry::new()).unwrap(),
        };
        let exposition = Router::new()
            .route("/metrics", get(|| async { "figures" }))
            .route("/prometheus/sd", get(|| async { "[]" }))
            .route("/hosts/{host_id}/metrics", get(|| async { "figures" }));
        Self { router: router(context, exposition), store, now, told, board, _engine: engine, directory }
    }

    /// The commands that were given, and by whom.
    fn commands(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    fn plain() -> Self {
        Self::new(Snapshot::default(), |_| {})
    }

    async fn token(&self, role: Role) -> String {
        let (id, text) = secret::new_api_token().unwrap();
        let hash = secret::digest_of(secret::split_api_token(&text).unwrap().1);
        let expires = self.now.plus_ms(60_000);
        let row = ApiTokenRow { id, hash, role, note: String::new(), expires };
        self.store.put_api_token(row, audit(self.now)).await.unwrap();
        text
    }

    /// A browser session: its cookie line and CSRF token.
    async fn session(&self, role: Role, link: bool) -> (String, String) {
        let session = secret::new_secret().unwrap();
        let hash = secret::digest_of(&session);
        let row = WebSessionRow { hash, name: "uid:0".into(), role, expires: self.now.plus_ms(60_000), link };
        self.store.put_web_session(row).await.unwrap();
        let csrf = secret::csrf_of(&session);
        (if link { session } else { format!("muster_session={session}") }, csrf)
    }

    async fn ask(&self, door: Door, request: Request<Body>) -> Response<Body> {
        let mut request = request;
        request.extensions_mut().insert(door);
        self.router.clone().oneshot(request).await.unwrap()
    }
}

fn audit(at: Timestamp) -> AuditRow {
    let text = || "test".to_owned();
    AuditRow { at, who: text(), from: text(), action: text(), subject: text(), detail: String::new() }
}

fn loopback() -> Door {
    Door::Tcp { peer: SocketAddr::from(([127, 0, 0, 1], 4000)), tls: false }
}

fn elsewhere() -> Door {
    Door::Tcp { peer: SocketAddr::from(([10, 0, 0, 9], 4000)), tls: true }
}

fn request(method: &Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        builder = builder.header("host", "localhost:7461");
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Body::from(body.to_owned())).unwrap()
}

async fn text(response: Response<Body>) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 4 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A fleet with one host whose every text is hostile, and its incident.
pub(super) fn hostile_fleet(now: Timestamp) -> Snapshot {
    let host = HostView {
        profile: Profile {
            no: HostNo(1),
            id: HostId(uuid::Uuid::from_u128(1)),
            name: HOSTILE.into(),
            class: Class::Server,
            site: Some(HOSTILE.into()),
            watch: Watch::Normal,
            labels: [(HOSTILE.to_owned(), HOSTILE.to_owned())].into(),
            layers: Layers::default().with(Layer::Token, &[("site".to_owned(), HOSTILE.to_owned())].into()),
            admission: Admission::Active,
            facts: Facts { name: HOSTILE.into(), os_release: HOSTILE.into(), ..Facts::default() },
        },
        state: State::Down,
        since: now.plus_ms(-65_000),
        observed: OpenSpan {
            after: 0,
            from: now.plus_ms(-65_000),
            state: Observed::Down,
            cause: Cause::Cut(HOSTILE.into()),
        },
        cause: Cause::Cut(HOSTILE.into()),
        proof: now.plus_ms(-70_000),
        peer: Some([10, 0, 0, 1].into()),
        session: None,
        findings: vec![FindingRow {
            host: HostNo(1),
            part: HOSTILE.into(),
            rule: HOSTILE.into(),
            open: true,
            severity: Severity::Critical,
            since: now,
            evidence: HOSTILE.into(),
            cause: None,
        }],
        checks: vec![CheckRow {
            host: HostNo(1),
            check: HOSTILE.into(),
            status: Status::Critical,
            hard: true,
            attempt: 3,
            attempts: 3,
            since: now,
            output: HOSTILE.into(),
            ledger: CheckLedger::default(),
        }],
        incident: Some(IncidentNo(7)),
        device: None,
        parent: None,
        watches: Vec::new(),
        cannot_watch: None,
    };
    Snapshot {
        at: now,
        started: now,
        hosts: Arc::new([(HostNo(1), Arc::new(host))].into()),
        incidents: Arc::new([(IncidentNo(7), Arc::new(hostile_incident(now)))].into()),
        cuts: Arc::new([(HOSTILE.to_owned(), now)].into()),
        ..Snapshot::default()
    }
}

fn hostile_incident(now: Timestamp) -> IncidentView {
    let (no, kind) = (IncidentNo(7), PageKind::Opened);
    let page = Page {
        id: PageId(1),
        message_id: "m".into(),
        receiver: HOSTILE.into(),
        to: None,
        person: None,
        incident: Some(no),
        n: 1,
        kind,
        key: HOSTILE.into(),
        state: IncidentState::Open,
        severity: Severity::Critical,
        title: HOSTILE.into(),
        host: HOSTILE.into(),
        component: HOSTILE.into(),
        since: now,
        decided: now,
        details: HOSTILE.into(),
        path: "/incidents/7".into(),
        act: None,
        delivery: Delivery::Queued,
        facts: Default::default(),
        proof: Default::default(),
    };
    let row = IncidentRow {
        no,
        id: "id".into(),
        key: HOSTILE.into(),
        state: IncidentState::Open,
        severity: Severity::Critical,
        title: HOSTILE.into(),
        host: Some(HostNo(1)),
        component: HOSTILE.into(),
        since: now,
        opened: now,
        resolved: None,
        closed: None,
        acknowledged_by: Some(HOSTILE.into()),
        acknowledged_until: None,
        page_at: now.plus_ms(30_000),
        paged: false,
        part_of: None,
        followed: Vec::new(),
        escalations: Vec::new(),
        calls: Vec::new(),
        alert: None,
        changes: Vec::new(),
        swings: Default::default(),
        priority: None,
    };
    let by = Some(HOSTILE.to_owned());
    let event = IncidentEventRow { incident: no, n: 1, at: now, kind: "opened".into(), text: HOSTILE.into(), by };
    let hosts = vec![HOSTILE.to_owned(), HOSTILE.to_owned()];
    IncidentView {
        row,
        host_name: HOSTILE.into(),
        hosts,
        events: vec![event],
        pages: vec![page],
        held: None,
        priority: crate::domain::priority::Priority::P2,
        redundancy: Vec::new(),
    }
}

#[tokio::test]
async fn each_door_and_role_reaches_what_it_may_and_no_more() {
    let stage = Stage::plain();
    let paths =
        [("/metrics", 0), ("/prometheus/sd", 0), ("/api/v1/status", 1), ("/nowhere/metrics", 1), ("/api/v1/people", 3)];
    let roles = [Role::Scrape, Role::Viewer, Role::Operator, Role::Admin];
    for door in [loopback(), elsewhere()] {
        for (rank, role) in roles.into_iter().enumerate() {
            let bearer = format!("Bearer {}", stage.token(role).await);
            for (path, needed) in paths {
                let response = stage.ask(door, request(&Method::GET, path, &[("authorization", &bearer)], "")).await;
                let found = response.status() == StatusCode::OK || response.status() == StatusCode::NOT_FOUND;
                assert_eq!(found, rank >= needed, "{path} as {role:?} through {door:?}: {}", response.status());
            }
        }
        for (path, needed) in paths {
            let status = stage.ask(door, request(&Method::GET, path, &[], "")).await.status();
            let refused = status == StatusCode::UNAUTHORIZED;
            assert_eq!(refused, door == elsewhere() || needed > 1, "{path} unknown through {door:?}: {status}");
        }
    }
}

#[tokio::test]
async fn loopback_alone_never_changes_anything() {
    let stage = Stage::plain();
    let only_looks = ["/agreements/verify", "/agreements/compare", "/agreements/{name}/what-if"];
    let changes = |route: &&routes::ApiRoute| route.method != Method::GET && !only_looks.contains(&route.path);
    for route in routes::API_ROUTES.iter().filter(changes) {
        let path = routes::full_path(route).replace(['{', '}'], "");
        let own_page = [("origin", "http://localhost:7461"), ("sec-fetch-site", "same-origin")];
        let response = stage.ask(loopback(), request(&route.method, &path, &own_page, "{}")).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{} {path}", route.method);
    }
}

#[tokio::test]
async fn loopback_that_a_proxy_forwards_or_that_must_sign_in_is_nobody() {
    let stage = Stage::plain();
    let proxied = [("x-forwarded-for", "198.51.100.7")];
    let status = stage.ask(loopback(), request(&Method::GET, "/api/v1/status", &proxied, "")).await.status();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let strict = Stage::new(Snapshot::default(), |config| config.http.require_authentication = true);
    let status = strict.ask(loopback(), request(&Method::GET, "/metrics", &[], "")).await.status();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_socket_is_admin_for_its_owner_and_closed_for_others() {
    let stage = Stage::plain();
    for (trusted, expected) in [(true, StatusCode::OK), (false, StatusCode::FORBIDDEN)] {
        let door = Door::Unix { uid: 1000, trusted };
        assert_eq!(stage.ask(door, request(&Method::GET, "/api/v1/people", &[], "")).await.status(), expected);
    }
}

#[tokio::test]
async fn a_request_through_no_known_door_is_refused() {
    let response = Stage::plain().router.clone().oneshot(request(&Method::GET, "/metrics", &[], "")).await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn only_own_names_are_answered_to() {
    let stage = Stage::new(Snapshot::default(), |config| config.http.names = vec!["muster.example".into()]);
    for (host, expected) in [
        ("127.0.0.1:7461", StatusCode::OK),
        ("[::1]:7461", StatusCode::OK),
        ("localhost", StatusCode::OK),
        ("MUSTER.example:7461", StatusCode::OK),
        ("evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("127.0.0.1.evil.example", StatusCode::MISDIRECTED_REQUEST),
        ("localhost.evil.example:7461", StatusCode::MISDIRECTED_REQUEST),
        ("", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let response = stage.ask(loopback(), request(&Method::GET, "/metrics", &[("host", host)], "")).await;
        assert_eq!(response.status(), expected, "{host:?}");
    }
}

#[tokio::test]
async fn a_change_needs_own_origin_and_the_sessions_csrf_token() {
    let stage = Stage::new(hostile_fleet(Clock::start().now()), |_| {});
    let (cookie, csrf) = stage.session(Role::Operator, false).await;
    let (_, foreign) = stage.session(Role::Operator, false).await;
    let own = "http://localhost:7461";
    for (origin, token, expected) in [
        (Some(own), csrf.as_str(), StatusCode::SEE_OTHER),
        (Some("http://evil.example"), csrf.as_str(), StatusCode::FORBIDDEN),
        (Some("null"), csrf.as_str(), StatusCode::FORBIDDEN),
        (None, csrf.as_str(), StatusCode::FORBIDDEN),
        (Some(own), foreign.as_str(), StatusCode::FORBIDDEN),
        (Some(own), "", StatusCode::FORBIDDEN),
    ] {
        let form = "application/x-www-form-urlencoded";
        let mut headers = vec![("cookie", cookie.as_str()), ("content-type", form)];
        headers.extend(origin.map(|origin| ("origin", origin)));
        let body = format!("csrf={token}&action=acknowledge&note=mine");
        let response = stage.ask(loopback(), request(&Method::POST, "/incidents/7", &headers, &body)).await;
        assert_eq!(response.status(), expected, "{origin:?} {token:?}");
    }
}

#[tokio::test]
async fn answers_of_the_engine_become_statuses() {
    let stage = Stage::plain();
    let door = Door::Unix { uid: 0, trusted: true };
    for (path, expected) in [
        ("/api/v1/incidents/7/acknowledge", StatusCode::OK),
        ("/api/v1/incidents/404/acknowledge", StatusCode::NOT_FOUND),
        ("/api/v1/incidents/7/resolve", StatusCode::CONFLICT),
        ("/api/v1/incidents/seven/resolve", StatusCode::BAD_REQUEST),
    ] {
        let response = stage.ask(door, request(&Method::POST, path, &[], "{}")).await;
        assert_eq!(response.status(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_wrong_value_is_named_with_what_was_expected() {
    let stage = Stage::plain();
    let door = Door::Unix { uid: 0, trusted: true };
    let body = r#"{"kind":"batch","uses":501}"#;
    let response = stage.ask(door, request(&Method::POST, "/api/v1/tokens", &[], body)).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    let problem: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!((problem["field"].as_str(), problem["value"].as_str()), (Some("uses"), Some("501")));
    assert_eq!(problem["expected"], "1 to 500 for a batch token");
}

#[tokio::test]
async fn hostile_text_is_inert_in_every_view() {
    let stage = Stage::new(hostile_fleet(Clock::start().now()), |_| {});
    let (cookie, _) = stage.session(Role::Admin, false).await;
    let search = format!("/?search={}&site={}", super::encode(HOSTILE), super::encode(HOSTILE));
    let host = format!("/hosts/{}", uuid::Uuid::from_u128(1));
    for path in ["/", &search, &host, "/incidents", "/incidents/7", "/add", "/settings", "/nowhere%3Cb%3E"] {
        let response = stage.ask(loopback(), request(&Method::GET, path, &[("cookie", &cookie)], "")).await;
        assert!(response.headers().contains_key("content-security-policy"), "{path}");
        let html = text(response).await;
        assert!(!html.contains("<b onmouseover") && !html.contains("</script><b"), "{path}: {html}");
        assert!(html.contains("</html>"), "{path}");
    }
}

#[tokio::test]
async fn readiness_says_no_until_the_state_is_loaded() {
    let stage = Stage::plain();
    for (path, expected) in [("/-/healthy", StatusCode::OK), ("/-/ready", StatusCode::SERVICE_UNAVAILABLE)] {
        assert_eq!(stage.ask(elsewhere(), request(&Method::GET, path, &[], "")).await.status(), expected);
    }
}

#[tokio::test]
async fn every_described_path_is_routed_and_nothing_else_is_open() {
    let stage = Stage::plain();
    for route in routes::API_ROUTES {
        assert_eq!(routes::need(&route.method, Some(&routes::full_path(route))), route.need);
        let path = routes::full_path(route).replace(['{', '}'], "");
        let response = stage.ask(Door::Unix { uid: 0, trusted: true }, request(&route.method, &path, &[], "{}")).await;
        assert_ne!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{} {path}", route.method);
        assert!(!text(response).await.contains(" here"), "{path} is not routed");
    }
    assert_eq!(routes::need(&Method::GET, Some("/forgotten")), routes::Need::Role(Role::Admin));
}
