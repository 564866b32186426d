//! Both programs as services of a booted Debian: the shipped units, and what they may see
//!
//! `systemd`
//!
//! Debian bookworm with systemd as process 1 in a container, the files put where a package would put them. Everything
//! is asked of the services from outside: the collector's API, its webhook, systemd. Needs root, debootstrap and
//! systemd-container; the tree is kept under `MUSTER_TEST_CACHE`.

#[path = "../systemd/compared.rs"]
mod compared;
#[path = "../systemd/rights.rs"]
mod rights;

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use muster_tests::container::{self, Container};
use muster_tests::process::{Process, program, root};
use muster_tests::{Webhook, eventually, http, never};
use serde_json::Value;

/// Set for the second life of this program, in a network of its own.
const INSIDE: &str = "MUSTER_INSIDE";
const API: &str = "http://127.0.0.1:7461";
/// Ports of `lo` in that network; nobody else is there.
const EXPORTER: &str = "127.0.0.1:9100";
/// As `node_exporter` ships it; Debian's package leaves out more.
const MOUNTS_LEFT_OUT: &str =
    "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
/// From a start to the first report.
const UP: Duration = s(20);
/// Normal level: seen within 10 s, paged 30 s later; and some more.
const PAGED: Duration = s(45);
/// Units are read once a minute and judged twice, a report apart.
const UNITS: Duration = s(150);

const NOBODY: &str = "nobody is paged";
/// A service of the machine, and the check that looks after it.
const WATCHED: &str = "[Service]\nExecStart=/usr/bin/sleep infinity\n";
const CHECK: &str =
    "\n[[check]]\nname = \"watched\"\nkind = \"unit\"\nunit = \"watched.service\"\ninterval = \"5s\"\nattempts = 1\n";

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn main() -> std::io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(std::io::Error::other("containers, networks and mounts are root's: run it as root"));
    }
    let tree = container::tree().map_err(std::io::Error::other)?;
    if std::env::var_os(INSIDE).is_none() {
        // A network of its own: the shipped ports are free there, and nothing of this machine is seen.
        let me = std::env::current_exe()?;
        let mut again = std::process::Command::new("unshare");
        return Err(again.arg("-n").arg(me).env(INSIDE, "1").env("MUSTER_BIN_DIR", programs()).exec());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(measure(&tree));
    say(&rows);
    let wrong = rows.iter().filter(|row| !row.holds).count();
    if wrong == 0 { Ok(()) } else { Err(std::io::Error::other(format!("{wrong} are not as expected"))) }
}

/// Where the programs are: as told, else the released ones, else those of a test run.
fn programs() -> PathBuf {
    let built = ["release", "dev"].map(|kind| root().join("target/dist").join(kind));
    let found = built.into_iter().find(|folder| folder.join("muster-collector").exists());
    std::env::var_os("MUSTER_BIN_DIR").map(PathBuf::from).or(found).unwrap_or_default()
}

/// A line of the table.
struct Row {
    what: &'static str,
    expected: String,
    seen: String,
    holds: bool,
}

/// Prints the table.
#[expect(clippy::print_stdout, reason = "a measurement's table is its output")]
fn say(rows: &[Row]) {
    let programs =
        program("muster-agent").parent().and_then(|folder| folder.strip_prefix(root()).ok().map(PathBuf::from));
    println!("programs {}\n", programs.map_or("MUSTER_BIN_DIR".into(), |folder| folder.display().to_string()));
    let width = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (what, expected) = (width(|row| row.what.len()), width(|row| row.expected.len()));
    println!("{:what$}  {:expected$}  seen", "what", "expected");
    for row in rows {
        let mark = if row.holds { "" } else { "   <-- NOT AS EXPECTED" };
        println!("{:what$}  {:expected$}  {}{mark}", row.what, row.expected, row.seen);
    }
}

/// The machine under test, and what was seen on it.
struct Story {
    machine: Container,
    hook: Webhook,
    host: String,
    rows: Vec<Row>,
}

