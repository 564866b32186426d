//! How the collector does: for load balancers, for programs, and the audit log.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, limit_of, list as page_of};
use crate::{
    domain::{host::State as HostState, record::IncidentState},
    store::AuditOf,
    web::Shared,
};

/// The process runs.
pub(in crate::web) async fn healthy() -> &'static str {
    "healthy\n"
}

/// It has loaded its state and listens.
pub(in crate::web) async fn ready(State(web): State<Shared>) -> (StatusCode, &'static str) {
    if web.context.ready.load(Ordering::Acquire) {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready: the collector is loading its state\n")
    }
}

pub(in crate::web) async fn status(State(web): State<Shared>) -> Answered {
    let snapshot = web.snapshot();
    let mut states: BTreeMap<&str, usize> = HostState::ALL.into_iter().map(|state| (state.word(), 0)).collect();
    for host in snapshot.hosts.values() {
        *states.entry(host.state.word()).or_default() += 1;
    }
    let open = snapshot.incidents.values().filter(|view| view.row.state != IncidentState::Resolved).count();
    let cuts: BTreeMap<&str, String> =
        snapshot.cuts.iter().map(|(scope, at)| (scope.as_str(), at.to_string())).collect();
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "collector_id": web.context.identity.collector_id().to_string(),
        "ready": web.context.ready.load(Ordering::Acquire),
        "started": snapshot.started.to_string(),
        "as_of": snapshot.at.to_string(),
        "settling_until": snapshot.settling_until.map(|at| at.to_string()),
        "hosts": snapshot.hosts.len(),
        "states": states,
        "incidents_open": open,
        "cuts": cuts,
    })))
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct Lines {
    limit: Option<usize>,
    who: Option<String>,
    action: Option<String>,
    subject: Option<String>,
}

pub(in crate::web) async fn audit(State(web): State<Shared>, Query(query): Query<Lines>) -> Answered {
    let Lines { limit, who, action, subject } = query;
    let rows = web.context.store.audit_of(AuditOf { who, action, subject }, limit_of(limit)).await?;
    let items: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "at": row.at.to_string(), "who": row.who, "from": row.from, "action": row.action,
                "subject": row.subject, "detail": row.detail,
            })
        })
        .collect();
    Ok(page_of(items, None))
}
