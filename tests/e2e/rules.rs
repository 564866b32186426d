//! A real file system that fills, and what an operator sees and says of it. Needs root for mounts.

use std::path::PathBuf;

use muster_tests::process::run;
use muster_tests::webhook::Message;
use muster_tests::{Agent, Collector, Webhook, eventually};
use serde_json::Value;
use tokio::process::Command;

use crate::s;

/// The machine itself may have troubles of its own; here only those of the story count.
pub(crate) const ONLY_OURS: &str =
    "[overrides]\nothers = { rule = \"filesystem_space\", mount = \"/\", enabled = false }\n";

/// An ext4 file system in a file, mounted where agents look.
struct Loop(tempfile::TempDir, PathBuf);

impl Loop {
    async fn mount() -> Self {
        let home = tempfile::TempDir::new().expect("a directory");
        let (image, at) = (home.path().join("image"), home.path().join("disk"));
        std::fs::create_dir(&at).expect("a directory of our own");
        std::fs::File::create(&image).and_then(|file| file.set_len(256 << 20)).expect("a sparse file");
        let made = run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image)).await;
        assert_eq!(made.code, 0, "mkfs.ext4 (e2fsprogs): {}", made.err);
        let said = run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&at)).await;
        assert_eq!(said.code, 0, "a loop mount: {}", said.err);
        Self(home, at)
    }

    /// Leaves 5 % free of what everybody may use, less a little.
    fn fill(&self) {
        let stat = rustix::fs::statvfs(&self.1).expect("it is mounted");
        let keep = stat.f_blocks * stat.f_frsize / 21;
        let bytes = (stat.f_bavail * stat.f_frsize).saturating_sub(keep);
        let file = std::fs::File::create(self.1.join("filler")).expect("there is room");
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).expect("there is room for it");
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.1).output();
        let _ = &self.0;
    }
}

/// The open finding of this rule about this part.
pub(crate) async fn finding(collector: &Collector, host: &str, rule: &str, part: &str) -> Option<Value> {
    let host = collector.get(&format!("/api/v1/hosts/{host}")).await.json();
    let findings = host["findings"].as_array().cloned().unwrap_or_default();
    findings.into_iter().find(|finding| finding["rule"] == rule && finding["part"] == part)
}

/// The message of this kind about this part; the other stories' faults are seen here too.
async fn about(hook: &Webhook, kind: &str, part: &str) -> Message {
    eventually("a page about it", s(120), || async { hook.about(kind, part).into_iter().next() }).await
}

#[tokio::test]
async fn a_file_system_that_fills_is_paged_once_and_over_when_it_is_emptied() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&(hook.receiver() + ONLY_OURS)).await;
    let disk = Loop::mount().await;
    let part = disk.1.to_string_lossy().into_owned();
    let agent = Agent::up(&collector, "fast").await;

    disk.fill();
    let opened = about(&hook, "incident.opened", &part).await;
    assert_eq!(opened.body["data"]["severity"], "critical");
    let found = finding(&collector, &agent.host, "filesystem_space", &part).await.expect("it stands");
    assert!(found["evidence"].as_str().is_some_and(|words| words.contains("below 5 %")), "{found}");
    let page = collector.get(&format!("/hosts/{}", agent.host)).await.body;
    assert!(page.contains("muster-collector rules override add"), "the finding says how to quieten it");

    std::fs::remove_file(disk.1.join("filler")).expect("it was made");
    let resolved = about(&hook, "incident.resolved", &part).await;
    assert_eq!(resolved.key(), opened.key());
    assert_eq!(hook.about("incident.opened", &part).len(), 1, "once");
}

