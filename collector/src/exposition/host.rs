//! What a host's own exporter would say, or 503 when it would not answer, so that `up` keeps its meaning.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};

use super::{ExpositionContext, evidence::NAMES, negotiation::Wanted, page};
use crate::domain::{host::slot::Slot, ids::HostNo, labels::Admission, readings::dictionary::text::Format};

/// Readings younger than this are fresh whatever the interval (design.md, faces).
const FRESH_MS: i64 = 30_000;
/// Text of one series, as a first guess: measured 61 bytes on a real host.
const SERIES_BYTES: usize = 80;

/// `GET /hosts/{host_id}/metrics`
pub(super) async fn metrics(
    State(context): State<ExpositionContext>,
    Path(id): Path<String>,
    wanted: Wanted,
) -> Response {
    let body = match fresh(&context, &id) {
        Ok((host, slot)) => Ok(families(&context, host, &slot, wanted.format).await),
        Err(refused) => Err(refused),
    };
    page::answer(&context, wanted, body).await
}

async fn families(context: &ExpositionContext, host: HostNo, slot: &Slot, format: Format) -> Vec<u8> {
    let mut body = Vec::with_capacity(slot.series() * SERIES_BYTES + format.end().len());
    slot.render(format, &mut body);
    // An exporter of the host's own, read from a file, goes before: no name may be headed twice.
    if !NAMES.iter().any(|name| slot.says_any_of(name)) {
        context.evidence.append(host, format, &context.compressors, &mut body).await;
    }
    body
}

/// The host's slot, unless its exporter would not answer.
fn fresh(context: &ExpositionContext, id: &str) -> Result<(HostNo, Arc<Slot>), (StatusCode, String)> {
    let unavailable = |reason: String| (StatusCode::SERVICE_UNAVAILABLE, reason);
    let unknown = || (StatusCode::NOT_FOUND, "no such host; the hosts are listed at /prometheus/sd".to_owned());
    let id = id.parse().map_err(|_| unknown())?;
    let snapshot = context.taken_snapshot().ok_or_else(|| unavailable("the collector is starting".to_owned()))?;
    let view = context.host(&snapshot, id).ok_or_else(unknown)?;
    if view.profile.admission != Admission::Active || !view.state.counts_as_up() {
        return Err(unavailable(format!("the host is {}: {}", view.state.word(), view.cause.words())));
    }
    let slot = context.slots.find(view.profile.no);
    let slot =
        slot.ok_or_else(|| unavailable("the host has sent no readings since the collector started".to_owned()))?;
    let Some(last) = slot.last_report() else {
        return Err(unavailable("the host has sent no readings yet".to_owned()));
    };
    let age_ms = (context.now)().since_ms(last);
    let fresh_ms = FRESH_MS.max(2 * i64::from(slot.report_interval_ms()));
    if age_ms > fresh_ms {
        let (age, fresh) = (age_ms / 1_000, fresh_ms / 1_000);
        return Err(unavailable(format!("the last readings are {age} s old, more than {fresh} s")));
    }
    Ok((view.profile.no, slot))
}
