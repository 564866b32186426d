//! Memory: every field of `/proc/meminfo`, and those of `/proc/vmstat` that `node_exporter` says by default.

use super::{Kind, ProbeError, Sink, parse_number};
use crate::host::Host;

pub(super) fn meminfo(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read_record(host, "/proc/meminfo", |sink, text| {
        for line in text.lines() {
            let Some((key, rest)) = line.split_once(':') else { continue };
            let mut fields = rest.split_ascii_whitespace();
            let Some(value) = fields.next().and_then(parse_number) else { continue };
            let (factor, unit) = if fields.next() == Some("kB") { (1024.0, "_bytes") } else { (1.0, "") };
            // `Active(anon)` becomes `Active_anon`.
            let (stem, detail) = key.split_once('(').unwrap_or((key, ""));
            let joint = if detail.is_empty() { "" } else { "_" };
            let detail = detail.trim_end_matches(')');
            let name = ["node_memory_", stem, joint, detail, unit];
            let help = ["Memory information field ", stem, joint, detail, unit, "."];
            sink.spelled(&name, Kind::Gauge, &help);
            sink.sample(&[], value * factor);
        }
        Ok(())
    })
}

pub(super) fn vmstat(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, "/proc/vmstat", |sink, text| {
        for line in text.lines() {
            let Some((key, value)) = line.split_once(' ').filter(|(key, _)| wanted(key)) else { continue };
            let Some(value) = parse_number(value) else { continue };
            sink.spelled(&["node_vmstat_", key], Kind::Untyped, &["/proc/vmstat information field ", key, "."]);
            sink.sample(&[], value);
        }
        Ok(())
    })
}

/// `node_exporter`'s default `--collector.vmstat.fields`: `^(oom_kill|pgpg|pswp|pg.*fault).*`.
fn wanted(key: &str) -> bool {
    key.starts_with("oom_kill")
        || key.starts_with("pswp")
        || key.strip_prefix("pg").is_some_and(|rest| rest.starts_with("pg") || rest.contains("fault"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn vmstat_fields_are_those_of_the_default_filter() {
        let wanted: Vec<&str> =
            ["oom_kill", "pgpgin", "pswpout", "pgmajfault", "pgfree", "numa_hint_faults", "xpgfault"]
                .into_iter()
                .filter(|key| super::wanted(key))
                .collect();
        assert_eq!(wanted, ["oom_kill", "pgpgin", "pswpout", "pgmajfault"]);
    }
}
