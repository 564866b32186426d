//! From readings to judgements: everyday rules, with hysteresis.
//!
//! A rule looks at the latest readings of one host and keeps in [`Memory`] what it said before, so that it speaks only
//! when something differs: trouble opened or changed severity, was cleared, or can no longer be judged. Running `for`
//! times live in memory alone: after a restart no finding opens earlier than without it.
//! Rules never see the wire, a clock or the store.

mod filesystem;
mod series;
mod standing;
mod systemd;

use self::standing::Standing;
use super::{
    event::Judgement,
    host::{
        dictionary::{Dictionary, draft::Omissions},
        slot::{Source, SourceState},
    },
    record::FindingRow,
};

pub use self::{
    filesystem::RULE as FILESYSTEM_SPACE, series::RULE as SERIES_LEFT_OUT, systemd::RULE as SYSTEMD_UNIT_FAILED,
};

/// Thresholds of the everyday rules, as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// File system: warning when free space falls below this share (0-1).
    pub filesystem_warning_ratio: f64,
    /// Critical below this share.
    pub filesystem_critical_ratio: f64,
    /// Cleared only when free space is above the threshold by this much (share, 0-1).
    pub filesystem_hysteresis_ratio: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { filesystem_warning_ratio: 0.10, filesystem_critical_ratio: 0.05, filesystem_hysteresis_ratio: 0.02 }
    }
}

/// Where the rules' inputs are in a dictionary; made once when it is sealed.
#[derive(Debug, Default)]
pub struct Index {
    filesystems: Box<[filesystem::Places]>,
    filesystem_errors: Box<[u32]>,
    failed_units: Box<[u32]>,
}

impl Index {
    /// The index into `dictionary`.
    #[must_use]
    pub fn of(dictionary: &Dictionary) -> Self {
        Self {
            filesystems: filesystem::places(dictionary),
            filesystem_errors: filesystem::errors(dictionary),
            failed_units: systemd::places(dictionary),
        }
    }
}

/// What the rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What the values mean.
    pub dictionary: &'a Dictionary,
    /// The latest values, by place.
    pub values: &'a [f64],
    /// What the sources say of themselves.
    pub sources: &'a [Source],
    /// What of its declarations is not shown.
    pub omissions: &'a Omissions,
    /// What is too little.
    pub thresholds: &'a Thresholds,
}

impl Inputs<'_> {
    fn value(&self, place: u32) -> f64 {
        self.values[place as usize]
    }

    /// Why this source's readings cannot be judged now, if so. A source that says nothing of itself is taken as ok.
    fn silence_of(&self, source: &str) -> Option<String> {
        let source = self.sources.iter().find(|known| &*known.name == source)?;
        let reason = if source.reason.is_empty() { "no reason given" } else { &source.reason };
        (source.state != SourceState::Ok)
            .then(|| format!("the source {} is {}: {reason}", source.name, source.state.word()))
    }
}

/// What the rules said of one host, so that they speak only when it changes.
#[derive(Debug, Default)]
pub struct Memory {
    filesystems: Standing,
    series: Standing,
    units: Standing,
    failed_once: std::collections::BTreeSet<String>,
}

impl Memory {
    /// Judges; returns what differs from before.
    pub fn judge(&mut self, inputs: &Inputs<'_>) -> Vec<Judgement> {
        let mut differences = Vec::new();
        filesystem::judge(inputs, &mut self.filesystems, &mut differences);
        series::judge(inputs, &mut self.series, &mut differences);
        systemd::judge(inputs, &mut self.units, &mut self.failed_once, &mut differences);
        differences
    }

    /// Takes over which findings are open; whatever else was thought open is not.
    pub fn adopt(&mut self, open: &[FindingRow]) {
        self.filesystems = Standing::of(open, filesystem::RULE);
        self.series = Standing::of(open, series::RULE);
        self.units = Standing::of(open, systemd::RULE);
    }

    /// Starts all running `for` times anew.
    pub fn forget_pending(&mut self) {
        self.failed_once.clear();
    }
}

#[cfg(test)]
mod tests;
