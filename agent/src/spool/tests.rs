mod model;
mod platter;

use std::collections::BTreeSet;

use super::disk::FREE_BYTES_MIN;
use super::*;
use platter::{Mood, Platter};

const AGE_MS: i64 = 7 * 86_400_000;
const SMALL: Limits = Limits { segment_bytes: 600, quota_bytes: 1024 * 1024, age_ms: AGE_MS };

fn at(boottime_ms: u64) -> Moment {
    Moment { wall_ms: 1_000, boottime_ms }
}

fn opened(dir: &Path, limits: Limits) -> Spool {
    Spool::open(dir, limits, Box::new(RealFiles), at(0))
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
    let mut spool = opened(dir.path(), Limits { segment_bytes: 600, quota_bytes: 3_000, age_ms: AGE_MS });
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
    let mut spool = opened(dir.path(), Limits { segment_bytes: 600, quota_bytes: 2_000, age_ms: AGE_MS });
    for _ in 0..100 {
        spool.append(Kind::Urgent, at(0), vec![0; 50]);
    }
    let kept = drain(&mut spool);
    assert_eq!(kept.last(), Some(&100));
    let lost: u64 = spool.take_losses().iter().map(|loss| loss.lost).sum();
    assert_eq!(lost + kept.len() as u64, 100);
}

#[test]
fn a_roll_up_that_finds_the_quota_full_of_events_goes_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = opened(dir.path(), Limits { segment_bytes: 600, quota_bytes: 2_000, age_ms: AGE_MS });
    for _ in 0..18 {
        spool.append(Kind::Urgent, at(0), vec![0; 50]);
    }
    let events = drain(&mut spool);
    assert!(spool.take_losses().is_empty());
    for _ in 0..100 {
        spool.append(Kind::Rollup, at(0), vec![0; 50]);
        spool.append(Kind::Bulk, at(0), vec![0; 50]);
    }
    spool.sync(at(0));
    spool.rewind(0);
    assert!(drain(&mut spool).starts_with(&events), "no event went");
    let lost: u64 = spool.take_losses().iter().map(|loss| loss.lost).sum();
    assert!(lost >= 195, "{lost}");
}

#[test]
fn what_the_collector_no_longer_takes_goes_after_seven_days_and_events_stay() {
    let disk = Platter::new();
    let mut spool = Spool::open("/spool".as_ref(), SMALL, Box::new(disk), at(0));
    for kind in [Kind::Urgent, Kind::Bulk, Kind::Rollup] {
        spool.append(kind, at(0), payload(1));
    }
    // A wall clock that jumps makes nothing older.
    spool.tick(Moment { wall_ms: 10 * AGE_MS, boottime_ms: AGE_MS as u64 });
    assert_eq!(drain(&mut spool), [1, 2, 3]);
    spool.tick(at(AGE_MS as u64 + 1));
    spool.rewind(0);
    assert_eq!(drain(&mut spool), [1]);
    assert_eq!(spool.take_losses().iter().map(|loss| loss.lost).sum::<u64>(), 2);
    assert_eq!(spool.append(Kind::Bulk, at(0), payload(4)), 4, "their numbers stay theirs");
}

#[test]
fn the_spool_takes_a_twentieth_of_what_is_free_and_nothing_where_little_is() {
    let disk = Platter::new();
    let mut spool = Spool::open("/spool".as_ref(), SMALL, Box::new(disk.clone()), at(0));
    // The disk of these tests has 1 TiB; the least that is left to others is 500 MiB.
    disk.set_free(FREE_BYTES_MIN);
    for n in 0..100 {
        spool.append(Kind::Urgent, at(0), payload(n));
    }
    assert!(!spool.in_memory());
    disk.set_free(FREE_BYTES_MIN - 1);
    spool.append(Kind::Urgent, at(0), payload(100));
    assert!(spool.in_memory());
    assert_eq!(drain(&mut spool).len(), 101, "nothing is lost");

    let small = Limits { quota_bytes: 64 * 1024 * 1024, ..SMALL };
    let mut spool = Spool::open("/other".as_ref(), small, Box::new(disk.clone()), at(0));
    disk.set_all(1 << 20);
    disk.set_free(100_000);
    for _ in 0..200 {
        spool.append(Kind::Urgent, at(0), vec![0; 55]);
    }
    let bytes: usize = disk.sizes().iter().filter(|(path, _)| path.starts_with("/other")).map(|(_, bytes)| bytes).sum();
    assert!(bytes < 5_400 && !spool.in_memory(), "{bytes}");
}

