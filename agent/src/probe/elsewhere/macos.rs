//! What `node_exporter` says of macOS under names of its own (collector/{meminfo,loadavg,filesystem}_darwin.go).

use sysinfo::{Disk, NetworkData, System};

use super::{number, unread};
use crate::host::Host;
use crate::platform::CpuTimes;
use crate::probe::{Kind, ProbeError, Sink};

/// File systems of the system itself, which share the space of one container with `/` (filesystem_darwin.go).
const SYSTEM: &str = "/System/Volumes/";
/// The one among them that holds people's data.
const DATA: &str = "/System/Volumes/Data";

pub(super) fn load(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let load = System::load_average().map_err(|error| unread(&error))?;
    for (name, help, value) in [
        ("node_load1", "1m load average.", load.one),
        ("node_load5", "5m load average.", load.five),
        ("node_load15", "15m load average.", load.fifteen),
    ] {
        sink.single(name, Kind::Gauge, help, value);
    }
    Ok(())
}

/// Modes under `node_exporter`'s names.
pub(super) fn modes(times: &CpuTimes) -> [(&'static str, f64); 4] {
    [("user", times.user), ("nice", times.nice), ("system", times.system), ("idle", times.idle)]
}

/// They have no other names.
pub(super) fn cpu(_: &[CpuTimes], _: &mut Sink<'_>) {}

pub(super) fn memory(system: &System, sink: &mut Sink<'_>) {
    for (name, value) in [
        ("total", system.total_memory()),
        ("free", system.free_memory()),
        ("swap_total", system.total_swap()),
        ("swap_used", system.used_swap()),
    ] {
        let help = format!("Memory information field {name}_bytes.");
        sink.single(&format!("node_memory_{name}_bytes"), Kind::Gauge, &help, number(value));
    }
}

/// The volumes of people's data.
pub(super) fn counts(disk: &Disk) -> bool {
    let place = disk.mount_point().to_string_lossy();
    !place.starts_with(SYSTEM) || place == DATA
}

pub(super) fn shown(place: &str) -> &str {
    place
}

pub(super) fn device<'a>(device: &'a str, _: &'a str) -> &'a str {
    device
}

/// They have no other names.
pub(super) fn filesystem(_: &[&Disk], _: &mut Sink<'_>) {}

/// They have no other names.
pub(super) fn network(_: &[(String, &NetworkData)], _: &mut Sink<'_>) {}

pub(super) fn os(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let version = System::os_version().unwrap_or_default();
    sink.family("node_os_info", Kind::Gauge, "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, image_version, name, pretty_name, variant, variant_id, version, version_codename, version_id.");
    let pretty = System::long_os_version().unwrap_or_default();
    let labels = [("id", "macos"), ("name", "macOS"), ("pretty_name", &*pretty), ("version", &*version)];
    sink.sample(&labels, 1.0);
    Ok(())
}
