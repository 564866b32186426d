//! Programs as processes: found, started with a log, asked, killed when dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use crate::wait::eventually;

/// How much of a log is shown when something fails.
const TAIL_BYTES: usize = 4_000;
/// Ports for tests: below Linux' ephemeral range (32768), so that no outgoing connection takes the port of a program
/// that is being restarted.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// The root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies below the root").to_path_buf()
}

/// Our own program `name`: from `MUSTER_BIN_DIR`, else as `deploy/build --dev` left it.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("MUSTER_BIN_DIR").map_or_else(|| root().join("target/dist/dev"), PathBuf::from);
    let file = folder.join(name);
    assert!(file.exists(), "{} is not there: run deploy/build --dev first, or tests/run", file.display());
    file
}

/// A program of a Debian package.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn installed(name: &str, package: &str) -> PathBuf {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.exists())
        .unwrap_or_else(|| panic!("{name} is not installed: apt-get install --no-install-recommends {package}"))
}

/// A port that nobody listens on, different at each call.
///
/// # Panics
/// When all are taken.
#[must_use]
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let width = PORTS.end - PORTS.start;
    let start = (std::process::id() as u16).wrapping_mul(97) % width;
    (0..width)
        .map(|_| PORTS.start + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % width)
        .find(|port| std::net::TcpListener::bind(("0.0.0.0", *port)).is_ok())
        .expect("of 12 000 ports one is free")
}

/// What a command that ended said.
#[derive(Debug, Clone)]
pub struct Said {
    /// Its exit code; 128 + n when signal n ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Both outputs, for searching.
    #[must_use]
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// Runs a command to its end, at most a minute.
///
/// # Panics
/// When it cannot be started or does not end.
pub async fn run(command: &mut Command) -> Said {
    let shown = format!("{:?}", command.as_std());
    let ended = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(60), ended)
        .await
        .unwrap_or_else(|_| panic!("{shown} did not end within a minute"))
        .unwrap_or_else(|error| panic!("{shown} cannot be started: {error}"));
    Said {
        code: code_of(output.status),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn code_of(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    pid: Pid,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, its words added to the file `log`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("a log in a directory of our own");
        let copy = file.try_clone().expect("a descriptor");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let pid = child.id().and_then(|id| Pid::from_raw(id as i32)).expect("a process just started has an id");
        Self { name: name.to_owned(), child, pid, log: log.to_path_buf() }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid, signal)
            .unwrap_or_else(|error| panic!("{} cannot be signalled: {error}\n{}", self.name, self.tail()));
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub async fn kill(mut self) {
        let _ = self.child.kill().await;
    }

    /// Asks it to stop (SIGTERM) and returns its exit code.
    ///
    /// # Panics
    /// When it does not stop within 20 s.
    pub async fn stop(self) -> i32 {
        self.signal(Signal::TERM);
        self.ended(Duration::from_secs(20)).await
    }

    /// Waits for its end and returns its exit code.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn ended(mut self, within: Duration) -> i32 {
        match tokio::time::timeout(within, self.child.wait()).await {
            Ok(status) => code_of(status.expect("our own child can be waited for")),
            Err(_) => panic!("{} did not end within {within:?}\n{}", self.name, self.tail()),
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().ok().flatten().is_some()
    }

    /// Polls until `look` finds something.
    ///
    /// # Panics
    /// With the end of its log, when it ends before or the deadline passes.
    pub async fn ready<T, F: Future<Output = Option<T>>>(&mut self, within: Duration, look: impl Fn() -> F) -> T {
        let (name, log) = (self.name.clone(), self.log.clone());
        let child = &mut self.child;
        let what = format!("{name} is ready");
        let found = eventually(&what, within, || {
            let ended = child.try_wait().ok().flatten();
            assert!(ended.is_none(), "{name} has ended ({ended:?})\n{}", tail(&log));
            look()
        });
        found.await
    }

    /// All it said so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of what it said.
    #[must_use]
    pub fn tail(&self) -> String {
        tail(&self.log)
    }
}

fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let start = bytes.len().saturating_sub(TAIL_BYTES);
    format!("--- {}\n{}", log.display(), String::from_utf8_lossy(&bytes[start..]))
}
