//! Service levels as metrics: a fixed number of series for each agreement, however many hosts it has.

use super::{Levels, family::Family};
use crate::domain::{
    readings::dictionary::text::{self, Format},
    sla::{
        budget::Budget,
        burn::{Burn, WINDOWS},
        figures::Verdict,
        lattice::Bucket,
        standing::{Side, Standing},
        target::Ratio,
    },
};

/// The families, with what is known of each agreement. What cannot be said is left out.
pub(super) fn families(levels: &Levels, format: Format) -> Vec<Family> {
    let (standings, burns) = (levels.standings.borrow().clone(), levels.burns.borrow().clone());
    let mut all = Vec::new();
    if !standings.is_empty() {
        let mut families = Families::new(format);
        standings.iter().for_each(|standing| families.push(standing));
        all.extend(families.into_all());
    }
    if !burns.is_empty() {
        all.extend(burn_families(&burns, format));
    }
    all
}

/// How fast budgets are spent, by which rules that is measured, and which of them are broken.
fn burn_families(burns: &[Burn], format: Format) -> [Family; 3] {
    let family = |name, help| Family::new(format, name, help);
    let mut rates = family(
        "muster_slo_burn_rate",
        "How many times faster than allowed the error budget is spent, in the window up to now; of the worst subject.",
    );
    let mut factors = family(
        "muster_slo_burn_rate_limit",
        "The burn rate beyond which too much of the budget is gone, in this window and in a twelfth of it.",
    );
    let mut broken = family(
        "muster_slo_burning",
        "Whether one subject's burn rate is beyond the limit of this window, in it and in a twelfth of it.",
    );
    for burn in burns {
        let name = text::clean(&burn.agreement);
        let agreement = ("agreement", name.as_str());
        for window in WINDOWS {
            push_some(&mut rates, &[agreement, ("window", window.word)], burn.rate(window));
        }
        for rule in burn.pace.rules() {
            let labels = [agreement, ("window", rule.long.word), ("severity", rule.severity.word())];
            factors.push(&labels, burn.pace.factor(&rule));
            broken.push(&labels, f64::from(u8::from(burn.breaks(&rule))));
        }
    }
    [rates, factors, broken]
}

struct Families {
    availability: Family,
    target: Family,
    coverage: Family,
    verdict: Family,
    seconds: Family,
    outages: Family,
    subjects: Family,
    left_ratio: Family,
    left_seconds: Family,
    worst_left_ratio: Family,
    agreed_availability: Family,
    agreed_verdict: Family,
    agreed_left_ratio: Family,
    computed: Family,
}

impl Families {
    fn new(format: Format) -> Self {
        let family = |name, help| Family::new(format, name, help);
        Self {
            availability: family(
                "muster_sla_availability_ratio",
                "Served of the agreed time of all subjects, in the agreement's present period to date.",
            ),
            target: family("muster_sla_target_ratio", "How much of the agreed time is promised."),
            coverage: family(
                "muster_sla_coverage_ratio",
                "How much of the time that should have been served was proven up or down.",
            ),
            verdict: family(
                "muster_sla_verdict",
                "1 for what has become of the promise to date, 0 for all others; one subject that missed it is enough.",
            ),
            seconds: family(
                "muster_sla_seconds",
                "Time of all subjects in the present period to date, by what it was.",
            ),
            outages: family("muster_sla_outages", "Outages of all subjects in the present period to date."),
            subjects: family("muster_sla_subjects", "Hosts that the agreement applies to."),
            left_ratio: family(
                "muster_sla_error_budget_remaining_ratio",
                "How much of what may be missing in the whole period, of all subjects together, is left; negative: overdrawn.",
            ),
            left_seconds: family(
                "muster_sla_error_budget_remaining_seconds",
                "What may still be missing in the whole period, of all subjects together; negative: overdrawn.",
            ),
            worst_left_ratio: family(
                "muster_sla_worst_error_budget_remaining_ratio",
                "The same of the subject that has least of its own left: each has to keep the agreement.",
            ),
            agreed_availability: family(
                "muster_sla_agreed_availability_ratio",
                "Availability with what people said afterwards; as measured where they said nothing.",
            ),
            agreed_verdict: family(
                "muster_sla_agreed_verdict",
                "1 for what has become of the promise with what people said afterwards, 0 for all others.",
            ),
            agreed_left_ratio: family(
                "muster_sla_agreed_error_budget_remaining_ratio",
                "How much of what may be missing is left with what people said afterwards; negative: overdrawn.",
            ),
            computed: family("muster_sla_computed_timestamp_seconds", "When the agreement's figures were reckoned."),
        }
    }

    fn push(&mut self, standing: &Standing) {
        let name = text::clean(&standing.name);
        let agreement = ("agreement", name.as_str());
        let period = standing.period.word();
        let Side { buckets, figures, budget, worst } = &standing.measured;
        push_some(&mut self.availability, &[agreement, ("period", &period)], figures.availability.map(Ratio::value));
        self.target.push(&[agreement], standing.target.value());
        push_some(&mut self.coverage, &[agreement], figures.coverage.map(Ratio::value));
        for verdict in Verdict::ALL {
            let is_so = f64::from(u8::from(verdict == figures.verdict));
            self.verdict.push(&[agreement, ("verdict", verdict.word())], is_so);
        }
        for bucket in Bucket::ALL {
            self.seconds.push(&[agreement, ("bucket", bucket.word())], seconds(buckets.ms(bucket)));
        }
        self.outages.push(&[agreement], standing.outages as f64);
        self.subjects.push(&[agreement], f64::from(standing.subjects));
        push_some(&mut self.left_ratio, &[agreement], budget.left());
        self.left_seconds.push(&[agreement], seconds(budget.left_ms));
        push_some(&mut self.worst_left_ratio, &[agreement], worst.and_then(Budget::left));
        let Side { figures, budget, .. } = &standing.agreed;
        let said = figures.availability.map(Ratio::value);
        push_some(&mut self.agreed_availability, &[agreement, ("period", &period)], said);
        for verdict in Verdict::ALL {
            let is_so = f64::from(u8::from(verdict == figures.verdict));
            self.agreed_verdict.push(&[agreement, ("verdict", verdict.word())], is_so);
        }
        push_some(&mut self.agreed_left_ratio, &[agreement], budget.left());
        self.computed.push(&[agreement], seconds(standing.at.ms()));
    }

    fn into_all(self) -> Vec<Family> {
        vec![
            self.availability,
            self.target,
            self.coverage,
            self.verdict,
            self.seconds,
            self.outages,
            self.subjects,
            self.left_ratio,
            self.left_seconds,
            self.worst_left_ratio,
            self.agreed_availability,
            self.agreed_verdict,
            self.agreed_left_ratio,
            self.computed,
        ]
    }
}

fn push_some(family: &mut Family, labels: &[(&str, &str)], value: Option<f64>) {
    if let Some(value) = value {
        family.push(labels, value);
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}
