//! Error budgets: how much may be missing, and what is left of it.

use super::{figures::Figures, target::Target};

/// What may be missing in a whole period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// From its beginning, in milliseconds.
    pub whole_ms: i64,
    /// Now, in milliseconds; negative: overdrawn.
    pub left_ms: i64,
}

impl Budget {
    /// Of what the whole period comes to if nothing more happens.
    #[must_use]
    pub fn of(at_best: &Figures, target: Target) -> Self {
        let whole_ms = target.allowance_ms(at_best.agreed_ms);
        Self { whole_ms, left_ms: whole_ms - (at_best.agreed_ms - at_best.served_ms) }
    }

    /// How much of it is left: 1 at the beginning, below 0 where it is overdrawn, nothing where there is none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "285 000 years of milliseconds are exact")]
    pub fn left(self) -> Option<f64> {
        (self.whole_ms > 0).then(|| self.left_ms as f64 / self.whole_ms as f64)
    }
}
