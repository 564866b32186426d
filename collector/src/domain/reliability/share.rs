//! Shares of few, with how sure they are.

/// 95 % of a normal distribution lie within so many standard deviations.
const DEVIATIONS: f64 = 1.96;

/// A share with its interval, all 0-1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// What was seen.
    pub ratio: f64,
    /// Where the truth is in 95 of 100 such samples (Wilson 1927).
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Share {
    /// So many of so many; without any it may be anything.
    #[must_use]
    pub fn of(hits: f64, all: f64) -> Self {
        Self::within(hits, all, DEVIATIONS)
    }

    /// The same with an interval of so many standard deviations.
    #[must_use]
    pub fn within(hits: f64, all: f64, deviations: f64) -> Self {
        if all <= 0.0 {
            return Self { ratio: 0.0, low: 0.0, high: 1.0 };
        }
        let (ratio, square) = (hits / all, deviations * deviations);
        let middle = (ratio + square / (2.0 * all)) / (1.0 + square / all);
        let half =
            deviations * (ratio * (1.0 - ratio) / all + square / (4.0 * all * all)).sqrt() / (1.0 + square / all);
        Self { ratio, low: (middle - half).max(0.0), high: (middle + half).min(1.0) }
    }
}
