//! How long each bucket was, in whole milliseconds. The buckets of a window always add up to it.

use std::ops::Add;

use super::lattice::{Bucket, Stretch};

/// Milliseconds by bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buckets([i64; Bucket::ALL.len()]);

impl Buckets {
    /// Of stretches.
    #[must_use]
    pub fn of(stretches: &[Stretch]) -> Self {
        let mut sums = Self::default();
        for stretch in stretches {
            sums.0[stretch.bucket as usize] += stretch.span.until.since_ms(stretch.span.from);
        }
        sums
    }

    /// Of one bucket.
    #[must_use]
    pub const fn ms(&self, bucket: Bucket) -> i64 {
        self.0[bucket as usize]
    }

    /// The whole window.
    #[must_use]
    pub fn window_ms(&self) -> i64 {
        self.0.iter().sum()
    }

    /// What was proven one way or the other.
    #[must_use]
    pub const fn proven_ms(&self) -> i64 {
        self.ms(Bucket::Up) + self.ms(Bucket::Down) + self.ms(Bucket::CleanStop)
    }

    /// What could not be proven either way.
    #[must_use]
    pub const fn unproven_ms(&self) -> i64 {
        self.ms(Bucket::Unreachable) + self.ms(Bucket::CollectorDown) + self.ms(Bucket::Unknown)
    }
}

impl Add for Buckets {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum += more;
        }
        self
    }
}
