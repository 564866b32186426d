//! What an idle machine's inventory says has changed, when it is taken every minute: nothing
//!
//! `idle [--minutes 60]`
//!
//! Debian bookworm booted in a container, both packages installed as they are shipped, the agent's `[inventory] interval` at one
//! minute. Once all sections are told, nobody touches it. Then what changed is asked of the collector. At the end three things are done at
//! once, and each is a change and nothing beside them: a package is installed, a user is given sudo, a port is opened.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use muster_tests::container::{self, Container};
use muster_tests::eventually;
use muster_tests::measure::figures::{Table, flag, progress, say};
use muster_tests::process::{program, root};
use muster_tests::wait::pass;
use serde_json::Value;
use tempfile::TempDir;

const MINUTE: Duration = Duration::from_secs(60);
/// The last section is told within so long: it is taken at the lowest priority, and the machine below may do much else.
const TOLD: Duration = Duration::from_secs(600);
/// Done at once: a package, an account that was there before is given sudo, and somebody listens.
const DONE: &str = "dpkg -i /root/change/change.deb >/dev/null && usermod -a -G sudo ann && \
    setsid -f prometheus-node-exporter --web.listen-address=127.0.0.1:9999 >/dev/null 2>&1";

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<()> {
    let minutes: u32 = flag("--minutes", 60);
    let tree = container::tree().map_err(anyhow::Error::msg)?;
    let packages = packages()?;
    let machine = Container::boot_alone("idle", &tree, |to| {
        for (from, at) in [(packages.path(), "root/packages"), (&packages.path().join("change"), "root/change")] {
            let at = to.join(at);
            std::fs::create_dir_all(&at).expect("a tree of our own");
            for file in from.read_dir().expect("our own").flatten().filter(|file| file.path().is_file()) {
                std::fs::copy(file.path(), at.join(file.file_name())).expect("a tree of our own");
            }
        }
    })
    .await;
    begin(&machine).await?;
    let first = told(&machine).await;
    let after = changes(&machine).await?.len();
    progress(&format!("{first} packages are told; {minutes} minutes of nothing"));
    for minute in 0..minutes {
        pass(MINUTE).await;
        if minute % 10 == 9 {
            progress(&format!("{} minutes: {} changes", minute + 1, changes(&machine).await?.len() - after));
        }
    }
    let idle = changes(&machine).await?;
    let mut table = Table::new(&["", "expected", "seen"]);
    let row = |table: &mut Table, what: &str, expected: &str, seen: String| {
        table.row([what.to_owned(), expected.to_owned(), seen])
    };
    row(&mut table, "packages of the machine", "-", first.to_string());
    row(
        &mut table,
        &format!("changes in {minutes} minutes, taken {minutes} times"),
        "0",
        (idle.len() - after).to_string(),
    );
    machine.must(&["sh", "-ec", DONE]).await;
    pass(3 * MINUTE).await;
    let then = changes(&machine).await?;
    row(
        &mut table,
        "changes after a package, an account with sudo and a listener",
        "3",
        (then.len() - idle.len()).to_string(),
    );
    table.print();
    say("");
    for change in idle.iter().skip(after).chain(then.iter().skip(idle.len())) {
        say(&format!("{}  {}", change["class"].as_str().unwrap_or("?"), change["title"].as_str().unwrap_or("?")));
    }
    Ok(())
}

/// The two packages, and one with a file in it.
fn packages() -> Result<TempDir> {
    let home = TempDir::new()?;
    let programs = program("muster-agent").parent().context("it lies in a directory")?.to_path_buf();
    let mut command = std::process::Command::new(root().join("deploy/package"));
    command.args(["--fast", "--version", "0.9.0", "--programs"]).arg(&programs).arg("--out").arg(home.path());
    container::must(&mut command).map_err(anyhow::Error::msg)?;
    let change = home.path().join("change");
    std::fs::create_dir_all(change.join("tree/DEBIAN"))?;
    std::fs::write(
        change.join("tree/DEBIAN/control"),
        "Package: change\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a change\n",
    )?;
    let mut command = std::process::Command::new("dpkg-deb");
    command.args(["--root-owner-group", "-b"]).arg(change.join("tree")).arg(change.join("change.deb"));
    container::must(&mut command).map_err(anyhow::Error::msg)?;
    Ok(home)
}

/// Installs, enrols and starts.
async fn begin(machine: &Container) -> Result<()> {
    machine.must(&["sh", "-ec", "useradd -m ann && dpkg -i /root/packages/*.deb >/dev/null"]).await;
    machine.must(&["systemctl", "enable", "--now", "--quiet", "muster-collector"]).await;
    let words = ["muster-collector", "token", "create", "--kind", "single", "--class", "server"];
    let token = eventually("a token", TOLD, || async {
        let said = machine.run(&words).await;
        (said.code == 0).then_some(said.out)
    });
    std::fs::write(machine.root().join("root/token"), token.await)?;
    let file = machine.root().join("etc/muster/agent.toml");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    std::fs::write(&file, format!("{before}\n[inventory]\ninterval = \"1m\"\n"))?;
    let install = ["muster-agent", "install", "--collector", "127.0.0.1:7460", "--token-file", "/root/token"];
    let said = machine.run(&install).await;
    if said.code != 2 {
        bail!("install: {}", said.all());
    }
    let up = || async {
        let hosts = ask(machine, &["host", "list"]).await?;
        (hosts.as_array()?.first()?["state"] == "up").then_some(())
    };
    eventually("it is up", TOLD, up).await;
    Ok(())
}

async fn ask(machine: &Container, words: &[&str]) -> Option<Value> {
    let said = machine.run(&[&["muster-collector", "--json"][..], words].concat()).await;
    let value: Value = serde_json::from_str(&said.out).ok().filter(|_| said.code == 0)?;
    Some(if value["items"].is_array() { value["items"].clone() } else { value })
}

/// How many packages are told once the last section that every machine has is.
async fn told(machine: &Container) -> usize {
    // Sections are told by name.
    let all = || async {
        let rows = ask(machine, &["inventory", "search", "--section", "virtualization", "--field", "role=*"]).await?;
        rows.as_array().is_some_and(|rows| !rows.is_empty()).then_some(())
    };
    eventually("all of it is told", TOLD, all).await;
    // What is told a minute later still belongs to the beginning: units that start, timers that are set.
    pass(2 * MINUTE).await;
    let rows = ask(machine, &["inventory", "search", "--section", "packages", "--name", "*"]).await;
    rows.and_then(|rows| rows.as_array().map(Vec::len)).unwrap_or(0)
}

async fn changes(machine: &Container) -> Result<Vec<Value>> {
    let all = ask(machine, &["inventory", "changes"]).await.context("the collector answers")?;
    let mut all = all.as_array().cloned().context("a list")?;
    all.reverse();
    Ok(all)
}
