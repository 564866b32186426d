//! Sensors of `/sys/class/hwmon`: temperatures, fans, voltages, currents, power.
//!
//! Asked once a minute: a reading may be a transfer over I2C, a call into the firmware or a command to a disk. Limits and
//! settings are facts, since an NVMe drive answers each of them by a command too (drivers/nvme/host/hwmon.c). A chip
//! whose device rests is left alone, because asking would wake it. A slow chip never delays the quick ones.

mod sensor;

use super::folder::{Folder, gauge};
use super::{ProbeError, Sink};
use crate::clock;
use crate::host::{Host, HostError};

const NAME: &str = "hwmon";
const DIRECTORY: &str = "/sys/class/hwmon";
/// Milliseconds for all chips together; those that are left then are not read this time.
const BUDGET_MS: u64 = 3000;
/// A chip that took this many milliseconds is read after all others from then on: 1-wire needs 750 for a temperature.
const SLOW_MS: u64 = 100;

/// One `hwmonN`.
struct Chip {
    /// Its own directory, where the link in [`DIRECTORY`] leads: another device that gets the same number has another.
    path: String,
    /// The directory of its device, where old drivers put their sensors.
    device: Option<String>,
    /// The name of its device, the same after each boot.
    label: String,
    /// What the driver calls it.
    name: String,
}

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let mut chips: Vec<Chip> = host.list(DIRECTORY)?.iter().map(|entry| identify(host, entry)).collect();
    if chips.is_empty() {
        return Err(ProbeError::Absent(format!("{DIRECTORY} is empty")));
    }
    chips.sort_by_key(|chip| host.recall(&chip.path).is_some_and(|took_ms| took_ms >= SLOW_MS));
    let began_ms = now_ms();
    for chip in &chips {
        say_name(sink, chip);
        let start_ms = now_ms();
        match reason_to_pass(host, chip, start_ms - began_ms) {
            Some(why) => sink.note(format!("{NAME}/{}", chip.label), why),
            None => {
                say(host, sink, chip);
                host.remember(&chip.path, now_ms() - start_ms);
            }
        }
    }
    Ok(())
}

/// Why a chip is not asked this time, if it is not.
fn reason_to_pass(host: &Host, chip: &Chip, spent_ms: u64) -> Option<ProbeError> {
    let took_ms = host.recall(&chip.path).unwrap_or(0);
    if took_ms > BUDGET_MS {
        // Each time half of it is forgiven, so the longer it took, the longer it is left alone.
        host.remember(&chip.path, took_ms / 2);
        return Some(ProbeError::Failed(format!("left alone for a while: its sensors took {took_ms} ms")));
    }
    if spent_ms > BUDGET_MS {
        return Some(ProbeError::Failed(format!("not read: the chips before it took {spent_ms} ms")));
    }
    resting(host, chip).map(|why| ProbeError::Absent(why.to_owned()))
}

fn now_ms() -> u64 {
    clock::boottime_ns() / 1_000_000
}

fn identify(host: &Host, entry: &str) -> Chip {
    let class_path = format!("{DIRECTORY}/{entry}");
    let path = follow(host, DIRECTORY, entry).unwrap_or_else(|_| class_path.clone());
    let device = match follow(host, &path, "device") {
        Ok(device) => Some(device),
        Err(HostError::NotPresent(_)) => None,
        // No link, so the directory itself.
        Err(_) => Some(format!("{path}/device")),
    };
    let device = device.filter(|device| host.exists(device));
    let name = host.fact(&format!("{path}/name")).map(|name| clean(&name)).unwrap_or_default();
    let label = device.as_deref().and_then(device_label);
    let label = label.unwrap_or_else(|| if name.is_empty() { clean(last(&path)) } else { name.clone() });
    Chip { path, device, label, name }
}

