//! Clock frequencies of each CPU, from `/sys/devices/system/cpu/cpu*/cpufreq`.
//!
//! Once a minute: three files per CPU are too many for each report of a large machine, and up to Linux 5.17 the kernel
//! sleeps 10 ms for each CPU that was not asked within the last second (arch/x86/kernel/cpu/aperfmperf.c).

use super::folder::{Folder, gauge, numbered};
use super::{ProbeError, Sink};
use crate::host::Host;

const DIRECTORY: &str = "/sys/devices/system/cpu";
/// Hertz in the kHz that the kernel says (Documentation/admin-guide/pm/cpufreq.rst).
const KILOHERTZ: f64 = 1000.0;

/// File, family, help. What the hardware says of itself (`cpuinfo_cur_freq`) only root may read.
const MOVING: [(&str, &str, &str); 4] = [
    ("cpuinfo_cur_freq", "node_cpu_frequency_hertz", "Current cpu thread frequency in hertz."),
    ("scaling_cur_freq", "node_cpu_scaling_frequency_hertz", "Current scaled CPU thread frequency in hertz."),
    ("scaling_min_freq", "node_cpu_scaling_frequency_min_hertz", "Minimum scaled CPU thread frequency in hertz."),
    ("scaling_max_freq", "node_cpu_scaling_frequency_max_hertz", "Maximum scaled CPU thread frequency in hertz."),
];
/// What the hardware can do, which never changes.
const FIXED: [(&str, &str, &str); 2] = [
    ("cpuinfo_min_freq", "node_cpu_frequency_min_hertz", "Minimum cpu thread frequency in hertz."),
    ("cpuinfo_max_freq", "node_cpu_frequency_max_hertz", "Maximum cpu thread frequency in hertz."),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let names = host.list(DIRECTORY)?.join("\n");
    let mut folder = Folder::new(host, "cpufreq", DIRECTORY);
    let mut said = false;
    for entry in numbered(&names, "cpu") {
        folder.go(&format!("{DIRECTORY}/{entry}/cpufreq"));
        let present = folder.names();
        let is_there = |file: &str| present.lines().any(|name| name == file);
        let labels = [("cpu", entry.trim_start_matches("cpu"))];
        let mut say = |sink: &mut Sink<'_>, name: &str, help: &str, value: Option<f64>| {
            if let Some(value) = value {
                gauge(sink, name, help, &labels, value * KILOHERTZ);
                said = true;
            }
        };
        for (file, name, help) in MOVING.into_iter().filter(|(file, ..)| is_there(file)) {
            let value = folder.number(sink, file);
            say(sink, name, help, value);
        }
        for (file, name, help) in FIXED.into_iter().filter(|(file, ..)| is_there(file)) {
            say(sink, name, help, folder.fixed(file));
        }
    }
    if said { Ok(()) } else { Err(ProbeError::Absent("no CPU has frequencies to tell".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn each_cpu_says_what_it_has_in_hertz() {
        let machine = Machine::new(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1899997"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "<unknown>"),
            ("sys/devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq", "4600000"),
            ("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1"),
            ("sys/devices/system/cpu/cpu2/topology/core_id", "1"),
        ]);
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        let expected = [
            (r#"node_cpu_frequency_max_hertz{cpu="1"}"#.to_owned(), 4_600_000_000.0),
            (r#"node_cpu_scaling_frequency_hertz{cpu="0"}"#.to_owned(), 1_899_997_000.0),
        ];
        assert_eq!(said.series, expected.into());
        assert_eq!(said.noted(), ["cpufreq/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq"]);
        let bare = Machine::new(&[("sys/devices/system/cpu/cpu0/topology/core_id", "0")]);
        assert!(matches!(bare.read(read).outcome, Err(ProbeError::Absent(_))));
    }
}
