//! Trends: the short past of a few named readings of each host, and what it says of the days to come.
//!
//! [`reading`] lists them. In each host's slot a [`Sampler`] takes them once a minute through an [`Index`]; an hour of
//! [`Minutes`] is a row, two days later it is folded into a day of [`Hours`]. Rows are packed by a range coder to some
//! bits per value. [`forecast`] says when a file system will be full, [`sketch`] is what lists show.

mod coder;
mod concerned;
pub mod forecast;
mod history;
mod hours;
mod index;
mod minutes;
pub mod reading;
pub mod rollup;
mod sampler;
mod scale;
pub mod sketch;

pub use self::{
    concerned::concerned,
    history::History,
    hours::{DAY, Hour, Hours},
    index::Index,
    minutes::{Column, Minutes, ROW, phase_of, row_of},
    reading::{READINGS, Reading, Series, Unit},
    sampler::Sampler,
    scale::Scale,
};
