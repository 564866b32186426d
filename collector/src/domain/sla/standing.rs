//! How an agreement stands: what a report of its present period says of all subjects together, kept at hand.

use super::{
    agreement::Agreement,
    buckets::Buckets,
    budget::Budget,
    figures::{Figures, Verdict},
    period::Length,
    report::{Declared, Report, Total, together},
    target::Target,
};
use crate::domain::time::Timestamp;

/// The figures of an agreement at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Which agreement.
    pub name: String,
    /// What it promises.
    pub target: Target,
    /// Over which time.
    pub period: Length,
    /// When it was so.
    pub at: Timestamp,
    /// How many subjects it has.
    pub subjects: u32,
    /// Outages that were measured, one that goes on too.
    pub outages: i64,
    /// What was measured.
    pub measured: Side,
    /// The same with what people said afterwards.
    pub agreed: Side,
}

/// One of the two sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Of all subjects together, in the part of the period that is over.
    pub buckets: Buckets,
    /// What that means.
    pub figures: Figures,
    /// What may be missing of all subjects' agreed time in the whole period.
    pub budget: Budget,
    /// That of the subject with the smallest part of its own left; each has to keep the agreement.
    pub worst: Option<Budget>,
}

/// A standing in the making: reports of some subjects each, of one period and window, in any order.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    subjects: u32,
    outages: i64,
    measured: Sum,
    agreed: Sum,
}

impl Tally {
    /// Takes in what a report says of its subjects.
    pub fn add(&mut self, target: Target, report: &Report) {
        self.measured.add(&report.total);
        self.agreed.add(report.agreed.as_ref().unwrap_or(&report.total));
        for line in &report.lines {
            self.subjects += 1;
            self.outages += line.means.outages;
            let measured = (&line.reckoning.figures, &line.at_best);
            let agreed = line.agreed.as_ref().map_or(measured, |side| (&side.reckoning.figures, &side.at_best));
            self.measured.add_subject(target, measured);
            self.agreed.add_subject(target, agreed);
        }
    }

    /// All of it together, as of `at`.
    #[must_use]
    pub fn standing(self, declared: &Declared, at: Timestamp) -> Standing {
        let agreement = &declared.agreement;
        Standing {
            name: agreement.name.clone(),
            target: agreement.target,
            period: declared.period,
            at,
            subjects: self.subjects,
            outages: self.outages,
            measured: self.measured.side(agreement),
            agreed: self.agreed.side(agreement),
        }
    }
}

/// A side in the making.
#[derive(Debug, Clone, Default)]
struct Sum {
    buckets: Buckets,
    agreed_ms: i64,
    served_ms: i64,
    verdicts: Vec<Verdict>,
    worst: Option<(f64, Budget)>,
}

impl Sum {
    fn add(&mut self, total: &Total) {
        self.buckets = self.buckets + total.buckets;
        self.agreed_ms += total.at_best.agreed_ms;
        self.served_ms += total.at_best.served_ms;
    }

    fn add_subject(&mut self, target: Target, (to_date, at_best): (&Figures, &Figures)) {
        self.verdicts.extend((to_date.agreed_ms > 0).then_some(to_date.verdict));
        let budget = Budget::of(at_best, target);
        if let Some(left) = budget.left().filter(|left| self.worst.is_none_or(|(least, _)| *left < least)) {
            self.worst = Some((left, budget));
        }
    }

    fn side(self, agreement: &Agreement) -> Side {
        let figures = Figures { verdict: together(&self.verdicts), ..Figures::of(&self.buckets, agreement) };
        let whole = Figures { agreed_ms: self.agreed_ms, served_ms: self.served_ms, ..figures };
        let budget = Budget::of(&whole, agreement.target);
        Side { buckets: self.buckets, figures, budget, worst: self.worst.map(|(_, budget)| budget) }
    }
}
