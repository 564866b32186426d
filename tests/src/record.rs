//! Records a session of this version's agent and collector, as bytes that every later version has to understand
//!
//! `MUSTER_BIN_DIR=target/dist/dev target/debug/record [FILE]` (default: tests/fixtures/wire/VERSION.session)
//!
//! An agent on a made-up machine is away from its collector for a while, stands still, has its clock set, then tells all that
//! it has: roll-ups, a gap, a step of its clock, checks, evidence of hardware and processes, an inventory; it is told to
//! move and says goodbye. This program sits between the two and keeps what passes: messages only, nothing of TLS. What it
//! asks the agent itself is written as a collector would. A file is never made anew for a version that was released: it
//! says what that version said.
//!
//! Needs libfaketime.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use muster_proto::v1::{self, ask::What, collector_message::Body};
use muster_tests::measure::figures::progress;
use muster_tests::process::{Process, root};
use muster_tests::raw::{Raw, facts};
use muster_tests::wait::pass;
use muster_tests::wire::{Door, Line, Recording, Side};
use muster_tests::{Agent, Collector, eventually, faketime};
use prost::Message as _;
use rustix::process::Signal;
use tokio::sync::mpsc;

/// How long anything may take.
const LONG: Duration = Duration::from_secs(180);
/// An agent that did not run for 30 s says so.
const STANDSTILL: Duration = Duration::from_secs(33);
/// The made-up machine.
const FILES: [(&str, &str); 12] = [
    ("proc/meminfo", "MemTotal:        2048000 kB\nMemFree:          512000 kB\nMemAvailable:    1024000 kB\n"),
    ("proc/loadavg", "0.25 0.50 0.75 1/100 1234\n"),
    ("proc/uptime", "1000.00 900.00\n"),
    (
        "proc/stat",
        "cpu  100 0 50 900 5 0 1 0 0 0\ncpu0 100 0 50 900 5 0 1 0 0 0\nctxt 12345\nbtime 1700000000\nprocesses 42\n",
    ),
    (
        "proc/mdstat",
        "Personalities : [raid1]\nmd0 : active raid1 sdb1[1](F) sda1[0]\n      1048576 blocks super 1.2 [2/1] [U_]\n\nunused devices: <none>\n",
    ),
    ("proc/sys/kernel/random/boot_id", "01234567-89ab-4def-8123-456789abcdef\n"),
    ("proc/sys/kernel/hostname", "recorded\n"),
    ("etc/os-release", "PRETTY_NAME=\"Example Linux 1\"\nID=example\nVERSION_ID=\"1\"\n"),
    ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann:/home/ann:/bin/bash\n"),
    ("etc/group", "root:x:0:\nann:x:1000:\nsudo:x:27:ann\n"),
    (
        "var/lib/dpkg/status",
        "Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1\n\nPackage: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2.15-2\n",
    ),
    ("srv/job", "done\n"),
];
/// What it watches itself.
const SETTINGS: &str = "interval = \"1s\"\n[collect]\nhardware_interval = \"1m\"\n[inventory]\ninterval = \"1m\"\n\
    [[check]]\nname = \"job\"\nkind = \"file_age\"\npath = \"/srv/job\"\ncritical_age = \"24000h\"\n\
    interval = \"1s\"\nretry_interval = \"1s\"\ntimeout = \"1s\"\nattempts = 2\n";
/// What its collector adds.
const CENTRAL: &str = "[[check]]\nname = \"central\"\nkind = \"tcp\"\naddress = \"127.0.0.1:9\"\n\
    interval = \"1s\"\nretry_interval = \"1s\"\ntimeout = \"1s\"\nattempts = 2\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // One TLS provider for the process; it can only be there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let version = env!("CARGO_PKG_VERSION");
    let usual = root().join(format!("tests/fixtures/wire/{version}.session"));
    let file = std::env::args_os().nth(1).map_or(usual, PathBuf::from);
    let mut collector = Collector::start("").await;
    let raw = Raw::enrolled(&collector, facts("recorded")).await;
    let settings = collector.home().join("settings.toml");
    std::fs::write(&settings, CENTRAL)?;
    collector.cli(&["settings", "set", "all", &settings.to_string_lossy()]).await;
    let agent = Agent::of_captured_machine();
    for (name, text) in FILES {
        let path = agent.home().join("root").join(name);
        std::fs::create_dir_all(path.parent().context("it lies in a directory")?)?;
        std::fs::write(path, text)?;
    }
    std::fs::create_dir_all(agent.home().join("commands"))?;
    agent.configure(SETTINGS);
    let door = Door::open().await;
    door.enrol(&agent.state());
    let (asks, asked) = mpsc::channel(4);
    let (listens, drained) = (AtomicBool::new(false), AtomicBool::new(false));
    let (recording, ()) = tokio::join!(
        carried(door, &raw, asked, &listens, &drained),
        told(&mut collector, &raw, &agent, asks, &listens, &drained),
    );
    let comment = format!(
        "A session of Muster {version}: what its agent (>) and its collector (<) said, message by message, in base64.\n\
         Made by tests/src/record.rs, of a machine that is made up there."
    );
    std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
    std::fs::write(&file, recording?.text(&comment)).with_context(|| file.display().to_string())?;
    progress(&format!("{}", file.display()));
    Ok(())
}

