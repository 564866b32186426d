//! External tools and plugins: no shell, scrubbed environment, own process group, deadline, capped output, at most one
//! alive each.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use super::{Host, lock};
use crate::{clock, platform};
use child::{follow, wait_until};

#[cfg_attr(target_os = "linux", path = "command/linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "command/portable.rs")]
mod child;

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
        held: impl Into<Stdio>,
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
        self.tools.run("muster-agent", &platform::own_program(), &arguments, OUTPUT_MAX, deadline_ms)
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
        let present =
            |directory: &Path| Some(directory.join(child::file_name(tool))).filter(|program| program.is_file());
        match (&self.commands, &self.root) {
            (Some(directory), _) => present(directory),
            (None, Some(_)) => None,
            (None, None) => child::TOOL_DIRECTORIES.iter().find_map(|directory| present(Path::new(directory))),
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
        child::give_rights_up();
        let mut command = Command::new(program.path);
        child::bare(command.args(program.arguments)).env("LANG", "C").env("HOME", "/");
        command.stdin(Stdio::null());
        if let Some(user) = program.user {
            let known = self.user(user);
            let Some((uid, gid, home)) = known else {
                let reason = format!("there is no user {user} in /etc/passwd");
                return Err(CommandError::Failed { tool: program.path.to_owned(), reason });
            };
            // Also gives the groups of this process up.
            child::become_user(&mut command, uid, gid).env("HOME", home);
        }
        self.tools.follow(&name, command, program.output_max, deadline_ms).map_err(|error| match error {
            CommandError::Failed { reason, .. } => CommandError::Failed { tool: program.path.to_owned(), reason },
            other => other,
        })
    }

    /// Kills, with their children, all tools and programs that run now: nobody will wait for them.
    pub fn kill_running(&self) {
        lock(&self.tools.running).iter().copied().for_each(child::kill_group);
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
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        child::in_own_group(command);
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
        child::kill_group(child.id());
        if !matches!(wait_until(&mut child, clock::boottime_ns() + REAP_MS * 1_000_000), Ok(Some(_))) {
            lock(&self.hanging).insert(tool.to_owned(), child);
        }
    }
}

/// A tool without anything of our environment.
fn bare(program: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    child::bare(command.args(arguments)).env("LC_ALL", "C");
    command
}
