//! What Prometheus reads: our own figures, the fleet's, where the hosts are, and what each host's own exporter would say.
//!
//! Everything is built at the scrape from the snapshot and the slots, so that what is gone vanishes. Who may ask and
//! under which name (`Host` header) is the web guard's business, which stands before this router.
//!
//! Pages of metrics are text 0.0.4 or OpenMetrics 1.0.0, plain or compressed, as the client asks ([`negotiation`]); both
//! formats say the same series under the same names.

mod discovery;
mod evidence;
mod family;
mod fleet;
mod gzip;
mod hardware;
mod host;
mod inventory;
mod negotiation;
mod own;
mod page;
mod service_levels;
mod smartctl;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    http::{Extensions, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::sync::watch;

pub use self::{
    evidence::{Evidence, Reading, Said},
    gzip::Compressors,
};
use crate::{
    board::Board,
    domain::{
        host::slots::Slots,
        ids::{HostId, HostNo},
        sla::{burn::Burn, standing::Standing},
        snapshot::{HostView, Snapshot},
        time::Timestamp,
    },
};

/// Tells the present instant; the engine's clock in production.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the exposition reads.
#[derive(Clone)]
pub struct ExpositionContext {
    /// The fleet.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// The hosts' readings.
    pub slots: Arc<Slots>,
    /// How each agreement stands.
    pub levels: Levels,
    /// Our own figures.
    pub registry: prometheus::Registry,
    /// `host:port` under which Prometheus reaches this server; without it, the one that it asked for.
    pub address: Option<String>,
    /// Whether this server speaks HTTPS.
    pub tls: bool,
    /// The clock.
    pub now: Now,
    /// Host numbers by id, as found so far: a host keeps its number for ever.
    pub numbers: Numbers,
    /// Whether a request comes from this very machine, by what its listener said of it: no network lies between.
    pub is_near: fn(&Extensions) -> bool,
    /// What makes pages small.
    pub compressors: Compressors,
    /// What the hosts' hardware said.
    pub evidence: Evidence,
    /// What is known of it.
    pub board: Board,
}

/// What is kept at hand of service levels.
#[derive(Debug, Clone)]
pub struct Levels {
    /// The figures of each agreement.
    pub standings: watch::Receiver<Arc<Vec<Standing>>>,
    /// How fast the budget of each is spent.
    pub burns: watch::Receiver<Arc<Vec<Burn>>>,
}

/// Host numbers by id, as found so far.
pub type Numbers = Arc<Mutex<HashMap<HostId, HostNo>>>;

impl fmt::Debug for ExpositionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpositionContext")
            .field("address", &self.address)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

impl ExpositionContext {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// The snapshot, unless the collector has not taken one yet: an empty fleet would then be a lie.
    fn taken_snapshot(&self) -> Option<Arc<Snapshot>> {
        Some(self.snapshot()).filter(|snapshot| snapshot.at != Timestamp::default())
    }

    fn host(&self, snapshot: &Snapshot, id: HostId) -> Option<Arc<HostView>> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = numbers.get(&id).and_then(|no| snapshot.hosts.get(no)).filter(|view| view.profile.id == id);
        let found = known.or_else(|| snapshot.hosts.values().find(|view| view.profile.id == id))?;
        numbers.insert(id, found.profile.no);
        Some(Arc::clone(found))
    }
}

/// The routes: `/metrics`, `/prometheus/sd`, `/hosts/{host_id}/metrics`.
pub fn router(context: ExpositionContext) -> Router {
    Router::new()
        .route("/metrics", get(fleet::metrics))
        .route("/prometheus/sd", get(discovery::targets))
        .route("/hosts/{host_id}/metrics", get(host::metrics))
        .with_state(context)
}

/// An answer other than 200, in words.
fn refusal(status: StatusCode, reason: String) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], reason + "\n").into_response()
}

/// What a client that sends these headers gets: the format, and whether it is compressed. For `tests/long fuzz`.
#[doc(hidden)]
#[must_use]
pub fn negotiated(
    headers: &axum::http::HeaderMap,
    is_near: bool,
) -> (crate::domain::readings::dictionary::text::Format, bool) {
    (negotiation::format(headers), negotiation::coding(headers, is_near) == negotiation::Coding::Gzip)
}

#[cfg(test)]
mod tests;
