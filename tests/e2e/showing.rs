//! What a machine shows to whoever reviews it is what it sends, and what it is told to keep back goes nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use flate2::read::GzDecoder;
use muster_tests::process::run;
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;

use crate::hardware_faces::Machine;
use crate::s;

/// An agent on a machine with drives, an account, a package and a serial number.
async fn laid(collector: &Collector, configuration: &str) -> Agent {
    let mut agent = Agent::of_captured_machine();
    agent.configure(&format!("{configuration}\n[inventory]\ninterval = \"1m\"\n"));
    Machine::of(&agent).build();
    for (path, content) in [
        ("proc/sys/kernel/hostname", "alpha\n"),
        ("etc/os-release", "PRETTY_NAME=\"Example OS 1\"\n"),
        ("etc/passwd", "alice:x:1000:1000:Alice A:/home/alice:/bin/sh\n"),
        ("etc/group", "alice:x:1000:\n"),
        (
            "var/lib/dpkg/status",
            "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: MADE-UP-5\n",
        ),
        ("sys/class/dmi/id/sys_vendor", "MADE UP\n"),
        ("sys/class/dmi/id/product_serial", "MADE-UP-4\n"),
    ] {
        let path = agent.home().join("root").join(path);
        std::fs::create_dir_all(path.parent().expect("it has a directory")).expect("a directory of our own");
        std::fs::write(path, content).expect("a file of our own");
    }
    agent.enrol_at(collector, "fast", None).await;
    agent.run();
    agent
}

/// What `show --all` prints.
async fn shown(agent: &Agent) -> Value {
    let said = run(agent.command_on_machine("show").arg("--all")).await;
    assert_eq!(said.code, 0, "{}", said.all());
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
}

fn list<'a>(value: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    value["records"].as_array().into_iter().flatten().filter_map(move |record| record.get(kind))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// What it tells of its inventory: by section, status and rows with all their fields.
fn shown_sections(shown: &Value) -> BTreeMap<String, (u64, BTreeSet<String>)> {
    let mut sections: BTreeMap<String, (u64, BTreeSet<String>)> = BTreeMap::new();
    for delta in list(shown, "inventory") {
        let (status, rows) = sections.entry(text(&delta["section"])).or_default();
        *status = delta["status"].as_u64().expect("a number");
        for row in delta["put"].as_array().into_iter().flatten() {
            let mut fields = row["durable"].as_object().cloned().unwrap_or_default();
            fields.extend(row["latest"].as_object().cloned().unwrap_or_default());
            rows.insert(Value::from(fields).to_string());
        }
    }
    sections
}

/// The same as the collector has it: of its rows those fields that are the machine's.
fn had_sections(all: &Value) -> BTreeMap<String, (u64, BTreeSet<String>)> {
    let statuses = ["complete", "partial", "unreadable", "absent", "switched_off"];
    let section = |(name, section): (&String, &Value)| {
        let status = statuses.iter().zip(0..).find(|(word, _)| section["status"] == **word).map(|(_, number)| number);
        let rows = section["rows"].as_array().into_iter().flatten().map(Value::to_string).collect();
        (name.clone(), (status.expect("a status"), rows))
    };
    all.as_object().into_iter().flatten().map(section).collect()
}

/// Evidence by source and part: outcome, reason and payload.
fn shown_evidence(shown: &Value) -> BTreeMap<(String, String), Vec<Value>> {
    let key = |one: &Value| (text(&one["source"]), text(&one["part"]));
    list(shown, "evidence").map(|one| (key(one), vec![one["reason"].clone(), one["payload"].clone()])).collect()
}

/// The same as the collector has it: the latest of each part.
fn had_evidence(collector: &Collector) -> BTreeMap<(String, String), Vec<Value>> {
    use rusqlite::OpenFlags;
    let file = collector.state().join("facts.db");
    let store = rusqlite::Connection::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let store = store.expect("the store is a database");
    let sql = "SELECT source, part, reason, format, payload FROM evidence ORDER BY n";
    let mut rows = store.prepare(sql).expect("evidence");
    let row = |row: &rusqlite::Row<'_>| {
        let (format, payload) = (row.get::<_, i64>(3)?, row.get::<_, Vec<u8>>(4)?);
        Ok(((row.get(0)?, row.get(1)?), vec![Value::from(row.get::<_, String>(2)?), plain(format, payload)]))
    };
    let all = rows.query_map([], row).expect("rows");
    all.map(|one| one.expect("a row")).collect()
}

