//! When to ask for the next certificate. PURE.

use super::Validity;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// In these last days a failed renewal is tried again each hour instead of each day.
const LAST_DAYS_MS: i64 = 3 * DAY_MS;
/// Half of the spread around half life, as a part of the whole life.
const JITTER_RATIO: f64 = 0.1;

/// The instant (milliseconds since the epoch) of the next attempt: half of the certificate's life +- 10 %, always the
/// same for one host; after a failed attempt a day later, in the last three days an hour later.
#[must_use]
pub fn next_attempt_ms(validity: Validity, host_id: &[u8; 16], last_attempt_ms: Option<i64>) -> i64 {
    let life = validity.to_ms.saturating_sub(validity.from_ms).max(0);
    let first = validity.from_ms.saturating_add((life as f64 * (0.5 + JITTER_RATIO * lean(host_id))) as i64);
    let Some(last) = last_attempt_ms else { return first };
    let after_a_day = last.saturating_add(DAY_MS);
    let last_days = validity.to_ms.saturating_sub(LAST_DAYS_MS);
    let again = if after_a_day < last_days {
        after_a_day
    } else {
        last_days.max(last.saturating_add(HOUR_MS)).min(after_a_day)
    };
    again.max(first)
}

/// A number in [-1, 1] that is spread evenly over hosts. The id's own first bytes are a time, so it is hashed.
fn lean(host_id: &[u8; 16]) -> f64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, host_id);
    let mut first = [0; 4];
    first.copy_from_slice(&digest.as_ref()[..4]);
    f64::from(u32::from_le_bytes(first)) / f64::from(u32::MAX) * 2.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Validity = Validity { from_ms: 0, to_ms: 30 * DAY_MS };

    #[test]
    fn first_attempt_lies_around_half_life_and_is_spread_over_hosts() {
        let attempts: Vec<i64> = (0..=255).map(|n| next_attempt_ms(MONTH, &[n; 16], None)).collect();
        assert!(attempts.iter().all(|at| (12 * DAY_MS..=18 * DAY_MS).contains(at)));
        assert!(attempts.iter().max().unwrap() - attempts.iter().min().unwrap() > 5 * DAY_MS);
        assert_eq!(next_attempt_ms(MONTH, &[3; 16], None), next_attempt_ms(MONTH, &[3; 16], None));
    }

    #[test]
    fn failed_attempt_is_repeated_daily_and_in_the_last_three_days_hourly() {
        let after = |days: i64| next_attempt_ms(MONTH, &[1; 16], Some(days * DAY_MS)) - days * DAY_MS;
        assert_eq!(after(20), DAY_MS);
        assert_eq!(after(25), DAY_MS);
        assert_eq!(after(27), HOUR_MS);
        assert_eq!(after(29), HOUR_MS);
    }

    #[test]
    fn attempt_shortly_before_the_last_days_is_followed_at_their_beginning() {
        let last = 26 * DAY_MS + 12 * HOUR_MS;
        assert_eq!(next_attempt_ms(MONTH, &[1; 16], Some(last)), 27 * DAY_MS);
    }

    #[test]
    fn unreadable_certificate_is_renewed_at_once() {
        assert_eq!(next_attempt_ms(Validity { from_ms: 0, to_ms: 0 }, &[1; 16], None), 0);
    }
}
