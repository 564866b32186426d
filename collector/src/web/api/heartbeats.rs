//! Other people's jobs: how they stand, and for operators the URL under which they say that they have run.

use std::sync::{Arc, PoisonError};

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::{Answered, list as page_of};
use crate::{
    domain::{
        heartbeat::{HeartbeatView, Signal},
        time::Timestamp,
    },
    store::people::Role,
    web::{Shared, Web, access::Caller, ping, problem::Problem, secret},
};

/// The whole URL of a heartbeat, for who may speak for the job.
pub(in crate::web) fn url_of(web: &Web, caller: &Caller, name: &str) -> Option<String> {
    let path = ping::secrets(web).path_of(name).filter(|_| caller.role >= Role::Operator)?;
    Some(format!("{}{path}", web.context.config.http.url))
}

/// What it said last, in a word.
pub(in crate::web) fn signal_words(signal: Signal) -> String {
    match signal {
        Signal::Start => "start".into(),
        Signal::Success => "success".into(),
        Signal::Fail(None) => "fail".into(),
        Signal::Fail(Some(status)) => format!("exit status {status}"),
    }
}

fn item(web: &Web, caller: &Caller, view: &HeartbeatView) -> Value {
    let (job, row) = (&view.heartbeat, view.row.as_ref());
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "name": job.name, "state": view.state, "severity": job.severity, "expected": job.expected.words(),
        "grace_seconds": job.grace_ms / 1_000, "host": job.host, "site": job.site,
        "labels": job.labels.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "last_ping": text(row.map(|row| row.pinged)), "last_signal": row.map(|row| signal_words(row.signal)),
        "last_success": text(row.and_then(|row| row.success)), "due": text(row.map(|row| row.due)),
        "next_run": text(job.expected.next_run(web.now())), "alarm": text(row.map(|row| job.alarm_at(row))), "started": text(row.and_then(|row| row.started)),
        "took_seconds": row.and_then(|row| row.took_ms).map(|ms| ms / 1_000), "said": row.map(|row| row.said.clone()),
        "url": url_of(web, caller, &job.name),
    })
}

pub(in crate::web) async fn list(State(web): State<Shared>, Extension(caller): Extension<Caller>) -> Answered {
    let snapshot = web.snapshot();
    Ok(page_of(snapshot.heartbeats.iter().map(|view| item(&web, &caller, view)).collect(), None))
}

pub(in crate::web) async fn show(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answered {
    shown(&web, &caller, &name)
}

fn shown(web: &Web, caller: &Caller, name: &str) -> Answered {
    let snapshot = web.snapshot();
    let view = snapshot.heartbeats.iter().find(|view| view.heartbeat.name == name).ok_or_else(|| unknown(name))?;
    Ok(Json(item(web, caller, view)))
}

fn unknown(name: &str) -> Problem {
    Problem::not_found(&format!("heartbeat {name:?} in collector.toml"))
}

/// Gives it another URL; the old one leads nowhere from now on.
pub(in crate::web) async fn renew_secret(web: &Web, caller: &Caller, name: &str) -> Result<(), Problem> {
    if ping::secrets(web).path_of(name).is_none() {
        return Err(unknown(name));
    }
    let (pings, fresh) = (Arc::clone(&web.context.pings), secret::new_ping_secret()?);
    let by = caller.audit(web.now(), "heartbeat.renew", name, String::new());
    let (kept, renewed) = (fresh.clone(), name.to_owned());
    let committed = move || pings.write().unwrap_or_else(PoisonError::into_inner).renew(renewed, kept);
    Ok(web.context.store.renew_heartbeat_secret(name.to_owned(), fresh, by, committed).await?)
}

pub(in crate::web) async fn renew(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answered {
    renew_secret(&web, &caller, &name).await?;
    shown(&web, &caller, &name)
}
