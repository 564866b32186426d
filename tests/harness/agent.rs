//! The agent as a process, with a state of its own, on this machine or in a network of its own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::collector::Collector;
use crate::network::Network;
use crate::process::{Process, Said, program, run};

/// From start to the first report on a busy machine with two cores.
pub const UP: Duration = Duration::from_secs(20);

/// An enrolled agent, running or not.
#[derive(Debug)]
pub struct Agent {
    home: TempDir,
    process: Option<Process>,
    /// The host's id, as enrolment told it.
    pub host: String,
    /// The host's name, as enrolment told it.
    pub name: String,
    namespace: Option<String>,
    program: PathBuf,
    /// What its kernel says of its boot, if it says something else than this machine's.
    boot_id: Option<PathBuf>,
    /// It looks at the machine captured in `root` of its home, whose tools are in `commands`, instead of this one.
    pub captured: bool,
    /// The file in which `strace` notes what it does to files, if anybody wants to know: see [`crate::power::trace`].
    pub traced: Option<PathBuf>,
}

impl Agent {
    /// Enrols at a watch level and runs until the collector sees it up.
    ///
    /// # Panics
    /// When any of this fails.
    pub async fn up(collector: &Collector, watch: &str) -> Self {
        let mut agent = Self::enrolled(collector, watch, None).await;
        agent.run();
        collector.host_is(&agent.host, "up", UP).await;
        agent
    }

    /// The same in a network of its own, which can be cut.
    ///
    /// # Panics
    /// When any of this fails.
    pub async fn up_in(network: &Network, collector: &Collector, watch: &str) -> Self {
        let mut agent = Self::enrolled(collector, watch, Some(network)).await;
        agent.run();
        collector.host_is(&agent.host, "up", UP).await;
        agent
    }

    /// Enrols and does not run yet.
    ///
    /// # Panics
    /// When it is not enrolled.
    pub async fn enrolled(collector: &Collector, watch: &str, network: Option<&Network>) -> Self {
        let mut agent = Self::new(network);
        agent.enrol_at(collector, watch, network).await;
        agent
    }

    /// Enrols a machine that has only the program.
    ///
    /// # Panics
    /// When it is not enrolled.
    pub async fn enrol_at(&mut self, collector: &Collector, watch: &str, network: Option<&Network>) {
        let token = collector.token(watch).await;
        let address = network.map_or(collector.address(), |network| network.outside(collector.grpc));
        let said = self.enrol(&address, &token).await;
        assert_eq!(said.code, 0, "enrolment: {}\n{}", said.all(), collector.log());
        self.host = between(&said.out, "(host ", ")").to_owned();
        self.name = between(&said.out, "\"", "\"").to_owned();
    }

    /// A machine that has only the program.
    ///
    /// # Panics
    /// When no directory can be made.
    #[must_use]
    pub fn new(network: Option<&Network>) -> Self {
        let agent = Self {
            home: TempDir::new().expect("a directory"),
            process: None,
            host: String::new(),
            name: String::new(),
            namespace: network.map(|network| network.name.clone()),
            program: program("muster-agent"),
            boot_id: None,
            captured: false,
            traced: None,
        };
        agent.configure("");
        agent
    }

    /// One that looks at a captured machine, which is still to be laid below its home.
    ///
    /// # Panics
    /// When no directory can be made.
    #[must_use]
    pub fn of_captured_machine() -> Self {
        let agent = Self { captured: true, ..Self::new(None) };
        agent.configure("");
        agent
    }

    /// Tries to enrol with this token.
    ///
    /// # Panics
    /// When the token cannot be written.
    pub async fn enrol(&self, address: &str, token: &str) -> Said {
        let file = self.home.path().join("token");
        std::fs::write(&file, token).expect("a file in a directory of our own");
        let mut command = self.command_on_machine("enrol");
        command.args(["--collector", address, "--token-file"]).arg(&file);
        run(&mut command).await
    }

    /// Writes `agent.toml`: its state, and these lines. What the hardware of the machine that the tests run on says, such as
    /// its kernel of disks that other stories break, is no part of a story.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, lines: &str) {
        let looks = self.captured || lines.contains("[collect]");
        let own = if looks { "" } else { "\n[collect]\nhardware = false\n" };
        // Only stories about the inventory tell it.
        let inventory = if lines.contains("[inventory]") { "" } else { "\n[inventory]\nenabled = false\n" };
        let text = format!("state = \"{}\"\n{lines}\n{own}{inventory}", self.state().display());
        std::fs::write(self.home.path().join("agent.toml"), text).expect("a file in a directory of our own");
    }

    /// Runs it.
    pub fn run(&mut self) {
        let mut command = self.command_on_machine("run");
        self.process = Some(Process::start("the agent", &mut command, &self.home.path().join("agent.log")));
    }

    /// From its next start on its kernel says that it was booted anew. Needs root: it gets mounts of its own.
    ///
    /// # Panics
    /// When the new boot id cannot be written.
    pub fn boot_anew(&mut self) {
        static BOOTS: AtomicU32 = AtomicU32::new(1);
        let boot = BOOTS.fetch_add(1, Ordering::Relaxed);
        let file = self.home.path().join("boot_id");
        // Beside what a running one has mounted, not into it.
        let _ = std::fs::remove_file(&file);
        let id = format!("{:08x}-0000-4000-8000-{boot:012x}\n", std::process::id());
        std::fs::write(&file, id).expect("a file in a directory of our own");
        self.boot_id = Some(file);
    }

    /// The program with its configuration, in its network.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut words: Vec<std::ffi::OsString> = Vec::new();
        if let Some(namespace) = &self.namespace {
            words.extend(["ip", "netns", "exec", namespace].map(Into::into));
        }
        if let Some(boot_id) = &self.boot_id {
            let mounted = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
            words.extend(["unshare", "--mount", "sh", "-c", mounted].map(Into::into));
            words.push(boot_id.into());
        }
        if let Some(file) = &self.traced {
            words.extend(crate::power::trace::words(file));
        }
        words.push((&self.program).into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command.arg("--config").arg(self.home.path().join("agent.toml"));
        command
    }

    /// A command that looks at its machine.
    #[must_use]
    pub fn command_on_machine(&self, name: &str) -> Command {
        let mut command = self.command();
        command.arg(name);
        if self.captured {
            command.arg("--root").arg(self.home.path().join("root"));
            command.arg("--commands").arg(self.home.path().join("commands"));
        }
        command
    }

    /// The running process.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the story started the agent")
    }

    /// Kills it (SIGKILL).
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
    }

    /// Asks it to stop and returns its exit code.
    ///
    /// # Panics
    /// When it does not run or does not stop.
    pub async fn stop(&mut self) -> i32 {
        self.process.take().expect("the story started the agent").stop().await
    }

    /// Its state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// All it said so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("agent.log")).unwrap_or_default()
    }

    /// A directory that goes with it.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }
}

fn between<'a>(text: &'a str, left: &str, right: &str) -> &'a str {
    let rest = text.split_once(left).map_or("", |(_, rest)| rest);
    rest.split_once(right).map_or("", |(found, _)| found)
}
