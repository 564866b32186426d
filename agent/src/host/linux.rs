//! What `host` asks of Linux: files by descriptor, netlink, local sockets, and what is no file.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, RawDir};
use rustix::process::{Resource, getrlimit};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{FileStat, FsStat, HostError, Timex};

/// An open file.
pub(super) type Descriptor = OwnedFd;
/// Why the system refuses.
pub(super) use rustix::io::Errno;

/// No other system than the one whose files are read.
pub(super) const ELSEWHERE: Option<&str> = None;

/// Opens a file for reading: never waits for a writer of a FIFO and never takes a terminal.
pub(super) fn open(path: &Path) -> Result<Descriptor, Errno> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty())
}

/// Appends what is at `offset`, as much as there is room for.
pub(super) fn read_at(descriptor: &Descriptor, into: &mut Vec<u8>, offset: u64) -> Result<usize, Errno> {
    rustix::io::pread(descriptor, spare_capacity(into), offset)
}

/// The same of what comes next.
pub(super) fn read(descriptor: &Descriptor, into: &mut Vec<u8>) -> Result<usize, Errno> {
    rustix::io::read(descriptor, spare_capacity(into))
}

/// Calls `visit` with each name in an open directory.
pub(super) fn visit(descriptor: &Descriptor, mut visit: impl FnMut(&str)) -> Result<(), Errno> {
    let mut buffer = [MaybeUninit::uninit(); 2048];
    let mut entries = RawDir::new(descriptor, &mut buffer);
    while let Some(entry) = entries.next() {
        visit(&entry?.file_name().to_string_lossy());
    }
    Ok(())
}

/// Whether something stands there.
pub(super) fn exists(path: &Path) -> bool {
    rustix::fs::stat(path).is_ok()
}

/// Where a symbolic link points to.
pub(super) fn link_target(path: &Path) -> Result<String, Errno> {
    rustix::fs::readlink(path, Vec::new()).map(|target| target.to_string_lossy().into_owned())
}

/// How old and how long a file is.
pub(super) fn stat(path: &Path) -> Result<FileStat, Errno> {
    let stat = rustix::fs::stat(path)?;
    Ok(FileStat {
        inode: stat.st_ino,
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        modified_s: stat.st_mtime,
        modified_ns: i64::try_from(stat.st_mtime_nsec).unwrap_or(0),
    })
}

/// Sizes of the file system mounted there.
pub(super) fn statfs(path: &str) -> Result<FsStat, Errno> {
    let stat = rustix::fs::statfs(path)?;
    Ok(FsStat {
        block_bytes: u64::try_from(stat.f_bsize).unwrap_or(0),
        blocks: stat.f_blocks,
        free: stat.f_bfree,
        available: stat.f_bavail,
        files: stat.f_files,
        files_free: stat.f_ffree,
    })
}

/// Linux says it in a file.
pub(super) fn boot_id() -> Option<[u8; 16]> {
    None
}

/// Files that this process may have open.
pub(super) fn descriptors_max() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Whether nothing has changed since the file was opened or last asked.
pub(super) fn is_quiet(descriptor: &Descriptor) -> bool {
    let mut asked = [PollFd::new(descriptor, PollFlags::PRI)];
    poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(0)
}

/// Ends when there is more to read; false where that cannot be noticed, as with a file.
pub(super) async fn readable(descriptor: &Descriptor) -> bool {
    match watch(descriptor.as_fd()) {
        Some(watched) => watched.readable().await.is_ok(),
        None => false,
    }
}

#[expect(deprecated, reason = "what takes its place is unsafe; a borrowed descriptor is open as long as it is watched")]
fn watch(descriptor: BorrowedFd<'_>) -> Option<AsyncFd<BorrowedFd<'_>>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE).ok()
}

/// Sockets to the kernel.
pub(super) mod netlink {
    use rustix::buffer::spare_capacity;
    use rustix::net::netlink::SOCK_DIAG;
    use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, socket_with};

    use super::{Descriptor, Errno};

    /// For interfaces, addresses and neighbours.
    pub(in super::super) fn route() -> Result<Descriptor, Errno> {
        open(None)
    }

    /// For sockets.
    pub(in super::super) fn diagnosis() -> Result<Descriptor, Errno> {
        open(Some(SOCK_DIAG))
    }

    fn open(protocol: Option<Protocol>) -> Result<Descriptor, Errno> {
        socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)
    }

    /// Asks.
    pub(in super::super) fn send(socket: &Descriptor, question: &[u8]) -> Result<(), Errno> {
        rustix::net::send(socket, question, SendFlags::empty()).map(drop)
    }

    /// Appends as much of an answer as there is room for, and says how long it is.
    pub(in super::super) fn receive(socket: &Descriptor, into: &mut Vec<u8>) -> Result<usize, Errno> {
        rustix::net::recv(socket, spare_capacity(into), RecvFlags::TRUNC).map(|(_, whole)| whole)
    }
}

/// Sockets to other programs of this machine.
pub(super) mod local {
    use std::path::Path;

    /// A connection.
    pub(in super::super) use std::os::unix::net::UnixStream as Stream;

    /// Connects to who listens at a path.
    pub(in super::super) fn connect(path: &Path) -> std::io::Result<Stream> {
        Stream::connect(path)
    }

    /// As whom we do so.
    pub(in super::super) fn own_user() -> u32 {
        rustix::process::geteuid().as_raw()
    }
}

/// What adjtimex(2) says.
#[expect(unsafe_code, reason = "no safe wrapper of adjtimex exists and no file says the same")]
#[expect(clippy::useless_conversion, reason = "these integers are narrower on some architectures")]
pub(super) fn adjtimex() -> Result<Timex, HostError> {
    // SAFETY: struct timex consists of integers only, for which zeros are valid values.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a valid struct timex of our own; `modes` is 0, so nothing is set.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        let errno = Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO);
        return Err(HostError::from_errno("adjtimex", errno));
    }
    Ok(Timex {
        state,
        status: timex.status,
        offset: timex.offset.into(),
        freq: timex.freq.into(),
        maxerror: timex.maxerror.into(),
        esterror: timex.esterror.into(),
        constant: timex.constant.into(),
        tick: timex.tick.into(),
        ppsfreq: timex.ppsfreq.into(),
        jitter: timex.jitter.into(),
        shift: timex.shift,
        stabil: timex.stabil.into(),
        jitcnt: timex.jitcnt.into(),
        calcnt: timex.calcnt.into(),
        errcnt: timex.errcnt.into(),
        stbcnt: timex.stbcnt.into(),
        tai: timex.tai,
    })
}

/// Linux has it in a file.
pub(super) fn firmware_table() -> Option<Vec<u8>> {
    None
}
