//! A report day by day: what came of each day of its calendar, over all subjects together.

use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};

use super::{agreement::Agreement, buckets::Buckets, figures::Figures, lattice::Stretch, report::Report};
use crate::domain::calendar::{Edge, Span, at, dates};

/// A day of the calendar, as far as it belongs to the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// Its date.
    pub date: Date,
    /// How long each bucket was, over all subjects; nothing of a day to come.
    pub buckets: Buckets,
    /// What that means.
    pub figures: Figures,
}

/// Each day of the period, in order. Days are as long as their calendar has them.
#[must_use]
pub fn days(agreement: &Agreement, report: &Report, zone: &TimeZone) -> Vec<Day> {
    let (period, midnight) = (report.period.span, |date: Date| at(date, Time::midnight(), zone, Edge::Start));
    let day = |date: Date| (date, Span { from: midnight(date), until: midnight(date.tomorrow().unwrap_or(date)) });
    let belongs = |(_, day): &(Date, Span)| day.from < period.until && day.until > period.from;
    let (dates, spans): (Vec<Date>, Vec<Span>) = dates(period, zone).map(day).filter(belongs).unzip();
    let mut sums = vec![Buckets::default(); dates.len()];
    for stretch in report.lines.iter().flat_map(|line| &line.reckoning.stretches) {
        let first = spans.partition_point(|day| day.until <= stretch.span.from);
        for (day, sum) in spans.iter().zip(&mut sums).skip(first).take_while(|(day, _)| day.from < stretch.span.until) {
            let span = Span { from: stretch.span.from.max(day.from), until: stretch.span.until.min(day.until) };
            *sum = *sum + Buckets::of(&[Stretch { span, bucket: stretch.bucket }]);
        }
    }
    let day = |(date, buckets)| Day { date, buckets, figures: Figures::of(&buckets, agreement) };
    dates.into_iter().zip(sums).map(day).collect()
}
