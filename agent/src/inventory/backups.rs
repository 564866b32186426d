//! Backups that were made, as far as this machine shows it: how the units of programs for backups ended, what these
//! programs note of their repositories, and dumps of databases. No repository is asked and no password is read; that a
//! backup can be restored nobody knows from here.

mod databases;
mod units;

use super::{Row, Sheet, Unread, date};
use crate::host::{Host, HostError};

/// Home directories that are looked into, and entries of one directory.
const HOMES_MAX: usize = 200;
const ENTRIES_MAX: usize = 5_000;
/// Users of people begin here (`UID_MIN`, login.defs(5)).
const FIRST_PERSON: u32 = 1_000;
/// Where dumps of databases are, of which: as the programs that make them and distributions have it.
const DUMPS: [(&str, &str); 9] = [
    ("/var/lib/autopostgresqlbackup", "postgresql"),
    ("/var/backups/postgresql", "postgresql"),
    ("/var/lib/postgresql/backups", "postgresql"),
    ("/var/lib/pgsql/backups", "postgresql"),
    ("/var/lib/automysqlbackup", "mysql"),
    ("/var/backups/mysql", "mysql"),
    ("/var/backups/mariadb", "mysql"),
    ("/var/backups/mongodb", "mongodb"),
    ("/var/backups", "database"),
];
/// Endings of dumps, before what packed them.
const DUMP_ENDINGS: [&str; 4] = [".sql", ".dump", ".pgdump", ".bson"];
const PACKED: [&str; 5] = [".gz", ".xz", ".zst", ".bz2", ".lz4"];
/// Directories below one with dumps: by database or by day.
const DUMP_DEPTH: usize = 2;
/// Where Debian itself lays copies of lists of packages and accounts each night: they are no backup, and a machine without a
/// backup must not look like one with.
const DEBIAN: &str = "/var/backups";

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    units::read(host, sheet);
    for home in homes(host) {
        borg(host, &home, sheet);
        restic(host, &home, sheet);
        duplicity(host, &home, sheet);
    }
    for (directory, of) in DUMPS {
        let depth = if directory == DEBIAN { 0 } else { DUMP_DEPTH };
        let newest = newest(host, directory, depth, sheet, &|name| is_dump(name));
        if let Some((seconds, name)) = newest {
            let row = made("dump", directory, seconds).durable("kind", "database").durable("what", of);
            sheet.row(row.durable("evidence", format_args!("{directory}/{name}")));
        }
    }
    databases::read(host, sheet);
    if sheet.is_empty() && !sheet.lacks_any() {
        return Err(Unread::Absent("no trace of a program for backups, and no dump of a database".to_owned()));
    }
    sheet.read_in("files and systemd");
    Ok(())
}

/// A row of what was made last at an instant.
fn made(tool: &str, what: &str, seconds: i64) -> Row {
    Row::new(format_args!("{tool}/{what}")).durable("tool", tool).known("last_at", date::spelled(seconds))
}

/// Of root and of people.
fn homes(host: &Host) -> Vec<String> {
    let passwd = host.read_text("/etc/passwd").unwrap_or_default();
    let mut homes = vec!["/root".to_owned()];
    for line in passwd.lines() {
        let words: Vec<&str> = line.split(':').collect();
        let [_, _, uid, _, _, home, ..] = words[..] else { continue };
        let is_person = uid.parse::<u32>().is_ok_and(|uid| uid == 0 || uid >= FIRST_PERSON);
        if is_person && home.starts_with('/') && home.len() > 1 && !homes.iter().any(|known| known == home) {
            homes.push(home.to_owned());
        }
    }
    homes.truncate(HOMES_MAX);
    homes
}

