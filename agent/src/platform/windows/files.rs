//! Files by access control lists, and sockets by handle.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsSocket as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, GetDiskFreeSpaceExW, MOVEFILE_DELAY_UNTIL_REBOOT, MoveFileExW,
};
use windows_sys::Win32::UI::Shell::IsUserAnAdmin;

use super::super::registry;

/// A socket of our own.
pub(crate) type Socket = std::os::windows::io::OwnedSocket;

/// A file has its directory's access list: there is no owner to be looked after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner;

/// SYSTEM, the administrators, and who made it, by their well-known ids: names are in the system's language.
const GRANTS: [&str; 3] = ["*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F", "*S-1-3-4:(OI)(CI)F"];
/// ERROR_CRC, ERROR_IO_DEVICE, ERROR_FILE_CORRUPT, ERROR_DISK_CORRUPT of winerror.h.
const LOST: [i32; 4] = [23, 1117, 1392, 1393];

/// Another handle of the same socket.
pub(crate) fn duplicate(stream: &tokio::net::TcpStream) -> io::Result<Socket> {
    stream.as_socket().try_clone_to_owned()
}

/// Lets the system ask whether the other side lives, so often before it gives up. Windows before 10.1703, and wine, ask ten
/// times and cannot be told another number.
pub(crate) fn keep_alive(socket: &socket2::SockRef<'_>, every: Duration, probes: u32) -> io::Result<()> {
    let keep_alive = socket2::TcpKeepalive::new().with_time(every).with_interval(every);
    let counted = keep_alive.clone().with_retries(probes);
    socket.set_tcp_keepalive(&counted).or_else(|_| socket.set_tcp_keepalive(&keep_alive))
}

/// A file inherits who may read it from its directory, which [`make_private_dir`] closed.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// The same.
pub(crate) fn public(_: &File, _: u32) -> io::Result<()> {
    Ok(())
}

/// The same.
/// Files have no modes here: an access list says who may read them, and it is not looked into.
pub(crate) fn mode_of(_: &Metadata) -> u32 {
    0o600
}

/// A file belongs to whom its directory's list of rights says.
pub(crate) fn same_owner(_: &Path, _: &Metadata) -> io::Result<()> {
    Ok(())
}

pub(crate) fn has_mode(_: &Metadata, _: u32) -> bool {
    true
}

/// Makes a directory that only the system, administrators and whoever makes it may enter, with those above it.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    let is_new = !path.is_dir();
    std::fs::create_dir_all(path)?;
    if !is_new {
        return Ok(());
    }
    let mut close = Command::new(r"C:\Windows\System32\icacls.exe");
    close.arg(path).args(["/inheritance:r", "/grant:r"]).args(GRANTS);
    let closed = close.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if closed.is_ok_and(|closed| closed.success()) {
        return Ok(());
    }
    // What could not be closed shall hold no key.
    let _ = std::fs::remove_dir(path);
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "icacls could not close it to other users"))
}

/// Puts the names in a directory on the disk itself, where the file system lets us ask for it.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path) {
        Ok(directory) => directory.sync_all().or(Ok(())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        // NTFS writes names through its log within seconds.
        Err(_) => Ok(()),
    }
}

/// Puts the bytes of a file on the disk itself; a handle for reading cannot.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.sync_data()
}

/// Gives a file another name, in place of what has it. A program that runs cannot be replaced, but it can be renamed.
pub(crate) fn put_in_place(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to).or_else(|_| {
        let aside = to.with_extension("old");
        let _ = std::fs::remove_file(&aside);
        std::fs::rename(to, &aside)?;
        std::fs::rename(from, to)
    })
}

/// Removes a program, and what [`put_in_place`] left of the one before. One that runs cannot be removed: it gets another name,
/// and goes with its directory when Windows starts next.
pub(crate) fn remove_program(path: &Path) -> io::Result<()> {
    let aside = path.with_extension("old");
    let _ = std::fs::remove_file(&aside);
    let Err(error) = std::fs::remove_file(path) else {
        // What others keep there keeps it.
        let _ = path.parent().map(std::fs::remove_dir);
        return Ok(());
    };
    if error.kind() == io::ErrorKind::NotFound || std::fs::rename(path, &aside).is_err() {
        return Err(error);
    }
    remove_at_start(&aside)?;
    path.parent().map_or(Ok(()), remove_at_start)
}

/// What is still empty, or a file, then.
#[expect(unsafe_code, reason = "std removes at once or not at all")]
fn remove_at_start(path: &Path) -> io::Result<()> {
    let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    // SAFETY: the name ends with a NUL, and no new name means removal.
    let said = unsafe { MoveFileExW(name.as_ptr(), std::ptr::null(), MOVEFILE_DELAY_UNTIL_REBOOT) };
    if said == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Bytes that may still be written where `dir` lies, and bytes in all.
#[expect(unsafe_code, reason = "std does not say how much room there is")]
pub(crate) fn room(dir: &Path) -> io::Result<(u64, u64)> {
    let name: Vec<u16> = dir.as_os_str().encode_wide().chain([0]).collect();
    let (mut free, mut all) = (0, 0);
    // SAFETY: the name ends with a NUL, and both pointers are to numbers of our own.
    let said = unsafe { GetDiskFreeSpaceExW(name.as_ptr(), &raw mut free, &raw mut all, std::ptr::null_mut()) };
    if said == 0 { Err(io::Error::last_os_error()) } else { Ok((free, all)) }
}

/// Whether a file that could not be read is broken.
pub(crate) fn is_lost(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| LOST.contains(&code))
}

/// Its access list says it.
pub(crate) fn owner_of(_: &Metadata) -> Owner {
    Owner
}

/// Whether two are the same file.
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Whether this process may change the system.
#[expect(unsafe_code, reason = "std does not know administrators")]
pub(crate) fn is_administrator() -> bool {
    // SAFETY: it takes no arguments and touches no memory of ours.
    unsafe { IsUserAnAdmin() != 0 }
}

/// It inherited its access list.
pub(crate) fn give(_: &Path, _: Owner) {}

/// The directory is closed when it is made; its access list is not read again.
pub(crate) fn why_not_private(_: &Path, _: &Metadata, _: Owner) -> Option<(String, String)> {
    None
}

/// Why a directory cannot be used by this process: a file is made in it and removed.
pub(crate) fn why_not_usable(directory: &Path) -> io::Result<()> {
    if !directory.is_dir() {
        return std::fs::metadata(directory).map(drop);
    }
    let name = directory
        .join(format!("doctor-{}", registry::random().iter().map(|byte| format!("{byte:02x}")).collect::<String>()));
    OpenOptions::new().write(true).create_new(true).open(&name)?;
    std::fs::remove_file(&name)
}
