//! Once a minute the trends' readings of one host are taken from its slot and kept until their hour is written.

use std::sync::Arc;

use super::{
    index::{Growth, Index, Source, sum},
    minutes::{Minutes, row_of},
    reading::Series,
};
use crate::domain::{readings::dictionary::is_absent, time::Timestamp};

const MINUTE_MS: i64 = 60_000;
/// Samples held as they are; then they are packed to what came before.
const LOOSE: usize = 10;
/// Hours held while they cannot be written; beyond, the oldest is lost.
const FINISHED: usize = 2;
/// A counter's growth over more than this is no minute's.
const RATE_OVER_MS: i64 = 180_000;
/// The agent's clock is believed while it differs from ours by less than this between two samples.
const CLOCKS_DIFFER_MS: i64 = 5_000;

/// What is held of one host.
#[derive(Debug, Default)]
pub struct Sampler {
    phase: u8,
    /// The minute sampled last.
    minute: i64,
    /// When, by our clock and by the agent's.
    sampled: Option<(Timestamp, i64)>,
    /// Where the counters stood, in the order of the index that they were read by.
    totals: Vec<Total>,
    loose: Vec<Sample>,
    open: Option<Held>,
    finished: Vec<Held>,
}

/// Where a counter stood.
#[derive(Debug, Clone, Copy)]
struct Total {
    growth: Growth,
    first: f64,
    second: f64,
}

/// One minute as sampled.
#[derive(Debug)]
struct Sample {
    minute: i64,
    series: Arc<[Series]>,
    /// `f32` is exact to one in sixteen million: far finer than any scale.
    values: Box<[f32]>,
}

/// A packed row.
#[derive(Debug)]
struct Held {
    from: i64,
    series: Arc<[Series]>,
    packed: Box<[u8]>,
}

impl Held {
    fn new(minutes: &Minutes, like: &Arc<[Series]>) -> Self {
        let series = if minutes.columns.keys().eq(like.iter()) { Arc::clone(like) } else { minutes.series().into() };
        Self { from: minutes.from, series, packed: minutes.pack().into() }
    }

    fn unpack(&self) -> Minutes {
        let series: Vec<_> = self.series.iter().cloned().map(Some).collect();
        Minutes::unpack(self.from, &series, &self.packed)
    }
}

impl Sampler {
    /// Of a host whose hours begin at this minute.
    #[must_use]
    pub fn new(phase: u8) -> Self {
        Self { phase, minute: i64::MIN, ..Self::default() }
    }

    /// Takes the values, unless this minute has been sampled. `values` are by place.
    pub fn sample(&mut self, index: &Index, values: &[f64], agent_wall_ms: i64, now: Timestamp) {
        let minute = now.ms().div_euclid(MINUTE_MS);
        if minute == self.minute {
            return;
        }
        let elapsed_ms = self.elapsed_ms(agent_wall_ms, now);
        self.minute = minute;
        self.sampled = Some((now, agent_wall_ms));
        let mut totals = Vec::with_capacity(self.totals.len());
        let mut taken = Vec::with_capacity(index.sources.len());
        for source in &index.sources {
            let value = self.value(source, values, elapsed_ms, &mut totals);
            #[expect(clippy::cast_possible_truncation, reason = "kept far less exactly than that")]
            taken.push(value.map_or(f32::NAN, |value| value as f32));
        }
        totals.shrink_to_fit();
        self.totals = totals;
        self.keep(Sample { minute, series: Arc::clone(&index.series), values: taken.into() });
    }

    /// The collector's clock was set: what was sampled keeps its minutes, growth begins anew.
    pub fn clock_set(&mut self) {
        (self.sampled, self.minute) = (None, i64::MIN);
    }

    /// The time since the last sample, by the agent's clock where that can be right.
    fn elapsed_ms(&self, agent_wall_ms: i64, now: Timestamp) -> Option<i64> {
        let (last, last_agent_ms) = self.sampled?;
        let (ours, theirs) = (now.since_ms(last), agent_wall_ms.saturating_sub(last_agent_ms));
        let elapsed = if theirs.saturating_sub(ours).saturating_abs() < CLOCKS_DIFFER_MS { theirs } else { ours };
        Some(elapsed).filter(|elapsed| (1..=RATE_OVER_MS).contains(elapsed))
    }