#[test]
fn what_a_killed_agent_left_in_the_page_cache_is_synced_before_it_is_sent() {
    let disk = Platter::new();
    let open = || Spool::open("/spool".as_ref(), SMALL, Box::new(disk.clone()), at(0));
    open().append(Kind::Bulk, at(0), payload(1));
    let mut spool = open();
    assert_eq!(drain(&mut spool), [1]);
    disk.crash(&mut |_| 0);
    assert_eq!(drain(&mut open()), [1], "it was sent, so it is there");
}

#[test]
fn a_new_epoch_that_a_power_cut_interrupts_loses_nothing() {
    for operations in 0..60 {
        let disk = Platter::new();
        let open = || Spool::open("/state/spool".as_ref(), SMALL, Box::new(disk.clone()), at(0));
        let mut spool = open();
        for n in 1..=12 {
            spool.append(Kind::Urgent, at(0), payload(n));
        }
        spool.acknowledge(2);
        disk.turn(operations, Mood::Dead);
        spool.begin_again(at(5));
        disk.crash(&mut |_| 0);
        let mut spool = open();
        let kept: Vec<Kept> = std::iter::from_fn(|| spool.next_unsent()).collect();
        let contents: Vec<&[u8]> = kept.iter().map(|kept| &*kept.payload).collect();
        assert_eq!(contents, (3..=12).map(payload).collect::<Vec<_>>(), "after {operations} operations");
    }
}

#[test]
fn a_directory_that_can_be_opened_later_is_used_then_with_what_is_in_it() {
    let disk = Platter::new();
    let open = || Spool::open("/state/spool".as_ref(), SMALL, Box::new(disk.clone()), at(0));
    for n in 1..=3 {
        open().append(Kind::Urgent, at(0), payload(n));
    }
    disk.be(Mood::NoDescriptors);
    let mut spool = open();
    spool.append(Kind::Urgent, at(0), payload(4));
    assert_eq!(drain(&mut spool), [1], "in an epoch of its own");
    disk.be(Mood::Well);
    spool.tick(at(RETRY_MS));
    assert!(!spool.in_memory());
    spool.rewind(0);
    let kept: Vec<Kept> = std::iter::from_fn(|| spool.next_unsent()).collect();
    let numbers: Vec<(u64, &[u8])> = kept.iter().map(|kept| (kept.sequence, &*kept.payload)).collect();
    let expected = [(1, payload(4)), (2, payload(1)), (3, payload(2)), (4, payload(3))];
    assert_eq!(numbers, expected.iter().map(|(n, bytes)| (*n, &**bytes)).collect::<Vec<_>>());
}

#[test]
fn disk_that_refuses_leaves_records_in_memory_until_it_heals() {
    for refusal in [Mood::Full, Mood::ReadOnly, Mood::SyncFails, Mood::NoDescriptors] {
        let disk = Platter::new();
        let mut spool = Spool::open("/spool".as_ref(), SMALL, Box::new(disk.clone()), at(0));
        spool.append(Kind::Urgent, at(0), payload(1));
        disk.be(refusal);
        for n in 2..=20 {
            spool.append(Kind::Urgent, at(0), payload(n));
        }
        assert!(spool.in_memory(), "{refusal:?}");
        if refusal != Mood::NoDescriptors {
            assert_eq!(drain(&mut spool), (1..=20).collect::<Vec<_>>(), "{refusal:?}");
        }
        disk.be(Mood::Well);
        spool.tick(at(RETRY_MS - 1));
        assert!(spool.in_memory());
        spool.tick(at(RETRY_MS));
        assert!(!spool.in_memory());
        let mut again = Spool::open("/spool".as_ref(), SMALL, Box::new(disk), at(0));
        assert_eq!(drain(&mut again), (1..=20).collect::<Vec<_>>(), "{refusal:?}");
        assert!(again.take_losses().is_empty());
    }
}

