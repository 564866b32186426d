//! What is left of an error budget, in terms of what is to come: how many more outages it covers, and how long it lasts.

use super::{
    budget::Budget,
    burn::{Burn, RULES, bad_ms},
    figures::Figures,
    outages::Outage,
    report::{Line, Report},
    target::Target,
};
use crate::domain::time::Timestamp;

/// What the subject with the smallest part of its budget left can still afford; each has to keep the agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// Its name.
    pub subject: String,
    /// Its budget.
    pub budget: Budget,
    /// How long the middle one of all subjects' restored outages lasted; none without one.
    pub median_ms: Option<i64>,
    /// How many more of that length it covers; none without one.
    pub outages_left: Option<i64>,
    /// When the first budget of any subject is gone, if it is spent on as in the last hour; none where that is not before
    /// the period is over.
    pub gone: Option<Timestamp>,
}

impl Forecast {
    /// Of a report that reaches to when it was reckoned; what is over has no future, and what may not miss anything nothing
    /// to spend.
    #[must_use]
    pub fn of(target: Target, report: &Report, burn: Option<&Burn>) -> Option<Self> {
        let budgets: Vec<(&Line, Budget)> = report
            .lines
            .iter()
            .map(|line| (line, Budget::of(at_best(line), target)))
            .filter(|(_, budget)| budget.whole_ms > 0 && report.window.until == report.as_of)
            .collect();
        // Parts of different budgets, compared without a division.
        let (line, budget) = budgets.iter().min_by(|(_, one), (_, other)| {
            let product = |left: i64, whole: i64| i128::from(left) * i128::from(whole);
            product(one.left_ms, other.whole_ms).cmp(&product(other.left_ms, one.whole_ms))
        })?;
        let median_ms = median_ms(report);
        let end = report.period.span.until;
        let is_over = |at: &Timestamp| *at >= end && end > report.as_of;
        Some(Self {
            subject: line.known.subject.name(),
            budget: *budget,
            median_ms,
            outages_left: median_ms.filter(|median| *median > 0).map(|median| budget.left_ms.max(0) / median),
            gone: burn.and_then(|burn| gone(&budgets, burn)).filter(|at| !is_over(at)),
        })
    }
}

/// What the whole period of a subject comes to, with what people said afterwards.
fn at_best(line: &Line) -> &Figures {
    line.agreed.as_ref().map_or(&line.at_best, |agreed| &agreed.at_best)
}

/// What counts against a subject, with what people said afterwards.
fn outages(line: &Line) -> &[Outage] {
    line.agreed.as_ref().map_or(&line.outages, |agreed| &agreed.outages)
}

/// The middle one of all restored outages; of an even number the shorter of the two.
fn median_ms(report: &Report) -> Option<i64> {
    let restored = report.lines.iter().flat_map(outages).filter(|outage| !outage.open);
    let mut lengths: Vec<i64> = restored.map(|outage| outage.span.until.since_ms(outage.span.from)).collect();
    lengths.sort_unstable();
    lengths.get(lengths.len().checked_sub(1)? / 2).copied()
}

/// When the first of the budgets is gone.
fn gone(budgets: &[(&Line, Budget)], burn: &Burn) -> Option<Timestamp> {
    let hour = RULES[0].long;
    let lasts = burn.subjects.iter().filter_map(|lately| {
        let spent_ms = bad_ms(&lately.bad, hour, burn.at);
        let (_, budget) = budgets.iter().find(|(line, _)| line.known.subject.name() == lately.name)?;
        let left = i128::from(budget.left_ms.max(0)) * i128::from(hour.ms);
        left.checked_div(i128::from(spent_ms)).and_then(|lasts| i64::try_from(lasts).ok())
    });
    lasts.min().map(|lasts| burn.at.plus_ms(lasts))
}
