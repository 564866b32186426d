//! An agreement over a period: each subject on its own, and all together.

use super::{
    Reckoning,
    agreement::Agreement,
    amendment::Amended,
    buckets::Buckets,
    budget::Budget,
    burn::BurnAlerts,
    figures::{Figures, Verdict},
    history::{Observation, Planned},
    inputs::Basis,
    lattice::{Bucket, Stretch},
    outages::{Means, Outage, annotate, outages},
    period::{Length, Period},
    reckon_within,
    service::Service,
    subject::Subject,
};
use crate::domain::{calendar::Span, hold::Scope, labels::matches_pattern, time::Timestamp};

/// An agreement as declared: what is promised, to whom it applies, and over which time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What is promised.
    pub agreement: Agreement,
    /// Over which time.
    pub period: Length,
    /// Which hosts; each has to keep it.
    pub scope: Scope,
    /// Names of checks with `*` and `?`: each of these checks of the hosts has to keep it, instead of the hosts.
    pub checks: Vec<String>,
    /// Services, each of which has to keep it; of others than services alone there are none.
    pub services: Vec<Service>,
    /// What is told when its budget is spent too fast.
    pub burn_alerts: BurnAlerts,
}

impl Declared {
    /// To whom it applies, in words: `host web-*`, `checks http of host web-*`, `services shop, mail`.
    #[must_use]
    pub fn applies_to(&self) -> String {
        if !self.services.is_empty() {
            let names: Vec<&str> = self.services.iter().map(|service| service.name.as_str()).collect();
            return format!("{} {}", if names.len() == 1 { "service" } else { "services" }, names.join(", "));
        }
        let hosts = self.scope.words();
        if self.checks.is_empty() { hosts } else { format!("checks {} of {hosts}", self.checks.join(", ")) }
    }

    /// Whether what is known of this subject can make a difference, as far as the hosts it applies to go: a check of its
    /// hosts fails with its host.
    #[must_use]
    pub fn depends_on(&self, subject: &Subject) -> bool {
        let of_services = self.whole_services().flat_map(|service| &service.checks);
        let mut checks = self.checks.iter().chain(of_services);
        match subject {
            Subject::Host { .. } => true,
            Subject::Check { check, .. } => checks.any(|pattern| matches_pattern(pattern, check)),
            Subject::Service { name, .. } => self.whole_services().any(|service| service.name == *name),
        }
    }

    /// What each of those is to whom it applies, in the singular.
    #[must_use]
    pub const fn each(&self) -> &'static str {
        match (self.services.is_empty(), self.checks.is_empty()) {
            (false, _) => "service",
            (true, false) => "check",
            (true, true) => "host",
        }
    }

    /// Its services and all that they are made of, each time that they are.
    pub fn whole_services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().flat_map(Service::whole)
    }

    /// Whether ledgers of checks are needed to reckon it.
    #[must_use]
    pub fn has_checks(&self) -> bool {
        !self.checks.is_empty() || self.whole_services().any(|service| !service.checks.is_empty())
    }
}

/// What is known of a subject.
#[derive(Debug, Clone)]
pub struct Known {
    /// Who.
    pub subject: Subject,
    /// What was observed.
    pub observed: Vec<Observation>,
    /// The same with what people said afterwards of others that it depends on, such as its host or its members, if they did.
    pub with_others: Option<Vec<Observation>>,
    /// Planned work. Of a service it is observed in its members.
    pub maintenance: Vec<Planned>,
    /// What people said of it afterwards.
    pub amended: Amended,
    /// What all that was taken from.
    pub basis: Basis,
    /// What it is made of, if it is a service.
    pub members: Vec<Self>,
}

impl Known {
    /// What was measured of it: what was observed, and planned work over it.
    #[must_use]
    pub fn as_measured(&self) -> Vec<Stretch> {
        rows(&self.observed, self.maintenance.iter().filter(|planned| planned.is_measured()))
    }

    /// What counts of it: what was observed, with what people said afterwards and planned work over it.
    #[must_use]
    pub fn as_agreed(&self) -> Vec<Stretch> {
        rows(&self.said(), self.maintenance.iter().filter(|planned| planned.is_agreed()))
    }

    /// What was observed, with what people said afterwards in its place.
    #[must_use]
    pub fn said(&self) -> Vec<Observation> {
        self.amended.over(self.with_others.as_ref().unwrap_or(&self.observed))
    }

