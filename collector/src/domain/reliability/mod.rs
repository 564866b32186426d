//! How drives do over their lives: each drive's life as far as it was watched, and what models and firmwares come to.
//!
//! A drive is known by model and serial number, in whatever host and bay it sits. What is said of a group of drives comes with
//! its interval and with how many drives it rests on, and of fewer than [`LEAST`] nothing is said.

pub mod batch;
pub mod cohort;
pub mod life;
pub mod share;
mod survival;

pub use self::{
    batch::{Batch, batches},
    cohort::{Cohort, LEAST, cohorts},
    life::{Life, Watched, follow},
};

/// Hours of a year.
pub const YEAR_HOURS: f64 = 8_766.0;
