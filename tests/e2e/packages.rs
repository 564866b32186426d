//! Both packages on a booted Debian: installed, enrolled, killed, upgraded, removed, purged. And the same by hand.
//!
//! The container has no network but its own `lo`; the collector in it is asked by its command line.

mod by_hand;
mod helped;
mod rolled_out;
mod under_load;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use muster_tests::container::{self, Container};
use muster_tests::eventually;
use muster_tests::process::{Said, program, root};
use serde_json::Value;
use tempfile::TempDir;

use crate::s;

/// From a start to the first report, on a machine that does much else.
const UP: Duration = s(60);
/// Two versions of the same programs.
const VERSIONS: [&str; 2] = ["0.9.0", "0.9.1"];
/// Figures of `systemd-analyze security` that are not exceeded. Of the agent's points each one left is explained in its unit.
const EXPOSURE: [(&str, f64); 2] = [("muster-agent.service", 3.1), ("muster-collector.service", 2.0)];

/// Of what the packages bring for those who ask how.
const MANUAL: [&str; 6] = [
    "usr/share/man/man8/muster-agent.8.gz",
    "usr/share/man/man8/muster-agent-install.8.gz",
    "usr/share/man/man8/muster-collector-token-create.8.gz",
    "usr/share/bash-completion/completions/muster-agent",
    "usr/share/zsh/vendor-completions/_muster-collector",
    "usr/share/fish/vendor_completions.d/muster-agent.fish",
];

struct Story {
    machine: Container,
    packages: TempDir,
    /// The host's id, once enrolled.
    host: String,
}

/// Makes these packages in both versions below a directory.
fn make_packages(of: &[&str]) -> TempDir {
    let home = TempDir::new().expect("a directory");
    let programs = program("muster-agent").parent().expect("it lies in a directory").to_path_buf();
    for version in VERSIONS {
        let mut command = std::process::Command::new(root().join("deploy/package"));
        command
            .args(["--fast", "--version", version, "--programs"])
            .arg(&programs)
            .arg("--out")
            .arg(home.path())
            .args(of);
        container::must(&mut command).expect("packages are made");
    }
    home
}

impl Story {
    async fn begin(name: &str) -> Self {
        let tree = container::tree().expect("a tree of Debian");
        let packages = make_packages(&["muster-agent.deb", "muster-collector.deb"]);
        let machine = Container::boot_alone(name, &tree, |to| {
            let at = to.join("root/packages");
            std::fs::create_dir_all(&at).expect("a tree of our own");
            for package in packages.path().read_dir().expect("our own").flatten() {
                std::fs::copy(package.path(), at.join(package.file_name())).expect("a tree of our own");
            }
        })
        .await;
        Self { machine, packages, host: String::new() }
    }

    /// The path inside of a package.
    fn package(&self, name: &str, version: &str) -> String {
        let made = self.packages.path().read_dir().expect("our own").flatten().map(|entry| entry.file_name());
        let fits = |file: &String| file.starts_with(&format!("{name}_{version}_"));
        let file = made.filter_map(|file| file.into_string().ok()).find(fits).expect("it was made");
        format!("/root/packages/{file}")
    }

    async fn apt(&self, words: &[&str]) {
        let apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q"];
        self.machine.must(&[&apt[..], words].concat()).await;
    }

    /// Whether the unit is enabled, and whether it runs.
    async fn unit(&self, name: &str) -> (String, String) {
        (self.machine.property(name, "UnitFileState").await, self.machine.property(name, "ActiveState").await)
    }

    async fn collector(&self, words: &[&str]) -> Option<Value> {
        let said = self.machine.run(&[&["muster-collector", "--json"][..], words].concat()).await;
        serde_json::from_str(&said.out).ok().filter(|_| said.code == 0)
    }

    async fn token(&self) {
        let words = ["muster-collector", "token", "create", "--kind", "single", "--class", "server"];
        let token = eventually("a token", UP, || async {
            let said = self.machine.run(&words).await;
            (said.code == 0).then_some(said.out)
        });
        std::fs::write(self.machine.root().join("root/token"), token.await).expect("a tree of our own");
    }

    async fn is(&self, state: &str) {
        let what = format!("the host is {state}");
        eventually(&what, UP, || async {
            let host = self.collector(&["host", "show", &self.host]).await?;
            (host["state"] == state).then_some(())
        })
        .await;
    }

