//! What each kind of record takes on disk.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{FACTS_FILE, STATE_FILE, Store, StoreError, files, storage_error};

/// Which tables a kind of record is in; what is in none of them is `other`.
const KINDS: [(&str, &[&str]); 9] = [
    ("incidents", &["incident", "incident_event", "page", "attempt", "problem", "finding", "dismissal", "host_change"]),
    ("audit", &["audit"]),
    ("ledgers", &["span", "check_span", "collector_run", "agreement", "amendment"]),
    ("reports", &["report_issue", "report_delivery", "report_document"]),
    ("hosts", &["host", "certificate", "token", "enrolment", "liveness", "check_state", "device", "parent", "asset"]),
    ("trends", &["trend_set", "trend_minute", "trend_hour", "trend_size"]),
    (
        "inventory",
        &[
            "inventory_section",
            "thing",
            "item",
            "holding",
            "latest",
            "inventory_refused",
            "inventory_part",
            "inventory_change",
        ],
    ),
    ("hardware", &["evidence", "drive_life", "drive_place"]),
    ("records", &["fact", "received"]),
];

/// What is in none of [`KINDS`].
const OTHER: &str = "other";
/// Pages that are free for what comes.
const FREE: &str = "free";

/// What one kind takes, its indexes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// Which: `incidents`, `audit`, `ledgers`, `reports`, `hosts`, `trends`, `inventory`, `hardware`, `records`, `other`;
    /// `free`: what is left of what was forgotten, used again before the file grows.
    pub kind: &'static str,
    /// In which file.
    pub file: &'static str,
    /// Bytes.
    pub bytes: u64,
}

impl Store {
    /// What each kind takes; largest first. Reads every page of both files, on connections of its own.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn sizes(&self) -> Result<Vec<Size>, StoreError> {
        let directory = self.directory().to_owned();
        let look = move || {
            let mut sizes = Vec::new();
            for file in [STATE_FILE, FACTS_FILE] {
                sizes.extend(of(&files::open_for_reading(&directory.join(file))?, file)?);
            }
            sizes.sort_by_key(|size| std::cmp::Reverse(size.bytes));
            Ok(sizes)
        };
        tokio::task::spawn_blocking(look)
            .await
            .map_err(|error| StoreError::Broken(format!("the sizes were not read: {error}")))?
    }
}

/// An index belongs to its table.
fn of(connection: &Connection, file: &'static str) -> Result<Vec<Size>, StoreError> {
    let failed = |error| storage_error(file, &error);
    let mut statement = connection
        .prepare(
            "SELECT coalesce(m.tbl_name, s.name), sum(s.pgsize) FROM dbstat s LEFT JOIN sqlite_master m ON m.name = s.name
             WHERE s.aggregate = TRUE GROUP BY 1",
        )
        .map_err(failed)?;
    let tables = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed)?;
    let mut sizes: BTreeMap<&'static str, i64> = BTreeMap::new();
    for (table, bytes) in tables {
        *sizes.entry(kind_of(&table)).or_default() += bytes;
    }
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    sizes.insert(FREE, pragma("freelist_count")? * pragma("page_size")?);
    let size = |(kind, bytes)| Size { kind, file, bytes: u64::try_from(bytes).unwrap_or(0) };
    Ok(sizes.into_iter().map(size).collect())
}

fn kind_of(table: &str) -> &'static str {
    KINDS.iter().find(|(_, tables)| tables.contains(&table)).map_or(OTHER, |(kind, _)| *kind)
}
