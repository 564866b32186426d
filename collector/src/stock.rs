//! The stock: what the inventory says of each host's operating system, and how its sections stand in the fleet, for
//! whoever writes pages of figures.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::domain::{ids::HostNo, os_support::Support};

/// What is known of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct System {
    /// Who made the machine.
    pub vendor: String,
    /// What they call it.
    pub model: String,
    /// Its operating system, as it is called.
    pub os: String,
    /// Its kernel.
    pub kernel: String,
    /// How that is supported; none: it does not say what it runs.
    pub support: Option<Support>,
}

/// All that is known.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// By host.
    pub systems: BTreeMap<HostNo, System>,
    /// Hosts by section and status.
    pub sections: BTreeMap<(String, &'static str), u64>,
}

/// A handle to the stock. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stock(Arc<RwLock<Arc<Known>>>);

impl Stock {
    /// This is known now.
    pub fn put(&self, known: Known) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }

    /// What is known.
    #[must_use]
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
