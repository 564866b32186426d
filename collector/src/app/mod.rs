//! Wiring: opens the state, starts the engine and the doors, stops them in order.

mod agreements;
mod backlog;
mod backup;
mod burn;
mod deciding;
mod devices;
mod evidence;
mod hardware;
mod heartbeats;
mod housekeeping;
mod inventory;
mod pulse;
mod reports;
mod service_levels;
mod settings;
mod starting;
mod trends;
mod watchdog;

use std::{
    collections::VecDeque,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use prometheus::Registry;
use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use crate::{
    bell::Bell,
    board::Board,
    clock::Clock,
    config::Config,
    domain::{
        engine::Engine,
        event::Effect,
        heartbeat::secrets::PingSecrets,
        host::slots::Slots,
        record::{Delivery, Loaded, Page},
        rules::Settings,
        settings::shelf::Shelf,
        sla::report::Declared,
        snapshot::Snapshot,
        time::Timestamp,
    },
    exposition,
    identity::Identity,
    ingest::{self, sessions::Sessions},
    links::Links,
    mailbox::Mailbox,
    notify::{
        self,
        outbox::{Outbox, Workers},
    },
    store::{Store, overrides::OverrideRow},
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
    let pager = config.pager();
    let missing = config.reports.iter().filter_map(crate::config::directory_trouble);
    let missing = missing.chain(config.backup.as_ref().and_then(crate::config::backup_trouble));
    config.warnings.iter().cloned().chain(missing).for_each(|warning| tracing::warn!("{warning}"));
    run(config, shutdown, |ports| {
        tracing::info!("agents connect to {}, people to {}", ports.grpc, ports.url);
        tracing::info!("{pager}");
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
    let (grpc, http) = (listen(config.grpc.listen, "grpc").await?, listen(config.http.listen, "http").await?);
    let ports = ports(&config, &grpc, &http)?;
    let house = House::build(config, &ports).await?;
    let running = house.open(grpc, http, &ports)?;
    started(&ports);
    running.until(shutdown).await
}

/// All rooms, built and not yet open.
struct House {
    config: Config,
    clock: Clock,
    registry: Registry,
    store: Store,
    identity: Identity,
    slots: Arc<Slots>,
    pings: Arc<RwLock<PingSecrets>>,
    settings: Arc<Shelf>,
    agreements: Arc<watch::Sender<Arc<Vec<Declared>>>>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    mailbox: Mailbox,
    sessions: Sessions,
    door: Arc<ingest::Context>,
    hardware: Bell,
    board: Board,
    deliveries: Workers,
    deciding: deciding::Deciding,
}

/// A collector at work.
struct Running {
    clock: Clock,
    store: Store,
    sessions: Sessions,
    deliveries: Workers,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    engine: JoinSet<()>,
    stop_engine: watch::Sender<bool>,
}

impl House {
    async fn build(config: Config, ports: &Ports) -> anyhow::Result<Self> {
        let (clock, registry) = (Clock::start(), registry()?);
        let store = starting::open_store(&config, &registry, &clock)?;
        let identity = Identity::open(&config.state, store.clone(), clock.now())?.with_rules(config.host_rules.clone());
        let restored = backup::note_restored(&store, clock.now()).await?;
        let loaded = devices::load(&config, &identity, &store, clock.now()).await?;
        let promised = agreements::keep(&config, &store, clock.now()).await?;
        let agreements = Arc::new(watch::Sender::new(Arc::new(promised)));
        let (engine, first) = engine(&config, &loaded, restored, clock.now());
        let (slots, settings) = (slots(&config, &store, &loaded).await?, settings::shelf(&config, &store).await?);
        let (published, snapshot) = watch::channel(Arc::new(engine.snapshot()));
        let ((mailbox, events), sessions) = (Mailbox::new(), Sessions::default());
        let (pending, snapshots) = (queued(&loaded), snapshot.clone());
        let (outbox, deliveries) = outbox(&config, ports, &registry, &clock, (mailbox.clone(), snapshots, pending))?;
        let hardware = Bell::default();
        let door = ingest::Context::new(ingest::Rooms {
            identity: identity.clone(),
            store: store.clone(),
            slots: slots.clone(),
            settings: settings.clone(),
            mailbox: mailbox.clone(),
            hardware: hardware.clone(),
            clock: clock.clone(),
            metrics: ingest::IngestMetrics::new(&registry)?,
            sessions: sessions.clone(),
            snapshot: snapshot.clone(),
            addresses: config.grpc.addresses_when_bound(ports.grpc),
            own_maintenance_ms: config.own_maintenance_ms,
        })?;
        let mut deciding = deciding::Deciding {
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
            to_look: VecDeque::new(),
            swept: clock.now(),
            ticked: clock.now(),
        };
        // Before anybody looks: whoever reads the ledgers beside a snapshot finds in them what it goes on from.
        deciding.begin(first).await;
        Ok(Self {
            pings: Arc::new(RwLock::new(heartbeats::secrets(&config, &store).await?)),
            config,
            clock,
            registry,
            store,
            identity,
            slots,
            settings,
            agreements,
            snapshot,
            mailbox,
            sessions,
            door,
            hardware,
            board: Board::default(),
            deliveries,
            deciding,
        })
    }

    /// Starts the engine, then opens the doors.
    fn open(self, grpc: TcpListener, http: TcpListener, ports: &Ports) -> anyhow::Result<Running> {
        let (stop, stopped) = watch::channel(false);
        let (stop_engine, engine_stopped) = watch::channel(false);
        let tls = web_tls(&self.config, &self.identity, ports, &self.clock)?;
        let ready = Arc::new(AtomicBool::new(false));
        let (service_levels, burning, levels) = self.service_levels();
        let (carrier, bell) = reports::bell();
        let (router, reports) = self.router(ports, tls.is_some(), ready.clone(), (levels, carrier))?;
        let rooms = (self.store.clone(), self.mailbox.clone(), self.clock.clone());
        let delivering = reports::Delivering::new(&self.config, self.agreements.subscribe(), reports, rooms, bell)?;
        let (trends, watched) = (self.trends()?, watchdog::all(&self, &ports.url)?);
        let (judging, noting) = (hardware::Judging::of(&self), inventory::Noting::of(&self));
        let rooms = (self.store.clone(), self.mailbox.clone(), self.clock.clone());
        let backups = backup::Backups::new(&self.config, rooms, &self.registry)?;
        let (mut engine, mut tasks) = (JoinSet::new(), JoinSet::new());
        engine.spawn(self.deciding.run(engine_stopped));
        let (store, identity, mailbox, clock) = (self.store.clone(), self.identity, self.mailbox, self.clock.clone());
        let housekeeping = housekeeping::Housekeeping::new((store, identity, mailbox, clock), &self.registry)?;
        tasks.spawn(housekeeping.run(stopped.clone()));
        tasks.spawn(backups.run(stopped.clone()));
        tasks.spawn(trends.run(stopped.clone()));
        tasks.spawn(judging.run(stopped.clone()));
        tasks.spawn(noting.run(stopped.clone()));
        tasks.spawn(service_levels.run(stopped.clone()));
        tasks.spawn(burning.run(stopped.clone()));
        tasks.spawn(delivering.run(stopped.clone()));
        watched.start(&mut tasks, &stopped);
        tasks.spawn(serve_agents(grpc, self.door, stopped.clone()));
        tasks.spawn(web::serve_tcp(http, router.clone(), tls, stopped.clone()));
        match web::offer_unix(&self.config.state.join("api.sock")) {
            Ok(door) => drop(tasks.spawn(web::serve_unix(door, router, stopped))),
            Err(error) => tracing::error!("the command line has no door: {error}"),
        }
        write_ports(&self.config, ports)?;
        ready.store(true, Ordering::Release);
        let (clock, store, sessions, deliveries) = (self.clock, self.store, self.sessions, self.deliveries);
        Ok(Running { clock, store, sessions, deliveries, tasks, stop, engine, stop_engine })
    }

    fn trends(&self) -> Result<trends::Trends, prometheus::Error> {
        let (store, slots, clock) = (self.store.clone(), self.slots.clone(), self.clock.clone());
        trends::Trends::new(store, slots, clock, self.config.trends_quota, &self.registry)
    }

    /// Who keeps the figures of service levels, who looks how fast budgets are spent, and where both are read.
    fn service_levels(&self) -> (service_levels::ServiceLevels, burn::Burning, exposition::Levels) {
        let (agreements, store, clock) = (self.agreements.subscribe(), self.store.clone(), self.clock.clone());
        let (levels, standings) =
            service_levels::ServiceLevels::new(agreements.clone(), store.clone(), self.snapshot.clone(), clock.clone());
        let (published, burns) = watch::channel(Arc::default());
        let burning = burn::Burning {
            agreements,
            store,
            snapshots: self.snapshot.clone(),
            standings: standings.clone(),
            clock,
            mailbox: self.mailbox.clone(),
            published,
        };
        (levels, burning, exposition::Levels { standings, burns })
    }

    /// The doors for people and programs, and who issues reports from the same.
    fn router(
        &self,
        ports: &Ports,
        tls: bool,
        ready: Arc<AtomicBool>,
        (levels, carrier): (exposition::Levels, web::Carrier),
    ) -> anyhow::Result<(axum::Router, web::Reports)> {
        let clock = self.clock.clone();
        let burns = levels.burns.clone();
        let exposition = exposition::router(exposition::ExpositionContext {
            snapshot: self.snapshot.clone(),
            slots: self.slots.clone(),
            levels,
            registry: self.registry.clone(),
            address: None,
            tls,
            now: Arc::new(move || clock.now()),
            numbers: exposition::Numbers::default(),
            is_near,
            compressors: exposition::Compressors::default(),
            evidence: evidence::evidence(&self.store, &self.hardware),
            board: self.board.clone(),
        });
        let context = web::WebContext {
            snapshot: self.snapshot.clone(),
            slots: self.slots.clone(),
            settings: self.settings.clone(),
            pings: self.pings.clone(),
            identity: self.identity.clone(),
            store: self.store.clone(),
            agreements: Arc::clone(&self.agreements),
            burns,
            board: self.board.clone(),
            carrier,
            mailbox: self.mailbox.clone(),
            clock: self.clock.clone(),
            links: Links::open(&self.config.state)?,
            config: Arc::new(as_bound(&self.config, ports)),
            ready,
            metrics: web::WebMetrics::register(&self.registry)?,
        };
        Ok((web::router(context.clone(), exposition), web::Reports::new(context)))
    }
}

/// Who sends pages, and what it knows: those that are queued already.
fn outbox(
    config: &Config,
    ports: &Ports,
    registry: &Registry,
    clock: &Clock,
    (mailbox, snapshots, pending): (Mailbox, watch::Receiver<Arc<Snapshot>>, Vec<Page>),
) -> anyhow::Result<(Outbox, Workers)> {
    Ok(Outbox::start(notify::outbox::Setup {
        receivers: config.receivers.clone(),
        base_url: ports.url.clone(),
        mailbox,
        metrics: notify::metrics::NotifyMetrics::register(registry)?,
        clock: clock.clone(),
        snapshots,
        links: Links::open(&config.state)?,
        pending,
        patience: notify::outbox::Patience::default(),
    })?)
}

impl Running {
    /// Works until `shutdown`, then stops in order: what is decided is recorded, agents are asked to leave, doors close,
    /// what is being sent may end.
    async fn until(mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
        let watchdog = telemetry::Watchdog::ready();
        tokio::select! {
            () = shutdown => {}
            Some(_) = self.engine.join_next() => anyhow::bail!("the engine ended by itself: this is a bug"),
            () = watchdog.keep() => {}
        }
        telemetry::stopping();
        // The engine first: that streams end because we end says nothing about hosts.
        let _ = self.stop_engine.send(true);
        end(self.engine).await;
        self.sessions.drain_all(DRAIN_MS);
        // Everybody listens or has ended already.
        let _ = self.stop.send(true);
        end(self.tasks).await;
        self.deliveries.stop(OUTBOX_ENDS).await;
        self.store.heartbeat(self.clock.now()).await.context("the end could not be noted")
    }
}

/// Waits for tasks that were told to end, and ends those that do not.
async fn end(mut tasks: JoinSet<()>) {
    let all = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(TASKS_END, all).await.is_err() {
        tasks.shutdown().await;
    }
}

fn registry() -> anyhow::Result<Registry> {
    let registry = Registry::new();
    telemetry::register(&registry)?;
    Ok(registry)
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

/// Whether a request came over loopback or the unix socket.
fn is_near(request: &axum::http::Extensions) -> bool {
    match request.get::<web::Door>() {
        Some(web::Door::Tcp { peer, .. }) => peer.ip().to_canonical().is_loopback(),
        Some(web::Door::Unix { .. }) => true,
        None => false,
    }
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

fn queued(loaded: &Loaded) -> Vec<Page> {
    loaded.pages.iter().filter(|page| page.delivery == Delivery::Queued).cloned().collect()
}

/// The engine as loaded, with devices and labels as the configuration has them now.
fn engine(config: &Config, loaded: &Loaded, restored: bool, now: Timestamp) -> (Engine, Vec<Effect>) {
    let (mut engine, mut first) = Engine::new(loaded, config.roster.clone(), now);
    engine.await_longer(restored, now);
    first.extend(devices::declare(config, &mut engine, now));
    first.extend(engine.rule(config.host_rules.clone(), now));
    first.extend(engine.expect(config.heartbeats.clone(), loaded.last_ran, now));
    (engine, first)
}

/// The configuration's rules, with the overrides that people made.
async fn rules(config: &Config, store: &Store) -> anyhow::Result<Settings> {
    let made = store.overrides().await?.into_iter().map(OverrideRow::said);
    Ok(crate::config::with_overrides(&config.rules, made))
}

/// The slots, judged by these rules. They hear which findings are open, so that a trouble that vanished meanwhile is
/// cleared.
async fn slots(config: &Config, store: &Store, loaded: &Loaded) -> anyhow::Result<Arc<Slots>> {
    let slots = Slots::new(rules(config, store).await?);
    for host in &loaded.hosts {
        let open: Vec<_> = loaded.findings.iter().filter(|row| row.host == host.no && row.open).cloned().collect();
        if !open.is_empty() {
            slots.adopt(host.no, &open);
        }
    }
    Ok(Arc::new(slots))
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

/// `state/ports.json` tells scripts where a collector on port 0 listens.
fn write_ports(config: &Config, ports: &Ports) -> anyhow::Result<()> {
    let path = config.state.join("ports.json");
    let text = serde_json::json!({ "grpc": ports.grpc.port(), "http": ports.http.port(), "url": ports.url });
    std::fs::write(&path, format!("{text}\n")).with_context(|| format!("cannot write {}", path.display()))
}
