//! The spool, opened over a damaged directory: no record is invented, and no number that was sent returns.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use muster_agent::clock::Moment;
use muster_agent::spool::{Files, Kind, Limits, Room, Spool};

use super::damage::{Rng, damaged};
use super::{Parser, Read, Row, promise};

const DIRECTORY: &str = "/spool";
/// Small segments, so that there are several.
const LIMITS: Limits = Limits { segment_bytes: 1024, quota_bytes: 64 * 1024, age_ms: 7 * 86_400_000 };
const NOW: Moment = Moment { wall_ms: 1_700_000_000_000, boottime_ms: 9_000_000 };
/// Records in the sample.
const RECORDS: u64 = 24;
/// Where a frame has its length, checksum and number, and how long it is without its payload; where header and cursor
/// have their numbers. All little endian (agent/src/spool/{frame,cursor}.rs).
const FRAME_MAGIC: &[u8] = b"\xF5mr\n";
const FRAME_CRC: usize = 8;
const FRAME_EPOCH: usize = 12;
const FRAME_NUMBERS: [usize; 2] = [28, 37];
const FRAME_KIND: usize = 36;
const FRAME_BYTES: usize = 45;
const HEADER_BYTES: usize = 34;
const HEADER_FIRST: usize = 22;
const CURSOR_NUMBERS: [usize; 3] = [22, 30, 38];
const CURSOR_BYTES: usize = 50;

pub(crate) fn rows() -> Vec<Row> {
    vec![Row::new("spool", || Damaged::new(false)), Row::new("spool, checksums right", || Damaged::new(true))]
}

/// Files, and directories as if they were empty ones.
type Disk = BTreeMap<PathBuf, Vec<u8>>;

/// A directory in memory; clones are the same one.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Disk>>);

