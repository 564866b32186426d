//! The last outcomes of this machine's service checks, and what they measured.

use super::{Kind, ProbeError, Sink};
use crate::check::board::Board;
use crate::host::Host;

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let board = host.checks().ok_or_else(|| ProbeError::Absent("no check is defined in agent.toml".to_owned()))?;
    if board.definitions().is_empty() {
        // Some may be sent; until then there is nothing to say.
        return Ok(());
    }
    let help = "How a service check turned out: 0 OK, 1 warning, 2 critical, 3 unknown.";
    sink.family("muster_check_status", Kind::Gauge, help);
    board.each(|check| {
        let labels = [("check", check.definition.name.as_str()), ("kind", check.definition.kind.word())];
        sink.sample(&labels, f64::from(check.outcome.status as u8));
    });
    sink.family("muster_check_duration_seconds", Kind::Gauge, "How long the last run of a service check took.");
    board.each(|check| sink.sample(&[("check", &check.definition.name)], check.took_s));
    let help = "Until when the certificate that a service check looked at is valid.";
    sink.family("muster_check_certificate_expiry_timestamp_seconds", Kind::Gauge, help);
    board.each(|check| {
        if let Some(expires_s) = check.outcome.expires_s {
            sink.sample(&[("check", &check.definition.name)], expires_s as f64);
        }
    });
    let help = "Performance data of service checks, in base units.";
    sink.family("nagios_perfdata_value", Kind::Gauge, help);
    say_figures(board, sink, false);
    sink.family("nagios_perfdata_value_total", Kind::Counter, "Performance data of service checks that only rises.");
    say_figures(board, sink, true);
    Ok(())
}

fn say_figures(board: &Board, sink: &mut Sink<'_>, counters: bool) {
    board.each(|check| {
        for datum in check.outcome.perfdata.iter().filter(|datum| datum.counter == counters) {
            let labels = [("check", check.definition.name.as_str()), ("label", &datum.label), ("unit", &datum.unit)];
            // A label without a text is as good as none to Prometheus.
            let labels = if datum.unit.is_empty() { &labels[..2] } else { &labels };
            sink.sample(labels, datum.value);
        }
    });
}
