//! A full disk: both programs stay up, say so, and still page. Needs root for a small file system.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use muster_tests::process::run;
use muster_tests::{Agent, Collector, Webhook, eventually};
use tokio::process::Command;

use crate::s;

/// A file system of its own; unmounted when dropped.
struct Small(PathBuf);

impl Small {
    async fn mount(at: PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&at).expect("a directory of our own");
        let options = format!("size={size}");
        let said = run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "muster-test"]).arg(&at)).await;
        assert_eq!(said.code, 0, "a small file system: {}", said.err);
        Self(at)
    }

    /// Writes until nothing more fits.
    fn fill(&self, name: &str) {
        let mut file = std::fs::File::create(self.0.join(name)).expect("there is room for a name");
        while file.write_all(&[0; 4096]).is_ok() {}
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

fn free_bytes(at: &Path) -> u64 {
    rustix::fs::statvfs(at).map_or(0, |stat| stat.f_bavail * stat.f_frsize)
}

#[tokio::test]
async fn with_the_disk_full_both_stay_up_and_a_page_still_goes_out() {
    let hook = Webhook::start().await;
    let mut collector = Collector::prepare(&hook.receiver());
    let disk = Small::mount(collector.state(), "64m").await;
    collector.run().await;
    let mut agent = Agent::up(&collector, "fast").await;

    disk.fill("filler");
    // The reserve is given back to the disk first; what it frees is taken too.
    let full = || async {
        disk.fill("more");
        (free_bytes(&disk.0) < 65_536).then_some(())
    };
    eventually("the disk is full", s(10), full).await;

    agent.kill().await;
    let opened = hook.wait("incident.opened", s(30)).await;
    assert_eq!(opened.body["data"]["host"], agent.name);
    assert_eq!(collector.get("/-/healthy").await.status, 200, "{}", collector.log());
    let log = collector.log();
    assert!(log.contains("space") || log.contains("full"), "it says so:\n{log}");

    std::fs::remove_file(disk.0.join("filler")).expect("the story's own file");
    let _ = std::fs::remove_file(disk.0.join("more"));
    agent.run();
    hook.wait("incident.resolved", s(60)).await;
}
