//! Fibre Channel host ports, from `/sys/class/fc_host`. Once a minute: for each counter the driver asks the adapter
//! anew for all of them (drivers/scsi/scsi_transport_fc.c, `fc_stat_show`).

use super::folder::{Folder, counter, finite, gauge};
use super::{ProbeError, Sink};
use crate::host::Host;

const DIRECTORY: &str = "/sys/class/fc_host";
/// What a driver says of a counter that it does not have: -1.
#[expect(clippy::cast_precision_loss, reason = "compared with what was rounded alike")]
const NOT_COUNTED: f64 = u64::MAX as f64;

/// File, family, help.
const COUNTERS: [(&str, &str, &str); 14] = [
    ("dumped_frames", "node_fibrechannel_dumped_frames_total", "Number of dumped frames"),
    ("error_frames", "node_fibrechannel_error_frames_total", "Number of errors in frames"),
    ("fcp_packet_aborts", "node_fibrechannel_fcp_packet_aborts_total", "Number of aborted packets"),
    ("invalid_crc_count", "node_fibrechannel_invalid_crc_total", "Invalid Cyclic Redundancy Check count"),
    (
        "invalid_tx_word_count",
        "node_fibrechannel_invalid_tx_words_total",
        "Number of invalid words transmitted by host port",
    ),
    ("link_failure_count", "node_fibrechannel_link_failure_total", "Number of times the host port link has failed"),
    ("loss_of_signal_count", "node_fibrechannel_loss_of_signal_total", "Number of times signal has been lost"),
    (
        "loss_of_sync_count",
        "node_fibrechannel_loss_of_sync_total",
        "Number of failures on either bit or transmission word boundaries",
    ),
    ("nos_count", "node_fibrechannel_nos_total", "Number Not_Operational Primitive Sequence received by host port"),
    ("rx_frames", "node_fibrechannel_rx_frames_total", "Number of frames received"),
    ("rx_words", "node_fibrechannel_rx_words_total", "Number of words received by host port"),
    (
        "seconds_since_last_reset",
        "node_fibrechannel_seconds_since_last_reset_total",
        "Number of seconds since last host port reset",
    ),
    ("tx_frames", "node_fibrechannel_tx_frames_total", "Number of frames transmitted by host port"),
    ("tx_words", "node_fibrechannel_tx_words_total", "Number of words transmitted by host port"),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let ports = host.list(DIRECTORY)?;
    if ports.is_empty() {
        return Err(ProbeError::Absent(format!("{DIRECTORY} is empty")));
    }
    let mut folder = Folder::new(host, "fibrechannel", DIRECTORY);
    for port in &ports {
        folder.go(&format!("{DIRECTORY}/{port}"));
        say_info(sink, &mut folder, port);
        folder.go(&format!("{DIRECTORY}/{port}/statistics"));
        for (file, name, help) in COUNTERS {
            // A counter that the driver does not offer at all is 0 in `node_exporter`.
            let value = folder.word(sink, file).map_or(Some(0.0), |text| finite(&text));
            if let Some(value) = value.filter(|value| *value != NOT_COUNTED) {
                counter(sink, name, help, &[("fc_host", port)], value);
            }
        }
    }
    Ok(())
}

fn say_info(sink: &mut Sink<'_>, folder: &mut Folder<'_>, port: &str) {
    let mut word = |file: &str| folder.word(sink, file).unwrap_or_default();
    let (speed, state, kind) = (word("speed"), word("port_state"), word("port_type"));
    let (id, fabric, symbol) = (word("port_id"), word("fabric_name"), word("symbolic_name"));
    let mut fact = |file: &str| folder.fact(file).unwrap_or_default();
    let (name, classes, speeds) = (fact("port_name"), fact("supported_classes"), fact("supported_speeds"));
    let patience = fact("dev_loss_tmo");
    let labels = [
        ("fc_host", port),
        ("speed", &*speed),
        ("port_state", &*state),
        ("port_type", &*kind),
        ("port_id", digits(&id)),
        ("port_name", digits(&name)),
        ("fabric_name", digits(&fabric)),
        ("symbolic_name", &*symbol),
        ("supported_classes", &*classes),
        ("supported_speeds", &*speeds),
        ("dev_loss_tmo", &*patience),
    ];
    let help = "Non-numeric data from /sys/class/fc_host/<host>, value is always 1.";
    gauge(sink, "node_fibrechannel_info", help, &labels, 1.0);
}

/// A world wide name without its `0x`.
fn digits(text: &str) -> &str {
    if text.len() > 2 { text.get(2..).unwrap_or(text) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn what_an_adapter_does_not_count_is_not_said_and_what_it_does_not_offer_is_zero() {
        let port = "sys/class/fc_host/host5";
        let machine = Machine::new(&[]);
        for (file, text) in [
            ("port_id", "0x0a0f00\n"),
            ("fabric_name", "0"),
            ("speed", "16 Gbit"),
            ("statistics/rx_frames", "0x10\n"),
            ("statistics/tx_frames", "0xffffffffffffffff\n"),
            ("statistics/nos_count", "many"),
        ] {
            machine.put(&format!("{port}/{file}"), text);
        }
        machine.break_file(&format!("{port}/statistics/tx_words"));
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        assert_eq!(said.value(r#"node_fibrechannel_rx_frames_total{fc_host="host5"}"#), 16.0);
        assert_eq!(said.value(r#"node_fibrechannel_rx_words_total{fc_host="host5"}"#), 0.0);
        assert!(said.family("node_fibrechannel_tx_frames_total").is_empty());
        assert!(said.family("node_fibrechannel_nos_total").is_empty());
        assert_eq!(said.noted(), [format!("fibrechannel/{port}/statistics/tx_words")]);
        let info = said.series.keys().find(|series| series.starts_with("node_fibrechannel_info")).unwrap();
        assert!(info.contains(r#"fabric_name="0""#) && info.contains(r#"port_id="0a0f00""#), "{info}");
    }

    #[test]
    fn a_name_loses_its_prefix_and_nothing_else() {
        for (text, expected) in [("0x10", "10"), ("0x", "0x"), ("", ""), ("a€b", "a€b")] {
            assert_eq!(digits(text), expected);
        }
    }
}
