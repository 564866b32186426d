//! A whole Debian with systemd as process 1, in a container: units, users and packages as on a machine of its own.
//!
//! The tree is made by debootstrap once, kept under `MUSTER_TEST_CACHE`, and copied for each container.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use crate::network::Network;
use crate::process::{Process, Said, installed, run};
use crate::wait::eventually;

/// Besides the smallest Debian: what is booted, and what is compared with.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,procps,prometheus-node-exporter";
/// The name changes with what is in it.
const TREE: &str = "bookworm-systemd-1";
/// It boots within a second on an idle machine.
const BOOT: Duration = Duration::from_secs(60);

/// Held while a tree is made.
static MAKING: Mutex<()> = Mutex::new(());

/// A booted container; killed, and its tree removed, when dropped.
#[derive(Debug)]
pub struct Container {
    init: i32,
    process: Process,
    home: TempDir,
}

impl Container {
    /// Copies the tree, lets `install` put files into it and boots it in the network of the caller.
    ///
    /// # Panics
    /// When it does not boot.
    pub async fn boot(name: &str, tree: &Path, install: impl FnOnce(&Path)) -> Self {
        Self::boot_with(name, tree, &[], install).await
    }

    /// The same in a network of its own, which has `lo` alone: the shipped ports are free there.
    ///
    /// # Panics
    /// When it does not boot.
    pub async fn boot_alone(name: &str, tree: &Path, install: impl FnOnce(&Path)) -> Self {
        Self::boot_with(name, tree, &["--private-network"], install).await
    }

    /// The same in this network.
    ///
    /// # Panics
    /// When it does not boot.
    pub async fn boot_in(network: &Network, name: &str, tree: &Path, install: impl FnOnce(&Path)) -> Self {
        // Where `ip netns add` leaves it.
        let namespace = format!("--network-namespace-path=/run/netns/{}", network.name);
        Self::boot_with(name, tree, &[&namespace], install).await
    }

    async fn boot_with(name: &str, tree: &Path, options: &[&str], install: impl FnOnce(&Path)) -> Self {
        let home = TempDir::new_in(tree.parent().expect("the tree lies in the cache")).expect("a directory");
        let root = home.path().join("root");
        let copied = run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(tree).arg(&root)).await;
        assert_eq!(copied.code, 0, "the copy of the tree: {}", copied.err);
        std::fs::write(root.join("etc/hostname"), format!("{name}\n")).expect("a tree of our own");
        // Empty: systemd makes one, so that two containers are two machines.
        std::fs::write(root.join("etc/machine-id"), "").expect("a tree of our own");
        install(&root);
        let mut command = Command::new("unshare");
        command
            .args(["-m", "--propagation", "private"])
            .arg(installed("systemd-nspawn", "systemd-container"))
            .args(["-q", "--boot", "--register=no", "--keep-unit", "--console=pipe"])
            // Asking how the clock is disciplined, which a machine of its own may do.
            .arg("--system-call-filter=adjtimex clock_adjtime")
            // Rights that a unit may be given; a container has no hardware that they would open.
            .arg("--capability=CAP_SYS_RAWIO,CAP_SYSLOG")
            .args(options)
            .args([format!("--machine={name}"), format!("--directory={}", root.display())])
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1");
        let mut process = Process::start(name, &mut command, &home.path().join("log"));
        let parent = process.pid().to_string();
        let init = process
            .ready(BOOT, || async {
                let said = run(Command::new("pgrep").args(["-P", &parent, "-x", "systemd"])).await;
                let init = said.out.trim().parse::<i32>().ok()?;
                Path::new(&format!("/proc/{init}/root/run/systemd/private")).exists().then_some(init)
            })
            .await;
        let container = Self { init, process, home };
        let booted = || async {
            let said = container.run(&["systemctl", "is-system-running"]).await;
            ["running", "degraded"].contains(&said.out.trim()).then_some(())
        };
        eventually(&format!("{name} has booted"), BOOT, booted).await;
        container
    }

    /// Its `/`, seen from here.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.home.path().join("root")
    }

    /// The number of its process 1, seen from here.
    #[must_use]
    pub fn init(&self) -> i32 {
        self.init
    }

    /// Where a path of its own is seen from here, also one that is mounted inside, such as below `/run`.
    #[must_use]
    pub fn inside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    /// Its words inside, run as root.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["-t", &self.init.to_string(), "-a", "--"]).args(words);
        command
    }

    /// Runs a command inside as root.
    pub async fn run(&self, words: &[&str]) -> Said {
        run(&mut self.command(words)).await
    }

    /// Runs a command inside as root and returns what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub async fn must(&self, words: &[&str]) -> String {
        let said = self.run(words).await;
        assert_eq!(said.code, 0, "{words:?}: {}", said.all());
        said.out.trim().to_owned()
    }

    /// A property of a unit.
    pub async fn property(&self, unit: &str, name: &str) -> String {
        self.must(&["systemctl", "show", "--value", "-p", name, unit]).await
    }

    /// Waits for its end after it was told to power off.
    ///
    /// # Panics
    /// When it runs on.
    pub async fn ended(mut self, within: Duration) {
        eventually("the container has ended", within, || {
            let ended = self.process.has_ended();
            async move { ended.then_some(()) }
        })
        .await;
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // With process 1 everything inside ends, before the tree is removed.
        if !self.process.has_ended()
            && let Some(init) = rustix::process::Pid::from_raw(self.init)
        {
            let _ = rustix::process::kill_process(init, rustix::process::Signal::KILL);
        }
    }
}

