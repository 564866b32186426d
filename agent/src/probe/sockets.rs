//! TCP connections by state, and what waits in the queues of TCP and UDP sockets.

use super::{Kind, ProbeError, Sink, strange};
use crate::host::{Host, TcpSocket};

/// `node_exporter`'s names of TCP_* (include/net/tcp_states.h), from 1 on.
const STATES: [&str; 11] = [
    "established",
    "syn_sent",
    "syn_recv",
    "fin_wait1",
    "fin_wait2",
    "time_wait",
    "close",
    "close_wait",
    "last_ack",
    "listen",
    "closing",
];

/// Sockets by state, and the bytes in their queues.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    by_state: [u64; STATES.len() + 1],
    received: u64,
    sent: u64,
}

impl Tally {
    fn add(&mut self, state: u8, received: u64, sent: u64) {
        // States that nobody has named yet are counted at 0: "unknown".
        let state = if usize::from(state) <= STATES.len() { usize::from(state) } else { 0 };
        self.by_state[state] += 1;
        self.received = self.received.saturating_add(received);
        self.sent = self.sent.saturating_add(sent);
    }

    /// A line of `/proc/net/{tcp,udp}{,6}`: `sl: local remote st tx:rx ...` (net/ipv4/tcp_ipv4.c), numbers hexadecimal.
    fn add_line(&mut self, line: &str) -> Option<()> {
        let mut fields = line.split_ascii_whitespace().skip(3);
        let state = u8::from_str_radix(fields.next()?, 16).ok()?;
        let (sent, received) = fields.next()?.split_once(':')?;
        self.add(state, u64::from_str_radix(received, 16).ok()?, u64::from_str_radix(sent, 16).ok()?);
        Some(())
    }

    /// Line by line, since a busy server has a hundred thousand.
    fn add_file(&mut self, host: &Host, path: &str) -> Result<(), ProbeError> {
        let mut well = true;
        let mut heading = true;
        host.each_line(path, |line| {
            if !std::mem::take(&mut heading) {
                well = line.trim().is_empty() || self.add_line(line).is_some();
            }
            well
        })?;
        if well { Ok(()) } else { Err(strange(path, "a line without state and queues")) }
    }
}

/// One walk over the kernel's table of sockets, empty places included: some milliseconds where the table is large.
pub(super) fn tcp(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let mut tally = Tally::default();
    let diagnosed = host.tcp_sockets(|TcpSocket { state, receive_queue, send_queue }| {
        tally.add(state, receive_queue.into(), send_queue.into());
    });
    if diagnosed.is_err() {
        tally = Tally::default();
        tally.add_file(host, "/proc/net/tcp")?;
        without_ipv6(tally.add_file(host, "/proc/net/tcp6"))?;
    }
    sink.family("node_tcp_connection_states", Kind::Gauge, "Number of connection states.");
    // `node_exporter` leaves out states that no socket is in; here they are 0, so that series do not come and go.
    let [unknown, known @ ..] = tally.by_state;
    for (name, count) in STATES.iter().zip(known).chain((unknown > 0).then_some((&"unknown", unknown))) {
        sink.sample(&[("state", name)], as_double(count));
    }
    sink.sample(&[("state", "rx_queued_bytes")], as_double(tally.received));
    sink.sample(&[("state", "tx_queued_bytes")], as_double(tally.sent));
    Ok(())
}

pub(super) fn udp(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    say_udp(host, sink, "/proc/net/udp", "v4")?;
    without_ipv6(say_udp(host, sink, "/proc/net/udp6", "v6"))
}

fn say_udp(host: &Host, sink: &mut Sink<'_>, path: &str, version: &str) -> Result<(), ProbeError> {
    let tally = sink.read(host, path, |_, text| {
        let mut tally = Tally::default();
        let told = text.lines().skip(1).try_for_each(|line| tally.add_line(line));
        told.map(|()| tally).ok_or_else(|| strange(path, "a line without state and queues"))
    })?;
    let help = "Number of allocated memory in the kernel for UDP datagrams in bytes.";
    sink.family("node_udp_queues", Kind::Gauge, help);
    sink.sample(&[("queue", "tx"), ("ip", version)], as_double(tally.sent));
    sink.sample(&[("queue", "rx"), ("ip", version)], as_double(tally.received));
    Ok(())
}

