//! What the records take on disk, and how long they are kept.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::{Answered, list};
use crate::{domain::retention::Retention, web::Shared};

/// Reads every page of both files: for admins, who ask seldom.
pub(in crate::web) async fn sizes(State(web): State<Shared>) -> Answered {
    let store = &web.context.store;
    let kept = store.retention();
    let sizes = store.sizes().await?;
    let items: Vec<Value> = sizes
        .iter()
        .map(|size| json!({ "kind": size.kind, "file": size.file, "bytes": size.bytes, "kept": words(size.kind, &kept) }))
        .collect();
    let Json(mut page) = list(items, None);
    let disk = store.disk_state()?;
    page["free_bytes"] = json!(disk.free_bytes);
    page["total_bytes"] = json!(disk.total_bytes);
    Ok(Json(page))
}

fn words(kind: &str, kept: &Retention) -> String {
    match kind {
        "trends" => Retention::words(kept.trends_ms),
        "incidents" => Retention::words(kept.incidents_ms),
        "inventory" => Retention::words(kept.inventory_ms),
        "audit" => Retention::words(kept.audit_ms),
        "reports" => Retention::words(kept.reports_ms),
        "ledgers" => "for good".into(),
        "records" => "35 days, 200 000 of a host".into(),
        "hardware" => "the latest of each part, 40 days".into(),
        "free" => "used again".into(),
        _ => "while it is in use".into(),
    }
}
