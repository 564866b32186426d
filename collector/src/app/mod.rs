//! Wiring: opens the state, starts the engine and the doors, stops them in order.

mod backlog;
mod deciding;
mod housekeeping;
mod pulse;

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use prometheus::Registry;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    clock::Clock,
    config::Config,
    domain::{
        desk::Route,
        engine::Engine,
        host::slots::Slots,
        record::{Delivery, Loaded, Page},
        snapshot::Snapshot,
    },
    exposition,
    identity::Identity,
    ingest,
    mailbox::Mailbox,
    notify::{self, outbox::Outbox},
    store::Store,
    telemetry, web,
};

/// Agents are asked to leave within this when the collector stops, in milliseconds.
const DRAIN_MS: u32 = 1_000;
/// Deliveries under way may end within this.
const OUTBOX_ENDS: Duration = Duration::from_secs(3);
/// Everything has ended after this, or is ended.
const TASKS_END: Duration = Duration::from_secs(5);

/// Runs a collector until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from starting, with the remedy.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    };
    run(config, shutdown, |ports| {
        tracing::info!("agents connect to {}, people to {}", ports.grpc, ports.url);
    })
    .await
}

/// Where a running collector listens.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The door for agents.
    pub grpc: SocketAddr,
    /// The door for people and Prometheus.
    pub http: SocketAddr,
    /// The address of the views.
    pub url: String,
}

/// Runs a collector until `shutdown` completes. `started` hears where it listens, once it does.
///
/// # Errors
/// What kept it from starting, with the remedy.
pub async fn run(
    config: Config,
    shutdown: impl Future<Output = ()>,
    started: impl FnOnce(&Ports),
) -> anyhow::Result<()> {
    let clock = Clock::start();
    let registry = Registry::new();
    telemetry::register(&registry)?;
    let (grpc, http) = (listen(config.grpc.listen, "grpc").await?, listen(config.http.listen, "http").await?);
    let ports = ports(&config, &grpc, &http)?;

    let store = Store::open(&config.state, clock.now())?;
    let identity = Identity::open(&config.state, store.clone(), clock.now())?.with_rules(config.host_rules.clone());
    let loaded = store.load().await?;
    let (engine, first) = Engine::new(&loaded, routes(&config), clock.now());
    let slots = Arc::new(Slots::new(config.rules.clone()));
    adopt_findings(&slots, &loaded);
    let (published, snapshot) = watch::channel(Arc::new(engine.snapshot()));
    let (mailbox, events) = Mailbox::new();
    let sessions = ingest::sessions::Sessions::default();
    let (outbox, deliveries) = Outbox::start(notify::outbox::Setup {
        receivers: config.receivers.clone(),
        base_url: ports.url.clone(),
        mailbox: mailbox.clone(),
        metrics: notify::metrics::NotifyMetrics::register(&registry)?,
        clock: clock.clone(),
        snapshots: snapshot.clone(),
        pending: queued(&loaded),
        patience: notify::outbox::Patience::default(),
    })?;
    let door = ingest::Context::new(ingest::Rooms {
        identity: identity.clone(),
        store: store.clone(),
        slots: slots.clone(),
        mailbox: mailbox.clone(),
        clock: clock.clone(),
        metrics: ingest::IngestMetrics::new(&registry)?,
        sessions: sessions.clone(),
        snapshot: snapshot.clone(),
        addresses: config.grpc.addresses_when_bound(ports.grpc),
    })?;

    let (stop, stopped) = watch::channel(false);
    let ready = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    let deciding = deciding::Deciding {
        engine,
        events,
        mailbox: mailbox.clone(),
        store: store.clone(),
        identity: identity.clone(),
        clock: clock.clone(),
        slots: slots.clone(),
        door: door.clone(),
        sessions: sessions.clone(),
        outbox,
        published,
        pulse: pulse::Pulse::start(&clock)?,
        backlog: backlog::Backlog::default(),
        looks: JoinSet::new(),
        swept: clock.now(),
    };
    let (engine_stop, engine_stopped) = watch::channel(false);
    let mut engine_task = JoinSet::new();
    engine_task.spawn(deciding.run(first, engine_stopped));
    let housekeeping = housekeeping::Housekeeping {
        store: store.clone(),
        identity: identity.clone(),
        mailbox: mailbox.clone(),
        clock: clock.clone(),
    };
    tasks.spawn(housekeeping.run(stopped.clone()));
    tasks.spawn(serve_agents(grpc, door, stopped.clone()));
    let tls = web_tls(&config, &identity, &ports, &clock)?;
    let router = web::router(
        web::WebContext {
            snapshot: snapshot.clone(),
            slots: slots.clone(),
            identity: identity.clone(),
            store: store.clone(),
            mailbox: mailbox.clone(),
            clock: clock.clone(),
            config: Arc::new(as_bound(&config, &ports)),
            ready: ready.clone(),
            metrics: web::WebMetrics::register(&registry)?,
        },
        exposition::router(exposition_context(snapshot, slots, registry, clock.clone(), tls.is_some())),
    );
    tasks.spawn(web::serve_tcp(http, router.clone(), tls, stopped.clone()));
    tasks.spawn(serve_cli(config.state.join("api.sock"), router, stopped));
    write_ports(&config, &ports)?;
    ready.store(true, Ordering::Release);
    started(&ports);
    let watchdog = telemetry::Watchdog::ready();
    tokio::select! {
        () = shutdown => {}
        Some(_) = engine_task.join_next() => anyhow::bail!("the engine ended by itself: this is a bug"),
        () = watchdog.keep() => {}
    }
    telemetry::stopping();
    sessions.drain_all(DRAIN_MS);
    // Everybody listens or has ended already.
    let _ = stop.send(true);
    let ended = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(TASKS_END, ended).await.is_err() {
        tasks.shutdown().await;
    }
    let _ = engine_stop.send(true);
    let decided = async { while engine_task.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(TASKS_END, decided).await;
    deliveries.stop(OUTBOX_ENDS).await;
    store.heartbeat(clock.now()).await.context("the end could not be noted")?;
    Ok(())
}

async fn listen(address: SocketAddr, section: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: is another collector running? Choose another port with [{section}] listen")
    })
}

