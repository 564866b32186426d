//! Programs on Linux: a process group of its own, followed by its pidfd.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::Output;
use crate::clock;

/// Where tools of a live machine are looked up, in this order; the caller's `PATH` is not trusted.
pub(super) const TOOL_DIRECTORIES: [&str; 9] = [
    "/usr/bin",
    "/bin",
    "/usr/sbin",
    "/sbin",
    "/usr/local/sbin",
    // Where makers of RAID controllers put theirs.
    "/opt/MegaRAID/storcli",
    "/opt/MegaRAID/perccli",
    "/opt/MegaRAID/MegaCli",
    "/usr/StorMan",
];
/// What every program finds; the caller's own environment is not handed on.
const SEARCHED: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

/// A program's file.
pub(super) fn file_name(tool: &str) -> &str {
    tool
}

/// Capabilities are a thread's own, and children have those of the thread that made them (capabilities(7)). Where there are
/// none, or the kernel knows no ambient ones, nothing is given up.
pub(super) fn give_rights_up() {
    let _ = rustix::thread::clear_ambient_capability_set();
}

/// Without the caller's environment.
pub(super) fn bare(command: &mut Command) -> &mut Command {
    command.env_clear().env("PATH", SEARCHED)
}

/// As another user.
pub(super) fn become_user(command: &mut Command, uid: u32, gid: u32) -> &mut Command {
    command.uid(uid).gid(gid)
}

/// So that it is killed with its children.
pub(super) fn in_own_group(command: &mut Command) {
    command.process_group(0);
}

/// Kills a program with its children. The group may be gone already, which is what is wanted.
pub(super) fn kill_group(id: u32) {
    if let Some(group) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Reads until the output ends and waits for the exit, or until the exit, whoever keeps the output open; `None` when the
/// deadline came first.
pub(super) fn follow(
    child: &mut Child,
    output_max: usize,
    until_ns: u64,
) -> std::io::Result<(Output, Option<ExitStatus>)> {
    let mut output = Output { code: None, stdout: Vec::new(), truncated: false };
    let Some(mut stdout) = child.stdout.take() else {
        return Ok((output, wait_until(child, until_ns)?));
    };
    let Some(pid) = pid_of(child) else { return Ok((output, None)) };
    let ended = pidfd_open(pid, PidfdFlags::empty())?;
    let mut chunk = [0; 4096];
    loop {
        match first_of(&stdout, &ended, until_ns)? {
            None => return Ok((output, None)),
            Some(First::Ended) => return Ok((output, child.try_wait()?)),
            Some(First::Output) => {}
        }
        let count = stdout.read(&mut chunk)?;
        if count == 0 {
            return Ok((output, wait_until(child, until_ns)?));
        }
        let room = output_max.saturating_sub(output.stdout.len());
        output.truncated |= count > room;
        output.stdout.extend_from_slice(&chunk[..count.min(room)]);
    }
}

enum First {
    /// There is output, or it has ended.
    Output,
    /// The program has ended, and all that it wrote is read.
    Ended,
}

fn first_of(stdout: &ChildStdout, ended: &OwnedFd, until_ns: u64) -> std::io::Result<Option<First>> {
    let mut fds = [PollFd::new(stdout, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
    if !wait_for(&mut fds, until_ns)? {
        return Ok(None);
    }
    Ok(Some(if fds[0].revents().is_empty() { First::Ended } else { First::Output }))
}

pub(super) fn wait_until(child: &mut Child, until_ns: u64) -> std::io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let Some(pid) = pid_of(child) else { return Ok(None) };
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    if wait_for(&mut fds, until_ns)? { child.try_wait() } else { Ok(None) }
}

fn wait_for(fds: &mut [PollFd<'_>], until_ns: u64) -> std::io::Result<bool> {
    loop {
        let left_ns = until_ns.saturating_sub(clock::boottime_ns());
        let timeout = Timespec {
            tv_sec: i64::try_from(left_ns / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(left_ns % 1_000_000_000).unwrap_or(0),
        };
        match poll(fds, Some(&timeout)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()).ok()?)
}
