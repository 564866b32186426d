//! Traffic of each interface from `/proc/net/dev`, and sockets in use.

use std::fmt::Write;

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

/// Columns of `/proc/net/dev` (net/core/net-procfs.c) as `node_exporter` names them.
const COLUMNS: [(&str, &str); 16] = [
    ("node_network_receive_bytes_total", "Network device statistic receive_bytes."),
    ("node_network_receive_packets_total", "Network device statistic receive_packets."),
    ("node_network_receive_errs_total", "Network device statistic receive_errs."),
    ("node_network_receive_drop_total", "Network device statistic receive_drop."),
    ("node_network_receive_fifo_total", "Network device statistic receive_fifo."),
    ("node_network_receive_frame_total", "Network device statistic receive_frame."),
    ("node_network_receive_compressed_total", "Network device statistic receive_compressed."),
    ("node_network_receive_multicast_total", "Network device statistic receive_multicast."),
    ("node_network_transmit_bytes_total", "Network device statistic transmit_bytes."),
    ("node_network_transmit_packets_total", "Network device statistic transmit_packets."),
    ("node_network_transmit_errs_total", "Network device statistic transmit_errs."),
    ("node_network_transmit_drop_total", "Network device statistic transmit_drop."),
    ("node_network_transmit_fifo_total", "Network device statistic transmit_fifo."),
    ("node_network_transmit_colls_total", "Network device statistic transmit_colls."),
    ("node_network_transmit_carrier_total", "Network device statistic transmit_carrier."),
    ("node_network_transmit_compressed_total", "Network device statistic transmit_compressed."),
];

pub(super) fn netdev(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/net/dev";
    sink.read(host, PATH, |sink, text| {
        // Two lines of headings; an interface name may itself hold a colon (an alias), so the last one counts.
        for line in text.lines().skip(2) {
            let (device, fields) = line.rsplit_once(':').ok_or_else(|| strange(PATH, "a line without a colon"))?;
            let device = device.trim();
            for ((name, help), field) in COLUMNS.iter().zip(fields.split_ascii_whitespace()) {
                sink.family(name, Kind::Counter, help);
                sink.sample(&[("device", device)], parse_number(field).unwrap_or(0.0));
            }
        }
        Ok(())
    })
}

pub(super) fn sockstat(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    #[expect(clippy::cast_precision_loss, reason = "a page has fewer than 2^53 bytes")]
    let page_bytes = host.page_bytes() as f64;
    sink.read(host, "/proc/net/sockstat", |sink, text| {
        say_sockets(sink, text, page_bytes);
        Ok(())
    })?;
    match sink.read(host, "/proc/net/sockstat6", |sink, text| {
        say_sockets(sink, text, page_bytes);
        Ok(())
    }) {
        // A kernel without IPv6.
        Err(ProbeError::Absent(_)) => Ok(()),
        other => other,
    }
}

fn say_sockets(sink: &mut Sink<'_>, text: &str, page_bytes: f64) {
    let (mut name, mut help) = (String::new(), String::new());
    let mut say = |protocol: &str, state: &str, value: f64| {
        name.clear();
        help.clear();
        // Writing to a String cannot fail.
        let _ = write!(name, "node_sockstat_{protocol}_{state}");
        let _ = match protocol {
            "sockets" => write!(help, "Number of IPv4 sockets in use."),
            _ => write!(help, "Number of {protocol} sockets in state {state}."),
        };
        sink.single(&name, Kind::Gauge, &help, value);
    };
    for line in text.lines() {
        let Some((protocol, fields)) = line.split_once(": ") else { continue };
        let mut fields = fields.split_ascii_whitespace();
        while let (Some(state), Some(value)) = (fields.next(), fields.next().and_then(parse_number)) {
            say(protocol, state, value);
            if state == "mem" {
                say(protocol, "mem_bytes", value * page_bytes);
            }
        }
    }
}
