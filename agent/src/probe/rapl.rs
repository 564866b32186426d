//! Energy used by packages, cores and memory, from `/sys/class/powercap` (Documentation/power/powercap/powercap.rst).
//!
//! Once a minute: each counter is a register that the CPU of its own package is interrupted for. At 1 kW the shortest
//! counter (262 144 J) turns over after four minutes. Only root may read them since CVE-2020-8694.

use std::collections::HashMap;

use super::folder::{Folder, counter};
use super::{ProbeError, Sink};
use crate::host::Host;

const DIRECTORY: &str = "/sys/class/powercap";
/// The kernel says microjoules.
const MICROJOULES: f64 = 1_000_000.0;

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let zones = host.list(DIRECTORY)?;
    let mut folder = Folder::new(host, "rapl", DIRECTORY);
    let mut used: HashMap<String, u64> = HashMap::new();
    let (mut said, mut kept_from_us) = (false, None);
    for zone in &zones {
        let path = format!("{DIRECTORY}/{zone}");
        folder.go(&path);
        let Some(full_name) = folder.fact("name") else { continue };
        let (name, index) = name_and_index(&full_name, &used);
        used.insert(name.to_owned(), index.saturating_add(1));
        let Some(energy) = folder.number(sink, "energy_uj") else {
            kept_from_us = kept_from_us.or_else(|| host.may_open(folder.path("energy_uj")).err());
            continue;
        };
        said = true;
        let labels = [("index", &*index.to_string()), ("path", &*path)];
        let help = format!("Current RAPL {name} value in joules");
        counter(sink, &format!("node_rapl_{}_joules_total", metric_name(name)), &help, &labels, energy / MICROJOULES);
    }
    match kept_from_us {
        _ if said => Ok(()),
        Some(error) => Err(error.into()),
        None => Err(ProbeError::Absent("no zone counts energy".to_owned())),
    }
}

/// `package-1` is package, number 1; of names without a number those that came before are counted.
fn name_and_index<'a>(name: &'a str, used: &HashMap<String, u64>) -> (&'a str, u64) {
    let numbered = name.split_once('-').and_then(|(stem, number)| Some((stem, number.parse().ok()?)));
    numbered.unwrap_or_else(|| (name, used.get(name).copied().unwrap_or(0)))
}

fn metric_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | ':') { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn zones_of_one_name_are_told_apart_by_a_number() {
        let used = HashMap::from([("dram".to_owned(), 2)]);
        assert_eq!(name_and_index("package-1", &used), ("package", 1));
        assert_eq!(name_and_index("dram", &used), ("dram", 2));
        assert_eq!(name_and_index("psys", &used), ("psys", 0));
        assert_eq!(name_and_index("package-x", &used), ("package-x", 0));
        assert_eq!(name_and_index("package-0-die-1", &used), ("package-0-die-1", 0));
        assert_eq!(metric_name("package-0-die-1"), "package_0_die_1");
    }

    #[test]
    fn zones_are_joules_and_those_without_a_counter_are_passed_over() {
        let machine = Machine::new(&[
            ("sys/class/powercap/intel-rapl/enabled", "1"),
            ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
            ("sys/class/powercap/intel-rapl:0/energy_uj", "81203377120\n"),
            ("sys/class/powercap/intel-rapl:0:0/name", "dram\n"),
            ("sys/class/powercap/intel-rapl:0:0/energy_uj", "5\n"),
            ("sys/class/powercap/intel-rapl:1/name", "package-1\n"),
            ("sys/class/powercap/intel-rapl:1:0/name", "dram\n"),
            ("sys/class/powercap/intel-rapl:1:0/energy_uj", "x\n"),
        ]);
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        let path = "/sys/class/powercap/intel-rapl:0";
        let expected = [
            (format!(r#"node_rapl_dram_joules_total{{index="0",path="{path}:0"}}"#), 0.000_005),
            (format!(r#"node_rapl_package_joules_total{{index="0",path="{path}"}}"#), 81_203.377_12),
        ];
        assert_eq!(said.series, expected.into());
        assert_eq!(said.noted(), ["rapl/sys/class/powercap/intel-rapl:1:0/energy_uj"]);
        let none = Machine::new(&[("sys/class/powercap/intel-rapl/enabled", "1")]);
        assert!(matches!(none.read(read).outcome, Err(ProbeError::Absent(_))));
    }
}
