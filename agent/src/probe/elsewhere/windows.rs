//! The same under the names of `windows_exporter` 0.30 (its collectors cpu, memory, logical_disk, net, os).

use sysinfo::{Disk, NetworkData, System};

use super::number;
use crate::host::Host;
use crate::platform::{CpuTimes, registry};
use crate::probe::{Kind, ProbeError, Sink};

/// Windows has no load.
pub(super) fn load(_: &Host, _: &mut Sink<'_>) -> Result<(), ProbeError> {
    Err(ProbeError::Absent("Windows has no load average".to_owned()))
}

/// Modes under `node_exporter`'s names.
pub(super) fn modes(times: &CpuTimes) -> [(&'static str, f64); 5] {
    [
        ("idle", times.idle),
        ("user", times.user),
        ("system", times.system),
        ("irq", times.interrupt),
        ("softirq", times.deferred),
    ]
}

/// Privileged time counts interrupts and DPCs too, as the performance counter does. Processors of the first group only.
pub(super) fn cpu(all: &[CpuTimes], sink: &mut Sink<'_>) {
    sink.family(
        "windows_cpu_time_total",
        Kind::Counter,
        "Time that processor spent in different modes (dpc, idle, interrupt, privileged, user)",
    );
    for (core, times) in all.iter().enumerate() {
        let core = format!("0,{core}");
        for (mode, seconds) in [
            ("dpc", times.deferred),
            ("idle", times.idle),
            ("interrupt", times.interrupt),
            ("privileged", times.system + times.interrupt + times.deferred),
            ("user", times.user),
        ] {
            sink.sample(&[("core", &core), ("mode", mode)], seconds);
        }
    }
    let help = "Number of logical processors.";
    sink.single("windows_cpu_logical_processor", Kind::Gauge, help, number(all.len() as u64));
}

pub(super) fn memory(system: &System, sink: &mut Sink<'_>) {
    let mut gauge = |name: &str, help: &str, value: u64| sink.single(name, Kind::Gauge, help, number(value));
    gauge(
        "windows_memory_physical_total_bytes",
        "The amount of actual physical memory, in bytes.",
        system.total_memory(),
    );
    gauge(
        "windows_memory_physical_free_bytes",
        "The amount of physical memory currently available, in bytes.",
        system.available_memory(),
    );
}

/// Drives that are there and hold data.
pub(super) fn counts(disk: &Disk) -> bool {
    !disk.mount_point().as_os_str().is_empty()
}

/// `C:` of `C:\`.
pub(super) fn shown(place: &str) -> &str {
    place.trim_end_matches('\\')
}

/// A volume's label is its owner's word; the letter is what tells it from others.
pub(super) fn device<'a>(_: &'a str, place: &'a str) -> &'a str {
    place
}

/// A family's name and help, and its value for a volume.
type Family = (&'static str, &'static str, fn(&Disk) -> u64);

pub(super) fn filesystem(disks: &[&Disk], sink: &mut Sink<'_>) {
    let families: [Family; 2] = [
        (
            "windows_logical_disk_size_bytes",
            "Total space in bytes (LogicalDisk.PercentFreeSpace_Base)",
            Disk::total_space,
        ),
        (
            "windows_logical_disk_free_bytes",
            "Free space in bytes (LogicalDisk.PercentFreeSpace)",
            Disk::available_space,
        ),
    ];
    for (name, help, value) in families {
        sink.family(name, Kind::Gauge, help);
        for disk in disks {
            let place = disk.mount_point().to_string_lossy();
            sink.sample(&[("volume", shown(&place))], number(value(disk)));
        }
    }
}

pub(super) fn network(networks: &[(String, &NetworkData)], sink: &mut Sink<'_>) {
    let families: [(&str, &str, super::Counter); 4] = [
        ("windows_net_bytes_received_total", "(Network.BytesReceivedPerSec)", NetworkData::total_received),
        ("windows_net_bytes_sent_total", "(Network.BytesSentPerSec)", NetworkData::total_transmitted),
        ("windows_net_packets_received_total", "(Network.PacketsReceivedPerSec)", NetworkData::total_packets_received),
        ("windows_net_packets_sent_total", "(Network.PacketsSentPerSec)", NetworkData::total_packets_transmitted),
    ];
    for (name, help, counter) in families {
        sink.family(name, Kind::Counter, help);
        for (nic, network) in networks {
            sink.sample(&[("nic", nic)], number(counter(network)));
        }
    }
}

pub(super) fn os(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let (release, product) = (registry::release(), System::long_os_version().unwrap_or_default());
    let parts: Vec<&str> = release.split('.').collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    sink.family(
        "windows_os_info",
        Kind::Gauge,
        "Contains full product name & version in labels. Note that the \"major_version\" for Windows 11 is \"10\"; a \
         build number greater than 22000 represents Windows 11.",
    );
    let version = parts.get(..3).unwrap_or_default().join(".");
    let labels = [
        ("build_number", part(2)),
        ("major_version", part(0)),
        ("minor_version", part(1)),
        ("product", &product),
        ("revision", part(3)),
        ("version", &version),
    ];
    sink.sample(&labels, 1.0);
    Ok(())
}
