//! Numbered schemas of both files and how a file gets from one to the next.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OptionalExtension, backup::Progress};

use super::{
    StoreError,
    opening::{Doing, Watcher},
    storage_error,
};

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

const META: &str = "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)";

/// Brings a file to the newest schema. A file that already had one is copied to `FILE.before-N` first (N = the version
/// it is brought to); a file of a newer program is refused untouched. `watcher` hears how far it is.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    steps: &[Migration],
    watcher: &dyn Watcher,
) -> Result<(), StoreError> {
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
        let aside = set_aside_path(path, newest);
        let what = format!("{name} is copied to {} first", aside.file_name().unwrap_or_default().display());
        let copied = |progress: Progress| {
            let [of, left] = [progress.pagecount, progress.remaining].map(|pages| u64::try_from(pages).unwrap_or(0));
            watcher.hear(Doing { what: what.clone(), done: of.saturating_sub(left), of, unit: "pages" });
        };
        connection.backup("main", aside, Some(copied)).map_err(failed)?;
    }
    for step in steps.iter().filter(|step| step.version > current) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(META).map_err(failed)?;
        let what = format!("{name} is brought from schema {} to {}", step.version - 1, step.version);
        run(&transaction, step.sql, &what, watcher).map_err(failed)?;
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

/// Runs all statements. How far it is, is how many of the rows are done of the tables that statements look through: a table
/// counts once for each statement.
fn run(connection: &Connection, sql: &str, what: &str, watcher: &dyn Watcher) -> rusqlite::Result<()> {
    let statements = statements(sql);
    let tables = tables(connection)?;
    let rows = |statement: &str| -> u64 {
        let known = read_by(statement).into_iter().filter_map(|table| tables.get(table));
        if is_slow(statement) { known.sum() } else { 0 }
    };
    let of = statements.iter().map(|statement| rows(statement)).sum();
    let mut done = 0;
    for statement in &statements {
        if rows(statement) > 0 {
            watcher.hear(Doing { what: what.to_owned(), done, of, unit: "rows" });
        }
        connection.execute_batch(statement)?;
        done += rows(statement);
    }
    Ok(())
}

/// One by one, without comments; no text in them has a semicolon.
fn statements(sql: &str) -> Vec<String> {
    let lines = sql.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code));
    let code = lines.collect::<Vec<_>>().join("\n");
    code.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

/// Whether it looks through rows: a new table, column or view does not, nor does dropping an index.
fn is_slow(statement: &str) -> bool {
    let quick = ["CREATE TABLE", "DROP INDEX"].iter().any(|word| statement.starts_with(word));
    !quick && !statement.contains(" ADD COLUMN ")
}

/// The words where a statement names a table that it looks through.
fn read_by(statement: &str) -> Vec<&str> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: Vec<&str> = statement.split(|c| !letter(c)).filter(|word| !word.is_empty()).collect();
    let before = ["FROM", "JOIN", "ON", "UPDATE", "TABLE"];
    words.windows(2).filter(|pair| before.contains(&pair[0])).map(|pair| pair[1]).collect()
}

/// The tables of a file, with how many rows each has.
fn tables(connection: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let count = |name: String| {
        let rows: i64 = connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0))?;
        Ok((name, u64::try_from(rows).unwrap_or(0)))
    };
    names.into_iter().map(count).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_told_apart_and_those_that_look_through_rows_are_known() {
        let sql = "-- What it is; and why.\nCREATE TABLE a (x BIGINT);\n-- Once more.\nALTER TABLE b ADD COLUMN y TEXT;\n\
                   CREATE INDEX a_x ON b (x); -- late; too\nDROP INDEX b_x;\nINSERT INTO c\nSELECT x FROM b;\n";
        let found = statements(sql);
        assert_eq!(found.len(), 5, "{found:?}");
        let read = |statement: &String| is_slow(statement).then(|| read_by(statement).join(" "));
        let expected = [None, None, Some("b".to_owned()), None, Some("b".to_owned())];
        assert_eq!(found.iter().map(read).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_text_in_a_step_has_a_semicolon_or_what_begins_a_comment() {
        for step in STATE.iter().chain(FACTS) {
            let code = statements(step.sql).join("\n");
            let texts = code.split('\'').skip(1).step_by(2);
            assert!(texts.clone().all(|text| !text.contains(';') && !text.contains("--")), "schema {}", step.version);
            assert!(code.matches('\'').count().is_multiple_of(2), "schema {}", step.version);
        }
    }
}