/// The tree in the cache, made when it is not there (a minute, and a Debian mirror to be reached).
///
/// # Errors
/// When it cannot be made; names the remedy.
pub fn tree() -> Result<PathBuf, String> {
    debootstrapped(TREE, PACKAGES, |root| {
        // It is run by hand, as root, where it is compared with.
        let wanted = "etc/systemd/system/multi-user.target.wants/prometheus-node-exporter.service";
        let _ = std::fs::remove_file(root.join(wanted));
        Ok(root.to_path_buf())
    })
}

/// What is called `name` in the cache: there, or made of a fresh tree of Debian bookworm with these packages. `finish` works
/// on the tree and says which directory in or beside it is to be kept.
///
/// # Errors
/// When it cannot be made; names the remedy.
pub fn debootstrapped(
    name: &str,
    packages: &str,
    finish: impl FnOnce(&Path) -> Result<PathBuf, String>,
) -> Result<PathBuf, String> {
    let cache = std::env::var_os("MUSTER_TEST_CACHE").map_or_else(|| "/var/cache/muster-tests".into(), PathBuf::from);
    let kept = cache.join(name);
    // Of two stories that need it at once one makes it.
    let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.exists() {
        return Ok(kept);
    }
    std::fs::create_dir_all(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let making = TempDir::new_in(&cache).map_err(|error| format!("{}: {error}", cache.display()))?;
    let root = making.path().join("root");
    let mut command = std::process::Command::new(installed("debootstrap", "debootstrap"));
    command.args(["--variant=minbase", &format!("--include={packages}"), "bookworm"]).arg(&root);
    must(&mut command).map_err(|said| format!("{said}; is a Debian mirror reached?"))?;
    let archives = std::fs::read_dir(root.join("var/cache/apt/archives")).into_iter().flatten().flatten();
    for package in archives.filter(|entry| entry.path().extension().is_some_and(|end| end == "deb")) {
        let _ = std::fs::remove_file(package.path());
    }
    let made = finish(&root)?;
    match std::fs::rename(&made, &kept) {
        // Another run has made it meanwhile.
        Err(error) if !kept.exists() => Err(format!("{}: {error}", kept.display())),
        _ => Ok(kept),
    }
}

/// Runs a program to its end, however long it takes.
///
/// # Errors
/// When it fails: its name and the last that it said.
pub fn must(command: &mut std::process::Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last: Vec<&str> = said.lines().rev().take(3).collect();
    Err(format!("{name}: {}", last.join(" | ")))
}
