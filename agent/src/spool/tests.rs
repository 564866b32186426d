use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;

const SMALL: Limits = Limits { segment_bytes: 600, quota_bytes: 1024 * 1024 };

fn at(boottime_ms: u64) -> Moment {
    Moment { wall_ms: 1_000, boottime_ms }
}

fn opened(dir: &Path, limits: Limits) -> Spool {
    Spool::open(dir, limits, Box::new(|_| Ok(())), at(0))
}

fn payload(n: u64) -> Vec<u8> {
    vec![n as u8; 20 + (n as usize * 7) % 90]
}

fn drain(spool: &mut Spool) -> Vec<u64> {
    std::iter::from_fn(|| spool.next_unsent()).map(|kept| kept.sequence).collect()
}

fn segment_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "seg"));
    files.sort();
    files
}

#[test]
fn records_come_back_in_order_after_a_restart_until_they_are_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = opened(dir.path(), SMALL);
    let epoch = spool.epoch();
    for n in 1..=30 {
        assert_eq!(spool.append(Kind::Bulk, at(0), payload(n)), n);
    }
    assert!(spool.next_unsent().is_none_or(|kept| kept.sequence < 30), "what is not synced is not sent");
    spool.sync(at(0));
    spool.rewind(0);
    assert_eq!(drain(&mut spool), (1..=30).collect::<Vec<_>>());
    spool.acknowledge(12);
    drop(spool);
    let mut spool = opened(dir.path(), SMALL);
    assert_eq!((spool.epoch(), spool.acked(), spool.last()), (epoch, 12, 30));
    let again: Vec<Kept> = std::iter::from_fn(|| spool.next_unsent()).collect();
    assert_eq!(again.iter().map(|kept| kept.sequence).collect::<Vec<_>>(), (13..=30).collect::<Vec<_>>());
    assert!(again.iter().all(|kept| kept.payload == payload(kept.sequence)));
    assert!(spool.take_losses().is_empty());
}

#[test]
fn acknowledged_segments_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = opened(dir.path(), SMALL);
    for n in 1..=100 {
        spool.append(Kind::Urgent, at(0), payload(n));
    }
    assert!(segment_files(dir.path()).len() > 5);
    spool.acknowledge(100);
    assert_eq!(segment_files(dir.path()).len(), 0);
    assert_eq!(spool.first_kept(), 101);
}

#[test]
fn full_quota_thins_rollups_first_and_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = opened(dir.path(), Limits { segment_bytes: 600, quota_bytes: 3_000 });
    let mut urgent = Vec::new();
    for n in 1..=60u64 {
        let kind = if n % 4 == 0 { Kind::Urgent } else { Kind::Rollup };
        let number = spool.append(kind, at(0), vec![0; 50]);
        if kind == Kind::Urgent {
            urgent.push(number);
        }
    }
    spool.sync(at(0));
    let kept = drain(&mut spool);
    assert!(urgent.iter().all(|number| kept.contains(number)), "{kept:?}");
    let lost: u64 = spool.take_losses().iter().map(|loss| loss.lost).sum();
    assert_eq!(lost, 60 - kept.len() as u64);
    assert!(segment_files(dir.path()).iter().map(|path| path.metadata().unwrap().len()).sum::<u64>() <= 3_000);
}

#[test]
fn full_quota_of_events_gives_the_oldest_up_and_counts_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = opened(dir.path(), Limits { segment_bytes: 600, quota_bytes: 2_000 });
    for _ in 0..100 {
        spool.append(Kind::Urgent, at(0), vec![0; 50]);
    }
    let kept = drain(&mut spool);
    assert_eq!(kept.last(), Some(&100));
    let lost: u64 = spool.take_losses().iter().map(|loss| loss.lost).sum();
    assert_eq!(lost + kept.len() as u64, 100);
}

#[test]
fn disk_that_refuses_leaves_records_in_memory_until_it_heals() {
    for refused in [Step::Create, Step::Write, Step::Sync] {
        let dir = tempfile::tempdir().unwrap();
        let full = Arc::new(AtomicBool::new(false));
        let hook = full.clone();
        let refuse = move |step| match hook.load(Ordering::Relaxed) && step == refused {
            true => Err(io::Error::from(io::ErrorKind::StorageFull)),
            false => Ok(()),
        };
        let mut spool = Spool::open(dir.path(), SMALL, Box::new(refuse), at(0));
        spool.append(Kind::Urgent, at(0), payload(1));
        full.store(true, Ordering::Relaxed);
        for n in 2..=20 {
            spool.append(Kind::Urgent, at(0), payload(n));
        }
        assert!(spool.in_memory(), "{refused:?}");
        assert_eq!(drain(&mut spool), (1..=20).collect::<Vec<_>>(), "{refused:?}");
        full.store(false, Ordering::Relaxed);
        spool.tick(at(RETRY_MS - 1));
        assert!(spool.in_memory());
        spool.tick(at(RETRY_MS));
        assert!(!spool.in_memory());
        drop(spool);
        assert_eq!(drain(&mut opened(dir.path(), SMALL)), (1..=20).collect::<Vec<_>>(), "{refused:?}");
    }
}

