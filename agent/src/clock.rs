//! The only file of the agent that reads a clock.

use rustix::time::{ClockId, clock_gettime};

/// One instant on both clocks: the wall (may jump) and boot time (never jumps, counts suspend).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// Milliseconds since the Unix epoch, UTC.
    pub wall_ms: i64,
    /// Milliseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    pub boottime_ms: u64,
}

/// Reads both clocks.
#[must_use]
pub fn now() -> Moment {
    let wall = clock_gettime(ClockId::Realtime);
    let boot = clock_gettime(ClockId::Boottime);
    Moment {
        wall_ms: wall.tv_sec * 1000 + wall.tv_nsec / 1_000_000,
        boottime_ms: u64::try_from(boot.tv_sec * 1000 + boot.tv_nsec / 1_000_000).unwrap_or(0),
    }
}

/// Nanoseconds of boot time, for durations of probes.
#[must_use]
pub fn boottime_ns() -> u64 {
    let boot = clock_gettime(ClockId::Boottime);
    u64::try_from(boot.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(boot.tv_nsec).unwrap_or(0)
}
