//! The stock: what the inventory says of each host's operating system, and how its sections stand in the fleet, for
//! whoever writes pages of figures.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use crate::domain::{
    ids::HostNo,
    inventory::{Fields, first_of},
    os_support::{Release, Support, Table},
    time::Timestamp,
};

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

impl System {
    /// What a host's rows say of its machine and its operating system.
    #[must_use]
    pub fn of(rows: &[Fields], table: &Table, now: Timestamp) -> Self {
        let said = |names: &[&str]| rows.iter().find_map(|row| first_of(row, names)).unwrap_or_default().to_owned();
        let release = rows.iter().find_map(|row| Release::of_fields(row));
        Self {
            vendor: said(&["vendor", "manufacturer", "system_vendor"]),
            model: said(&["product", "model", "product_name"]),
            os: said(&["os_pretty_name", "pretty_name", "os_name", "os"]),
            kernel: said(&["kernel", "kernel_release"]),
            support: release.map(|release| table.support(&release, now)),
        }
    }
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
