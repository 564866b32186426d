//! Records: facts that are kept, as JSON that views, rules and reports read without knowing the wire.

use std::io::Read as _;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::read::GzDecoder;
use muster_proto::v1::{self, record::Body};
use prost::Message as _;
use serde_json::{Value, json};

use super::{DecodeError, HostClock, SEQUENCE_MAX, STRING_BYTES, bytes16, clock, limit};
use crate::domain::{
    inventory::{Head, Status, delta::Part},
    readings::dictionary::text::clean,
    time::Timestamp,
};

/// A record's body, in bytes, on the wire and as JSON.
pub const BODY_BYTES: usize = 64 * 1024;
/// A payload of evidence once it is decompressed, in bytes; agents send at most 256 KiB.
pub const PAYLOAD_BYTES: usize = 512 * 1024;
/// `Evidence.format` of a payload that is compressed.
const GZIP: u32 = 2;

/// One record as it came; its content may be unreadable while its place in the spool is known.
#[derive(Debug)]
pub struct Recorded {
    /// Its number in the epoch.
    pub sequence: u64,
    /// Boot of the machine at that time.
    pub boot_id: [u8; 16],
    /// When it was so, by the host's clocks.
    pub clock: HostClock,
    /// What it says, or why that cannot be read.
    pub content: Result<Content, DecodeError>,
}

/// What a record says.
#[derive(Debug)]
pub struct Content {
    /// `gap`, `clock_step`, `rollup`, `kernel`, `evidence`, `checks`, `inventory`.
    pub kind: &'static str,
    /// JSON.
    pub body: String,
    /// Of a gap: what the host could not report, in its own words.
    pub unreported: Option<String>,
}

/// Reads one record.
///
/// # Errors
/// [`DecodeError`] when not even its place is known.
pub(super) fn recorded(record: v1::Record) -> Result<Recorded, DecodeError> {
    if record.sequence == 0 || record.sequence > SEQUENCE_MAX {
        return Err(DecodeError::Malformed("a record's sequence must be in 1..=2^53"));
    }
    let boot_id = bytes16(&record.boot_id, "boot_id of a record must be 16 bytes")?;
    let (sequence, at) = (record.sequence, clock(record.clock));
    Ok(Recorded { sequence, boot_id, clock: at, content: content(&record) })
}

fn content(record: &v1::Record) -> Result<Content, DecodeError> {
    limit("a record", record.encoded_len(), BODY_BYTES)?;
    let (kind, value) = match record.body.as_ref().ok_or(DecodeError::Empty)? {
        Body::Checks(checks) => ("checks", checks_value(checks)?),
        Body::Kernel(kernel) => ("kernel", kernel_value(kernel)),
        Body::Evidence(evidence) => ("evidence", evidence_value(evidence)?),
        Body::Inventory(delta) => ("inventory", inventory_value(delta)?),
        Body::Rollup(rollup) => ("rollup", rollup_value(rollup)?),
        Body::Gap(gap) => ("gap", gap_value(gap)?),
        Body::ClockStep(step) => ("clock_step", step_value(step)),
    };
    let body = value.to_string();
    limit("a record as JSON", body.len(), BODY_BYTES)?;
    let unreported = match record.body.as_ref() {
        Some(Body::Gap(gap)) => Some(gap_words(gap)),
        _ => None,
    };
    Ok(Content { kind, body, unreported })
}

fn checks_value(checks: &v1::CheckResults) -> Result<Value, DecodeError> {
    let mut results = Vec::with_capacity(checks.results.len());
    for result in &checks.results {
        limit("the name of a check", result.check.len(), STRING_BYTES)?;
        let perfdata: Vec<Value> = result
            .perfdata
            .iter()
            .map(|datum| json!({"label": datum.label, "value": datum.value, "unit": datum.unit}))
            .collect();
        results.push(json!({
            "check": result.check, "status": result.status, "attempt": result.attempt,
            "attempts": result.attempts,
            "ok_ago_ms": result.ok_ago_ms, "output": result.output, "perfdata": perfdata,
        }));
    }
    Ok(json!({"results": results}))
}

fn kernel_value(kernel: &v1::KernelEvents) -> Value {
    let event = |event: &v1::KernelEvent| {
        json!({
            "sequence": event.sequence, "priority": event.priority,
            "boottime_us": event.boottime_us, "message": event.message,
        })
    };
    json!({"events": kernel.events.iter().map(event).collect::<Vec<_>>()})
}

