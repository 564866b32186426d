//! The inventory beside what this machine's own tools say, and on its way to the collector.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use muster_tests::process::{root, run};
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;
use tokio::process::Command;

use crate::s;

/// The document that `muster-agent inventory` prints of this machine.
async fn document() -> Value {
    let agent = Agent::new(None);
    let said = run(&mut agent.command_on_machine("inventory")).await;
    assert_eq!(said.code, 0, "{}", said.all());
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
}

/// Some fields of a section's rows.
fn rows<const N: usize>(document: &Value, section: &str, fields: [&str; N]) -> BTreeSet<[String; N]> {
    let rows = document["sections"][section]["rows"].as_array().unwrap_or_else(|| panic!("{section}: {document}"));
    rows.iter().map(|row| fields.map(|field| row[field].as_str().unwrap_or_default().to_owned())).collect()
}

/// What a tool of this machine prints.
async fn told(tool: &str, arguments: &[&str]) -> String {
    let said = run(Command::new(tool).args(arguments).env("LC_ALL", "C")).await;
    assert_eq!(said.code, 0, "{tool}: {}", said.all());
    said.out
}

#[tokio::test]
async fn packages_are_those_that_dpkg_query_lists() {
    let format = "${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\n";
    let listed = told("dpkg-query", &["-W", "-f", format]).await;
    let lines = listed.lines().filter_map(|line| line.split_once('\t'));
    let wanted: BTreeSet<[String; 3]> = lines
        .filter(|(state, _)| !matches!(*state, "config-files" | "not-installed"))
        .map(|(_, rest)| {
            let fields: Vec<String> = rest.split('\t').map(str::to_owned).collect();
            fields.try_into().expect("three fields")
        })
        .collect();
    let document = document().await;
    let found = rows(&document, "packages", ["manager", "name", "version", "architecture"]);
    let found: BTreeSet<[String; 3]> = found
        .into_iter()
        .filter(|row| row[0] == "dpkg")
        .map(|[_, name, version, arch]| [name, version, arch])
        .collect();
    assert!(wanted.len() > 50, "{listed}");
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn accounts_are_those_that_getent_lists() {
    let (passwd, group) =
        (told("getent", &["-s", "files", "passwd"]).await, told("getent", &["-s", "files", "group"]).await);
    let document = document().await;
    let wanted: BTreeSet<[String; 5]> = passwd
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            [fields[0], fields[2], fields[3], fields[5], fields[6]].map(str::to_owned)
        })
        .collect();
    assert_eq!(rows(&document, "users", ["name", "uid", "gid", "home", "shell"]), wanted);
    let wanted: BTreeSet<[String; 2]> = group
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            [fields[0], fields[2]].map(str::to_owned)
        })
        .collect();
    assert_eq!(rows(&document, "groups", ["name", "gid"]), wanted);
}

#[tokio::test]
async fn addresses_and_interfaces_are_those_that_ip_lists() {
    let all: Value = serde_json::from_str(&told("ip", &["-j", "addr"]).await).expect("ip prints JSON");
    let document = document().await;
    let (mut addresses, mut interfaces) = (BTreeSet::new(), BTreeSet::new());
    for interface in all.as_array().expect("an array") {
        let name = interface["ifname"].as_str().expect("a name").to_owned();
        // Ends of cables to containers come and go, and so do addresses made for privacy.
        if ["veth", "vnet", "tap"].iter().any(|passing| name.starts_with(passing)) {
            continue;
        }
        for address in interface["addr_info"].as_array().into_iter().flatten() {
            if address["temporary"] != true {
                let local = address["local"].as_str().unwrap_or_default().to_owned();
                addresses.insert([name.clone(), local, address["prefixlen"].to_string()]);
            }
        }
        if interface["link_type"] != "loopback" {
            interfaces.insert([name, interface["mtu"].to_string()]);
        }
    }
    assert!(!addresses.is_empty(), "{all}");
    assert_eq!(rows(&document, "addresses", ["interface", "address", "prefix"]), addresses);
    assert_eq!(rows(&document, "interfaces", ["name", "mtu"]), interfaces);
}

#[tokio::test]
async fn drives_are_those_that_lsblk_lists() {
    let all = told("lsblk", &["-J", "-b", "-d", "-o", "NAME,SIZE,TYPE"]).await;
    let all: Value = serde_json::from_str(&all).expect("lsblk prints JSON");
    // lsblk calls disks of memory, and those over the network, disks too, and leaves out what is empty.
    let made = ["zram", "ram", "nbd", "drbd", "zd"];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let wanted: BTreeSet<[String; 2]> = all["blockdevices"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["type"] == "disk" || one["type"] == "rom")
        .map(|one| [text(&one["name"]), text(&one["size"])])
        .filter(|[name, _]| !made.iter().any(|made| name.starts_with(made)))
        .collect();
    let document = document().await;
    let found: BTreeSet<[String; 2]> =
        rows(&document, "disks", ["name", "size_bytes"]).into_iter().filter(|[_, bytes]| bytes != "0").collect();
    assert_eq!(found, wanted, "{all}");
}

