//! Captured machines in, the exposition of `node_exporter` out.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Moment;
use crate::gather::{Gatherer, SourceState};
use crate::host::{FsStat, Host};
use crate::once;

use super::{SOURCES, Section, testing};

/// Longer than any source's own deadline.
const PATIENT: Duration = Duration::from_secs(60);
const NOW: Moment = Moment { wall_ms: 1_795_293_705_180, boottime_ms: 662_510 };

fn captured(name: &str) -> (PathBuf, Host) {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/hosts").join(name);
    let host = Host::captured(root.clone(), Some(root.join("commands")));
    (root, host)
}

/// All lines but those about ourselves.
fn lines(text: &str) -> BTreeSet<String> {
    let own = |line: &&str| line.contains("node_scrape_collector") || line.contains("node_exporter_build_info");
    text.lines().filter(|line| !own(line) && !line.contains("node_time_seconds")).map(str::to_owned).collect()
}

/// `expected.txt`: node_exporter 1.5.0 run on the same tree with `--path.procfs`, `--path.sysfs`, `--path.rootfs`,
/// `--no-collector.netdev.netlink`; by hand what it cannot read from a tree (file systems, uname, units, timex, TCP
/// sockets) and what only later ones say (`adminstate`, the last columns of softnet, isolated CPUs), what they do not say by
/// default (`Tcp_MaxConn`), and states that nobody is in.
#[tokio::test]
async fn a_captured_machine_reads_as_node_exporter_reads_it() {
    let (root, host) = captured("plain-vm");
    let gathered = Gatherer::start(host).collect(NOW, PATIENT).await;
    let ours = lines(&once::prometheus(&gathered));
    let theirs = lines(&std::fs::read_to_string(root.join("expected.txt")).unwrap());
    let missing: Vec<_> = theirs.difference(&ours).collect();
    let surplus: Vec<_> = ours.difference(&theirs).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}\nsurplus: {surplus:#?}");
}

#[tokio::test]
async fn what_a_capture_does_not_hold_is_absent_and_nothing_is_failed() {
    let root = tempfile::tempdir().unwrap();
    let gathered = Gatherer::start(Host::captured(root.path().into(), None)).collect(NOW, PATIENT).await;
    for status in &gathered.sources {
        let certain = ["time", "build_info", "textfile"];
        let expected = if certain.contains(&&*status.source) { SourceState::Ok } else { SourceState::Absent };
        assert_eq!(status.state, expected, "{status:?}");
    }
}

#[tokio::test]
async fn a_mount_that_hangs_is_said_to_be_stuck_and_all_else_is_on_time() {
    let (root, _) = captured("plain-vm");
    let (_never, hold) = std::sync::mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let ask = move |path: &str| {
        if path == "/mnt/gone" {
            let _ = hold.lock().unwrap().recv();
        }
        Ok(FsStat { block_bytes: 4096, blocks: 10, ..FsStat::default() })
    };
    let host = Host::with_statfs(Some(root), Box::new(ask));
    let mut gatherer = Gatherer::start(host);
    let reasons: Vec<String> = [gatherer.collect(NOW, PATIENT).await, gatherer.collect(NOW, PATIENT).await]
        .iter()
        .map(|gathered| {
            let stuck = gathered.sources.iter().find(|one| one.source == "filesystem/mnt/gone").unwrap();
            assert_eq!(stuck.state, SourceState::Stuck);
            let errors = gathered.table.family("node_filesystem_device_error");
            let errors: Vec<(&str, f64)> =
                errors.map(|(one, value)| (one.label("mountpoint").unwrap(), value)).collect();
            assert_eq!(errors, [("/", 0.0), ("/mnt/read only", 0.0), ("/mnt/gone", 1.0)]);
            assert_eq!(gathered.table.family("node_filesystem_size_bytes").count(), 2);
            assert!(gathered.table.family("node_memory_MemTotal_bytes").next().is_some());
            stuck.reason.clone()
        })
        .collect();
    assert_eq!(reasons[0], reasons[1], "since when does not move");
}

/// A file of a machine that is broken, or means harm.
fn damaged(text: &[u8], mut chance: impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = text.to_vec();
    let at = chance(bytes.len() + 1);
    match chance(6) {
        0 => bytes.truncate(at),
        1 => bytes.iter_mut().skip(at).take(3).for_each(|byte| *byte = b"\0 :-\n\xff("[chance(7)]),
        2 => bytes.splice(at..at, b"18446744073709551616 -9999999999999999999999 ".iter().copied()).for_each(drop),
        3 => bytes.extend_from_within(at..),
        4 => bytes.drain(at..(at + 9).min(text.len())).for_each(drop),
        _ => {}
    }
    bytes
}

#[test]
fn no_source_falls_over_a_broken_machine() {
    let (from, _) = captured("plain-vm");
    let root = tempfile::tempdir().unwrap();
    // Numbers by chance, the same in each run (Knuth's MMIX generator).
    let mut state = 42_u64;
    let mut chance = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut said, mut refused) = (0, 0);
    for _ in 0..25 {
        let mut folders = vec![from.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                let to = root.path().join(entry.path().strip_prefix(&from).unwrap());
                if entry.file_type().unwrap().is_dir() {
                    std::fs::create_dir_all(&to).unwrap();
                    folders.push(entry.path());
                } else {
                    std::fs::write(to, damaged(&std::fs::read(entry.path()).unwrap(), &mut chance)).unwrap();
                }
            }
        }
        let host =
            Host::captured(root.path().into(), None).with_textfiles(&["/etc".to_owned(), "/proc/net".to_owned()]);
        for source in SOURCES {
            let mut section = Section::new(source.name, std::sync::Arc::default());
            let outcome = testing::ask(source.read, &host, &mut section).1;
            refused += usize::from(outcome.is_err());
            said += section.values().len();
        }
    }
    assert!(said > 1000 && refused > 25, "{said} series, {refused} refusals: the machines were not broken enough");
}
