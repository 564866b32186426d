//! The inventory: what this machine is made of, runs and lets in, as rows with stable keys.
//!
//! A section is a row of [`SECTIONS`] and one synchronous function that reads through [`Host`] and lays rows on a
//! [`Sheet`]. It is collected in a process of its own that ends with it ([`tell`]), each section on a thread with a time
//! budget ([`collect()`]), so that nothing hung keeps another one and the agent itself stays small. Every section says
//! where it was read and, where it is not complete, why. Nothing here judges.

mod backups;
mod certificates;
mod collect;
mod containers;
mod cpu;
mod custom;
mod date;
mod devices;
mod disks;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
pub mod glpi;
pub mod hash;
pub mod kept;
mod listeners;
mod neighbours;
mod network;
mod os;
mod packages;
mod parts;
mod peripherals;
mod placeholder;
pub mod print;
mod rests;
mod row;
mod services;
mod settings;
mod smbios;
mod software;
mod system;
pub mod tell;
#[cfg(test)]
pub(crate) mod testing;
mod updates;
mod users;
mod virtualization;
mod volumes;
mod withhold;

use std::time::Duration;

use crate::host::{CommandError, Host, HostError};

pub use collect::{collect, switched_off};
pub use row::{Fields, Row, Sheet};

/// How often the inventory is taken where nothing else is configured.
pub const INTERVAL: Duration = Duration::from_secs(3600);
/// The shortest and the longest interval.
pub const INTERVAL_MIN: Duration = Duration::from_secs(60);
/// See [`INTERVAL_MIN`].
pub const INTERVAL_MAX: Duration = Duration::from_secs(24 * 3600);
/// Rows of a section; what is beyond is left out and said so.
pub const ROWS_MAX: usize = 20_000;

/// How much of a section is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All of it.
    Complete,
    /// Not all of it.
    Partial,
    /// It is there, but could not be read.
    Unreadable,
    /// This machine has no such thing.
    Absent,
    /// Whoever runs this machine wants it not to be looked at.
    SwitchedOff,
}

impl Status {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Unreadable => "unreadable",
            Self::Absent => "absent",
            Self::SwitchedOff => "switched_off",
        }
    }
}

/// A section as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name, `[a-z_]+`.
    pub name: String,
    /// How much of it is known.
    pub status: Status,
    /// Why it is not complete; empty where it is.
    pub reason: String,
    /// Where it was read.
    pub source: String,
    /// When, in milliseconds since the Unix epoch by this machine's clock.
    pub collected_ms: i64,
    /// By key, each key once.
    pub rows: Vec<Row>,
    /// What is not among the rows is not there. Where reading failed, rows that were known before may still be.
    pub whole: bool,
}

/// Why a section has no rows, or not all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// This machine has no such thing.
    Absent(String),
    /// It may not be read, or reading failed.
    Unreadable(String),
}

impl From<HostError> for Unread {
    fn from(error: HostError) -> Self {
        let reason = error.to_string();
        if matches!(error, HostError::NotPresent(_)) { Self::Absent(reason) } else { Self::Unreadable(reason) }
    }
}

impl From<CommandError> for Unread {
    fn from(error: CommandError) -> Self {
        let reason = error.to_string();
        if matches!(error, CommandError::NotPresent(_)) { Self::Absent(reason) } else { Self::Unreadable(reason) }
    }
}

/// A section and how it is read.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The section's name.
    pub name: &'static str,
    read: fn(&Host, &mut Sheet) -> Result<(), Unread>,
    /// After so many milliseconds it is cut.
    budget_ms: u64,
    /// Files and directories whose every change is a change of what it says: while they are the same, and the collector has it,
    /// it is read once a day. Empty where it is read each time.
    rests_on: &'static [&'static str],
}

/// Milliseconds for files, which at the lowest priority wait for a busy machine, and for programs, which have deadlines of
/// their own below it.
const FILES_MS: u64 = 20_000;
const TOOLS_MS: u64 = 60_000;

const fn files(name: &'static str, read: fn(&Host, &mut Sheet) -> Result<(), Unread>) -> Source {
    Source { name, read, budget_ms: FILES_MS, rests_on: &[] }
}

const fn tools(name: &'static str, read: fn(&Host, &mut Sheet) -> Result<(), Unread>) -> Source {
    Source { name, read, budget_ms: TOOLS_MS, rests_on: &[] }
}

/// One whose tools are dear to ask.
const fn settled(
    name: &'static str,
    read: fn(&Host, &mut Sheet) -> Result<(), Unread>,
    rests_on: &'static [&'static str],
) -> Source {
    Source { name, read, budget_ms: TOOLS_MS, rests_on }
}

/// All sections: files first, since what waits for a program keeps the rest waiting.
pub static SECTIONS: &[Source] = &[
    files("system", system::read),
    files("firmware", settings::firmware),
    files("boards", parts::boards),
    files("cpu", cpu::read),
    files("memory_arrays", parts::memory_arrays),
    files("memory_modules", parts::memory_modules),
    files("power_supplies", parts::power_supplies),
    files("batteries", devices::batteries),
    files("disks", disks::read),
    files("pci", devices::pci),
    files("gpus", devices::gpus),
    files("usb", devices::usb),
    files("monitors", peripherals::monitors),
    files("printers", peripherals::printers),
    files("addresses", network::addresses),
    files("neighbours", neighbours::read),
    files("virtualization", virtualization::read),
    files("os", os::read),
    files("time", settings::time),
    files("users", users::users),
    files("groups", users::groups),
    files("ssh_keys", users::keys),
    files("listening_ports", listeners::read),
    files("certificates", certificates::read),
    files("containers", containers::read),
    files("repositories", software::repositories),
    files("remote_control", software::remote_control),
    files("protection", software::protection),
    files("update_state", updates::state),
    tools("backups", backups::read),
    tools("interfaces", network::interfaces),
    tools("volumes", volumes::read),
    tools("services", services::services),
    tools("scheduled_jobs", services::jobs),
    settled("packages", packages::read, &packages::RESTS_ON),
    settled("updates", updates::pending, &updates::RESTS_ON),
];

/// The sections of this machine: the same everywhere, read as its system lets them be read.
#[must_use]
pub fn sections(host: &Host) -> &'static [Source] {
    #[cfg(not(target_os = "linux"))]
    if host.is_live() {
        return &elsewhere::SECTIONS;
    }
    let _ = host;
    SECTIONS
}

/// Whether it can be a section's name: small letters and `_`, at most 40.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
