//! The only file of the agent that reads a clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::platform;

/// One instant on both clocks: the wall (may jump) and boot time (never jumps, counts suspend).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moment {
    /// Milliseconds since the Unix epoch, UTC.
    pub wall_ms: i64,
    /// Milliseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    pub boottime_ms: u64,
}

/// Reads both clocks. The wall is the one by which TLS judges certificates, so that both see the same wrong clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is clock.rs")]
pub fn now() -> Moment {
    let wall = SystemTime::now();
    let boot = platform::boottime();
    let wall_ms = match wall.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    };
    Moment { wall_ms, boottime_ms: u64::try_from(boot.as_millis()).unwrap_or(0) }
}

/// Nanoseconds of boot time, for durations of probes.
#[must_use]
pub fn boottime_ns() -> u64 {
    u64::try_from(platform::boottime().as_nanos()).unwrap_or(0)
}
