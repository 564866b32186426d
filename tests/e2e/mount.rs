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
