//! Files by owner and mode, and sockets by descriptor: Linux and macOS.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::future::Future;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, Gid, Uid};

use super::Uname;

/// A socket of our own.
pub(crate) type Socket = std::os::fd::OwnedFd;

/// Whose a file is: user and group.
pub(crate) type Owner = (u32, u32);

/// Ends on SIGTERM and on SIGINT.
pub(super) fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// What `uname` says.
pub(crate) fn uname() -> Uname {
    let uname = rustix::system::uname();
    let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
    Uname {
        sysname: text(uname.sysname()),
        nodename: text(uname.nodename()),
        release: text(uname.release()),
        version: text(uname.version()),
        machine: text(uname.machine()),
        #[cfg(target_os = "linux")]
        domainname: text(uname.domainname()),
        #[cfg(not(target_os = "linux"))]
        domainname: "(none)".to_owned(),
    }
}

/// Another handle of the same socket.
pub(crate) fn duplicate(stream: &tokio::net::TcpStream) -> io::Result<Socket> {
    stream.as_fd().try_clone_to_owned()
}

/// Lets the kernel ask whether the other side lives, so often before it gives up.
pub(crate) fn keep_alive(socket: &socket2::SockRef<'_>, every: Duration, probes: u32) -> io::Result<()> {
    let keep_alive = socket2::TcpKeepalive::new().with_time(every).with_interval(every).with_retries(probes);
    socket.set_tcp_keepalive(&keep_alive)
}

/// A file that is made so is its owner's alone.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// A file that is made so has this mode, whatever the caller's umask is.
pub(crate) fn public(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Whether a file has this mode.
pub(crate) fn has_mode(meta: &Metadata, mode: u32) -> bool {
    meta.mode() & 0o7777 == mode
}

/// The mode of a file.
pub(crate) fn mode_of(meta: &Metadata) -> u32 {
    meta.mode() & 0o7777
}

/// Gives a file to whom another one belongs.
pub(crate) fn same_owner(path: &Path, meta: &Metadata) -> io::Result<()> {
    std::os::unix::fs::chown(path, Some(meta.uid()), Some(meta.gid()))
}

/// Makes a directory that only its owner may enter, with those above it.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Puts the names in a directory on the disk itself.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Puts the bytes of a file on the disk itself.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    // A descriptor for reading does it too, also where nothing may be written any more.
    File::open(path)?.sync_data()
}

/// Gives a file another name, in place of what has it, which may be a program that runs.
pub(crate) fn put_in_place(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Removes a program, which may be one that runs.
pub(crate) fn remove_program(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)
}

/// Bytes that may still be written where `dir` lies, and bytes in all.
pub(crate) fn room(dir: &Path) -> io::Result<(u64, u64)> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok((stat.f_bavail.saturating_mul(stat.f_frsize), stat.f_blocks.saturating_mul(stat.f_frsize)))
}

/// Whether a file that could not be read is broken (EIO).
pub(crate) fn is_lost(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// Whose it is.
pub(crate) fn owner_of(meta: &Metadata) -> Owner {
    (meta.uid(), meta.gid())
}

/// Whether two are the same file.
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    let same = |one: &Metadata, other: &Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    match (std::fs::metadata(one), std::fs::metadata(other)) {
        (Ok(one), Ok(other)) => same(&one, &other),
        _ => false,
    }
}

/// Whether this process may change the system.
pub(crate) fn is_administrator() -> bool {
    rustix::process::geteuid().is_root()
}

/// Gives what root wrote to the owner of its directory (`enrol` is mostly run by root).
pub(crate) fn give(path: &Path, owner: Owner) {
    if is_administrator() && owner.0 != 0 {
        let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
        if let Err(error) = rustix::fs::chown(path, Some(uid), Some(gid)) {
            tracing::warn!(file = %path.display(), %error, "file could not be given to the directory's owner");
        }
    }
}

/// Why a file is not this process's alone, and the exact remedy; `directory` is the owner of the one it is in.
pub(crate) fn why_not_private(path: &Path, meta: &Metadata, directory: Owner) -> Option<(String, String)> {
    let mode = meta.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Some((
            format!("mode {mode:04o} lets others read or write the private key"),
            format!("chmod 600 {} (and enrol again if others may have read it)", path.display()),
        ));
    }
    let me = rustix::process::geteuid().as_raw();
    if meta.uid() != me && !(me == 0 && meta.uid() == directory.0) {
        return Some((
            format!("belongs to user {}, not to the agent's user {me}", meta.uid()),
            format!("chown {me} {}", path.display()),
        ));
    }
    None
}

/// Why a directory cannot be used by this process.
pub(crate) fn why_not_usable(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(directory, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?)
}