    async fn files(&self) -> BTreeSet<String> {
        files_of(&self.machine).await
    }

    async fn users(&self) -> Vec<String> {
        let words = ["sh", "-c", "getent passwd; getent group"];
        let all = self.machine.must(&words).await;
        all.lines().filter(|line| line.contains("muster")).map(str::to_owned).collect()
    }

    /// What `muster-agent install` and `uninstall` print, and that their exit code says the same.
    async fn changed(&self, words: &[&str]) -> Value {
        let Said { code, out, err } = self.machine.run(words).await;
        let line: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{words:?} ({code}): {out}{err}"));
        assert_eq!(code, if line["changed"] == true { 2 } else { 0 }, "{words:?}: {out}");
        line
    }
}

/// All files that are neither the kernel's, nor temporary, nor logs, nor what apt and dpkg keep for themselves.
async fn files_of(machine: &Container) -> BTreeSet<String> {
    let script = "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp \
        -o -path /root -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg \
        -o -path /var/lib/systemd \\) -prune -o -print";
    machine.must(&["sh", "-c", script]).await.lines().map(str::to_owned).collect()
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn packages_are_installed_enrolled_killed_upgraded_and_purged_without_a_trace() {
    let mut story = Story::begin("packaged").await;
    let before = story.files().await;
    story.installed_and_enrolled().await;
    story.killed().await;
    for (unit, at_most) in EXPOSURE {
        story.exposure_of(unit, at_most).await;
    }
    story.upgraded().await;
    story.removed_and_here_again().await;
    story.purged(&before).await;
}

impl Story {
    async fn installed_and_enrolled(&mut self) {
        for name in ["muster-collector", "muster-agent"] {
            self.apt(&["install", &self.package(name, VERSIONS[0])]).await;
        }
        for file in MANUAL {
            assert!(self.machine.root().join(file).exists(), "{file}");
        }
        // Nothing is started that was not enrolled, or that nobody asked for.
        assert_eq!(self.unit("muster-agent").await, ("enabled".to_owned(), "inactive".to_owned()));
        assert_eq!(self.unit("muster-collector").await, ("disabled".to_owned(), "inactive".to_owned()));
        self.machine.must(&["muster-agent", "check-config"]).await;
        self.machine.must(&["systemctl", "enable", "--now", "muster-collector"]).await;
        self.token().await;
        let install = [
            "muster-agent",
            "install",
            "--collector",
            "127.0.0.1:7460",
            "--token-file",
            "/root/token",
            "--label",
            "site=oslo",
        ];
        let line = self.changed(&install).await;
        assert_eq!(words(&line["did"]), ["configuration", "enrolled", "started"], "{line}");
        self.host = line["host_id"].as_str().expect("it says who it is").to_owned();
        self.is("up").await;
        let host = self.collector(&["host", "show", &self.host]).await.expect("it is known");
        assert_eq!(host["labels"]["site"]["value"].as_str().or(host["site"].as_str()), Some("oslo"), "{host:#}");
        // Again, with a token that is spent: nothing.
        let line = self.changed(&install).await;
        assert_eq!(words(&line["did"]), [""; 0], "{line}");
        // The package's files are the package's.
        let said = self.machine.run(&["muster-agent", "uninstall"]).await;
        assert!(said.code == 64 && said.err.contains("apt-get remove muster-agent"), "{}", said.all());
        self.machine.must(&["muster-agent", "doctor"]).await;
    }

    async fn killed(&self) {
        let pid = self.machine.property("muster-agent", "MainPID").await;
        self.machine.must(&["kill", "-9", &pid]).await;
        eventually("systemd starts it again", UP, || async {
            let new = self.machine.property("muster-agent", "MainPID").await;
            (new != pid && new != "0").then_some(())
        })
        .await;
        assert_eq!(self.machine.property("muster-agent", "NRestarts").await, "1");
        assert_ne!(self.machine.property("muster-agent", "WatchdogUSec").await, "infinity", "a hung one is noticed");
        self.is("up").await;
    }

    #[expect(clippy::print_stdout, reason = "figures that are to be read")]
    async fn exposure_of(&self, unit: &str, at_most: f64) {
        let said = self.machine.must(&["systemd-analyze", "security", "--no-pager", unit]).await;
        let line = said.lines().rev().find(|line| line.contains("exposure level")).unwrap_or_default();
        println!("{line}");
        let level = line.rsplit(": ").next().and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
        assert!(level.is_some_and(|level| level <= at_most), "{unit}: at most {at_most}: {line}");
    }

    /// Who it is, and its records that nobody has acknowledged.
    async fn kept(&self) -> (String, BTreeSet<String>) {
        let identity = self.machine.must(&["sha256sum", "/var/lib/muster/agent/identity.json"]).await;
        // A segment is written on, never anew: the number of its inode is the same as long as it is kept.
        let script = "find /var/lib/muster/agent/spool -type f -name '*.seg*' -printf '%f %i\\n'";
        let segments = self.machine.must(&["sh", "-c", script]).await;
        (identity, segments.lines().map(str::to_owned).collect())
    }

    async fn upgraded(&self) {
        self.machine.must(&["systemctl", "stop", "muster-collector"]).await;
        // Stopped while nobody listens it keeps what it did not tell.
        self.machine.must(&["systemctl", "restart", "muster-agent"]).await;
        let (identity, records) = self.kept().await;
        assert!(!records.is_empty(), "the story needs records that nobody acknowledged");
        let pid = self.machine.property("muster-agent", "MainPID").await;
        for name in ["muster-agent", "muster-collector"] {
            self.apt(&["install", &self.package(name, VERSIONS[1])]).await;
            let version = self.machine.must(&["dpkg-query", "-W", "-f", "${Version}", name]).await;
            assert_eq!(version, VERSIONS[1]);
        }
        assert_eq!(
            self.unit("muster-agent").await,
            ("enabled".to_owned(), "active".to_owned()),
            "it goes on as the new one"
        );
        assert_ne!(self.machine.property("muster-agent", "MainPID").await, pid);
        assert_eq!(self.unit("muster-collector").await.1, "inactive", "what was stopped stays so");
        let after = self.kept().await;
        assert_eq!(after.0, identity);
        assert!(after.1.is_superset(&records), "{records:?} are no more all in {:?}", after.1);
        let settings =
            std::fs::read_to_string(self.machine.root().join("etc/muster/agent.toml")).expect("they are kept");
        assert!(settings.contains("site = \"oslo\""), "{settings}");
        self.machine.must(&["systemctl", "start", "muster-collector"]).await;
        self.is("up").await;
        let hosts = self.collector(&["host", "list"]).await.expect("the list");
        assert_eq!(hosts.as_array().map_or(0, Vec::len), 1, "the same host: {hosts:#}");
    }

    async fn removed_and_here_again(&self) {
        self.apt(&["remove", "muster-agent"]).await;
        self.is("shutdown").await;
        let host = self.collector(&["host", "show", &self.host]).await.expect("it is known");
        assert_eq!(host["why"], "its agent was removed");
        assert!(!self.machine.root().join("usr/bin/muster-agent").exists());
        self.apt(&["install", &self.package("muster-agent", VERSIONS[1])]).await;
        self.is("up").await;
    }

    async fn purged(&self, before: &BTreeSet<String>) {
        self.apt(&["purge", "muster-agent"]).await;
        self.is("shutdown").await;
        self.apt(&["purge", "muster-collector"]).await;
        let after = self.files().await;
        let left: Vec<_> = after.difference(before).filter(|file| !backup_of_users(file)).collect();
        assert!(left.is_empty(), "left behind: {left:#?}");
        assert_eq!(self.users().await, [""; 0]);
        assert_eq!(
            self.machine.must(&["systemctl", "--failed", "--no-legend", "--plain", "list-units", "muster*"]).await,
            ""
        );
        let journal = self.machine.must(&["journalctl", "--no-pager", "-q", "-u", "muster-agent"]).await;
        assert!(journal.contains("the agent runs"), "the logs stay");
    }
}

/// What passwd(5)'s own tools leave.
fn backup_of_users(file: &str) -> bool {
    ["/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-"].contains(&file)
        || Path::new(file).file_name().is_some_and(|name| name == ".pwd.lock")
}

/// The program as somebody carries it to a machine, at `at`.
fn carry(at: &Path) {
    let mut strip = std::process::Command::new("strip");
    strip.args(["--strip-debug", "-o"]).arg(at).arg(program("muster-agent"));
    container::must(&mut strip).expect("a program of our own");
}
