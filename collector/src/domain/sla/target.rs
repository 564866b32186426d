//! Ratios and promised percentages, compared exactly.

/// Parts of a whole: a percentage may have ten decimals.
const WHOLE: u64 = 1_000_000_000_000;
/// Decimals of a percentage that are kept.
const DECIMALS: usize = 10;

/// How much is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    parts: u64,
}

impl Target {
    /// All of it.
    pub const WHOLE: Self = Self { parts: WHOLE };
    /// What a percentage has to look like.
    pub const EXPECTED: &str = "a percentage above 0 and up to 100 with at most ten decimals, such as 99.95";

    /// From a percentage as people write it: `99.9`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 3 {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > DECIMALS {
            return None;
        }
        let fraction: u64 = format!("{fraction:0<DECIMALS$}").parse().ok()?;
        let parts = whole.parse::<u64>().ok()? * (WHOLE / 100) + fraction;
        (1..=WHOLE).contains(&parts).then_some(Self { parts })
    }

    /// Whether nothing at all may be missing.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.parts == WHOLE
    }

    /// From 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "twelve digits are exact")]
    pub fn value(self) -> f64 {
        self.parts as f64 / WHOLE as f64
    }

    /// What may be missing, in parts of a whole.
    #[must_use]
    pub(super) const fn missing(self) -> (i128, i128) {
        ((WHOLE - self.parts) as i128, WHOLE as i128)
    }

    /// What may be missing of so many milliseconds, rounded down.
    #[must_use]
    pub fn allowance_ms(self, agreed_ms: i64) -> i64 {
        let missing = i128::from(WHOLE - self.parts) * i128::from(agreed_ms) / i128::from(WHOLE);
        i64::try_from(missing).unwrap_or(i64::MAX)
    }

    /// The percentage without zeros that say nothing: `99.9`.
    #[must_use]
    pub fn percent(self) -> String {
        let (whole, fraction) = (self.parts / (WHOLE / 100), self.parts % (WHOLE / 100));
        let text = format!("{whole}.{fraction:0>DECIMALS$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// A part of a whole that is not zero; whole milliseconds until somebody divides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    part_ms: i64,
    whole_ms: i64,
}

impl Ratio {
    /// None where there is nothing to be a part of.
    #[must_use]
    pub const fn of(part_ms: i64, whole_ms: i64) -> Option<Self> {
        if whole_ms > 0 { Some(Self { part_ms, whole_ms }) } else { None }
    }

    /// From 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "285 000 years of milliseconds are exact")]
    pub fn value(self) -> f64 {
        self.part_ms as f64 / self.whole_ms as f64
    }

    /// Whether it reaches a target, without rounding.
    #[must_use]
    pub fn reaches(self, target: Target) -> bool {
        i128::from(self.part_ms) * i128::from(WHOLE) >= i128::from(target.parts) * i128::from(self.whole_ms)
    }

    /// In percent with so many decimals (at most ten), cut off and never rounded up.
    #[must_use]
    pub fn percent(self, decimals: usize) -> String {
        let scale = 10_i128.pow(u32::try_from(decimals.min(DECIMALS)).unwrap_or(0));
        let scaled = i128::from(self.part_ms) * 100 * scale / i128::from(self.whole_ms);
        let (whole, fraction) = (scaled / scale, scaled % scale);
        if decimals == 0 { whole.to_string() } else { format!("{whole}.{fraction:0>decimals$}") }
    }
}
