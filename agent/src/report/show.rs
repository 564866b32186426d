//! The wire's messages as JSON, for whoever wants to see what leaves the machine. Each message is taken apart field by field, so
//! that a field that is not shown does not compile.

use std::collections::HashMap;
use std::io::Read as _;
use std::net::IpAddr;

use flate2::read::GzDecoder;
use muster_proto::v1::agent_message::Body;
use muster_proto::v1::{self, record};
use serde_json::{Map, Value, json};

use super::unit::Unit;

/// `Evidence.format` of a payload that is compressed, and what it is at most.
const GZIP: u32 = 2;
const UNPACKED_MAX: u64 = 512 * 1024;

/// A `Hello`.
#[must_use]
pub fn shown_hello(hello: &v1::Hello) -> Value {
    let v1::Hello {
        protocol,
        version,
        boot_id,
        starts,
        generation,
        epoch,
        first_kept,
        last_record,
        clock: at,
        fingerprint,
        facts,
        alive,
        settings_version,
        inventory_hash,
        dictionary_hash,
        own_address,
    } = hello;
    json!({
        "protocol": protocol, "version": version, "boot_id": hex(boot_id), "starts": starts, "generation": generation,
        "epoch": hex(epoch), "first_kept": first_kept, "last_record": last_record, "clock": clock(at.as_ref()),
        "fingerprint": fingerprint.as_ref().map(shown_fingerprint), "facts": facts.as_ref().map(shown_facts),
        "alive": alive.iter().map(span).collect::<Vec<_>>(), "settings_version": settings_version,
        "inventory_hash": hex(inventory_hash), "dictionary_hash": hex(dictionary_hash),
        "own_address": address(own_address),
    })
}

/// 4 or 16 bytes.
fn address(bytes: &[u8]) -> Value {
    let known = <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    known.map_or(Value::Null, |address| json!(address))
}

fn shown_fingerprint(fingerprint: &v1::Fingerprint) -> Value {
    let v1::Fingerprint { machine_id, product_uuid, serial, macs, root_fs_uuid, instance_id } = fingerprint;
    json!({
        "machine_id": hex(machine_id), "product_uuid": hex(product_uuid), "serial": hex(serial),
        "macs": macs.iter().map(|mac| hex(mac)).collect::<Vec<_>>(), "root_fs_uuid": hex(root_fs_uuid),
        "instance_id": hex(instance_id),
    })
}

fn shown_facts(facts: &v1::HostFacts) -> Value {
    let v1::HostFacts { name, os, os_release, kernel, architecture, chassis, labels } = facts;
    json!({
        "name": name, "os": os, "os_release": os_release, "kernel": kernel, "architecture": architecture,
        "chassis": chassis, "labels": pairs(labels),
    })
}

fn span(span: &v1::AliveSpan) -> Value {
    let v1::AliveSpan { boot_id, from, to, end, resumed } = span;
    json!({
        "boot_id": hex(boot_id), "from": clock(from.as_ref()), "to": clock(to.as_ref()), "end": end, "resumed": resumed,
    })
}

fn clock(clock: Option<&v1::Clock>) -> Value {
    let Some(v1::Clock { wall_ms, boottime_ms }) = clock else { return Value::Null };
    json!({ "wall_ms": wall_ms, "boottime_ms": boottime_ms })
}

/// The first report of a stream: what its dictionary says and its readings count, put together. `readings` is a list of series with
/// family, labels and value; `sources` says how each source is.
#[must_use]
pub fn shown_report(messages: &[Body]) -> Value {
    let (mut families, mut series) = (HashMap::new(), HashMap::new());
    let (mut readings, mut sources) = (Vec::new(), Vec::new());
    let (mut at, mut whole) = (Value::Null, false);
    for message in messages {
        match message {
            Body::Dictionary(v1::Dictionary { families: new, series: more, retired }) => {
                families.extend(new.iter().map(|family| (family.id, family)));
                series.extend(more.iter().map(|one| (one.id, one)));
                series.retain(|id, _| !retired.contains(id));
            }
            Body::Readings(v1::Readings {
                clock: when,
                full,
                whole_gaps,
                whole_diffs,
                real_gaps,
                reals,
                sources: states,
            }) => {
                (at, whole) = (clock(when.as_ref()), *full);
                let mut say = |id: u32, value: &dyn Fn(Unit) -> f64| {
                    let Some(one) = series.get(&id) else { return };
                    let Some(family) = families.get(&one.family) else { return };
                    readings.push(reading(family, one, value(Unit::numbered(family.unit))));
                };
                for (id, diff) in ids(whole_gaps).zip(whole_diffs) {
                    say(id, &|unit| unit.value(*diff as f64));
                }
                for (id, real) in ids(real_gaps).zip(reals) {
                    say(id, &|_| *real);
                }
                sources.extend(states.iter().map(source));
            }
            _ => {}
        }
    }
    json!({ "clock": at, "full": whole, "readings": readings, "sources": sources })
}

