//! PURE. From a host's clocks to the collector's time: its boot-time within the present boot, its wall
//! clock corrected by the difference seen at Hello for earlier boots. The result is the host's own word.

use super::decode::{AliveSpan, HostClock};
use crate::domain::{event::AliveProof, time::Timestamp};

/// Nothing that a host tells is older than its spool may hold (7 days).
pub const OLDEST_MS: i64 = 7 * 24 * 3600 * 1000;

/// How one host's clocks relate to ours, as of its Hello.
#[derive(Debug, Clone, Copy)]
pub struct HostTime {
    boot_id: [u8; 16],
    hello: HostClock,
    heard: Timestamp,
}

impl HostTime {
    /// From the clocks in a Hello that arrived at `heard`.
    #[must_use]
    pub const fn new(boot_id: [u8; 16], hello: HostClock, heard: Timestamp) -> Self {
        Self { boot_id, hello, heard }
    }

    /// How far the host's wall clock is ahead of ours, in milliseconds.
    #[must_use]
    pub const fn ahead_ms(&self) -> i64 {
        self.hello.wall_ms.saturating_sub(self.heard.ms())
    }

    /// The collector's time of an instant on the host, never in the future of `now` nor older than [`OLDEST_MS`].
    #[must_use]
    pub fn convert(&self, boot_id: [u8; 16], at: HostClock, now: Timestamp) -> Timestamp {
        let ms = if boot_id == self.boot_id {
            let since_hello = i128::from(at.boottime_ms) - i128::from(self.hello.boottime_ms);
            self.heard.ms().saturating_add(i64::try_from(since_hello).unwrap_or(i64::MIN))
        } else {
            at.wall_ms.saturating_sub(self.ahead_ms())
        };
        Timestamp::from_ms(ms.clamp(now.ms().saturating_sub(OLDEST_MS), now.ms()))
    }

    /// The alive log in collector time; spans that end before they begin prove nothing and are dropped.
    ///
    /// Of an earlier boot the last word says when it was; what came before lies so much earlier as its boot time says, for the
    /// wall clock may have been set meanwhile, or have said a second twice.
    #[must_use]
    pub fn proofs(&self, spans: &[AliveSpan], now: Timestamp) -> Vec<AliveProof> {
        let proof = |span: &AliveSpan| {
            let of_its_boot = spans.iter().filter(|other| other.boot_id == span.boot_id).map(|other| other.to);
            let last = of_its_boot.max_by_key(|at| at.boottime_ms).unwrap_or(span.to);
            let before_ms = |at: HostClock| i64::try_from(last.boottime_ms.saturating_sub(at.boottime_ms));
            let steady = |at: HostClock| {
                let wall_ms = last.wall_ms.saturating_sub(before_ms(at).unwrap_or(i64::MAX));
                self.convert(span.boot_id, HostClock { wall_ms, ..at }, now)
            };
            let (from, to) = (steady(span.from), steady(span.to));
            let AliveSpan { boot_id, clean_end, resumed, .. } = *span;
            (from <= to).then_some(AliveProof { boot_id, from, to, clean_end, resumed })
        };
        spans.iter().filter_map(proof).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);
    const YEAR_MS: i64 = 365 * 24 * 3600 * 1000;

    fn year_ahead() -> HostTime {
        HostTime::new([1; 16], HostClock { wall_ms: NOW.ms() + YEAR_MS, boottime_ms: 500_000 }, NOW)
    }

    #[test]
    fn a_clock_off_by_a_year_is_corrected() {
        let (time, at) = (year_ahead(), HostClock { wall_ms: NOW.ms() + YEAR_MS - 60_000, boottime_ms: 440_000 });
        assert_eq!(time.convert([1; 16], at, NOW), NOW.plus_ms(-60_000), "this boot: by boot time");
        assert_eq!(time.convert([2; 16], at, NOW), NOW.plus_ms(-60_000), "an earlier boot: by corrected wall time");
        assert_eq!(time.ahead_ms(), YEAR_MS);
    }

    #[test]
    fn nothing_is_in_the_future_nor_older_than_a_spool() {
        let time = year_ahead();
        let late = HostClock { wall_ms: i64::MAX, boottime_ms: u64::MAX };
        let early = HostClock { wall_ms: i64::MIN, boottime_ms: 0 };
        for boot in [[1; 16], [2; 16]] {
            assert!(time.convert(boot, late, NOW) <= NOW);
            assert!(time.convert(boot, early, NOW) >= NOW.plus_ms(-OLDEST_MS));
        }
    }

    #[test]
    fn lives_of_an_earlier_boot_are_as_long_and_as_far_apart_as_its_own_time_says_though_its_clock_was_set() {
        const MINUTE_MS: i64 = 60_000;
        // A second said twice, an hour back, a day forward: between the two lives, and within the second.
        for set_ms in [-1_000, -60 * MINUTE_MS, 24 * 60 * MINUTE_MS] {
            let at = |minute: i64, set_ms: i64| HostClock {
                wall_ms: NOW.ms() + YEAR_MS + (minute - 300) * MINUTE_MS + set_ms,
                boottime_ms: u64::try_from(minute * MINUTE_MS).unwrap(),
            };
            let span = |from, to| AliveSpan { boot_id: [2; 16], from, to, clean_end: false, resumed: false };
            let spans = [span(at(10, -2 * set_ms), at(20, -2 * set_ms)), span(at(30, -set_ms), at(40, 0))];
            let proofs = year_ahead().proofs(&spans, NOW);
            let minutes = |at: Timestamp| (at.ms() - NOW.ms()) / MINUTE_MS + 300;
            let said: Vec<_> = proofs.iter().map(|proof| (minutes(proof.from), minutes(proof.to))).collect();
            assert_eq!(said, [(10, 20), (30, 40)], "set by {set_ms}");
        }
    }

    #[test]
    fn a_span_that_ends_before_it_begins_proves_nothing() {
        let at = |boottime_ms| HostClock { wall_ms: 0, boottime_ms };
        let span =
            |from, to| AliveSpan { boot_id: [1; 16], from: at(from), to: at(to), clean_end: false, resumed: false };
        let proofs = year_ahead().proofs(&[span(400_000, 300_000), span(300_000, 400_000)], NOW);
        assert_eq!(proofs.len(), 1);
        assert_eq!((proofs[0].from, proofs[0].to), (NOW.plus_ms(-200_000), NOW.plus_ms(-100_000)));
    }
}
