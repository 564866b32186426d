//! When the records are copied, and when that is a problem.

use super::{heartbeat::schedule::Schedule, severity::Severity, time::Timestamp};

/// A failed backup is tried again after so long, in milliseconds.
const AGAIN_MS: i64 = 15 * 60_000;
/// A backup that is due when the collector starts has so long before it is missed, in milliseconds.
const GRACE_MS: i64 = 3_600_000;

/// Shortest passphrase, in characters: a shorter one is guessed, however much work each guess is.
const SHORTEST: usize = 12;

/// Whether a passphrase is long enough to seal with.
///
/// # Errors
/// What is expected, in words.
pub fn check_passphrase(text: &str) -> Result<(), String> {
    if text.chars().count() >= SHORTEST {
        return Ok(());
    }
    Err(format!("a passphrase of at least {SHORTEST} characters, better a random one: openssl rand -base64 24"))
}

/// How often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rhythm {
    /// So long after the one before, in milliseconds.
    Every(i64),
    /// At a time of the day.
    Daily(Box<Schedule>),
}

/// `[backup]`: the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where to, the whole path of a directory.
    pub directory: String,
    /// How often.
    pub rhythm: Rhythm,
    /// How many are kept.
    pub keep: usize,
}

/// A try that failed, after the last good one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// When.
    pub at: Timestamp,
    /// Why, in words.
    pub why: String,
}

impl Plan {
    /// When the next one is due after a good one.
    #[must_use]
    pub fn next(&self, good: Timestamp) -> Timestamp {
        match &self.rhythm {
            Rhythm::Every(ms) => good.plus_ms(*ms),
            Rhythm::Daily(schedule) => schedule.after(good),
        }
    }

    /// Whether one is to be begun now.
    #[must_use]
    pub fn is_due(&self, good: Option<Timestamp>, failed: Option<&Failed>, now: Timestamp) -> bool {
        let is_rested = failed.is_none_or(|failed| failed.at.plus_ms(AGAIN_MS) <= now);
        is_rested && good.is_none_or(|good| self.next(good) <= now)
    }

    /// What is wrong, if something is: the last one failed, or two in a row are missing. `since`: how long this collector
    /// has been running.
    #[must_use]
    pub fn trouble(
        &self,
        good: Option<Timestamp>,
        failed: Option<&Failed>,
        since: Timestamp,
        now: Timestamp,
    ) -> Option<(Severity, String)> {
        let last =
            good.map_or_else(|| "there is no good one".to_owned(), |good| format!("the last good one is of {good}"));
        if let Some(failed) = failed {
            let text = format!("the backup into {} failed: {}; {last}", self.directory, failed.why);
            return Some((Severity::Warning, text));
        }
        let missed = good.map_or(since, |good| self.next(self.next(good)));
        let is_missed = missed.max(since.plus_ms(GRACE_MS)) <= now;
        is_missed.then(|| (Severity::Warning, format!("no backup came to {} in time: {last}", self.directory)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn plan(rhythm: Rhythm) -> Plan {
        Plan { directory: "/backups".into(), rhythm, keep: 7 }
    }

    fn nightly() -> Plan {
        plan(Rhythm::Daily(Box::new(Schedule::cron("30 2 * * *", "Europe/Berlin").unwrap())))
    }

    #[test]
    fn the_first_is_due_at_once_and_the_next_at_its_time_of_the_day() {
        let good = at("2026-11-30T01:30:00Z");
        assert!(nightly().is_due(None, None, good));
        // 02:30 in Berlin is 01:30 in UTC in winter.
        assert!(!nightly().is_due(Some(good), None, at("2026-12-01T01:29:59Z")));
        assert!(nightly().is_due(Some(good), None, at("2026-12-01T01:30:00Z")));
        // One that somebody's clock ran past while the collector was away is made up for.
        assert!(nightly().is_due(Some(good), None, at("2026-12-04T12:00:00Z")));
        assert_eq!(plan(Rhythm::Every(6 * HOUR)).next(good), at("2026-11-30T07:30:00Z"));
    }

    #[test]
    fn a_failed_one_is_tried_again_after_a_quarter_of_an_hour() {
        let failed = Failed { at: at("2026-11-30T01:30:00Z"), why: "no space".into() };
        assert!(!nightly().is_due(None, Some(&failed), at("2026-11-30T01:44:59Z")));
        assert!(nightly().is_due(None, Some(&failed), at("2026-11-30T01:45:00Z")));
    }

    #[test]
    fn a_failure_is_a_problem_at_once_and_names_the_last_good_one() {
        let (good, now) = (at("2026-11-29T01:30:00Z"), at("2026-11-30T01:31:00Z"));
        let failed = Failed { at: now, why: "no space".into() };
        let (severity, text) = nightly().trouble(Some(good), Some(&failed), good, now).unwrap();
        assert_eq!(severity, Severity::Warning);
        let expected = "the backup into /backups failed: no space; the last good one is of 2026-11-29T01:30:00";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn two_that_are_missing_are_a_problem_but_not_in_the_first_hour_of_a_collector() {
        let good = at("2026-11-28T01:30:00Z");
        let trouble = |since: &str, now: &str| nightly().trouble(Some(good), None, at(since), at(now)).is_some();
        assert!(!trouble("2026-11-01T00:00:00Z", "2026-11-30T01:29:59Z"));
        assert!(trouble("2026-11-01T00:00:00Z", "2026-11-30T01:30:00Z"));
        assert!(!trouble("2026-11-30T01:00:00Z", "2026-11-30T01:59:59Z"));
        assert!(trouble("2026-11-30T01:00:00Z", "2026-11-30T02:00:00Z"));
        // The very first one that does not end.
        let begun = at("2026-11-30T00:00:00Z");
        assert!(nightly().trouble(None, None, begun, at("2026-11-30T00:59:59Z")).is_none());
        assert!(nightly().trouble(None, None, begun, at("2026-11-30T01:00:00Z")).is_some());
    }
}
