//! ZFS: the cache and other statistics of the module, and per pool its state and traffic, from `/proc/spl/kstat/zfs`;
//! once a minute the traffic of each data set, of which there may be thousands.
//!
//! A kstat is a table `name type data` below a line of headings (module/os/linux/spl/spl-kstat.c).

use super::folder::{finite, gauge};
use super::{Kind, ProbeError, Sink, strange};
use crate::host::Host;

const DIRECTORY: &str = "/proc/spl/kstat/zfs";
/// File and the beginning of its names.
const KSTATS: [(&str, &str); 11] = [
    ("abdstats", "node_zfs_abd"),
    ("arcstats", "node_zfs_arc"),
    ("dbufstats", "node_zfs_dbuf"),
    ("dmu_tx", "node_zfs_dmu_tx"),
    ("dnodestats", "node_zfs_dnode"),
    ("fm", "node_zfs_fm"),
    ("vdev_cache_stats", "node_zfs_vdev_cache"),
    ("vdev_mirror_stats", "node_zfs_vdev_mirror"),
    ("xuio_stats", "node_zfs_xuio"),
    ("zfetchstats", "node_zfs_zfetch"),
    ("zil", "node_zfs_zil"),
];
/// `KSTAT_DATA_INT64`, `KSTAT_DATA_UINT64` (include/os/linux/spl/sys/kstat.h).
const INT64: &str = "3";
const UINT64: &str = "4";
/// The states of a pool (lib/libzfs: `zpool_state_to_name`), and `suspended`, which hides the others.
const STATES: [&str; 7] = ["online", "degraded", "faulted", "offline", "removed", "unavail", "suspended"];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let entries = host.list(DIRECTORY)?;
    for (file, prefix) in KSTATS {
        if entries.iter().any(|entry| entry == file) {
            let path = format!("{DIRECTORY}/{file}");
            or_note(sink, &path, |sink| sink.read(host, &path, |sink, text| say_kstat(sink, file, prefix, text)));
        }
    }
    for pool in pools(host, &entries) {
        let path = format!("{DIRECTORY}/{pool}/io");
        or_note(sink, &path, |sink| sink.read(host, &path, |sink, text| say_traffic(sink, pool, text)));
        let path = format!("{DIRECTORY}/{pool}/state");
        or_note(sink, &path, |sink| sink.read(host, &path, |sink, text| say_state(sink, pool, text)));
    }
    Ok(())
}

pub(super) fn objsets(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let entries = host.list(DIRECTORY)?;
    let mut found = false;
    for pool in pools(host, &entries) {
        let directory = format!("{DIRECTORY}/{pool}");
        // A pool that is being exported takes its files away.
        let Ok(names) = host.list(&directory) else { continue };
        for name in names.iter().filter(|name| name.starts_with("objset-")) {
            let path = format!("{directory}/{name}");
            found = true;
            or_note(sink, &path, |sink| {
                let text = host.read_text(&path)?;
                say_objset(sink, pool, &path, &text)
            });
        }
    }
    if found { Ok(()) } else { Err(ProbeError::Absent("no data set is counted".to_owned())) }
}

/// The pools: every directory there. (A module's own files have names that are known, or are no directories.)
fn pools<'a>(host: &'a Host, entries: &'a [String]) -> impl Iterator<Item = &'a str> {
    let is_kstat = |entry: &str| KSTATS.iter().any(|(file, _)| *file == entry);
    entries
        .iter()
        .map(String::as_str)
        .filter(move |entry| !is_kstat(entry) && host.names(&format!("{DIRECTORY}/{entry}")).is_some())
}

/// What fails is noted, unless it went away.
fn or_note(sink: &mut Sink<'_>, path: &str, say: impl FnOnce(&mut Sink<'_>) -> Result<(), ProbeError>) {
    match say(sink) {
        Ok(()) | Err(ProbeError::Absent(_)) => {}
        Err(error) => sink.note(format!("zfs{path}"), error),
    }
}

/// The rows below the headings: name, type, data.
fn rows<'a>(path: &str, text: &'a str) -> Result<impl Iterator<Item = [&'a str; 3]>, ProbeError> {
    let mut lines = text.lines().map(|line| {
        let mut fields = line.split_ascii_whitespace();
        [(); 3].map(|()| fields.next().unwrap_or_default())
    });
    if !lines.any(|row| row == ["name", "type", "data"]) {
        return Err(strange(path, "has no line `name type data`"));
    }
    Ok(lines.filter(|row| !row[2].is_empty()))
}

fn say_kstat(sink: &mut Sink<'_>, file: &str, prefix: &str, text: &str) -> Result<(), ProbeError> {
    for [name, kind, data] in rows(file, text)? {
        let Some(value) = Some(data).filter(|_| kind == UINT64 || kind == INT64).and_then(finite) else { continue };
        let help = format!("kstat.zfs.misc.{file}.{name}");
        sink.single(&format!("{prefix}_{}", metric_name(name)), Kind::Untyped, &help, value);
    }
    Ok(())
}

