//! The floor under a collection: the same kernel texts read through descriptors that stay open, all interfaces with one
//! netlink question, one `statfs`; nothing is understood, kept or sent.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};
use rustix::time::{ClockId, clock_gettime};

use crate::wait::pass;

/// What changes from collection to collection on every Linux; what a kernel lacks is left out.
const FILES: [&str; 25] = [
    "stat",
    "meminfo",
    "vmstat",
    "diskstats",
    "loadavg",
    "interrupts",
    "schedstat",
    "self/stat",
    "self/mountinfo",
    "sys/fs/file-nr",
    "sys/kernel/random/entropy_avail",
    "pressure/cpu",
    "pressure/io",
    "pressure/memory",
    "net/arp",
    "net/dev",
    "net/netstat",
    "net/snmp",
    "net/snmp6",
    "net/sockstat",
    "net/sockstat6",
    "net/softnet_stat",
    "net/stat/nf_conntrack",
    "net/udp",
    "net/udp6",
];
/// More than any of them has on a machine with some hundred CPUs.
const BUFFER_BYTES: usize = 256 * 1024;
/// `NLM_F_REQUEST | NLM_F_DUMP`, `RTM_GETLINK` and `NLMSG_DONE` (include/uapi/linux/{netlink,rtnetlink}.h).
const DUMP: u16 = 0x301;
const GET_LINK: u16 = 18;
const DONE: u16 = 3;
/// sizeof(struct nlmsghdr) and, with struct ifinfomsg, the whole question.
const HEADER_BYTES: usize = 16;
const QUESTION_BYTES: u8 = 32;

/// What the floor has cost so far.
#[derive(Debug, Default)]
pub struct Spent {
    passes: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Spent {
    /// CPU milliseconds of one pass, kernel included; zero before the first.
    #[must_use]
    pub fn ms_per_pass(&self) -> f64 {
        let passes = self.passes.load(Ordering::Relaxed).max(1);
        self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e6 / passes as f64
    }
}

/// Reads everything once each `every` on a thread of its own, for the rest of this process. The first pass, which
/// opens, does not count.
///
/// # Errors
/// When netlink cannot be spoken.
pub fn start(every: Duration) -> Result<Arc<Spent>> {
    let mut floor = Floor::open()?;
    floor.pass()?;
    let spent = Arc::new(Spent::default());
    let counted = Arc::clone(&spent);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                pass(every).await;
                let before = thread_ns();
                if floor.pass().is_err() {
                    return;
                }
                counted.nanoseconds.fetch_add(thread_ns() - before, Ordering::Relaxed);
                counted.passes.fetch_add(1, Ordering::Relaxed);
            }
        });
    });
    Ok(spent)
}

fn thread_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

struct Floor {
    files: Vec<File>,
    netlink: OwnedFd,
    buffer: Vec<u8>,
}

impl Floor {
    fn open() -> Result<Self> {
        let files = FILES.iter().filter_map(|name| File::open(format!("/proc/{name}")).ok()).collect();
        let netlink = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Self { files, netlink, buffer: vec![0; BUFFER_BYTES] })
    }

    fn pass(&mut self) -> Result<()> {
        for file in &self.files {
            // The kernel answers such a file in pieces; the end is an empty one.
            let mut at = 0;
            while let read @ 1.. = file.read_at(&mut self.buffer, at)? {
                at += read as u64;
            }
        }
        let mut question = [0; QUESTION_BYTES as usize];
        question[0] = QUESTION_BYTES;
        question[4..6].copy_from_slice(&GET_LINK.to_ne_bytes());
        question[6..8].copy_from_slice(&DUMP.to_ne_bytes());
        send(&self.netlink, &question, SendFlags::empty())?;
        while !self.is_last_piece()? {}
        rustix::fs::statfs("/")?;
        Ok(())
    }

    /// Takes one piece of the kernel's answer.
    fn is_last_piece(&mut self) -> Result<bool> {
        let (length, _) = recv(&self.netlink, &mut self.buffer[..], RecvFlags::empty())?;
        let mut rest = &self.buffer[..length];
        while let Some(header) = rest.get(..HEADER_BYTES) {
            let bytes = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
            if u16::from_ne_bytes([header[4], header[5]]) == DONE {
                return Ok(true);
            }
            rest = rest.get(bytes.next_multiple_of(4).max(HEADER_BYTES)..).unwrap_or_default();
        }
        Ok(length == 0)
    }
}
