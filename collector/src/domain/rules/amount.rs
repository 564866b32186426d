//! Amounts as people write them in a configuration and read them in an explanation: `10 %`, `50 GiB`, `5 min`.

/// What an amount counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share of something, kept as 0-1, written in percent.
    Share,
    /// Bytes.
    Bytes,
    /// A length of time, kept in seconds.
    Time,
    /// Pieces, or pieces a second; a bare number.
    Number,
}

const SHARE: [(&str, f64); 1] = [("%", 0.01)];
const BYTES: [(&str, f64); 5] =
    [("B", 1.0), ("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0), ("TiB", 1_099_511_627_776.0)];
const TIME: [(&str, f64); 6] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
const NUMBER: [(&str, f64); 1] = [("", 1.0)];

impl Unit {
    const fn scale(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Share => &SHARE,
            Self::Bytes => &BYTES,
            Self::Time => &TIME,
            Self::Number => &NUMBER,
        }
    }

    /// The unit's word in the description of the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Share => "ratio",
            Self::Bytes => "bytes",
            Self::Time => "seconds",
            Self::Number => "number",
        }
    }

    /// `10 %`, `50GiB`, `1.5 h` or `8`; nothing where the unit is missing or another's.
    #[must_use]
    pub fn read(self, text: &str) -> Option<f64> {
        let text = text.trim();
        let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == '-' || c == '+';
        let split = text.find(|c| !is_number(c)).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(split)?;
        let (_, factor) = self.scale().iter().find(|(word, _)| *word == unit.trim_start())?;
        let amount: f64 = number.parse().ok()?;
        // 0.07, not 0.07000000000000001: what is written is what is meant.
        let amount = if *factor < 1.0 { amount / factor.recip().round() } else { amount * factor };
        amount.is_finite().then_some(amount)
    }

    /// The amount in the largest unit that leaves no less than one, with three digits after the point at most.
    #[must_use]
    pub fn show(self, amount: f64) -> String {
        if amount.is_nan() {
            return "off".into();
        }
        let scale = self.scale();
        let fits = |entry: &&(&str, f64)| amount.abs() / entry.1 >= 1.0;
        let usual = if self == Self::Time { ("s", 1.0) } else { scale.first().copied().unwrap_or(("", 1.0)) };
        let (unit, factor) =
            if amount == 0.0 { usual } else { scale.iter().rev().find(fits).copied().unwrap_or(scale[0]) };
        let number = (amount / factor * 1_000.0).round() / 1_000.0;
        if unit.is_empty() { number.to_string() } else { format!("{number} {unit}") }
    }

    /// What is expected where an amount is not one: `a percentage such as "10 %"`.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Share => "a percentage such as \"10 %\"",
            Self::Bytes => "an amount such as \"50 GiB\" (B, KiB, MiB, GiB, TiB)",
            Self::Time => "a time such as \"5 min\" (ms, s, min, h, d)",
            Self::Number => "a number such as 5",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_their_own_units_only() {
        assert_eq!(Unit::Share.read("10 %"), Some(0.1));
        assert_eq!(Unit::Share.read("7%"), Some(0.07));
        assert_eq!(Unit::Bytes.read("50 GiB"), Some(53_687_091_200.0));
        assert_eq!(Unit::Time.read("1.5 h"), Some(5_400.0));
        assert_eq!(Unit::Time.read("50 ms"), Some(0.05));
        assert_eq!(Unit::Number.read("8"), Some(8.0));
        for (unit, text) in [
            (Unit::Share, "10"),
            (Unit::Share, "10 GiB"),
            (Unit::Bytes, "50 GB"),
            (Unit::Time, "5 minutes"),
            (Unit::Time, "5"),
            (Unit::Number, "8 %"),
            (Unit::Number, ""),
            (Unit::Number, "1e999"),
            (Unit::Share, "ten %"),
            (Unit::Share, "- %"),
        ] {
            assert_eq!(unit.read(text), None, "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_as_they_are_written() {
        for (unit, text) in [
            (Unit::Share, "10 %"),
            (Unit::Share, "0.5 %"),
            (Unit::Share, "0 %"),
            (Unit::Bytes, "50 GiB"),
            (Unit::Time, "5 min"),
            (Unit::Time, "50 ms"),
            (Unit::Time, "0 s"),
            (Unit::Time, "21 d"),
            (Unit::Number, "8"),
        ] {
            assert_eq!(unit.show(unit.read(text).unwrap()), text);
        }
        assert_eq!(Unit::Number.show(f64::NAN), "off");
    }
}
