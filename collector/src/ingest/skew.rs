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
    #[must_use]
    pub fn proofs(&self, spans: &[AliveSpan], now: Timestamp) -> Vec<AliveProof> {
        let proof = |span: &AliveSpan| {
            let from = self.convert(span.boot_id, span.from, now);
            let to = self.convert(span.boot_id, span.to, now);
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
    fn a_span_that_ends_before_it_begins_proves_nothing() {
        let at = |boottime_ms| HostClock { wall_ms: 0, boottime_ms };
        let span =
            |from, to| AliveSpan { boot_id: [1; 16], from: at(from), to: at(to), clean_end: false, resumed: false };
        let proofs = year_ahead().proofs(&[span(400_000, 300_000), span(300_000, 400_000)], NOW);
        assert_eq!(proofs.len(), 1);
        assert_eq!((proofs[0].from, proofs[0].to), (NOW.plus_ms(-200_000), NOW.plus_ms(-100_000)));
    }
}
