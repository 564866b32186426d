//! The sources of readings over captured machines in memory (/dev/shm), whose files are damaged before each reading.
//! Which files a source opens is watched, so that no damage is wasted on what it never reads.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muster_agent::clock::Moment;
use muster_agent::host::Host;
use muster_agent::probe::{ProbeError, SOURCES, Scratch, Section, Sink, Source};
use muster_tests::process::root;
use rustix::fs::inotify;
use tempfile::TempDir;

use super::damage::{Rng, damaged};
use super::{Parser, Read, Row, page, promise};

/// Machines with all kinds of devices between them.
const MACHINES: [&str; 4] = ["plain-vm", "storage-server", "laptop", "cluster-node"];
/// Where scripts leave readings.
const TEXTFILES: &str = "/var/lib/readings";
/// How often the whole page of a section is written and read back.
const PAGE_EVERY: usize = 8;
/// Files that captured machines do not have, so that every source has something to read.
const EXTRAS: [(&str, &str); 13] = [
    (
        "var/lib/readings/backup.prom",
        "# HELP backup_age_seconds Since the last backup.\n# TYPE backup_age_seconds gauge\n\
         backup_age_seconds{job=\"home\",target=\"a\\\\b\\\"c\\n\"} 1.5e3 1700000000000\nbackup_age_seconds NaN\n",
    ),
    (
        "var/lib/readings/requests.prom",
        "# TYPE request_seconds histogram\nrequest_seconds_bucket{le=\"0.1\"} 3\nrequest_seconds_bucket{le=\"+Inf\"} 4\n\
         request_seconds_sum 1.25\nrequest_seconds_count 4\n# TYPE wait_seconds summary\n\
         wait_seconds{quantile=\"0.9\"} 0.2\nwait_seconds_sum 9\nwait_seconds_count 90\n",
    ),
    ("proc/sys/kernel/hung_task_detect_count", "3\n"),
    (
        "proc/self/mountinfo",
        "22 1 254:0 / / rw - ext4 /dev/vda rw\n30 25 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n",
    ),
    ("proc/self/cgroup", "0::/system.slice/muster-agent.service\n"),
    ("sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n"),
    ("sys/fs/cgroup/system.slice/memory.max", "1073741824\n"),
    ("sys/fs/cgroup/system.slice/memory.current", "4194304\n"),
    ("sys/fs/selinux/enforce", "1"),
    ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
    ("sys/class/powercap/intel-rapl:0/energy_uj", "81203377120\n"),
    ("sys/class/powercap/intel-rapl:0:0/name", "dram\n"),
    ("sys/class/powercap/intel-rapl:0:0/energy_uj", "5\n"),
];

pub(crate) fn rows() -> Vec<Row> {
    // systemd speaks over a socket and has a row of its own; what the agent is built of is no text.
    let sources = SOURCES.iter().filter(|source| !matches!(source.name, "systemd" | "build_info"));
    sources.map(|source| Row::new(source.name, move || OverFiles::new(source))).collect()
}

struct OverFiles {
    source: &'static Source,
    trees: Vec<Tree>,
    state: State,
}

/// What a reading thread has from one collection to the next.
struct State {
    section: Section,
    scratch: Scratch,
    now: Moment,
}

/// A captured machine, and those of its files that the source opens.
struct Tree {
    _root: TempDir,
    host: Host,
    files: Vec<Sample>,
    bytes: usize,
}

impl State {
    fn new(source: &Source) -> Self {
        Self {
            section: Section::new(source.name, Arc::default()),
            scratch: Scratch::default(),
            now: Moment { wall_ms: 1_700_000_000_000, boottime_ms: 5_000 },
        }
    }

    fn read(&mut self, source: &Source, host: &Host) -> Result<(), ProbeError> {
        self.now = Moment { wall_ms: self.now.wall_ms + 1000, boottime_ms: self.now.boottime_ms + 1000 };
        let mut sink = Sink::new(&mut self.section, &mut self.scratch, self.now);
        let outcome = (source.read)(host, &mut sink);
        sink.finish(outcome).1
    }
}

impl OverFiles {
    fn new(source: &'static Source) -> Self {
        let trees = MACHINES.iter().map(|name| Tree::of(name, source)).filter(|tree| !tree.files.is_empty()).collect();
        Self { source, trees, state: State::new(source) }
    }
}

impl Parser for OverFiles {
    fn begin(&mut self) {
        self.state = State::new(self.source);
    }

    fn case(&mut self, rng: &mut Rng) -> Result<Read, String> {
        let at = rng.below(self.trees.len());
        let tree = self.trees.get(at).ok_or("no captured machine has a file that this source reads")?;
        let few = [1, 1, 2, 4][rng.below(4)];
        // Where there are many files every other reading meets many that are damaged: they are read one by one.
        let count = if rng.once_in(2) { few } else { few.max(1 + rng.below(tree.files.len() / 2)) };
        let first = rng.below(tree.files.len());
        let broken: Vec<Broken<'_>> =
            (0..count.min(tree.files.len())).map(|n| Broken::new(tree, (first + n) % tree.files.len(), rng)).collect();
        tree.host.forget_facts();
        let outcome = self.state.read(self.source, &tree.host);
        let bytes = tree.bytes + broken.iter().map(|file| file.bytes).sum::<usize>();
        let texts = broken.len();
        drop(broken);
        let section = &self.state.section;
        let crowded = matches!(outcome, Ok(()) | Err(ProbeError::Crowded { .. }));
        promise(crowded || section.samples().next().is_none(), || "it failed and says something".to_owned())?;
        // Scripts may say what they like.
        let finite = self.source.name == "textfile" || section.samples().all(|(_, _, value)| value.is_finite());
        promise(finite, || "a value that is no number".to_owned())?;
        page::check(section, rng.once_in(PAGE_EVERY))?;
        Ok(Read { bytes, texts })
    }
}

