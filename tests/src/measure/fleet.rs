//! Many simulated hosts in one process of its own, each with its key, its certificate, its spool and its connection,
//! through the agent's real enrolment and the agent's real uplink. Only the readings are replayed.
//!
//! The measuring program starts itself again as that process and tells it on standard input what to do.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use muster_agent::identity::{Enrolment, Outcome, Token, enrol};
use muster_agent::spool::{Kind, Limits, RealFiles, Spool};
use muster_agent::state::StateDir;
use muster_agent::uplink::{Pace, Parts, READINGS_MAX, Uplink, Watch};
use muster_agent::{report, uplink::UplinkError};
use muster_proto::v1;
use prost::Message as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::Instant;

use super::figures::{flag, say};
use super::machine::{CLOCK_AHEAD_MS, Machine, furnish, now};
use super::recording::Recording;
use crate::process::installed;
use crate::wait::pass;

/// The word that makes the program be the simulated hosts.
pub const ROLE: &str = "agents";
/// Seconds between reports at the normal level, which is also how far a replay goes on.
pub const REPORT_SECONDS: usize = 15;
/// The least share of values that changes from report to report.
const CHANGING: f64 = 0.22;
/// Threads, and so runtimes, of the simulated hosts.
const THREADS: usize = 2;
/// Between two enrolments from one address; the collector lets 50 a second of its own machine in.
const ENROL_EVERY: Duration = Duration::from_millis(25);
/// Between two connections of one thread: 200 a second in all.
const CONNECT_EVERY: Duration = Duration::from_millis(10);
/// Records that every host has in its spool when it connects.
const GAPS: u64 = 5;
/// What the wall clocks are set ahead by on command: enough for every host to record it, too little to be a problem.
const STEP_MS: i64 = 2_500;
/// `Goodbye.why`: the agent stops.
const AGENT_STOP: u32 = 4;

static FED: AtomicU64 = AtomicU64::new(0);
static LATE: AtomicU64 = AtomicU64::new(0);

/// What the simulated hosts do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Wait,
    Beats,
    Reports,
    Stop,
}

/// What the simulated hosts are made from.
#[derive(Debug, Clone)]
struct Plan {
    /// The number of the first host; others have those before and after.
    first: usize,
    hosts: usize,
    port: u16,
    /// Where the collector is dialled; nothing: at several loopback addresses.
    address: Option<String>,
    home: PathBuf,
}

/// Which simulated hosts a process is, and where it runs.
#[derive(Debug, Clone, Default)]
pub struct Share {
    /// The number of the first host.
    pub first: usize,
    /// How many.
    pub hosts: usize,
    /// Series of each.
    pub series: usize,
    /// For how many seconds this machine is recorded.
    pub record: usize,
    /// The network in which it runs, and how the collector is dialled there; nothing: this machine's own.
    pub network: Option<(String, String)>,
}

/// The process of the simulated hosts, seen from the measuring program.
#[derive(Debug)]
pub struct Fleet {
    child: Child,
    orders: ChildStdin,
    words: Lines<BufReader<ChildStdout>>,
}

impl Fleet {
    /// Starts it; it records this machine and enrols.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start(hosts: usize, series: usize, record: usize, port: u16, home: &Path) -> Result<Self> {
        Self::start_share(&Share { hosts, series, record, ..Share::default() }, port, home)
    }

    /// Starts the process of a part of the hosts; those that are enrolled stay who they are.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start_share(share: &Share, port: u16, home: &Path) -> Result<Self> {
        let own = std::env::current_exe()?;
        let mut command = match &share.network {
            Some((name, _)) => {
                let mut inside = Command::new(installed("ip", "iproute2"));
                inside.args(["netns", "exec", name]).arg(own);
                inside
            }
            None => Command::new(own),
        };
        command.arg(ROLE);
        if let Some((_, address)) = &share.network {
            command.args(["--address", address]);
        }
        let mut child = command
            .args(["--first", &share.first.to_string(), "--hosts", &share.hosts.to_string()])
            .args(["--series", &share.series.to_string(), "--record", &share.record.to_string()])
            .args(["--port", &port.to_string()])
            .arg("--home")
            .arg(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().context("a pipe was asked for")?;
        let words = BufReader::new(child.stdout.take().context("a pipe was asked for")?).lines();
        Ok(Self { child, orders, words })
    }

    /// Tells it what to do: `connect`, `beats`, `reports`, `step` or `stop`.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn order(&mut self, word: &str) -> Result<()> {
        self.orders.write_all(format!("{word}\n").as_bytes()).await.context("the simulated hosts have ended")
    }

    /// Waits for a line that begins with `word` and returns the rest of it.
    ///
    /// # Errors
    /// When it ends before or says nothing in time.
    pub async fn wait(&mut self, word: &str, within: Duration) -> Result<String> {
        let found = async {
            while let Some(line) = self.words.next_line().await? {
                if let Some(rest) = line.strip_prefix(word) {
                    return Ok(rest.trim().to_owned());
                }
            }
            bail!("the simulated hosts ended: {:?}", self.child.wait().await?)
        };
        tokio::time::timeout(within, found).await.with_context(|| format!("no word {word:?} within {within:?}"))?
    }
}

