//! Machines with mounts of their own: one that hangs, as a dead NFS server's does, and one that makes a second machine of
//! this. Needs root, /dev/fuse and namespaces.

use muster_tests::http::samples;
use muster_tests::process::{Process, installed, program, run};
use muster_tests::{Agent, Collector, eventually, never};
use tokio::process::Command;

use crate::s;

/// Mounts a FUSE file system that nobody ever answers for, in a mount namespace of its own, and becomes the agent, which
/// inherits the descriptor: with the last process in the namespace the mount is gone.
const HANGING: &str = r#"
import ctypes, os, sys
point, program = sys.argv[1], sys.argv[2:]
fuse = os.open("/dev/fuse", os.O_RDWR)
os.set_inheritable(fuse, True)
data = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"dead-server:/export", point.encode(), b"fuse", 0, data):
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
os.execv(program[0], program)
"#;

#[tokio::test]
async fn with_a_mount_that_hangs_reports_stay_on_time_and_say_device_error_for_it() {
    let collector = Collector::start("").await;
    let agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure("interval = \"1s\"");
    let point = agent.home().join("hangs");
    std::fs::create_dir(&point).expect("a directory of our own");
    let mut command = Command::new(installed("unshare", "util-linux"));
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "/usr/bin/python3", "-c", HANGING])
        .arg(&point)
        .arg(program("muster-agent"))
        .arg("--config")
        .arg(agent.home().join("agent.toml"))
        .arg("run");
    let process = Process::start("the agent beside a hung mount", &mut command, &agent.home().join("agent.log"));
    collector.host_is(&agent.host, "up", s(20)).await;

    let path = format!("/hosts/{}/metrics", agent.host);
    let mountpoint = format!("mountpoint=\"{}\"", point.display());
    let said = || async {
        let samples = samples(&collector.get(&path).await.body);
        let of = |family: &str, place: &str| {
            let found = samples.iter().find(|(name, _)| name.starts_with(family) && name.contains(place));
            found.map(|(_, value)| *value)
        };
        let stuck = of("node_filesystem_device_error", &mountpoint) == Some(1.0);
        let others = of("node_filesystem_size_bytes", "mountpoint=\"/\"").is_some_and(|bytes| bytes > 0.0);
        (stuck && others).then_some(())
    };
    eventually("the mount is in error and the others have sizes", s(15), said).await;

    let last = format!("muster_host_last_report_timestamp_seconds{{host=\"{}\"}}", agent.name);
    let late = || async {
        let last = collector.metric(&last).await.expect("it reported");
        let age_s = muster_agent::clock::now().wall_ms as f64 / 1_000.0 - last;
        (age_s > 4.0).then_some(age_s)
    };
    never("a report each second is four seconds late", s(5), late).await;
    collector.host_is(&agent.host, "up", s(1)).await;
    let page = collector.get(&format!("/hosts/{}", agent.host)).await.body;
    assert!(page.contains(&point.display().to_string()), "the view names the mount\n{page}\n{}", process.tail());
}

/// The same for a source: its directory is a file system that does not answer for so many seconds and then breaks.
const SLOW: &str = r#"
import ctypes, os, subprocess, sys, time
point, seconds, program = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
fuse = os.open("/dev/fuse", os.O_RDWR)
data = f"fd={fuse},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"slow-sensor", point.encode(), b"fuse", 0, data):
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
agent = subprocess.Popen(program)
time.sleep(seconds)
os.close(fuse)
sys.exit(agent.wait())
"#;

#[tokio::test]
async fn with_a_source_that_takes_20_seconds_all_others_are_on_time_and_it_is_said_which() {
    let collector = Collector::start("").await;
    let agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure("interval = \"1s\"");
    let mut command = Command::new(installed("unshare", "util-linux"));
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "/usr/bin/python3", "-c", SLOW]);
    command.args(["/proc/pressure", "20"]).arg(program("muster-agent"));
    command.arg("--config").arg(agent.home().join("agent.toml")).arg("run");
    let process = Process::start("the agent with a slow source", &mut command, &agent.home().join("agent.log"));
    collector.host_is(&agent.host, "up", s(20)).await;

    let path = format!("/hosts/{}/metrics", agent.host);
    let page = || async { samples(&collector.get(&path).await.body) };
    let success = |source: &str| format!("node_scrape_collector_success{{collector=\"{source}\"}}");
    let stuck = || async {
        let page = page().await;
        let of = |source: &str| page.get(&success(source)).copied();
        let others = ["loadavg", "stat", "meminfo", "netdev", "filesystem"].iter().all(|one| of(one) == Some(1.0));
        (others && of("pressure") == Some(0.0)).then_some(())
    };
    eventually("all but the slow one are read", s(15), stuck).await;
    let view = || async {
        let view = collector.get(&format!("/hosts/{}", agent.host)).await.body;
        (view.contains("pressure") && view.contains("has not returned")).then_some(())
    };
    eventually("the view says which and why", s(10), view).await;

    let late = || async {
        let time = page().await.get("node_time_seconds").copied().expect("each report says the time");
        let age_s = muster_agent::clock::now().wall_ms as f64 / 1_000.0 - time;
        (age_s > 4.0).then_some(age_s)
    };
    never("a report each second is four seconds late", s(15), late).await;
    let threads = std::fs::read_to_string(format!("/proc/{}/status", child_of(process.pid()))).unwrap_or_default();
    let threads: u32 = threads.lines().find_map(|line| line.strip_prefix("Threads:")?.trim().parse().ok()).unwrap_or(0);
    assert!((1..=5).contains(&threads), "{threads} threads\n{}", process.tail());
}

