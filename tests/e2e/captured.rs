//! Machines with hardware that this one lacks: whatever a real node_exporter says of a captured one, we say alike.
//!
//! The trees in `tests/fixtures/hosts` are made up after the kernel's documentation and the drivers' sources, so that
//! each file says something that can go wrong; the machine of 256 CPUs is made when it is needed.

mod hypervisor;

use std::collections::BTreeMap;
use std::path::Path;

use muster_tests::process::{program, root, run};
use muster_tests::servers::NodeExporter;
use tokio::process::Command;

/// What node_exporter says of itself.
const OF_ITSELF: [&str; 5] = ["node_exporter_build_info", "node_scrape_collector_", "process_", "go_", "promhttp_"];
/// What we say beside the collectors that are compared.
const BESIDE: [&str; 4] = ["node_network_", "node_selinux_enabled", "node_textfile_scrape_error", "node_time_seconds"];
/// What newer versions of node_exporter say and Debian's does not.
const NEWER: [&str; 12] = [
    "node_btrfs_commit_seconds_total",
    "node_btrfs_commits_total",
    "node_btrfs_last_commit_seconds",
    "node_btrfs_max_commit_seconds",
    "node_softnet_backlog_len",
    "node_softnet_cpu_collision_total",
    "node_softnet_flow_limit_count_total",
    "node_softnet_received_rps_total",
    "node_zfs_arc_memory_available_bytes",
    "node_zfs_dbuf_cache_count",
    "node_zfs_dbuf_hash_elements_max",
    "node_zfs_zpool_state{state=\"suspended\"",
];

/// A page: type and help of each family, value of each series as it is written.
struct Page {
    families: BTreeMap<String, [String; 2]>,
    series: BTreeMap<String, String>,
}

impl Page {
    /// Paths below `captured` are shown as they would be on the machine itself.
    fn parse(text: &str, captured: &Path) -> Self {
        let (mut families, mut series) = (BTreeMap::<String, [String; 2]>::new(), BTreeMap::new());
        for line in text.lines() {
            let mut words = line.splitn(4, ' ');
            match [words.next(), words.next(), words.next(), words.next()] {
                [Some("#"), Some("TYPE"), Some(name), Some(kind)] => {
                    kind.clone_into(&mut families.entry(name.to_owned()).or_default()[0]);
                }
                [Some("#"), Some("HELP"), Some(name), help] => {
                    help.unwrap_or_default().clone_into(&mut families.entry(name.to_owned()).or_default()[1]);
                }
                _ => {
                    let line = line.replace(&captured.display().to_string(), "");
                    let (name, value) = line.rsplit_once(' ').expect("a series and its value");
                    series.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        series.retain(|name, _| !OF_ITSELF.iter().any(|prefix| name.starts_with(prefix)));
        Self { families, series }
    }

    fn family(&self, series: &str) -> [String; 2] {
        self.families[series.split('{').next().unwrap_or(series)].clone()
    }
}

/// Every series of node_exporter is ours, of the same type, with the same help and value to the last digit; and we say
/// nothing of our own but what newer ones say.
async fn check_alike(captured: &Path, collectors: &[&str], at_least: usize) {
    let exporter = NodeExporter::of_captured(captured, collectors).await;
    let page = exporter.page().await;
    for collector in collectors {
        let success = format!("node_scrape_collector_success{{collector=\"{collector}\"}} 1");
        assert!(page.contains(&success), "node_exporter's {collector} failed: the tree is of no use\n{page}");
    }
    let theirs = Page::parse(&page, captured);
    let said = run(Command::new(program("muster-agent")).arg("once").arg("--root").arg(captured)).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let ours = Page::parse(&said.out, captured);

    let mut wrong = Vec::new();
    for (name, value) in &theirs.series {
        match ours.series.get(name) {
            None => wrong.push(format!("missing: {name} {value}")),
            Some(other) if other != value => wrong.push(format!("{name} is {value} and not {other}")),
            Some(_) if theirs.family(name) != ours.family(name) => {
                wrong.push(format!("{name} is {:?} and not {:?}", theirs.family(name), ours.family(name)));
            }
            Some(_) => {}
        }
    }
    let expected = |name: &str| BESIDE.iter().chain(&NEWER).any(|prefix| name.starts_with(prefix));
    let surplus = ours.series.keys().filter(|name| !theirs.series.contains_key(*name) && !expected(name));
    wrong.extend(surplus.map(|name| format!("surplus: {name}")));
    assert!(wrong.is_empty(), "of {}:\n{}", captured.display(), wrong.join("\n"));
    assert!(theirs.series.len() >= at_least, "only {} series were compared", theirs.series.len());
}

async fn check_fixture(name: &str, collectors: &[&str], at_least: usize) {
    check_alike(&root().join("tests/fixtures/hosts").join(name), collectors, at_least).await;
}

#[tokio::test]
async fn a_storage_server_reads_as_node_exporter_reads_it() {
    let collectors = [
        "bcache",
        "bonding",
        "btrfs",
        "edac",
        "fibrechannel",
        "hwmon",
        "mdadm",
        "nfsd",
        "nvme",
        "tapestats",
        "thermal_zone",
        "xfs",
        "zfs",
    ];
    check_fixture("storage-server", &collectors, 590).await;
}

#[tokio::test]
async fn a_laptop_reads_as_node_exporter_reads_it() {
    let collectors = ["cpu", "cpufreq", "hwmon", "nvme", "powersupplyclass", "stat", "thermal_zone"];
    check_fixture("laptop", &collectors, 160).await;
}

#[tokio::test]
async fn a_node_of_a_cluster_reads_as_node_exporter_reads_it() {
    check_fixture("cluster-node", &["bonding", "infiniband", "ipvs", "mdadm", "nfs"], 180).await;
}

#[tokio::test]
async fn a_hypervisor_of_256_cpus_reads_as_node_exporter_reads_it() {
    let machine = hypervisor::build();
    let collectors = [
        "cpu",
        "cpufreq",
        "diskstats",
        "edac",
        "hwmon",
        "netdev",
        "nvme",
        "rapl",
        "schedstat",
        "softnet",
        "stat",
        "thermal_zone",
    ];
    check_alike(machine.path(), &collectors, 7500).await;
}
