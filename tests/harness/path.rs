//! What lies between a network of its own and this machine: a cable of which a program delays, loses and swallows packets, under
//! both kernels' TCP. Needs root and /dev/net/tun.

use std::fmt::Write as _;
use std::path::{Path as File, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{Process, installed};

/// It carries packets as soon as it has both ends.
const START: Duration = Duration::from_secs(20);

/// Carries packets between the ends of a cable: `near` is a device here, `eth0` one in a namespace. What it does to them is read
/// from a file, anew whenever that changed. Chance is seeded, so that a story meets the same fate each time, as far as packets
/// come in the same order.
const CARRIER: &str = r#"
import collections, ctypes, fcntl, os, random, select, struct, sys, time
near, namespace, rules, ready = sys.argv[1:]
def end(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", name.encode(), 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    return fd
here = end(near)
with open("/run/netns/" + namespace) as there:
    if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), 0x40000000):  # CLONE_NEWNET
        sys.exit("setns: " + os.strerror(ctypes.get_errno()))
there = end("eth0")
chance, waiting, read = random.Random(7), collections.deque(), None
open(ready, "w").close()
while True:
    wait = max(0, waiting[0][0] - time.monotonic()) if waiting else 1
    for fd in select.select([here, there], [], [], wait)[0]:
        packet = os.read(fd, 65536)
        if read != (read := os.stat(rules)[1::7]):  # inode and time of change
            delay, lost, largest = map(int, open(rules).read().split())
        if len(packet) <= largest and chance.randrange(100) >= lost:
            waiting.append((time.monotonic() + delay / 1000, there if fd == here else here, packet))
    while waiting and waiting[0][0] <= time.monotonic():
        _, to, packet = waiting.popleft()
        try:
            os.write(to, packet)
        except OSError:
            pass  # the other end is down just now
"#;

/// What a path does to what goes over it, each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// How long each packet is under way.
    pub delay: Duration,
    /// How many of a hundred packets are lost.
    pub lost_percent: u32,
    /// Larger packets, in bytes of IP, vanish, and nobody is told.
    pub largest: usize,
}

impl Path {
    /// Nothing is wrong with it.
    pub const GOOD: Self = Self { delay: Duration::ZERO, lost_percent: 0, largest: usize::MAX };
}

/// A cable with its carrier; gone when dropped.
#[derive(Debug)]
pub struct Carrier {
    home: TempDir,
    _process: Process,
}

impl Carrier {
    /// Carries packets between the tun devices `near` here and `eth0` in `namespace`, which are there.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start(near: &str, namespace: &str, path: Path) -> Self {
        let home = TempDir::new().expect("a directory");
        let ready = home.path().join("ready");
        state(home.path(), path);
        let mut command = Command::new(installed("python3", "python3"));
        command.args(["-c", CARRIER, near, namespace]).arg(rules(home.path())).arg(&ready);
        let mut process = Process::start("the cable", &mut command, &home.path().join("log"));
        process.ready(START, || async { ready.exists().then_some(()) }).await;
        Self { home, _process: process }
    }

    /// From the next packet on it does this.
    ///
    /// # Panics
    /// When it cannot be told.
    pub fn turn(&self, path: Path) {
        state(self.home.path(), path);
    }
}

fn rules(home: &File) -> PathBuf {
    home.join("rules")
}

fn state(home: &File, path: Path) {
    let Path { delay, lost_percent, largest } = path;
    let mut line = String::new();
    let _ = writeln!(line, "{} {lost_percent} {largest}", delay.as_millis());
    // Written beside and renamed: it is read at any time.
    std::fs::write(home.join("rules.new"), line).expect("a file in a directory of our own");
    std::fs::rename(home.join("rules.new"), rules(home)).expect("a file in a directory of our own");
}
