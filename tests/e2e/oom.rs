//! A process that the kernel kills for want of memory. Every agent of this machine tells of it, so that `tests/run` runs
//! this story when the others are over. Needs root and the memory controller.

use std::path::PathBuf;

use muster_tests::process::run;
use muster_tests::{Agent, Collector, eventually};
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
    let before = kills();
    group.eat().await;
    assert!(kills() > before, "the kernel counts it");
    let told = || async { finding(&collector, &agent.host, "oom_kill", "memory").await };
    let found = eventually("the kill is told", s(60), told).await;
    assert_eq!(found["severity"], "warning");
    assert!(found["evidence"].as_str().is_some_and(|words| words.contains("the kernel killed 1")), "{found}");
}