fn say_objset(sink: &mut Sink<'_>, pool: &str, path: &str, text: &str) -> Result<(), ProbeError> {
    let mut dataset = "";
    for [name, kind, data] in rows(path, text)? {
        if name == "dataset_name" {
            dataset = data;
        } else if let Some(value) = Some(data).filter(|_| kind == UINT64).and_then(finite) {
            let help = format!("kstat.zfs.misc.objset.{name}");
            sink.family(&format!("node_zfs_zpool_dataset_{}", metric_name(name)), Kind::Untyped, &help);
            sink.sample(&[("zpool", pool), ("dataset", dataset)], value);
        }
    }
    Ok(())
}

/// A line of names that begins with `nread`, then one of values.
fn say_traffic(sink: &mut Sink<'_>, pool: &str, text: &str) -> Result<(), ProbeError> {
    let mut lines = text.lines().skip_while(|line| line.split_ascii_whitespace().next() != Some("nread"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return Err(strange(&format!("{DIRECTORY}/{pool}/io"), "has no line `nread ...`"));
    };
    for (name, value) in names.split_ascii_whitespace().zip(values.split_ascii_whitespace()) {
        let Some(value) = finite(value) else { continue };
        let help = format!("kstat.zfs.misc.io.{name}");
        sink.family(&format!("node_zfs_zpool_{}", metric_name(name)), Kind::Untyped, &help);
        sink.sample(&[("zpool", pool)], value);
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "one of three that are called alike")]
fn say_state(sink: &mut Sink<'_>, pool: &str, text: &str) -> Result<(), ProbeError> {
    let actual = text.lines().next().unwrap_or_default().to_lowercase();
    for state in STATES {
        let value = if state == actual { 1.0 } else { 0.0 };
        gauge(sink, "node_zfs_zpool_state", "kstat.zfs.misc.state", &[("zpool", pool), ("state", state)], value);
    }
    Ok(())
}

/// A name with nothing in it that Prometheus does not allow.
fn metric_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    const HEAD: &str = "12 1 0x01 5 1360 4891224093 8100112233445\nname   type data\n";

    #[test]
    fn a_broken_kstat_is_noted_and_the_pools_are_said() {
        let machine = Machine::new(&[
            (
                "proc/spl/kstat/zfs/arcstats",
                &format!("{HEAD}hits 4 7\nmemory_available_bytes 3 -5\nname 7 text\nshort 4\nbad 4 x\n"),
            ),
            ("proc/spl/kstat/zfs/zil", "no headings\n"),
            ("proc/spl/kstat/zfs/fm", &format!("{HEAD}erpt-dropped 4 3\n")),
            ("proc/spl/kstat/zfs/dbgmsg", "timestamp message\n"),
            ("proc/spl/kstat/zfs/tank/state", "DEGRADED\n"),
            ("proc/spl/kstat/zfs/tank/io", "12 3\nnread nwritten\n5 x\n"),
            ("proc/spl/kstat/zfs/lost/io", "12 3\n"),
        ]);
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        let mut plain = said.series.clone();
        plain.retain(|name, value| *value != 0.0 || !name.contains("state="));
        let expected = [
            ("node_zfs_arc_hits".to_owned(), 7.0),
            ("node_zfs_arc_memory_available_bytes".to_owned(), -5.0),
            ("node_zfs_fm_erpt_dropped".to_owned(), 3.0),
            (r#"node_zfs_zpool_nread{zpool="tank"}"#.to_owned(), 5.0),
            (r#"node_zfs_zpool_state{state="degraded",zpool="tank"}"#.to_owned(), 1.0),
        ];
        assert_eq!(plain, expected.into());
        assert_eq!(said.family("node_zfs_zpool_state").len(), STATES.len());
        assert_eq!(said.noted(), ["zfs/proc/spl/kstat/zfs/zil", "zfs/proc/spl/kstat/zfs/lost/io"]);
    }

    #[test]
    fn each_data_set_is_said_by_its_name() {
        let machine = Machine::new(&[
            ("proc/spl/kstat/zfs/tank/objset-0x36", &format!("{HEAD}dataset_name 7 tank/a\nwrites 4 3\nreads 7 9\n")),
            ("proc/spl/kstat/zfs/tank/objset-0x37", "broken\n"),
            ("proc/spl/kstat/zfs/tank/state", "ONLINE\n"),
        ]);
        let said = machine.read(objsets);
        let expected = [(r#"node_zfs_zpool_dataset_writes{dataset="tank/a",zpool="tank"}"#.to_owned(), 3.0)];
        assert_eq!(said.series, expected.into());
        assert_eq!(said.noted(), ["zfs/proc/spl/kstat/zfs/tank/objset-0x37"]);
    }
}