#[tokio::test]
async fn what_listens_is_what_ss_lists() {
    // Sockets of this test alone, so that both see them however long they take.
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let tcp6 = tokio::net::TcpListener::bind("[::1]:0").await.ok();
    let listed = || async {
        let all = told("ss", &["-Hltn"]).await;
        let local = |line: &str| {
            let (address, port) = line.split_ascii_whitespace().nth(3)?.rsplit_once(':')?;
            // `%lo` names the interface that it is bound to; `*` is both families.
            let address = address.trim_matches(['[', ']']).split('%').next()?;
            Some([if address == "*" { "::" } else { address }.to_owned(), port.to_owned()])
        };
        all.lines().filter_map(local).collect::<BTreeSet<_>>()
    };
    // Other tests open and close theirs meanwhile: what stood before and after stood in between.
    let before = listed().await;
    let document = document().await;
    let after = listed().await;
    let found: BTreeSet<[String; 2]> = rows(&document, "listening_ports", ["protocol", "address", "port"])
        .into_iter()
        .filter(|row| row[0] == "tcp")
        .map(|[_, address, port]| [address, port])
        .collect();
    let lasting: BTreeSet<_> = before.intersection(&after).cloned().collect();
    let ever: BTreeSet<_> = before.union(&after).cloned().collect();
    let port = tcp.local_addr().expect("an address").port().to_string();
    assert!(lasting.contains(&["127.0.0.1".to_owned(), port.clone()]), "{before:?}");
    let missing: Vec<_> = lasting.difference(&found).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let of_this: Vec<_> = found.iter().filter(|row| row[1] == port).collect();
    assert!(of_this.iter().all(|row| ever.contains(*row)) && !of_this.is_empty(), "{found:?}");
    drop(tcp6);
}

#[tokio::test]
async fn two_inventories_of_a_machine_differ_in_nothing_that_is_not_named_volatile() {
    let (first, second) = (document().await, document().await);
    let lasting = |document: &Value| {
        let mut document = document.clone();
        let sections = document["sections"].as_object_mut().expect("sections");
        // Other tests open ports meanwhile.
        sections.remove("listening_ports");
        sections.remove("addresses");
        sections.remove("neighbours");
        sections.remove("interfaces");
        for section in sections.values_mut() {
            let volatile: BTreeSet<String> = serde_json::from_value(section["volatile"].take()).expect("names");
            section["collected_at"].take();
            for row in section["rows"].as_array_mut().expect("rows") {
                row.as_object_mut().expect("a row").retain(|name, _| !volatile.contains(name));
            }
        }
        document
    };
    assert!(first["schema"] == 1 && first["sections"].as_object().is_some_and(|all| all.len() > 25), "{first}");
    let (first, second) = (lasting(&first), lasting(&second));
    let differ = |name: &String| first["sections"][name] != second["sections"][name];
    let sections = first["sections"].as_object().expect("sections");
    assert_eq!(sections.keys().filter(|name| differ(name)).collect::<Vec<_>>(), [&""; 0]);
}

#[tokio::test]
async fn what_is_printed_for_glpi_is_valid_by_its_schema() {
    let agent = Agent::new(None);
    let said = run(agent.command_on_machine("inventory").args(["--format", "glpi"])).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let file = agent.home().join("glpi.json");
    std::fs::write(&file, &said.out).expect("a file of our own");
    check_by_schema(&file).await;
    let document: Value = serde_json::from_str(&said.out).expect("JSON");
    assert!(document["content"]["softwares"].as_array().is_some_and(|all| all.len() > 50), "{document}");
}

/// Beside the repository; theirs, and so only read there.
const SCHEMA: &str = "../shared/corpus/inventory/glpi-inventory-format/inventory.schema.json";

/// Checks a document by GLPI's own schema.
#[expect(clippy::print_stderr, reason = "whoever reads the run is to know what it did not hold")]
async fn check_by_schema(file: &Path) {
    let schema = root().join(SCHEMA);
    if !schema.exists() {
        eprintln!("LEFT OUT: {} is not there, by which GLPI's documents are judged", schema.display());
        return;
    }
    let script = "import json,sys,jsonschema\n\
                  v=jsonschema.Draft7Validator(json.load(open(sys.argv[1])))\n\
                  e=[f'{list(e.path)}: {e.message}' for e in v.iter_errors(json.load(open(sys.argv[2])))]\n\
                  print(chr(10).join(e[:20])); sys.exit(len(e)>0)";
    let judged = run(Command::new("/usr/bin/python3").args(["-c", script]).arg(&schema).arg(file)).await;
    assert_eq!(judged.code, 0, "{}", judged.all());
}

