//! The living inventory: what a host tells of itself is held row by row, what differs is an event, and the collector asks
//! anew for what does not fit.

use muster_collector::domain::inventory::{
    Head,
    hash::{self, Hash, Sum},
};
use muster_proto::v1::{self, agent_message, collector_message::Body};
use muster_tests::raw::{Raw, Talk, facts, hello, now};
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;

use crate::report_delivery::read_workbook;
use crate::s;

/// Rows of a section: key, and names and values.
type Rows<'a> = &'a [(&'a str, &'a [&'a str])];

fn total(rows: Rows<'_>) -> Hash {
    let one = |(key, flat): &(&str, &[&str])| {
        let pairs: Vec<(String, String)> =
            flat.chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].to_owned())).collect();
        hash::row(key, &pairs)
    };
    rows.iter().map(one).fold(Sum::of(hash::head(&Head::default())), Sum::plus).hash()
}

fn told(section: &str, before: Option<Rows<'_>>, rows: Rows<'_>) -> v1::InventoryDelta {
    let known = before.unwrap_or_default();
    let row = |(key, flat): &(&str, &[&str])| v1::Row {
        key: (*key).into(),
        durable: flat.iter().map(|text| (*text).to_owned()).collect(),
        ..v1::Row::default()
    };
    v1::InventoryDelta {
        section: section.into(),
        base_hash: before.map_or_else(Vec::new, |before| total(before).to_vec()),
        new_hash: total(rows).to_vec(),
        full: before.is_none(),
        put: rows.iter().filter(|row| !known.contains(row)).map(row).collect(),
        gone: known
            .iter()
            .filter(|(key, _)| !rows.iter().any(|(other, _)| other == key))
            .map(|(key, _)| (*key).into())
            .collect(),
        collected_ms: now().wall_ms,
        ..v1::InventoryDelta::default()
    }
}

fn record(sequence: u64, delta: v1::InventoryDelta) -> agent_message::Body {
    agent_message::Body::Record(v1::Record {
        sequence,
        boot_id: vec![1; 16],
        clock: Some(now()),
        body: Some(v1::record::Body::Inventory(delta)),
    })
}

/// The section that the collector asks for.
async fn asked(talk: &mut Talk) -> String {
    loop {
        if let Body::Ask(v1::Ask { what: Some(v1::ask::What::Section(section)), .. }) =
            talk.next().await.expect("a message")
        {
            return section;
        }
    }
}

const BASH: (&str, &[&str]) = ("dpkg/bash/amd64", &["architecture", "amd64", "name", "bash", "version", "5.2.15"]);
const OLD_SSL: (&str, &[&str]) =
    ("dpkg/openssl/amd64", &["architecture", "amd64", "name", "openssl", "version", "3.0.9"]);
const NEW_SSL: (&str, &[&str]) =
    ("dpkg/openssl/amd64", &["architecture", "amd64", "name", "openssl", "version", "3.0.11"]);
const ANN: (&str, &[&str]) = ("ann", &["groups", "ann", "name", "ann", "sudo", "no", "uid", "1000"]);
const ANN_MAY: (&str, &[&str]) = ("ann", &["groups", "ann,sudo", "name", "ann", "sudo", "yes", "uid", "1000"]);
const SSH: (&str, &[&str]) =
    ("tcp/0.0.0.0/22", &["address", "0.0.0.0", "port", "22", "process", "sshd", "protocol", "tcp"]);
const WEB: (&str, &[&str]) =
    ("tcp/0.0.0.0/8080", &["address", "0.0.0.0", "port", "8080", "process", "python3", "protocol", "tcp"]);

/// The changes once there are so many and all are judged, the oldest first.
async fn changes(collector: &Collector, count: usize) -> Vec<Value> {
    let judged = || async {
        let answer = collector.get("/api/v1/inventory/changes").await;
        let mut items = answer.json()["items"].as_array().cloned().unwrap_or_default();
        items.reverse();
        (items.len() == count && items.iter().all(|change| change["kind"] != "new")).then_some(items)
    };
    eventually("all changes are judged", s(90), judged).await
}

/// Checks what is handed on: to GLPI, and on paper.
async fn check_documents(collector: &Collector) {
    let line = collector.cli(&["inventory", "export", "--format", "glpi", "--host", "web-1"]).await;
    let told: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(
        (&told["itemtype"], &told["content"]["hardware"]["name"]),
        (&"Computer".into(), &"web-1".into()),
        "{told}"
    );
    assert!(told["content"]["softwares"].to_string().contains("3.0.11"), "{told}");
    let paper = collector.cli(&["inventory", "document", "--host", "web-1"]).await;
    assert!(paper.starts_with("<!doctype html>") && paper.contains("user ann gained sudo"), "{paper}");
    let paper = collector.cli(&["inventory", "document"]).await;
    assert!(paper.contains("<dt>Machines with an agent</dt><dd>1</dd>"), "{paper}");
}

