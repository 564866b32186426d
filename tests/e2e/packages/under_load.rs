//! A newer package and the way back while records are on their way, of the agent and of the collector: none is lost, none
//! is there twice. And a package that is not whole.

use std::collections::BTreeSet;
use std::time::Duration;

use muster_tests::eventually;
use muster_tests::process::{installed, run};
use muster_tests::wait::pass;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::process::Command;

use super::{Story, UP, VERSIONS};
use crate::s;

/// Checks that are never believed and always tell: each tells every second that it is worse by one, or well again.
const CHECKS: usize = 20;
/// How long nobody listens. Drained at 50 records a second, what is kept then lasts for a quarter of it.
const AWAY: Duration = s(30);
/// Records that are delivered before the package comes: some, and far from all.
const BEGUN: usize = 40;
/// Where the container's collector keeps its store.
const STORE: &str = "var/lib/muster/collector";

/// A record as the collector has it.
#[derive(Debug)]
struct Kept {
    sequence: i64,
    at_ms: i64,
    kind: String,
    body: Value,
}

impl Story {
    /// Twenty checks of a file that comes and goes.
    async fn loaded(&self) {
        let file = self.machine.root().join("etc/muster/agent.toml");
        let mut settings = std::fs::read_to_string(&file).expect("its settings");
        settings.push_str("\n[inventory]\nenabled = false\n[collect]\nhardware = false\n");
        for number in 0..CHECKS {
            settings.push_str(&format!(
                "[[check]]\nname = \"job-{number}\"\nkind = \"file_age\"\npath = \"/srv/job\"\ncritical_age = \"1h\"\n\
                 interval = \"1s\"\nretry_interval = \"1s\"\ntimeout = \"1s\"\nattempts = 100\n"
            ));
        }
        std::fs::write(file, settings).expect("a tree of our own");
        self.machine.must(&["muster-agent", "check-config"]).await;
        let flips = "while :; do touch /srv/job; sleep 2; rm -f /srv/job; sleep 3; done";
        self.machine.must(&["systemd-run", "--unit=flips", "sh", "-c", flips]).await;
        self.machine.must(&["systemctl", "restart", "muster-agent"]).await;
        eventually("it tells", UP, || async { (self.arrived().len() > CHECKS).then_some(()) }).await;
    }

    fn store(&self, file: &str) -> Connection {
        let file = self.machine.root().join(STORE).join(file);
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the store is a database")
    }

    /// All records that the collector has, from the first of the checks on: what was told before, such as the inventory, is not
    /// kept in one place with them.
    fn arrived(&self) -> Vec<Kept> {
        let store = self.store("facts.db");
        let mut rows = store.prepare("SELECT sequence, at_ms, kind, body FROM fact ORDER BY sequence").expect("facts");
        let kept = rows.query_map([], |row| {
            let body: String = row.get(3)?;
            let body = serde_json::from_str(&body).expect("JSON");
            Ok(Kept { sequence: row.get(0)?, at_ms: row.get(1)?, kind: row.get(2)?, body })
        });
        kept.expect("facts").map(|kept| kept.expect("a fact")).skip_while(|kept| kept.kind != "checks").collect()
    }

    /// Nothing passes between agent and collector from now on, and nobody is told.
    async fn cut(&self) {
        let rules = "add table inet cut; add chain inet cut in { type filter hook input priority 0; }; \
            add rule inet cut in tcp dport 7460 drop; add rule inet cut in tcp sport 7460 drop";
        self.nft(rules).await;
    }

    async fn nft(&self, rules: &str) {
        let init = self.machine.init().to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &init, "-n", "--"]).arg(installed("nft", "nftables")).arg(rules);
        let said = run(&mut command).await;
        assert_eq!(said.code, 0, "{rules}: {}", said.err);
    }

    /// The collector is away for a while, then hears the first of what was kept: the moment at which it came back, and how much
    /// it has heard.
    async fn half_drained(&self) -> (i64, usize) {
        let before = self.arrived().len();
        self.cut().await;
        pass(AWAY).await;
        self.nft("delete table inet cut").await;
        let healed_ms = muster_agent::clock::now().wall_ms;
        let some = || async { Some(self.arrived().len()).filter(|count| *count >= before + BEGUN) };
        let count = eventually("some of what was kept is delivered", s(120), some).await;
        (healed_ms, count)
    }

    /// All that was told before this moment has arrived: how many records.
    async fn drained(&self, until_ms: i64) -> usize {
        let done = || async {
            let kept = self.arrived();
            let newest = kept.last().map_or(0, |kept| kept.at_ms);
            (newest > until_ms).then(|| kept.iter().filter(|kept| kept.at_ms <= until_ms).count())
        };
        eventually("what was kept is delivered", s(120), done).await
    }

    /// Puts this version in the place of the other, newer or older, without asking anybody.
    async fn put(&self, name: &str, version: &str) {
        self.machine.must(&["dpkg", "--install", &self.package(name, version)]).await;
        assert_eq!(self.version(name).await, version);
        assert_eq!(self.unit(name).await.1, "active", "what ran goes on");
    }

    async fn version(&self, name: &str) -> String {
        self.machine.must(&["dpkg-query", "-W", "-f", "${Version}", name]).await
    }

    /// Each number once, from the first to the last, nothing refused, no gap; no two roll-ups of one time.
    fn is_whole(&self) {
        let kept = self.arrived();
        let numbers: Vec<i64> = kept.iter().map(|kept| kept.sequence).collect();
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        assert_eq!(numbers, (first..=last).collect::<Vec<_>>(), "each number once");
        let through: i64 = self
            .store("facts.db")
            .query_row("SELECT sum(through) FROM received", [], |row| row.get(0))
            .expect("received");
        assert!(through >= last, "{through}: {last}");
        let odd: Vec<&Kept> = kept.iter().filter(|kept| !["checks", "rollup"].contains(&kept.kind.as_str())).collect();
        assert!(odd.is_empty(), "a gap, or what could not be kept: {odd:?}");
        let edge = |kept: &Kept, which: &str| kept.body[which]["boottime_ms"].as_u64().expect("a time");
        let rollups: Vec<&Kept> = kept.iter().filter(|kept| kept.kind == "rollup").collect();
        let minutes: BTreeSet<(u64, u64)> = rollups.iter().map(|kept| (edge(kept, "from"), edge(kept, "to"))).collect();
        assert_eq!(minutes.len(), rollups.len(), "each once");
        let apart = |pair: &[&(u64, u64)]| pair[0].1 <= pair[1].0;
        assert!(minutes.iter().collect::<Vec<_>>().windows(2).all(apart), "no two of one time: {minutes:?}");
    }
}