async fn measure(tree: &Path) -> Vec<Row> {
    let up = muster_tests::process::run(tokio::process::Command::new("ip").args(["link", "set", "lo", "up"])).await;
    assert_eq!(up.code, 0, "lo: {}", up.err);
    let hook = Webhook::start().await;
    let machine = Container::boot("watched", tree, |root| package(root, &hook.receiver())).await;
    let mut story = Story { machine, hook, host: String::new(), rows: Vec::new() };
    story.collector().await;
    story.agent().await;
    story.sees_what_root_sees().await;
    story.killed().await;
    story.failed_unit().await;
    story.checked_unit().await;
    story.hung().await;
    story.stopped().await;
    story.powered_off(tree).await;
    story.exposure().await;
    story.rights().await;
    story.rows
}

/// Puts the shipped files where a package would put them.
fn package(to: &Path, receiver: &str) {
    let deploy = root().join("deploy");
    let put = |from: &Path, at: &str| {
        let at = to.join(at);
        std::fs::create_dir_all(at.parent().expect("below the root")).expect("a tree of our own");
        std::fs::copy(from, &at).unwrap_or_else(|error| panic!("{} to {}: {error}", from.display(), at.display()));
    };
    for name in ["muster-agent", "muster-collector"] {
        put(&program(name), &format!("usr/bin/{name}"));
        let unit = format!("{name}.service");
        put(&deploy.join("systemd").join(&unit), &format!("usr/lib/systemd/system/{unit}"));
        put(&deploy.join(format!("systemd/{name}.sysusers")), &format!("usr/lib/sysusers.d/{name}.conf"));
    }
    put(&deploy.join("systemd/muster-agent.tmpfiles"), "usr/lib/tmpfiles.d/muster-agent.conf");
    put(&deploy.join("agent.example.toml"), "etc/muster/agent.toml");
    put(&deploy.join("collector.example.toml"), "etc/muster/collector.toml");
    let file = to.join("etc/muster/collector.toml");
    let example = std::fs::read_to_string(&file).expect("just put there");
    std::fs::write(&file, format!("{example}\n{receiver}")).expect("a tree of our own");
    std::fs::write(to.join("etc/systemd/system/watched.service"), WATCHED).expect("a tree of our own");
    let file = to.join("etc/muster/agent.toml");
    let example = std::fs::read_to_string(&file).expect("just put there");
    std::fs::write(&file, format!("{example}{CHECK}")).expect("a tree of our own");
}

impl Story {
    #[expect(clippy::print_stderr, reason = "progress of minutes")]
    fn row(&mut self, what: &'static str, expected: &str, seen: String, holds: bool) {
        eprintln!("systemd: {what}: {seen}{}", if holds { "" } else { " (not as expected)" });
        self.rows.push(Row { what, expected: expected.to_owned(), seen, holds });
    }

    fn equal(&mut self, what: &'static str, expected: &str, seen: String) {
        let holds = seen == expected;
        self.row(what, expected, seen, holds);
    }

    /// What is asked of the API of the collector.
    async fn ask(&self, path: &str) -> Option<Value> {
        http::get(&format!("{API}{path}")).await.filter(|answer| answer.status == 200).map(|answer| answer.json())
    }

    async fn state(&self, host: &str) -> String {
        let host = self.ask(&format!("/api/v1/hosts/{host}")).await.unwrap_or_default();
        host["state"].as_str().unwrap_or("?").to_owned()
    }

    async fn is(&self, host: &str, state: &str, within: Duration) {
        let what = format!("{host} is {state}");
        eventually(&what, within, || async { (self.state(host).await == state).then_some(()) }).await;
    }

    /// Whether the agent has been started again after `pid`, and its host is up by a newer session.
    async fn again(&self, pid: &str, within: Duration) -> String {
        let restarted = || async {
            let new = self.machine.property("muster-agent", "MainPID").await;
            let active = self.machine.property("muster-agent", "ActiveState").await == "active";
            (active && new != pid && new != "0").then_some(new)
        };
        let new = eventually("systemd restarts the agent", within, restarted).await;
        self.is(&self.host, "up", UP).await;
        new
    }

    /// What was told of hosts that are silent; the disk below the container has its own pages.
    fn told(&self) -> String {
        let messages = self.hook.messages();
        let of_hosts = messages.iter().filter(|message| message.key().starts_with("liveness/"));
        let kinds: Vec<&str> = of_hosts.map(muster_tests::webhook::Message::kind).collect();
        if kinds.is_empty() { NOBODY.to_owned() } else { kinds.join(", ") }
    }

