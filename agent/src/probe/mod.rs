//! Readings: what the machine says of itself, under `node_exporter`'s names, types, help texts and labels.
//!
//! A source is a row of [`SOURCES`] and one synchronous function that reads through [`Host`] and says samples into a
//! [`Sink`]. Names, helps and arithmetic follow `node_exporter` 1.5.0. Nothing here knows the wire or waits.

mod arp;
mod bcache;
mod bonding;
mod btrfs;
pub mod cap;
mod checks;
mod conntrack;
mod cpu;
mod cpu_topology;
mod cpufreq;
mod decimal;
mod disk;
mod dmi;
mod edac;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod fibre_channel;
mod filesystem;
mod folder;
mod hwmon;
mod infiniband;
mod interface;
mod interrupts;
mod ipvs;
mod mdadm;
mod memory;
mod netstat;
mod network;
mod nfs;
mod nvme;
mod os;
mod own;
mod power_supply;
mod pressure;
mod processes;
mod rapl;
mod schedstat;
pub mod scope;
mod selinux;
mod sink;
mod sockets;
mod softnet;
mod system;
mod systemd;
mod table;
mod tape;
#[cfg(test)]
mod testing;
mod textfile;
mod thermal;
mod time;
mod xfs;
mod zfs;
pub(crate) mod zone;

use crate::host::Host;

pub use decimal::spell_double;
// `tests/long fuzz` makes no process for each case.
#[doc(hidden)]
pub use systemd::say_list as say_systemctl_list;

pub use sink::{Note, Scratch, Sink, parse_number};
pub use table::{Family, Kind, LeftOut, Names, Part, Section, Series, Table};

/// Why a source said nothing, or not everything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// This machine has no such thing.
    #[error("{0}")]
    Absent(String),
    /// It is there, but this process may not look.
    #[error("{0}")]
    Unreadable(String),
    /// Reading it failed, or it says what nobody understands.
    #[error("{0}")]
    Failed(String),
    /// Something in it does not answer.
    #[error("{0}")]
    Stuck(String),
    /// The host has more series than are said.
    #[error("more than {limit} series: {families} left out; {CROWDED_REMEDY}")]
    Crowded {
        /// Series that are said of the host.
        limit: usize,
        /// What is left out.
        families: String,
    },
}

/// What is to be done where a host has too many series.
pub const CROWDED_REMEDY: &str = "raise `series` below `[limits]` in agent.toml (20000 at most), lower \
                                  `interfaces_per_kind` or `mounts_per_type`, or reduce what this host has";

/// How often a source is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// At each report.
    Report,
    /// Once a minute: it starts a tool or is dear.
    Minute,
}

/// A row of the table of sources.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The name of `node_exporter`'s collector for the same.
    pub name: &'static str,
    /// Says what there is into the sink.
    pub read: fn(&Host, &mut Sink<'_>) -> Result<(), ProbeError>,
    /// How often.
    pub every: Every,
    /// After this many milliseconds the reading thread is given up.
    pub deadline_ms: u64,
}

/// Milliseconds that reading `/proc` and `/sys` may take.
const FILES_MS: u64 = 2000;
/// Milliseconds that all mounts together may take; more than [`filesystem::PASS_MS`].
const MOUNTS_MS: u64 = 4000;
/// Milliseconds that a tool may take with what is around it; more than [`systemd::TOOL_MS`].
const TOOL_MS: u64 = 12_000;
/// Milliseconds that a source of sensors may take: hardware answers slowly, and 256 CPUs at 10 ms each are 2.6 s.
const SENSORS_MS: u64 = 10_000;