/// Where the symbolic link `name` in `directory` leads. sysfs has none that leads to another link.
fn follow(host: &Host, directory: &str, name: &str) -> Result<String, HostError> {
    let target = host.link_target(&format!("{directory}/{name}"))?;
    let mut parts: Vec<&str> = if target.starts_with('/') { Vec::new() } else { directory.split('/').collect() };
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            _ => parts.push(part),
        }
    }
    parts.retain(|part| !part.is_empty());
    Ok(format!("/{}", parts.join("/")))
}

/// `/sys/devices/platform/coretemp.0` is `platform_coretemp_0`.
fn device_label(device: &str) -> Option<String> {
    let (above, name) = device.rsplit_once('/')?;
    let (bus, name) = (clean(last(above)), clean(name));
    match (bus.is_empty(), name.is_empty()) {
        (_, true) => None,
        (true, false) => Some(name),
        (false, false) => Some(format!("{bus}_{name}")),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// In small letters, everything but letters, digits, `:` and `_` as `_`, none of them at the ends.
fn clean(text: &str) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9' | ':' | '_') => c,
        _ => '_',
    };
    text.chars().map(plain).collect::<String>().trim_matches('_').to_owned()
}

/// Why a chip is better left alone now, if it is.
fn resting(host: &Host, chip: &Chip) -> Option<&'static str> {
    let device = chip.device.as_deref()?;
    // The kernel's runtime power management: any reading would resume the device (Documentation/power/runtime_pm.rst).
    if host.read_text(&format!("{device}/power/runtime_status")).is_ok_and(|status| status == "suspended") {
        return Some("its device is suspended");
    }
    (chip.name == "drivetemp" && is_idle(host, device)).then_some("its disk has been idle since it was asked last")
}

/// Whether a disk has answered no request since this was asked last: asking it for its temperature restarts the timer
/// after which some drives spin down (Documentation/hwmon/drivetemp.rst).
fn is_idle(host: &Host, device: &str) -> bool {
    let directory = format!("{device}/block");
    let Some(disk) = host.names(&directory).and_then(|names| names.lines().next().map(str::to_owned)) else {
        return false;
    };
    let path = format!("{directory}/{disk}/stat");
    let Some(requests) = host.read_text(&path).ok().and_then(|text| requests(&text)) else { return false };
    let before = host.recall(&path);
    host.remember(&path, requests);
    before == Some(requests)
}

/// Completed reads, writes, discards and flushes of `/sys/block/*/stat` (Documentation/block/stat.rst).
fn requests(stat: &str) -> Option<u64> {
    const READS_WRITES_DISCARDS_FLUSHES: [usize; 4] = [0, 4, 11, 15];
    let mut sum = 0_u64;
    for (column, field) in stat.split_ascii_whitespace().enumerate() {
        if READS_WRITES_DISCARDS_FLUSHES.contains(&column) {
            sum = sum.wrapping_add(field.parse().ok()?);
        }
    }
    Some(sum)
}

fn say_name(sink: &mut Sink<'_>, chip: &Chip) {
    if !chip.name.is_empty() {
        let labels = [("chip", &*chip.label), ("chip_name", &*chip.name)];
        gauge(sink, "node_hwmon_chip_names", "Annotation metric for human-readable chip names", &labels, 1.0);
    }
}

fn say(host: &Host, sink: &mut Sink<'_>, chip: &Chip) {
    let names = |path: &str| host.names(path).unwrap_or_default();
    let own = names(&chip.path);
    let of_device = chip.device.as_deref().map(names).unwrap_or_default();
    // Of a file in both places the device's counts.
    let is_hidden = |file: &str| of_device.lines().any(|other| other == file);
    let mut folder = Folder::new(host, NAME, &chip.path);
    for file in own.lines().filter(|file| !is_hidden(file)) {
        sensor::say(sink, &mut folder, &chip.label, file, &own);
    }
    if let Some(device) = &chip.device {
        folder.go(device);
        for file in of_device.lines() {
            sensor::say(sink, &mut folder, &chip.label, file, &of_device);
        }
    }
}

#[cfg(test)]
mod tests;
