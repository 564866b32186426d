//! From readings to judgements: everyday rules, with hysteresis.
//!
//! A rule looks at the latest readings of one host and keeps in [`Memory`] what it said before, so that it speaks only
//! when something differs: trouble opened or changed severity, was cleared, or can no longer be judged. Running `for`
//! times live in memory alone: after a restart no finding opens earlier than without it, and at most one `for` later.
//! Rules never see the wire, a clock or the store.
//!
//! One file per topic; a new rule is a function in its topic's file and an entry in [`RULES`].

mod amount;
mod capacity;
mod catalogue;
mod certificate;
mod clock;
mod filesystem;
mod gaps;
pub mod hardware;
mod heat;
mod judging;
mod memory;
mod minutes;
mod pending;
mod pressure;
mod reboot;
mod series;
mod settings;
mod single;
mod slow_disk;
mod standing;
mod swap;
mod systemd;
mod throttle;
mod voltage;
mod words;

use self::{
    judging::Judging,
    minutes::Minutes,
    pending::Pending,
    single::{Single, Singles},
    standing::Standing,
};
use super::{time::Timestamp, trend::forecast::Filling};
use crate::domain::{
    finding::{FindingRow, Judgement},
    readings::{
        dictionary::{Dictionary, draft::Omissions, is_absent},
        source::{Source, SourceState},
    },
};

pub use self::{
    amount::Unit,
    catalogue::{Limit, RULES, Rule},
    filesystem::SPACE as FILESYSTEM_SPACE,
    settings::{Change, Effective, Line, Selector, Settings, Thresholds},
};

/// Between readings further apart than this nobody watched: what was running starts anew. Three intervals of the slowest
/// watch level.
const UNSEEN_MS: u64 = 180_000;

/// The source of evidence that says which processes take most of the machine.
pub const PROCESSES: &str = "processes";

/// Where the rules' inputs are in a dictionary; made once when it is sealed.
#[derive(Debug, Default)]
pub struct Index {
    filesystems: Box<[filesystem::Places]>,
    filesystem_errors: Box<[u32]>,
    failed_units: Box<[u32]>,
    restarts: Box<[u32]>,
    certificates: Box<[u32]>,
    temperatures: Box<[heat::Sensor]>,
    fans: Box<[heat::Sensor]>,
    voltages: Box<[voltage::Sensor]>,
    packages: Box<[(Box<str>, u32)]>,
    disks: Box<[slow_disk::Disk]>,
    singles: Singles,
    processors: u32,
}

impl Index {
    /// The index into `dictionary`.
    #[must_use]
    pub fn of(dictionary: &Dictionary) -> Self {
        Self {
            filesystems: filesystem::places(dictionary),
            filesystem_errors: filesystem::errors(dictionary),
            failed_units: systemd::failed_places(dictionary),
            restarts: systemd::restart_places(dictionary),
            certificates: certificate::places(dictionary),
            temperatures: heat::temperatures(dictionary),
            fans: heat::fans(dictionary),
            voltages: voltage::sensors(dictionary),
            packages: throttle::packages(dictionary),
            disks: slow_disk::disks(dictionary),
            singles: Singles::of(dictionary),
            processors: pressure::processors(dictionary),
        }
    }
}

/// What the rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What the values mean.
    pub dictionary: &'a Dictionary,
    /// Where the rules look in it.
    pub index: &'a Index,
    /// The latest values, by place.
    pub values: &'a [f64],
    /// What the sources say of themselves.
    pub sources: &'a [Source],
    /// What of its declarations is not shown.
    pub omissions: &'a Omissions,
    /// What is too little.
    pub thresholds: &'a Thresholds,
    /// When the readings arrived.
    pub now: Timestamp,
    /// The host's time since boot when they were taken.
    pub uptime_ms: u64,
    /// How far the host's wall clock was ahead of ours; the way here is in it.
    pub clock_ahead_ms: i64,
    /// Which file systems will be full when, as their trends say; `None` before they were asked.
    pub growth: Option<&'a [Filling]>,
}

