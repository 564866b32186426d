//! The agent on Windows and macOS: type-checked for three targets, built for Windows and run there under wine
//!
//! `portability`
//!
//! It needs no released programs: the collector is that of `deploy/build --dev`, or of `MUSTER_BIN_DIR`. Debian's
//! `rustc-web` brings the sources of std, which is built for each target; its packages are unpacked below
//! `target/portability`, not installed. What wine shows is that the program starts, keeps its state, talks, and comes and goes
//! as a service and as a package of Windows Installer: wine's own manager and installer are younger cousins of Windows', and
//! it has no disks and no access lists of its own. Nothing of macOS can be run: its archive is looked into.

#[path = "../portability/packages.rs"]
mod packages;
#[path = "../portability/tools.rs"]
mod tools;
#[path = "../portability/wine.rs"]
mod wine;

use std::time::Duration;

use muster_tests::process::{Process, root, run};
use muster_tests::{Collector, eventually, http};
use serde_json::Value;

use packages::{Story, for_macos};
use tools::Tools;
use wine::Wine;

const WINDOWS: &str = "x86_64-pc-windows-gnu";
const MACS: [&str; 2] = ["aarch64-apple-darwin", "x86_64-apple-darwin"];
/// From the start to the first readings.
const UP: Duration = Duration::from_secs(90);
/// Families that rules and pages of the collector, and dashboards of Windows, read; wine has no volumes and interfaces that
/// sysinfo finds.
const FAMILIES: [&str; 8] = [
    "node_boot_time_seconds",
    "node_cpu_seconds_total",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_uname_info",
    "windows_cpu_time_total",
    "windows_memory_physical_free_bytes",
    "windows_os_info",
];

/// Sections, and how they are known under wine, which names no volume and no interface.
const SECTIONS: [(&str, &str); 7] = [
    ("system", "complete, with rows"),
    ("os", "complete, with rows"),
    ("cpu", "complete, with rows"),
    ("volumes", "unreadable"),
    ("interfaces", "unreadable"),
    ("users", "unreadable"),
    ("services", "unreadable"),
];

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut table = Table::default();
    runtime.block_on(measure(&mut table));
    let wrong = table.wrong;
    if wrong == 0 { Ok(()) } else { Err(std::io::Error::other(format!("{wrong} are not as expected"))) }
}

/// The table as it is printed: what was done and what was seen of it; and how much of it is not as expected.
#[derive(Default)]
struct Table {
    wrong: usize,
}

impl Table {
    #[expect(clippy::print_stdout, reason = "a measurement's table is its output")]
    fn say(&mut self, what: &str, expected: &str, seen: &str) {
        let mark = if expected == seen { String::new() } else { format!("   <-- EXPECTED: {expected}") };
        self.wrong += usize::from(expected != seen);
        println!("{what:58}  {}{mark}", if seen.is_empty() { "none" } else { seen });
    }
}

async fn measure(table: &mut Table) {
    let home = root().join("target/portability");
    std::fs::create_dir_all(&home).expect("a directory of our own");
    let tools = Tools::at(&home).await;
    for target in MACS {
        let outcome = tools.cargo(target, &["check", "--bins"]).await;
        table.say(&format!("cargo check --target {target}"), "fine", &outcome);
    }
    table.say(&format!("cargo clippy --target {WINDOWS}"), "fine", &tools.clippy(WINDOWS).await);
    let outcome = tools.cargo(WINDOWS, &["build", "--bins"]).await;
    table.say(&format!("cargo build --target {WINDOWS}"), "fine", &outcome);
    if outcome == "fine" {
        let wine = Wine::start(&home).await;
        let collector = Collector::start("").await;
        let id = under_wine(table, &wine, &collector).await;
        let mut story = Story { table, wine: &wine, collector: &collector };
        story.by_itself(&id).await;
        story.as_a_package(&home).await;
    }
    for_macos(table, &home).await;
}

