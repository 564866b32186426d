//! The Ansible role, by ansible-playbook itself, on three booted machines, one of them behind a proxy: installed with one token,
//! again, their collector lost and restored elsewhere, removed.
//!
//! Ansible's own connection over ssh is used, with a program in the place of ssh that enters the container.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use muster_tests::container::{self, Container};
use muster_tests::network::Network;
use muster_tests::process::{Process, installed, program, root, run};
use muster_tests::proxy::Tinyproxy;
use muster_tests::{Collector, Webhook, never};
use tempfile::TempDir;
use tokio::process::Command;

use super::{UP, VERSIONS, carry, files_of, make_packages};
use crate::s;

/// What Ansible needs on the machines that it works on.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,procps,python3,python3-apt";
const TREE: &str = "bookworm-python-1";
const NAMES: [&str; 3] = ["rolled-alpha", "rolled-beta", "rolled-gamma"];
/// Three machines at once, on one that does much else.
const PLAYED: std::time::Duration = s(600);
/// What the proxy asks of whom it lets through.
const PASSWORD: &str = "secret-of.ours";
/// Stands for ssh: its last two words are the host, here the number of a process in it, and a command.
const SSH: &str = "#!/bin/bash\nexec nsenter -t \"${@: -2:1}\" -a -- /bin/sh -c \"${@: -1}\"\n";

/// Who rolls out, and to where.
struct Roll {
    home: TempDir,
    machines: Vec<Container>,
    packages: TempDir,
    /// What the last machine is told of its way to the collector.
    way: String,
}

impl Roll {
    async fn begin() -> Self {
        Self::begin_with(None).await
    }

    /// The last machine is in a network of its own, out of which the proxy is the only way.
    async fn begin_with(proxied: Option<(&Network, &Tinyproxy)>) -> Self {
        let tree = container::debootstrapped(TREE, PACKAGES, |root| Ok(root.to_path_buf())).expect("a tree of Debian");
        let packages = make_packages(&["muster-agent.deb"]);
        let boot = |name| Container::boot(name, &tree, |_| ());
        let last = async {
            match proxied {
                Some((network, proxy)) => {
                    network.only_to(proxy.port).await;
                    Container::boot_in(network, NAMES[2], &tree, |_| ()).await
                }
                None => boot(NAMES[2]).await,
            }
        };
        let (alpha, beta, gamma) = tokio::join!(boot(NAMES[0]), boot(NAMES[1]), last);
        let machines = vec![alpha, beta, gamma];
        let way = proxied.map_or_else(String::new, |(network, proxy)| {
            let url = format!("http://me@{}", network.outside(proxy.port));
            format!(" muster_agent_proxy={url} muster_agent_proxy_password={PASSWORD}")
        });
        let roll = Self { home: TempDir::new().expect("a directory"), machines, packages, way };
        let ssh = roll.file("ssh", SSH);
        std::fs::set_permissions(ssh, std::fs::Permissions::from_mode(0o755)).expect("our own file");
        carry(&roll.home.path().join("muster-agent"));
        roll
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.home.path().join(name);
        std::fs::write(&file, text).expect("a file in a directory of our own");
        file
    }

    /// Two machines by the package, one by the program alone.
    fn inventory(&self, version: &str) -> PathBuf {
        let made = self.packages.path().read_dir().expect("our own").flatten().map(|entry| entry.path());
        let package = made.into_iter().find(|file| file.to_string_lossy().contains(&format!("_{version}_")));
        let by = [
            ("muster_agent_deb", package.clone().expect("it was made")),
            ("muster_agent_deb", package.expect("it was made")),
            ("muster_agent_program", self.home.path().join("muster-agent")),
        ];
        let mut text = String::new();
        for ((machine, name), (variable, file)) in self.machines.iter().zip(NAMES).zip(by) {
            let init = machine.init();
            let way = if name == NAMES[2] { &self.way } else { "" };
            writeln!(text, "{name} ansible_host={init} {variable}={}{way}", file.display()).expect("a text grows");
        }
        text.push_str("[all:vars]\nansible_python_interpreter=/usr/bin/python3\n");
        self.file("inventory", &text)
    }

