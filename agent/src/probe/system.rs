//! Load, kernel counters, file descriptors, entropy, uname: one figure or one line each.

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

pub(super) fn load(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/loadavg";
    sink.read_record(host, PATH, |sink, text| {
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
    sink.read_shared(host, "/proc/stat", |sink, text| {
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
    sink.read_record(host, PATH, |sink, text| {
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

pub(super) fn entropy(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const AVAILABLE: &str = "/proc/sys/kernel/random/entropy_avail";
    let number = |text: &str| parse_number(text.trim()).ok_or_else(|| strange(AVAILABLE, "not a number"));
    let available = sink.read_record(host, AVAILABLE, |_, text| number(text))?;
    sink.single("node_entropy_available_bits", Kind::Gauge, "Bits of available entropy.", available);
    let size = host.fact("/proc/sys/kernel/random/poolsize");
    if let Some(size) = size.as_deref().and_then(parse_number) {
        sink.single("node_entropy_pool_size_bits", Kind::Gauge, "Bits of entropy pool.", size);
    }
    Ok(())
}

/// Linux 6.13 and later count the tasks that the kernel's watchdog found hung.
pub(super) fn hung_tasks(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/sys/kernel/hung_task_detect_count";
    let number = |text: &str| parse_number(text.trim()).ok_or_else(|| strange(PATH, "not a number"));
    let count = sink.read_record(host, PATH, |_, text| number(text))?;
    let help = "Total number of tasks that have been detected as hung since the system booted.";
    sink.single("node_kernel_hung_tasks_total", Kind::Counter, help, count);
    // The dashboard "Node Exporter Full" asks for a name that node_exporter does not say.
    let help = "The same as node_kernel_hung_tasks_total, under the name that a widespread dashboard asks for.";
    sink.single("node_kernel_hung_tasks", Kind::Gauge, help, count);
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::super::testing::{failure, is_absent, said};
    use super::*;

    #[test]
    fn entropy_is_said_with_the_size_of_the_pool_where_that_is_known() {
        let available = ("proc/sys/kernel/random/entropy_avail", "251\n");
        let size = ("proc/sys/kernel/random/poolsize", "256\n");
        let (both, one) = (said(entropy, &[available, size]), said(entropy, &[available]));
        assert_eq!(both, ["node_entropy_available_bits 251", "node_entropy_pool_size_bits 256"]);
        assert_eq!(one, both[..1]);
        let told = failure(entropy, &[("proc/sys/kernel/random/entropy_avail", "much\n")]);
        assert_eq!(told, "/proc/sys/kernel/random/entropy_avail: not a number");
    }

    #[test]
    fn hung_tasks_are_counted_where_the_kernel_does() {
        let said = said(hung_tasks, &[("proc/sys/kernel/hung_task_detect_count", "3\n")]);
        assert_eq!(said, ["node_kernel_hung_tasks_total 3", "node_kernel_hung_tasks 3"]);
        assert!(is_absent(hung_tasks, &[]));
    }
}
