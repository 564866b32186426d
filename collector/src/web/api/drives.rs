//! Drives and their lives: every one that was ever watched, and what models and firmwares come to.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{Answered, list as page_of};
use crate::{
    domain::{
        reliability::{Cohort, Life, cohorts},
        snapshot::Snapshot,
        time::Timestamp,
    },
    web::Shared,
};

pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let lives = web.context.store.lives().await?;
    let snapshot = web.snapshot();
    let mut items = Vec::with_capacity(lives.len());
    for life in &lives {
        items.push(item(life, &snapshot));
    }
    Ok(Json(page_of(items, None).0))
}

pub(in crate::web) async fn models(State(web): State<Shared>) -> Answered {
    let lives = web.context.store.lives().await?;
    let cohorts = tokio::task::spawn_blocking(move || cohorts(&lives)).await.unwrap_or_default();
    Ok(Json(page_of(cohorts.iter().map(model).collect(), None).0))
}

fn item(life: &Life, snapshot: &Snapshot) -> Value {
    let host = snapshot.hosts.get(&life.host).map(|host| &host.profile);
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "serial": life.serial, "model": life.model, "firmware": life.firmware, "device": life.device,
        "host": host.map(|profile| profile.id.to_string()), "host_name": host.map(|profile| profile.name.as_str()),
        "watched_since": life.entered.to_string(), "seen": life.seen.to_string(), "power_on_hours": life.hours,
        "failing_since": time(life.failing), "failed": time(life.failure()), "gone": time(life.gone),
    })
}

fn model(cohort: &Cohort) -> Value {
    // What is so large that it says nothing is not said.
    let mut value = json!(cohort);
    if let Some(high) = value.pointer_mut("/figures/per_year/high").filter(|high| high.as_f64() > Some(1e6)) {
        *high = Value::Null;
    }
    value
}
