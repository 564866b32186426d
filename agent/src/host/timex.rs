//! The kernel's clock discipline: adjtimex(2), which is no file.

use super::{Host, HostError, os};

/// struct timex (include/uapi/linux/timex.h), without what sets it, and how the clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timex {
    /// What the call returned: TIME_OK and its siblings, TIME_ERROR where the clock is not synchronised.
    pub state: i32,
    /// STA_* bits.
    pub status: i32,
    /// Nanoseconds where STA_NANO is set, else microseconds.
    pub offset: i64,
    /// Parts per million, scaled by 2^16.
    pub freq: i64,
    /// Microseconds.
    pub maxerror: i64,
    /// Microseconds.
    pub esterror: i64,
    /// Time constant of the loop.
    pub constant: i64,
    /// Microseconds between ticks.
    pub tick: i64,
    /// Parts per million, scaled by 2^16.
    pub ppsfreq: i64,
    /// As `offset`.
    pub jitter: i64,
    /// Duration of an interval, as a power of two of seconds.
    pub shift: i32,
    /// Parts per million, scaled by 2^16.
    pub stabil: i64,
    /// Jitter limit exceeded.
    pub jitcnt: i64,
    /// Calibration intervals.
    pub calcnt: i64,
    /// Calibration errors.
    pub errcnt: i64,
    /// Stability limit exceeded.
    pub stbcnt: i64,
    /// Seconds between TAI and UTC.
    pub tai: i32,
}

impl Host {
    /// What adjtimex(2) says. A captured machine has it in `ROOT/.muster/adjtimex.json`.
    ///
    /// # Errors
    /// When the system does not let us ask, or on a captured machine without it.
    pub fn adjtimex(&self) -> Result<Timex, HostError> {
        const CAPTURED: &str = "/.muster/adjtimex.json";
        if self.is_live() {
            return os::adjtimex();
        }
        let text = self.read_text(CAPTURED)?;
        serde_json::from_str(&text)
            .map_err(|error| HostError::Failed { path: CAPTURED.to_owned(), reason: error.to_string() })
    }
}
