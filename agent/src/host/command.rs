//! External tools and plugins: no shell, scrubbed environment, own process group, deadline, capped output, at most one
//! alive each.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Mutex;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::{Host, lock};
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
    /// Standard output, cut where more than was asked for came (at most 1 MiB).
    pub stdout: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

/// A program that this machine's own files name.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// Its absolute path.
    pub path: &'a str,
    /// Its arguments.
    pub arguments: &'a [String],
    /// As whom it runs, if not as we do.
    pub user: Option<&'a str>,
    /// Bytes of output that are kept.
    pub output_max: usize,
}

/// Tools that run, and those that were killed and are not gone yet.
#[derive(Default)]
pub(super) struct Tools {
    running: Mutex<BTreeSet<u32>>,
    hanging: Mutex<HashMap<String, Child>>,
}

/// Where tools of a live machine are looked up, in this order; the caller's `PATH` is not trusted.
const TOOL_DIRECTORIES: [&str; 9] = [
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

impl Host {
    /// Runs a tool without a shell, in a process group of its own, killed whole at the deadline; its output is capped.
    ///
    /// # Errors
    /// When there is no such tool, it cannot be started, is still hanging from an earlier run, or missed its deadline.
    pub fn run(&self, tool: &str, arguments: &[&str], deadline_ms: u64) -> Result<Output, CommandError> {
        self.run_as(tool, tool, arguments, OUTPUT_MAX, deadline_ms)
    }

    /// The same about one of several things: a run about one that hangs keeps no other from being asked about. At most
    /// `output_max` bytes are kept.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub fn run_for(
        &self,
        thing: &str,
        tool: &str,
        arguments: &[&str],
        output_max: usize,
        deadline_ms: u64,
    ) -> Result<Output, CommandError> {
        self.run_as(&format!("{tool} ({thing})"), tool, arguments, output_max, deadline_ms)
    }

    /// The same with `held`, an empty file, as its standard input: what is locked with it stays so for as long as the tool
    /// lives, also where it outlives this process. Nobody else is asked to run it.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub fn run_holding(
        &self,
        held: OwnedFd,
        tool: &str,
        arguments: &[&str],
        output_max: usize,
        deadline_ms: u64,
    ) -> Result<Output, CommandError> {
        let program = self.tool(tool).ok_or_else(|| CommandError::NotPresent(tool.to_owned()))?;
        let mut command = bare(&program, arguments);
        command.stdin(held);
        self.tools.follow(tool, command, output_max, deadline_ms)
    }

    /// Runs this very program, whatever stands now where it was started from; otherwise as [`Host::run`].
    ///
    /// # Errors
    /// As [`Host::run`].
    pub fn run_self(&self, arguments: &[String], deadline_ms: u64) -> Result<Output, CommandError> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.tools.run("muster-agent", Path::new("/proc/self/exe"), &arguments, OUTPUT_MAX, deadline_ms)
    }

    fn run_as(
        &self,
        name: &str,
        tool: &str,
        arguments: &[&str],
        output_max: usize,
        deadline_ms: u64,
    ) -> Result<Output, CommandError> {
        if let Some(answer) = self.helped(tool, arguments, output_max) {
            return answer;
        }
        let program = self.tool(tool).ok_or_else(|| CommandError::NotPresent(tool.to_owned()))?;
        self.tools.run(name, &program, arguments, output_max, deadline_ms)
    }

    /// Where the tool is, if it is there. A captured machine has no tools but those in `--commands`.
    #[must_use]
    pub fn tool(&self, tool: &str) -> Option<PathBuf> {
        let present = |directory: &Path| Some(directory.join(tool)).filter(|program| program.is_file());
        match (&self.commands, &self.root) {
            (Some(directory), _) => present(directory),
            (None, Some(_)) => None,
            (None, None) => TOOL_DIRECTORIES.iter().find_map(|directory| present(Path::new(directory))),
        }
    }

    /// Runs a program as [`Host::run`] does a tool. It has ended when it has, whatever children of it go on. What the agent
    /// may do beyond its user's rights (the unit's ambient capabilities) the program may not: the calling thread gives
    /// them up for good, so call this on one that ends with it.
    ///
    /// # Errors
    /// As [`Host::run`]; also when its user is not known here or may not be become.
    pub fn run_program(&self, program: &Program<'_>, deadline_ms: u64) -> Result<Output, CommandError> {
        let name = program.arguments.iter().fold(program.path.to_owned(), |name, argument| name + " " + argument);
        // Capabilities are a thread's own, and children have those of the thread that made them (capabilities(7)). Where
        // there are none, or the kernel knows no ambient ones, nothing is given up.
        let _ = rustix::thread::clear_ambient_capability_set();
        let mut command = Command::new(program.path);
        command.args(program.arguments).env_clear().env("PATH", SEARCHED).env("LANG", "C").env("HOME", "/");
        command.stdin(Stdio::null());
        if let Some(user) = program.user {
            let known = self.user(user);
            let Some((uid, gid, home)) = known else {
                let reason = format!("there is no user {user} in /etc/passwd");
                return Err(CommandError::Failed { tool: program.path.to_owned(), reason });
            };
            // Also gives the groups of this process up.
            command.uid(uid).gid(gid).env("HOME", home);
        }
        self.tools.follow(&name, command, program.output_max, deadline_ms).map_err(|error| match error {
            CommandError::Failed { reason, .. } => CommandError::Failed { tool: program.path.to_owned(), reason },
            other => other,
        })
    }

    /// Kills, with their children, all tools and programs that run now: nobody will wait for them.
    pub fn kill_running(&self) {
        for group in lock(&self.tools.running).iter().filter_map(|id| Pid::from_raw(i32::try_from(*id).ok()?)) {
            // It may have ended by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Number of a user, if this machine's own file knows it.
    #[must_use]
    pub fn uid_of(&self, name: &str) -> Option<u32> {
        self.user(name).map(|(uid, ..)| uid)
    }

    /// Number, group and home of a user (passwd(5)).
    fn user(&self, name: &str) -> Option<(u32, u32, String)> {
        let users = self.read_text("/etc/passwd").ok()?;
        let mut fields = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').skip(2);
        let (uid, gid) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some((uid, gid, fields.nth(1).unwrap_or("/").to_owned()))
    }
}

impl Tools {
    pub(super) fn run(
        &self,
        tool: &str,
        program: &Path,
        arguments: &[&str],
        output_max: usize,
        deadline_ms: u64,
    ) -> Result<Output, CommandError> {
        let mut command = bare(program, arguments);
        command.stdin(Stdio::null());
        self.follow(tool, command, output_max, deadline_ms)
    }

    fn follow(
        &self,
        tool: &str,
        mut command: Command,
        output_max: usize,
        deadline_ms: u64,
    ) -> Result<Output, CommandError> {
        let failed = |error: std::io::Error| CommandError::Failed { tool: tool.to_owned(), reason: error.to_string() };
        if self.still_hangs(tool) {
            return Err(CommandError::Hanging(tool.to_owned()));
        }
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        let id = child.id();
        lock(&self.running).insert(id);
        let until_ns = clock::boottime_ns() + deadline_ms * 1_000_000;
        let ended = follow(&mut child, output_max, until_ns);
        lock(&self.running).remove(&id);
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

/// A tool without anything of our environment.
fn bare(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", SEARCHED).env("LC_ALL", "C");
    command
}

/// Reads until the output ends and waits for the exit, or until the exit, whoever keeps the output open; `None` when the
/// deadline came first.
fn follow(child: &mut Child, output_max: usize, until_ns: u64) -> std::io::Result<(Output, Option<ExitStatus>)> {
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