#[tokio::test]
async fn what_the_collector_exports_for_glpi_is_valid_by_its_schema_and_names_the_machine_as_the_agent_does() {
    let collector = Collector::start("").await;
    let mut agent = Agent::of_captured_machine();
    agent.configure("[inventory]\ninterval = \"1m\"\n[collect]\nhardware = false\n");
    lay(&agent, "3.0.15-1");
    agent.enrol_at(&collector, "fast", None).await;
    agent.run();
    let all = || async { Some(sections(&collector, &agent).await).filter(|all| all["volumes"].is_object()) };
    eventually("every section is told", s(60), all).await;
    let directory = collector.home().join("glpi");
    let into = directory.to_str().expect("a path of letters");
    collector.cli(&["inventory", "export", "--format", "glpi", "--output", into]).await;
    let files: Vec<_> =
        std::fs::read_dir(&directory).expect("a directory").map(|file| file.expect("a file").path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    check_by_schema(file).await;
    let exported: Value = serde_json::from_slice(&std::fs::read(file).expect("a file")).expect("JSON");
    let said = run(agent.command_on_machine("inventory").args(["--format", "glpi"])).await;
    let printed: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(exported["content"]["softwares"], printed["content"]["softwares"]);
    assert_eq!(exported["content"]["operatingsystem"]["name"], printed["content"]["operatingsystem"]["name"]);
}

/// A machine of one package whose `apt-get` hangs.
fn lay(agent: &Agent, version: &str) {
    let root = agent.home().join("root");
    let file = |path: &str, content: String| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("it has a directory")).expect("a directory of our own");
        std::fs::write(path, content).expect("a file of our own");
    };
    file("etc/machine-id", "0123456789abcdef0123456789abcdef\n".to_owned());
    file("proc/sys/kernel/random/boot_id", "01234567-89ab-4def-8123-456789abcdef\n".to_owned());
    file("proc/sys/kernel/hostname", "alpha\n".to_owned());
    let status = "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: ";
    file("var/lib/dpkg/status", format!("{status}{version}\n"));
}

/// What the collector has of the host's inventory.
async fn sections(collector: &Collector, agent: &Agent) -> Value {
    let path = format!("/api/v1/hosts/{}/inventory", agent.host);
    collector.get(&path).await.json()["sections"].clone()
}

#[tokio::test]
async fn the_inventory_reaches_the_collector_and_after_a_restart_what_differs() {
    let collector = Collector::start("").await;
    let mut agent = Agent::of_captured_machine();
    agent.configure("[inventory]\ninterval = \"1m\"\noff = [\"users\"]\n[collect]\nhardware = false\n");
    lay(&agent, "3.0.15-1");
    agent.enrol_at(&collector, "fast", None).await;
    agent.run();
    // Sections are told by name, so that this is the last one.
    let all = || async { Some(sections(&collector, &agent).await).filter(|all| all["volumes"].is_object()) };
    let all = eventually("every section is told", s(60), all).await;
    assert_eq!(all["packages"]["rows"][0]["version"], "3.0.15-1", "{all}\n{}", agent.log());
    assert_eq!((&all["users"]["status"], &all["batteries"]["status"]), (&"switched_off".into(), &"absent".into()));
    let before = collector.received();

    assert_eq!(agent.stop().await, 0);
    lay(&agent, "3.0.16-1");
    agent.run();
    let newer = || async {
        let all = sections(&collector, &agent).await;
        (all["packages"]["rows"][0]["version"] == "3.0.16-1").then_some(())
    };
    eventually("the new version is told", s(60), newer).await;
    // One record of packages, and those that the agent's start makes beside it.
    assert!(collector.received() - before < 10, "{} records\n{}", collector.received() - before, agent.log());
}

#[tokio::test]
async fn a_section_that_waits_for_a_tool_keeps_no_other_from_being_told() {
    let agent = Agent::of_captured_machine();
    lay(&agent, "3.0.15-1");
    let tools = agent.home().join("commands");
    std::fs::create_dir_all(&tools).expect("a directory of our own");
    let path = tools.join("apt-get");
    std::fs::write(&path, "#!/bin/sh\nexec sleep 600\n").expect("a file of our own");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of our own");
    let said = run(&mut agent.command_on_machine("inventory")).await;
    let document: Value = serde_json::from_str(&said.out).expect("JSON");
    let updates = &document["sections"]["updates"];
    assert_eq!(updates["status"], "unreadable");
    assert_eq!(updates["reason"], "apt-get (inventory) was killed after 25000 ms without an end");
    assert_eq!(document["sections"]["packages"]["status"], "complete");
}
