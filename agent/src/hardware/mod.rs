//! Evidence of the hardware: what tools and files say of drives, arrays, memory, the kernel and the BMC, as they say it.
//!
//! The collector judges it; nothing here does, nor reads a verdict out of it. Each source has a cadence of its own, far
//! from the report's, and is looked at on a thread that ends with the look ([`running`]); what is the same as at the last
//! time is not told again ([`told`]). What cannot be seen is told too, with the reason: absent data is neither good nor bad.

mod block;
mod fabric;
mod files;
mod found;
mod gpu;
mod ipmi;
mod kernel_log;
mod network;
mod pcie;
mod pools;
mod power;
pub mod print;
pub mod prove;
mod raid;
mod resync;
pub mod running;
mod smart;
#[cfg(test)]
mod testing;
mod text;
pub mod told;
mod tool;
mod topology;
mod volumes;

use std::time::Duration;

use crate::host::Host;

pub use found::{Found, Outcome, PAYLOAD_MAX, Why, packed};
pub use kernel_log::Position;

/// How often drives, optics, GPUs, RAID controllers and the BMC are asked where nothing else is configured. A drive writes its own
/// attributes to its medium every few minutes to hours; hours of operation move hourly, and a reading of the temperature
/// twice an hour shows a day's course. Standby timers are shorter than this or longer than any cadence worth having.
pub const INTERVAL: Duration = Duration::from_secs(30 * 60);
/// The shortest and the longest interval.
pub const INTERVAL_MIN: Duration = Duration::from_secs(60);
/// See [`INTERVAL_MIN`].
pub const INTERVAL_MAX: Duration = Duration::from_secs(24 * 3600);

/// When a source is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// The configured interval: it costs a program and may disturb a device.
    Interval,
    /// So many minutes.
    Minutes(u64),
    /// When the kernel says something, at most every ten seconds; where that cannot be noticed, every minute.
    Messages,
}

/// One source: a file or a tool, or several that belong together.
#[derive(Debug)]
pub struct Source {
    /// Its name, in logs and in [`told`].
    pub name: &'static str,
    /// When it is looked at again.
    pub every: Every,
    /// All its parts are found in each look, so that one that is missing is gone.
    pub whole: bool,
    /// An event: on the disk before anything else, the last to be given up.
    pub urgent: bool,
    look: fn(&mut Look<'_>) -> Vec<Found>,
}

/// All sources.
pub static SOURCES: &[Source] = &[
    // Files first: what costs a program, or waits for a device, keeps the rest waiting.
    Source { name: "kernel log", every: Every::Messages, whole: false, urgent: true, look: kernel_log::look },
    Source { name: "files", every: Every::Minutes(1), whole: true, urgent: false, look: files::look },
    Source { name: "block devices", every: Every::Minutes(5), whole: true, urgent: false, look: topology::look },
    Source { name: "network", every: Every::Minutes(5), whole: true, urgent: false, look: network::counters },
    Source { name: "pcie", every: Every::Minutes(5), whole: true, urgent: false, look: pcie::look },
    Source { name: "infiniband", every: Every::Minutes(5), whole: true, urgent: false, look: fabric::look },
    Source { name: "links", every: Every::Interval, whole: true, urgent: false, look: fabric::links },
    Source { name: "volumes", every: Every::Minutes(5), whole: true, urgent: false, look: volumes::look },
    Source { name: "supplies", every: Every::Minutes(1), whole: true, urgent: false, look: power::supplies },
    Source { name: "batteries", every: Every::Minutes(60), whole: true, urgent: false, look: power::batteries },
    Source { name: "pools", every: Every::Minutes(5), whole: true, urgent: false, look: pools::look },
    Source { name: "drives", every: Every::Interval, whole: true, urgent: false, look: smart::look },
    Source { name: "optics", every: Every::Interval, whole: true, urgent: false, look: network::modules },
    Source { name: "gpus", every: Every::Interval, whole: true, urgent: false, look: gpu::look },
    Source { name: "raid", every: Every::Interval, whole: true, urgent: false, look: raid::look },
    Source { name: "bmc", every: Every::Interval, whole: true, urgent: false, look: ipmi::look },
    // The last: what it asks is asked of drives that were looked at before.
    Source { name: "proofs", every: Every::Minutes(10), whole: false, urgent: false, look: prove::look },
    // Only a crash brings a new one; its traces may be moved away at any time.
    Source { name: "crashes", every: Every::Minutes(60), whole: false, urgent: false, look: kernel_log::crashes },
];

/// What is said not to be read where the system is not Linux: a source, and what it would tell of.
const UNREAD: [(&str, &str); 3] = [("drives", "smartctl-json"), ("kernel log", "kernel-log"), ("files", "edac")];

/// What a source remembers between two looks.
#[derive(Debug, Default)]
pub struct Memory {
    drives: smart::Drives,
    alone: tool::Alone,
    log: kernel_log::Log,
    links: pcie::Links,
    progress: resync::Progress,
    proofs: prove::Proofs,
}

/// One look at a source.
#[derive(Debug)]
pub struct Look<'a> {
    /// The machine.
    pub host: &'a Host,
    /// What was remembered of the last look.
    pub memory: &'a mut Memory,
    /// Milliseconds since boot.
    pub now_ms: u64,
}

/// What one look at a source brought.
#[derive(Debug)]
pub struct Batch {
    /// The source.
    pub source: &'static Source,
    /// What was found.
    pub found: Vec<Found>,
    /// Up to where the kernel's log was read.
    pub position: Option<Position>,
}

impl Source {
    /// Looks, which may take minutes.
    #[must_use]
    pub fn look(&'static self, host: &Host, memory: &mut Memory, now_ms: u64) -> Batch {
        let mut found = match host.elsewhere() {
            None => (self.look)(&mut Look { host, memory, now_ms }),
            // Nothing is claimed to be absent where nobody looked.
            Some(system) => {
                let told = UNREAD.iter().filter(|(name, _)| *name == self.name);
                told.map(|(_, source)| Found::unseen(*source, "", Why::NotInstalled, format!("not read on {system}")))
                    .collect()
            }
        };
        found.iter_mut().for_each(|found| found.withhold(host.withheld()));
        Batch { source: self, found, position: memory.log.position() }
    }
}