#[test]
fn memory_keeps_the_last_thousand_and_counts_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let refuse = |step| if step == Step::Create { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) };
    let mut spool = Spool::open(dir.path(), SMALL, Box::new(refuse), at(0));
    for n in 0..1_010 {
        spool.append(Kind::Bulk, at(0), payload(n));
    }
    assert_eq!(drain(&mut spool), (11..=1_010).collect::<Vec<_>>());
    assert_eq!(spool.take_losses()[0].lost, 10);
}

#[test]
fn directory_that_cannot_be_made_leaves_an_agent_that_works() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let mut spool = opened(&dir.path().join("file/spool"), SMALL);
    spool.append(Kind::Urgent, at(0), payload(1));
    assert_eq!(drain(&mut spool), [1]);
}

#[test]
fn segment_of_a_newer_agent_is_set_aside_and_never_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let mut header = frame::header(&[1; 16], 1);
    header[4] = 9;
    let crc = crc32c::crc32c(&header[..30]);
    header[30..].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(dir.path().join("00000000000000000001.seg"), [&header[..], b"newer content"].concat()).unwrap();
    let mut spool = opened(dir.path(), SMALL);
    assert!(dir.path().join("00000000000000000001.seg.newer-1000").exists());
    assert!(spool.take_losses()[0].reason.contains("newer"));
    assert_eq!(spool.append(Kind::Urgent, at(0), payload(1)), 1);
}

#[test]
fn new_epoch_gives_what_was_not_acknowledged_new_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = opened(&dir.path().join("spool"), SMALL);
    for n in 1..=9 {
        spool.append(Kind::Urgent, at(0), payload(n));
    }
    spool.acknowledge(4);
    let epoch = spool.epoch();
    spool.begin_again(at(5));
    assert_ne!(spool.epoch(), epoch);
    let kept: Vec<Kept> = std::iter::from_fn(|| spool.next_unsent()).collect();
    assert_eq!(kept.iter().map(|kept| kept.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(kept[0].payload, payload(5));
}

#[derive(Debug, Clone)]
enum Act {
    Append(bool),
    Acknowledge(usize),
    Tick,
    Crash(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => any::<bool>().prop_map(Act::Append),
        2 => (0..40usize).prop_map(Act::Acknowledge),
        2 => Just(Act::Tick),
        1 => any::<u8>().prop_map(Act::Crash),
    ]
}

/// Cuts what was not synced off the newest segment, `part` of 255 of it surviving.
fn crash(spool: Spool, part: u8) {
    let Some(newest) = spool.segments.back().filter(|_| spool.active.is_some()) else { return };
    let survives = (newest.bytes - spool.synced_bytes) * u64::from(part) / 255;
    let file = std::fs::OpenOptions::new().write(true).open(&newest.path).unwrap();
    file.set_len(spool.synced_bytes + survives).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_acknowledged_record_returns_and_no_synced_record_is_lost(acts in proptest::collection::vec(act(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = opened(dir.path(), SMALL);
        let mut synced: Vec<u64> = Vec::new();
        let (mut now, mut acked, mut sent) = (0, 0, Vec::new());
        for act in acts {
            match act {
                Act::Append(urgent) => {
                    let number = spool.append(if urgent { Kind::Urgent } else { Kind::Bulk }, at(now), payload(now));
                    prop_assert!(synced.last().is_none_or(|last| *last < number), "a synced number is never given twice");
                }
                Act::Acknowledge(n) => {
                    sent.extend(drain(&mut spool));
                    if let Some(through) = sent.get(n).copied() {
                        spool.acknowledge(through);
                        acked = acked.max(through);
                    }
                }
                Act::Tick => { now += SYNC_AFTER_MS; spool.tick(at(now)); }
                Act::Crash(part) => {
                    let epoch = spool.epoch();
                    crash(spool, part);
                    spool = opened(dir.path(), SMALL);
                    prop_assert_eq!(spool.epoch(), epoch);
                    prop_assert_eq!(spool.acked(), acked);
                }
            }
            let position = spool.handed_out;
            spool.rewind(acked);
            let found = drain(&mut spool);
            prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "order is kept");
            prop_assert!(found.iter().all(|number| *number > acked), "nothing acknowledged returns");
            prop_assert!(synced.iter().filter(|number| **number > acked).all(|number| found.contains(number)), "nothing synced is lost");
            synced = found;
            spool.rewind(position.max(acked));
        }
    }

    #[test]
    fn any_damaged_byte_costs_at_most_one_record_and_is_reported(which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>()) {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = opened(dir.path(), SMALL);
        for n in 1..=20 {
            spool.append(Kind::Urgent, at(0), payload(n));
        }
        drop(spool);
        let files = segment_files(dir.path());
        let file = which.get(&files);
        let mut bytes = std::fs::read(file).unwrap();
        // The header names the whole segment; a damaged one costs the segment.
        let place = frame::HEADER_BYTES + place.index(bytes.len() - frame::HEADER_BYTES);
        bytes[place] ^= 0x10;
        std::fs::write(file, bytes).unwrap();
        let mut spool = opened(dir.path(), SMALL);
        let found = drain(&mut spool);
        prop_assert!(found.len() >= 19, "{:?}", found);
        prop_assert!(!spool.take_losses().is_empty(), "a loss is told");
        prop_assert!(spool.append(Kind::Urgent, at(0), payload(1)) > 20, "no number is used twice");
    }
}