/// Is the process of the simulated hosts, until it is told to stop.
///
/// # Errors
/// When hosts cannot be enrolled or begun.
pub fn serve() -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = Some(flag("--address", String::new())).filter(|address| !address.is_empty());
    let plan = Plan {
        first: flag("--first", 0),
        hosts: flag("--hosts", 1),
        address,
        ..Plan::single(&flag("--home", PathBuf::new()), flag("--port", 0))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let recording = runtime.block_on(async {
        let mut recording = Recording::make(flag("--record", 120)).await.with_series(flag("--series", 300));
        let before = recording.changing(REPORT_SECONDS);
        let livened = recording.liven(REPORT_SECONDS, CHANGING);
        say(&format!(
            "recorded {} series, of which {:.1} % change in {REPORT_SECONDS} s ({:.1} % before {livened} still counters \
             were made to count); the machine itself says {} series",
            recording.tracks.len(),
            recording.changing(REPORT_SECONDS) * 100.0,
            before * 100.0,
            recording.own_series,
        ));
        recording
    });
    let tokens = std::fs::read_to_string(plan.home.join("tokens"))?;
    runtime.block_on(LocalSet::new().run_until(enrol_all(&plan, &tokens)))?;
    say("enrolled");
    let (tell, mode) = watch::channel(Mode::Wait);
    let recording = Arc::new(recording);
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (plan, recording, mode) = (plan.clone(), Arc::clone(&recording), mode.clone());
            std::thread::spawn(move || run_share(thread, &plan, &recording, mode))
        })
        .collect();
    obey(&tell);
    let (mut records, mut acknowledged) = (0, 0);
    for thread in threads {
        let (last, through) = thread.join().map_err(|_| anyhow::anyhow!("a thread of simulated hosts panicked"))??;
        records += last;
        acknowledged += through;
    }
    let (fed, late) = (FED.load(Ordering::Relaxed), LATE.load(Ordering::Relaxed));
    say(&format!("done {records} {acknowledged} {fed} {late}"));
    Ok(())
}

/// Reads orders until `stop` or until nobody is there to give any.
fn obey(tell: &watch::Sender<Mode>) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        match line.as_str() {
            "connect" | "beats" => drop(tell.send_replace(Mode::Beats)),
            "reports" => drop(tell.send_replace(Mode::Reports)),
            "step" => drop(CLOCK_AHEAD_MS.fetch_add(STEP_MS, Ordering::Relaxed)),
            _ => break,
        }
    }
    tell.send_replace(Mode::Stop);
}

/// Enrols one simulated host and returns its name.
///
/// # Errors
/// When it is refused.
pub async fn enrol_single(home: &Path, number: usize, port: u16, token: &str) -> Result<String> {
    enrol_one(Plan::single(home, port), number, Token::parse(token)?).await
}

/// Is one simulated host, which reports this machine's readings of now again and again, until it is killed.
///
/// # Errors
/// When it has no identity.
pub fn serve_one(home: &Path, number: usize, port: u16) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plan = Plan::single(home, port);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(async {
        let machine = Machine::new(number, Arc::new(Recording::make(0).await));
        let (_tell, mode) = watch::channel(Mode::Reports);
        run_host(plan, number, machine, mode, Duration::ZERO).await
    }))?;
    Ok(())
}

/// Enrols every host over gRPC, each with its own key; the tokens are used in turn.
async fn enrol_all(plan: &Plan, tokens: &str) -> Result<()> {
    let tokens: Vec<&str> = tokens.split_ascii_whitespace().collect();
    let mut tasks = JoinSet::new();
    for number in plan.numbers() {
        if plan.is_enrolled(number) {
            continue;
        }
        let token = Token::parse(tokens.get(number % tokens.len().max(1)).context("no token")?)?;
        tasks.spawn_local(enrol_one(plan.clone(), number, token));
        pass(ENROL_EVERY).await;
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

async fn enrol_one(plan: Plan, number: usize, token: Token) -> Result<String> {
    let host = furnish(&plan.machine(number), number)?;
    let order = Enrolment {
        addresses: vec![plan.address(number)],
        proxy: None,
        token,
        facts: report::host_facts(&host, &[]),
        fingerprint: report::fingerprint(&host),
        replace: false,
    };
    match enrol(&plan.state(number)?, &order, now).await.with_context(|| format!("host {number}"))? {
        Outcome::Enrolled { identity, .. } | Outcome::Already(identity) => Ok(identity.name),
    }
}

/// Runs every [`THREADS`]-th host on this thread; returns how many records they made and how many are acknowledged.
fn run_share(
    thread: usize,
    plan: &Plan,
    recording: &Arc<Recording>,
    mut mode: watch::Receiver<Mode>,
) -> Result<(u64, u64)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(async {
        mode.wait_for(|mode| *mode != Mode::Wait).await?;
        let mut hosts = JoinSet::new();
        for number in plan.numbers().skip(thread).step_by(THREADS) {
            let machine = Machine::new(number, Arc::clone(recording));
            let phase =
                Duration::from_secs(REPORT_SECONDS as u64).mul_f64((number - plan.first) as f64 / plan.hosts as f64);
            hosts.spawn_local(run_host(plan.clone(), number, machine, mode.clone(), phase));
            pass(CONNECT_EVERY).await;
        }
        let (mut records, mut acknowledged) = (0, 0);
        while let Some(done) = hosts.join_next().await {
            let (last, through) = done??;
            records += last;
            acknowledged += through;
        }
        Ok((records, acknowledged))
    }))
}