    /// Whether anybody said anything afterwards that may change what it comes to.
    #[must_use]
    pub fn is_amended(&self) -> bool {
        let undone = |planned: &Planned| !planned.is_measured() || !planned.is_agreed();
        !self.amended.corrections.is_empty() || self.with_others.is_some() || self.maintenance.iter().any(undone)
    }

    /// Itself and all that it is made of, each time that it is.
    #[must_use]
    pub fn whole(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.members.iter().flat_map(Self::whole)).collect()
    }

    /// Itself or, of a service, the hosts and checks that it is made of in the end, each time that it is.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Self> {
        let is_leaf = |known: &&Self| !matches!(known.subject, Subject::Service { .. });
        self.whole().into_iter().filter(is_leaf).collect()
    }
}

/// A subject's part of a report: what was measured.
#[derive(Debug, Clone)]
pub struct Line {
    /// What was known.
    pub known: Known,
    /// What it comes to; its verdict is that of both requirements, where the number of outages is limited too.
    pub reckoning: Reckoning,
    /// What counts against it.
    pub outages: Vec<Outage>,
    /// What is asked of them.
    pub means: Means,
    /// What the whole period comes to, if nothing more happens.
    pub at_best: Figures,
    /// The same with what people said afterwards, where that makes a difference.
    pub agreed: Option<Box<Agreed>>,
}

/// What a subject comes to with what people said afterwards.
#[derive(Debug, Clone)]
pub struct Agreed {
    /// What it comes to.
    pub reckoning: Reckoning,
    /// What counts against it.
    pub outages: Vec<Outage>,
    /// What is asked of them.
    pub means: Means,
    /// What the whole period comes to, if nothing more happens.
    pub at_best: Figures,
}

/// All subjects together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total {
    /// Of all subjects together.
    pub buckets: Buckets,
    /// What that means. Its verdict: missed if one subject's is, met if all are.
    pub figures: Figures,
    /// Availability and verdict at the period's end, if nothing more happens.
    pub at_best: Figures,
    /// What might be missing of all subjects' agreed time in the whole period, in milliseconds.
    pub budget_ms: i64,
    /// What may still be missing; negative: overdrawn.
    pub budget_left_ms: i64,
}

/// An agreement over a period.
#[derive(Debug, Clone)]
pub struct Report {
    /// When it was reckoned.
    pub as_of: Timestamp,
    /// The period.
    pub period: Period,
    /// What of it is over.
    pub window: Span,
    /// Subjects, in the order given.
    pub lines: Vec<Line>,
    /// What was measured of all of them.
    pub total: Total,
    /// The same with what people said afterwards, where that makes a difference to one of them.
    pub agreed: Option<Total>,
}

impl Report {
    /// Reckons it. `window` is what of the period is over.
    #[must_use]
    pub fn of(declared: &Declared, period: Period, window: Span, subjects: Vec<Known>, now: Timestamp) -> Self {
        let agreement = &declared.agreement;
        let over = Over { agreement, window, closed: agreement.closed(window), now };
        let whole = Over { window: period.span, closed: agreement.closed(period.span), ..over.clone() };
        let mut lines = Vec::with_capacity(subjects.len());
        let (mut measured, mut agreed) = (Sums::default(), Sums::default());
        for known in subjects {
            let rows = known.as_measured();
            let at_best = whole.at_best(&rows, window.until);
            let mut line = over.line(&rows, known, at_best.figures);
            measured.add(&line.reckoning, &at_best);
            match over.amended(&line, &whole) {
                None => agreed.add(&line.reckoning, &at_best),
                Some((at_best, side)) => {
                    agreed.add(&side.reckoning, &at_best);
                    line.agreed = Some(Box::new(side));
                }
            }
            lines.push(line);
        }
        let differs = lines.iter().any(|line| line.agreed.is_some());
        let agreed = differs.then(|| agreed.total(agreement));
        Self { as_of: now, period, window, lines, total: measured.total(agreement), agreed }
    }

    /// Whether all subjects with agreed time have kept one requirement, as it was measured.
    #[must_use]
    pub fn verdict_of(&self, requirement: impl Fn(&Line) -> Option<Verdict>) -> Verdict {
        let agreed = self.lines.iter().filter(|line| line.reckoning.figures.agreed_ms > 0);
        together(&agreed.filter_map(requirement).collect::<Vec<_>>())
    }
}

