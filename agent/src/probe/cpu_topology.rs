//! How often each core and package throttled itself for heat, and which CPUs the scheduler leaves alone. Part of
//! `node_exporter`'s collector `cpu`; a source of its own and once a minute, because it takes a file per core.

use std::collections::BTreeSet;

use super::folder::{Folder, counter, gauge, numbered};
use super::{ProbeError, Sink};
use crate::host::Host;

const DIRECTORY: &str = "/sys/devices/system/cpu";
/// CPUs named in `isolated` that are said; the kernel's largest configuration has as many (NR_CPUS, arch/x86/Kconfig).
const CPUS_MAX: usize = 8192;

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let isolated = host.fact(&format!("{DIRECTORY}/isolated")).unwrap_or_default();
    let isolated = cpus_of(&isolated);
    for cpu in &isolated {
        let help = "Whether each core is isolated, information from /sys/devices/system/cpu/isolated.";
        gauge(sink, "node_cpu_isolated", help, &[("cpu", &cpu.to_string())], 1.0);
    }
    let said = say_throttles(host, sink)? || !isolated.is_empty();
    if said { Ok(()) } else { Err(ProbeError::Absent("no CPU counts how often it throttles itself".to_owned())) }
}

/// Of the CPUs of a core, and of those of a package, the first that counts speaks for all, as in `node_exporter`.
fn say_throttles(host: &Host, sink: &mut Sink<'_>) -> Result<bool, ProbeError> {
    let names = host.list(DIRECTORY)?.join("\n");
    let mut folder = Folder::new(host, "cpu_topology", DIRECTORY);
    let (mut cores, mut packages) = (BTreeSet::new(), BTreeSet::new());
    for entry in numbered(&names, "cpu") {
        folder.go(&format!("{DIRECTORY}/{entry}"));
        let (Some(package), Some(core)) = (id(&mut folder, "physical_package_id"), id(&mut folder, "core_id")) else {
            continue;
        };
        if !cores.contains(&(package, core))
            && let Some(count) = folder.number(sink, "thermal_throttle/core_throttle_count")
        {
            let labels = [("core", &*core.to_string()), ("package", &*package.to_string())];
            let help = "Number of times this CPU core has been throttled.";
            counter(sink, "node_cpu_core_throttles_total", help, &labels, count);
            cores.insert((package, core));
        }
        if !packages.contains(&package)
            && let Some(count) = folder.number(sink, "thermal_throttle/package_throttle_count")
        {
            let help = "Number of times this CPU package has been throttled.";
            let labels = [("package", &*package.to_string())];
            counter(sink, "node_cpu_package_throttles_total", help, &labels, count);
            // Since Linux 5.6.
            if let Some(ms) = folder.number(sink, "thermal_throttle/package_throttle_total_time_ms") {
                let help = "Seconds for which this CPU package was throttled.";
                counter(sink, "muster_cpu_package_throttled_seconds_total", help, &labels, ms / 1_000.0);
            }
            packages.insert(package);
        }
    }
    Ok(!cores.is_empty() || !packages.is_empty())
}

/// `None` where the firmware does not say: the kernel writes -1.
fn id(folder: &mut Folder<'_>, file: &str) -> Option<u64> {
    folder.fact(&format!("topology/{file}"))?.parse().ok()
}

/// The CPUs of a list as the kernel writes it, `0-3,8,10-11`; what is no list names none.
fn cpus_of(list: &str) -> Vec<u16> {
    let mut cpus = Vec::new();
    for part in list.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else { return Vec::new() };
        cpus.extend((first..=last).take(CPUS_MAX.saturating_sub(cpus.len())));
    }
    cpus
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn a_list_of_cpus_is_numbers_and_ranges() {
        assert_eq!(cpus_of("0-3,8,10-11"), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(cpus_of("7"), [7]);
        for none in ["", "x", "3-", "1,-2", "99999", "5-2"] {
            assert!(cpus_of(none).is_empty(), "{none}");
        }
        assert_eq!(cpus_of("0-65535,0-65535").len(), CPUS_MAX);
    }

    #[test]
    fn a_package_says_for_how_long_it_was_throttled_where_the_kernel_counts_that() {
        let machine = Machine::new(&[("sys/devices/system/cpu/isolated", "\n")]);
        for (cpu, package) in [("cpu0", "0"), ("cpu1", "1")] {
            let directory = format!("{}/{cpu}", &DIRECTORY[1..]);
            machine.put(&format!("{directory}/topology/physical_package_id"), package);
            machine.put(&format!("{directory}/topology/core_id"), "0");
            machine.put(&format!("{directory}/thermal_throttle/package_throttle_count"), "3");
        }
        machine.put("sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_total_time_ms", "1500\n");
        let said = machine.read(read);
        assert_eq!(said.value(r#"muster_cpu_package_throttled_seconds_total{package="1"}"#), 1.5);
        assert_eq!(said.family("muster_cpu_package_throttled_seconds_total"), [1.5]);
        assert_eq!(said.noted(), [] as [&str; 0]);
    }

    #[test]
    fn a_core_is_counted_once_and_by_the_first_of_its_cpus_that_counts() {
        let machine = Machine::new(&[("sys/devices/system/cpu/isolated", "\n")]);
        // In the order of names: cpu0, cpu1, cpu10, cpu2.
        for (cpu, core, count) in [("cpu0", "0", ""), ("cpu1", "1", "5"), ("cpu10", "0", "7"), ("cpu2", "0", "9")] {
            machine.put(&format!("{}/{cpu}/topology/physical_package_id", &DIRECTORY[1..]), "0\n");
            machine.put(&format!("{}/{cpu}/topology/core_id", &DIRECTORY[1..]), core);
            machine.put(&format!("{}/{cpu}/thermal_throttle/core_throttle_count", &DIRECTORY[1..]), count);
        }
        machine.put(&format!("{}/cpu3/topology/physical_package_id", &DIRECTORY[1..]), "-1\n");
        let said = machine.read(read);
        let expected = [
            (r#"node_cpu_core_throttles_total{core="0",package="0"}"#.to_owned(), 7.0),
            (r#"node_cpu_core_throttles_total{core="1",package="0"}"#.to_owned(), 5.0),
        ];
        assert_eq!(said.series, expected.into());
        assert_eq!(said.noted(), ["cpu_topology/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"]);
    }
}