    async fn collector(&mut self) {
        self.machine.must(&["systemctl", "start", "muster-collector"]).await;
        let unit = |name| self.machine.property("muster-collector", name);
        let seen = format!("{} ({})", unit("ActiveState").await, unit("Type").await);
        self.equal("systemctl start muster-collector", "active (notify)", seen);
        let owner = self.owner("/var/lib/muster/collector").await;
        self.equal("  owner and mode of its state", "muster-collector muster-collector 750", owner);
    }

    async fn owner(&self, path: &str) -> String {
        self.machine.must(&["stat", "-c", "%U %G %a", path]).await
    }

    async fn enrol(&self, machine: &Container) -> String {
        let words = ["muster-collector", "token", "create", "--kind", "single", "--class", "server"];
        let token = self.machine.must(&words).await;
        std::fs::write(machine.root().join("root/token"), token).expect("a tree of our own");
        let enrol = ["muster-agent", "enrol", "--collector", "127.0.0.1:7460", "--token-file", "/root/token"];
        let said = machine.must(&enrol).await;
        said.split_once("(host ").and_then(|(_, rest)| rest.split_once(')')).map_or("", |(id, _)| id).to_owned()
    }

    async fn agent(&mut self) {
        self.machine.must(&["systemctl", "start", "muster-agent"]).await;
        let seen = self.machine.property("muster-agent", "ConditionResult").await;
        self.equal("start of the agent before enrolment: its condition", "no", seen);
        self.host = self.enrol(&self.machine).await;
        let owners = ["/var/lib/muster/agent", "/var/lib/muster/agent/identity.json"];
        let seen = format!("{}, {}", self.owner(owners[0]).await, self.owner(owners[1]).await);
        let expected = "muster-agent muster-agent 700, muster-agent muster-agent 600";
        self.equal("enrol as root: owner and mode of state and key", expected, seen);
        self.machine.must(&["systemctl", "start", "muster-agent"]).await;
        let unit = |name| self.machine.property("muster-agent", name);
        let seen = format!("{} ({})", unit("ActiveState").await, unit("Type").await);
        self.equal("systemctl start muster-agent", "active (notify)", seen);
        self.is(&self.host, "up", UP).await;
        self.equal("the host in the collector", "up", self.state(&self.host).await);
    }

    /// Decisions 11: under its unit the agent says the same series as node_exporter run by root.
    async fn sees_what_root_sees(&mut self) {
        // What hardening likes to hide: a file system at home, one below a closed directory, one read-only, one on /tmp.
        let script = "install -d -m 0700 /srv/closed && mkdir -p /srv/closed/disk /srv/fixed && \
            mount -t tmpfs -o size=1m home /home && mount -t tmpfs -o size=2m deep /srv/closed/disk && \
            mount -t tmpfs -o size=3m,ro fixed /srv/fixed";
        self.machine.must(&["sh", "-ec", script]).await;
        let cable = ["link", "add", "cable0", "type", "veth", "peer", "name", "cable1"];
        let said = muster_tests::process::run(tokio::process::Command::new("ip").args(cable)).await;
        assert_eq!(said.code, 0, "a pair of interfaces: {}", said.err);

        let log = self.machine.root().join("root/node_exporter.log");
        let exclude = format!("--collector.filesystem.mount-points-exclude={MOUNTS_LEFT_OUT}");
        let listen = format!("--web.listen-address={EXPORTER}");
        // Debian's package leaves out `lo`, upstream does not.
        let words = [
            "prometheus-node-exporter",
            &listen,
            &exclude,
            "--collector.netdev.device-exclude=^$",
            "--collector.interrupts",
            "--collector.processes",
            "--collector.systemd",
            "--collector.systemd.enable-restarts-metrics",
            // As upstream ships it; Debian's package leaves targets out too.
            "--collector.systemd.unit-exclude=.+\\.(automount|device|mount|scope|slice)",
        ];
        let mut exporter = Process::start("node_exporter", &mut self.machine.command(&words), &log);
        let theirs = || async { Some(http::samples(&http::get(&format!("http://{EXPORTER}/metrics")).await?.body)) };
        let before = exporter.ready(UP, theirs).await;
        // Two collections later everything that was mounted above is known.
        let ours =
            || async { Some(http::samples(&http::get(&format!("{API}/hosts/{}/metrics", self.host)).await?.body)) };
        let time = before["node_time_seconds"];
        let younger =
            || async { ours().await.filter(|s| s.get("node_time_seconds").is_some_and(|at| *at > time + 1.0)) };
        let ours = eventually("a younger report", s(40), younger).await;
        let after = eventually("node_exporter answers", UP, theirs).await;
        drop(exporter);
        for (what, seen) in compared::compare(&after, &ours) {
            let (words, holds) = seen;
            self.row(what, "as node_exporter run by root", words, holds);
        }
    }

