//! NFS: calls made as a client, from `/proc/net/rpc/nfs`, and answered as a server, from `/proc/net/rpc/nfsd`
//! (net/sunrpc/stats.c, fs/nfsd/stats.c). Lines that are not known are of newer kernels and passed over.

mod procedure;

use super::folder::counter;
use super::{Kind, ProbeError, Sink, strange};
use crate::host::Host;

const CLIENT: &str = "/proc/net/rpc/nfs";
const SERVER: &str = "/proc/net/rpc/nfsd";

/// A figure of the server: line, column, type, family, help.
type Figure = (&'static str, usize, Kind, &'static str, &'static str);

const OF_SERVER: [Figure; 9] = [
    (
        "rc",
        0,
        Kind::Counter,
        "node_nfsd_reply_cache_hits_total",
        "Total number of NFSd Reply Cache hits (client lost server response).",
    ),
    (
        "rc",
        1,
        Kind::Counter,
        "node_nfsd_reply_cache_misses_total",
        "Total number of NFSd Reply Cache an operation that requires caching (idempotent).",
    ),
    (
        "rc",
        2,
        Kind::Counter,
        "node_nfsd_reply_cache_nocache_total",
        "Total number of NFSd Reply Cache non-idempotent operations (rename/delete/…).",
    ),
    ("fh", 0, Kind::Counter, "node_nfsd_file_handles_stale_total", "Total number of NFSd stale file handles"),
    ("io", 0, Kind::Counter, "node_nfsd_disk_bytes_read_total", "Total NFSd bytes read."),
    ("io", 1, Kind::Counter, "node_nfsd_disk_bytes_written_total", "Total NFSd bytes written."),
    ("th", 0, Kind::Gauge, "node_nfsd_server_threads", "Total number of NFSd kernel threads that are running."),
    ("ra", 0, Kind::Gauge, "node_nfsd_read_ahead_cache_size_blocks", "How large the read ahead cache is in blocks."),
    (
        "ra",
        11,
        Kind::Counter,
        "node_nfsd_read_ahead_cache_not_found_total",
        "Total number of NFSd read ahead cache not found.",
    ),
];

/// A file of lines `key number ...`.
struct Table<'a> {
    path: &'static str,
    text: &'a str,
}

impl Table<'_> {
    /// The number in a column of the line `key`; 0 where this kernel has no such line, as in `node_exporter`.
    fn number(&self, key: &str, column: usize) -> Result<f64, ProbeError> {
        let Some(line) = self.text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')) else {
            return Ok(0.0);
        };
        let field = line.split_ascii_whitespace().nth(column);
        let number = field.and_then(|field| field.parse::<u64>().ok());
        #[expect(clippy::cast_precision_loss, reason = "counters are shown as doubles, as Prometheus does")]
        number.map(|number| number as f64).ok_or_else(|| strange(self.path, &format!("{key} has too few numbers")))
    }

    /// The calls of each procedure: the line says how many numbers follow; those of newer kernels have no name here.
    fn say_procedures(
        &self,
        sink: &mut Sink<'_>,
        (name, help): (&str, &str),
        (key, version, methods, at_least): (&str, &str, &[&str], usize),
    ) -> Result<(), ProbeError> {
        let line = self.text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        let fields = line.unwrap_or_default().split_ascii_whitespace().map(|field| field.parse::<u64>().ok());
        let counts: Vec<u64> = fields
            .collect::<Option<_>>()
            .filter(|fields: &Vec<u64>| line.is_none() || says_its_length(fields, at_least))
            .ok_or_else(|| strange(self.path, &format!("{key} is not as many numbers as it says")))?;
        for (method, place) in methods.iter().zip(1..).filter(|(method, _)| !method.is_empty()) {
            let count = counts.get(place).copied().unwrap_or(0);
            #[expect(clippy::cast_precision_loss, reason = "counters are shown as doubles, as Prometheus does")]
            counter(sink, name, help, &[("proto", version), ("method", method)], count as f64);
        }
        Ok(())
    }
}

fn says_its_length(fields: &[u64], at_least: usize) -> bool {
    fields.split_first().is_some_and(|(said, rest)| *said == rest.len() as u64 && rest.len() >= at_least)
}

pub(super) fn client(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, CLIENT, |sink, text| {
        let table = Table { path: CLIENT, text };
        let help = "Total NFSd network packets (sent+received) by protocol type.";
        counter(sink, "node_nfs_packets_total", help, &[("protocol", "udp")], table.number("net", 1)?);
        counter(sink, "node_nfs_packets_total", help, &[("protocol", "tcp")], table.number("net", 2)?);
        let help = "Total number of NFSd TCP connections.";
        counter(sink, "node_nfs_connections_total", help, &[], table.number("net", 3)?);
        let help = "Total number of RPCs performed.";
        counter(sink, "node_nfs_rpcs_total", help, &[], table.number("rpc", 0)?);
        let help = "Number of RPC transmissions performed.";
        counter(sink, "node_nfs_rpc_retransmissions_total", help, &[], table.number("rpc", 1)?);
        let help = "Number of RPC authentication refreshes performed.";
        counter(sink, "node_nfs_rpc_authentication_refreshes_total", help, &[], table.number("rpc", 2)?);
        let family = ("node_nfs_requests_total", "Number of NFS procedures invoked.");
        table.say_procedures(sink, family, ("proc2", "2", &procedure::V2, 18))?;
        table.say_procedures(sink, family, ("proc3", "3", &procedure::V3, 22))?;
        table.say_procedures(sink, family, ("proc4", "4", &procedure::V4_CLIENT, 0))
    })
}

pub(super) fn server(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, SERVER, |sink, text| {
        let table = Table { path: SERVER, text };
        for (key, column, kind, name, help) in OF_SERVER {
            sink.single(name, kind, help, table.number(key, column)?);
        }
        let help = "Total NFSd network packets (sent+received) by protocol type.";
        counter(sink, "node_nfsd_packets_total", help, &[("proto", "udp")], table.number("net", 1)?);
        counter(sink, "node_nfsd_packets_total", help, &[("proto", "tcp")], table.number("net", 2)?);
        let help = "Total number of NFSd TCP connections.";
        counter(sink, "node_nfsd_connections_total", help, &[], table.number("net", 3)?);
        let help = "Total number of NFSd RPC errors by error type.";
        for (error, column) in [("fmt", 2), ("auth", 3), ("cInt", 4)] {
            counter(sink, "node_nfsd_rpc_errors_total", help, &[("error", error)], table.number("rpc", column)?);
        }
        let help = "Total number of NFSd RPCs.";
        counter(sink, "node_nfsd_server_rpcs_total", help, &[], table.number("rpc", 0)?);
        let family = ("node_nfsd_requests_total", "Total number NFSd Requests by method and protocol.");
        // The server is not asked for what does nothing.
        let without_null = |methods: &[&'static str]| -> Vec<&'static str> {
            methods.iter().map(|method| if *method == "Null" { "" } else { *method }).collect()
        };
        table.say_procedures(sink, family, ("proc2", "2", &without_null(&procedure::V2), 18))?;
        table.say_procedures(sink, family, ("proc3", "3", &without_null(&procedure::V3), 22))?;
        table.say_procedures(sink, family, ("proc4ops", "4", &procedure::V4_SERVER, 39))
    })
}

#[cfg(test)]
mod tests;
