//! How many outages there may be, and how many there were as far as can be known.

use super::{
    agreement::{Agreement, Policy},
    figures::Verdict,
    lattice::{Bucket, Stretch},
};

/// How many outages a subject may have in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutageLimit {
    /// No more than these.
    pub most: i64,
    /// Shorter ones are not counted, in milliseconds.
    pub shortest_ms: i64,
}

/// How many outages there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutageCount {
    /// What is asked.
    pub limit: OutageLimit,
    /// With each unproven stretch up or down, as leaves the fewest.
    pub at_least: i64,
    /// The same, as leaves the most.
    pub at_most: i64,
}

/// What a stretch may be to an outage.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Down,
    Unproven,
}

impl OutageLimit {
    /// Counts the outages of a window. An unproven stretch is up or down as a whole.
    #[must_use]
    pub fn count(self, agreement: &Agreement, stretches: &[Stretch]) -> OutageCount {
        let mut count = OutageCount { limit: self, at_least: 0, at_most: 0 };
        let mut run: Vec<(Part, i64)> = Vec::new();
        for stretch in stretches {
            let length = stretch.span.until.since_ms(stretch.span.from);
            match part(stretch.bucket, agreement) {
                None => count.close(&mut run),
                Some(part) => match run.last_mut() {
                    Some((last, sum)) if *last == part => *sum += length,
                    _ => run.push((part, length)),
                },
            }
        }
        count.close(&mut run);
        count
    }
}

impl OutageCount {
    /// Whether it was kept.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        if self.at_most <= self.limit.most {
            Verdict::Met
        } else if self.at_least > self.limit.most {
            Verdict::Missed
        } else {
            Verdict::Undetermined
        }
    }

    /// Counts a run without anything up in it.
    fn close(&mut self, run: &mut Vec<(Part, i64)>) {
        let long = |ms: i64| ms >= self.limit.shortest_ms;
        // With all of it down a run is one outage at most, and what is short alone is none.
        self.at_least += i64::from(run.iter().any(|(part, ms)| *part == Part::Down && long(*ms)));
        // Down and unproven take turns: each outage ends at the first unproven stretch that it can do without.
        let mut sum: Option<i64> = None;
        for (part, ms) in run.drain(..) {
            match sum {
                Some(down) if part == Part::Unproven && long(down) => {
                    self.at_most += 1;
                    sum = None;
                }
                _ => sum = Some(sum.unwrap_or(0) + ms),
            }
        }
        self.at_most += i64::from(sum.is_some_and(long));
    }
}

/// What a stretch is, unless it ends whatever was before it.
fn part(bucket: Bucket, agreement: &Agreement) -> Option<Part> {
    match bucket {
        Bucket::Down => Some(Part::Down),
        Bucket::CleanStop if agreement.clean_stop == Policy::AsDown => Some(Part::Down),
        Bucket::Unreachable | Bucket::CollectorDown | Bucket::Unknown => Some(Part::Unproven),
        Bucket::CleanStop | Bucket::OutsideHours | Bucket::Maintenance | Bucket::Up => None,
    }
}
