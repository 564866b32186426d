//! What is promised: how much, in which hours, and what counts for what.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{
    force::Force,
    lattice::{Bucket, Stretch},
    outage_limit::OutageLimit,
    target::Target,
};
use crate::domain::calendar::{Recurring, Span, dates, zone};

/// What time of a kind does to the figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It is taken out of what was agreed.
    Exclude,
    /// It counts as served.
    AsUp,
    /// It counts as an outage.
    AsDown,
}

impl Policy {
    /// The words there are.
    pub const EXPECTED: &str = "one of exclude, as_up, as_down";

    /// From its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Exclude, Self::AsUp, Self::AsDown].into_iter().find(|policy| policy.word() == word)
    }

    /// As files and results write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Exclude => "exclude",
            Self::AsUp => "as_up",
            Self::AsDown => "as_down",
        }
    }
}

/// What is promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its name.
    pub name: String,
    /// How much of the agreed time is promised.
    pub target: Target,
    /// The zone of its calendar.
    pub zone: String,
    /// What planned work counts as.
    pub maintenance: Policy,
    /// What being cut off from the collector counts as.
    pub unreachable: Policy,
    /// What the collector's own absence counts as.
    pub collector_down: Policy,
    /// What time counts as of which nobody can say anything.
    pub unknown: Policy,
    /// What a stop counts as that was asked for.
    pub clean_stop: Policy,
    /// What a check's warning counts as: up or down.
    pub warning: Policy,
    /// When there is service; none: always.
    pub service_hours: Vec<Recurring>,
    /// Dates on which no service begins.
    pub holidays: BTreeSet<Date>,
    /// From when until when it is in force.
    pub force: Force,
    /// How many outages there may be besides.
    pub outages: Option<OutageLimit>,
}

impl Agreement {
    /// One that promises a target around the clock in UTC. Maintenance and what the monitoring could not see are left
    /// out, silence that nothing explains is an outage: that is what users feel.
    #[must_use]
    pub fn new(name: &str, target: Target) -> Self {
        Self {
            name: name.to_owned(),
            target,
            zone: "UTC".to_owned(),
            maintenance: Policy::Exclude,
            unreachable: Policy::Exclude,
            collector_down: Policy::Exclude,
            unknown: Policy::AsDown,
            clean_stop: Policy::AsDown,
            warning: Policy::AsUp,
            service_hours: Vec::new(),
            holidays: BTreeSet::new(),
            force: Force::default(),
            outages: None,
        }
    }

    /// What time of this kind does to the figure.
    #[must_use]
    pub const fn policy(&self, bucket: Bucket) -> Policy {
        match bucket {
            Bucket::OutsideHours => Policy::Exclude,
            Bucket::Maintenance => self.maintenance,
            Bucket::Down => Policy::AsDown,
            Bucket::CleanStop => self.clean_stop,
            Bucket::Up => Policy::AsUp,
            Bucket::Unreachable => self.unreachable,
            Bucket::CollectorDown => self.collector_down,
            Bucket::Unknown => self.unknown,
        }
    }

    /// The times of a window that it does not cover, in order and without overlap.
    #[must_use]
    pub fn closed(&self, window: Span) -> Vec<Stretch> {
        let force = self.force.span(&self.zone);
        let within = Span { from: window.from.max(force.from), until: window.until.min(force.until) };
        let always = self.service_hours.is_empty() && self.holidays.is_empty();
        if always && within == window {
            return Vec::new();
        }
        let mut open = if always { vec![within] } else { self.open(within) };
        let cut = |span: &mut Span| {
            *span = Span { from: span.from.max(within.from), until: span.until.min(within.until) };
            span.from < span.until
        };
        open.retain_mut(cut);
        open.sort_unstable_by_key(|span| span.from);
        let mut closed = Vec::new();
        let mut at = window.from;
        for span in open {
            if at < span.from {
                closed.push(Stretch::new(at, span.from, Bucket::OutsideHours));
            }
            at = at.max(span.until);
        }
        if at < window.until {
            closed.push(Stretch::new(at, window.until, Bucket::OutsideHours));
        }
        closed
    }

    fn open(&self, window: Span) -> Vec<Span> {
        let always = [Recurring::all_day(&self.zone)];
        let hours: &[Recurring] = if self.service_hours.is_empty() { &always } else { &self.service_hours };
        let Some(zone) = zone(&self.zone) else { return Vec::new() };
        let days = dates(window, &zone).filter(|date| !self.holidays.contains(date));
        days.flat_map(|date| hours.iter().filter_map(|hours| hours.on(date, &zone)).collect::<Vec<_>>())
            .filter(|span| span.from < window.until && span.until > window.from)
            .collect()
    }
}
