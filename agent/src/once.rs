//! One collection to standard output: what `node_exporter` would say (text format 0.0.4), or JSON.

use std::sync::Arc;
use std::time::Duration;

use crate::check::Definition;
use crate::check::board::Board;
use crate::checker;
use crate::clock;
use crate::exposition;
use crate::gather::{Gathered, Gatherer, SourceState};
use crate::host::Host;

/// How long the one collection may take: longer than any source's own deadline.
const DEADLINE: Duration = Duration::from_secs(15);

/// How readings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text format 0.0.4.
    Prometheus,
    /// One JSON object: `sources` and `readings`.
    Json,
}

/// Collects everything once, runs every check once, and writes it down.
pub async fn once(host: Host, checks: Vec<Definition>, format: Format) -> String {
    let host = match checked(&host, checks).await {
        Some(board) => host.with_checks(&board),
        None => host,
    };
    let gathered = Gatherer::start(host).collect(clock::now(), DEADLINE).await;
    match format {
        Format::Prometheus => prometheus(&gathered),
        Format::Json => json(&gathered),
    }
}

/// The outcomes of these checks, run now. None is run for a captured machine: it would be this one that is checked.
pub async fn checked(host: &Host, checks: Vec<Definition>) -> Option<Arc<Board>> {
    if checks.is_empty() || !host.is_live() {
        return None;
    }
    let board = Arc::new(Board::new(checks));
    checker::once(host, &board).await;
    Some(board)
}

/// The page that `node_exporter` would answer.
#[must_use]
pub fn prometheus(gathered: &Gathered) -> String {
    exposition::page(&gathered.table, exposition::Format::Text)
}

fn json(gathered: &Gathered) -> String {
    let state = |state: SourceState| match state {
        SourceState::Ok => "ok",
        SourceState::Absent => "absent",
        SourceState::Unreadable => "unreadable",
        SourceState::Failed => "failed",
        SourceState::Late => "late",
        SourceState::Stuck => "stuck",
    };
    let sources: Vec<serde_json::Value> = gathered
        .sources
        .iter()
        .map(|status| serde_json::json!({"source": status.source, "state": state(status.state), "reason": status.reason}))
        .collect();
    let readings: Vec<serde_json::Value> = gathered
        .table
        .samples()
        .map(|(family, series, value)| {
            let labels: serde_json::Map<String, serde_json::Value> =
                series.labels().map(|(name, value)| (name.to_owned(), value.into())).collect();
            let kind = exposition::type_name(family.kind);
            // JSON has no NaN or infinity; serde_json writes them as null.
            let name = [&*family.name, series.part.suffix()].concat();
            serde_json::json!({"name": name, "type": kind, "labels": labels, "value": value})
        })
        .collect();
    let document = serde_json::json!({
        "wall_ms": gathered.at.wall_ms,
        "boottime_ms": gathered.at.boottime_ms,
        "sources": sources,
        "readings": readings,
    });
    format!("{document:#}\n")
}
