//! What the agent does on a machine that is against it. Some of it needs root.

use std::path::{Path, PathBuf};

use muster_tests::http::samples;
use muster_tests::process::{Process, Said, installed, program, run};
use muster_tests::{Agent, Collector, eventually};
use tokio::process::Command;

use crate::s;

/// Descriptors that the agent may have; systemd gives 1024.
const DESCRIPTORS: &str = "--nofile=64:64";

#[tokio::test]
async fn a_second_agent_on_one_state_directory_refuses_and_names_the_first_which_stays() {
    let collector = Collector::start("").await;
    let mut agent = Agent::up(&collector, "fast").await;
    let second = run(agent.command().arg("run")).await;
    assert_eq!(second.code, 1, "{}", second.all());
    let named = format!("in use by another agent (pid {})", agent.process().pid());
    assert!(second.all().contains(&named) && second.all().contains("--state"), "{}", second.all());
    collector.host_is(&agent.host, "up", s(5)).await;
    assert_eq!(agent.log().matches("the collector listens generation").count(), 1, "the first stays:\n{}", agent.log());

    // Killed, it leaves nothing that holds the directory.
    agent.kill().await;
    agent.run();
    let again = || async { (agent.log().matches("the collector listens generation").count() == 2).then_some(()) };
    eventually("the next one runs", s(20), again).await;
}

/// A captured machine with so many sensors.
fn machine_with_sensors(root: &Path, sensors: usize) {
    write(root, "proc/loadavg", "0.10 0.20 0.30 1/100 1000\n");
    write(root, "sys/class/hwmon/hwmon0/name", "board\n");
    for sensor in 1..=sensors {
        write(root, &format!("sys/class/hwmon/hwmon0/temp{sensor}_input"), "41000\n");
    }
}

fn write(root: &Path, path: &str, text: &str) {
    let file = root.join(path);
    std::fs::create_dir_all(file.parent().expect("below the root")).expect("a directory of our own");
    std::fs::write(file, text).expect("a file in a directory of our own");
}

#[tokio::test]
async fn with_64_descriptors_everything_is_read_and_the_host_is_up() {
    let home = tempfile::tempdir().expect("a directory");
    machine_with_sensors(home.path(), 200);
    let mut once = Command::new(installed("prlimit", "util-linux"));
    once.arg(DESCRIPTORS).arg(program("muster-agent")).args(["once", "--root"]).arg(home.path());
    let said = run(&mut once).await;
    let found = samples(&said.out);
    let sensors = found.iter().filter(|(name, value)| name.starts_with("node_hwmon_temp_celsius") && **value == 41.0);
    assert_eq!(sensors.count(), 200, "{}", said.all());
    assert_eq!(found.get("node_scrape_collector_success{collector=\"hwmon\"}"), Some(&1.0));

    let collector = Collector::start("").await;
    let agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure("interval = \"1s\"");
    let mut few = Command::new(installed("prlimit", "util-linux"));
    few.arg(DESCRIPTORS).arg(program("muster-agent")).arg("--config").arg(agent.home().join("agent.toml")).arg("run");
    let process = Process::start("the agent with few descriptors", &mut few, &agent.home().join("agent.log"));
    collector.host_is(&agent.host, "up", s(20)).await;
    let reports = format!("muster_host_last_report_timestamp_seconds{{host=\"{}\"}}", agent.name);
    let first = collector.metric(&reports).await.expect("it reports");
    let later = || async { collector.metric(&reports).await.filter(|last| *last > first + 3.0) };
    eventually("it goes on", s(20), later).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", process.pid())).expect("our own child").count();
    assert!(open <= 64 && !process.log().contains("Too many open files"), "{open} open\n{}", process.tail());
    let page = collector.get(&format!("/hosts/{}/metrics", agent.host)).await.body;
    for source in ["stat", "meminfo", "netdev", "filesystem", "diskstats"] {
        assert!(
            page.contains(&format!("node_scrape_collector_success{{collector=\"{source}\"}} 1")),
            "{source}\n{page}"
        );
    }
}

/// Runs the agent's program as a user who may do nothing, on a captured machine that this user may look at.
async fn as_nobody(root: &Path, arguments: &[&str]) -> Said {
    let mut command = Command::new(installed("setpriv", "util-linux"));
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(copy_for_all(root)).args(arguments);
    run(command.arg("--root").arg(root)).await
}

