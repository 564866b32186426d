//! What takes long while the files are opened, told as it goes on: a check, a copy, a new schema.

use std::fmt;

/// What is being done to a file, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    /// In words that begin with the file's name.
    pub what: String,
    /// How many are done.
    pub done: u64,
    /// Of so many.
    pub of: u64,
    /// What is counted: `pages` or `rows`.
    pub unit: &'static str,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {} {}", self.what, self.done, self.of, self.unit)
    }
}

/// Hears how far the opening is.
pub trait Watcher: Send + Sync + fmt::Debug {
    /// Told at each beginning and as often as something is known of how far it is.
    fn hear(&self, doing: Doing);
}

/// Nobody waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWatcher;

impl Watcher for NoWatcher {
    fn hear(&self, _doing: Doing) {}
}