#[tokio::test]
async fn an_override_from_the_command_line_counts_at_once_and_is_explained_and_ended() {
    let collector = Collector::start(ONLY_OURS).await;
    let disk = Loop::mount().await;
    let part = disk.1.to_string_lossy().into_owned();
    let agent = Agent::up(&collector, "fast").await;
    disk.fill();
    let is_critical = || async {
        let found = finding(&collector, &agent.host, "filesystem_space", &part).await?;
        (found["severity"] == "critical").then_some(())
    };
    eventually("it is critical", s(120), is_critical).await;

    let add =
        ["rules", "override", "add", "small", "--rule", "filesystem_space", "--host", &agent.name, "--part", &part];
    let said = collector.try_cli(&[&add[..], &["--set", "warning=0.5 %"]].concat()).await;
    assert!(said.code == 1 && said.err.contains("no more than warning (0.5 %)"), "{}", said.all());
    let said = collector.try_cli(&[&add[..], &["--set", "warning=half"]].concat()).await;
    assert!(said.code == 1 && said.err.contains("a percentage such as"), "{}", said.all());
    collector.cli(&[&add[..], &["--set", "warning=0.5 %", "--set", "critical=0.1 %"]].concat()).await;
    let is_over =
        || async { finding(&collector, &agent.host, "filesystem_space", &part).await.is_none().then_some(()) };
    eventually("with other limits it is no trouble", s(60), is_over).await;

    let explained = collector.cli(&["rules", "explain", &agent.name, "--rule", "filesystem_space"]).await;
    let line =
        explained.lines().find(|line| line.contains(&part) && line.contains("warning ")).expect("it is explained");
    assert!(line.contains("0.5 %") && line.contains("override small, made by uid:0"), "{explained}");
    assert!(explained.contains("built in"), "{explained}");

    collector.cli(&["rules", "override", "remove", "small"]).await;
    eventually("the built-in limits count again", s(60), is_critical).await;
    assert_eq!(collector.cli(&["rules", "override", "list"]).await, "");
}

#[tokio::test]
async fn an_incident_that_was_no_problem_gets_the_limits_it_needed_and_has_them_taken_back() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&(hook.receiver() + ONLY_OURS)).await;
    let agent = Agent::up(&collector, "fast").await;
    let disk = Loop::mount().await;
    let part = disk.1.to_string_lossy().into_owned();
    disk.fill();
    about(&hook, "incident.opened", &part).await;
    let ours = || async {
        let all = collector.incidents().await;
        all.into_iter().find(|incident| incident["component"] == part.as_str() && incident["state"] == "open")
    };
    let number = eventually("its incident", s(10), ours).await["number"].to_string();
    let changes = collector.get(&format!("/api/v1/incidents/{number}")).await.json()["changes"].to_string();
    // Others' file systems may have come with it.
    assert!(changes.contains(&part) && (changes.contains("is new") || changes.contains("are new: ")), "{changes}");
    // The past of its figures is known with the next minute.
    let needed = || async {
        let offer = collector.get(&format!("/api/v1/incidents/{number}/not-a-problem")).await.json();
        let limits = offer["limits"].as_array().cloned().unwrap_or_default();
        limits.into_iter().find(|limit| limit["key"] == "critical" && limit["needed"].is_string())
    };
    let critical = eventually("what it would have needed", s(130), needed).await;
    let percent: f64 =
        critical["needed"].as_str().and_then(|text| text.strip_suffix(" %")?.parse().ok()).expect("a share");
    assert!((3.0..4.8).contains(&percent), "5 % free, less a little: {critical}");

    let say = ["incident", "not-a-problem", &number, "threshold", "--reason", "small by design"];
    let seen = collector.cli(&[&say[..], &["--dry-run"]].concat()).await;
    assert!(seen.contains("would have spared 1 of 1 page of the last 90 days"), "{seen}");
    assert_eq!(collector.cli(&["rules", "override", "list"]).await, "", "a dry run saves nothing");
    collector.cli(&say).await;
    let resolved = about(&hook, "incident.resolved", &part).await;
    assert_eq!(resolved.body["data"]["component"], part.as_str());
    let shown = collector.get(&format!("/incidents/{number}")).await.body;
    assert!(shown.contains("small by design"), "{shown}");

    collector.cli(&["incident", "not-a-problem", &number, "take-back", "1"]).await;
    eventually("the limits before count again", s(60), ours).await;
    let audit = collector.cli(&["--json", "incident", "show", &number]).await;
    assert!(audit.contains("taken back: other limits"), "{audit}");
    drop(agent);
}
