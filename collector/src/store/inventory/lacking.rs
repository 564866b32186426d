//! What of the fleet's inventory could not be read, and why.

use std::collections::BTreeMap;

use super::{failed, status};
use crate::{
    domain::{ids::HostNo, inventory::Status},
    store::{Store, StoreError},
};

/// A section that some hosts could not read, or not all of, for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacks {
    /// Its name.
    pub section: String,
    /// How much of it was read.
    pub status: Status,
    /// Why not all.
    pub reason: String,
    /// On which hosts, by number.
    pub hosts: Vec<HostNo>,
}

impl Store {
    /// Sections that are partial, unreadable or switched off, by section and reason. What a machine does not have is no
    /// lack.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn inventory_lacks(&self) -> Result<Vec<Lacks>, StoreError> {
        self.facts_reader()
            .read(|connection| {
                let mut statement = connection
                    .prepare_cached(
                        "SELECT s.name, l.status, l.reason, l.host FROM latest l
                         JOIN inventory_section s ON s.no = l.section WHERE l.status <> 0 AND l.status <> 3 ORDER BY l.host",
                    )
                    .map_err(failed)?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
                let rows: Vec<(String, u32, String, i64)> = rows.and_then(Iterator::collect).map_err(failed)?;
                let mut lacks: BTreeMap<(String, u32, String), Vec<HostNo>> = BTreeMap::new();
                for (section, status, reason, host) in rows {
                    lacks.entry((section, status, reason)).or_default().push(HostNo(host));
                }
                let one = |((section, number, reason), hosts)| Lacks { section, status: status(number), reason, hosts };
                Ok(lacks.into_iter().map(one).collect())
            })
            .await
    }
}
