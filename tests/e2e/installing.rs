//! `install` and `uninstall` where they cannot do anything, and the farewell of an agent that is stopped. What they do is told
//! by `packages`, on a booted systemd.

use std::os::unix::fs::PermissionsExt as _;

use muster_tests::process::{installed, program, run};
use muster_tests::{Agent, Collector};
use tokio::process::Command;

use crate::s;

#[tokio::test]
async fn without_rights_nothing_is_changed_and_the_remedy_is_said() {
    // Wherever the programs are: nobody may go there.
    let home = tempfile::tempdir().expect("a directory");
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).expect("our own directory");
    let agent = home.path().join("muster-agent");
    std::fs::copy(program("muster-agent"), &agent).expect("a program of our own");
    for words in [&["install", "--collector", "127.0.0.1:7460"][..], &["uninstall"]] {
        let mut nobody = Command::new(installed("setpriv", "util-linux"));
        nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&agent).args(words);
        let said = run(&mut nobody).await;
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.err.contains("run it as root") && said.err.contains("nothing was changed"), "{}", said.all());
    }
}

#[tokio::test]
async fn without_systemd_nothing_is_changed_and_the_other_way_is_said() {
    // Whatever this machine runs on: its /run is an empty one here.
    let script = "mount -t tmpfs none /run && exec \"$@\"";
    for words in [&["install", "--collector", "127.0.0.1:7460"][..], &["uninstall"]] {
        let mut command = Command::new(installed("unshare", "util-linux"));
        command.args(["-m", "sh", "-c", script, "sh"]).arg(program("muster-agent")).args(words);
        let said = run(&mut command).await;
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.err.contains("not run by systemd") && said.err.contains("nothing was changed"), "{}", said.all());
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_anything_is_done() {
    for (words, expected) in [
        (&["install", "--collector", "nowhere"][..], "expected HOST:PORT"),
        (&["install", "--collector", "a:1", "--label", "site"], "NAME=VALUE"),
        (&["--config", "/tmp/other.toml", "install", "--collector", "a:1"], "/tmp/other.toml"),
    ] {
        let said = run(Command::new(program("muster-agent")).args(words)).await;
        assert!(said.err.contains(expected), "{words:?}: {}", said.all());
        assert_eq!(said.code, 64, "{words:?}: {}", said.all());
    }
}

#[tokio::test]
async fn a_stopped_agent_that_goes_for_good_is_no_outage() {
    let collector = Collector::start("").await;
    let mut agent = Agent::up(&collector, "normal").await;
    let running = run(agent.command().arg("farewell")).await;
    assert!(running.code == 1 && running.err.contains("in use by another agent"), "{}", running.all());
    agent.stop().await;
    let said = run(agent.command().arg("farewell")).await;
    assert_eq!(said.code, 0, "{}", said.all());
    collector.host_is(&agent.host, "shutdown", s(10)).await;
    let host = collector.get(&format!("/api/v1/hosts/{}", agent.host)).await.json();
    assert_eq!(host["why"], "its agent was removed");
}