fn without_ipv6(outcome: Result<(), ProbeError>) -> Result<(), ProbeError> {
    if matches!(outcome, Err(ProbeError::Absent(_))) { Ok(()) } else { outcome }
}

#[expect(clippy::cast_precision_loss, reason = "shown as doubles, as Prometheus does")]
fn as_double(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::{failure, is_absent, said};
    use super::*;

    const HEADING: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";

    fn line(state: &str, queues: &str) -> String {
        format!("   0: 0100007F:1D27 00000000:0000 {state} {queues} 00:00000000 00000000     0        0 1234 1\n")
    }

    #[test]
    fn tcp_sockets_of_both_families_are_counted_by_state() {
        let four = format!("{HEADING}{}{}", line("0A", "00000000:00000002"), line("01", "00000010:00000100"));
        let six = format!("{HEADING}{}{}", line("01", "00000001:00000000"), line("0C", "00000000:00000000"));
        let lines = said(tcp, &[("proc/net/tcp", &four), ("proc/net/tcp6", &six)]);
        let (zeros, counts): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.ends_with(" 0"));
        assert_eq!(
            counts,
            [
                "node_tcp_connection_states{state=\"established\"} 2",
                "node_tcp_connection_states{state=\"listen\"} 1",
                "node_tcp_connection_states{state=\"unknown\"} 1",
                "node_tcp_connection_states{state=\"rx_queued_bytes\"} 258",
                "node_tcp_connection_states{state=\"tx_queued_bytes\"} 17",
            ]
        );
        assert_eq!(zeros.len(), 9, "every other state that has a name: {zeros:?}");
    }

    #[test]
    fn a_hundred_thousand_sockets_are_read_line_by_line() {
        let mut text = HEADING.to_owned();
        (0..100_000).for_each(|_| text.push_str(&line("06", "00000000:00000000")));
        let said = said(tcp, &[("proc/net/tcp", &text)]);
        assert!(said.contains(&"node_tcp_connection_states{state=\"time_wait\"} 100000".to_owned()), "{said:?}");
    }

    #[test]
    fn udp_queues_are_added_up_per_family() {
        let four = format!("{HEADING}{}{}", line("07", "00000001:0000FFFF"), line("07", "00000001:00000001"));
        assert_eq!(
            said(udp, &[("proc/net/udp", &four), ("proc/net/udp6", HEADING)]),
            [
                "node_udp_queues{queue=\"tx\",ip=\"v4\"} 2",
                "node_udp_queues{queue=\"rx\",ip=\"v4\"} 65536",
                "node_udp_queues{queue=\"tx\",ip=\"v6\"} 0",
                "node_udp_queues{queue=\"rx\",ip=\"v6\"} 0",
            ]
        );
        assert_eq!(said(udp, &[("proc/net/udp", HEADING)]).len(), 2, "a kernel without IPv6");
        assert!(is_absent(udp, &[]) && is_absent(tcp, &[]));
    }

    #[test]
    fn queues_beyond_all_bounds_are_no_harm() {
        let text = format!("{HEADING}{0}{0}", line("07", "FFFFFFFFFFFFFFFF:00000001"));
        let said = said(udp, &[("proc/net/udp", &text)]);
        assert_eq!(said[0], "node_udp_queues{queue=\"tx\",ip=\"v4\"} 18446744073709552000");
    }

    #[test]
    fn a_line_that_is_none_fails_the_source() {
        for broken in ["   0: 0100007F:1D27\n", &line("01", "00000010"), &line("xx", "0:0"), &line("01", "0:x")] {
            let text = format!("{HEADING}{broken}");
            assert_eq!(failure(udp, &[("proc/net/udp", &text)]), "/proc/net/udp: a line without state and queues");
            assert_eq!(failure(tcp, &[("proc/net/tcp", &text)]), "/proc/net/tcp: a line without state and queues");
        }
    }
}
