//! The inventory of captured machines beside what each system's own tool says of the same files, where they are at hand.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use muster_tests::Agent;
use muster_tests::process::{installed, root, run};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// Captured machines beside the repository; of others, and so only read there.
const CORPUS: &str = "../shared/corpus/inventory";

/// Files of a part of the corpus whose names pass; none where it is not there.
fn corpus(part: &str, passes: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join(CORPUS).join(part)).into_iter().flatten().flatten();
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| passes(&name.to_string_lossy()));
    let mut files: Vec<PathBuf> = files.map(|file| file.path()).filter(named).collect();
    files.sort();
    files
}

/// The document of a captured machine: its `/` and its tools.
async fn document(agent: &Agent, machine: &Path, tools: &Path) -> Value {
    let mut command = agent.command_on_machine("inventory");
    command.arg("--root").arg(machine).arg("--commands").arg(tools);
    let said = run(&mut command).await;
    assert_eq!(said.code, 0, "{}", said.all());
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.out))
}

/// Name and version of each package of one manager.
fn packages(document: &Value, manager: &str) -> BTreeSet<[String; 3]> {
    let rows = document["sections"]["packages"]["rows"].as_array().into_iter().flatten();
    let rows = rows.filter(|row| row["manager"] == manager);
    rows.map(|row| ["name", "version", "architecture"].map(|field| row[field].as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Lines of three fields, as a tool prints them.
fn triples(text: &str) -> BTreeSet<[String; 3]> {
    let lines = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    lines.filter_map(|fields| fields.try_into().ok()).collect()
}

/// Sockets, cores and threads that are on line.
type Counts = (usize, usize, usize);

fn ours(document: &Value) -> Counts {
    let rows = document["sections"]["cpu"]["rows"].as_array().cloned().unwrap_or_default();
    let sum = |field: &str| rows.iter().filter_map(|row| row[field].as_str()?.parse::<usize>().ok()).sum();
    (rows.len(), sum("cores"), sum("threads"))
}

/// What lscpu says of this machine, in its form for programs.
async fn theirs() -> Counts {
    let said = run(Command::new("lscpu").arg("-p=SOCKET,CORE,CPU").env("LC_ALL", "C")).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let rows: Vec<Vec<&str>> =
        said.out.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(',').collect()).collect();
    let count = |columns: usize| rows.iter().map(|row| &row[..columns]).collect::<BTreeSet<_>>().len();
    (count(1), count(2), count(3))
}

/// What lscpu is known to print of a captured machine: its summary says how many threads share a core, and below it is a line
/// for each that is on line. Its column of cores there is the kernel's number, which many architectures give to all.
fn printed(text: &str) -> Counts {
    let of = |name: &str| {
        let value = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
        value.and_then(|value| value.trim().parse::<usize>().ok())
    };
    let table = text.rsplit("\n# CPU,").next().unwrap_or_default();
    let threads = table.lines().filter(|line| line.starts_with(|sign: char| sign.is_ascii_digit())).count();
    (of("Socket(s)").unwrap_or(0), threads / of("Thread(s) per core").expect("the summary says it"), threads)
}

#[tokio::test]
async fn sockets_cores_and_threads_are_those_that_lscpu_counts() {
    let agent = Agent::new(None);
    let said = run(&mut agent.command_on_machine("inventory")).await;
    let live: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(ours(&live), theirs().await, "this machine");
    let nothing = TempDir::new().expect("a directory");
    let files = corpus("linux-snapshots-utillinux", |name| name.starts_with("lscpu__"));
    if files.is_empty() {
        eprintln!("LEFT OUT: {CORPUS} is not there, nothing of it was compared");
    }
    for file in files {
        let place = TempDir::new().expect("a directory");
        let said = run(Command::new("tar").arg("xzf").arg(&file).arg("-C").arg(place.path())).await;
        assert_eq!(said.code, 0, "{}", said.all());
        let machine = std::fs::read_dir(place.path()).expect("a directory").flatten().next().expect("a machine").path();
        let name = machine.file_name().expect("a name").to_string_lossy().into_owned();
        let expected = file.with_file_name(format!("expected__lscpu__{name}"));
        let theirs = printed(&std::fs::read_to_string(expected).expect("what lscpu prints"));
        let ours = ours(&document(&agent, &machine, nothing.path()).await);
        assert_eq!((ours.1, ours.2), (theirs.1, theirs.2), "{name}");
        // Of other architectures lscpu calls sockets what shares nothing, or names none; there ours are those of sysfs.
        if name.starts_with("x86_64") {
            assert_eq!(ours.0, theirs.0, "{name}");
        }
    }
}

#[tokio::test]
async fn packages_of_captured_dpkg_databases_are_those_that_dpkg_query_lists() {
    let agent = Agent::new(None);
    let nothing = TempDir::new().expect("a directory");
    let files = corpus("trivy-os-pkg", |name| name.ends_with("valid.txtar") || name.ends_with("third-party.txtar"));
    if files.is_empty() {
        eprintln!("LEFT OUT: {CORPUS} is not there, nothing of it was compared");
    }
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a text");
        let (_, status) = text.split_once("-- var/lib/dpkg/status --\n").expect("a part of it");
        let machine = TempDir::new().expect("a directory");
        let database = machine.path().join("var/lib/dpkg");
        std::fs::create_dir_all(database.join("updates")).expect("a directory of our own");
        std::fs::write(database.join("status"), status).expect("a file of our own");
        let format = "${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\n";
        let mut query = Command::new("dpkg-query");
        let said = run(query.arg("--admindir").arg(&database).args(["-W", "-f", format]).env("LC_ALL", "C")).await;
        let lines = said.out.lines().filter_map(|line| line.strip_prefix("installed\t"));
        let wanted = triples(&lines.collect::<Vec<_>>().join("\n"));
        assert!(!wanted.is_empty(), "{}", said.all());
        let document = document(&agent, machine.path(), nothing.path()).await;
        assert_eq!(packages(&document, "dpkg"), wanted, "{}", file.display());
    }
}

#[tokio::test]
async fn packages_of_a_captured_rpm_database_are_those_that_rpm_lists() {
    let agent = Agent::new(None);
    // The other one of the corpus has a format that Debian's rpm does not read.
    let files = corpus("rpmdb", |name| name.ends_with("Packages.xz"));
    if files.is_empty() {
        eprintln!("LEFT OUT: {CORPUS} is not there, nothing of it was compared");
    }
    for file in files {
        let machine = TempDir::new().expect("a directory");
        let database = machine.path().join("var/lib/rpm");
        std::fs::create_dir_all(&database).expect("a directory of our own");
        let said =
            run(Command::new("sh").args(["-c", "xz -dc \"$0\" >\"$1\""]).arg(&file).arg(database.join("Packages")))
                .await;
        assert_eq!(said.code, 0, "{}", said.all());
        // The system's own tool, told where the database of that machine lies.
        let rpm = installed("rpm", "rpm");
        let asked =
            format!("exec {} --dbpath {} --define '_db_backend bdb_ro' \"$@\"", rpm.display(), database.display());
        let tools = machine.path().join("tools");
        std::fs::create_dir_all(&tools).expect("a directory of our own");
        let tool = tools.join("rpm");
        std::fs::write(&tool, format!("#!/bin/sh\n{asked}\n")).expect("a file of our own");
        let said = run(Command::new("chmod").arg("+x").arg(&tool)).await;
        assert_eq!(said.code, 0, "{}", said.all());
        let format = "%{NAME}\\t%{EVR}\\t%{ARCH}\\n";
        let said = run(Command::new(&tool).args(["-qa", "--qf", format])).await;
        let wanted: BTreeSet<[String; 3]> = triples(&said.out.replace("(none)", ""));
        assert!(!wanted.is_empty(), "{}", said.all());
        let document = document(&agent, machine.path(), &tools).await;
        assert_eq!(packages(&document, "rpm"), wanted, "{}", file.display());
    }
}

#[tokio::test]
async fn packages_of_a_captured_alpine_are_those_in_its_database() {
    let agent = Agent::new(None);
    let nothing = TempDir::new().expect("a directory");
    let files = corpus("trivy-os-pkg", |name| name == "pkg__apk__testdata__apk");
    if files.is_empty() {
        eprintln!("LEFT OUT: {CORPUS} is not there, nothing of it was compared");
    }
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a text");
        // One block a package, P its name, V its version, A its architecture (apk-tools, doc/apk-v2.5).
        let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
        let of = |block: &str, key: &str| {
            block.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().to_owned()
        };
        let wanted: BTreeSet<[String; 3]> = blocks.map(|block| ["P:", "V:", "A:"].map(|key| of(block, key))).collect();
        let machine = TempDir::new().expect("a directory");
        let database = machine.path().join("lib/apk/db");
        std::fs::create_dir_all(&database).expect("a directory of our own");
        std::fs::write(database.join("installed"), &text).expect("a file of our own");
        let document = document(&agent, machine.path(), nothing.path()).await;
        assert_eq!(packages(&document, "apk"), wanted, "{}", file.display());
    }
}
