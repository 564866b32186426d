//! How fast counters grew in each of the last minutes, in half a kilobyte a host.
//!
//! Whole minutes of the host's time since boot, so that what is kept does not depend on when watching began: a memory
//! that starts later holds the end of one that started earlier, and nothing else.

/// Minutes kept; the longest window is one less, for the present minute is not whole.
const KEPT: usize = 20;
/// The longest window, in seconds.
pub(super) const LONGEST_S: f64 = 60.0 * (KEPT as f64 - 1.0);

/// The counters.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counter {
    /// Seconds in which some task waited for a processor.
    CpuWaiting = 1,
    /// Seconds in which all tasks waited for disks.
    IoStalled = 2,
    /// Seconds in which all tasks waited for memory.
    MemoryStalled = 3,
    /// Pages read from swap.
    SwapIn = 4,
    /// Pages written to swap.
    SwapOut = 5,
}

/// The counters and, in the first place, time in seconds.
pub(super) const COUNTERS: usize = 6;

/// What grew by how much, by minute.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    grown: [[f32; COUNTERS]; KEPT],
    last: Option<[f64; COUNTERS]>,
    /// The present minute, and the first that is seen from its begin.
    present: u64,
    first: u64,
}

impl Minutes {
    pub(super) fn clear(&mut self) {
        self.last = None;
    }

    /// Takes the counters' values at this time since boot, the time itself in the first place.
    pub(super) fn feed(&mut self, now_ms: u64, mut values: [f64; COUNTERS]) {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since boot are far below 2^52")]
        let now_s = now_ms as f64 / 1_000.0;
        values[0] = now_s;
        let minute = now_ms / 60_000;
        let Some(last) = self.last.replace(values) else {
            (self.present, self.first) = (minute, minute + 1);
            return;
        };
        for passed in (self.present + 1..=minute).rev().take(KEPT) {
            self.grown[slot(passed)] = [0.0; COUNTERS];
        }
        self.present = minute;
        let grown = &mut self.grown[slot(minute)];
        for (sum, (value, before)) in grown.iter_mut().zip(values.iter().zip(last)) {
            #[expect(clippy::cast_possible_truncation, reason = "seven digits are more than any rule looks at")]
            let step = (value - before).max(0.0) as f32;
            // max() would hide that one of them is not there.
            *sum += if value.is_nan() || before.is_nan() { f32::NAN } else { step };
        }
    }

    /// How much the counter grew a second over the last whole minutes that make up this window, if all were seen.
    pub(super) fn rate(&self, counter: Counter, window_s: f64) -> Option<f64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "windows are 1 to 19 minutes")]
        let minutes = ((window_s / 60.0).round() as u64).clamp(1, KEPT as u64 - 1);
        if self.last.is_none() || self.present < self.first + minutes {
            return None;
        }
        let sum = |place: usize| -> f64 {
            (self.present - minutes..self.present).map(|minute| f64::from(self.grown[slot(minute)][place])).sum()
        };
        let (grown, seconds) = (sum(counter as usize), sum(0));
        (grown.is_finite() && seconds > 0.0).then(|| grown / seconds)
    }
}

fn slot(minute: u64) -> usize {
    usize::try_from(minute % KEPT as u64).unwrap_or_default()
}
