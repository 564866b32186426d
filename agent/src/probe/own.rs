//! What the agent costs, under the names that `node_exporter` has for itself.

use super::cpu::USER_HZ;
use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

/// Columns of `/proc/self/stat` after the command's closing parenthesis, proc(5), counted from 0.
const UTIME: usize = 11;
const STIME: usize = 12;
const START_TIME: usize = 19;
const VIRTUAL_BYTES: usize = 20;
const RESIDENT_PAGES: usize = 21;

pub(super) fn process(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/self/stat";
    let booted = boot_time(host);
    #[expect(clippy::cast_precision_loss, reason = "a page has fewer than 2^53 bytes")]
    let page_bytes = host.page_bytes() as f64;
    sink.read_record(host, PATH, |sink, text| {
        let (_, fields) = text.rsplit_once(") ").ok_or_else(|| strange(PATH, "no command"))?;
        let mut columns = [0.0; RESIDENT_PAGES + 1];
        for (column, field) in columns.iter_mut().zip(fields.split_ascii_whitespace()) {
            *column = parse_number(field).unwrap_or(0.0);
        }
        let cpu = (columns[UTIME] + columns[STIME]) / USER_HZ;
        sink.single(
            "process_cpu_seconds_total",
            Kind::Counter,
            "Total user and system CPU time spent in seconds.",
            cpu,
        );
        let mut gauge = |name: &str, help: &str, value: f64| sink.single(name, Kind::Gauge, help, value);
        gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", columns[VIRTUAL_BYTES]);
        gauge("process_resident_memory_bytes", "Resident memory size in bytes.", columns[RESIDENT_PAGES] * page_bytes);
        if let Some(booted) = booted {
            let started = booted + columns[START_TIME] / USER_HZ;
            gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", started);
        }
        Ok(())
    })?;
    sink.single("process_open_fds", Kind::Gauge, "Number of open file descriptors.", open_descriptors(host)?);
    limits(host, sink);
    Ok(())
}

/// The size of the directory is their number since Linux 6.2 (proc_readfd_count, fs/proc/fd.c), which before was 0.
fn open_descriptors(host: &Host) -> Result<f64, ProbeError> {
    const DIRECTORY: &str = "/proc/self/fd";
    // In a capture it is the size of a real directory.
    let mut open = if host.is_live() { host.stat(DIRECTORY)?.bytes } else { 0 };
    if open == 0 {
        host.visit(DIRECTORY, |_| open += 1)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a process has fewer than 2^53 descriptors")]
    Ok(open as f64)
}

fn limits(host: &Host, sink: &mut Sink<'_>) {
    let limits = host.fact("/proc/self/limits").unwrap_or_default();
    let soft = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        let value = line.split_ascii_whitespace().next()?;
        // Prometheus' client says "unlimited" as the largest 64-bit number.
        #[expect(clippy::cast_precision_loss, reason = "so does Prometheus' client")]
        if value == "unlimited" { Some(u64::MAX as f64) } else { parse_number(value) }
    };
    if let Some(value) = soft("Max open files") {
        sink.single("process_max_fds", Kind::Gauge, "Maximum number of open file descriptors.", value);
    }
    if let Some(value) = soft("Max address space") {
        let help = "Maximum amount of virtual memory available in bytes.";
        sink.single("process_virtual_memory_max_bytes", Kind::Gauge, help, value);
    }
}

fn boot_time(host: &Host) -> Option<f64> {
    host.fact("/proc/stat")?.lines().find_map(|line| parse_number(line.strip_prefix("btime ")?))
}

pub(super) fn build_info(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.family(
        "node_exporter_build_info",
        Kind::Gauge,
        "A metric with a constant '1' value labeled by version, revision, branch, goversion from which node_exporter \
         was built, and the goos and goarch for the build.",
    );
    // Go's names, which dashboards expect; there is no Go version to tell.
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let labels = [
        ("branch", ""),
        ("goarch", architecture),
        ("goos", std::env::consts::OS),
        ("goversion", ""),
        ("revision", ""),
        ("tags", ""),
        ("version", env!("CARGO_PKG_VERSION")),
    ];
    sink.sample(&labels, 1.0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::said;
    use super::*;

    #[test]
    fn the_build_has_the_labels_that_dashboards_choose_by() {
        let line = said(build_info, &[]).remove(0);
        let labels = ["branch", "goarch", "goos", "goversion", "revision", "tags", "version"];
        assert!(labels.iter().all(|label| line.contains(&format!("{label}=\""))), "{line}");
        assert!(line.contains(&format!("version={:?}}} 1", env!("CARGO_PKG_VERSION"))), "{line}");
    }

    #[test]
    fn open_descriptors_of_a_capture_are_counted_and_the_live_kernel_is_believed() {
        let stat = "7 (agent) S 1 7 7 0 -1 0 0 0 0 0 150 50 0 0 20 0 3 0 400 4096000 100 0\n";
        let said = said(
            process,
            &[
                ("proc/self/stat", stat),
                ("proc/stat", "cpu 1\nbtime 1000\n"),
                ("proc/self/fd/0", ""),
                ("proc/self/fd/1", ""),
                ("proc/self/limits", "Max open files            1024                 524288               files\n"),
            ],
        );
        assert_eq!(
            said,
            [
                "process_cpu_seconds_total 2",
                "process_virtual_memory_bytes 4096000",
                "process_resident_memory_bytes 409600",
                "process_start_time_seconds 1004",
                "process_open_fds 2",
                "process_max_fds 1024",
            ]
        );
        let live = open_descriptors(&Host::live()).unwrap();
        assert!((3.0..1000.0).contains(&live), "{live}");
    }
}