    fn value(&self, source: &Source, values: &[f64], elapsed_ms: Option<i64>, totals: &mut Vec<Total>) -> Option<f64> {
        let at = totals.len();
        let mut grown = |growth: Growth, first: f64, second: f64| {
            totals.push(Total { growth, first, second });
            let before = self.totals.get(at).filter(|before| before.growth == growth);
            // Where others came between, it may have moved.
            let before = before.or_else(|| self.totals.iter().find(|before| before.growth == growth))?;
            (first >= before.first && second >= before.second && elapsed_ms.is_some())
                .then_some((first - before.first, second - before.second))
        };
        let seconds = || elapsed_ms.map(|ms| ms as f64 / 1000.0);
        match source {
            Source::Gauge(place, factor) => {
                Some(values[*place as usize]).filter(|value| !is_absent(*value)).map(|value| value * factor)
            }
            Source::Highest(places) => {
                let present = places.iter().map(|place| values[*place as usize]).filter(|value| !value.is_nan());
                present.reduce(f64::max)
            }
            Source::Rate(places, growth) => Some(grown(*growth, sum(values, places)?, 0.0)?.0 / seconds()?),
            Source::Busy(busy, idle, growth) => {
                let (busy, _) = grown(*growth, sum(values, busy)?, sum(values, idle)?)?;
                Some((busy / seconds()? / idle.len() as f64).clamp(0.0, 1.0))
            }
            Source::Each(time, operations, growth) => {
                let (time, operations) = grown(*growth, sum(values, time)?, sum(values, operations)?)?;
                // Nothing was asked, so nothing waited.
                Some(if operations > 0.0 { time / operations } else { 0.0 })
            }
        }
    }

    fn keep(&mut self, sample: Sample) {
        let from = row_of(sample.minute, self.phase);
        let open_from = self.loose.first().map(|sample| row_of(sample.minute, self.phase));
        let open_from = self.open.as_ref().map(|open| open.from).or(open_from);
        if open_from.is_some_and(|open| open != from) {
            self.finish();
        }
        self.loose.push(sample);
        if self.loose.len() >= LOOSE {
            self.pack();
        }
    }

    fn finish(&mut self) {
        self.pack();
        self.finished.extend(self.open.take());
        if self.finished.len() > FINISHED {
            self.finished.remove(0);
        }
    }

    fn pack(&mut self) {
        let Some(last) = self.loose.last().map(|sample| Arc::clone(&sample.series)) else { return };
        let minutes = self.open_minutes();
        self.loose.clear();
        self.open = minutes.map(|minutes| Held::new(&minutes, &last));
    }

    fn open_minutes(&self) -> Option<Minutes> {
        let from = self.loose.first().map(|sample| row_of(sample.minute, self.phase));
        let mut minutes = match &self.open {
            Some(open) => open.unpack(),
            None => Minutes::new(from?),
        };
        for sample in &self.loose {
            for (series, value) in sample.series.iter().zip(&sample.values) {
                minutes.set(sample.minute, series, f64::from(*value));
            }
        }
        Some(minutes)
    }

    /// What is not written yet, oldest first.
    #[must_use]
    pub fn held(&self) -> Vec<Minutes> {
        self.finished.iter().map(Held::unpack).chain(self.open_minutes()).collect()
    }

    /// The hours that are over by `now`, to be written; they are held here no longer.
    pub fn take_finished(&mut self, now: Timestamp) -> Vec<Minutes> {
        let current = row_of(now.ms().div_euclid(MINUTE_MS), self.phase);
        let minute = self.loose.last().map(|sample| sample.minute).or(self.open.as_ref().map(|open| open.from));
        if minute.is_some_and(|minute| row_of(minute, self.phase) != current) {
            self.finish();
        }
        std::mem::take(&mut self.finished).iter().map(Held::unpack).collect()
    }

    /// All that is held, to be written before the end; it is held here no longer.
    pub fn take_all(&mut self) -> Vec<Minutes> {
        self.finish();
        std::mem::take(&mut self.finished).iter().map(Held::unpack).collect()
    }
}

#[cfg(test)]
mod tests;
