//! How much is said of a machine on which there is too much of something.

use super::Host;
use crate::withheld::Withheld;

/// Beyond these numbers things are said together, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowding {
    /// Series of the host; beyond it whole families are left out.
    pub series: usize,
    /// Network interfaces of one virtual kind; more of them are one.
    pub interfaces_per_kind: usize,
    /// Mounts of one type of file system; more of them are fewer.
    pub mounts_per_type: usize,
}

impl Default for Crowding {
    /// As many series as the collector takes of one host. 256 of a kind are some 9 000 series: a machine that is run
    /// on purpose with many guests is said one by one, a leak or a host of thousands of containers is not.
    fn default() -> Self {
        Self { series: 20_000, interfaces_per_kind: 256, mounts_per_type: 256 }
    }
}

impl Host {
    /// The same machine with other limits.
    #[must_use]
    pub fn with_crowding(mut self, crowding: Crowding) -> Self {
        self.crowding = crowding;
        self
    }

    /// How much is said of it.
    #[must_use]
    pub fn crowding(&self) -> Crowding {
        self.crowding
    }

    /// The same machine, of which this is not said.
    #[must_use]
    pub fn with_withheld(mut self, withheld: Withheld) -> Self {
        self.withheld = withheld;
        self
    }

    /// What is not said of it.
    #[must_use]
    pub fn withheld(&self) -> Withheld {
        self.withheld
    }
}
