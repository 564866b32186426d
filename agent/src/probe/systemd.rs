//! States of systemd's units, from one `systemctl list-units` a minute.

use super::{Kind, ProbeError, Sink};
use crate::host::{CommandError, Host};

/// Milliseconds that `systemctl` may take.
pub(super) const TOOL_MS: u64 = 10_000;
/// The states that `node_exporter` tells apart.
const STATES: [&str; 5] = ["activating", "active", "deactivating", "failed", "inactive"];
/// `node_exporter`'s default `--collector.systemd.unit-exclude`: `.+\.(automount|device|mount|scope|slice)`.
const KINDS_LEFT_OUT: [&str; 5] = ["automount", "device", "mount", "scope", "slice"];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    if !host.exists("/run/systemd/system") {
        return Err(ProbeError::Absent("systemd does not run here".to_owned()));
    }
    let arguments = ["list-units", "--all", "--plain", "--no-legend", "--no-pager"];
    let output = host.run("systemctl", &arguments, TOOL_MS).map_err(|error| match error {
        CommandError::NotPresent(_) => ProbeError::Absent(error.to_string()),
        CommandError::Hanging(_) => ProbeError::Stuck(error.to_string()),
        CommandError::Failed { .. } | CommandError::TimedOut { .. } => ProbeError::Failed(error.to_string()),
    })?;
    if output.code != Some(0) {
        return Err(ProbeError::Failed(format!("systemctl list-units ended with {:?}", output.code)));
    }
    sink.family("node_systemd_unit_state", Kind::Gauge, "Systemd unit");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(name), Some(load), Some(active)) = (fields.next(), fields.next(), fields.next()) else { continue };
        if load != "loaded" || name.rsplit_once('.').is_none_or(|(_, kind)| KINDS_LEFT_OUT.contains(&kind)) {
            continue;
        }
        for state in STATES {
            sink.sample(&[("name", name), ("state", state)], if state == active { 1.0 } else { 0.0 });
        }
    }
    if output.truncated {
        return Err(ProbeError::Failed("systemctl said more than 1 MiB: the rest is left out".to_owned()));
    }
    Ok(())
}