/// The program where everybody may run it: a checkout may lie in somebody's home.
fn copy_for_all(root: &Path) -> PathBuf {
    let copy = root.join("muster-agent");
    if !copy.exists() {
        std::fs::copy(program("muster-agent"), &copy).expect("a copy in a directory of our own");
    }
    copy
}

#[tokio::test]
async fn absent_unreadable_and_failed_are_three_things_on_the_page_and_in_doctor() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir_in("/tmp").expect("a directory");
    let root = home.path();
    std::fs::set_permissions(root, std::fs::Permissions::from_mode(0o755)).expect("a directory of our own");
    write(root, "proc/sys/fs/file-nr", "100\t0\t1000\n");
    write(root, "proc/meminfo", "MemTotal: 1000 kB\n");
    write(root, "proc/loadavg", "what is this\n");
    std::fs::set_permissions(root.join("proc/meminfo"), std::fs::Permissions::from_mode(0o000)).expect("our own file");

    let page = samples(&as_nobody(root, &["once"]).await.out);
    let success = |source: &str| page.get(&format!("node_scrape_collector_success{{collector=\"{source}\"}}")).copied();
    assert_eq!(success("filefd"), Some(1.0), "{page:?}");
    for source in ["meminfo", "loadavg", "vmstat"] {
        assert_eq!(success(source), Some(0.0), "{source}: {page:?}");
    }
    let doctor = as_nobody(root, &["doctor"]).await.all();
    let line = |what: &str| {
        let found = doctor.lines().find(|line| line.split_ascii_whitespace().nth(1) == Some(what));
        found.unwrap_or_else(|| panic!("{what}: {doctor}"))
    };
    assert!(line("filefd").starts_with("ok"), "{doctor}");
    assert!(line("vmstat").starts_with("absent") && line("vmstat").contains("not present"), "{doctor}");
    assert!(line("meminfo").starts_with("limited") && line("meminfo").contains("may not be read"), "{doctor}");
    assert!(line("loadavg").starts_with("limited") && !line("loadavg").contains("may not be read"), "{doctor}");
}

#[tokio::test]
async fn what_goes_between_the_listing_and_the_opening_takes_nothing_else_along() {
    let home = tempfile::tempdir().expect("a directory");
    let root = home.path();
    machine_with_sensors(root, 3);
    // The name is listed and cannot be opened, as when its device goes in that moment.
    let gone = |path: &str| {
        let place = root.join(path);
        std::fs::create_dir_all(place.parent().expect("below the root")).expect("a directory of our own");
        std::os::unix::fs::symlink("/nowhere/at/all", place).expect("a link in a directory of our own");
    };
    gone("sys/class/hwmon/hwmon1");
    gone("sys/class/hwmon/hwmon0/temp4_input");
    gone("sys/class/thermal/thermal_zone0");
    gone("sys/class/power_supply/BAT0");
    gone("sys/class/net/veth1");
    gone("sys/block/sdz");
    write(root, "proc/1/stat", "1 (init) S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 1 1 1 1 1 1 1 1 1 0 0 0 0\n");
    gone("proc/2/stat");
    write(root, "proc/sys/kernel/threads-max", "1000\n");
    write(root, "proc/sys/kernel/pid_max", "1000\n");
    let said = run(Command::new(program("muster-agent")).args(["once", "--root"]).arg(root)).await;
    let found = samples(&said.out);
    let sensors = found.keys().filter(|name| name.starts_with("node_hwmon_temp_celsius")).count();
    assert_eq!(sensors, 3, "{}", said.all());
    assert_eq!(found.get("node_processes_pids"), Some(&1.0), "the process that is there is counted: {}", said.all());
    let failed: Vec<&String> = found
        .iter()
        .filter(|(name, value)| name.starts_with("node_scrape_collector_success") && **value == 0.0)
        .map(|(name, _)| name)
        .collect();
    let doctor = run(Command::new(program("muster-agent")).args(["doctor", "--root"]).arg(root)).await.all();
    for name in failed {
        let source = name.split('"').nth(1).expect("a label");
        let absent = doctor
            .lines()
            .any(|line| line.starts_with("absent") && line.split_ascii_whitespace().nth(1) == Some(source));
        assert!(absent, "{source} is not there at all, or it was hidden:\n{doctor}");
    }
}