/// What all subjects share.
#[derive(Clone)]
struct Over<'a> {
    agreement: &'a Agreement,
    window: Span,
    closed: Vec<Stretch>,
    now: Timestamp,
}

impl Over<'_> {
    fn line(&self, rows: &[Stretch], known: Known, at_best: Figures) -> Line {
        let (reckoning, outages, means) = self.reckoned(rows, &known.observed, &known.amended);
        Line { known, reckoning, outages, means, at_best, agreed: None }
    }

    fn reckoned(
        &self,
        rows: &[Stretch],
        observed: &[Observation],
        amended: &Amended,
    ) -> (Reckoning, Vec<Outage>, Means) {
        let reckoning = self.reckon(rows);
        let mut outages = outages(self.agreement, &reckoning.stretches, observed, self.now);
        annotate(&mut outages, &amended.notes);
        let means = Means::of(&outages, &reckoning.figures);
        (reckoning, outages, means)
    }

    /// What people said afterwards, if it changes what any instant counts as.
    fn amended(&self, line: &Line, whole: &Self) -> Option<(Reckoning, Agreed)> {
        if !line.known.is_amended() {
            return None;
        }
        let (said, rows) = (line.known.said(), line.known.as_agreed());
        let (reckoning, outages, means) = self.reckoned(&rows, &said, &line.known.amended);
        (reckoning.stretches != line.reckoning.stretches).then(|| {
            let at_best = whole.at_best(&rows, self.window.until);
            let agreed = Agreed { reckoning, outages, means, at_best: at_best.figures };
            (at_best, agreed)
        })
    }

    /// The period as it ends if nothing more happens.
    fn at_best(&self, rows: &[Stretch], now: Timestamp) -> Reckoning {
        let to_come = Stretch::new(now, self.window.until, Bucket::Up);
        let rows: Vec<Stretch> = rows.iter().copied().chain([to_come]).collect();
        self.reckon(&rows)
    }

    /// By all that is asked.
    fn reckon(&self, rows: &[Stretch]) -> Reckoning {
        let mut reckoning = reckon_within(self.agreement, rows, self.window, &self.closed);
        if let Some(limit) = self.agreement.outages {
            let count = limit.count(self.agreement, &reckoning.stretches);
            reckoning.figures.verdict = reckoning.figures.verdict.both(count.verdict());
        }
        reckoning
    }
}

fn rows<'a>(observed: &[Observation], planned: impl Iterator<Item = &'a Planned>) -> Vec<Stretch> {
    let planned = planned.map(|planned| Stretch { span: planned.span, bucket: Bucket::Maintenance });
    observed.iter().map(|entry| entry.stretch).chain(planned).collect()
}

/// Subjects added up.
#[derive(Default)]
struct Sums {
    to_date: Buckets,
    whole: Buckets,
    verdicts: Vec<Verdict>,
    later: Vec<Verdict>,
}

impl Sums {
    fn add(&mut self, to_date: &Reckoning, whole: &Reckoning) {
        self.to_date = self.to_date + to_date.buckets;
        self.whole = self.whole + whole.buckets;
        let verdict = |reckoning: &Reckoning| (reckoning.figures.agreed_ms > 0).then_some(reckoning.figures.verdict);
        self.verdicts.extend(verdict(to_date));
        self.later.extend(verdict(whole));
    }

    fn total(&self, agreement: &Agreement) -> Total {
        let figures = Figures { verdict: together(&self.verdicts), ..Figures::of(&self.to_date, agreement) };
        let at_best = Figures { verdict: together(&self.later), ..Figures::of(&self.whole, agreement) };
        let Budget { whole_ms: budget_ms, left_ms: budget_left_ms } = Budget::of(&at_best, agreement.target);
        Total { buckets: self.to_date, figures, at_best, budget_ms, budget_left_ms }
    }
}

/// Each subject has to keep it.
pub(super) fn together(verdicts: &[Verdict]) -> Verdict {
    if verdicts.contains(&Verdict::Missed) {
        return Verdict::Missed;
    }
    let all_met = !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Verdict::Met);
    if all_met { Verdict::Met } else { Verdict::Undetermined }
}