/// By hand, as `enrol` and `run`; the host's id.
async fn under_wine(table: &mut Table, wine: &Wine, collector: &Collector) -> String {
    let said = run(&mut wine.agent(&["--version"])).await;
    table.say("muster-agent.exe --version", &format!("muster-agent {}", env!("CARGO_PKG_VERSION")), said.out.trim());
    let said = run(&mut wine.agent(&["check-config"])).await;
    table.say("  check-config without a file", "the configuration is fine", said.out.trim());

    let token = collector.token("normal").await;
    std::fs::write(wine.drive().join("token"), token).expect("a prefix of our own");
    let address = collector.address();
    let said = run(&mut wine.agent(&["enrol", "--collector", &address, "--token-file", r"C:\token"])).await;
    let enrolled = said.out.lines().find(|line| line.starts_with("enrolled as")).map(|_| "enrolled");
    table.say("  enrol with a token", "enrolled", enrolled.unwrap_or(said.all().trim()));
    let identity = wine.drive().join("ProgramData/Muster/agent/identity.json");
    table.say("  its identity is below C:\\ProgramData\\Muster", "true", &identity.exists().to_string());
    let said = run(&mut wine.agent(&["enrol", "--collector", &address, "--token-file", r"C:\token"])).await;
    let again = if said.out.starts_with("already enrolled") { "already enrolled" } else { said.out.trim() };
    table.say("  enrol again", "already enrolled", again);

    let mut agent = Process::start("muster-agent.exe", &mut wine.agent(&["run"]), &wine.log);
    let hosts = || async { collector.hosts().await.into_iter().find(|host| host["state"] == "up") };
    let host = agent.ready(UP, hosts).await;
    table.say("  run: the host in the fleet", "up", text(&host["state"]));
    let id = text(&host["id"]).to_owned();
    in_the_fleet(table, collector, &id).await;

    let said = run(&mut wine.agent(&["run"])).await;
    let refused = said.err.contains("in use by another agent");
    table.say("  a second one on the same state", "refused", if refused { "refused" } else { said.err.trim() });
    agent.kill().await;
    let mut agent = Process::start("muster-agent.exe", &mut wine.agent(&["run"]), &wine.log);
    let again = || async {
        let answer = http::get(&collector.url(&format!("/hosts/{id}/metrics"))).await?;
        (answer.status == 200 && agent_is(collector, &id).await).then_some(())
    };
    agent.ready(UP, again).await;
    table.say("  killed and started again: the same host", "1", &collector.hosts().await.len().to_string());
    agent.kill().await;
    id
}

async fn agent_is(collector: &Collector, id: &str) -> bool {
    collector.hosts().await.iter().any(|host| host["id"] == id && host["state"] == "up")
}

/// What the collector shows of it.
async fn in_the_fleet(table: &mut Table, collector: &Collector, id: &str) {
    let list = collector.cli(&["host", "list"]).await;
    table.say(
        "  muster-collector host list",
        "1",
        &list.lines().filter(|line| line.contains(" up")).count().to_string(),
    );
    let host = collector.get(&format!("/api/v1/hosts/{id}")).await.json();
    let says = |word: &str| host.to_string().to_ascii_lowercase().contains(word);
    table.say("  its system", "windows", if says("windows") { "windows" } else { "none" });
    let page = eventually("all families are read", UP, || async {
        let page = http::get(&collector.url(&format!("/hosts/{id}/metrics"))).await?.body;
        FAMILIES.iter().all(|family| page.contains(family)).then_some(page)
    });
    let page = page.await;
    for family in FAMILIES {
        let line = page.lines().find(|line| line.starts_with(family)).unwrap_or_default();
        let value: f64 = line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(-1.0);
        table.say(&format!("  {family}"), "0 or more", if value >= 0.0 { "0 or more" } else { line });
    }
    let inventory = eventually("the inventory has come", UP, || async {
        let inventory = collector.get(&format!("/api/v1/hosts/{id}/inventory")).await.json();
        SECTIONS.iter().all(|(name, _)| inventory["sections"][name].is_object()).then_some(inventory)
    });
    let inventory = inventory.await;
    for (name, expected) in SECTIONS {
        let section = &inventory["sections"][name];
        let rows = section["rows"].as_array().map_or(0, Vec::len);
        let seen = format!("{}{}", text(&section["status"]), if rows > 0 { ", with rows" } else { "" });
        table.say(&format!("  inventory: {name}"), expected, &seen);
    }
    let reason = text(&inventory["sections"]["users"]["reason"]);
    table.say("  why not the users", "not read on Windows", reason);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