    async fn killed(&mut self) {
        let pid = self.machine.property("muster-agent", "MainPID").await;
        self.machine.must(&["systemctl", "kill", "-s", "KILL", "muster-agent"]).await;
        self.again(&pid, s(15)).await;
        let seen = format!("restarts {}", self.machine.property("muster-agent", "NRestarts").await);
        self.equal("systemctl kill -s KILL muster-agent: systemd", "restarts 1", seen);
        self.equal("  the host", "up", self.state(&self.host).await);
        never("a page for a restarted agent", PAGED, || async { (self.told() != NOBODY).then(|| self.told()) }).await;
        self.equal("  45 s later", NOBODY, self.told());
    }

    async fn findings(&self) -> Vec<String> {
        let host = self.ask(&format!("/api/v1/hosts/{}", self.host)).await.unwrap_or_default();
        let finding =
            |one: &Value| format!("{} {}", one["rule"].as_str().unwrap_or("?"), one["part"].as_str().unwrap_or("?"));
        let all =
            host["findings"].as_array().map(|all| all.iter().map(finding).collect::<Vec<_>>()).unwrap_or_default();
        all.into_iter().filter(|finding| finding.starts_with("systemd_unit_failed")).collect()
    }

    async fn failed_unit(&mut self) {
        self.machine.must(&["systemd-run", "--quiet", "--unit=doomed", "sh", "-c", "exit 1"]).await;
        let expected = "systemd_unit_failed doomed.service";
        let is_found = || async { Some(self.findings().await).filter(|found| found.iter().any(|one| one == expected)) };
        let found = eventually("the failed unit is a finding", UNITS, is_found).await;
        self.equal("a transient service ends with 1: findings", expected, found.join(", "));
        self.machine.must(&["systemctl", "reset-failed"]).await;
        let none = || async { self.findings().await.is_empty().then_some(()) };
        eventually("the finding is over", UNITS, none).await;
        self.equal("  after systemctl reset-failed", "", self.findings().await.join(", "));
    }

    /// Status of the check, and whether it is a problem.
    async fn check(&self) -> String {
        let host = self.ask(&format!("/api/v1/hosts/{}", self.host)).await.unwrap_or_default();
        let open = self.ask("/api/v1/incidents").await.unwrap_or_default();
        let about = |one: &&Value| one["key"].as_str().is_some_and(|key| key.ends_with("/watched"));
        let incident = open["items"].as_array().and_then(|all| all.iter().find(about).cloned()).unwrap_or_default();
        let (check, incident) = (&host["checks"][0], &incident["state"]);
        let word = |value: &Value| value.as_str().unwrap_or("none").to_owned();
        format!("{}: {}; incident {}", word(&check["status"]), word(&check["output"]), word(incident))
    }

    async fn checked(&mut self, what: &'static str, expected: &str) {
        let is_so = || async { Some(self.check().await).filter(|seen| seen == expected) };
        let seen = eventually(what, s(30), is_so).await;
        self.equal(what, expected, seen);
    }

    async fn checked_unit(&mut self) {
        let stopped = "critical: watched.service is inactive (dead); incident open";
        self.checked("a check of a unit that is not active", stopped).await;
        self.machine.must(&["systemctl", "start", "watched"]).await;
        self.checked("  after its start", "ok: watched.service is active (running); incident resolved").await;
    }

