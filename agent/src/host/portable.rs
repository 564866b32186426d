//! What `host` asks of a system that is not Linux: the files that this machine's own settings name, by std alone. What
//! Linux says through `/proc`, `/sys` and netlink is not present here; what there is instead is read in `platform`.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{FileStat, FsStat, HostError, Timex};
use crate::platform;

/// An open file or directory, and where it is.
#[derive(Debug)]
pub(super) struct Descriptor {
    path: PathBuf,
    /// None of a directory.
    file: Option<File>,
}

/// What this system is called.
pub(super) const ELSEWHERE: Option<&str> = Some(platform::NAME);

/// Why the system refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Errno {
    kind: ErrorKind,
    /// The system's own number; below 0 is what only Linux has.
    code: i32,
}

impl Errno {
    pub(super) const NOENT: Self = Self { kind: ErrorKind::NotFound, code: 0 };
    pub(super) const NOTDIR: Self = Self { kind: ErrorKind::NotADirectory, code: 0 };
    pub(super) const ACCESS: Self = Self { kind: ErrorKind::PermissionDenied, code: 0 };
    pub(super) const PERM: Self = Self { kind: ErrorKind::PermissionDenied, code: -1 };
    pub(super) const AGAIN: Self = Self { kind: ErrorKind::WouldBlock, code: 0 };
    pub(super) const INTR: Self = Self { kind: ErrorKind::Interrupted, code: 0 };
    pub(super) const PIPE: Self = Self { kind: ErrorKind::BrokenPipe, code: 0 };
    pub(super) const SRCH: Self = Self { kind: ErrorKind::NotFound, code: -3 };
    pub(super) const NXIO: Self = Self { kind: ErrorKind::NotFound, code: -6 };
    pub(super) const NODEV: Self = Self { kind: ErrorKind::NotFound, code: -19 };
    pub(super) const TOOBIG: Self = Self { kind: ErrorKind::InvalidData, code: -7 };
    pub(super) const BADMSG: Self = Self { kind: ErrorKind::InvalidData, code: -74 };
    pub(super) const MSGSIZE: Self = Self { kind: ErrorKind::InvalidData, code: -90 };

    /// What Linux's number means.
    pub(super) fn from_raw_os_error(code: i32) -> Self {
        Self { kind: ErrorKind::Other, code: code.saturating_neg() }
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        let known = [Self::NOENT, Self::NOTDIR, Self::ACCESS, Self::AGAIN, Self::INTR, Self::PIPE];
        known.into_iter().find(|one| one.kind == kind).unwrap_or(Self { kind, code: error.raw_os_error().unwrap_or(0) })
    }
}

impl std::fmt::Display for Errno {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.code > 0 { io::Error::from_raw_os_error(self.code).fmt(f) } else { self.kind.fmt(f) }
    }
}

/// Linux's own places are not looked up: on Windows they would be some directory of the current drive.
fn is_of_linux(path: &Path) -> bool {
    cfg!(windows) && path.as_os_str().as_encoded_bytes().first() == Some(&b'/')
}

/// Opens a file for reading, or a directory.
pub(super) fn open(path: &Path) -> Result<Descriptor, Errno> {
    if is_of_linux(path) {
        return Err(Errno::NOENT);
    }
    let file = if path.is_dir() { None } else { Some(File::open(path)?) };
    Ok(Descriptor { path: path.to_path_buf(), file })
}

/// Appends what is at `offset`, as much as there is room for.
pub(super) fn read_at(descriptor: &Descriptor, into: &mut Vec<u8>, offset: u64) -> Result<usize, Errno> {
    let mut file = descriptor.file()?;
    file.seek(SeekFrom::Start(offset))?;
    append(file, into)
}

/// The same of what comes next.
pub(super) fn read(descriptor: &Descriptor, into: &mut Vec<u8>) -> Result<usize, Errno> {
    append(descriptor.file()?, into)
}

fn append(file: &File, into: &mut Vec<u8>) -> Result<usize, Errno> {
    let room = into.spare_capacity_mut().len();
    Ok(file.take(room as u64).read_to_end(into)?)
}

impl Descriptor {
    fn file(&self) -> Result<&File, Errno> {
        self.file.as_ref().ok_or(Errno { kind: ErrorKind::IsADirectory, code: 0 })
    }
}

/// Calls `visit` with each name in an open directory.
pub(super) fn visit(descriptor: &Descriptor, mut visit: impl FnMut(&str)) -> Result<(), Errno> {
    for entry in std::fs::read_dir(&descriptor.path)? {
        visit(&entry?.file_name().to_string_lossy());
    }
    Ok(())
}

/// Whether something stands there.
pub(super) fn exists(path: &Path) -> bool {
    !is_of_linux(path) && path.exists()
}

/// Where a symbolic link points to.
pub(super) fn link_target(path: &Path) -> Result<String, Errno> {
    if is_of_linux(path) {
        return Err(Errno::NOENT);
    }
    Ok(std::fs::read_link(path)?.to_string_lossy().into_owned())
}

/// How old and how long a file is; there are no inodes by std.
pub(super) fn stat(path: &Path) -> Result<FileStat, Errno> {
    if is_of_linux(path) {
        return Err(Errno::NOENT);
    }
    let meta = std::fs::metadata(path)?;
    let written = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Ok(FileStat {
        inode: 0,
        bytes: meta.len(),
        modified_s: i64::try_from(written.as_secs()).unwrap_or(0),
        modified_ns: written.subsec_nanos().into(),
    })
}

/// Sizes of file systems are read in `platform`.
pub(super) fn statfs(_: &str) -> Result<FsStat, Errno> {
    Err(Errno::NOENT)
}

/// What tells this boot from others.
pub(super) fn boot_id() -> Option<[u8; 16]> {
    platform::boot_id()
}

/// Nothing is read at every report here, so no file is kept open.
pub(super) fn descriptors_max() -> Option<u64> {
    Some(0)
}

/// No file says that it has changed.
pub(super) fn is_quiet(_: &Descriptor) -> bool {
    false
}

/// It cannot be noticed.
pub(super) async fn readable(_: &Descriptor) -> bool {
    false
}

/// There is no netlink.
pub(super) mod netlink {
    use super::{Descriptor, Errno};

    pub(in super::super) fn route() -> Result<Descriptor, Errno> {
        Err(Errno::NOENT)
    }

    pub(in super::super) fn diagnosis() -> Result<Descriptor, Errno> {
        Err(Errno::NOENT)
    }

    pub(in super::super) fn send(_: &Descriptor, _: &[u8]) -> Result<(), Errno> {
        Err(Errno::NOENT)
    }

    pub(in super::super) fn receive(_: &Descriptor, _: &mut Vec<u8>) -> Result<usize, Errno> {
        Err(Errno::NOENT)
    }
}

/// There is no systemd to be asked.
pub(super) mod local {
    use std::path::Path;

    pub(in super::super) use std::net::TcpStream as Stream;

    pub(in super::super) fn connect(_: &Path) -> std::io::Result<Stream> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    pub(in super::super) fn own_user() -> u32 {
        0
    }
}

/// There is no adjtimex.
pub(super) fn adjtimex() -> Result<Timex, HostError> {
    Err(HostError::NotPresent("adjtimex".to_owned()))
}

/// What the system keeps of the firmware's table.
pub(super) fn firmware_table() -> Option<Vec<u8>> {
    platform::firmware_table()
}
