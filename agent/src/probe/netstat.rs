//! Counters of the network protocols, from `/proc/net/netstat`, `/proc/net/snmp` and `/proc/net/snmp6`.

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    for path in ["/proc/net/netstat", "/proc/net/snmp"] {
        sink.read_record(host, path, |sink, text| say_pairs(sink, path, text))?;
    }
    match sink.read_record(host, "/proc/net/snmp6", say_lines) {
        // A kernel without IPv6.
        Err(ProbeError::Absent(_)) => Ok(()),
        other => other,
    }
}

/// Two lines per protocol: its fields, then their values (`snmp_seq_show`, net/ipv4/proc.c).
fn say_pairs(sink: &mut Sink<'_>, path: &str, text: &str) -> Result<(), ProbeError> {
    let mut lines = text.lines();
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        let (protocol, names) = names.split_once(':').ok_or_else(|| strange(path, "a line without a colon"))?;
        let (_, values) = values.split_once(':').ok_or_else(|| strange(path, "a line without a colon"))?;
        let (mut names, mut values) = (names.split_ascii_whitespace(), values.split_ascii_whitespace());
        loop {
            match (names.next(), values.next()) {
                (Some(name), Some(value)) => say(sink, path, protocol, name, value)?,
                (None, None) => break,
                _ => return Err(strange(path, "not as many values as fields")),
            }
        }
    }
    Ok(())
}

/// One line per field, `Udp6InDatagrams  12` (`snmp6_seq_show`, net/ipv6/proc.c).
fn say_lines(sink: &mut Sink<'_>, text: &str) -> Result<(), ProbeError> {
    for line in text.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(name), Some(value)) = (fields.next(), fields.next()) else { continue };
        let Some(six) = name.find('6') else { continue };
        let (protocol, name) = name.split_at(six + 1);
        say(sink, "/proc/net/snmp6", protocol, name, value)?;
    }
    Ok(())
}

fn say(sink: &mut Sink<'_>, path: &str, protocol: &str, field: &str, value: &str) -> Result<(), ProbeError> {
    if !wanted(protocol, field) {
        return Ok(());
    }
    let value = parse_number(value).ok_or_else(|| strange(path, "a value that is no number"))?;
    let (name, help) = (["node_netstat_", protocol, "_", field], ["Statistic ", protocol, field, "."]);
    sink.spelled(&name, Kind::Untyped, &help);
    sink.sample(&[], value);
    Ok(())
}

/// `node_exporter`'s default `--collector.netstat.fields` (1.12; 1.5.0 lacks `TCPOFOQueue` and `TCPRcvQDrop`), and
/// `Tcp_MaxConn`, which dashboards ask for although it is not among them:
/// `^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|`
/// `TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|`
/// `OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$`.
fn wanted(protocol: &str, field: &str) -> bool {
    if matches!(field, "InErrors" | "InErrs") {
        return true;
    }
    match protocol {
        "Ip" => field == "Forwarding",
        "Ip6" | "IpExt" => matches!(field, "InOctets" | "OutOctets"),
        "Icmp" | "Icmp6" => matches!(field, "InMsgs" | "OutMsgs"),
        "TcpExt" => {
            field.starts_with("Listen")
                || field.starts_with("Syncookies")
                || matches!(field, "TCPSynRetrans" | "TCPTimeouts" | "TCPOFOQueue" | "TCPRcvQDrop")
        }
        "Tcp" => matches!(
            field,
            "ActiveOpens" | "InSegs" | "OutSegs" | "OutRsts" | "PassiveOpens" | "RetransSegs" | "CurrEstab" | "MaxConn"
        ),
        "Udp" | "Udp6" => {
            matches!(field, "InDatagrams" | "OutDatagrams" | "NoPorts" | "RcvbufErrors" | "SndbufErrors")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{failure, said};
    use super::*;

    const NETSTAT: &str = "TcpExt: SyncookiesSent EmbryonicRsts ListenDrops TCPOFOQueue\n\
                           TcpExt: 3 4 5 6\n\
                           IpExt: InNoRoutes InOctets\n\
                           IpExt: 1 18446744073709551615\n";
    const SNMP: &str = "Ip: Forwarding DefaultTTL\nIp: 2 64\nTcp: MaxConn InErrs RtoMin\nTcp: -1 7 200\n";
    const SNMP6: &str = "Ip6InReceives 9\nUdp6InErrors \t 8\nUdpLite6InErrors 1\nnonsense\nIcmp6OutMsgs 2\n";

    #[test]
    fn the_fields_of_the_default_filter_are_said() {
        let files = [("proc/net/netstat", NETSTAT), ("proc/net/snmp", SNMP), ("proc/net/snmp6", SNMP6)];
        assert_eq!(
            said(read, &files),
            [
                "node_netstat_TcpExt_SyncookiesSent 3",
                "node_netstat_TcpExt_ListenDrops 5",
                "node_netstat_TcpExt_TCPOFOQueue 6",
                "node_netstat_IpExt_InOctets 18446744073709552000",
                "node_netstat_Ip_Forwarding 2",
                "node_netstat_Tcp_MaxConn -1",
                "node_netstat_Tcp_InErrs 7",
                "node_netstat_Udp6_InErrors 8",
                "node_netstat_UdpLite6_InErrors 1",
                "node_netstat_Icmp6_OutMsgs 2",
            ]
        );
    }

    #[test]
    fn a_kernel_without_ipv6_says_the_rest() {
        let said = said(read, &[("proc/net/netstat", ""), ("proc/net/snmp", SNMP)]);
        assert_eq!(said.len(), 3, "{said:?}");
    }

    #[test]
    fn lines_that_do_not_match_fail_the_whole_source() {
        for (text, why) in [
            ("Tcp: InErrs OutRsts\nTcp: 1\n", "not as many values as fields"),
            ("Tcp: InErrs\nTcp: 1 2\n", "not as many values as fields"),
            ("Tcp: InErrs\nTcp: many\n", "a value that is no number"),
            ("Tcp InErrs\nTcp: 1\n", "a line without a colon"),
        ] {
            let told = failure(read, &[("proc/net/netstat", ""), ("proc/net/snmp", text)]);
            assert_eq!(told, format!("/proc/net/snmp: {why}"));
        }
    }
}
