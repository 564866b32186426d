//! A board: what is known of each host's hardware, for whoever shows the fleet's.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use crate::domain::{ids::HostNo, rules::hardware::summary::Summary};

/// A handle to the board. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<RwLock<BTreeMap<HostNo, Arc<Summary>>>>);

impl Board {
    /// This is known of a host now.
    pub fn put(&self, host: HostNo, summary: Summary) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(host, Arc::new(summary));
    }

    /// Hosts of whose parts something is found.
    #[must_use]
    pub fn troubled(&self) -> BTreeSet<HostNo> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().filter(|(_, summary)| summary.has_findings()).map(|(host, _)| *host).collect()
    }

    /// What is known of a host.
    #[must_use]
    pub fn of(&self, host: HostNo) -> Option<Arc<Summary>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&host).cloned()
    }
}
