//! One collection to standard output: what `node_exporter` would say (text format 0.0.4), or JSON.

use std::fmt::Write;
use std::time::Duration;

use crate::clock;
use crate::gather::{Gathered, Gatherer, SourceState};
use crate::host::Host;
use crate::probe::{Family, Kind, Series};

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
    let mut lines: Vec<(&Family, String, f64)> =
        gathered.table.samples().map(|(family, series, value)| (family, label_text(series), value)).collect();
    lines.sort_by(|a, b| (&a.0.name, &a.1).cmp(&(&b.0.name, &b.1)));
    let mut text = String::new();
    let mut family_before = None;
    for (family, labels, value) in lines {
        let name = &family.name;
        if family_before != Some(name) {
            let kind = kind_text(family.kind);
            let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            family_before = Some(name);
        }
        let _ = writeln!(text, "{name}{labels} {}", number(value));
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
            serde_json::json!({"name": family.name, "type": kind, "labels": labels, "value": value})
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

/// Go writes an exponent from here on: `eprec` of strconv/ftoa.go, where the shortest digits are asked for.
const EXPONENT_FROM: i32 = 6;

/// A number as Go's `strconv.FormatFloat(value, 'g', -1, 64)` writes it: shortest digits; an exponent, of at least two
/// digits, below 1e-4 and from 1e+06 on.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..EXPONENT_FROM).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_go_writes_them() {
        // Right column: node_exporter 1.5.0 on a real machine, and Go's strconv tests.
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (463_073.0, "463073"),
            (2_466_177.0, "2.466177e+06"),
            (1_000_000.0, "1e+06"),
            (12.123_000_000_000_001, "12.123000000000001"),
            (1_795_293_705.180_339, "1.795293705180339e+09"),
            (0.000_101_883, "0.000101883"),
            (1.7837e-5, "1.7837e-05"),
            (7.01e-7, "7.01e-07"),
            (-125_000.0, "-125000"),
            (18_446_744_073_709_551_616.0, "1.8446744073709552e+19"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
