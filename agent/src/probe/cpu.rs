//! Processor time, per CPU and mode, from `/proc/stat`; throttling and isolation from `/sys`.

use std::collections::BTreeMap;

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

/// Ticks per second of `/proc` (`USER_HZ`): 100 on every architecture that Rust's std supports on Linux.
pub(super) const USER_HZ: f64 = 100.0;
/// Idle and waiting time of a CPU may fall back a little (proc_pid_stat(5)), which would look like a reset. From this
/// many seconds on it is one: the CPU was unplugged and plugged in again. `node_exporter`'s `jumpBackSeconds`.
const SLACK_SECONDS: f64 = 3.0;
const CPUS: &str = "/sys/devices/system/cpu";
const ISOLATED: &str = "/sys/devices/system/cpu/isolated";
/// Columns of `/proc/stat`, proc(5).
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    const PATH: &str = "/proc/stat";
    sink.read_shared(host, PATH, |sink, text| {
        let mut count = 0;
        for line in text.lines() {
            let Some((cpu, fields)) = line.strip_prefix("cpu").and_then(|rest| rest.split_once(' ')) else { continue };
            if cpu.is_empty() {
                continue;
            }
            say(sink, cpu, fields);
            count += 1;
        }
        if count == 0 { Err(strange(PATH, "names no CPU")) } else { Ok(()) }
    })?;
    say_isolated(host, sink);
    Ok(())
}

/// CPUs that the scheduler leaves alone, as a kernel list, `2-3,8`.
fn say_isolated(host: &Host, sink: &mut Sink<'_>) {
    let isolated = host.fact(ISOLATED).unwrap_or_default();
    let help = "Whether each core is isolated, information from /sys/devices/system/cpu/isolated.";
    for range in isolated.split(',').filter(|range| !range.is_empty()) {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (Ok(from), Ok(to)) = (from.parse::<u16>(), to.parse::<u16>()) else { continue };
        for cpu in from..=to {
            sink.family("node_cpu_isolated", Kind::Gauge, help);
            sink.sample(&[("cpu", &cpu.to_string())], 1.0);
        }
    }
}

/// How often each core and package was throttled by heat. One file per core and package, so not at each report.
pub(super) fn throttling(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let (mut cores, mut packages) = (BTreeMap::new(), BTreeMap::new());
    host.visit(CPUS, |name| {
        if !name.strip_prefix("cpu").is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit())) {
            return;
        }
        let topology = |file: &str| host.fact(&format!("{CPUS}/{name}/topology/{file}"))?.parse::<u32>().ok();
        let (Some(package), Some(core)) = (topology("physical_package_id"), topology("core_id")) else { return };
        let mut count = |file: &str| sink.number(host, &format!("{CPUS}/{name}/thermal_throttle/{file}"));
        // Threads of a core say the same, and so do cores of a package: the first one that says it counts.
        if let std::collections::btree_map::Entry::Vacant(place) = cores.entry((package, core)) {
            count("core_throttle_count").map(|count| place.insert(count));
        }
        if let std::collections::btree_map::Entry::Vacant(place) = packages.entry(package) {
            count("package_throttle_count").map(|count| place.insert(count));
        }
    })?;
    if cores.is_empty() && packages.is_empty() {
        return Err(ProbeError::Absent("no CPU counts how often it was throttled".to_owned()));
    }
    let help = "Number of times this CPU package has been throttled.";
    sink.family("node_cpu_package_throttles_total", Kind::Counter, help);
    for (package, count) in packages {
        sink.sample(&[("package", &package.to_string())], count);
    }
    let help = "Number of times this CPU core has been throttled.";
    sink.family("node_cpu_core_throttles_total", Kind::Counter, help);
    for ((package, core), count) in cores {
        sink.sample(&[("core", &core.to_string()), ("package", &package.to_string())], count);
    }
    Ok(())
}

fn say(sink: &mut Sink<'_>, cpu: &str, fields: &str) {
    let mut seconds = fields.split_ascii_whitespace().map(|field| parse_number(field).unwrap_or(0.0) / USER_HZ);
    sink.family("node_cpu_seconds_total", Kind::Counter, "Seconds the CPUs spent in each mode.");
    for (mode, seconds) in MODES.iter().zip(seconds.by_ref()) {
        sink.rising(&[("cpu", cpu), ("mode", mode)], seconds, SLACK_SECONDS);
    }
    sink.family("node_cpu_guest_seconds_total", Kind::Counter, "Seconds the CPUs spent in guests (VMs) for each mode.");
    for (mode, seconds) in ["user", "nice"].iter().zip(seconds) {
        sink.rising(&[("cpu", cpu), ("mode", mode)], seconds, SLACK_SECONDS);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::table::Section;
    use super::super::testing::{ask, is_absent, lines, machine, said};
    use super::*;

    #[test]
    fn a_counter_that_falls_back_a_little_stays_and_one_that_falls_far_was_reset() {
        let (root, host) = machine(&[("proc/stat", "cpu0 100 0 0 5000 400 0 0 0 0 0\n")]);
        let mut section = Section::new("cpu", Arc::default());
        let mut now = |text: &str| {
            std::fs::write(root.path().join("proc/stat"), text).unwrap();
            ask(read, &host, &mut section).1.unwrap();
            let values = section.values();
            [values[0], values[3], values[4]]
        };
        assert_eq!(now("cpu0 100 0 0 5000 400 0 0 0 0 0\n"), [1.0, 50.0, 4.0]);
        assert_eq!(now("cpu0 101 0 0 4999 350 0 0 0 0 0\n"), [1.01, 50.0, 4.0]);
        assert_eq!(now("cpu0 102 0 0 4600 99 0 0 0 0 0\n"), [1.02, 46.0, 0.99]);
    }

    #[test]
    fn throttling_is_said_once_per_core_and_package() {
        let base = "sys/devices/system/cpu";
        let mut files = vec![(format!("{base}/cpufreq/x"), "")];
        for (cpu, core) in [("cpu0", "0"), ("cpu1", "4"), ("cpu2", "0")] {
            files.push((format!("{base}/{cpu}/topology/physical_package_id"), "1\n"));
            files.push((format!("{base}/{cpu}/topology/core_id"), core));
            files.push((format!("{base}/{cpu}/thermal_throttle/core_throttle_count"), "5\n"));
            files.push((format!("{base}/{cpu}/thermal_throttle/package_throttle_count"), "7\n"));
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        assert_eq!(
            said(throttling, &files),
            [
                r#"node_cpu_package_throttles_total{package="1"} 7"#,
                r#"node_cpu_core_throttles_total{core="0",package="1"} 5"#,
                r#"node_cpu_core_throttles_total{core="4",package="1"} 5"#,
            ]
        );
        assert!(is_absent(throttling, &[("sys/devices/system/cpu/cpu0/topology/core_id", "0")]));
    }

    #[test]
    fn isolated_cpus_are_named_one_by_one() {
        let stat = ("proc/stat", "cpu0 1\n");
        let (root, host) = machine(&[stat, ("sys/devices/system/cpu/isolated", "1,4-5,x-2\n")]);
        let mut section = Section::new("cpu", Arc::default());
        ask(read, &host, &mut section).1.unwrap();
        let isolated: Vec<String> = lines(&section).into_iter().filter(|line| line.contains("isolated")).collect();
        let expected = ["1", "4", "5"].map(|cpu| format!("node_cpu_isolated{{cpu=\"{cpu}\"}} 1"));
        assert_eq!(isolated, expected);
        drop(root);
    }
}
