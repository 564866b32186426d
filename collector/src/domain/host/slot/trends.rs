//! What the slot holds of its host's trends until it is written, and what was read off them.

use super::Slot;
use crate::domain::{
    time::Timestamp,
    trend::{Minutes, forecast::Filling},
};

impl Slot {
    /// The minutes that are not written yet, oldest first.
    #[must_use]
    pub fn trends(&self) -> Vec<Minutes> {
        self.lock().trends.held()
    }

    /// The hours that are over by `now`, to be written; the slot holds them no longer.
    pub fn take_finished_trends(&self, now: Timestamp) -> Vec<Minutes> {
        self.lock().trends.take_finished(now)
    }

    /// All minutes that are not written yet; the slot holds them no longer.
    pub fn take_all_trends(&self) -> Vec<Minutes> {
        self.lock().trends.take_all()
    }

    /// Sets which file systems are filling; told each time that the host's hour is written.
    pub fn set_filling(&self, filling: Vec<Filling>) {
        self.lock().filling = Some(filling);
    }

    /// The file systems that will be full within a year if they go on as they do, soonest first.
    #[must_use]
    pub fn forecasts(&self) -> Vec<Filling> {
        self.lock().filling.clone().unwrap_or_default()
    }
}
