//! Machines on which there is far too much of something. Needs root and namespaces.

use std::collections::BTreeMap;

use muster_tests::http::samples;
use muster_tests::network::Network;
use muster_tests::process::{installed, program, run};
use muster_tests::{Agent, Collector, eventually};
use tokio::process::Command;

use crate::s;

const PAIRS: usize = 2_500;
const RECEIVED: &str = "node_network_receive_bytes_total{device=\"veth (rolled up)\"}";
/// Two of the interfaces, `veth1` and `peer1`, carry datagrams: in bursts shorter than the kernel's queue (1 000, which drops
/// on a busy machine), and twice what is waited for.
const TALK: &str = r#"
import socket, time
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
line.bind(("10.99.99.1", 0))
for _ in range(40):
    for _ in range(50):
        line.sendto(bytes(1000), ("10.99.99.255", 9))
    time.sleep(0.02)
"#;
/// Half of their bytes, without heads.
const SENT: f64 = 1_000_000.0;
/// Sets are made ready in one go: a program for each would take minutes.
const MOUNTS: &str = r#"
import ctypes, os, subprocess, sys
place, systems, binds, program = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
libc = ctypes.CDLL(None, use_errno=True)
def mount(source, point, kind, flags, data):
    os.mkdir(point)
    if libc.mount(source.encode(), point.encode(), kind, flags, data):
        sys.exit(f"mount {point}: " + os.strerror(ctypes.get_errno()))
def ask(word):
    with open(f"{place}/{word}", "w") as out:
        subprocess.run([program, "once"], stdout=out, check=True)
ask("before")
os.mkdir(f"{place}/m")
for n in range(systems):
    mount("many", f"{place}/m/{n}", b"tmpfs", 0, b"size=64k,nr_inodes=16")
mount("one", f"{place}/one", b"ramfs", 0, None)
for n in range(binds):
    mount(f"{place}/one", f"{place}/m/one{n}", None, 4096, None)
ask("after")
subprocess.run([program, "doctor"], check=True)
"#;
const SYSTEMS: usize = 5_000;
const BINDS: usize = 5_000;
/// `size=64k`.
const SYSTEM_BYTES: f64 = 65_536.0;

async fn batch(network: &Network, agent: &Agent, lines: &str) {
    let file = agent.home().join("batch");
    std::fs::write(&file, lines).expect("a file in a directory of our own");
    let said = run(Command::new("ip").args(["-n", &network.name, "-batch"]).arg(&file)).await;
    assert_eq!(said.code, 0, "{}", said.all());
}

#[tokio::test]
async fn five_thousand_interfaces_of_a_kind_are_one_whose_counters_never_fall() {
    let network = Network::make().await;
    let collector = Collector::start("").await;
    let mut agent = Agent::enrolled(&collector, "fast", Some(&network)).await;
    agent.configure("interval = \"1s\"");
    let pairs: String = (1..=PAIRS).map(|n| format!("link add veth{n} type veth peer name peer{n}\n")).collect();
    batch(&network, &agent, &pairs).await;
    batch(&network, &agent, "addr add 10.99.99.1/24 dev veth1\nlink set veth1 up\nlink set peer1 up\n").await;
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;

    let path = format!("/hosts/{}/metrics", agent.host);
    let page = || async { samples(&collector.get(&path).await.body) };
    let members = |page: &BTreeMap<String, f64>| {
        let counts =
            page.iter().filter(|(name, _)| name.starts_with("muster_network_rolled_up_interfaces{kind=\"veth\""));
        counts.map(|(_, count)| *count).sum::<f64>()
    };
    // The pairs and the cable of this network.
    let all = (2 * PAIRS + 1) as f64;
    let seen = || async { Some(page().await).filter(|page| members(page) == all) };
    let first = eventually("all are said as one", s(20), seen).await;
    let single = first.keys().filter(|name| name.contains("device=\"veth1\"") || name.contains("device=\"peer2500\""));
    assert_eq!(single.count(), 0, "none is said by itself");
    assert!(first.contains_key("node_network_receive_bytes_total{device=\"lo\"}"), "what is of no kind is");
    assert!(first.len() < 2_000, "{} series", first.len());

    let said = run(Command::new("ip").args(["netns", "exec", &network.name, "/usr/bin/python3", "-c", TALK])).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let counted = || async { page().await.get(RECEIVED).copied().filter(|bytes| *bytes >= first[RECEIVED] + SENT) };
    let before = eventually("what one of them received is counted", s(20), counted).await;

    batch(&network, &agent, "link del veth1\n").await;
    let gone = || async { Some(page().await).filter(|page| members(page) == all - 2.0) };
    let after = eventually("two are gone", s(20), gone).await;
    assert!(after[RECEIVED] >= before, "{} after {before}", after[RECEIVED]);
    assert_eq!(after.get("node_scrape_collector_success{collector=\"netdev\"}"), Some(&1.0));

    let doctor = run(agent.command().arg("doctor")).await.all();
    let told = format!("{} of kind veth are said as one", all - 2.0);
    assert!(doctor.contains(&told) && doctor.contains("interfaces_per_kind"), "{doctor}");
}