#[tokio::test]
async fn a_package_a_user_with_sudo_and_an_open_port_are_three_changes_and_nothing_else_is() {
    let collector = Collector::start("").await;
    let host = Raw::enrolled(&collector, facts("web-1")).await;
    let mut talk = host.session(hello(1), false).await.expect("a session");
    talk.send(record(1, told("packages", None, &[BASH, OLD_SSL]))).await;
    talk.send(record(2, told("users", None, &[ANN]))).await;
    talk.send(record(3, told("listeners", None, &[SSH]))).await;
    talk.acknowledged(3).await.expect("an acknowledgement");

    talk.send(record(4, told("packages", Some(&[BASH, OLD_SSL]), &[BASH, NEW_SSL]))).await;
    talk.send(record(5, told("users", Some(&[ANN]), &[ANN_MAY]))).await;
    talk.send(record(6, told("listeners", Some(&[SSH]), &[SSH, WEB]))).await;
    // All of it once more, whole and in another order.
    talk.send(record(7, told("packages", None, &[NEW_SSL, BASH]))).await;
    talk.acknowledged(7).await.expect("an acknowledgement");

    let seen = changes(&collector, 3).await;
    let said: Vec<_> = seen
        .iter()
        .map(|change| (change["title"].as_str().expect("a text"), change["kind"].as_str().expect("a text")))
        .collect();
    assert_eq!(
        said,
        [
            ("openssl upgraded 3.0.9 -> 3.0.11", "unplanned"),
            ("user ann gained sudo", "unplanned"),
            ("tcp 0.0.0.0:8080 is listened on by python3", "unplanned"),
        ]
    );

    let id = seen[1]["id"].as_str().expect("a text");
    collector.cli(&["inventory", "explain", id, "CHG7, the new administrator"]).await;
    let listed = collector.cli(&["inventory", "changes", "--explained", "yes"]).await;
    assert!(listed.contains("CHG7, the new administrator") && !listed.contains("openssl"), "{listed}");
    let audit = collector.cli(&["audit", "--action", "inventory.explain"]).await;
    assert!(audit.contains("user ann gained sudo: CHG7"), "{audit}");

    let found = collector.cli(&["inventory", "search", "--name", "openssl", "--version", "3.0.11*"]).await;
    assert!(found.contains("web-1"), "{found}");
    let past = collector.cli(&["--json", "inventory", "search", "--name", "openssl", "--from", "2026-01-01"]).await;
    let past: Value = serde_json::from_str(&past).expect("JSON");
    let versions: Vec<_> =
        past.as_array().expect("a list").iter().map(|hit| hit["fields"]["version"].clone()).collect();
    assert_eq!(versions, ["3.0.9", "3.0.11"]);
    let csv = collector.cli(&["inventory", "export", "--format", "csv", "--section", "packages"]).await;
    assert!(csv.contains(",bash,") && csv.contains("3.0.11"), "{csv}");
    let file = collector.home().join("fleet.xlsx");
    let (to, book) = (file.to_str().expect("a path of letters"), ["inventory", "export", "--format", "xlsx"]);
    collector.cli(&[&book[..], &["--output", to]].concat()).await;
    let book = read_workbook(&file).await;
    let heading = book["packages"][0].to_string();
    assert!(heading.starts_with("[\"host\",\"collected_at\",\"name\""), "{heading}");
    assert!(book["packages"].to_string().contains("3.0.11") && book["users"].to_string().contains("ann"), "{book}");
    let hosts = collector.cli(&["inventory", "export", "--format", "ansible"]).await;
    assert!(
        hosts.starts_with("all:\n  hosts:\n    \"web-1\":\n") && hosts.contains("muster_id: !unsafe \""),
        "{hosts}"
    );
    assert!(hosts.contains("    class_server:\n      hosts:\n        \"web-1\":"), "{hosts}");
    check_documents(&collector).await;
    for (path, expected) in [
        (format!("/hosts/{}", host.host), "user ann gained sudo"),
        (format!("/hosts/{}/document", host.host), "user ann gained sudo"),
        (format!("/hosts/{}/inventory", host.host), "openssl upgraded"),
        (format!("/hosts/{}/inventory/packages?search=ssl", host.host), "3.0.11"),
        ("/inventory/changes?class=new_listener".into(), "is listened on by python3"),
        ("/machines?name=openssl&version=3.0.*".into(), "/inventory\">web-1</a>"),
    ] {
        let page = collector.get(&path).await;
        assert!(page.status == 200 && page.body.contains(expected), "{path}: {}", page.body);
    }
    let series = "muster_inventory_sections{section=\"packages\",status=\"complete\"}";
    let counted = || async { collector.metric(series).await.filter(|count| *count == 1.0) };
    eventually("the section is counted", s(10), counted).await;
}

