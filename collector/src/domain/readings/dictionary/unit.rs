//! What the whole numbers of a family count: a counter of clock ticks that is shown in seconds travels as a difference of
//! ticks.

use super::text::EXACT;

/// What is counted; the arithmetic is that of the agents, bit for bit, as the comments of muster.proto say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unit {
    /// n.
    #[default]
    One = 0,
    /// n / 100.
    Hundredth = 1,
    /// n x 0.001.
    Thousandth = 2,
    /// n / 1000.
    Milli = 3,
    /// n / 1000 / 1000.
    MilliMilli = 4,
    /// n / 1 000 000.
    Micro = 5,
    /// n / 1 000 000 000.
    Nano = 6,
}

impl Unit {
    /// By its number on the wire, if there is such a one.
    #[must_use]
    pub const fn from_wire(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::One,
            1 => Self::Hundredth,
            2 => Self::Thousandth,
            3 => Self::Milli,
            4 => Self::MilliMilli,
            5 => Self::Micro,
            6 => Self::Nano,
            _ => return None,
        })
    }

    /// How many the value is: 0 where it is not exactly so many, or there is none.
    #[must_use]
    pub fn count(self, value: f64) -> i64 {
        let count = (value * self.per_whole()).round();
        let exact = count.abs() < EXACT && self.value(count).to_bits() == value.to_bits();
        if exact { count as i64 } else { 0 }
    }

    /// The value of so many.
    #[must_use]
    pub fn value(self, count: f64) -> f64 {
        // Zero has one sign here, so that minus zero is told apart.
        let count = count + 0.0;
        match self {
            Self::One => count,
            Self::Hundredth => count / 100.0,
            Self::Thousandth => count * (1.0 / 1000.0),
            Self::Milli => count / 1000.0,
            Self::MilliMilli => count / 1000.0 / 1000.0,
            Self::Micro => count / 1e6,
            Self::Nano => count / 1e9,
        }
    }

    fn per_whole(self) -> f64 {
        match self {
            Self::One => 1.0,
            Self::Hundredth => 100.0,
            Self::Thousandth | Self::Milli => 1e3,
            Self::MilliMilli | Self::Micro => 1e6,
            Self::Nano => 1e9,
        }
    }
}