fn ids(gaps: &[u32]) -> impl Iterator<Item = u32> {
    gaps.iter().scan(0_u32, |id, gap| {
        *id = id.wrapping_add(*gap);
        Some(*id)
    })
}

fn reading(family: &v1::Family, series: &v1::Series, value: f64) -> Value {
    let v1::Family { id, name, r#type, help, unit } = family;
    let v1::Series { id: number, family: _, suffix, labels } = series;
    // JSON has no infinity.
    let value = serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), Value::Number);
    json!({
        "id": number, "family": id, "name": name, "suffix": suffix, "type": r#type, "help": help, "unit": unit,
        "labels": pairs(labels), "value": value,
    })
}

fn source(state: &v1::SourceState) -> Value {
    let v1::SourceState { source, state, reason } = state;
    json!({ "source": source, "state": state, "reason": reason })
}

/// A record's body: its kind, and its fields. What is made of events (roll-ups, gaps, clock steps, kernel messages) is shown, too.
#[must_use]
pub fn shown_record(body: &record::Body) -> Value {
    match body {
        record::Body::Evidence(evidence) => json!({ "evidence": shown_evidence(evidence) }),
        record::Body::Inventory(delta) => json!({ "inventory": shown_inventory(delta) }),
        record::Body::Checks(v1::CheckResults { results }) => {
            json!({ "checks": results.iter().map(check).collect::<Vec<_>>() })
        }
        record::Body::Kernel(v1::KernelEvents { events }) => {
            json!({ "kernel": events.iter().map(kernel_event).collect::<Vec<_>>() })
        }
        record::Body::Rollup(v1::Rollup { from, to, series }) => json!({ "rollup": {
            "from": clock(from.as_ref()), "to": clock(to.as_ref()), "series": series.iter().map(rolled).collect::<Vec<_>>(),
        }}),
        record::Body::Gap(v1::Gap { what, from, to, lost, reason }) => json!({ "gap": {
            "what": what, "from": clock(from.as_ref()), "to": clock(to.as_ref()), "lost": lost, "reason": reason,
        }}),
        record::Body::ClockStep(v1::ClockStep { before, after }) => {
            json!({ "clock_step": { "before": clock(before.as_ref()), "after": clock(after.as_ref()) } })
        }
    }
}

fn kernel_event(event: &v1::KernelEvent) -> Value {
    let v1::KernelEvent { sequence, priority, boottime_us, message } = event;
    json!({ "sequence": sequence, "priority": priority, "boottime_us": boottime_us, "message": message })
}

fn rolled(series: &v1::RollupSeries) -> Value {
    let v1::RollupSeries { name, labels, count, min, mean, max } = series;
    json!({ "name": name, "labels": pairs(labels), "count": count, "min": min, "mean": mean, "max": max })
}

fn check(result: &v1::CheckResult) -> Value {
    let v1::CheckResult { check, status, attempt, attempts, output, perfdata, ok_ago_ms } = result;
    let figure = |figure: &v1::Perfdata| {
        let v1::Perfdata { label, value, unit } = figure;
        json!({ "label": label, "value": value, "unit": unit })
    };
    json!({
        "check": check, "status": status, "attempt": attempt, "attempts": attempts, "output": output,
        "perfdata": perfdata.iter().map(figure).collect::<Vec<_>>(), "ok_ago_ms": ok_ago_ms,
    })
}

/// The payload as the collector reads it: JSON as it is, else text.
fn shown_evidence(evidence: &v1::Evidence) -> Value {
    let v1::Evidence { source, part, outcome, reason, payload, format } = evidence;
    let mut unpacked = Vec::new();
    let payload = match format {
        &GZIP if GzDecoder::new(&payload[..]).take(UNPACKED_MAX).read_to_end(&mut unpacked).is_ok() => &unpacked,
        _ => payload,
    };
    let payload: Value =
        serde_json::from_slice(payload).unwrap_or_else(|_| String::from_utf8_lossy(payload).into_owned().into());
    json!({
        "source": source, "part": part, "outcome": outcome, "reason": reason, "format": format, "payload": payload,
    })
}

fn shown_inventory(delta: &v1::InventoryDelta) -> Value {
    let v1::InventoryDelta {
        section,
        base_hash,
        new_hash,
        full,
        put,
        gone,
        part,
        parts,
        reason,
        status,
        source,
        collected_ms,
    } = delta;
    let row = |row: &v1::Row| {
        let v1::Row { key, durable, latest, source } = row;
        json!({ "key": key, "durable": pairs(durable), "latest": pairs(latest), "source": source })
    };
    json!({
        "section": section, "base_hash": hex(base_hash), "new_hash": hex(new_hash), "full": full,
        "put": put.iter().map(row).collect::<Vec<_>>(), "gone": gone, "part": part, "parts": parts, "reason": reason,
        "status": status, "source": source, "collected_ms": collected_ms,
    })
}

/// Names and values, one after the other.
fn pairs(flat: &[String]) -> Value {
    let pair = |pair: &[String]| (pair[0].clone(), Value::from(pair[1].as_str()));
    flat.chunks_exact(2).map(pair).collect::<Map<_, _>>().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
