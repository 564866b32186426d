//! Numbers as text.

/// A number as text, without a heap.
pub(super) struct Decimal {
    digits: [u8; 10],
    from: usize,
}

impl Decimal {
    pub(super) fn of(mut number: u32) -> Self {
        let mut decimal = Self { digits: [b'0'; 10], from: 10 };
        loop {
            decimal.from -= 1;
            decimal.digits[decimal.from] = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
            if number == 0 {
                return decimal;
            }
        }
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.digits[self.from..]).unwrap_or_default()
    }
}

/// Go writes an exponent from here on: `eprec` of strconv/ftoa.go, where the shortest digits are asked for.
const EXPONENT_FROM: i32 = 6;

/// A number as Go's `strconv.FormatFloat(value, 'g', -1, 64)` writes it: shortest digits; an exponent, of at least two
/// digits, below 1e-4 and from 1e+06 on.
#[must_use]
pub fn spell_double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..EXPONENT_FROM).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_without_leading_zeros() {
        for (number, text) in [(0, "0"), (9, "9"), (10, "10"), (u32::MAX, "4294967295")] {
            assert_eq!(Decimal::of(number).text(), text);
        }
    }

    #[test]
    fn numbers_look_as_go_writes_them() {
        // Right column: node_exporter 1.5.0 on a real machine, and Go's strconv tests.
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (463_073.0, "463073"),
            (2_466_177.0, "2.466177e+06"),
            (1_000_000.0, "1e+06"),
            (12.123_000_000_000_001, "12.123000000000001"),
            (1_795_293_705.180_339, "1.795293705180339e+09"),
            (0.000_101_883, "0.000101883"),
            (1.7837e-5, "1.7837e-05"),
            (7.01e-7, "7.01e-07"),
            (-125_000.0, "-125000"),
            (18_446_744_073_709_551_616.0, "1.8446744073709552e+19"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(spell_double(value), expected);
        }
    }
}