    /// Plays the shipped example with these variables; for each machine how much was changed. Nothing fails.
    async fn play(&self, version: &str, variables: &serde_json::Value) -> Vec<u32> {
        let log = self.home.path().join("log");
        let _ = std::fs::remove_file(&log);
        let ended = self.played(version, variables, &log).await;
        let said = std::fs::read_to_string(&log).expect("it said something");
        assert_eq!(ended, 0, "{said}");
        let recap = said.split_once("PLAY RECAP").expect("it came to its end").1;
        let number = |name: &str, key: &str| {
            let line = recap.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().find_map(|word| word.strip_prefix(key))?.parse::<u32>().ok()
        };
        NAMES.map(|name| number(name, "changed=").unwrap_or_else(|| panic!("{name} is not in {said}"))).to_vec()
    }

    async fn played(&self, version: &str, variables: &serde_json::Value, log: &Path) -> i32 {
        let variables = self.file("variables.json", &variables.to_string());
        let mut command = Command::new(installed("ansible-playbook", "ansible-core"));
        command
            .arg("--inventory")
            .arg(self.inventory(version))
            .arg("--extra-vars")
            .arg(format!("@{}", variables.display()));
        command.arg(root().join("deploy/ansible/site.yml"));
        command.env("HOME", self.home.path()).env("ANSIBLE_HOME", self.home.path().join("ansible"));
        command.env("ANSIBLE_SSH_EXECUTABLE", self.home.path().join("ssh")).env("ANSIBLE_SSH_TRANSFER_METHOD", "piped");
        command.env("ANSIBLE_NOCOLOR", "1").env("LC_ALL", "C.UTF-8");
        Process::start("ansible-playbook", &mut command, log).ended(PLAYED).await
    }
}

#[tokio::test]
async fn machines_are_installed_by_the_role_with_one_token_and_come_back_to_a_collector_restored_elsewhere() {
    let hook = Webhook::start().await;
    let (mut lost, mut found) = (Collector::prepare(&hook.receiver()), Collector::prepare(&hook.receiver()));
    lost.run().await;
    let (network, proxy) = (Network::make().await, Tinyproxy::start(PASSWORD, &[lost.grpc, found.grpc]).await);
    let roll = Roll::begin_with(Some((&network, &proxy))).await;
    only_through(&proxy, &network, &roll.machines[2], &lost).await;
    let before = files_of(&roll.machines[0]).await;
    let token = roll
        .file("token", &lost.cli(&["token", "create", "--kind", "batch", "--uses", "3", "--class", "server"]).await);
    let variables = serde_json::json!({
        "ansible_become": false,
        "muster_agent_collectors": [lost.address(), found.address()],
        "muster_agent_token_file": token,
        "muster_agent_labels": { "site": "oslo", "owner": "the web team" },
    });
    let changed = roll.play(VERSIONS[0], &variables).await;
    assert!(changed.iter().all(|count| *count >= 2), "{changed:?}");
    for name in NAMES {
        let host = lost.host_is(name, "up", UP).await;
        assert_eq!(host["labels"]["owner"], "the web team", "{host:#}");
    }
    assert_eq!(roll.play(VERSIONS[0], &variables).await, [0; 3], "a second time nothing is changed");
    // The token is spent, and nobody needs it any more: the helper and a newer package come without.
    let mut more = variables.clone();
    more["muster_agent_token_file"] = "".into();
    more["muster_agent_helper"] = true.into();
    assert_eq!(roll.play(VERSIONS[1], &more).await, [3, 3, 1], "package twice and the agent; the agent");
    assert_eq!(roll.play(VERSIONS[1], &more).await, [0; 3]);
    for machine in &roll.machines {
        assert_eq!(machine.property("muster-helper.socket", "ActiveState").await, "active");
    }

    restored_elsewhere(&mut lost, &mut found, &hook).await;
    for collector in [&lost, &found] {
        let ordered = format!("CONNECT {} HTTP/1.1", collector.address());
        assert!(proxy.log().contains(&ordered), "{ordered}: {}", proxy.log());
    }

    more["muster_agent_state"] = "absent".into();
    let changed = roll.play(VERSIONS[1], &more).await;
    assert!(changed.iter().all(|count| *count >= 1), "{changed:?}");
    for name in NAMES {
        let host = found.host_is(name, "shutdown", UP).await;
        assert_eq!(host["why"], "its agent was removed");
    }
    assert_eq!(roll.play(VERSIONS[1], &more).await, [0; 3]);
    for machine in &roll.machines {
        let after = files_of(machine).await;
        let left: Vec<_> = after.difference(&before).filter(|file| !super::backup_of_users(file)).collect();
        assert!(left.is_empty(), "left behind: {left:#?}");
    }
}

