//! What the agent costs on machines on which there is far too much of something
//!
//! `crowd [--pairs 2500] [--mounts 5000] [--seconds 120]`
//!
//! The released agent three times at 5 s, in the same minutes: on this machine as it is, in a network namespace with so
//! many pairs of veth interfaces, and in a mount namespace with so many tmpfs and as many bind mounts of one file system.
//! CPU is that of all threads to the nanosecond, what is read once a minute in; bytes are TCP payload. Needs root.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::figures::{Table, flag, progress, say, short};
use muster_tests::measure::meter;
use muster_tests::network::Network;
use muster_tests::process::{Process, installed, program, run};
use muster_tests::wait::{eventually, pass};
use muster_tests::{Agent, Collector, http};
use tokio::process::Command;

const EVERY: Duration = Duration::from_secs(5);
/// Before anything is measured: what is read once has been read.
const SETTLE: Duration = Duration::from_secs(70);
/// Mounts, then becomes the agent.
const MOUNTS: &str = r#"
import ctypes, os, sys
place, mounts, program = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
libc = ctypes.CDLL(None, use_errno=True)
def mount(source, point, kind, flags, data):
    os.mkdir(point)
    if libc.mount(source.encode(), point.encode(), kind, flags, data):
        sys.exit(f"mount {point}: " + os.strerror(ctypes.get_errno()))
mount("one", f"{place}/one", b"ramfs", 0, None)
for n in range(mounts):
    mount("many", f"{place}/{n}", b"tmpfs", 0, b"size=64k,nr_inodes=16")
    mount(f"{place}/one", f"{place}/one{n}", None, 4096, None)
os.execv(program[0], program)
"#;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure())
}

/// One agent.
struct Subject {
    what: String,
    agent: Agent,
    pid: i32,
    network: Option<Network>,
    _process: Option<Process>,
}

/// What it had used up at one moment.
struct Used {
    cpu: f64,
    bytes: f64,
}

impl Subject {
    async fn ordinary(collector: &Collector) -> Self {
        let mut agent = Agent::enrolled(collector, "normal", None).await;
        configure(&agent);
        agent.run();
        let pid = agent.process().pid();
        Self { what: "this machine as it is".to_owned(), agent, pid, network: None, _process: None }
    }

    async fn among_interfaces(collector: &Collector, pairs: usize) -> Result<Self> {
        let network = Network::make().await;
        let mut agent = Agent::enrolled(collector, "normal", Some(&network)).await;
        configure(&agent);
        let lines: String = (0..pairs).map(|n| format!("link add veth{n} type veth peer name peer{n}\n")).collect();
        let file = agent.home().join("batch");
        std::fs::write(&file, lines)?;
        let said = run(Command::new("ip").args(["-n", &network.name, "-batch"]).arg(&file)).await;
        ensure!(said.code == 0, "{}", said.err);
        agent.run();
        let pid = agent.process().pid();
        let what = format!("{} veth interfaces", 2 * pairs);
        Ok(Self { what, agent, pid, network: Some(network), _process: None })
    }

    async fn among_mounts(collector: &Collector, mounts: usize) -> Result<Self> {
        let agent = Agent::enrolled(collector, "normal", None).await;
        configure(&agent);
        let place = agent.home().join("mounts");
        std::fs::create_dir(&place)?;
        let mut command = Command::new(installed("unshare", "util-linux"));
        command.args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.args(["/usr/bin/python3", "-c", MOUNTS]).arg(place).arg(mounts.to_string());
        command.arg(program("muster-agent")).arg("--config").arg(agent.home().join("agent.toml")).arg("run");
        let process = Process::start("the agent among mounts", &mut command, &agent.home().join("agent.log"));
        let parent = process.pid();
        let child = || async {
            let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
            children.split_ascii_whitespace().next()?.parse::<i32>().ok()
        };
        let pid = eventually("unshare has its child", Duration::from_secs(10), child).await;
        let what = format!("{} mounts", 2 * mounts);
        Ok(Self { what, agent, pid, network: None, _process: Some(process) })
    }

    async fn used(&self, port: u16) -> Used {
        let namespace = self.network.as_ref().map(|network| &*network.name);
        let bytes = meter::carried_in(namespace, port, Some(self.pid)).await.up;
        Used { cpu: meter::fine_cpu_seconds(self.pid), bytes }
    }
}

fn configure(agent: &Agent) {
    agent.configure(&format!("interval = \"{}s\"", EVERY.as_secs()));
}

async fn measure() -> Result<()> {
    let (pairs, mounts, seconds): (usize, usize, u64) =
        (flag("--pairs", 2_500), flag("--mounts", 5_000), flag("--seconds", 120));
    let collector = Collector::start("").await;
    let subjects = [
        Subject::ordinary(&collector).await,
        Subject::among_interfaces(&collector, pairs).await?,
        Subject::among_mounts(&collector, mounts).await?,
    ];
    for subject in &subjects {
        collector.host_is(&subject.agent.host, "up", Duration::from_secs(60)).await;
    }
    progress("all are up");
    pass(SETTLE).await;
    let (from_ns, mut before) = (boottime_ns(), Vec::new());
    for subject in &subjects {
        before.push(subject.used(collector.grpc).await);
    }
    pass(Duration::from_secs(seconds)).await;
    let collections = (boottime_ns() - from_ns) as f64 / 1e9 / EVERY.as_secs_f64();

    let mut table =
        Table::new(&["", "series", "CPU ms/collection", "RSS KiB", "PSS KiB", "heap KiB", "threads", "bytes/report"]);
    for (subject, before) in subjects.iter().zip(&before) {
        let after = subject.used(collector.grpc).await;
        let page = http::get(&collector.url(&format!("/hosts/{}/metrics", subject.agent.host))).await;
        let memory = meter::memory(subject.pid);
        let figures = [
            http::samples(&page.context("the collector is silent")?.body).len() as f64,
            (after.cpu - before.cpu) * 1e3 / collections,
            memory.rss,
            memory.pss,
            memory.anonymous,
            meter::threads(subject.pid) as f64,
            (after.bytes - before.bytes) / collections,
        ];
        table.row([subject.what.clone()].into_iter().chain(figures.map(short)));
    }
    say(&format!(
        "{} collections in {seconds} s; load average at the end {}",
        short(collections),
        meter::load_average()
    ));
    say("");
    table.print();
    Ok(())
}
