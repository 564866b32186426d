//! EDGE. The door for people and programs: views, JSON API, sign-in. Everything is built from the same snapshot.
//!
//! Reading order: [`routes`] is the one table of paths with who may ask for them; `guard` stands before all of them;
//! `api` and `views` answer; `serve` listens. It decides nothing about hosts: changes go through the mailbox.

mod accepted;
mod access;
mod api;
mod assets;
mod compared;
mod declared;
mod documents;
mod guard;
mod handling;
mod issued;
mod neighbours;
mod not_a_problem;
mod parts;
mod password;
mod past_incidents;
mod ping;
mod problem;
mod processes;
mod readings;
mod recipients;
mod roll_out;
pub mod routes;
mod secret;
mod serve;
mod service_levels;
mod side_by_side;
mod sign_in;
mod sparks;
#[cfg(test)]
mod tests;
mod views;
mod what_if;
mod words;

use std::sync::{Arc, RwLock, atomic::AtomicBool};

use axum::{Router, extract::DefaultBodyLimit, middleware};
use prometheus::{IntCounterVec, Opts, Registry};
use tokio::sync::watch;

#[cfg(test)]
pub(crate) use self::views::help::PAGES as HELP_PAGES;
pub use self::{
    access::Door,
    documents::{Asked, Carrier, Issued, Reports},
    serve::{CliDoor, MAX_CONNECTIONS, OwnTlsError, SocketError, offer_unix, serve_tcp, serve_unix, tls_from_files},
};
use crate::{
    board::Board,
    clock::Clock,
    config::Config,
    domain::{
        calendar::Span,
        heartbeat::secrets::PingSecrets,
        host::slots::Slots,
        oncall::during::OnDuty,
        settings::shelf::Shelf,
        sla::{burn::Burn, report::Declared},
        snapshot::Snapshot,
    },
    identity::Identity,
    links::Links,
    mailbox::Mailbox,
    store::Store,
};

/// The largest request body; what people and the CLI send is far smaller.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// What the views and the API read and command.
#[derive(Debug, Clone)]
pub struct WebContext {
    /// The engine's state after its last durable batch.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// Latest readings.
    pub slots: Arc<Slots>,
    /// What agents are told.
    pub settings: Arc<Shelf>,
    /// What leads to the heartbeats of other people's jobs.
    pub pings: Arc<RwLock<PingSecrets>>,
    /// Join tokens.
    pub identity: Identity,
    /// People, API tokens, sessions, audit.
    pub store: Store,
    /// What is promised of uptime.
    pub agreements: Arc<watch::Sender<Arc<Vec<Declared>>>>,
    /// How fast the error budget of each agreement is spent.
    pub burns: watch::Receiver<Arc<Vec<Burn>>>,
    /// What is known of the hosts' hardware.
    pub board: Board,
    /// Who delivers reports.
    pub carrier: Carrier,
    /// Where commands go.
    pub mailbox: Mailbox,
    /// The engine's clock.
    pub clock: Clock,
    /// Reads the links by which people take an incident.
    pub links: Links,
    /// The configuration.
    pub config: Arc<Config>,
    /// Whether the collector has loaded its state and listens.
    pub ready: Arc<AtomicBool>,
    /// What is counted here.
    pub metrics: WebMetrics,
}

/// What happens at this door, counted where it happens.
#[derive(Debug, Clone)]
pub struct WebMetrics {
    /// Requests answered by status class, such as `2xx`.
    pub requests: IntCounterVec,
    /// Attempts to sign in by outcome: `accepted`, `refused`, `limited`.
    pub sign_ins: IntCounterVec,
    /// Alerts from elsewhere by outcome: `firing`, `resolved`, `own`, `refused`, `full`.
    pub alerts: IntCounterVec,
}

impl WebMetrics {
    /// Registers the counters.
    ///
    /// # Errors
    /// When a counter of that name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new("muster_http_requests_total", "HTTP requests answered, by status class."),
            &["status"],
        )?;
        let sign_ins = IntCounterVec::new(
            Opts::new("muster_sign_ins_total", "Attempts of people to sign in, by outcome."),
            &["outcome"],
        )?;
        let alerts = IntCounterVec::new(
            Opts::new("muster_alerts_received_total", "Alerts received from elsewhere, by what became of them."),
            &["outcome"],
        )?;
        // From zero, so that the first refusal is a rise.
        for outcome in ["firing", "resolved", "own", "refused", "full"] {
            let _ = alerts.with_label_values(&[outcome]);
        }
        registry.register(Box::new(alerts.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(sign_ins.clone()))?;
        Ok(Self { requests, sign_ins, alerts })
    }
}

/// The context with what only this door needs.
#[derive(Debug)]
struct Web {
    context: WebContext,
    sign_ins: sign_in::Limits,
    pings: sign_in::Limits,
    passwords: password::Passwords,
    hosts: access::HostNames,
    sparks: sparks::Sparks,
    zone: jiff::tz::TimeZone,
}

type Shared = Arc<Web>;

impl Web {
    fn new(context: WebContext) -> Self {
        let hosts = access::HostNames::of(&context.config.http);
        Self {
            sign_ins: sign_in::Limits::default(),
            pings: sign_in::Limits::of(ping::PER_MINUTE),
            passwords: password::Passwords::default(),
            hosts,
            sparks: sparks::Sparks::default(),
            zone: jiff::tz::TimeZone::system(),
            context,
        }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.context.snapshot.borrow())
    }

    fn now(&self) -> crate::domain::time::Timestamp {
        self.context.clock.now()
    }

    /// Who has each rotation within a span.
    fn on_duty(&self, span: Span) -> Vec<OnDuty> {
        self.context.config.roster.on_duty(span, &self.snapshot().exceptions)
    }
}

/// The API's description (OpenAPI 3.1).
#[must_use]
pub fn api_description() -> serde_json::Value {
    api::openapi::describe()
}

/// Percent-encodes everything but unreserved characters (RFC 3986) and `/`.
#[must_use]
pub fn encode(text: &str) -> String {
    words::encode(text)
}

/// A number with what it counts: `1 host fits`, `3 hosts fit`.
#[must_use]
pub fn counted(n: usize, one: &str, many: &str) -> String {
    words::counted(n, one, many)
}

/// All that is served over HTTP: views, API and the given exposition routes, behind one guard.
///
/// Every connection must carry a [`Door`] as request extension ([`serve_tcp`] and [`serve_unix`] do); without one
/// everything is refused.
pub fn router(context: WebContext, exposition: Router) -> Router {
    let web = Arc::new(Web::new(context));
    routes::build()
        .with_state(Arc::clone(&web))
        .merge(exposition)
        .fallback(problem::no_such_page)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(web, guard::guard))
}
