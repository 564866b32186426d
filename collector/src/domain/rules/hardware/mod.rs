//! From what hardware says to what is wrong with it.
//!
//! Plausibility comes first: packed counters, impossible values and constants are told, never believed. What a device
//! declares of itself and redundancy that is lost may be critical; what only predicts is a warning at most; one weak sign
//! alone makes a part doubtful and wakes nobody. Numbers have their source beside them; those that say "Backblaze" were
//! counted over 22 892 drives and 40 days of 2013, 120 of which failed, and 42 of these showed nothing at all before:
//! nothing here promises to see a failure coming.

mod assembly;
pub mod catalogue;
mod counts;
mod drive;
mod fabric;
mod finding;
mod flash;
pub mod growth;
mod kernel_log;
mod network;
mod nvme;
mod parts;
mod pcie;
mod plausible;
pub mod score;
mod scsi;
mod sensors;
pub mod series;
pub mod sheet;
pub mod standing;
pub mod summary;
pub mod together;
pub mod wear;

use serde::Serialize;

pub use self::catalogue::named;
pub use self::finding::{Confidence, Evidence, Finding, Part, Weight};
use crate::domain::hardware::Facts;

/// What became of a part, all findings together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything that was looked at is as it should be.
    Healthy,
    /// It works, and it is going.
    Failing,
    /// It says that it has failed, or it is gone.
    Failed,
    /// One weak sign, or nothing that could be judged.
    Unknown,
}

impl Verdict {
    /// The verdict's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Failing => "failing",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// All findings, the worst first.
#[must_use]
pub fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = match facts {
        Facts::Drive(drive) => drive::judge(drive),
        Facts::Assembly(assembly) => assembly::judge(assembly),
        Facts::Log(log) => kernel_log::judge(log),
        Facts::Sensors(sensors) => sensors::judge(sensors),
        Facts::Memory(memory) => parts::memory(memory),
        Facts::Power(power) => parts::power(power),
        Facts::Gpus(gpus) => parts::gpus(gpus),
        Facts::Nic(nic) => network::judge(nic),
        Facts::Flash(chips) => flash::judge(chips),
        Facts::Pcie(devices) => pcie::judge(devices),
        Facts::Topology(_) | Facts::Nothing(_) | Facts::Ports(_) => Vec::new(),
    };
    findings.sort_by_key(|finding| std::cmp::Reverse((finding.weight, finding.severity)));
    findings.iter_mut().for_each(Finding::cut);
    findings
}

/// What they come to, and why where it is unknown.
#[must_use]
pub fn verdict(facts: &Facts, findings: &[Finding]) -> (Verdict, Option<String>) {
    sum(findings, || facts.silence())
}

/// What findings come to; `silence` says why nothing could be judged, if so.
pub fn sum(findings: &[Finding], silence: impl FnOnce() -> Option<String>) -> (Verdict, Option<String>) {
    match findings.iter().map(|finding| finding.weight).max() {
        Some(Weight::Failed) => (Verdict::Failed, None),
        Some(Weight::Failing) => (Verdict::Failing, None),
        Some(Weight::Doubt) => {
            let doubts = findings.iter().filter(|finding| finding.weight == Weight::Doubt);
            let rules: Vec<&str> = doubts.map(|finding| finding.rule).collect();
            (
                Verdict::Unknown,
                Some(format!("one weak sign is no verdict ({}): watch whether it grows", rules.join(", "))),
            )
        }
        Some(Weight::Told) | None => match silence() {
            Some(reason) => (Verdict::Unknown, Some(reason)),
            None => (Verdict::Healthy, None),
        },
    }
}

#[cfg(test)]
mod tests;
