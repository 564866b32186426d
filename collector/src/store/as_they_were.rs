//! What people entered and changed, in the versions that a report was reckoned with.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::{
    Store, StoreError, from_json, handling, in_state,
    load::{body, collect, column},
};
use crate::domain::{
    dismissal::Dismissal,
    hold::Hold,
    record::IncidentRow,
    sla::{
        amendment::Amendment,
        inputs::{About, Version},
    },
};

impl Store {
    /// Maintenance windows.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn windows_as_they_were(&self, versions: Vec<Version>) -> Result<BTreeMap<Version, Hold>, StoreError> {
        let sql = "SELECT body FROM hold WHERE no = ?1 AND version = ?2 AND kind = 'maintenance'";
        self.as_they_were(sql, versions).await
    }

    /// What people said afterwards.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn amendments_as_they_were(
        &self,
        versions: Vec<Version>,
    ) -> Result<BTreeMap<Version, Amendment>, StoreError> {
        self.as_they_were("SELECT body FROM amendment WHERE no = ?1 AND version = ?2", versions).await
    }

    /// What was said of incidents.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn dismissals_as_they_were(
        &self,
        versions: Vec<Version>,
    ) -> Result<BTreeMap<Version, Dismissal>, StoreError> {
        self.as_they_were("SELECT body FROM dismissal WHERE no = ?1 AND version = ?2", versions).await
    }

    async fn as_they_were<T: DeserializeOwned + Send + 'static>(
        &self,
        sql: &'static str,
        mut versions: Vec<Version>,
    ) -> Result<BTreeMap<Version, T>, StoreError> {
        versions.sort_unstable();
        versions.dedup();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            let mut found = BTreeMap::new();
            for asked in versions {
                let all = collect(statement.query([asked.number, asked.version]), body::<T>)?;
                found.extend(all.into_iter().map(|one| (asked, one)));
            }
            Ok(found)
        })
        .await
    }

    /// Incidents by their numbers, as they are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn incidents_numbered(&self, numbers: Vec<i64>) -> Result<BTreeMap<i64, About>, StoreError> {
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT body FROM incident WHERE no = ?1").map_err(in_state)?;
            let mut found = BTreeMap::new();
            for number in numbers {
                let rows: Vec<IncidentRow> =
                    collect(statement.query([number]), |row| from_json(&column::<String>(row, 0)?))?;
                for row in rows {
                    found.insert(number, About::of(&row.key, &handling::incident(connection, &row)?));
                }
            }
            Ok(found)
        })
        .await
    }
}