#[test]
fn memory_keeps_the_last_thousand_gives_roll_ups_up_first_and_counts_them() {
    let disk = Platter::new();
    disk.be(Mood::ReadOnly);
    let mut spool = Spool::open("/spool".as_ref(), SMALL, Box::new(disk), at(0));
    for n in 0..1_010 {
        spool.append(if n % 2 == 0 { Kind::Urgent } else { Kind::Rollup }, at(0), payload(n));
    }
    let kept = drain(&mut spool);
    assert_eq!((kept.len(), kept[..4].to_vec()), (1_000, vec![1, 3, 5, 7]), "2, 4, ... were roll-ups");
    assert_eq!(spool.take_losses()[0].lost, 10);
    for n in 0..20 {
        spool.append(Kind::Bulk, at(0), vec![n; 1024 * 1024]);
    }
    assert!(spool.memory_bytes <= MEMORY_BYTES_MAX, "large ones are bounded in bytes");
}

#[test]
fn a_segment_that_cannot_be_read_is_counted_and_not_waited_for() {
    let disk = Platter::new();
    let mut spool = Spool::open("/spool".as_ref(), SMALL, Box::new(disk.clone()), at(0));
    for n in 1..=20 {
        spool.append(Kind::Urgent, at(0), payload(n));
    }
    disk.be(Mood::Broken);
    assert_eq!(drain(&mut spool), Vec::<u64>::new());
    let lost: u64 = spool.take_losses().iter().map(|loss| loss.lost).sum();
    assert_eq!(lost, 20, "EIO is said, once");
    disk.be(Mood::Well);
    assert_eq!(spool.append(Kind::Urgent, at(0), payload(21)), 21);
    assert_eq!(drain(&mut spool), [20, 21], "closed ones are passed over, the one being written is tried again");
    disk.be(Mood::NoDescriptors);
    spool.rewind(0);
    assert_eq!((drain(&mut spool), spool.take_losses()), (vec![], vec![]), "want of descriptors passes");
    disk.be(Mood::Well);
    assert_eq!(drain(&mut spool).len(), 21);
}

#[test]
fn directory_that_cannot_be_made_leaves_an_agent_that_works() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let mut spool = opened(&dir.path().join("file/spool"), SMALL);
    spool.append(Kind::Urgent, at(0), payload(1));
    assert_eq!(drain(&mut spool), [1]);
}

/// What lies in `aside` stays as it is, though more is set aside as damaged than may be kept, and though an epoch ends.
fn stays_whatever_comes(dir: &Path, aside: &[(PathBuf, Vec<u8>)]) {
    let limits = Limits { quota_bytes: 2_000, ..SMALL };
    let damaged = |at_ms: i64| dir.join(format!("00000000000900000000.seg.corrupt-{at_ms}"));
    for at_ms in 2_000..2_005 {
        std::fs::write(dir.join("00000000000900000000.seg"), vec![b'x'; 900]).unwrap();
        drop(Spool::open(dir, limits, Box::new(RealFiles), Moment { wall_ms: at_ms, boottime_ms: 0 }));
    }
    assert!(!damaged(2_000).exists() && damaged(2_004).exists(), "of what is damaged the oldest goes");
    let mut spool = opened(dir, limits);
    spool.append(Kind::Urgent, at(0), payload(1));
    spool.begin_again(at(5));
    assert!(!spool.in_memory());
    drop(opened(dir, limits));
    for (path, bytes) in aside {
        assert_eq!(&std::fs::read(path).unwrap(), bytes, "{}", path.display());
    }
}

#[test]
fn segment_of_a_newer_agent_is_set_aside_and_never_deleted() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("spool");
    std::fs::create_dir(&dir).unwrap();
    let mut header = frame::header(&[1; 16], 1);
    header[4] = 9;
    let crc = crc32c::crc32c(&header[..30]);
    header[30..].copy_from_slice(&crc.to_le_bytes());
    let bytes = [&header[..], &[b'n'; 3_000]].concat();
    std::fs::write(dir.join("00000000000000000001.seg"), &bytes).unwrap();
    let mut spool = opened(&dir, SMALL);
    let aside = dir.join("00000000000000000001.seg.newer-1000");
    assert!(aside.exists());
    assert!(spool.take_losses()[0].reason.contains("newer"));
    assert!(spool.append(Kind::Urgent, at(0), payload(1)) > 1, "its numbers are left to it");
    drop(spool);
    stays_whatever_comes(&dir, &[(aside, bytes)]);
}

