//! The kernel's load balancer, from `/proc/net/ip_vs_stats` and `/proc/net/ip_vs` (net/netfilter/ipvs/ip_vs_ctl.c).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::folder::{counter, gauge};
use super::{ProbeError, Sink, strange};
use crate::host::Host;

const TOTALS: [(&str, &str); 5] = [
    ("node_ipvs_connections_total", "The total number of connections made."),
    ("node_ipvs_incoming_packets_total", "The total number of incoming packets."),
    ("node_ipvs_outgoing_packets_total", "The total number of outgoing packets."),
    ("node_ipvs_incoming_bytes_total", "The total amount of incoming data."),
    ("node_ipvs_outgoing_bytes_total", "The total amount of outgoing data."),
];

/// Where a service listens: an address and a port, or a mark that the firewall sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Service {
    protocol: String,
    address: String,
    port: u16,
    mark: String,
}

/// A real server of a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Backend {
    service: Service,
    address: String,
    port: u16,
}

/// Weight, active and inactive connections.
type Load = [f64; 3];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, "/proc/net/ip_vs_stats", say_totals)?;
    sink.read(host, "/proc/net/ip_vs", |sink, text| {
        say_backends(sink, parse(text)?);
        Ok(())
    })
}

/// The third line holds the totals, hexadecimal, below two lines of headings.
fn say_totals(sink: &mut Sink<'_>, text: &str) -> Result<(), ProbeError> {
    let numbers = text.lines().nth(2).unwrap_or_default().split_ascii_whitespace();
    let numbers: Option<Vec<u64>> = numbers.map(|number| u64::from_str_radix(number, 16).ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.len() == TOTALS.len());
    let numbers = numbers.ok_or_else(|| strange("/proc/net/ip_vs_stats", "the third line is not 5 numbers"))?;
    for ((name, help), value) in TOTALS.iter().zip(numbers) {
        #[expect(clippy::cast_precision_loss, reason = "counters are shown as doubles, as Prometheus does")]
        counter(sink, name, help, &[], value as f64);
    }
    Ok(())
}

/// `TCP  0A000001:01BB wrr`, below it its servers: `  -> 0A000102:01BB      Route   5      17         4`.
fn parse(text: &str) -> Result<BTreeMap<Backend, Load>, ProbeError> {
    let mut backends: BTreeMap<Backend, Load> = BTreeMap::new();
    let mut service = Service::default();
    for line in text.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let broken = || strange("/proc/net/ip_vs", &format!("not understood: {line}"));
        match *fields {
            ["->", "RemoteAddress:Port", ..] => {}
            ["FWM", mark, ..] => {
                service = Service { protocol: "FWM".to_owned(), mark: mark.to_owned(), ..Service::default() };
            }
            [protocol @ ("TCP" | "UDP" | "SCTP"), endpoint, ..] => {
                let (address, port) = parse_endpoint(endpoint).ok_or_else(broken)?;
                service = Service { protocol: protocol.to_owned(), address, port, mark: String::new() };
            }
            ["->", server, _, weight, active, inactive, ..] => {
                let (address, port) = parse_endpoint(server).ok_or_else(broken)?;
                // A server that is there twice counts with both.
                let load = backends.entry(Backend { service: service.clone(), address, port }).or_default();
                for (sum, number) in load.iter_mut().zip([weight, active, inactive]) {
                    *sum += f64::from(number.parse::<u32>().map_err(|_| broken())?);
                }
            }
            _ => {}
        }
    }
    Ok(backends)
}

/// `0A000001:01BB` or `[2001:0db8:0000:0000:0000:0000:0000:0001]:01BB`.
fn parse_endpoint(text: &str) -> Option<(String, u16)> {
    let (address, port) = text.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address = match address.strip_prefix('[') {
        Some(rest) => IpAddr::V6(rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?).to_canonical(),
        None if address.len() == 8 => IpAddr::V4(Ipv4Addr::from_bits(u32::from_str_radix(address, 16).ok()?)),
        None => return None,
    };
    Some((address.to_string(), port))
}

fn say_backends(sink: &mut Sink<'_>, backends: BTreeMap<Backend, Load>) {
    for (Backend { service, address, port }, [weight, active, inactive]) in backends {
        let labels = [
            ("local_address", &*service.address),
            ("local_port", &*service.port.to_string()),
            ("remote_address", &*address),
            ("remote_port", &*port.to_string()),
            ("proto", &*service.protocol),
            ("local_mark", &*service.mark),
        ];
        let help = "The current active connections by local and remote address.";
        gauge(sink, "node_ipvs_backend_connections_active", help, &labels, active);
        let help = "The current inactive connections by local and remote address.";
        gauge(sink, "node_ipvs_backend_connections_inactive", help, &labels, inactive);
        let help = "The current backend weight by local and remote address.";
        gauge(sink, "node_ipvs_backend_weight", help, &labels, weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A000001:01BB wrr persistent 300
  -> 0A000102:01BB      Route   5      17         4
  -> 0A000102:01BB      Route   1      3          0
SCTP 0A000001:0B59 rr
  -> 0A000103:0B59      Masq    1      0          0
UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 rr
  -> [0000:0000:0000:0000:0000:ffff:0a00:0104]:0035      Masq    2      0          9
FWM  00000007 wlc
  -> 0A000105:0050      Tunnel  10     1          2
";

    #[test]
    fn each_server_of_each_service_is_found_and_duplicates_are_summed() {
        let found: Vec<String> = parse(TABLE)
            .unwrap()
            .into_iter()
            .map(|(Backend { service: s, address, port }, [weight, active, inactive])| {
                format!(
                    "{} {}:{} {} > {address}:{port} {weight} {active} {inactive}",
                    s.protocol, s.address, s.port, s.mark
                )
            })
            .collect();
        let expected = [
            "FWM :0 00000007 > 10.0.1.5:80 10 1 2",
            "SCTP 10.0.0.1:2905  > 10.0.1.3:2905 1 0 0",
            "TCP 10.0.0.1:443  > 10.0.1.2:443 6 20 4",
            "UDP 2001:db8::1:53  > 10.0.1.4:53 2 0 9",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_broken_table_fails_and_says_where() {
        for broken in ["TCP x:1", "TCP 0A0000:01BB rr", "-> 0A000102:01BB Route x 1 1", "-> 0A000102:01BB Route -1 1 1"]
        {
            let error = parse(&TABLE.replace("UDP  [2001", &format!("{broken}\nUDP  [2001"))).unwrap_err();
            assert!(error.to_string().contains("not understood"), "{error}");
        }
        assert!(parse("").unwrap().is_empty());
        assert_eq!(parse_endpoint("[zz]:01"), None);
        assert_eq!(parse_endpoint(""), None);
    }
}
