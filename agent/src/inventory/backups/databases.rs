//! What programs that back databases up note beside their backups, where this machine holds them.

use serde_json::Value;

use super::{made, names};
use crate::host::Host;
use crate::inventory::{Row, Sheet};

/// `repo1-path` and `barman_home` where nothing else is configured.
const PGBACKREST: &str = "/var/lib/pgbackrest/backup";
const BARMAN: &str = "/var/lib/barman";

pub(super) fn read(host: &Host, sheet: &mut Sheet) {
    pgbackrest(host, sheet);
    barman(host, sheet);
}

/// `backup.info` of a stanza has in `[backup:current]` a line for each backup: its label, `=`, and what it was as JSON.
fn pgbackrest(host: &Host, sheet: &mut Sheet) {
    for stanza in names(host, PGBACKREST, sheet) {
        let path = format!("{PGBACKREST}/{stanza}/backup.info");
        let text = match host.read_text(&path) {
            Ok(text) => text,
            Err(crate::host::HostError::NotPresent(_)) => continue,
            Err(error) => {
                sheet.lacks(error);
                continue;
            }
        };
        let current = text.split("[backup:current]").nth(1).unwrap_or_default();
        let lines = current.lines().take_while(|line| !line.starts_with('['));
        let ended = lines.filter_map(|line| {
            let backup: Value = serde_json::from_str(line.split_once('=')?.1).ok()?;
            // Pages whose checksums were wrong: it was made, and is none to rely on.
            if backup["backup-error"] == true { None } else { backup["backup-timestamp-stop"].as_i64() }
        });
        if let Some(last) = ended.max() {
            sheet.row(row("pgbackrest", &stanza, last, &path));
        }
    }
}

/// Each backup is a directory below `base` with a `backup.info`, written a last time when it is done.
fn barman(host: &Host, sheet: &mut Sheet) {
    for server in names(host, BARMAN, sheet).iter().filter(|name| !name.starts_with('.')) {
        let base = format!("{BARMAN}/{server}/base");
        if host.list(&base).is_err() {
            continue;
        }
        let ended = names(host, &base, sheet).into_iter().filter_map(|id| {
            let path = format!("{base}/{id}/backup.info");
            let is_done = host.read_text(&path).ok()?.lines().any(|line| line.trim() == "status=DONE");
            Some((host.stat(&path).ok().filter(|_| is_done)?.modified_s, path))
        });
        if let Some((last, path)) = ended.max() {
            sheet.row(row("barman", server, last, &path));
        }
    }
}

fn row(tool: &str, of: &str, seconds: i64, evidence: &str) -> Row {
    let row = made(tool, of, seconds).durable("kind", "database");
    row.durable("what", format_args!("postgresql {of}")).durable("evidence", evidence)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::super::testing::Machine;

    #[test]
    fn the_last_backup_of_a_database_that_ended_well_counts() {
        let machine = Machine::new();
        let info = "[backrest]\nbackrest-format=5\n\n[backup:current]\n\
                    20251129-010000F={\"backup-error\":false,\"backup-timestamp-stop\":1764500400,\"backup-type\":\"full\"}\n\
                    20251130-010000F={\"backup-error\":true,\"backup-timestamp-stop\":1764504000,\"backup-type\":\"full\"}\n\n\
                    [db]\ndb-id=1\n";
        machine.file("var/lib/pgbackrest/backup/main/backup.info", info);
        for (id, status, seconds) in
            [("20251130T100000", "DONE", 1_764_500_400), ("20251130T120000", "FAILED", 1_764_504_000)]
        {
            let path = format!("var/lib/barman/shop/base/{id}/backup.info");
            machine.file(&path, format!("backup_id={id}\nstatus={status}\n"));
            let file = std::fs::File::options().write(true).open(machine.root().join(&path)).unwrap();
            file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        }
        machine.file("var/lib/barman/.cache/x", "");
        assert_eq!(
            machine.lines("backups"),
            [
                "barman/shop: evidence=/var/lib/barman/shop/base/20251130T100000/backup.info kind=database \
                 last_at=2025-11-30T11:00:00Z tool=barman what=postgresql shop",
                "pgbackrest/main: evidence=/var/lib/pgbackrest/backup/main/backup.info kind=database \
                 last_at=2025-11-30T11:00:00Z tool=pgbackrest what=postgresql main",
            ]
        );
    }
}
