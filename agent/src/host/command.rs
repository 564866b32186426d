//! External tools: no shell, scrubbed environment, own process group, deadline, capped output, at most one alive each.

use std::collections::HashMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::lock;
use crate::clock;

/// Output kept of one run, in bytes; what comes after it is read and dropped.
const OUTPUT_MAX: usize = 1024 * 1024;
/// How long a killed tool may take to be gone, in milliseconds, before it counts as hanging (state D).
const REAP_MS: u64 = 200;

/// Why a tool gave no output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no such tool.
    #[error("{0} is not installed")]
    NotPresent(String),
    /// It could not be started, or its output not be read.
    #[error("{tool} could not be run: {reason}")]
    Failed {
        /// The tool.
        tool: String,
        /// What the system said.
        reason: String,
    },
    /// It was killed, with its children, at the deadline.
    #[error("{tool} was killed after {after_ms} ms without an end")]
    TimedOut {
        /// The tool.
        tool: String,
        /// The deadline, in milliseconds.
        after_ms: u64,
    },
    /// An earlier run cannot even be killed; no second one is started.
    #[error("{0} hangs since an earlier run that does not die")]
    Hanging(String),
}

/// What a tool said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit status; `None` when it died of a signal.
    pub code: Option<i32>,
    /// Standard output, at most 1 MiB.
    pub stdout: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

/// Tools that were killed and are not gone yet.
#[derive(Default)]
pub(super) struct Tools {
    hanging: Mutex<HashMap<String, Child>>,
}

impl Tools {
    pub(super) fn run(
        &self,
        tool: &str,
        program: &Path,
        arguments: &[&str],
        deadline_ms: u64,
    ) -> Result<Output, CommandError> {
        let failed = |error: std::io::Error| CommandError::Failed { tool: tool.to_owned(), reason: error.to_string() };
        if self.still_hangs(tool) {
            return Err(CommandError::Hanging(tool.to_owned()));
        }
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let until_ns = clock::boottime_ns() + deadline_ms * 1_000_000;
        let ended = follow(&mut child, until_ns);
        if !matches!(ended, Ok((_, Some(_)))) {
            self.bury(tool, child);
        }
        match ended.map_err(failed)? {
            (output, Some(status)) => Ok(Output { code: status.code(), ..output }),
            (_, None) => Err(CommandError::TimedOut { tool: tool.to_owned(), after_ms: deadline_ms }),
        }
    }

    fn still_hangs(&self, tool: &str) -> bool {
        let mut hanging = lock(&self.hanging);
        hanging.retain(|_, child| matches!(child.try_wait(), Ok(None)));
        hanging.contains_key(tool)
    }

    /// Kills the whole group and takes the exit status away; what does not die is remembered.
    fn bury(&self, tool: &str, mut child: Child) {
        if let Some(group) = pid_of(&child) {
            // The group may be gone already, which is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
        if !matches!(wait_until(&mut child, clock::boottime_ns() + REAP_MS * 1_000_000), Ok(Some(_))) {
            lock(&self.hanging).insert(tool.to_owned(), child);
        }
    }
}

/// Reads until the output ends, then waits for the exit; `None` when the deadline came first.
fn follow(child: &mut Child, until_ns: u64) -> std::io::Result<(Output, Option<ExitStatus>)> {
    let mut output = Output { code: None, stdout: Vec::new(), truncated: false };
    let Some(mut stdout) = child.stdout.take() else {
        return Ok((output, wait_until(child, until_ns)?));
    };
    let mut chunk = [0; 4096];
    loop {
        if !readable(&stdout, until_ns)? {
            return Ok((output, None));
        }
        let count = stdout.read(&mut chunk)?;
        if count == 0 {
            return Ok((output, wait_until(child, until_ns)?));
        }
        let room = OUTPUT_MAX - output.stdout.len();
        output.truncated |= count > room;
        output.stdout.extend_from_slice(&chunk[..count.min(room)]);
    }
}

fn readable(stdout: &ChildStdout, until_ns: u64) -> std::io::Result<bool> {
    let mut fds = [PollFd::new(stdout, PollFlags::IN)];
    wait_for(&mut fds, until_ns)
}

fn wait_until(child: &mut Child, until_ns: u64) -> std::io::Result<Option<ExitStatus>> {
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
