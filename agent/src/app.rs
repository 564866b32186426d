//! Wires the agent: one thread, one loop for the collector, one for collecting, one for who scrapes this machine itself.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::check::board::Board;
use crate::check::remote::RemoteChecks;
use crate::checker;
use crate::clock;
use crate::collecting::Collecting;
use crate::config::Config;
use crate::exporter;
use crate::gather::Gatherer;
use crate::hardware::prove::Proofs;
use crate::hardware::running::{BATCHES_MAX, Running};
use crate::hardware::told::Told;
use crate::host::Host;
use crate::identity::CURRENT;
use crate::inventory::tell::Order;
use crate::platform;
use crate::spool::{Limits, RealFiles, Spool};
use crate::state::{Lock, StateDir, StateError};
use crate::telemetry;
use crate::uplink::{Pace, Parts, Plan, READINGS_MAX, Uplink, UplinkError, Watch};

/// A collection that takes longer than this says which source is late; the rest is on time.
const COLLECT_DEADLINE: Duration = Duration::from_secs(1);
/// Milliseconds in which the inventory is taken: more than all budgets of sections that hang one after the other.
const TAKE_MS: u64 = 600_000;
/// For the answer to a farewell that somebody waits for.
const FAREWELL: Duration = Duration::from_secs(5);
/// `Goodbye.why`.
const SHUTDOWN: u32 = 1;
const REBOOT: u32 = 2;
const AGENT_STOP: u32 = 4;
const UNINSTALL: u32 = 6;

/// Why the agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The uplink.
    #[error(transparent)]
    Uplink(#[from] UplinkError),
}

/// Runs the agent until `shutdown`, then says goodbye. `again` is how another one looks at the same machine.
///
/// # Errors
/// When the state directory cannot be used or holds no usable identity. An absent collector is no error.
pub async fn run(config: Config, host: Host, again: Again, shutdown: impl Future<Output = ()>) -> Result<(), AppError> {
    let local = config.local();
    let some_may_come = local.remote_checks != RemoteChecks::None;
    let board = (some_may_come || !config.checks.is_empty()).then(|| Arc::new(Board::new(config.checks)));
    let host = match &board {
        Some(board) => host.with_checks(board),
        None => host,
    };
    let state = StateDir::open(&config.state)?;
    let _lock = state.lock()?;
    let spool = Spool::open(&state.file("spool"), Limits::default(), Box::new(RealFiles), clock::now());
    let (collected, readings) = mpsc::channel(READINGS_MAX);
    let (report_every, told_every) = watch::channel(Watch::default().settings().report);
    let (found, hardware) = mpsc::channel(BATCHES_MAX);
    let position = Told::load(&state).position();
    let proofs = Proofs::planned(config.prove, state.clone());
    let uplink = Uplink::new(Parts {
        state,
        host: host.clone(),
        labels: config.labels,
        local,
        addresses: config.addresses,
        proxy: config.proxy,
        spool,
        readings,
        hardware: config.hardware.map(|_| hardware),
        inventory: config.inventory.map(|interval| plan(interval, &host, again)),
        report_every,
        now: clock::now,
        pace: Pace::default(),
    })?;
    let mut tasks = JoinSet::new();
    let asks = config.exporter.map(|address| {
        let (asks, asked) = mpsc::channel(exporter::CONNECTIONS_MAX);
        tasks.spawn(exporter::serve(address, asks));
        asked
    });
    if let Some(board) = board {
        tracing::info!(checks = board.definitions().len(), "checks that this machine runs");
        tasks.spawn(checker::run(host.clone(), board));
    }
    if let Some(interval) = config.hardware {
        tasks.spawn(Running { host: host.clone(), interval, position, proofs, found, now: clock::now }.run());
    }
    let collecting = Collecting {
        gatherer: Gatherer::start(host.clone()),
        deadline: COLLECT_DEADLINE,
        own: config.interval,
        told: told_every,
        collected,
        asks,
        now: clock::now,
    };
    tasks.spawn(collecting.run());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), state = %config.state.display(), "the agent runs");
    telemetry::ready("not connected yet");
    uplink
        .run(shutdown, async || {
            telemetry::stopping();
            why_stopping(&host)
        })
        .await;
    tasks.shutdown().await;
    host.kill_running();
    tracing::info!("the agent has stopped");
    Ok(())
}

/// Tells the collector that this machine's agent, which must not run any more, goes for good. Nothing where the machine is not
/// enrolled; otherwise why nobody heard it.
pub async fn farewell(config: Config, host: Host) -> Option<Result<(), String>> {
    // Looking for an identity makes no directory.
    if !config.state.join(CURRENT).exists() {
        return None;
    }
    Some(match to_say_farewell(config, host) {
        Ok((uplink, _lock)) => uplink.farewell(UNINSTALL).await,
        Err(error) => Err(error.to_string()),
    })
}

/// An uplink that has nothing to report.
fn to_say_farewell(config: Config, host: Host) -> Result<(Uplink, Lock), AppError> {
    let local = config.local();
    let state = StateDir::open(&config.state)?;
    let lock = state.lock()?;
    let spool = Spool::open(&state.file("spool"), Limits::default(), Box::new(RealFiles), clock::now());
    let (_, readings) = mpsc::channel(READINGS_MAX);
    let (report_every, _) = watch::channel(Watch::default().settings().report);
    let uplink = Uplink::new(Parts {
        state,
        host,
        labels: config.labels,
        local,
        addresses: config.addresses,
        proxy: config.proxy,
        spool,
        readings,
        hardware: None,
        inventory: None,
        report_every,
        now: clock::now,
        pace: Pace { farewell: FAREWELL, ..Pace::default() },
    })?;
    Ok((uplink, lock))
}

/// Arguments with which another one looks at the same machine and has the same state: those before the command and those
/// behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Again {
    /// Configuration and state.
    pub before: Vec<String>,
    /// The machine.
    pub after: Vec<String>,
}

/// The inventory is taken by a process that ends with it, so that its memory is not this one's.
fn plan(interval: Duration, host: &Host, again: Again) -> Plan {
    let host = host.clone();
    let take = move |order: &Order| {
        let arguments = [&again.before[..], &order.arguments(), &again.after].concat();
        match host.run_self(&arguments, TAKE_MS) {
            Ok(output) if output.code == Some(0) => {}
            Ok(output) => tracing::warn!(code = output.code, "the inventory was not taken whole"),
            Err(error) => tracing::warn!(%error, "the inventory was not taken whole"),
        }
    };
    Plan { interval, take: Arc::new(take) }
}

/// Whether only the agent stops or the machine with it: systemd's queue of jobs names the target it is on the way to.
fn why_stopping(host: &Host) -> u32 {
    if platform::going_down() {
        return SHUTDOWN;
    }
    let jobs = host
        .run("systemctl", &["list-jobs", "--no-legend", "--plain"], 500)
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match jobs {
        Ok(jobs) if jobs.contains("reboot.target") || jobs.contains("kexec.target") => REBOOT,
        Ok(jobs) if ["poweroff.target", "halt.target", "shutdown.target"].iter().any(|name| jobs.contains(name)) => {
            SHUTDOWN
        }
        _ => AGENT_STOP,
    }
}

/// Where the state directory is: the command line wins over the file.
#[must_use]
pub fn with_state(mut config: Config, state: Option<&Path>) -> Config {
    if let Some(state) = state {
        config.state = state.to_path_buf();
    }
    config
}