fn ports(config: &Config, grpc: &TcpListener, http: &TcpListener) -> anyhow::Result<Ports> {
    let (grpc, http) = (grpc.local_addr()?, http.local_addr()?);
    Ok(Ports { grpc, http, url: config.http.url_when_bound(http) })
}

/// The configuration with the real ports, for what people are shown.
fn as_bound(config: &Config, ports: &Ports) -> Config {
    let mut bound = config.clone();
    bound.http.url.clone_from(&ports.url);
    bound.http.listen = ports.http;
    bound.grpc.addresses = config.grpc.addresses_when_bound(ports.grpc);
    bound.grpc.listen = ports.grpc;
    bound
}

/// Messengers that pages go to; mirrors follow the snapshot instead.
fn routes(config: &Config) -> Vec<Route> {
    let messengers = config.receivers.iter().filter(|receiver| receiver.is_messenger());
    messengers.map(|receiver| Route { receiver: receiver.name.clone(), least: receiver.severity }).collect()
}

fn queued(loaded: &Loaded) -> Vec<Page> {
    loaded.pages.iter().filter(|page| page.delivery == Delivery::Queued).cloned().collect()
}

/// The slots hear which findings are open, so that a trouble that vanished meanwhile is cleared.
fn adopt_findings(slots: &Slots, loaded: &Loaded) {
    for host in &loaded.hosts {
        let open: Vec<_> = loaded.findings.iter().filter(|row| row.host == host.no && row.open).cloned().collect();
        if !open.is_empty() {
            slots.adopt(host.no, &open);
        }
    }
}

async fn serve_agents(listener: TcpListener, door: Arc<ingest::Context>, mut stop: watch::Receiver<bool>) {
    let shutdown = async move {
        // A closed channel means the same.
        let _ = stop.changed().await;
    };
    if let Err(error) = ingest::serve(listener, door, shutdown).await {
        tracing::error!("the door for agents is closed: {error}");
    }
}

async fn serve_cli(path: std::path::PathBuf, router: axum::Router, stop: watch::Receiver<bool>) {
    if let Err(error) = web::serve_unix(&path, router, stop).await {
        tracing::error!("the command line has no door: {error}");
    }
}

fn web_tls(
    config: &Config,
    identity: &Identity,
    ports: &Ports,
    clock: &Clock,
) -> anyhow::Result<Option<Arc<rustls::ServerConfig>>> {
    if let Some((certificate, key)) = &config.http.certificate {
        return Ok(Some(Arc::new(web::tls_from_files(certificate, key)?)));
    }
    if ports.http.ip().is_loopback() {
        return Ok(None);
    }
    let mut names = config.http.names.clone();
    names.push(ports.http.ip().to_string());
    Ok(Some(Arc::new(identity.web_tls(&names, clock.now())?)))
}

fn exposition_context(
    snapshot: watch::Receiver<Arc<Snapshot>>,
    slots: Arc<Slots>,
    registry: Registry,
    clock: Clock,
    tls: bool,
) -> exposition::ExpositionContext {
    exposition::ExpositionContext {
        snapshot,
        slots,
        registry,
        address: None,
        tls,
        now: Arc::new(move || clock.now()),
        numbers: exposition::Numbers::default(),
    }
}

/// `state/ports.json` tells scripts where a collector on port 0 listens.
fn write_ports(config: &Config, ports: &Ports) -> anyhow::Result<()> {
    let path = config.state.join("ports.json");
    let text = serde_json::json!({ "grpc": ports.grpc.port(), "http": ports.http.port(), "url": ports.url });
    std::fs::write(&path, format!("{text}\n")).with_context(|| format!("cannot write {}", path.display()))
}