/// A damaged file; whole again when dropped.
struct Broken<'a> {
    file: &'a Sample,
    is_away: bool,
    is_directory: bool,
    bytes: usize,
}

impl<'a> Broken<'a> {
    fn new(tree: &'a Tree, at: usize, rng: &mut Rng) -> Self {
        let (file, other) = (&tree.files[at], &tree.files[rng.below(tree.files.len())]);
        let mut broken = Self { file, is_away: false, is_directory: false, bytes: 0 };
        if rng.once_in(32) {
            broken.is_away = fs::rename(&file.path, file.away()).is_ok();
            // Reading a directory fails, which is as near as files come to a device that answers with an error.
            broken.is_directory = rng.once_in(2) && fs::create_dir(&file.path).is_ok();
        } else {
            let new = damaged(&file.whole, &other.whole, rng);
            broken.bytes = new.len();
            file.say(&new);
        }
        broken
    }
}

impl Drop for Broken<'_> {
    fn drop(&mut self) {
        if self.is_directory {
            let _ = fs::remove_dir(&self.file.path);
        }
        if self.is_away {
            let _ = fs::rename(self.file.away(), &self.file.path);
        } else {
            self.file.say(&self.file.whole);
        }
    }
}

/// A file of a captured machine, held open for writing.
struct Sample {
    path: PathBuf,
    whole: Vec<u8>,
    file: File,
}

impl Sample {
    fn open(path: PathBuf) -> Option<Self> {
        let whole = fs::read(&path).ok()?;
        // A captured file may be for reading only.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).ok()?;
        let file = File::options().write(true).open(&path).ok()?;
        Some(Self { path, whole, file })
    }

    fn away(&self) -> PathBuf {
        self.path.with_extension("away")
    }

    fn say(&self, text: &[u8]) {
        let _ = self.file.write_all_at(text, 0);
        let _ = self.file.set_len(text.len() as u64);
    }
}

impl Tree {
    fn of(machine: &str, source: &Source) -> Self {
        let root_dir = tempfile::Builder::new().prefix("muster-fuzz").tempdir_in("/dev/shm").expect("memory for files");
        let root = root_dir.path();
        copy(&self::root().join("tests/fixtures/hosts").join(machine), root);
        for (path, text) in EXTRAS {
            put(&root.join(path), text.as_bytes());
        }
        put(&root.join("etc/localtime"), &zone());
        let host = Host::captured(root.to_path_buf(), None).with_textfiles(&[TEXTFILES.to_owned()]);
        let files: Vec<Sample> = opened(root, source, &host).into_iter().filter_map(Sample::open).collect();
        let bytes = files.iter().map(|file| file.whole.len()).sum();
        Self { _root: root_dir, host, files, bytes }
    }
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a path in a directory of our own")).expect("memory for files");
    fs::write(path, bytes).expect("memory for files");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("memory for files");
    for entry in fs::read_dir(from).expect("a captured machine").flatten() {
        let (kind, here) = (entry.file_type().expect("a file of a captured machine"), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &here);
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).expect("a link of a captured machine");
            std::os::unix::fs::symlink(target, here).expect("memory for files");
        } else {
            fs::copy(entry.path(), here).expect("memory for files");
        }
    }
}

/// The files that a source opens, as the kernel tells (inotify(7)).
fn opened(root: &Path, source: &Source, host: &Host) -> BTreeSet<PathBuf> {
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).expect("inotify");
    let mut directories = Vec::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        let id = inotify::add_watch(&watch, &directory, inotify::WatchFlags::OPEN).expect("inotify");
        for entry in fs::read_dir(&directory).expect("a directory of our own").flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(entry.path());
            }
        }
        directories.push((id, directory));
    }
    // Looking for directories opened them; what stands in the queue now is not the source's.
    drop(events(&watch));
    let mut state = State::new(source);
    let _ = state.read(source, host);
    let said = events(&watch);
    let path = |(id, name): &(i32, PathBuf)| {
        let (_, directory) = directories.iter().find(|(known, _)| known == id)?;
        Some(directory.join(name)).filter(|path| path.is_file())
    };
    said.iter().filter_map(path).collect()
}

fn events(watch: &std::os::fd::OwnedFd) -> Vec<(i32, PathBuf)> {
    let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(watch, &mut buffer);
    let mut events = Vec::new();
    while let Ok(event) = reader.next() {
        let name = event.file_name().map(|name| PathBuf::from(name.to_string_lossy().into_owned()));
        events.extend(name.map(|name| (event.wd(), name)));
    }
    events
}

/// A time zone as RFC 9636 describes it: two changes between +1 h and +2 h, and a rule for the time after them.
fn zone() -> Vec<u8> {
    let block = |width: usize| {
        let mut bytes = b"TZif2".to_vec();
        bytes.extend([0; 15]);
        for count in [0_u32, 0, 0, 2, 2, 6] {
            bytes.extend(count.to_be_bytes());
        }
        for time in [1_000_000_000_i64, 1_500_000_000] {
            bytes.extend(&time.to_be_bytes()[8 - width..]);
        }
        bytes.extend([1, 0]);
        for (offset_s, name) in [(3600_i32, 0), (7200, 3)] {
            bytes.extend(offset_s.to_be_bytes());
            bytes.extend([0, name]);
        }
        bytes.extend(b"AA\0BB\0");
        bytes
    };
    [block(4), block(8), b"\nCET-1CEST,M3.5.0,M10.5.0/3\n".to_vec()].concat()
}
