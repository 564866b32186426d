//! Which reading's past shows the trouble that a rule has found.

use super::reading::Series;

/// The series whose past says how it came to a finding of this rule about this part.
#[must_use]
pub fn concerned(rule: &str, part: &str) -> Option<Series> {
    match rule {
        "filesystem_space" | "filesystem_filling" => Series::new("filesystem_avail_bytes", part),
        "memory_exhausted" | "oom_kill" => Series::new("memory_available_bytes", ""),
        "swap_storm" => Series::new("swap_free_bytes", ""),
        "cpu_pressure" => Series::new("load1", ""),
        "io_pressure" => Series::new("processes_blocked", ""),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rules::Rule;

    #[test]
    fn every_rule_that_has_a_reading_is_a_rule_and_finds_one() {
        for (rule, part, series) in [
            ("filesystem_space", "/var", "filesystem_avail_bytes{mountpoint=\"/var\"}"),
            ("filesystem_filling", "/", "filesystem_avail_bytes{mountpoint=\"/\"}"),
            ("memory_exhausted", "memory", "memory_available_bytes"),
            ("oom_kill", "memory", "memory_available_bytes"),
            ("swap_storm", "swap", "swap_free_bytes"),
            ("cpu_pressure", "processors", "load1"),
            ("io_pressure", "disks", "processes_blocked"),
        ] {
            assert!(Rule::named(rule).is_some(), "{rule}");
            assert_eq!(concerned(rule, part).map(|series| series.to_string()).as_deref(), Some(series));
        }
        assert_eq!(concerned("clock_off", "clock"), None);
    }
}