/// The machine reaches the proxy, and the collector no other way.
async fn only_through(proxy: &Tinyproxy, network: &Network, machine: &Container, collector: &Collector) {
    for (port, answers) in [(proxy.port, true), (collector.grpc, false)] {
        let dial = format!("exec 3<>/dev/tcp/{}", network.outside(port).replace(':', "/"));
        let said = machine.run(&["timeout", "3", "bash", "-c", &dial]).await;
        assert_eq!(said.code == 0, answers, "{dial}: {}", said.all());
    }
}

/// The collector is destroyed; its backup goes on at another address, and all three are there by themselves.
async fn restored_elsewhere(lost: &mut Collector, found: &mut Collector, hook: &Webhook) {
    for name in NAMES {
        lost.host_is(name, "up", UP).await;
    }
    let (file, passphrase) = (found.home().join("backup.age"), found.home().join("passphrase"));
    std::fs::write(&passphrase, "correct horse battery\n").expect("a file in a directory of our own");
    let sealed = |command: &mut Command, collector: &Collector| {
        command.arg("--state").arg(collector.state()).arg("--passphrase-file").arg(&passphrase);
    };
    let mut backup = Command::new(program("muster-collector"));
    sealed(backup.arg("backup").arg(&file), lost);
    let said = run(&mut backup).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let ids = |hosts: Vec<serde_json::Value>| {
        let mut ids: Vec<String> = hosts.iter().map(|host| host["id"].to_string()).collect();
        ids.sort_unstable();
        ids
    };
    let known = ids(lost.hosts().await);
    lost.kill().await;
    std::fs::remove_dir_all(lost.state()).expect("it is destroyed");
    let mut restore = Command::new(program("muster-collector"));
    sealed(restore.arg("restore").arg(&file).arg("--config").arg(found.home().join("as-it-was.toml")), found);
    let said = run(&mut restore).await;
    assert_eq!(said.code, 0, "{}", said.all());
    found.run().await;
    for name in NAMES {
        found.host_is(name, "up", s(120)).await;
    }
    assert_eq!(ids(found.hosts().await), known, "they are the same hosts");
    assert_eq!(known.len(), 3);
    never("a page for what did not happen", s(20), || async { hook.messages().pop() }).await;
}

#[tokio::test]
async fn a_role_that_cannot_do_what_is_asked_says_why_and_keeps_the_token_to_itself() {
    let roll = Roll::begin().await;
    let log = roll.home.path().join("log");
    let secret = "nonsense-that-nobody-should-see";
    let variables = serde_json::json!({
        "ansible_become": false,
        "muster_agent_collectors": ["127.0.0.1:1"],
        "muster_agent_token": secret,
    });
    assert_ne!(roll.played(VERSIONS[0], &variables, &log).await, 0);
    let said = std::fs::read_to_string(&log).expect("it said something");
    assert!(said.contains("The agent says why not") && said.contains("muster-agent:"), "{said}");
    assert!(!said.contains(secret), "{said}");
    let variables = serde_json::json!({ "ansible_become": false, "muster_agent_collectors": [] });
    assert_ne!(roll.played(VERSIONS[0], &variables, &log).await, 0);
    let said = std::fs::read_to_string(&log).expect("it said something");
    assert!(said.contains("muster_agent_collectors names HOST:PORT"), "{said}");
}
