//! A board: what is known of each host's hardware, and beside it the stock, for whoever shows the fleet's.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    domain::{ids::HostNo, rules::hardware::summary::Summary},
    stock::Stock,
};

/// A handle to the board. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Board {
    hardware: Arc<RwLock<BTreeMap<HostNo, Arc<Summary>>>>,
    /// What the inventories say.
    pub stock: Stock,
}

impl Board {
    /// This is known of a host now.
    pub fn put(&self, host: HostNo, summary: Summary) {
        self.hardware.write().unwrap_or_else(PoisonError::into_inner).insert(host, Arc::new(summary));
    }

    /// Hosts of whose parts something is found.
    #[must_use]
    pub fn troubled(&self) -> BTreeSet<HostNo> {
        let known = self.hardware.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|(_, summary)| summary.has_findings()).map(|(host, _)| *host).collect()
    }

    /// What is known of a host.
    #[must_use]
    pub fn of(&self, host: HostNo) -> Option<Arc<Summary>> {
        self.hardware.read().unwrap_or_else(PoisonError::into_inner).get(&host).cloned()
    }
}