/// The names in a directory; that it may not be read is a lack.
fn names(host: &Host, directory: &str, sheet: &mut Sheet) -> Vec<String> {
    match host.list(directory) {
        Ok(mut names) => {
            names.truncate(ENTRIES_MAX);
            names
        }
        Err(error @ HostError::Unreadable { .. }) => {
            sheet.lacks(error);
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

/// borg notes the time of the newest manifest that it saw of a repository, and where that is.
fn borg(host: &Host, home: &str, sheet: &mut Sheet) {
    let directory = format!("{home}/.config/borg/security");
    for id in names(host, &directory, sheet) {
        let path = format!("{directory}/{id}/manifest-timestamp");
        let (Ok(text), Ok(stat)) = (host.read_text(&path), host.stat(&path)) else { continue };
        // `2026-11-30T01:02:03.456789`, in UTC.
        let noted = text.get(..19).filter(|at| at.as_bytes()[10] == b'T').map(|at| format!("{at}Z"));
        let place = host.read_text(&format!("{directory}/{id}/location")).unwrap_or_default();
        let row = Row::new(format_args!("borg/{home}/{id}"))
            .durable("tool", "borg")
            .durable("kind", "repository")
            .durable("what", without_credentials(place.trim()))
            .known("last_at", noted.or_else(|| date::spelled(stat.modified_s)))
            .durable("evidence", path);
        sheet.row(row);
    }
}

/// restic keeps a copy of each snapshot's description in its cache.
fn restic(host: &Host, home: &str, sheet: &mut Sheet) {
    let directory = format!("{home}/.cache/restic");
    for id in names(host, &directory, sheet).iter().filter(|id| is_id(id)) {
        let snapshots = format!("{directory}/{id}/snapshots");
        let Some((seconds, _)) = newest(host, &snapshots, 1, sheet, &|_| true) else { continue };
        let row = made("restic", &format!("{home}/{id}"), seconds).durable("kind", "repository");
        // Its first digits are how restic itself shows it.
        sheet.row(row.durable("what", format_args!("repository {}", &id[..10])).durable("evidence", snapshots));
    }
}

/// 32 bytes in hexadecimal digits.
fn is_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// duplicity keeps manifests: `duplicity-inc.20261129T010203Z.to.20261130T010203Z.manifest`.
fn duplicity(host: &Host, home: &str, sheet: &mut Sheet) {
    let directory = format!("{home}/.cache/duplicity");
    for name in names(host, &directory, sheet) {
        let files = names(host, &format!("{directory}/{name}"), sheet);
        let times = files.iter().filter_map(|file| {
            let time =
                file.strip_suffix(".manifest").or_else(|| file.strip_suffix(".manifest.gpg"))?.rsplit('.').next()?;
            let [date, rest] = [time.get(..8)?, time.get(9..15)?];
            let is_time = time.len() == 16 && (date.to_owned() + rest).bytes().all(|byte| byte.is_ascii_digit());
            is_time.then(|| {
                let (year, month, day) = (&date[..4], &date[4..6], &date[6..]);
                format!("{year}-{month}-{day}T{}:{}:{}Z", &rest[..2], &rest[2..4], &rest[4..])
            })
        });
        let Some(last) = times.max() else { continue };
        let row = Row::new(format_args!("duplicity/{home}/{name}"))
            .durable("tool", "duplicity")
            .durable("kind", "repository")
            .durable("what", &name)
            .durable("last_at", last);
        sheet.row(row.durable("evidence", format_args!("{directory}/{name}")));
    }
}

fn is_dump(name: &str) -> bool {
    let plain = PACKED.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    DUMP_ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

/// When the newest file that fits was written, and its name.
fn newest(
    host: &Host,
    directory: &str,
    depth: usize,
    sheet: &mut Sheet,
    fits: &dyn Fn(&str) -> bool,
) -> Option<(i64, String)> {
    let mut found: Option<(i64, String)> = None;
    for name in names(host, directory, sheet) {
        let path = format!("{directory}/{name}");
        let below = if depth > 0 { newest(host, &path, depth - 1, sheet, fits) } else { None };
        let below = below.map(|(seconds, inner)| (seconds, format!("{name}/{inner}")));
        let own = || Some((host.stat(&path).ok().filter(|_| host.list(&path).is_err())?.modified_s, name.clone()));
        found = found.max(below).max(if fits(&name) { own() } else { None });
    }
    found
}

/// A place without the user and the password that may stand in it: `ssh://ann:secret@nas/x` is `ssh://nas/x`.
fn without_credentials(place: &str) -> String {
    let Some((scheme, rest)) = place.split_once("://") else { return place.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let bare = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{bare}{path}")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::Status;
    use super::super::testing::Machine;
    use super::without_credentials;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn written(machine: &Machine, path: &str, seconds: u64) {
        machine.file(path, "x");
        let file = std::fs::File::options().write(true).open(machine.root().join(path)).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn what_programs_and_dumps_leave_says_when_the_last_backup_was() {
        let machine = Machine::new();
        machine.file(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nwww:x:33:33::/srv:/no\n",
        );
        machine.files(&[
            ("root/.config/borg/security/b1/manifest-timestamp", "2026-11-30T01:02:03.456789"),
            ("root/.config/borg/security/b1/location", "ssh://ann:secret@nas.example/backups/web"),
            ("home/ann/.cache/duplicity/web/duplicity-full.20261101T000000Z.manifest", ""),
            ("home/ann/.cache/duplicity/web/duplicity-inc.20261101T000000Z.to.20261129T010203Z.manifest.gpg", ""),
            ("home/ann/.cache/duplicity/web/duplicity-full.20261130T000000Z.vol1.difftar.gpg", ""),
        ]);
        // 2025-11-30T12:00:00Z and an hour before.
        written(&machine, &format!("root/.cache/restic/{ID}/snapshots/ab/abcd"), 1_764_504_000);
        written(&machine, &format!("root/.cache/restic/{ID}/snapshots/cd/cdef"), 1_764_500_400);
        written(&machine, "var/backups/postgresql/shop/shop-1.sql.gz", 1_764_500_400);
        written(&machine, "var/backups/postgresql/shop/readme.txt", 1_764_504_000);
        written(&machine, "var/backups/dpkg.status.0", 1_764_500_400);
        assert_eq!(
            machine.lines("backups"),
            [
                "borg//root/b1: evidence=/root/.config/borg/security/b1/manifest-timestamp kind=repository \
                 last_at=2026-11-30T01:02:03Z tool=borg what=ssh://nas.example/backups/web"
                    .to_owned(),
                "dump//var/backups/postgresql: evidence=/var/backups/postgresql/shop/shop-1.sql.gz kind=database \
                 last_at=2025-11-30T11:00:00Z tool=dump what=postgresql"
                    .to_owned(),
                "duplicity//home/ann/web: evidence=/home/ann/.cache/duplicity/web kind=repository \
                 last_at=2026-11-29T01:02:03Z tool=duplicity what=web"
                    .to_owned(),
                format!(
                    "restic//root/{ID}: evidence=/root/.cache/restic/{ID}/snapshots kind=repository \
                     last_at=2025-11-30T12:00:00Z tool=restic what=repository 0123456789"
                ),
            ]
        );
    }

    #[test]
    fn a_machine_without_a_trace_says_so_and_no_password_is_told() {
        let machine = Machine::new();
        written(&machine, "var/backups/dpkg.status.0", 1_764_500_400);
        assert_eq!(machine.section("backups").status, Status::Absent, "Debian's copies are none");
        assert_eq!(without_credentials("sftp://u@h:22/x@y"), "sftp://h:22/x@y");
        assert_eq!(without_credentials("/srv/borg"), "/srv/borg");
        assert_eq!(without_credentials("https://u:p@h"), "https://h");
    }
}