/// Every source, in the order in which they are asked: cheap and certain first.
pub const SOURCES: &[Source] = &[
    report("time", time::time),
    report("timex", time::timex),
    report("loadavg", system::load),
    report("stat", system::stat),
    report("cpu", cpu::read),
    report("meminfo", memory::meminfo),
    report("vmstat", memory::vmstat),
    report("pressure", pressure::read),
    report("diskstats", disk::read),
    report("netdev", network::netdev),
    report("netclass", interface::read),
    report("netstat", netstat::read),
    report("sockstat", network::sockstat),
    report("softnet", softnet::read),
    report("udp_queues", sockets::udp),
    report("arp", arp::read),
    report("conntrack", conntrack::read),
    report("schedstat", schedstat::read),
    report("entropy", system::entropy),
    report("kernel_hung", system::hung_tasks),
    report("filefd", system::file_descriptors),
    report("uname", system::uname),
    report("os", os::read),
    report("dmi", dmi::read),
    report("selinux", selinux::read),
    report("process", own::process),
    report("build_info", own::build_info),
    report("bonding", bonding::read),
    report("mdadm", mdadm::read),
    report("nvme", nvme::read),
    report("infiniband", infiniband::read),
    report("xfs", xfs::read),
    report("zfs", zfs::read),
    report("nfs", nfs::client),
    report("nfsd", nfs::server),
    report("ipvs", ipvs::read),
    report("tapestats", tape::read),
    Source { name: "filesystem", read: filesystem::read, every: Every::Report, deadline_ms: MOUNTS_MS },
    minute("interrupts", interrupts::read),
    minute("tcpstat", sockets::tcp),
    minute("processes", processes::read),
    minute("scope", scope::read),
    Source { name: "systemd", read: systemd::read, every: Every::Minute, deadline_ms: TOOL_MS },
    sensors("edac", edac::read),
    sensors("cpu_topology", cpu_topology::read),
    sensors("btrfs", btrfs::read),
    sensors("bcache", bcache::read),
    sensors("zfs_objset", zfs::objsets),
    sensors("rapl", rapl::read),
    sensors("fibrechannel", fibre_channel::read),
    sensors("thermal_zone", thermal::read),
    sensors("powersupplyclass", power_supply::read),
    sensors("hwmon", hwmon::read),
    sensors("cpufreq", cpufreq::read),
    // Last: what another source says is not taken from a script.
    report("textfile", textfile::read),
];

/// Where checks are defined their outcomes are a source more; first, so that no script can take its names.
pub const SOURCES_WITH_CHECKS: &[Source] = &with_checks();

const fn with_checks() -> [Source; SOURCES.len() + 1] {
    let mut all = [report("check", checks::read); SOURCES.len() + 1];
    let mut at = 0;
    while at < SOURCES.len() {
        all[at + 1] = SOURCES[at];
        at += 1;
    }
    all
}

/// The sources of this machine: those of Linux also of its captures, wherever they are looked at.
#[must_use]
pub fn sources(host: &Host) -> &'static [Source] {
    #[cfg(not(target_os = "linux"))]
    if host.is_live() {
        return elsewhere::sources(host);
    }
    if host.checks().is_some() { SOURCES_WITH_CHECKS } else { SOURCES }
}

/// Sources that `node_exporter` counts as successful where there is no such thing: it finds no files and is content. Of
/// all others it says that they failed.
const CONTENT_WITHOUT: [&str; 7] = ["bcache", "btrfs", "cpufreq", "edac", "powersupplyclass", "thermal_zone", "xfs"];

impl Source {
    /// Whether `node_scrape_collector_success` says 1 where this machine has no such thing.
    #[must_use]
    pub fn is_content_without(&self) -> bool {
        CONTENT_WITHOUT.contains(&self.name)
    }
}

const fn report(name: &'static str, read: fn(&Host, &mut Sink<'_>) -> Result<(), ProbeError>) -> Source {
    Source { name, read, every: Every::Report, deadline_ms: FILES_MS }
}

/// Sensors and what moves as slowly: a reading is never older than a minute, and asking costs no report its time.
const fn sensors(name: &'static str, read: fn(&Host, &mut Sink<'_>) -> Result<(), ProbeError>) -> Source {
    Source { name, read, every: Every::Minute, deadline_ms: SENSORS_MS }
}

const fn minute(name: &'static str, read: fn(&Host, &mut Sink<'_>) -> Result<(), ProbeError>) -> Source {
    Source { name, read, every: Every::Minute, deadline_ms: FILES_MS }
}

/// The source could be read but not understood.
fn strange(path: &str, what: &str) -> ProbeError {
    ProbeError::Failed(format!("{path}: {what}"))
}

#[cfg(test)]
mod machine;
#[cfg(test)]
mod mutated;
#[cfg(test)]
mod tests;
