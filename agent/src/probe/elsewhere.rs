//! Readings where no files tell of the machine: by sysinfo and the system's own calls. They have `node_exporter`'s names, so
//! that rules, trends and pages read them as they do everywhere (on macOS also those of its darwin build), and on Windows
//! beside them the names of `windows_exporter`, which dashboards of Windows know.

#[cfg(target_os = "macos")]
#[path = "elsewhere/macos.rs"]
mod own;
#[cfg(windows)]
#[path = "elsewhere/windows.rs"]
mod own;

use sysinfo::{
    CpuRefreshKind, DiskRefreshKind, Disks, MemoryRefreshKind, NetworkData, Networks, Pid, ProcessRefreshKind,
    ProcessesToUpdate, RefreshKind, System,
};

use super::{Every, Kind, ProbeError, Sink, Source, checks, own as itself, report, system, textfile};
use crate::host::Host;
use crate::platform;

/// A disk that sleeps takes seconds to wake.
const DISKS_MS: u64 = 20_000;

const SOURCES: [Source; 11] = [
    report("time", time),
    report("stat", boot),
    report("loadavg", own::load),
    report("cpu", cpu),
    report("meminfo", memory),
    report("netdev", network),
    report("uname", system::uname),
    report("os", own::os),
    report("process", process),
    report("build_info", itself::build_info),
    Source { name: "filesystem", read: filesystem, every: Every::Minute, deadline_ms: DISKS_MS },
];

static PLAIN: [Source; SOURCES.len() + 1] = {
    let mut all = [report("textfile", textfile::read); SOURCES.len() + 1];
    let mut at = 0;
    while at < SOURCES.len() {
        all[at] = SOURCES[at];
        at += 1;
    }
    all
};
static WITH_CHECKS: [Source; SOURCES.len() + 2] = {
    let mut all = [report("check", checks::read); SOURCES.len() + 2];
    let mut at = 0;
    while at <= SOURCES.len() {
        all[at + 1] = PLAIN[at];
        at += 1;
    }
    all
};

/// The sources of this machine.
pub(super) fn sources(host: &Host) -> &'static [Source] {
    if host.checks().is_some() { &WITH_CHECKS } else { &PLAIN }
}

#[expect(clippy::cast_precision_loss, reason = "counters and sizes stay below 2^53 for decades")]
fn number(value: u64) -> f64 {
    value as f64
}

fn unread(error: &sysinfo::Error) -> ProbeError {
    ProbeError::Failed(error.to_string())
}

fn time(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since the epoch are below 2^53")]
    let seconds = sink.now().wall_ms as f64 / 1e3;
    sink.single("node_time_seconds", Kind::Gauge, "System time in seconds since epoch (1970).", seconds);
    Ok(())
}

fn boot(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let booted = System::boot_time().map_err(|error| unread(&error))?;
    sink.single(
        "node_boot_time_seconds",
        Kind::Gauge,
        "Unix time of last boot, including microseconds.",
        number(booted),
    );
    Ok(())
}

fn cpu(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let all =
        platform::cpu_times().ok_or_else(|| ProbeError::Failed("the system does not say its times".to_owned()))?;
    sink.family("node_cpu_seconds_total", Kind::Counter, "Seconds the CPUs spent in each mode.");
    for (cpu, times) in all.iter().enumerate() {
        let cpu = cpu.to_string();
        for (mode, seconds) in own::modes(times) {
            sink.sample(&[("cpu", &cpu), ("mode", mode)], seconds);
        }
    }
    own::cpu(&all, sink);
    Ok(())
}

fn memory(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let wanted = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything());
    let system = System::new_with_specifics(wanted).map_err(|error| unread(&error))?;
    if system.total_memory() == 0 {
        return Err(ProbeError::Failed("the system does not say how much memory there is".to_owned()));
    }
    for (name, value) in [
        ("MemTotal", system.total_memory()),
        ("MemAvailable", system.available_memory()),
        ("SwapTotal", system.total_swap()),
        ("SwapFree", system.free_swap()),
    ] {
        let help = format!("Memory information field {name}_bytes.");
        sink.single(&format!("node_memory_{name}_bytes"), Kind::Gauge, &help, number(value));
    }
    own::memory(&system, sink);
    Ok(())
}

/// A family's name and help, and its value for a volume.
type Family = (&'static str, &'static str, fn(&sysinfo::Disk) -> f64);

fn filesystem(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let disks = Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing().with_storage())
        .map_err(|error| unread(&error))?;
    let counts = |disk: &&sysinfo::Disk| disk.total_space() > 0 && own::counts(disk);
    let disks: Vec<&sysinfo::Disk> = disks.iter().filter(counts).collect();
    if disks.is_empty() {
        return Err(ProbeError::Failed("the system names no volume".to_owned()));
    }
    let families: [Family; 4] = [
        ("node_filesystem_size_bytes", "Filesystem size in bytes.", |disk| number(disk.total_space())),
        ("node_filesystem_avail_bytes", "Filesystem space available to non-root users in bytes.", |disk| {
            number(disk.available_space())
        }),
        ("node_filesystem_free_bytes", "Filesystem free space in bytes.", |disk| number(disk.available_space())),
        ("node_filesystem_readonly", "Filesystem read-only status.", |disk| f64::from(u8::from(disk.is_read_only()))),
    ];
    for (name, help, value) in families {
        sink.family(name, Kind::Gauge, help);
        for disk in &disks {
            let [device, kind] = [disk.name(), disk.file_system()].map(|text| text.to_string_lossy());
            let place = disk.mount_point().to_string_lossy();
            let place = own::shown(&place);
            let labels = [("device", own::device(&device, place)), ("fstype", &*kind), ("mountpoint", place)];
            sink.sample(&labels, value(disk));
        }
    }
    own::filesystem(&disks, sink);
    Ok(())
}

/// What an interface has carried, and how it is named on both kinds of systems.
type Counter = fn(&NetworkData) -> u64;
const COUNTERS: [(&str, Counter); 6] = [
    ("receive_bytes", NetworkData::total_received),
    ("transmit_bytes", NetworkData::total_transmitted),
    ("receive_packets", NetworkData::total_packets_received),
    ("transmit_packets", NetworkData::total_packets_transmitted),
    ("receive_errs", NetworkData::total_errors_on_received),
    ("transmit_errs", NetworkData::total_errors_on_transmitted),
];

fn network(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let networks = Networks::new_with_refreshed_list().map_err(|error| unread(&error))?;
    let mut networks: Vec<(String, &NetworkData)> =
        networks.iter().map(|(name, network)| (name.to_string_lossy().into_owned(), network)).collect();
    networks.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (what, counter) in COUNTERS {
        let help = format!("Network device statistic {what}.");
        sink.family(&format!("node_network_{what}_total"), Kind::Counter, &help);
        for (name, network) in &networks {
            sink.sample(&[("device", name)], number(counter(network)));
        }
    }
    own::network(&networks, sink);
    Ok(())
}

fn process(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let mut system = System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()))
        .map_err(|error| unread(&error))?;
    let own = Pid::from_u32(std::process::id());
    let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, wanted);
    let process = system.process(own).ok_or_else(|| ProbeError::Failed("this process is not listed".to_owned()))?;
    let spent = number(process.accumulated_cpu_time()) / 1e3;
    sink.single("process_cpu_seconds_total", Kind::Counter, "Total user and system CPU time spent in seconds.", spent);
    let mut gauge = |name: &str, help: &str, value: u64| sink.single(name, Kind::Gauge, help, number(value));
    gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", process.virtual_memory());
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.", process.memory());
    gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.", process.start_time());
    Ok(())
}
