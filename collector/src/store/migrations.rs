//! Numbered schemas of both files and how a file gets from one to the next.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use super::{StoreError, storage_error};

/// A step that is done in the program, in the transaction of its SQL.
pub(super) type InProgram = fn(&Connection) -> Result<(), StoreError>;

/// One step: the SQL that makes schema `version` of the one before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) sql: &'static str,
    /// What SQL alone cannot do, in the same transaction.
    pub(super) then: Option<InProgram>,
}

impl Migration {
    pub(super) const fn new(version: i64, sql: &'static str) -> Self {
        Self { version, sql, then: None }
    }
}

/// The steps of `state.db`.
pub(super) const STATE: &[Migration] = &[
    Migration::new(1, include_str!("migrations/state_0001.sql")),
    Migration::new(2, include_str!("migrations/state_0002.sql")),
    Migration::new(3, include_str!("migrations/state_0003.sql")),
    Migration {
        version: 4,
        sql: include_str!("migrations/state_0004.sql"),
        then: Some(super::layering::layer_single_sources),
    },
    Migration::new(5, include_str!("migrations/state_0005.sql")),
    Migration::new(6, include_str!("migrations/state_0006.sql")),
    Migration::new(7, include_str!("migrations/state_0007.sql")),
    Migration::new(8, include_str!("migrations/state_0008.sql")),
    Migration::new(9, include_str!("migrations/state_0009.sql")),
    Migration::new(10, include_str!("migrations/state_0010.sql")),
    Migration::new(11, include_str!("migrations/state_0011.sql")),
    Migration::new(12, include_str!("migrations/state_0012.sql")),
    Migration::new(13, include_str!("migrations/state_0013.sql")),
    Migration::new(14, include_str!("migrations/state_0014.sql")),
    Migration::new(15, include_str!("migrations/state_0015.sql")),
    Migration::new(16, include_str!("migrations/state_0016.sql")),
    Migration::new(17, include_str!("migrations/state_0017.sql")),
    Migration::new(18, include_str!("migrations/state_0018.sql")),
    Migration::new(19, include_str!("migrations/state_0019.sql")),
    Migration::new(20, include_str!("migrations/state_0020.sql")),
    Migration::new(21, include_str!("migrations/state_0021.sql")),
    Migration::new(22, include_str!("migrations/state_0022.sql")),
];
/// The steps of `facts.db`.
pub(super) const FACTS: &[Migration] = &[
    Migration::new(1, include_str!("migrations/facts_0001.sql")),
    Migration::new(2, include_str!("migrations/facts_0002.sql")),
    Migration::new(3, include_str!("migrations/facts_0003.sql")),
    Migration::new(4, include_str!("migrations/facts_0004.sql")),
    Migration::new(5, include_str!("migrations/facts_0005.sql")),
    Migration::new(6, include_str!("migrations/facts_0006.sql")),
];

/// A copy is made in one go, nobody watches.
pub(super) const NO_PROGRESS: Option<fn(rusqlite::backup::Progress)> = None;

const META: &str = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)";

/// Brings a file to the newest schema. A file that already had one is copied to `FILE.before-N` first (N = the version
/// it is brought to); a file of a newer program is refused untouched.
pub(super) fn migrate(connection: &mut Connection, path: &Path, steps: &[Migration]) -> Result<(), StoreError> {
    let name = path.file_name().map_or_else(|| "store".into(), |name| name.to_string_lossy().into_owned());
    let failed = |error| storage_error(&name, &error);
    let newest = steps.last().map_or(0, |step| step.version);
    let current = version(connection).map_err(failed)?;
    if current > newest {
        return Err(StoreError::Broken(format!(
            "{} has schema {current}, this program knows up to {newest}: start the newer muster-collector that wrote it, \
             or restore a backup (or {name}.before-{current}) made by this version",
            path.display()
        )));
    }
    if current == newest {
        return Ok(());
    }
    if current > 0 {
        connection.backup("main", set_aside_path(path, newest), NO_PROGRESS).map_err(failed)?;
    }
    for step in steps.iter().filter(|step| step.version > current) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(META).map_err(failed)?;
        transaction.execute_batch(step.sql).map_err(failed)?;
        step.then.map_or(Ok(()), |then| then(&transaction))?;
        transaction
            .execute(
                "INSERT INTO meta (key, value) VALUES ('schema_version', ?1)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [step.version.to_string()],
            )
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

/// The schema version of a file; 0 for one that has none yet.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master WHERE name = 'meta'", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(0);
    }
    let text: Option<String> =
        connection.query_row("SELECT value FROM meta WHERE key = 'schema_version'", [], |row| row.get(0)).optional()?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn set_aside_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".before-{version}"));
    name.into()
}