#[tokio::test]
async fn an_upgrade_and_a_way_back_of_agent_and_collector_under_load_lose_no_record_and_double_none() {
    let mut story = Story::begin("under-load").await;
    story.installed_and_enrolled().await;
    story.loaded().await;
    let [older, newer] = VERSIONS;
    for version in [newer, older] {
        let (healed_ms, heard) = story.half_drained().await;
        story.put("muster-agent", version).await;
        story.is("up").await;
        let all = story.drained(healed_ms).await;
        assert!(heard + 2 * BEGUN < all, "the package came when all was delivered: {heard} of {all}");
        story.is_whole();
    }
    story.broken_package().await;
    for version in [newer, older] {
        let (healed_ms, heard) = story.half_drained().await;
        story.put("muster-collector", version).await;
        story.is("up").await;
        let all = story.drained(healed_ms).await;
        assert!(heard + 2 * BEGUN < all, "the package came when all was delivered: {heard} of {all}");
        story.is_whole();
    }
    let rollups = story.arrived().iter().filter(|kept| kept.kind == "rollup").count();
    assert!(rollups >= 4, "what was read while nobody listened: {rollups}");
    story.older_than_its_store().await;
}

impl Story {
    /// Of a package that was cut off on its way nothing is installed, and what is there goes on.
    async fn broken_package(&self) {
        let whole = self.machine.root().join(self.package("muster-agent", VERSIONS[1]).trim_start_matches('/'));
        let bytes = std::fs::read(whole).expect("it was made");
        let pid = self.machine.property("muster-agent", "MainPID").await;
        for (name, length) in [("half.deb", bytes.len() / 2), ("head.deb", 100), ("empty.deb", 0)] {
            let file = self.machine.root().join("root").join(name);
            std::fs::write(&file, &bytes[..length]).expect("a tree of our own");
            let file = format!("/root/{name}");
            let said = self.machine.run(&["dpkg", "--install", &file]).await;
            assert!(said.code != 0 && said.err.contains("dpkg: error processing archive"), "{name}: {}", said.all());
            let apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q", "install", &file];
            assert_ne!(self.machine.run(&apt).await.code, 0, "{name}");
            assert_eq!(self.version("muster-agent").await, VERSIONS[0]);
            let state = self.machine.must(&["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "muster-agent"]).await;
            assert_eq!(state, "ii", "{name} left it half installed");
        }
        assert_eq!(self.machine.property("muster-agent", "MainPID").await, pid, "it was not even restarted");
        self.machine.must(&["muster-agent", "--version"]).await;
    }

    /// A newer collector has moved the store to a newer schema. The older one says what to do; it is done, and the agent tells
    /// again what the collector forgot by it.
    async fn older_than_its_store(&self) {
        let (state, collector) = (self.machine.root().join(STORE), "muster-collector");
        self.machine.must(&["systemctl", "stop", collector]).await;
        let before = self.arrived().len();
        // As a newer one leaves it: what was before is kept beside.
        let store = |sql: &str| {
            let store = Connection::open(state.join("state.db")).expect("the store is a database");
            store.execute_batch(sql).expect("it can be changed");
        };
        store("PRAGMA wal_checkpoint(TRUNCATE)");
        std::fs::copy(state.join("state.db"), state.join("state.db.before-999")).expect("a tree of our own");
        store("UPDATE meta SET value = '999' WHERE key = 'schema_version'");

        let said = self.machine.run(&["systemctl", "start", collector]).await;
        assert_ne!(said.code, 0, "{}", said.all());
        let journal = self.machine.must(&["journalctl", "--no-pager", "-q", "-u", collector, "-n", "50"]).await;
        assert!(journal.contains("has schema 999") && journal.contains("state.db.before-999"), "{journal}");
        self.machine.must(&["systemctl", "stop", collector]).await;
        let inside = |file: &str| format!("/{STORE}/{file}");
        self.machine.must(&["mv", &inside("state.db.before-999"), &inside("state.db")]).await;
        self.machine.must(&["chown", "muster-collector:muster-collector", &inside("state.db")]).await;
        self.machine.must(&["systemctl", "reset-failed", collector]).await;
        self.machine.must(&["systemctl", "start", collector]).await;
        self.is("up").await;
        eventually("it goes on", UP, || async { (self.arrived().len() > before + CHECKS).then_some(()) }).await;
        self.is_whole();
    }
}
