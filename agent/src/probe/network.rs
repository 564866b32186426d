//! Traffic of each interface, from one netlink dump or `/proc/net/dev`, and sockets in use.
//!
//! Of too many interfaces of one virtual kind only the sum is said, which grows and never falls.

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::rolled::{self, COUNTERS, Carried, Crowded};
use crate::host::{Counter, Host, Link};

/// Columns of `/proc/net/dev` as `node_exporter` names them, and what the kernel adds up for each
/// (net/core/net-procfs.c).
const COLUMNS: [(&str, &[Counter]); 16] = [
    ("receive_bytes", &[Counter::RxBytes]),
    ("receive_packets", &[Counter::RxPackets]),
    ("receive_errs", &[Counter::RxErrors]),
    ("receive_drop", &[Counter::RxDropped, Counter::RxMissedErrors]),
    ("receive_fifo", &[Counter::RxFifoErrors]),
    ("receive_frame", &[Counter::RxLengthErrors, Counter::RxOverErrors, Counter::RxCrcErrors, Counter::RxFrameErrors]),
    ("receive_compressed", &[Counter::RxCompressed]),
    ("receive_multicast", &[Counter::Multicast]),
    ("transmit_bytes", &[Counter::TxBytes]),
    ("transmit_packets", &[Counter::TxPackets]),
    ("transmit_errs", &[Counter::TxErrors]),
    ("transmit_drop", &[Counter::TxDropped]),
    ("transmit_fifo", &[Counter::TxFifoErrors]),
    ("transmit_colls", &[Counter::Collisions]),
    (
        "transmit_carrier",
        &[Counter::TxCarrierErrors, Counter::TxAbortedErrors, Counter::TxWindowErrors, Counter::TxHeartbeatErrors],
    ),
    ("transmit_compressed", &[Counter::TxCompressed]),
];
/// Said over netlink only.
const NOHANDLER: (&str, &[Counter]) = ("receive_nohandler", &[Counter::RxNohandler]);

pub(super) fn netdev(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let mut carried = host.carried();
    let visited = host.links(sink.now(), |link| match link.rolled_up {
        Some(kind) => carried.add(kind, u64::from(link.index), columns_of(link).map(Option::unwrap_or_default)),
        None => {
            let device = link.name();
            for (column, sum) in columns().zip(columns_of(link)) {
                if let Some(sum) = sum {
                    say_traffic(sink, column, &device, as_double(sum));
                }
            }
        }
    });
    // Where netlink may not be used, and in a capture, the file says nearly the same.
    if visited.is_err() {
        from_file(host, sink, &mut carried)?;
    }
    carried.settle();
    say_all_of_a_kind(sink, &carried);
    Ok(())
}

fn columns() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().chain([&NOHANDLER]).map(|(column, _)| *column)
}

fn columns_of(link: &Link<'_>) -> [Option<u64>; COUNTERS] {
    let mut sums = [None; COUNTERS];
    for (place, (_, counters)) in sums.iter_mut().zip(COLUMNS.iter().chain([&NOHANDLER])) {
        *place = counters.iter().try_fold(0_u64, |sum, counter| Some(sum.wrapping_add(link.counter(*counter)?)));
    }
    sums
}

fn say_all_of_a_kind(sink: &mut Sink<'_>, carried: &Carried<COUNTERS>) {
    for (kind, sums) in carried.sums() {
        let all = rolled::name_of_all(kind);
        columns().zip(sums).for_each(|(column, sum)| say_traffic(sink, column, &all, as_double(*sum)));
    }
}

fn from_file(host: &Host, sink: &mut Sink<'_>, carried: &mut Carried<COUNTERS>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/net/dev";
    sink.read(host, PATH, |sink, text| {
        // Two lines of headings; an interface name may itself hold a colon (an alias), so the last one counts.
        let lines = || text.lines().skip(2).map(|line| line.rsplit_once(':'));
        let mut crowded = Crowded::default();
        let names = lines().flatten().map(|(device, _)| device.trim());
        names.filter_map(rolled::kind_of_name).for_each(|kind| crowded.count(kind));
        crowded.decide(host.crowding().interfaces_per_kind);
        for line in lines() {
            let (device, fields) = line.ok_or_else(|| strange(PATH, "a line without a colon"))?;
            let device = device.trim();
            let fields = fields.split_ascii_whitespace();
            if let Some(kind) = rolled::kind_of_name(device).filter(|kind| crowded.holds(kind)) {
                let mut counters = [0; COUNTERS];
                counters.iter_mut().zip(fields).for_each(|(place, field)| *place = field.parse().unwrap_or(0));
                carried.add(kind, rolled::id_of(device), counters);
                continue;
            }
            for ((column, _), field) in COLUMNS.iter().zip(fields) {
                say_traffic(sink, column, device, parse_number(field).unwrap_or(0.0));
            }
        }
        Ok(())
    })
}

fn say_traffic(sink: &mut Sink<'_>, column: &str, device: &str, value: f64) {
    let (name, help) = (["node_network_", column, "_total"], ["Network device statistic ", column, "."]);
    sink.spelled(&name, Kind::Counter, &help);
    sink.sample(&[("device", device)], value);
}

#[expect(clippy::cast_precision_loss, reason = "kernel counters are shown as doubles, as Prometheus does")]
fn as_double(counter: u64) -> f64 {
    counter as f64
}

pub(super) fn sockstat(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    #[expect(clippy::cast_precision_loss, reason = "a page has fewer than 2^53 bytes")]
    let page_bytes = host.page_bytes() as f64;
    sink.read_record(host, "/proc/net/sockstat", |sink, text| {
        say_sockets(sink, text, page_bytes);
        Ok(())
    })?;
    match sink.read_record(host, "/proc/net/sockstat6", |sink, text| {
        say_sockets(sink, text, page_bytes);
        Ok(())
    }) {
        // A kernel without IPv6.
        Err(ProbeError::Absent(_)) => Ok(()),
        other => other,
    }
}

fn say_sockets(sink: &mut Sink<'_>, text: &str, page_bytes: f64) {
    let mut say = |protocol: &str, state: &str, value: f64| {
        let name = ["node_sockstat_", protocol, "_", state];
        if protocol == "sockets" {
            sink.spelled(&name, Kind::Gauge, &["Number of IPv4 sockets in use."]);
        } else {
            sink.spelled(&name, Kind::Gauge, &["Number of ", protocol, " sockets in state ", state, "."]);
        }
        sink.sample(&[], value);
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