fn plain(format: i64, payload: Vec<u8>) -> Value {
    let mut plain = Vec::new();
    match format {
        2 => {
            GzDecoder::new(&payload[..]).read_to_end(&mut plain).expect("gzip");
        }
        _ => plain = payload,
    }
    serde_json::from_slice(&plain).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&plain).into_owned()))
}

/// Waits until the collector has all sections.
async fn inventory(collector: &Collector, agent: &Agent) -> Value {
    let path = format!("/api/v1/hosts/{}/inventory", agent.host);
    let all = || async {
        let all = collector.get(&path).await.json()["sections"].clone();
        // Sections are told by name, so that this is the last one.
        all["volumes"].is_object().then_some(all)
    };
    eventually("every section is told", s(90), all).await
}

#[tokio::test]
async fn what_is_shown_is_what_is_sent() {
    let collector = Collector::start("").await;
    let agent = laid(&collector, "[labels]\nsite = \"oslo\"").await;
    let had = inventory(&collector, &agent).await;
    let shown = shown(&agent).await;

    assert_eq!(shown_sections(&shown), had_sections(&had));
    let same = || async { (shown_evidence(&shown) == had_evidence(&collector)).then_some(()) };
    eventually("all evidence is there, as it was shown", s(30), same).await;
    assert!(shown_evidence(&shown).contains_key(&("smartctl-json".to_owned(), "sda".to_owned())), "{shown:#}");

    // The page of the host has each reading, and what the collector makes of the evidence.
    let page = collector.get(&format!("/hosts/{}/metrics", agent.host)).await.body;
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        *counts.entry(line.split(['{', ' ']).next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    for one in shown["report"]["readings"].as_array().expect("readings") {
        *counts.entry(text(&one["name"]) + &text(&one["suffix"])).or_default() -= 1;
    }
    counts.retain(|name, count| *count < 0 || *count > 0 && name.starts_with("node_"));
    assert_eq!(counts, BTreeMap::new(), "{page}");

    let facts = &shown["hello"]["facts"];
    assert_eq!((&facts["name"], &facts["os_release"]), (&"alpha".into(), &"Example OS 1".into()));
    assert_eq!(facts["labels"]["site"], "oslo");
    let asked: Vec<&Value> = shown["when_asked"].as_array().into_iter().flatten().collect();
    assert_eq!(asked.len(), 1, "the collector can ask for the processes and nothing else: {asked:?}");
}

#[tokio::test]
async fn what_is_switched_off_is_sent_nowhere_and_said_to_be_switched_off() {
    let collector = Collector::start("").await;
    let agent = laid(&collector, "[collect]\noff = [\"serials\", \"user_names\", \"packages\"]").await;
    let all = inventory(&collector, &agent).await;
    for (section, by) in [("users", "user_names"), ("ssh_keys", "user_names"), ("packages", "off")] {
        assert_eq!(all[section]["status"], "switched_off", "{section}: {all}");
        assert!(text(&all[section]["reason"]).contains(by), "{}", all[section]);
    }
    for section in ["system", "disks"] {
        assert_eq!(all[section]["status"], "partial", "{section}: {all}");
        let reason = text(&all[section]["reason"]);
        assert!(reason.starts_with("switched off by [collect] off in agent.toml: serial"), "{section}: {reason}");
    }
    let drives = || async {
        had_evidence(&collector).contains_key(&("smartctl-json".to_owned(), "sda".to_owned())).then_some(())
    };
    eventually("the drives have said what they are", s(30), drives).await;
    let shown = shown(&agent).await;
    let page = |path: &str| {
        let url = format!("/hosts/{}{path}", agent.host);
        let collector = &collector;
        async move { collector.get(&url).await.body }
    };
    let (metrics, view) = (page("/metrics").await, page("/inventory").await);
    let paper = collector.cli(&["inventory", "document", "--host", &agent.name]).await;
    for (where_to, said) in [
        ("show", shown.to_string()),
        ("inventory", all.to_string()),
        ("evidence", format!("{:?}", had_evidence(&collector))),
        ("metrics", metrics),
        ("view", view.clone()),
        ("document", paper.clone()),
    ] {
        for secret in ["MADE-UP-1", "MADE-UP-3", "MADE-UP-4", "alice", "MADE-UP-5"] {
            assert!(!said.contains(secret), "{secret} is in {where_to}: {said}");
        }
    }
    for said in [&view, &paper] {
        assert!(said.contains("switched off by [collect] off in agent.toml: serial"), "{said}");
    }
    assert!(shown_evidence(&shown)[&("smartctl-json".to_owned(), "sda".to_owned())][1]["model_name"] == "MADE UP 4000");
}
