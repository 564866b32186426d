//! The named readings whose past is kept, and how exactly.

use super::scale::Scale;

/// What a reading counts, for axes and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share, 0 to 1.
    Ratio,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    BytesPerSecond,
    /// Seconds.
    Seconds,
    /// Degrees Celsius.
    Celsius,
    /// A plain number.
    Number,
}

impl Unit {
    /// The unit's word in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ratio => "ratio",
            Self::Bytes => "bytes",
            Self::BytesPerSecond => "bytes_per_second",
            Self::Seconds => "seconds",
            Self::Celsius => "celsius",
            Self::Number => "number",
        }
    }
}

/// A reading whose past is kept.
#[derive(Debug)]
pub struct Reading {
    /// Its name, unit last: the same as in the agents' roll-ups.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// The label that tells its parts from each other; empty when it has but one.
    pub label: &'static str,
    /// Parts kept of one host at most.
    pub parts: usize,
    /// What it counts.
    pub unit: Unit,
    /// How exactly minutes are kept.
    pub minutes: Scale,
    /// How exactly hours are kept.
    pub hours: Scale,
}

const KIB: f64 = 1024.0;
const MIB: f64 = 1_048_576.0;

const fn single(name: &'static str, title: &'static str, unit: Unit, minutes: Scale, hours: Scale) -> Reading {
    Reading { name, title, label: "", parts: 1, unit, minutes, hours }
}

/// All of them, in the order in which they are shown; a host with 8 mounts, 4 disks and 4 sensors has some 25.
///
/// By the minute, shares are kept in steps of 1/256, most else of 1/64 to 1/256 of itself, free space of 1/8192, so that
/// a slow fill is seen in a few hours. Hours are drawn and reckoned with in months: steps of 1/64, or of 1/16 of a rate.
pub const READINGS: &[Reading] = &[
    single("cpu_busy_ratio", "Processors busy", Unit::Ratio, Scale::new(1.0, 8), Scale::new(1.0, 6)),
    single("load1", "Load, 1 min", Unit::Number, Scale::new(1.0, 6), Scale::new(1.0, 4)),
    single("memory_available_bytes", "Memory available", Unit::Bytes, Scale::new(MIB, 8), Scale::new(MIB, 6)),
    single("swap_free_bytes", "Swap free", Unit::Bytes, Scale::new(MIB, 8), Scale::new(MIB, 6)),
    single("processes_blocked", "Processes blocked", Unit::Number, Scale::new(1.0, 5), Scale::new(1.0, 4)),
    Reading {
        label: "mountpoint",
        parts: 8,
        ..single("filesystem_avail_bytes", "Free space", Unit::Bytes, Scale::new(MIB, 13), Scale::new(MIB, 7))
    },
    Reading {
        label: "device",
        parts: 4,
        ..single("disk_busy_ratio", "Disk busy", Unit::Ratio, Scale::new(1.0, 8), Scale::new(1.0, 6))
    },
    Reading {
        label: "device",
        parts: 4,
        ..single("disk_await_seconds", "Disk wait", Unit::Seconds, Scale::new(0.001, 6), Scale::new(0.001, 4))
    },
    single(
        "network_receive_bytes_per_second",
        "Network received",
        Unit::BytesPerSecond,
        Scale::new(KIB, 7),
        Scale::new(KIB, 4),
    ),
    single(
        "network_transmit_bytes_per_second",
        "Network sent",
        Unit::BytesPerSecond,
        Scale::new(KIB, 7),
        Scale::new(KIB, 4),
    ),
    Reading {
        label: "chip",
        parts: 4,
        ..single("temperature_celsius", "Temperature", Unit::Celsius, Scale::new(128.0, 8), Scale::new(128.0, 7))
    },
    Reading {
        label: "power_supply",
        parts: 2,
        ..single("battery_charge_ratio", "Battery", Unit::Ratio, Scale::new(1.0, 8), Scale::new(1.0, 6))
    },
];

/// The number of the reading with this name.
#[must_use]
pub fn number_of(name: &str) -> Option<u8> {
    READINGS.iter().position(|reading| reading.name == name).and_then(|at| u8::try_from(at).ok())
}

/// One series of a host: a reading, and which part of the host it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    number: u8,
    /// The mount point, disk, sensor or battery; empty when there is but one.
    pub part: Box<str>,
}

/// Longest name of a part; longer ones are no names.
const PART_BYTES: usize = 256;

impl Series {
    /// The series of a named reading; `None` where there is no such reading, or no such part.
    #[must_use]
    pub fn new(name: &str, part: &str) -> Option<Self> {
        let number = number_of(name)?;
        let labelled = !READINGS[usize::from(number)].label.is_empty();
        (labelled != part.is_empty() && part.len() <= PART_BYTES).then(|| Self { number, part: part.into() })
    }

    /// Its reading.
    #[must_use]
    pub fn reading(&self) -> &'static Reading {
        &READINGS[usize::from(self.number)]
    }

    /// A list of series as text, such as `[["load1",""],["filesystem_avail_bytes","/"]]`.
    #[must_use]
    pub fn list_to_text(list: &[Self]) -> String {
        let pairs: Vec<(&str, &str)> = list.iter().map(|series| (series.reading().name, &*series.part)).collect();
        serde_json::to_string(&pairs).unwrap_or_default()
    }

    /// The list of [`Series::list_to_text`]; what this program does not know has its place with nothing in it.
    #[must_use]
    pub fn list_from_text(text: &str) -> Vec<Option<Self>> {
        let pairs: Vec<(String, String)> = serde_json::from_str(text).unwrap_or_default();
        pairs.iter().map(|(name, part)| Self::new(name, part)).collect()
    }
}

impl std::fmt::Display for Series {
    /// `filesystem_avail_bytes{mountpoint="/var"}`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reading = self.reading();
        f.write_str(reading.name)?;
        if reading.label.is_empty() { Ok(()) } else { write!(f, "{{{}={:?}}}", reading.label, self.part) }
    }
}