/// One host, from its first connection to its goodbye.
async fn run_host(
    plan: Plan,
    number: usize,
    machine: Machine,
    mode: watch::Receiver<Mode>,
    phase: Duration,
) -> Result<(u64, u64)> {
    let state = plan.state(number)?;
    let mut spool = open_spool(&state);
    for _ in 0..GAPS {
        append_gap(&mut spool, number);
    }
    let (collected, readings) = mpsc::channel(READINGS_MAX);
    let (report_every, _told) = watch::channel(Watch::default().settings().report);
    let uplink = Uplink::new(Parts {
        state: state.clone(),
        host: muster_agent::host::Host::captured(plan.machine(number), None),
        labels: Vec::new(),
        local: muster_agent::check::remote::Local::default(),
        addresses: vec![plan.address(number)],
        proxy: None,
        spool,
        readings,
        hardware: None,
        inventory: None,
        report_every,
        now,
        pace: Pace::default(),
    })
    .map_err(|error: UplinkError| anyhow::anyhow!("host {number}: {error}"))?;
    let mut stop = mode.clone();
    let stopped = async move { drop(stop.wait_for(|mode| *mode == Mode::Stop).await) };
    tokio::join!(uplink.run(stopped, async || AGENT_STOP), feed(machine, collected, mode, phase));
    let spool = open_spool(&state);
    Ok((spool.last(), spool.acked()))
}

/// Collects once at the start, as an agent does, then every 15 s at a moment of its own while reports are wanted.
async fn feed(
    mut machine: Machine,
    collected: mpsc::Sender<muster_agent::gather::Gathered>,
    mode: watch::Receiver<Mode>,
    phase: Duration,
) {
    let _ = collected.try_send(machine.collect(REPORT_SECONDS));
    let mut due = Instant::now() + phase;
    loop {
        due += Duration::from_secs(REPORT_SECONDS as u64);
        tokio::select! {
            () = collected.closed() => return,
            () = pass(due - Instant::now()) => {}
        }
        if *mode.borrow() == Mode::Reports {
            let taken = collected.try_send(machine.collect(REPORT_SECONDS)).is_ok();
            if taken { &FED } else { &LATE }.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn open_spool(state: &StateDir) -> Spool {
    Spool::open(&state.file("spool"), Limits::default(), Box::new(RealFiles), now())
}

fn append_gap(spool: &mut Spool, number: usize) {
    let now = now();
    let mut boot_id = [0; 16];
    boot_id[8..].copy_from_slice(&(number as u64).to_be_bytes());
    let record = v1::Record {
        sequence: 0,
        boot_id: boot_id.to_vec(),
        clock: Some(v1::Clock { wall_ms: now.wall_ms, boottime_ms: now.boottime_ms }),
        body: Some(report::gap_record("measurement", now, now, 1, "written by the load generator")),
    };
    spool.append(Kind::Bulk, now, record.encode_to_vec());
}

impl Plan {
    fn single(home: &Path, port: u16) -> Self {
        Self { first: 0, hosts: 1, port, address: None, home: home.to_path_buf() }
    }

    fn numbers(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.hosts
    }

    fn is_enrolled(&self, number: usize) -> bool {
        self.home.join(format!("state-{number}/identity.json")).exists()
    }

    /// One of several loopback addresses, so that none runs out of ports.
    fn address(&self, number: usize) -> String {
        match &self.address {
            Some(address) => format!("{address}:{}", self.port),
            None => format!("127.0.0.{}:{}", 1 + number % 8, self.port),
        }
    }

    fn machine(&self, number: usize) -> PathBuf {
        self.home.join(format!("machine-{number}"))
    }

    fn state(&self, number: usize) -> Result<StateDir> {
        Ok(StateDir::open(&self.home.join(format!("state-{number}")))?)
    }
}
