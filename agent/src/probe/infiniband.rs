//! Ports of InfiniBand and RoCE adapters, from `/sys/class/infiniband`
//! (Documentation/ABI/stable/sysfs-class-infiniband).

use super::folder::{Folder, counter, finite, gauge};
use super::{Kind, ProbeError, Sink};
use crate::host::Host;

const DIRECTORY: &str = "/sys/class/infiniband";
/// Bytes a second of one Gb/s.
const GIGABIT_BYTES: f64 = 125_000_000.0;
/// Octets of a unit in which data are counted: the number of octets divided by 4 (InfiniBand architecture, 16.1.3.5).
const WORD_BYTES: f64 = 4.0;

/// File, end of the name, help, factor.
type Counter = (&'static str, &'static str, &'static str, f64);

const COUNTERS: [Counter; 22] = [
    (
        "link_downed",
        "link_downed_total",
        "Number of times the link failed to recover from an error state and went down",
        1.0,
    ),
    (
        "link_error_recovery",
        "link_error_recovery_total",
        "Number of times the link successfully recovered from an error state",
        1.0,
    ),
    (
        "multicast_rcv_packets",
        "multicast_packets_received_total",
        "Number of multicast packets received (including errors)",
        1.0,
    ),
    (
        "multicast_xmit_packets",
        "multicast_packets_transmitted_total",
        "Number of multicast packets transmitted (including errors)",
        1.0,
    ),
    (
        "port_rcv_constraint_errors",
        "port_constraint_errors_received_total",
        "Number of packets received on the switch physical port that are discarded",
        1.0,
    ),
    (
        "port_xmit_constraint_errors",
        "port_constraint_errors_transmitted_total",
        "Number of packets not transmitted from the switch physical port",
        1.0,
    ),
    ("port_rcv_data", "port_data_received_bytes_total", "Number of data octets received on all links", WORD_BYTES),
    (
        "port_xmit_data",
        "port_data_transmitted_bytes_total",
        "Number of data octets transmitted on all links",
        WORD_BYTES,
    ),
    (
        "port_rcv_discards",
        "port_discards_received_total",
        "Number of inbound packets discarded by the port because the port is down or congested",
        1.0,
    ),
    (
        "port_xmit_discards",
        "port_discards_transmitted_total",
        "Number of outbound packets discarded by the port because the port is down or congested",
        1.0,
    ),
    (
        "port_rcv_errors",
        "port_errors_received_total",
        "Number of packets containing an error that were received on this port",
        1.0,
    ),
    (
        "port_rcv_packets",
        "port_packets_received_total",
        "Number of packets received on all VLs by this port (including errors)",
        1.0,
    ),
    (
        "port_xmit_packets",
        "port_packets_transmitted_total",
        "Number of packets transmitted on all VLs from this port (including errors)",
        1.0,
    ),
    (
        "port_xmit_wait",
        "port_transmit_wait_total",
        "Number of ticks during which the port had data to transmit but no data was sent during the entire tick",
        1.0,
    ),
    (
        "unicast_rcv_packets",
        "unicast_packets_received_total",
        "Number of unicast packets received (including errors)",
        1.0,
    ),
    (
        "unicast_xmit_packets",
        "unicast_packets_transmitted_total",
        "Number of unicast packets transmitted (including errors)",
        1.0,
    ),
    (
        "excessive_buffer_overrun_errors",
        "excessive_buffer_overrun_errors_total",
        "Number of times that OverrunErrors consecutive flow control update periods occurred, each having at least one \
         overrun error.",
        1.0,
    ),
    (
        "local_link_integrity_errors",
        "local_link_integrity_errors_total",
        "Number of times that the count of local physical errors exceeded the threshold specified by LocalPhyErrors.",
        1.0,
    ),
    (
        "port_rcv_remote_physical_errors",
        "port_receive_remote_physical_errors_total",
        "Number of packets marked with the EBP (End of Bad Packet) delimiter received on the port.",
        1.0,
    ),
    (
        "port_rcv_switch_relay_errors",
        "port_receive_switch_relay_errors_total",
        "Number of packets that could not be forwarded by the switch.",
        1.0,
    ),
    ("symbol_error", "symbol_error_total", "Number of minor link errors detected on one or more physical lanes.", 1.0),
    ("VL15_dropped", "vl15_dropped_total", "Number of incoming VL15 packets dropped due to resource limitations.", 1.0),
];

/// `counters_ext` of older kernels.
const LEGACY: [Counter; 8] = [
    (
        "port_multicast_rcv_packets",
        "legacy_multicast_packets_received_total",
        "Number of multicast packets received",
        1.0,
    ),
    (
        "port_multicast_xmit_packets",
        "legacy_multicast_packets_transmitted_total",
        "Number of multicast packets transmitted",
        1.0,
    ),
    ("port_rcv_data_64", "legacy_data_received_bytes_total", "Number of data octets received on all links", WORD_BYTES),
    ("port_rcv_packets_64", "legacy_packets_received_total", "Number of data packets received on all links", 1.0),
    ("port_unicast_rcv_packets", "legacy_unicast_packets_received_total", "Number of unicast packets received", 1.0),
    (
        "port_unicast_xmit_packets",
        "legacy_unicast_packets_transmitted_total",
        "Number of unicast packets transmitted",
        1.0,
    ),
    (
        "port_xmit_data_64",
        "legacy_data_transmitted_bytes_total",
        "Number of data octets transmitted on all links",
        WORD_BYTES,
    ),
    ("port_xmit_packets_64", "legacy_packets_transmitted_total", "Number of data packets received on all links", 1.0),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let devices = host.list(DIRECTORY)?;
    if devices.is_empty() {
        return Err(ProbeError::Absent(format!("{DIRECTORY} is empty")));
    }
    let mut folder = Folder::new(host, "infiniband", DIRECTORY);
    for device in &devices {
        folder.go(&format!("{DIRECTORY}/{device}"));
        say_info(sink, &mut folder, device);
        let ports = format!("{DIRECTORY}/{device}/ports");
        for port in host.names(&ports).unwrap_or_default().lines() {
            let path = format!("{ports}/{port}");
            let labels = [("device", device.as_str()), ("port", port)];
            folder.go(&path);
            say_state(sink, &mut folder, &labels);
            folder.go(&format!("{path}/counters"));
            say_counters(sink, &mut folder, &labels, &COUNTERS);
            folder.go(&format!("{path}/counters_ext"));
            say_counters(sink, &mut folder, &labels, &LEGACY);
        }
    }
    Ok(())
}

fn say_info(sink: &mut Sink<'_>, folder: &mut Folder<'_>, device: &str) {
    let mut fact = |file: &str| folder.fact(file).unwrap_or_default();
    let (board, firmware, kind) = (fact("board_id"), fact("fw_ver"), fact("hca_type"));
    sink.family(
        "node_infiniband_info",
        Kind::Gauge,
        "Non-numeric data from /sys/class/infiniband/<device>, value is always 1.",
    );
    let labels = [("device", device), ("board_id", &*board), ("firmware_version", &*firmware), ("hca_type", &*kind)];
    sink.sample(&labels, 1.0);
}

/// `4: ACTIVE`, `5: LinkUp` and `100 Gb/sec (4X EDR)`.
fn say_state(sink: &mut Sink<'_>, folder: &mut Folder<'_>, labels: &[(&str, &str)]) {
    if let Some(state) = folder.word(sink, "state").as_deref().and_then(number_of_state) {
        let help = "State of the InfiniBand port (0: no change, 1: down, 2: init, 3: armed, 4: active, 5: act defer)";
        gauge(sink, "node_infiniband_state_id", help, labels, state);
    }
    if let Some(state) = folder.word(sink, "phys_state").as_deref().and_then(number_of_state) {
        let help = "Physical state of the InfiniBand port (0: no change, 1: sleep, 2: polling, 3: disable, 4: shift, 5: \
                    link up, 6: link error recover, 7: phytest)";
        gauge(sink, "node_infiniband_physical_state_id", help, labels, state);
    }
    if let Some(rate) = folder.word(sink, "rate").as_deref().and_then(rate) {
        gauge(sink, "node_infiniband_rate_bytes_per_second", "Maximum signal transfer rate", labels, rate);
    }
}

fn number_of_state(text: &str) -> Option<f64> {
    let (number, _) = text.split_once(':')?;
    Some(number.trim().parse::<u32>().ok()?.into())
}

/// Bytes a second; whole ones, of a number of single precision, as in `node_exporter`.
fn rate(text: &str) -> Option<f64> {
    let (gigabits, _) = text.split_once(' ')?;
    let gigabits: f32 = gigabits.parse().ok()?;
    Some((f64::from(gigabits) * GIGABIT_BYTES).trunc()).filter(|rate| rate.is_finite() && *rate >= 0.0)
}

fn say_counters(sink: &mut Sink<'_>, folder: &mut Folder<'_>, labels: &[(&str, &str)], counters: &[Counter]) {
    let present = folder.names();
    for (file, name, help, factor) in counters {
        if !present.lines().any(|name| name == *file) {
            continue;
        }
        // A port without performance management says `N/A (no PMA)`.
        let Some(value) = folder.word(sink, file).as_deref().and_then(finite) else { continue };
        counter(sink, &format!("node_infiniband_{name}"), help, labels, value * factor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn a_rate_is_in_bytes_and_a_state_is_its_number() {
        assert_eq!(rate("100 Gb/sec (4X EDR)"), Some(12_500_000_000.0));
        assert_eq!(rate("2.5 Gb/sec (1X SDR)"), Some(312_500_000.0));
        for broken in ["", "fast", "100", "NaN Gb/sec", "inf Gb/sec", "-1 Gb/sec"] {
            assert_eq!(rate(broken), None, "{broken}");
        }
        assert_eq!(number_of_state("4: ACTIVE"), Some(4.0));
        for broken in ["", "ACTIVE", "x: ACTIVE", "-1: ACTIVE"] {
            assert_eq!(number_of_state(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_counter_that_is_not_there_or_fails_hides_no_other() {
        let port = "sys/class/infiniband/mlx5_0/ports/1";
        let machine = Machine::new(&[]);
        machine.put(&format!("{port}/state"), "ACTIVE");
        machine.put(&format!("{port}/rate"), "100 Gb/sec (4X EDR)");
        machine.put(&format!("{port}/counters/port_xmit_data"), "12\n");
        machine.put(&format!("{port}/counters/link_downed"), "N/A (no PMA)\n");
        machine.break_file(&format!("{port}/counters/port_rcv_data"));
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        assert_eq!(said.value(r#"node_infiniband_port_data_transmitted_bytes_total{device="mlx5_0",port="1"}"#), 48.0);
        assert_eq!(said.family("node_infiniband_info"), [1.0]);
        assert_eq!(said.series.len(), 3, "{said:?}");
        assert_eq!(said.noted(), [format!("infiniband/{port}/counters/port_rcv_data")]);
    }
}