/// Carries the messages of the first session that begins once it `listens`, and keeps them.
async fn carried(
    mut door: Door,
    raw: &Raw,
    mut asks: mpsc::Receiver<Body>,
    listens: &AtomicBool,
    drained: &AtomicBool,
) -> Result<Recording> {
    let mut line = door.call().await;
    while !listens.load(Ordering::Relaxed) {
        // The agent is without a collector, and tries again.
        drop(line);
        line = door.call().await;
    }
    let mut kept = Recording::default();
    let hello = line.next().await?.context("the agent says who it is")?;
    kept.0.push((Side::Agent, hello.clone()));
    let Line { say: to_collector, hear: mut of_collector } = Line::open(raw.connect().await, hello).await?;
    let Line { say: to_agent, hear: mut of_agent } = line;
    let mut to_collector = Some(to_collector);
    loop {
        tokio::select! {
            said = of_agent.message(), if to_collector.is_some() => {
                let Ok(Some(bytes)) = said else { to_collector = None; continue };
                kept.0.push((Side::Agent, bytes.clone()));
                if let Some(collector) = &to_collector {
                    collector.send(bytes).await?;
                }
            }
            said = of_collector.message() => {
                // One that was asked to move says goodbye to whom it is leaving.
                let Ok(Some(bytes)) = said else {
                    while let Ok(Some(bytes)) = of_agent.message().await {
                        kept.0.push((Side::Agent, bytes));
                    }
                    return Ok(kept);
                };
                let body = v1::CollectorMessage::decode(&bytes[..])?.body;
                drained.fetch_or(matches!(body, Some(Body::Drain(_))), Ordering::Relaxed);
                kept.0.push((Side::Collector, bytes.clone()));
                // An agent that has left hears no more.
                let _ = to_agent.send(bytes).await;
            }
            Some(body) = asks.recv() => {
                let bytes = v1::CollectorMessage { body: Some(body) }.encode_to_vec();
                kept.0.push((Side::Collector, bytes.clone()));
                to_agent.send(bytes).await?;
            }
        }
    }
}

/// What happens to the agent.
async fn told(
    collector: &mut Collector,
    raw: &Raw,
    agent: &Agent,
    asks: mpsc::Sender<Body>,
    listens: &AtomicBool,
    drained: &AtomicBool,
) {
    let clock = agent.home().join("clock");
    std::fs::write(&clock, "+0\n").expect("a file in a directory of our own");
    let mut command = agent.command_on_machine("run");
    command.env("LD_PRELOAD", faketime::library()).env("FAKETIME_TIMESTAMP_FILE", &clock).env("FAKETIME_NO_CACHE", "1");
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
    let process = Process::start("the agent", &mut command, &agent.home().join("agent.log"));
    let says = |words: &'static str| {
        let process = &process;
        eventually(words, LONG, move || async move { process.log().contains(words).then_some(()) })
    };
    says("kept as roll-ups").await;
    progress("it is without a collector");
    pass(Duration::from_secs(5)).await;
    process.signal(Signal::STOP);
    pass(STANDSTILL).await;
    process.signal(Signal::CONT);
    says("the agent did not run for").await;
    std::fs::write(&clock, "+3600\n").expect("a file in a directory of our own");
    says("the wall clock was set").await;
    listens.store(true, Ordering::Relaxed);
    progress("it has one");
    let watched = &*collector;
    let kept = |kind: &'static str, count: usize| {
        eventually(kind, LONG, move || async move { (watched.facts(kind).len() >= count).then_some(()) })
    };
    for kind in ["rollup", "gap", "clock_step", "checks"] {
        kept(kind, 1).await;
        progress(kind);
    }
    let path = format!("/api/v1/hosts/{}/evidence", raw.host);
    let found = || async {
        let all = watched.get(&path).await.json();
        all["items"].as_array().into_iter().flatten().any(|item| item["source"] == "mdstat").then_some(())
    };
    eventually("its array is found", LONG, found).await;
    progress("evidence");
    let path = format!("/api/v1/hosts/{}/inventory", raw.host);
    let whole = || async {
        let all = watched.get(&path).await.json();
        (all["sections"]["volumes"].is_object() && all["sections"]["packages"]["rows"][0].is_object()).then_some(())
    };
    eventually("every section is told", LONG, whole).await;
    progress("inventory");
    let before = watched.facts("checks").len();
    std::fs::remove_file(agent.home().join("root/srv/job")).expect("our own file");
    kept("checks", before + 2).await;
    for (id, what) in [(7, What::AreYouThere(true)), (8, What::EvidenceSource("processes".into()))] {
        asks.send(Body::Ask(v1::Ask { id, what: Some(what) })).await.expect("the session lives");
    }
    let looked = || async { watched.facts("evidence").iter().any(|fact| fact["source"] == "processes").then_some(()) };
    eventually("it has looked at its processes", LONG, looked).await;
    let leaves = async {
        eventually("it is told to move", LONG, || async { drained.load(Ordering::Relaxed).then_some(()) }).await;
        process.stop().await
    };
    let (_, code) = tokio::join!(collector.stop(), leaves);
    assert_eq!(code, 0, "the agent leaves in peace");
}
