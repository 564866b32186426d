//! A reckoning as it is handed out: the same fields wherever figures of an agreement are read.

use serde::Serialize;

use super::{
    Reckoning,
    agreement::Agreement,
    buckets::Buckets,
    figures::{Figures, Verdict},
    lattice::Bucket,
    outage_limit::OutageCount,
    target::Ratio,
};
use crate::domain::calendar::Span;

/// The lengths of a window and what they mean. Lengths are whole milliseconds; `window_ms` is the sum of the seven that
/// follow it. Ratios are null where there is nothing to divide by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// How long the window is.
    pub window_ms: i64,
    /// Outside of the service hours, or the subject was not in service.
    pub outside_hours_ms: i64,
    /// Proven to serve.
    pub up_ms: i64,
    /// Proven not to serve, planned stops of `clean_stop_ms` among them.
    pub down_ms: i64,
    /// Planned work.
    pub maintenance_ms: i64,
    /// Cut off from the collector.
    pub unreachable_ms: i64,
    /// The collector did not run.
    pub collector_down_ms: i64,
    /// Nobody can say.
    pub unknown_ms: i64,
    /// Part of `down_ms`: after a stop that was asked for.
    pub clean_stop_ms: i64,
    /// What availability is a part of: the window without what the agreement leaves out.
    pub agreed_ms: i64,
    /// What of it counts as served.
    pub served_ms: i64,
    /// Served of agreed.
    pub availability_ratio: Option<f64>,
    /// Proven one way or the other, of what should have been served.
    pub coverage_ratio: Option<f64>,
    /// With all that could not be proven as up.
    pub optimistic_ratio: Option<f64>,
    /// With all that could not be proven as down.
    pub pessimistic_ratio: Option<f64>,
    /// Whether the promise was kept.
    pub verdict: Verdict,
}

impl Told {
    /// Of buckets and what they mean.
    #[must_use]
    pub fn of(buckets: &Buckets, figures: &Figures) -> Self {
        let value = |ratio: Option<Ratio>| ratio.map(Ratio::value);
        Self {
            window_ms: buckets.window_ms(),
            outside_hours_ms: buckets.ms(Bucket::OutsideHours),
            up_ms: buckets.ms(Bucket::Up),
            down_ms: buckets.ms(Bucket::Down) + buckets.ms(Bucket::CleanStop),
            maintenance_ms: buckets.ms(Bucket::Maintenance),
            unreachable_ms: buckets.ms(Bucket::Unreachable),
            collector_down_ms: buckets.ms(Bucket::CollectorDown),
            unknown_ms: buckets.ms(Bucket::Unknown),
            clean_stop_ms: buckets.ms(Bucket::CleanStop),
            agreed_ms: figures.agreed_ms,
            served_ms: figures.served_ms,
            availability_ratio: value(figures.availability),
            coverage_ratio: value(figures.coverage),
            optimistic_ratio: value(figures.optimistic),
            pessimistic_ratio: value(figures.pessimistic),
            verdict: figures.verdict,
        }
    }
}

/// The figures of one subject in one window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Computed<'a> {
    /// What was observed; null where nothing was.
    pub subject: Option<&'a str>,
    /// The agreement's name.
    pub agreement: &'a str,
    /// What it promises, in percent.
    pub target: f64,
    /// The window's first instant, RFC 3339 in UTC.
    pub from: String,
    /// The first instant after it.
    pub to: String,
    /// Its lengths and what they mean.
    #[serde(flatten)]
    pub told: Told,
    /// How many outages there were, where the agreement limits their number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outage_count: Option<Counted>,
}

/// How many outages there were, between two bounds: what could not be proven may have been some or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// At least these.
    pub at_least: i64,
    /// At most these.
    pub at_most: i64,
    /// Whether that is within the limit.
    pub verdict: Verdict,
}

impl From<OutageCount> for Counted {
    fn from(count: OutageCount) -> Self {
        Self { at_least: count.at_least, at_most: count.at_most, verdict: count.verdict() }
    }
}

impl<'a> Computed<'a> {
    /// Of a reckoning.
    #[must_use]
    pub fn of(subject: Option<&'a str>, agreement: &'a Agreement, window: Span, reckoning: &Reckoning) -> Self {
        Self {
            subject,
            agreement: &agreement.name,
            target: agreement.target.percent().parse().unwrap_or_default(),
            from: window.from.to_string(),
            to: window.until.to_string(),
            told: Told::of(&reckoning.buckets, &reckoning.figures),
            outage_count: agreement.outages.map(|limit| limit.count(agreement, &reckoning.stretches).into()),
        }
    }
}
