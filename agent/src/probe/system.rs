//! Time, load, kernel counters, file descriptors, uname: one figure or one line each.

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

pub(super) fn time(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit into 53 bits")]
    let seconds = sink.now().wall_ms as f64 / 1000.0;
    sink.single("node_time_seconds", Kind::Gauge, "System time in seconds since epoch (1970).", seconds);
    Ok(())
}

pub(super) fn load(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/loadavg";
    sink.read(host, PATH, |sink, text| {
        let mut fields = text.split_ascii_whitespace();
        for (name, help) in [
            ("node_load1", "1m load average."),
            ("node_load5", "5m load average."),
            ("node_load15", "15m load average."),
        ] {
            let value = fields.next().and_then(parse_number).ok_or_else(|| strange(PATH, "fewer than 3 numbers"))?;
            sink.single(name, Kind::Gauge, help, value);
        }
        Ok(())
    })
}

pub(super) fn stat(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, "/proc/stat", |sink, text| {
        for line in text.lines() {
            let mut fields = line.split_ascii_whitespace();
            let (Some(key), Some(value)) = (fields.next(), fields.next().and_then(parse_number)) else { continue };
            let (name, kind, help) = match key {
                "intr" => ("node_intr_total", Kind::Counter, "Total number of interrupts serviced."),
                "ctxt" => ("node_context_switches_total", Kind::Counter, "Total number of context switches."),
                "processes" => ("node_forks_total", Kind::Counter, "Total number of forks."),
                "btime" => ("node_boot_time_seconds", Kind::Gauge, "Node boot time, in unixtime."),
                "procs_running" => ("node_procs_running", Kind::Gauge, "Number of processes in runnable state."),
                "procs_blocked" => {
                    ("node_procs_blocked", Kind::Gauge, "Number of processes blocked waiting for I/O to complete.")
                }
                _ => continue,
            };
            sink.single(name, kind, help, value);
        }
        Ok(())
    })
}

pub(super) fn file_descriptors(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/sys/fs/file-nr";
    sink.read(host, PATH, |sink, text| {
        let mut fields = text.split_ascii_whitespace().map(parse_number);
        let (Some(Some(allocated)), Some(_), Some(Some(maximum))) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(strange(PATH, "not 3 numbers"));
        };
        sink.single("node_filefd_allocated", Kind::Gauge, "File descriptor statistics: allocated.", allocated);
        sink.single("node_filefd_maximum", Kind::Gauge, "File descriptor statistics: maximum.", maximum);
        Ok(())
    })
}

pub(super) fn uname(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let uname = host.uname()?;
    sink.family("node_uname_info", Kind::Gauge, "Labeled system information as provided by the uname system call.");
    let labels = [
        ("sysname", &*uname.sysname),
        ("release", &*uname.release),
        ("version", &*uname.version),
        ("machine", &*uname.machine),
        ("nodename", &*uname.nodename),
        ("domainname", &*uname.domainname),
    ];
    sink.sample(&labels, 1.0);
    Ok(())
}
