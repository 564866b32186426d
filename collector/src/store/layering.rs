//! Hosts of a time when each label had one source: what that source said becomes its layer, and where one before it had
//! been overwritten it stays unknown.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::{
    StoreError,
    engine_rows::execute,
    from_json, in_state, json,
    load::{collect, column},
};
use crate::domain::{
    labels::Class,
    layers::{Effective, Layers},
    watch::Watch,
};

/// Turns the sources of all hosts into layers.
pub(super) fn layer_single_sources(connection: &Connection) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare("SELECT no, class, site, watch, labels, sources FROM host").map_err(in_state)?;
    let hosts: Vec<(i64, Layers)> = collect(statement.query([]), |row| {
        let class = Class::from_word(&column::<String>(row, 1)?).unwrap_or(Class::Server);
        let values = Effective {
            class,
            site: column(row, 2)?,
            watch: Watch::from_word(&column::<String>(row, 3)?).unwrap_or_else(|| class.default_watch()),
            labels: from_json(&column::<String>(row, 4)?)?,
        };
        let sources: BTreeMap<String, String> = from_json(&column::<String>(row, 5)?)?;
        Ok((column(row, 0)?, Layers::of_single_sources(&values, &sources)))
    })?;
    hosts.into_iter().try_for_each(|(no, layers)| {
        execute(connection, "UPDATE host SET layers = ?2 WHERE no = ?1", params![no, json(&layers)?])
    })?;
    execute(connection, "ALTER TABLE host DROP COLUMN sources", [])
}
