//! `muster-agent install` of a program that somebody carried to the machine, and `uninstall`.

use super::{Story, VERSIONS, carry, words};

const INSTALL: [&str; 6] =
    ["/root/muster-agent", "install", "--collector", "127.0.0.1:7460", "--token-file", "/root/token"];

#[tokio::test]
async fn a_carried_program_installs_itself_once_and_uninstalls_itself_without_a_trace() {
    let mut story = Story::begin("by-hand").await;
    story.apt(&["install", &story.package("muster-collector", VERSIONS[0])]).await;
    story.machine.must(&["systemctl", "start", "muster-collector"]).await;
    let before = story.files().await;
    carry(&story.machine.root().join("root/muster-agent"));
    story.refused().await;
    story.token().await;
    let line = story.changed(&INSTALL).await;
    let all = ["user", "configuration", "enrolled", "program", "unit", "enabled", "started"];
    assert_eq!(words(&line["did"]), all, "{line}");
    story.host = line["host_id"].as_str().expect("it says who it is").to_owned();
    story.is("up").await;
    assert_eq!(words(&story.changed(&INSTALL).await["did"]), [""; 0]);
    story.repaired().await;
    story.kept_and_purged().await;
    let after = story.files().await;
    // The collector goes on.
    let others = |file: &&String| super::backup_of_users(file) || file.starts_with("/var/lib/muster/collector/");
    let left: Vec<_> = after.difference(&before).filter(|file| !others(file)).collect();
    assert!(left.is_empty(), "left behind: {left:#?}");
}

impl Story {
    /// A token that is none, and one of another collector, before anything is there.
    async fn refused(&self) {
        std::fs::write(self.machine.root().join("root/token"), "nonsense").expect("a tree of our own");
        let said = self.machine.run(&INSTALL).await;
        assert_eq!(said.code, 64, "{}", said.all());
        assert!(!self.machine.root().join("var/lib/muster/agent").exists(), "nothing was changed");
        let said = self.machine.run(&["/root/muster-agent", "install"]).await;
        assert!(said.code != 0 && said.err.contains("MUSTER_TOKEN"), "{}", said.all());
    }

    /// What is not as it should be is put right, and only that.
    async fn repaired(&self) {
        let again = |more: &'static [&'static str]| [&["/root/muster-agent", "install"][..], more].concat();
        self.machine.must(&["systemctl", "stop", "muster-agent"]).await;
        assert_eq!(words(&self.changed(&again(&[])).await["did"]), ["started"]);
        let labelled = again(&["--label", "owner=web team"]);
        assert_eq!(words(&self.changed(&labelled).await["did"]), ["configuration", "restarted"]);
        assert_eq!(words(&self.changed(&labelled).await["did"]), [""; 0]);
        let moved = again(&["--collector", "localhost:7460", "127.0.0.1:7460"]);
        assert_eq!(words(&self.changed(&moved).await["did"]), ["addresses", "started"]);
        assert_eq!(words(&self.changed(&moved).await["did"]), [""; 0]);
        let helped = again(&["--helper"]);
        assert_eq!(words(&self.changed(&helped).await["did"]), ["helper", "restarted"]);
        assert_eq!(words(&self.changed(&helped).await["did"]), [""; 0]);
        self.machine.must(&["rm", "/usr/lib/systemd/system/muster-agent.service"]).await;
        assert_eq!(words(&self.changed(&again(&[])).await["did"]), ["unit", "restarted"]);
        self.is("up").await;
    }

    async fn kept_and_purged(&self) {
        let uninstall = ["/root/muster-agent", "uninstall"];
        let line = self.changed(&uninstall).await;
        assert_eq!(words(&line["did"]), ["stopped", "disabled", "helper", "said_goodbye", "unit", "program"], "{line}");
        self.is("shutdown").await;
        assert_eq!(words(&self.changed(&uninstall).await["did"]), [""; 0]);
        // The identity stayed: the same host, without a token.
        std::fs::remove_file(self.machine.root().join("root/token")).expect("a tree of our own");
        let line = self.changed(&["/root/muster-agent", "install"]).await;
        assert_eq!(line["host_id"], self.host.as_str());
        self.is("up").await;
        // An absent collector keeps nothing.
        self.machine.must(&["systemctl", "stop", "muster-collector"]).await;
        let line = self.changed(&["/root/muster-agent", "uninstall", "--purge"]).await;
        let all = ["stopped", "disabled", "unit", "program", "state", "configuration", "user"];
        assert_eq!(words(&line["did"]), all, "{line}");
        assert!(line["notes"][0].as_str().is_some_and(|note| note.starts_with("the collector was not told")), "{line}");
        assert_eq!(words(&self.changed(&["/root/muster-agent", "uninstall", "--purge"]).await["did"]), [""; 0]);
    }
}
