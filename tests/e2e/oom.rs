//! A process that the kernel kills for want of memory, and which others took the machine then. Every agent of this machine
//! tells of it, so that `tests/run` runs this story when the others are over. Needs root and the memory controller.

use std::path::{Path, PathBuf};

use muster_tests::process::run;
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;
use tokio::process::Command;

use crate::rules::{ONLY_OURS, finding};
use crate::s;

/// A control group of 24 MiB, gone when dropped; version 2 or 1, whichever this machine has.
struct Limited(PathBuf);

impl Limited {
    fn new() -> Option<Self> {
        let name = format!("muster-test-{}", std::process::id());
        let [two, one] = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory"].map(PathBuf::from);
        let (root, limit, swap) = if two.join("cgroup.controllers").exists() {
            (two, "memory.max", "memory.swap.max")
        } else {
            (one, "memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        };
        let group = Self(root.join(name));
        std::fs::create_dir(&group.0).ok()?;
        std::fs::write(group.0.join(limit), "25165824").ok()?;
        let most = if limit == "memory.max" { "0" } else { "25165824" };
        // Not there on kernels without swap accounting.
        let _ = std::fs::write(group.0.join(swap), most);
        Some(group)
    }

    /// Runs a program in it that takes more memory than it may.
    async fn eat(&self) {
        let script =
            format!("echo $$ > {}/cgroup.procs; exec dd if=/dev/zero of=/dev/null bs=200M count=1", self.0.display());
        let said = run(Command::new("sh").args(["-c", &script])).await;
        assert_ne!(said.code, 0, "it was killed: {}", said.all());
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A program that keeps a processor busy and whose name means mischief, gone when dropped.
struct Busy(std::process::Child);

impl Busy {
    const NAME: &str = "<b>&\"'\u{1b}[2J";

    fn start(home: &Path) -> Self {
        let shell = home.join(Self::NAME);
        std::fs::copy("/bin/sh", &shell).expect("a shell");
        let child = std::process::Command::new(shell).args(["-c", "while :; do :; done"]).spawn();
        Self(child.expect("our own copy of a shell"))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn kills() -> u64 {
    let text = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_process_killed_for_want_of_memory_is_told() {
    let collector = Collector::start(ONLY_OURS).await;
    let agent = Agent::up(&collector, "fast").await;
    let group =
        Limited::new().expect("a control group with a limit of memory: this story needs root and the controller");
    let busy = Busy::start(agent.home());
    let before = kills();
    group.eat().await;
    assert!(kills() > before, "the kernel counts it");
    let told = || async { finding(&collector, &agent.host, "oom_kill", "memory").await };
    let found = eventually("the kill is told", s(60), told).await;
    assert_eq!(found["severity"], "warning");
    assert!(found["evidence"].as_str().is_some_and(|words| words.contains("the kernel killed 1")), "{found}");

    let told = || async {
        let found = finding(&collector, &agent.host, "oom_kill", "memory").await?;
        Some(found["processes"][0].clone()).filter(|processes| !processes.is_null())
    };
    let processes = eventually("the processes are with the finding", s(30), told).await;
    let ours = processes["items"].as_array().and_then(|all| all.iter().find(|one| one["pid"] == busy.0.id()));
    let ours = ours.unwrap_or_else(|| panic!("process {} is among {processes}", busy.0.id()));
    assert_eq!(ours["command"], "<b>&\"'\u{fffd}[2J");
    assert_eq!(ours["user"], "root");
    assert!(ours["cpu_ratio"].as_f64() > Some(0.0) && ours["resident_bytes"].as_u64() > Some(0), "{ours}");
    let incident = || async {
        let incidents = collector.get("/api/v1/incidents").await.json();
        let about = |incident: &&Value| incident["key"].as_str().is_some_and(|key| key.ends_with("/oom_kill:memory"));
        incidents["items"].as_array()?.iter().find(about)?["number"].as_i64()
    };
    let number = eventually("there is an incident of it", s(30), incident).await;
    for path in [format!("/hosts/{}", agent.host), format!("/incidents/{number}")] {
        let page = collector.get(&path).await.body;
        assert!(page.contains("&#60;b&#62;&#38;&#34;&#39;\u{fffd}[2J <small>"), "{path}: {page}");
        assert!(
            !page.contains("<b>&") && !page.contains('\u{1b}') && page.contains("after it opened"),
            "{path}: {page}"
        );
    }
}