    async fn hung(&mut self) {
        let limit = self.machine.property("muster-agent", "WatchdogUSec").await;
        let pid = self.machine.property("muster-agent", "MainPID").await;
        self.machine.must(&["kill", "-STOP", &pid]).await;
        // Two minutes: the limit, what systemd waits for an aborted process, the restart.
        self.again(&pid, s(120)).await;
        let words = ["journalctl", "--no-pager", "-u", "muster-agent", "--grep", "Watchdog timeout"];
        let said = self.machine.run(&words).await.out;
        let seen =
            if said.contains("Watchdog timeout") { format!("watchdog timeout after {limit}, restarted") } else { said };
        self.equal("SIGSTOP of the agent's main process: systemd", "watchdog timeout after 1min, restarted", seen);
        self.equal("  the host", "up", self.state(&self.host).await);
        // The limit counts from the last sign of life, and a silence is told after 40 s: both outcomes are right, a
        // problem without its end is not.
        let both = "incident.opened, incident.resolved";
        let complete = || async { Some(self.told()).filter(|told| told == both || told == NOBODY) };
        let seen = eventually("the end of what was told is told", s(20), complete).await;
        self.row("  who is told", "nobody, or of the problem and its end", seen, true);
    }

    async fn stopped(&mut self) {
        let before = self.told();
        self.machine.must(&["systemctl", "stop", "muster-agent"]).await;
        self.is(&self.host, "suspect", s(5)).await;
        let host = self.ask(&format!("/api/v1/hosts/{}", self.host)).await.unwrap_or_default();
        let seen = format!("suspect: {}", host["why"].as_str().unwrap_or("?"));
        self.row(
            "systemctl stop muster-agent: the host",
            "suspect: the agent was stopped",
            seen.clone(),
            seen.contains("stop"),
        );
        let seen = self.machine.property("muster-agent", "Result").await;
        self.equal("  its unit", "success", seen);
        self.machine.must(&["systemctl", "start", "muster-agent"]).await;
        self.is(&self.host, "up", UP).await;
        self.equal("  started again within a minute: the host", "up", self.state(&self.host).await);
        let after = self.told();
        let seen = if after == before { NOBODY.to_owned() } else { after };
        self.equal("  who is told", NOBODY, seen);
    }

    /// A second machine, with an agent only, is switched off in good order.
    async fn powered_off(&mut self, tree: &Path) {
        let before = self.told();
        let second = Container::boot("leaves", tree, |root| package(root, "")).await;
        let host = self.enrol(&second).await;
        second.must(&["systemctl", "start", "muster-agent"]).await;
        self.is(&host, "up", UP).await;
        second.must(&["systemctl", "poweroff", "--no-wall"]).await;
        second.ended(s(60)).await;
        self.is(&host, "shutdown", s(5)).await;
        self.equal("systemctl poweroff of a second machine: the host", "shutdown", self.state(&host).await);
        never("a page for a machine switched off", PAGED, || async { (self.told() != before).then(|| self.told()) })
            .await;
        self.equal("  45 s later", NOBODY, NOBODY.to_owned());
        let problems = self.ask("/api/v1/incidents").await.unwrap_or_default();
        let all = problems["items"].as_array().cloned().unwrap_or_default();
        // A disk nearly full below the container is a problem too, and no host's silence.
        let open = all.iter().filter(|one| one["state"] != "resolved");
        let keys: Vec<&str> = open.filter_map(|one| one["key"].as_str()).collect();
        let holds = !keys.iter().any(|key| key.starts_with("liveness/"));
        self.row("open incidents at the end", "none of a silent host", keys.join(", "), holds);
    }

    async fn exposure(&mut self) {
        for (what, unit, at_most) in [
            ("systemd-analyze security muster-agent", "muster-agent.service", 3.1),
            ("systemd-analyze security muster-collector", "muster-collector.service", 1.5),
        ] {
            let said = self.machine.must(&["systemd-analyze", "security", "--no-pager", unit]).await;
            let line = said.lines().rev().find(|line| line.contains("exposure level")).unwrap_or_default();
            let level = line.rsplit(": ").next().unwrap_or_default().split(' ').next().unwrap_or_default();
            let holds = level.parse::<f64>().is_ok_and(|level| level <= at_most);
            self.row(what, &format!("at most {at_most:.1}"), level.to_owned(), holds);
        }
    }
}
