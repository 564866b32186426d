//! What the buckets of a window mean under an agreement.

use serde::Serialize;

use super::{
    agreement::{Agreement, Policy},
    buckets::Buckets,
    lattice::Bucket,
    target::{Ratio, Target},
};

/// Whether a promise was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Kept, even if all that could not be proven was an outage.
    Met,
    /// Broken, even if all that could not be proven was up.
    Missed,
    /// What could not be proven decides it, or there was nothing to decide.
    Undetermined,
}

impl Verdict {
    /// All.
    pub const ALL: [Self; 3] = [Self::Met, Self::Missed, Self::Undetermined];

    /// As results and metrics write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Undetermined => "undetermined",
        }
    }

    /// Of what is proven, at worst and at best.
    #[must_use]
    pub fn of(pessimistic: Option<Ratio>, optimistic: Option<Ratio>, target: Target) -> Self {
        match (pessimistic, optimistic) {
            (Some(worst), _) if worst.reaches(target) => Self::Met,
            (_, Some(best)) if !best.reaches(target) => Self::Missed,
            _ => Self::Undetermined,
        }
    }

    /// Of two requirements that both have to be kept.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        match (self, other) {
            (Self::Missed, _) | (_, Self::Missed) => Self::Missed,
            (Self::Undetermined, _) | (_, Self::Undetermined) => Self::Undetermined,
            (Self::Met, Self::Met) => Self::Met,
        }
    }
}

/// The figures of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// What availability is a part of: the window without what the agreement leaves out.
    pub agreed_ms: i64,
    /// What of it counts as served.
    pub served_ms: i64,
    /// Served of agreed.
    pub availability: Option<Ratio>,
    /// Proven of what should have been served: the window without closed hours and maintenance.
    pub coverage: Option<Ratio>,
    /// If all that could not be proven was up.
    pub optimistic: Option<Ratio>,
    /// If all that could not be proven was down.
    pub pessimistic: Option<Ratio>,
    /// Whether the promise was kept.
    pub verdict: Verdict,
}

impl Figures {
    /// Whether the target was reached, whatever else is asked.
    #[must_use]
    pub fn of_the_target(&self, target: Target) -> Verdict {
        Verdict::of(self.pessimistic, self.optimistic, target)
    }

    /// Of buckets under an agreement.
    #[must_use]
    pub fn of(buckets: &Buckets, agreement: &Agreement) -> Self {
        let policy = |bucket| agreement.policy(bucket);
        let unproven = |bucket| matches!(bucket, Bucket::Unreachable | Bucket::CollectorDown | Bucket::Unknown);
        let if_unproven_were =
            |what| Sums::of(buckets, |bucket| if unproven(bucket) { what } else { policy(bucket) }).ratio();
        let sums = Sums::of(buckets, policy);
        let (optimistic, pessimistic) = (if_unproven_were(Policy::AsUp), if_unproven_were(Policy::AsDown));
        let to_serve = buckets.window_ms() - buckets.ms(Bucket::OutsideHours) - buckets.ms(Bucket::Maintenance);
        Self {
            agreed_ms: sums.agreed_ms,
            served_ms: sums.served_ms,
            availability: sums.ratio(),
            coverage: Ratio::of(buckets.proven_ms(), to_serve),
            optimistic,
            pessimistic,
            verdict: Verdict::of(pessimistic, optimistic, agreement.target),
        }
    }
}

struct Sums {
    agreed_ms: i64,
    served_ms: i64,
}

impl Sums {
    fn of(buckets: &Buckets, policy: impl Fn(Bucket) -> Policy) -> Self {
        let sum = |counts: fn(Policy) -> bool| {
            Bucket::ALL.into_iter().filter(|bucket| counts(policy(*bucket))).map(|bucket| buckets.ms(bucket)).sum()
        };
        Self { agreed_ms: sum(|policy| policy != Policy::Exclude), served_ms: sum(|policy| policy == Policy::AsUp) }
    }

    const fn ratio(&self) -> Option<Ratio> {
        Ratio::of(self.served_ms, self.agreed_ms)
    }
}
