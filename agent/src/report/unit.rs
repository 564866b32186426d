//! What the whole numbers of a family count on the wire: a counter of clock ticks that is shown in seconds travels as a
//! difference of ticks, in one or two bytes, instead of a double in eight.

/// Whole numbers from here on are no longer exact in a double.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

/// What is counted. The numbers are those of the wire, the arithmetic that of the probes, bit for bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    One = 0,
    Hundredth = 1,
    /// n x 0.001, as disk statistics and sensors are scaled.
    Thousandth = 2,
    /// n / 1000.
    Milli = 3,
    /// n / 1000 / 1000, as pressure is scaled.
    MilliMilli = 4,
    /// n / 1 000 000.
    Micro = 5,
    /// n / 1 000 000 000.
    Nano = 6,
}

impl Unit {
    /// What the families that change at every report count; whatever else is no whole number travels as a double.
    pub(super) fn of(family: &str) -> Self {
        match family {
            "node_cpu_seconds_total" | "node_cpu_guest_seconds_total" | "process_cpu_seconds_total" => Self::Hundredth,
            "node_load1" | "node_load5" | "node_load15" => Self::Hundredth,
            "node_time_seconds" | "node_thermal_zone_temp" => Self::Milli,
            "node_timex_maxerror_seconds" | "node_timex_estimated_error_seconds" => Self::Micro,
            "node_timex_offset_seconds" => Self::Nano,
            _ => Self::of_group(family),
        }
    }

    fn of_group(family: &str) -> Self {
        let is_seconds = family.ends_with("_seconds_total");
        match family {
            _ if family.starts_with("node_hwmon_") => Self::Thousandth,
            _ if is_seconds && family.starts_with("node_disk_") => Self::Thousandth,
            _ if is_seconds && family.starts_with("node_pressure_") => Self::MilliMilli,
            _ if is_seconds && family.starts_with("node_schedstat_") => Self::Nano,
            _ => Self::One,
        }
    }

    /// How many the value is, if it is exactly so many; minus zero and NaN are no number of anything.
    #[expect(clippy::cast_possible_truncation, reason = "whole, and smaller than 2^53 by the check before")]
    pub(super) fn count(self, value: f64) -> Option<i64> {
        let count = (value * self.per_whole()).round();
        let exact = count.abs() < EXACT_BELOW && self.value(count).to_bits() == value.to_bits();
        exact.then_some(count as i64)
    }

    fn per_whole(self) -> f64 {
        match self {
            Self::One => 1.0,
            Self::Hundredth => 100.0,
            Self::Thousandth | Self::Milli => 1e3,
            Self::MilliMilli | Self::Micro => 1e6,
            Self::Nano => 1e9,
        }
    }

    /// The unit with this number on the wire; one where there is none.
    pub(super) fn numbered(number: u32) -> Self {
        let all = [Self::Hundredth, Self::Thousandth, Self::Milli, Self::MilliMilli, Self::Micro, Self::Nano];
        all.into_iter().find(|unit| *unit as u32 == number).unwrap_or(Self::One)
    }

    /// So many of it.
    pub(super) fn value(self, count: f64) -> f64 {
        // Zero has one sign here, so that minus zero is told apart.
        let count = count + 0.0;
        match self {
            Self::One => count,
            Self::Hundredth => count / 100.0,
            Self::Thousandth => count * (1.0 / 1000.0),
            Self::Milli => count / 1000.0,
            Self::MilliMilli => count / 1000.0 / 1000.0,
            Self::Micro => count / 1e6,
            Self::Nano => count / 1e9,
        }
    }
}