impl Inputs<'_> {
    fn value(&self, place: u32) -> f64 {
        self.values[place as usize]
    }

    /// NaN where there is none.
    fn single(&self, single: Single) -> f64 {
        self.index.singles.place(single).map_or(f64::NAN, |place| {
            let value = self.value(place);
            if is_absent(value) { f64::NAN } else { value }
        })
    }

    /// Why this source's readings cannot be judged now, if so. A source that says nothing of itself is taken as ok.
    fn silence_of(&self, source: &str) -> Option<String> {
        let source = self.sources.iter().find(|known| &*known.name == source)?;
        let reason = if source.reason.is_empty() { "no reason given" } else { &source.reason };
        (source.state != SourceState::Ok)
            .then(|| format!("the source {} is {}: {reason}", source.name, source.state.word()))
    }
}

/// What the rules know of one host besides its readings: what they said, so that they speak only when it changes, and
/// what is still running.
#[derive(Debug, Default)]
pub struct Memory {
    standing: Standing,
    pending: Pending,
    minutes: Minutes,
    kills: memory::Kills,
    restarts: systemd::Restarts,
    boots: reboot::Boots,
    writable: filesystem::Writable,
    turning: heat::Turning,
    throttled: throttle::Hours,
    work: slow_disk::Work,
    gaps: gaps::Gaps,
    last_uptime_ms: u64,
    anew: bool,
}

impl Memory {
    /// Judges; returns what differs from before.
    pub fn judge(&mut self, inputs: &Inputs<'_>) -> Vec<Judgement> {
        let since_last = inputs.uptime_ms.checked_sub(self.last_uptime_ms);
        if since_last.is_none_or(|passed| passed > UNSEEN_MS) {
            self.forget_pending();
        }
        self.last_uptime_ms = inputs.uptime_ms;
        self.minutes.feed(inputs.uptime_ms, pressure::counters(inputs));
        let (standing, pending) = (&mut self.standing, &mut self.pending);
        let anew = std::mem::take(&mut self.anew);
        let mut judging = Judging { inputs, standing, pending, anew, told: Vec::new() };
        filesystem::judge(&mut judging, &mut self.writable);
        memory::judge(&mut judging, &self.minutes, &mut self.kills);
        swap::judge(&mut judging, &self.minutes);
        pressure::judge(&mut judging, &self.minutes);
        systemd::judge(&mut judging, &mut self.restarts);
        clock::judge(&mut judging);
        reboot::judge(&mut judging, &mut self.boots);
        capacity::judge(&mut judging);
        heat::judge(&mut judging, &mut self.turning);
        throttle::judge(&mut judging, &mut self.throttled);
        voltage::judge(&mut judging);
        slow_disk::judge(&mut judging, &mut self.work);
        certificate::judge(&mut judging);
        gaps::judge(&mut judging, &mut self.gaps);
        series::judge(&mut judging);
        judging.pending.sweep(inputs.uptime_ms);
        judging.told
    }

    /// Services that were restarted in the last pass, in words.
    pub fn take_restarted(&mut self) -> Vec<String> {
        self.restarts.take_noticed()
    }

    /// The host says that it could not report.
    pub fn unreported(&mut self, words: String) {
        self.gaps.note(words);
    }

    /// Takes over which findings are open; whatever else was thought open is not.
    pub fn adopt(&mut self, open: &[FindingRow]) {
        self.standing = Standing::of(open);
    }

    /// The limits are others from now on.
    pub fn judge_anew(&mut self) {
        self.anew = true;
    }

    /// Starts all running `for` times anew.
    pub fn forget_pending(&mut self) {
        self.pending.clear();
        self.minutes.clear();
        self.restarts.forget();
        self.turning.forget();
        self.throttled.forget();
        self.work.forget();
    }
}

#[cfg(test)]
mod tests;