impl Memory {
    fn with<T>(&self, change: impl FnOnce(&mut Disk) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn file<T>(&self, file: &Path, change: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        self.with(|disk| disk.get_mut(file).map(change)).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Files for Memory {
    fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.with(|disk| _ = disk.entry(dir.to_path_buf()).or_default());
        Ok(())
    }

    fn list(&mut self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let is_here = |path: &&PathBuf| path.parent() == Some(dir);
        let list = |disk: &mut Disk| disk.contains_key(dir).then(|| disk.keys().filter(is_here).cloned().collect());
        self.with(list).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn read(&mut self, file: &Path, at: u64, length: usize) -> io::Result<Vec<u8>> {
        self.file(file, |bytes| {
            let from = (at as usize).min(bytes.len());
            bytes[from..from.saturating_add(length).min(bytes.len())].to_vec()
        })
    }

    fn create(&mut self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        self.with(|disk| drop(disk.insert(file.to_path_buf(), bytes.to_vec())));
        Ok(())
    }

    fn append(&mut self, file: &Path, more: &[u8]) -> io::Result<()> {
        self.file(file, |bytes| bytes.extend_from_slice(more))
    }

    fn truncate(&mut self, file: &Path, length: u64) -> io::Result<()> {
        self.file(file, |bytes| bytes.resize(length as usize, 0))
    }

    fn sync(&mut self, file: &Path) -> io::Result<()> {
        self.file(file, |_| ())
    }

    fn sync_dir(&mut self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.with(|disk| {
            let moved: Vec<PathBuf> = disk.keys().filter(|path| path.starts_with(from)).cloned().collect();
            for path in &moved {
                let rest = path.strip_prefix(from).unwrap_or(Path::new(""));
                let new = if rest.as_os_str().is_empty() { to.to_path_buf() } else { to.join(rest) };
                if let Some(bytes) = disk.remove(path) {
                    disk.insert(new, bytes);
                }
            }
            if moved.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(()) }
        })
    }

    fn remove(&mut self, file: &Path) -> io::Result<()> {
        self.with(|disk| drop(disk.remove(file)));
        Ok(())
    }

    fn remove_dir(&mut self, dir: &Path) -> io::Result<()> {
        self.with(|disk| disk.retain(|path, _| !path.starts_with(dir)));
        Ok(())
    }

    fn room(&mut self, _: &Path) -> io::Result<Room> {
        Ok(Room { free_bytes: 1 << 40, all_bytes: 1 << 40 })
    }
}

struct Damaged {
    /// Whether what is damaged gets the checksum of what it says then, as a hostile program would write it.
    sealed: bool,
    disk: Disk,
    epoch: [u8; 16],
    records: BTreeMap<u64, Vec<u8>>,
    handed_out: BTreeSet<u64>,
}

impl Damaged {
    fn new(sealed: bool) -> Self {
        let files = Memory::default();
        let mut spool = Spool::open(Path::new(DIRECTORY), LIMITS, Box::new(files.clone()), NOW);
        let mut records = BTreeMap::new();
        for n in 0..RECORDS {
            let payload = vec![n as u8; 10 + n as usize * 7];
            let kind = [Kind::Urgent, Kind::Bulk, Kind::Rollup][n as usize % 3];
            records.insert(spool.append(kind, NOW, payload.clone()), payload);
        }
        spool.sync(NOW);
        let handed_out: BTreeSet<u64> = std::iter::from_fn(|| spool.next_unsent()).map(|kept| kept.sequence).collect();
        assert_eq!(handed_out.len() as u64, RECORDS, "the undamaged spool hands all records out");
        spool.acknowledge(3);
        let disk = files.with(|disk| disk.clone());
        Self { sealed, disk, epoch: spool.epoch(), records, handed_out }
    }

    /// Opens the spool over this disk and uses it as the uplink does.
    fn use_it(&self, disk: Disk, rng: &mut Rng) -> Result<(), String> {
        let most = disk.values().map(Vec::len).sum::<usize>() / FRAME_BYTES + 8;
        let files = Memory(Arc::new(Mutex::new(disk)));
        let mut spool = Spool::open(Path::new(DIRECTORY), LIMITS, Box::new(files.clone()), NOW);
        let mut records = self.records.clone();
        let (old, new) = (self.drain(&mut spool, &records, most)?, spool.append(Kind::Urgent, NOW, b"new".to_vec()));
        records.insert(new, b"new".to_vec());
        let returned = spool.epoch() == self.epoch && self.handed_out.contains(&new);
        promise(self.sealed || !returned, || format!("number {new} was sent before and is given again"))?;
        promise(self.sealed || old.iter().all(|old| *old < new), || format!("{new} after {old:?}"))?;
        let later = Moment { wall_ms: NOW.wall_ms + 40_000, boottime_ms: NOW.boottime_ms + 40_000 };
        spool.tick(later);
        let through = if rng.once_in(2) { rng.extreme() } else { new };
        if spool.resume(through).is_none() {
            spool.begin_again(later);
            return promise(spool.epoch() != self.epoch, || "a new epoch is the old one".to_owned());
        }
        self.drain(&mut spool, &records, most)?;
        spool.acknowledge(spool.last());
        drop(spool.take_losses());
        let again = Spool::open(Path::new(DIRECTORY), LIMITS, Box::new(files), later);
        promise(self.sealed || again.last() >= new, || format!("{} numbers are known, {new} were given", again.last()))
    }

    /// Takes all records out, each of which must be one that was put in.
    fn drain(&self, spool: &mut Spool, records: &BTreeMap<u64, Vec<u8>>, most: usize) -> Result<Vec<u64>, String> {
        let mut numbers = Vec::new();
        while let Some(kept) = spool.next_unsent() {
            let known = self.sealed || records.get(&kept.sequence) == Some(&kept.payload);
            promise(known, || format!("record {} was never appended so", kept.sequence))?;
            numbers.push(kept.sequence);
            promise(numbers.len() <= most, || format!("{} records of {most} at most", numbers.len()))?;
        }
        Ok(numbers)
    }
}

impl Parser for Damaged {
    fn begin(&mut self) {}

    fn case(&mut self, rng: &mut Rng) -> Result<Read, String> {
        let mut disk = self.disk.clone();
        let names: Vec<&PathBuf> =
            self.disk.keys().filter(|path| path.parent() == Some(Path::new(DIRECTORY))).collect();
        for _ in 0..1 + rng.below(2) {
            let (name, other) = (names[rng.below(names.len())], names[rng.below(names.len())]);
            let bytes = &self.disk[name];
            let new = if self.sealed { lies(bytes, rng) } else { damaged(bytes, &self.disk[other], rng) };
            disk.insert(name.clone(), new);
        }
        let bytes = disk.values().map(Vec::len).sum();
        self.use_it(disk, rng).map(|()| Read::of(bytes))
    }
}

/// The same with some numbers changed and checksums that fit.
fn lies(whole: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    if bytes.len() == CURSOR_BYTES {
        let at = CURSOR_NUMBERS[rng.below(CURSOR_NUMBERS.len())];
        bytes[at..at + 8].copy_from_slice(&number(rng));
        seal(&mut bytes, CURSOR_BYTES);
        return bytes;
    }
    if rng.once_in(4) && bytes.len() >= HEADER_BYTES {
        bytes[HEADER_FIRST..HEADER_FIRST + 8].copy_from_slice(&number(rng));
        seal(&mut bytes, HEADER_BYTES);
    }
    let starts: Vec<usize> =
        bytes.windows(4).enumerate().filter(|(_, four)| *four == FRAME_MAGIC).map(|(at, _)| at).collect();
    for _ in 0..rng.below(4) {
        let Some(start) = starts.get(rng.below(starts.len())).copied() else { continue };
        let Some(frame) = bytes.get_mut(start..) else { continue };
        let length = u32::from_le_bytes([frame[4], frame[5], frame[6], frame[7]]) as usize;
        let Some(frame) = frame.get_mut(..FRAME_BYTES + length) else { continue };
        match rng.below(4) {
            0 => frame[FRAME_KIND] = rng.next() as u8,
            1 => frame[FRAME_EPOCH] ^= 1,
            at => frame[FRAME_NUMBERS[at - 2]..][..8].copy_from_slice(&number(rng)),
        }
        let crc = crc32c::crc32c_append(crc32c::crc32c(&frame[..FRAME_CRC]), &frame[FRAME_EPOCH..]);
        frame[FRAME_CRC..FRAME_EPOCH].copy_from_slice(&crc.to_le_bytes());
    }
    bytes
}

/// Of ones near the sample's own, and of the edges.
fn number(rng: &mut Rng) -> [u8; 8] {
    let number = match rng.below(4) {
        0 => rng.below(2 * RECORDS as usize) as u64,
        1 => u64::MAX - rng.below(3) as u64,
        _ => rng.extreme(),
    };
    number.to_le_bytes()
}

/// A checksum of all before it in the last four bytes of these.
fn seal(bytes: &mut [u8], length: usize) {
    let crc = crc32c::crc32c(&bytes[..length - 4]);
    bytes[length - 4..length].copy_from_slice(&crc.to_le_bytes());
}
