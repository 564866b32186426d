//! How exactly a reading is kept: a value as a whole number of steps that grow with it.

/// Steps of even size up to the knee, of even ratio beyond it; alike on both sides of zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Up to here steps have the same size: `knee / steps`.
    knee: f64,
    /// Steps up to the knee and to each doubling of `value + knee`, as a power of two.
    bits: u32,
}

/// Bits of the fraction of an `f64` (IEEE 754 binary64), and the exponent of 1.
const FRACTION: u32 = 52;
const EXPONENT_OF_ONE: u64 = 1023;

impl Scale {
    /// With `2^bits` steps up to `knee`.
    #[must_use]
    pub const fn new(knee: f64, bits: u32) -> Self {
        Self { knee, bits }
    }

    /// The nearest step. Order is kept; what is no number is `None`.
    #[must_use]
    pub fn code(self, value: f64) -> Option<i32> {
        if !value.is_finite() {
            return None;
        }
        // The bits of a positive float ascend with it, evenly within each doubling: a logarithm for nothing.
        let dropped = FRACTION - self.bits;
        let bits = (value.abs() / self.knee + 1.0).min(f64::MAX).to_bits();
        let steps = ((bits + (1 << (dropped - 1))) >> dropped) - (EXPONENT_OF_ONE << self.bits);
        let steps = i32::try_from(steps).unwrap_or(i32::MAX);
        Some(if value < 0.0 { -steps } else { steps })
    }

    /// The value of a step.
    #[must_use]
    pub fn value(self, code: i32) -> f64 {
        let most = (2 * EXPONENT_OF_ONE + 1) << self.bits;
        let steps = (u64::from(code.unsigned_abs()) + (EXPONENT_OF_ONE << self.bits)).min(most - 1);
        let size = (f64::from_bits(steps << (FRACTION - self.bits)) - 1.0) * self.knee;
        let size = size.min(f64::MAX);
        if code < 0 { -size } else { size }
    }

    /// The farthest that a value may be from its step's.
    #[must_use]
    pub fn error(self, value: f64) -> f64 {
        (value.abs() + self.knee) / f64::from(1_u32 << self.bits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_comes_back_within_the_stated_error(value in -1e15..1e15_f64, knee in 1e-3..1e7_f64, bits in 3..15_u32) {
            let scale = Scale::new(knee, bits);
            let back = scale.value(scale.code(value).unwrap());
            prop_assert!((back - value).abs() <= scale.error(value), "{value} came back as {back}");
        }

        #[test]
        fn order_is_kept(a in any::<f64>(), b in any::<f64>(), bits in 3..15_u32) {
            let scale = Scale::new(1.0, bits);
            if let (Some(low), Some(high)) = (scale.code(a.min(b)), scale.code(a.max(b))) {
                prop_assert!(low <= high);
                prop_assert!(scale.value(low) <= scale.value(high));
            }
        }

        #[test]
        fn any_code_is_a_finite_value(code in any::<i32>(), bits in 3..15_u32) {
            prop_assert!(Scale::new(1024.0, bits).value(code).is_finite());
        }
    }

    #[test]
    fn zero_is_exact_and_senseless_values_are_none() {
        let scale = Scale::new(1.0, 9);
        assert_eq!((scale.code(0.0), scale.value(0)), (Some(0), 0.0));
        assert_eq!((scale.code(1.0), scale.value(512)), (Some(512), 1.0));
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|value| scale.code(value)), [None; 3]);
        assert!(scale.code(f64::MAX).is_some());
    }
}
