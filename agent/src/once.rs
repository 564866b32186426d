//! One collection to standard output: what `node_exporter` would say (text format 0.0.4), or JSON.

use std::fmt::Write;
use std::time::Duration;

use crate::clock;
use crate::gather::{Gathered, Gatherer, SourceState};
use crate::host::Host;
use crate::probe::{Family, Kind, Series, spell_double};

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

/// Collects everything once and writes it down.
pub async fn once(host: Host, format: Format) -> String {
    let gathered = Gatherer::start(host).collect(clock::now(), DEADLINE).await;
    match format {
        Format::Prometheus => prometheus(&gathered),
        Format::Json => json(&gathered),
    }
}

/// Families by name, series by labels, as Prometheus' own client writes them.
#[must_use]
pub fn prometheus(gathered: &Gathered) -> String {
    let line = |(family, series, value)| (family, series, label_text(series), value);
    let mut lines: Vec<(&Family, &Series, String, f64)> = gathered.table.samples().map(line).collect();
    lines.sort_by(|a, b| (&a.0.name, a.1.part.suffix(), &a.2).cmp(&(&b.0.name, b.1.part.suffix(), &b.2)));
    let mut text = String::new();
    let mut family_before = None;
    for (family, series, labels, value) in lines {
        let name = &family.name;
        if family_before != Some(name) {
            let kind = kind_text(family.kind);
            let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            family_before = Some(name);
        }
        let suffix = series.part.suffix();
        let _ = writeln!(text, "{name}{suffix}{labels} {}", spell_double(value));
    }
    text
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
            let kind = kind_text(family.kind);
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

fn kind_text(kind: Kind) -> &'static str {
    match kind {
        Kind::Untyped => "untyped",
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
        Kind::Summary => "summary",
    }
}

/// `{a="1",b="2"}` sorted by name, values escaped; nothing without labels.
fn label_text(series: &Series) -> String {
    let mut labels: Vec<(&str, &str)> = series.labels().collect();
    labels.sort_unstable();
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let parts: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    if parts.is_empty() { String::new() } else { format!("{{{}}}", parts.join(",")) }
}