/// A segment as one would write it who takes numbers from their other end.
fn from_the_other_end(first: u64, records: u64) -> Vec<u8> {
    let mut bytes = [b"MUSP\0\x01".as_slice(), &[1; 16], &first.to_be_bytes()].concat();
    bytes.extend(crc32c::crc32c(&bytes).to_be_bytes());
    for sequence in first..first + records {
        let payload = payload(sequence);
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let rest = [&[1; 16], &sequence.to_be_bytes()[..], &[0], &1_000_i64.to_be_bytes(), &payload].concat();
        let crc = crc32c::crc32c(&[b"\xF5mr\n".as_slice(), &length, &rest].concat());
        bytes.extend([b"\xF5mr\n".as_slice(), &length, &crc.to_be_bytes(), &rest].concat());
    }
    bytes
}

#[test]
fn a_spool_of_another_byte_order_is_set_aside_whole_never_deleted_and_told_and_the_agent_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("spool");
    std::fs::create_dir(&dir).unwrap();
    let mut cursor = [b"MUSC\0\x02".as_slice(), &[1; 16]].concat();
    for number in [0_u64, 60, u64::MAX] {
        cursor.extend(number.to_be_bytes());
    }
    cursor.extend(crc32c::crc32c(&cursor).to_be_bytes());
    std::fs::write(dir.join("cursor"), cursor).unwrap();
    let mut aside = Vec::new();
    for first in [1, 31] {
        let (name, bytes) = (format!("{first:020}.seg"), from_the_other_end(first, 30));
        std::fs::write(dir.join(&name), &bytes).unwrap();
        aside.push((dir.join(format!("{name}.foreign-1000")), bytes));
    }

    let mut spool = opened(&dir, SMALL);
    assert!(!spool.in_memory() && segment_files(&dir).is_empty());
    let told: Vec<&str> = spool.take_losses().iter().map(|loss| loss.reason).collect();
    assert!(told.iter().any(|reason| reason.contains("another byte order")), "{told:?}");
    let number = spool.append(Kind::Urgent, at(0), payload(7));
    assert!(number > 60, "its numbers are left to it: {number}");
    assert_eq!(drain(&mut spool), [number]);
    drop(spool);
    assert_eq!(drain(&mut opened(&dir, SMALL)), [number]);
    stays_whatever_comes(&dir, &aside);
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

#[test]
fn any_changed_byte_of_any_file_costs_at_most_one_record_which_is_counted_and_no_number_is_used_twice() {
    let disk = Platter::new();
    let open = |disk: &Platter| Spool::open("/spool".as_ref(), SMALL, Box::new(disk.clone()), at(0));
    let mut spool = open(&disk);
    for n in 1..=20 {
        spool.append(Kind::Urgent, at(0), payload(n));
    }
    assert_eq!(drain(&mut spool).len(), 20);
    let files = disk.sizes();
    assert!(files.len() > 3, "a cursor and some segments");
    for (n, (_, bytes)) in files.iter().enumerate() {
        for place in 0..*bytes {
            let changed = disk.copy();
            let mut choices = [n, place, place % 8].into_iter();
            changed.flip(&BTreeSet::new(), &mut |_| choices.next().unwrap()).unwrap();
            let mut spool = open(&changed);
            let found = drain(&mut spool);
            let lost: u64 = spool.take_losses().iter().map(|loss| loss.lost).sum();
            assert_eq!(found.len() as u64 + lost, 20, "{:?} byte {place}: {found:?}", files[n].0);
            assert!(lost <= 1, "{:?} byte {place}", files[n].0);
            assert!(spool.append(Kind::Urgent, at(0), payload(1)) > 20, "{:?} byte {place}", files[n].0);
        }
    }
}
