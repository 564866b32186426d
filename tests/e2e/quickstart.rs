//! One command for a newcomer.

use std::path::Path;

use muster_tests::process::{Process, free_port, program, root, run};
use muster_tests::{Webhook, http};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::Command;

use crate::s;

struct Quickstart {
    home: TempDir,
    http: u16,
    grpc: u16,
}

impl Quickstart {
    fn new() -> Self {
        Self { home: TempDir::new().expect("a directory"), http: free_port(), grpc: free_port() }
    }

    fn command(&self, more: &[&str]) -> Command {
        // As from a terminal: what runs in the background of a script ignores Ctrl-C, and its children with it.
        let mut command = Command::new("env");
        command
            .arg("--default-signal=INT")
            .arg(root().join("deploy/quickstart"))
            .arg("--state")
            .arg(self.home.path().join("state"))
            .args(["--http", &self.http.to_string(), "--grpc", &self.grpc.to_string()])
            .args(more)
            // What is shipped is built in minutes; the story is the same with the programs of this test run.
            .env("MUSTER_BIN_DIR", program("muster-agent").parent().unwrap_or(Path::new("/")));
        command
    }

    async fn start(&self, more: &[&str]) -> Process {
        let log = self.home.path().join("said");
        let _ = std::fs::remove_file(&log);
        let mut process = Process::start("quickstart", &mut self.command(more), &log);
        let last = format!("ready http://127.0.0.1:{}/", self.http);
        let look = || async { std::fs::read_to_string(&log).ok().filter(|said| said.lines().last() == Some(&last)) };
        process.ready(s(90), look).await;
        process
    }

    async fn hosts(&self) -> Vec<serde_json::Value> {
        let answer = http::get(&format!("http://127.0.0.1:{}/api/v1/hosts", self.http)).await.expect("it answers");
        answer.json()["items"].as_array().cloned().unwrap_or_default()
    }

    fn pid(&self, of: &str) -> i32 {
        let text = std::fs::read_to_string(self.home.path().join("state").join(of)).expect("quickstart keeps the ids");
        text.trim().parse().expect("a process id")
    }
}

fn runs(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn quickstart_shows_this_machine_up_with_real_figures_and_ctrl_c_leaves_nothing_running() {
    let quickstart = Quickstart::new();
    let process = quickstart.start(&[]).await;
    let said = process.log();
    for part in ["/metrics", "/prometheus/sd", "sign in", "state, logs", "add another machine", "token create"] {
        assert!(said.contains(part), "{part} is not said:\n{said}");
    }
    let hosts = quickstart.hosts().await;
    assert_eq!((hosts.len(), hosts[0]["state"].as_str()), (1, Some("up")));
    let id = hosts[0]["id"].as_str().expect("a host has an id");
    let metrics =
        http::get(&format!("http://127.0.0.1:{}/hosts/{id}/metrics", quickstart.http)).await.expect("it answers");
    let memory = http::samples(&metrics.body)["node_memory_MemTotal_bytes"];
    let kernel = std::fs::read_to_string("/proc/meminfo").expect("Linux");
    let kib: f64 = kernel.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("MemTotal is first");
    assert!((memory - kib * 1024.0).abs() < 1.0, "{memory} is this machine's memory ({kib} KiB)");

    let children = [quickstart.pid("agent.pid"), quickstart.pid("collector.pid")];
    process.signal(Signal::INT);
    assert_eq!(process.ended(s(30)).await, 0);
    assert!(children.iter().all(|child| !runs(*child)), "both have ended");
}

#[tokio::test]
async fn a_second_quickstart_goes_on_with_the_same_state_and_its_webhook_gets_the_pages() {
    let quickstart = Quickstart::new();
    let first = quickstart.start(&[]).await;
    let id = quickstart.hosts().await[0]["id"].clone();
    assert_eq!(first.stop().await, 0);

    let hook = Webhook::start().await;
    let second = quickstart.start(&["--watch", "fast", "--webhook", &hook.url()]).await;
    let hosts = quickstart.hosts().await;
    assert_eq!((hosts.len(), &hosts[0]["id"], hosts[0]["watch"].as_str()), (1, &id, Some("fast")));

    let agent = rustix::process::Pid::from_raw(quickstart.pid("agent.pid")).expect("a process id");
    let collector = quickstart.pid("collector.pid");
    rustix::process::kill_process(agent, Signal::KILL).expect("it runs");
    // A child that dies ends quickstart, which says so; the collector is stopped with it.
    let log = second.log();
    assert_eq!(second.ended(s(30)).await, 1, "{log}");
    assert!(!runs(collector), "the collector is not left behind");
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_remedy() {
    let quickstart = Quickstart::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", quickstart.http)).expect("a free port");
    let said = run(&mut quickstart.command(&[])).await;
    assert_eq!(said.code, 1);
    assert!(said.err.contains(&quickstart.http.to_string()) && said.err.contains("--http"), "{}", said.err);
    drop(taken);
}

#[tokio::test]
async fn wrong_options_are_named_with_what_is_expected() {
    let quickstart = Quickstart::new();
    for (wrong, part) in
        [(["--watch", "often"], "fast or normal"), (["--http", "0"], "port"), (["--colour", "1"], "--colour")]
    {
        let said = run(&mut quickstart.command(&wrong)).await;
        assert_eq!(said.code, 64, "{}", said.err);
        assert!(said.err.contains(part) && said.err.contains("--help"), "{}", said.err);
    }
    let help = run(&mut quickstart.command(&["--help"])).await;
    assert!(help.code == 0 && help.out.contains("--webhook URL"), "{}", help.out);
}