/// The process at the end of a chain of only children.
fn child_of(pid: i32) -> i32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_ascii_whitespace().next().and_then(|child| child.parse().ok()).map_or(pid, child_of)
}

/// Runs `once` and `doctor` after `script` has changed this machine, seen by the agent alone.
async fn on_another_machine(script: &str, user: &str) -> (String, String) {
    let home = tempfile::tempdir_in("/tmp").expect("a directory");
    let copy = home.path().join("muster-agent");
    std::fs::copy(program("muster-agent"), &copy).expect("a copy in a directory of our own");
    let mut said = Vec::new();
    for word in ["once", "doctor"] {
        // Process 1 is the shell, as on a machine it is another's than the agent.
        let script = format!(
            "set -e; {script}; chmod 755 {home}; setpriv {user} {agent} {word}; exit 0",
            home = home.path().display(),
            agent = copy.display()
        );
        let mut command = Command::new(installed("unshare", "util-linux"));
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &script]);
        said.push(run(&mut command).await);
    }
    (said[0].out.clone(), said[1].all())
}

const NOBODY: &str = "--reuid=65534 --regid=65534 --clear-groups";

#[tokio::test]
async fn with_hidden_processes_and_no_rights_the_machine_is_read_all_the_same() {
    let script = "mount -o remount,hidepid=2 /proc";
    let (page, doctor) = on_another_machine(script, NOBODY).await;
    let found = samples(&page);
    for source in ["stat", "meminfo", "loadavg", "diskstats", "netdev", "netclass", "vmstat", "filesystem", "filefd"] {
        let success = format!("node_scrape_collector_success{{collector=\"{source}\"}}");
        assert_eq!(found.get(&success), Some(&1.0), "{source}\n{page}\n{doctor}");
    }
    assert!(found.keys().any(|name| name.starts_with("node_filesystem_size_bytes")), "{page}");
    assert!(doctor.contains("limited") && doctor.contains("->"), "what is missing has its remedy:\n{doctor}");
}

#[tokio::test]
async fn without_sys_what_proc_says_is_read_and_the_rest_is_absent() {
    let script = "mount -t tmpfs -o ro none /sys";
    let (page, doctor) = on_another_machine(script, "--bounding-set=-all --inh-caps=-all").await;
    let found = samples(&page);
    for source in ["stat", "cpu", "meminfo", "loadavg", "diskstats", "netdev", "vmstat", "filesystem", "filefd"] {
        let success = format!("node_scrape_collector_success{{collector=\"{source}\"}}");
        assert_eq!(found.get(&success), Some(&1.0), "{source}\n{page}\n{doctor}");
    }
    let line = |what: &str| doctor.lines().find(|line| line.split_ascii_whitespace().nth(1) == Some(what));
    for source in ["hwmon", "thermal_zone", "dmi"] {
        assert!(line(source).is_some_and(|line| line.starts_with("absent")), "{source}\n{doctor}");
    }
}

#[tokio::test]
async fn an_agent_on_a_cloned_state_directory_is_told_what_to_do_and_the_first_stays() {
    let collector = Collector::start("").await;
    let agent = Agent::up(&collector, "fast").await;
    let copy = agent.home().join("copy");
    let said = run(Command::new("cp").arg("-a").arg(agent.state()).arg(&copy)).await;
    assert_eq!(said.code, 0, "{}", said.err);
    let (boot, config) = (agent.home().join("boot_id"), agent.home().join("copy.toml"));
    std::fs::write(&config, format!("state = \"{}\"\n", copy.display())).expect("a file in a directory of our own");
    // Another machine has another boot; all else is equal here.
    std::fs::write(&boot, "01234567-89ab-4cde-8f01-23456789abcd\n").expect("a file in a directory of our own");
    let script = r#"mount --bind "$1" /proc/sys/kernel/random/boot_id && exec "$2" --config "$3" run"#;
    let mut second = Command::new(installed("unshare", "util-linux"));
    second.args(["--mount", "sh", "-c", script, "sh"]).arg(&boot).arg(program("muster-agent")).arg(&config);
    let log = agent.home().join("clone.log");
    let mut second = Process::start("the clone", &mut second, &log);
    let told = || async { std::fs::read_to_string(&log).ok().filter(|log| log.contains("in use on another machine")) };
    let told = second.ready(s(15), told).await;
    assert!(told.contains("enrol this one with a token of its own"), "{told}");
    assert!(collector.metric("muster_reports_refused_total{reason=\"clone\"}").await >= Some(1.0));
    collector.host_is(&agent.host, "up", s(5)).await;
    let log = agent.log();
    assert_eq!(log.matches("the collector listens").count(), 1, "the first stays:\n{log}");
}