#[tokio::test]
async fn what_does_not_fit_is_asked_for_and_a_restart_forgets_nothing() {
    let mut collector = Collector::start("").await;
    let host = Raw::enrolled(&collector, facts("web-1")).await;
    let mut talk = host.session(hello(1), false).await.expect("a session");
    talk.send(record(1, told("packages", Some(&[BASH]), &[BASH, OLD_SSL]))).await;
    assert_eq!(asked(&mut talk).await, "packages", "a difference to nothing");
    talk.send(record(2, told("packages", None, &[BASH, OLD_SSL]))).await;
    talk.acknowledged(2).await.expect("an acknowledgement");
    collector.kill().await;
    collector.run().await;

    let mut again = Talk::open(host.connect().await, false, Some(hello(1))).await.expect("a session");
    let Body::Welcome(welcome) = again.next().await.expect("a message") else { panic!("not a welcome") };
    let known = v1::SectionHash { section: "packages".into(), hash: total(&[BASH, OLD_SSL]).to_vec() };
    assert_eq!(welcome.sections, [known]);
    again.send(record(3, told("packages", Some(&[BASH, OLD_SSL]), &[BASH]))).await;
    again.acknowledged(3).await.expect("an acknowledgement");
    let seen = changes(&collector, 1).await;
    assert_eq!(seen[0]["title"], "openssl 3.0.9 removed");
}

#[tokio::test]
async fn a_change_within_a_maintenance_window_of_its_host_is_expected() {
    let collector = Collector::start("").await;
    let host = Raw::enrolled(&collector, facts("web-1")).await;
    let mut talk = host.session(hello(1), false).await.expect("a session");
    talk.send(record(1, told("packages", None, &[OLD_SSL]))).await;
    talk.acknowledged(1).await.expect("an acknowledgement");
    collector
        .cli(&[
            "maintenance",
            "add",
            "--now",
            "--for",
            "1h",
            "--host",
            "web-1",
            "--change",
            "CHG9",
            "--reason",
            "patches",
        ])
        .await;
    talk.send(record(2, told("packages", Some(&[OLD_SSL]), &[NEW_SSL]))).await;
    talk.acknowledged(2).await.expect("an acknowledgement");
    let seen = changes(&collector, 1).await;
    assert_eq!((&seen[0]["kind"], &seen[0]["change"]), (&Value::from("expected"), &Value::from("CHG9")));
    let unplanned = collector.get("/api/v1/inventory/changes?kind=unplanned").await;
    assert_eq!(unplanned.json()["items"], Value::Array(Vec::new()));
}

/// A captured machine with these packages, accounts, members of sudo and listening ports.
fn lay_whole(agent: &Agent, packages: &[(&str, &str)], sudo: &str, ports: &[u16]) {
    let root = agent.home().join("root");
    let file = |path: &str, content: String| {
        let path = root.join(path);
        // What is as it was keeps its time, too: that of some files tells when a system was installed.
        if std::fs::read_to_string(&path).is_ok_and(|known| known == content) {
            return;
        }
        std::fs::create_dir_all(path.parent().expect("it has a directory")).expect("a directory of our own");
        std::fs::write(path, content).expect("a file of our own");
    };
    let package = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    // As in proc_net_tcp(5): the local address and port in hexadecimal, state 0A listens.
    let port = |port: &u16| {
        format!(
            "   0: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {port} 1 0 100 0 0 10 0\n"
        )
    };
    file("etc/machine-id", "0123456789abcdef0123456789abcdef\n".to_owned());
    file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n".to_owned());
    file("proc/sys/kernel/random/boot_id", "01234567-89ab-4def-8123-456789abcdef\n".to_owned());
    file("proc/sys/kernel/hostname", "alpha\n".to_owned());
    file("var/lib/dpkg/status", packages.iter().map(package).collect());
    let passwd = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann:/home/ann:/bin/bash\n";
    file("etc/passwd", passwd.to_owned());
    file("etc/group", format!("root:x:0:\nann:x:1000:\nsudo:x:27:{sudo}\n"));
    file("etc/sudoers", "%sudo ALL=(ALL:ALL) ALL\n".to_owned());
    let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    file("proc/net/tcp", std::iter::once(head.to_owned()).chain(ports.iter().map(port)).collect());
}

#[tokio::test]
async fn an_agent_tells_a_package_a_user_with_sudo_and_a_port_as_three_changes_and_nothing_else() {
    let collector = Collector::start("").await;
    let mut agent = Agent::of_captured_machine();
    agent.configure("[inventory]\ninterval = \"1m\"\n[collect]\nhardware = false\n");
    lay_whole(&agent, &[("bash", "5.2.15-2")], "", &[22]);
    agent.enrol_at(&collector, "fast", None).await;
    agent.run();
    let path = format!("/api/v1/hosts/{}/inventory", agent.host);
    let told = || async {
        let all = collector.get(&path).await.json();
        (all["sections"]["volumes"].is_object() && all["sections"]["users"]["rows"][0].is_object()).then_some(())
    };
    eventually("every section is told", s(60), told).await;
    assert_eq!(agent.stop().await, 0);
    lay_whole(&agent, &[("bash", "5.2.15-2"), ("nginx", "1.22.1-9")], "ann", &[22, 80]);
    agent.run();
    let seen = changes(&collector, 3).await;
    let mut said: Vec<&str> = seen.iter().filter_map(|change| change["class"].as_str()).collect();
    said.sort_unstable();
    assert_eq!(said, ["new_listener", "package_installed", "user_gained_sudo"], "{seen:?}\n{}", agent.log());
}
