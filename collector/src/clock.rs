//! The only file of the collector that reads a clock.

use rustix::time::{ClockId, clock_gettime};

use crate::domain::time::Timestamp;

/// The engine's clock: wall time at start plus boot time elapsed since (decisions 9). It never jumps.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall_at_start_ms: i64,
    boot_at_start_ms: i64,
}

impl Clock {
    /// Starts the clock at the present wall time.
    #[must_use]
    pub fn start() -> Self {
        Self { wall_at_start_ms: read(ClockId::Realtime), boot_at_start_ms: read(ClockId::Boottime) }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.wall_at_start_ms + read(ClockId::Boottime) - self.boot_at_start_ms)
    }

    /// How far the wall clock has left this clock, in milliseconds; a step of more than 2 000 is applied once.
    #[must_use]
    pub fn wall_ahead_ms(&self) -> i64 {
        read(ClockId::Realtime) - self.now().ms()
    }

    /// Applies a step of the wall clock.
    pub fn step(&mut self, ahead_ms: i64) {
        self.wall_at_start_ms += ahead_ms;
    }
}

/// Wall time, milliseconds since the Unix epoch, for what only needs the calendar (certificates, tokens, file names).
#[must_use]
pub fn wall() -> Timestamp {
    Timestamp::from_ms(read(ClockId::Realtime))
}

fn read(clock: ClockId) -> i64 {
    let spec = clock_gettime(clock);
    spec.tv_sec * 1000 + spec.tv_nsec / 1_000_000
}
