//! How long what is over is kept.

/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// Twelve months and the days that people take to ask about them: 396 days.
const THIRTEEN_MONTHS_MS: i64 = 396 * DAY_MS;
/// What was so at the end of a year can be asked for all through the next: 761 days.
const TWENTY_FIVE_MONTHS_MS: i64 = 761 * DAY_MS;
/// Three years with a leap day, as auditors ask for: 1 096 days.
const THREE_YEARS_MS: i64 = 1_096 * DAY_MS;

/// `[retention]`: each in milliseconds.
///
/// The ledgers are not among them: agreements are reckoned from them, and reports that were issued cite their entries by number
/// and hash, so that none ever goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Hours of trends.
    pub trends_ms: i64,
    /// Incidents that are over with their pages, findings that are closed, test pages.
    pub incidents_ms: i64,
    /// What hosts consisted of, and what changed.
    pub inventory_ms: i64,
    /// The audit log.
    pub audit_ms: i64,
    /// Which reports were delivered where.
    pub reports_ms: i64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            trends_ms: THIRTEEN_MONTHS_MS,
            incidents_ms: THREE_YEARS_MS,
            inventory_ms: TWENTY_FIVE_MONTHS_MS,
            audit_ms: THREE_YEARS_MS,
            reports_ms: THREE_YEARS_MS,
        }
    }
}

impl Retention {
    /// A length as people read it: `13 months`, `3 years`, `40 days`.
    #[must_use]
    pub fn words(ms: i64) -> String {
        let days = ms / DAY_MS;
        let plural = |n: i64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
        (1..=240).find(|months| month_days(*months) == days).map_or_else(
            || plural(days, "day"),
            |months| match months {
                months if months % 12 == 0 => plural(months / 12, "year"),
                months => plural(months, "month"),
            },
        )
    }

    /// From such words; nothing where they are none.
    #[must_use]
    pub fn read(text: &str) -> Option<i64> {
        let (number, unit) = text.trim().split_once(' ')?;
        let number: i64 = number.parse().ok().filter(|number| (1..=10_000).contains(number))?;
        let days = match unit.trim() {
            "d" | "day" | "days" => number,
            "month" | "months" => month_days(number),
            "year" | "years" => month_days(12 * number),
            _ => return None,
        };
        Some(days * DAY_MS)
    }
}

/// So many months are never more days than this: 30.4375 each, rounded up.
const fn month_days(months: i64) -> i64 {
    (months * 304_375 + 9_999) / 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_they_are_written() {
        for (text, days) in [
            ("40 d", 40),
            ("1 month", 31),
            ("13 months", 396),
            ("25 months", 761),
            ("3 years", 1_096),
            ("36 months", 1_096),
            ("20 years", 7_305),
        ] {
            assert_eq!(Retention::read(text), Some(days * 86_400_000), "{text}");
        }
        for text in ["", "13", "months", "13months", "0 d", "-3 years", "1.5 years", "3 weeks", "99999 years"] {
            assert_eq!(Retention::read(text), None, "{text}");
        }
    }

    #[test]
    fn the_defaults_read_as_the_manual_has_them() {
        let kept = Retention::default();
        let words = [kept.trends_ms, kept.incidents_ms, kept.inventory_ms, kept.audit_ms, kept.reports_ms, 40 * DAY_MS];
        let words = words.map(Retention::words);
        assert_eq!(words, ["13 months", "3 years", "25 months", "3 years", "3 years", "40 days"]);
    }
}
