//! The only file of the collector that reads a clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::time::{ClockId, clock_gettime};

use crate::domain::time::Timestamp;

/// The engine's clock: wall time at start plus boot time elapsed since. It never jumps by itself; a step
/// of the wall clock is applied once, by whoever records it. Clones share it.
#[derive(Debug, Clone)]
pub struct Clock {
    wall_minus_boot_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Starts the clock at the present wall time.
    #[must_use]
    pub fn start() -> Self {
        let difference = wall().ms() - boot_ms();
        Self { wall_minus_boot_ms: Arc::new(AtomicI64::new(difference)) }
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_ms(boot_ms() + self.wall_minus_boot_ms.load(Ordering::Relaxed))
    }

    /// How far the wall clock has left this clock, in milliseconds.
    #[must_use]
    pub fn wall_ahead_ms(&self) -> i64 {
        wall().ms() - self.now().ms()
    }

    /// Applies a step of the wall clock.
    pub fn step(&self, ahead_ms: i64) {
        self.wall_minus_boot_ms.fetch_add(ahead_ms, Ordering::Relaxed);
    }
}

/// Wall time for what only needs the calendar (certificates, tokens, file names). It is the one by which TLS judges
/// certificates, so that both see the same wrong clock.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is clock.rs")]
pub fn wall() -> Timestamp {
    Timestamp::from_ms(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
    })
}

fn boot_ms() -> i64 {
    let spec = clock_gettime(ClockId::Boottime);
    spec.tv_sec * 1000 + spec.tv_nsec / 1_000_000
}