#[tokio::test]
async fn ten_thousand_mounts_are_few_series_with_the_sum_of_their_sizes() {
    let home = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(installed("unshare", "util-linux"));
    command.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.args(["/usr/bin/python3", "-c", MOUNTS]).arg(home.path());
    command.args([SYSTEMS.to_string(), BINDS.to_string()]).arg(program("muster-agent"));
    let doctor = run(&mut command).await;
    assert_eq!(doctor.code, 0, "{}", doctor.all());
    let page = |name: &str| {
        samples(&std::fs::read_to_string(home.path().join(name)).expect("the story's own file"))
            .into_iter()
            .filter(|(name, _)| name.starts_with("node_filesystem_") || name.starts_with("muster_filesystem_"))
            .collect::<BTreeMap<String, f64>>()
    };
    let (before, after) = (page("before"), page("after"));
    let bytes = |page: &BTreeMap<String, f64>| {
        let sizes = page
            .iter()
            .filter(|(name, _)| name.starts_with("node_filesystem_size_bytes") && name.contains("fstype=\"tmpfs\""));
        sizes.map(|(_, bytes)| *bytes).sum::<f64>()
    };
    assert_eq!(bytes(&after) - bytes(&before), SYSTEMS as f64 * SYSTEM_BYTES, "each file system is counted once");
    let mounts = |kind: &str| after.get(&format!("muster_filesystem_rolled_up_mounts{{fstype=\"{kind}\"}}")).copied();
    assert_eq!(mounts("ramfs"), Some(BINDS as f64 + 1.0));
    assert!(mounts("tmpfs").is_some_and(|count| count >= SYSTEMS as f64), "{:?}", mounts("tmpfs"));
    // One file system mounted again and again keeps its own name.
    let one = format!("mountpoint=\"{}\"", home.path().join("one").display());
    assert_eq!(after.keys().filter(|name| name.contains("ramfs") && name.contains(&one)).count(), 7, "{after:#?}");
    assert!(after.len() <= before.len() + 20, "{} series after {}", after.len(), before.len());
    assert!(doctor.out.contains(&format!("{} of type ramfs are said as one", BINDS + 1)), "{}", doctor.out);
}

#[tokio::test]
async fn beyond_the_limit_of_series_whole_families_are_left_out_and_the_log_and_doctor_name_them() {
    const LIMIT: usize = 250;
    // What is left out is one state for the collector, however many families it is.
    let collector = Collector::start("").await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    let whole = samples(&run(agent.command().arg("once")).await.out);
    agent.configure(&format!("interval = \"1s\"\n[limits]\nseries = {LIMIT}"));
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    let path = format!("/hosts/{}/metrics", agent.host);
    let time = "node_time_seconds";
    let page = || async { Some(samples(&collector.get(&path).await.body)).filter(|page| page.contains_key(time)) };
    let said = eventually("it reports", s(20), page).await;
    let own = said.keys().filter(|name| !name.starts_with("muster_host")).count();
    assert!(own <= LIMIT, "{own} series");
    assert!(own > LIMIT / 2, "{own} series only");

    let count = |page: &BTreeMap<String, f64>, family: &str| {
        page.keys().filter(|name| name.split('{').next() == Some(family)).count()
    };
    let families: std::collections::BTreeSet<&str> = whole.keys().filter_map(|name| name.split('{').next()).collect();
    let (mut left, mut halves) = (Vec::new(), Vec::new());
    for family in
        families.into_iter().filter(|family| family.starts_with("node_cpu_") || family.starts_with("node_disk_"))
    {
        match (count(&said, family), count(&whole, family)) {
            (0, _) => left.push(family),
            (shown, all) if shown != all => halves.push(family),
            _ => {}
        }
    }
    assert!(halves.is_empty(), "{halves:?}");
    assert!(left.contains(&"node_cpu_seconds_total"), "the largest go first: {left:?}");
    let log = agent.log();
    let told = log.lines().find(|line| line.contains("left out")).unwrap_or_else(|| panic!("{log}"));
    assert!(told.contains("WARN") && told.contains("node_cpu_seconds_total (") && told.contains("`series`"), "{told}");
    let doctor = run(agent.command().arg("doctor")).await.out;
    let line = doctor.lines().find(|line| line.split_ascii_whitespace().nth(1) == Some("series")).unwrap_or_default();
    assert!(line.starts_with("limited") && line.contains("node_cpu_seconds_total ("), "{doctor}");
}

#[tokio::test]
async fn with_more_broken_parts_than_can_be_told_the_host_is_up_and_the_rest_is_counted() {
    const FILES: usize = 64;
    let collector = Collector::start("").await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    let scripts = agent.home().join("scripts");
    std::fs::create_dir(&scripts).expect("a directory of our own");
    for n in 0..FILES {
        std::fs::write(scripts.join(format!("{n:02}.prom")), "broken here\n").expect("a file of our own");
    }
    agent.configure(&format!("interval = \"1s\"\n[textfile]\ndirectories = [\"{}\"]", scripts.display()));
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    let view = || async {
        let view = collector.get(&format!("/hosts/{}", agent.host)).await.body;
        (view.contains("00.prom") && view.contains("more parts of sources are not well")).then_some(())
    };
    eventually("the first are named and the others counted", s(20), view).await;
    assert_eq!(agent.log().matches("the session is lost").count(), 0, "{}", agent.log());
}
