//! An agreement over a period: each subject on its own, and all together.

use super::{
    Reckoning,
    agreement::Agreement,
    buckets::Buckets,
    figures::{Figures, Verdict},
    history::Observation,
    lattice::{Bucket, Stretch},
    outages::{Means, Outage, outages},
    period::{Length, Period},
    reckon_within,
};
use crate::domain::{
    calendar::Span,
    hold::Scope,
    ids::{HostId, HostNo},
    time::Timestamp,
};

/// An agreement as declared: what is promised, to whom it applies, and over which time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What is promised.
    pub agreement: Agreement,
    /// Over which time.
    pub period: Length,
    /// Which hosts; each has to keep it.
    pub scope: Scope,
}

/// What is known of a subject.
#[derive(Debug, Clone)]
pub struct Known {
    /// Which host.
    pub host: HostNo,
    /// Its id outside.
    pub id: HostId,
    /// Its display name.
    pub name: String,
    /// What was observed.
    pub observed: Vec<Observation>,
    /// Planned work, and of which window.
    pub maintenance: Vec<(Span, String)>,
}

/// A subject's part of a report.
#[derive(Debug, Clone)]
pub struct Line {
    /// What was known.
    pub known: Known,
    /// What it comes to.
    pub reckoning: Reckoning,
    /// What counts against it.
    pub outages: Vec<Outage>,
    /// What is asked of them.
    pub means: Means,
}

/// An agreement over a period.
#[derive(Debug, Clone)]
pub struct Report {
    /// The period.
    pub period: Period,
    /// What of it is over.
    pub window: Span,
    /// Subjects, in the order given.
    pub lines: Vec<Line>,
    /// Of all subjects together.
    pub buckets: Buckets,
    /// What that means. Its verdict: missed if one subject's is, met if all are.
    pub figures: Figures,
    /// Availability and verdict at the period's end, if nothing more happens.
    pub at_best: Figures,
    /// What may still be missing of all subjects' agreed time in the whole period, in milliseconds; negative: overdrawn.
    pub budget_left_ms: i64,
    /// What might be missing in the whole period.
    pub budget_ms: i64,
}

impl Report {
    /// Reckons it. `window` is what of the period is over.
    #[must_use]
    pub fn of(declared: &Declared, period: Period, window: Span, subjects: Vec<Known>, now: Timestamp) -> Self {
        let agreement = &declared.agreement;
        let (closed, closed_later) = (agreement.closed(window), agreement.closed(period.span));
        let mut report = Self {
            window,
            lines: Vec::with_capacity(subjects.len()),
            buckets: Buckets::default(),
            figures: Figures::of(&Buckets::default(), agreement),
            at_best: Figures::of(&Buckets::default(), agreement),
            budget_left_ms: 0,
            budget_ms: 0,
            period,
        };
        let mut whole = Buckets::default();
        let (mut verdicts, mut later) = (Vec::new(), Vec::new());
        for known in subjects {
            let mut rows: Vec<Stretch> = known.observed.iter().map(|entry| entry.stretch).collect();
            let planned = known.maintenance.iter();
            rows.extend(planned.map(|(span, _)| Stretch::new(span.from, span.until, Bucket::Maintenance)));
            let reckoning = reckon_within(agreement, &rows, window, &closed);
            rows.push(Stretch::new(window.until, report.period.span.until, Bucket::Up));
            let at_best = reckon_within(agreement, &rows, report.period.span, &closed_later);
            verdicts.extend((reckoning.figures.agreed_ms > 0).then_some(reckoning.figures.verdict));
            later.extend((at_best.figures.agreed_ms > 0).then_some(at_best.figures.verdict));
            report.buckets = report.buckets + reckoning.buckets;
            whole = whole + at_best.buckets;
            let outages = outages(agreement, &reckoning.stretches, &known.observed, now);
            let means = Means::of(&outages, &reckoning.figures);
            report.lines.push(Line { known, reckoning, outages, means });
        }
        report.figures = Figures { verdict: together(&verdicts), ..Figures::of(&report.buckets, agreement) };
        report.at_best = Figures { verdict: together(&later), ..Figures::of(&whole, agreement) };
        report.budget_ms = agreement.target.allowance_ms(report.at_best.agreed_ms);
        report.budget_left_ms = report.budget_ms - (report.at_best.agreed_ms - report.at_best.served_ms);
        report
    }
}

/// Each subject has to keep it.
fn together(verdicts: &[Verdict]) -> Verdict {
    if verdicts.contains(&Verdict::Missed) {
        return Verdict::Missed;
    }
    let all_met = !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Verdict::Met);
    if all_met { Verdict::Met } else { Verdict::Undetermined }
}