fn evidence_value(evidence: &v1::Evidence) -> Result<Value, DecodeError> {
    for text in [&evidence.source, &evidence.part, &evidence.reason] {
        limit("a name in evidence", text.len(), STRING_BYTES)?;
    }
    let outcome = match evidence.outcome {
        0 => "read",
        1 => "not_present",
        2 => "unreadable",
        3 => "failed",
        4 => "asleep",
        _ => return Err(DecodeError::Malformed("outcome of evidence must be 0..=4")),
    };
    let mut value = json!({
        "source": evidence.source, "part": evidence.part, "outcome": outcome,
        "reason": evidence.reason, "format": evidence.format, "size": payload_size(evidence)?,
    });
    match std::str::from_utf8(&evidence.payload) {
        Ok(text) => value["payload"] = text.into(),
        Err(_) => value["payload_base64"] = BASE64.encode(&evidence.payload).into(),
    }
    Ok(value)
}

/// Bytes of a payload once it is decompressed.
fn payload_size(evidence: &v1::Evidence) -> Result<usize, DecodeError> {
    if evidence.format != GZIP {
        return Ok(evidence.payload.len());
    }
    let mut plain = GzDecoder::new(&evidence.payload[..]).take(PAYLOAD_BYTES as u64 + 1);
    let size = std::io::copy(&mut plain, &mut std::io::sink())
        .map_err(|_| DecodeError::Malformed("a payload of format 2 must be gzip (RFC 1952)"))?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    limit("a payload of evidence", size, PAYLOAD_BYTES)?;
    Ok(size)
}

fn inventory_value(delta: &v1::InventoryDelta) -> Result<Value, DecodeError> {
    limit("the name of a section", delta.section.len(), STRING_BYTES)?;
    let hash = |bytes: &[u8]| bytes16(bytes, "a hash of the inventory must be 16 bytes");
    let status = Status::of_number(delta.status).ok_or(DecodeError::Malformed("status of a section must be 0..=4"))?;
    let row = |row: &v1::Row| (row.key.clone(), row.durable.clone(), row.latest.clone(), row.source.clone());
    let part = Part {
        section: delta.section.clone(),
        // A section that is told anew has no base.
        base: if delta.full { [0; 16] } else { hash(&delta.base_hash)? },
        new: hash(&delta.new_hash)?,
        full: delta.full,
        part: delta.part,
        parts: delta.parts,
        head: Head { status, reason: delta.reason.clone(), source: delta.source.clone() },
        collected_ms: delta.collected_ms,
        put: delta.put.iter().map(row).collect(),
        gone: delta.gone.clone(),
    };
    serde_json::to_value(part).map_err(|_| DecodeError::Malformed("a section that cannot be written as JSON"))
}

fn rollup_value(rollup: &v1::Rollup) -> Result<Value, DecodeError> {
    let mut series = Vec::with_capacity(rollup.series.len());
    for one in &rollup.series {
        limit("the name of a series", one.name.len(), STRING_BYTES)?;
        series.push(json!({
            "name": one.name, "labels": one.labels, "count": one.count,
            "min": one.min, "mean": one.mean, "max": one.max,
        }));
    }
    Ok(json!({"from": clock_value(rollup.from), "to": clock_value(rollup.to), "series": series}))
}

fn gap_value(gap: &v1::Gap) -> Result<Value, DecodeError> {
    limit("what a gap lacks", gap.what.len(), STRING_BYTES)?;
    Ok(json!({
        "what": gap.what, "from": clock_value(gap.from), "to": clock_value(gap.to),
        "lost": gap.lost, "reason": gap.reason,
    }))
}

/// `readings: 12 lost from 2026-11-22T04:00:00.000Z to 2026-11-22T04:10:00.000Z by its clock: the disk was full`
fn gap_words(gap: &v1::Gap) -> String {
    let [from, to] = [gap.from, gap.to].map(|at| Timestamp::from_ms(clock(at).wall_ms));
    clean(&format!("{}: {} lost from {from} to {to} by its clock: {}", gap.what, gap.lost, gap.reason))
}

fn step_value(step: &v1::ClockStep) -> Value {
    json!({"before": clock_value(step.before), "after": clock_value(step.after)})
}

fn clock_value(at: Option<v1::Clock>) -> Value {
    let at = clock(at);
    json!({"wall_ms": at.wall_ms, "boottime_ms": at.boottime_ms})
}
