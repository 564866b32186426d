//! The kernel's clock discipline: adjtimex(2), which is no file.

use super::{Host, HostError};

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
            return live();
        }
        let text = self.read_text(CAPTURED)?;
        serde_json::from_str(&text)
            .map_err(|error| HostError::Failed { path: CAPTURED.to_owned(), reason: error.to_string() })
    }
}

#[expect(unsafe_code, reason = "no safe wrapper of adjtimex exists and no file says the same")]
#[expect(clippy::useless_conversion, reason = "these integers are narrower on some architectures")]
fn live() -> Result<Timex, HostError> {
    // SAFETY: struct timex consists of integers only, for which zeros are valid values.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a valid struct timex of our own; `modes` is 0, so nothing is set.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        let errno = rustix::io::Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(rustix::io::Errno::IO);
        return Err(HostError::from_errno("adjtimex", errno));
    }
    Ok(Timex {
        state,
        status: timex.status,
        offset: timex.offset.into(),
        freq: timex.freq.into(),
        maxerror: timex.maxerror.into(),
        esterror: timex.esterror.into(),
        constant: timex.constant.into(),
        tick: timex.tick.into(),
        ppsfreq: timex.ppsfreq.into(),
        jitter: timex.jitter.into(),
        shift: timex.shift,
        stabil: timex.stabil.into(),
        jitcnt: timex.jitcnt.into(),
        calcnt: timex.calcnt.into(),
        errcnt: timex.errcnt.into(),
        stbcnt: timex.stbcnt.into(),
        tai: timex.tai,
    })
}
