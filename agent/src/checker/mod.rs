//! Runs the service checks that are due, each within its own deadline. Nothing here waits for collecting or the uplink, nor they for this.
//!
//! What talks over the network runs on the agent's own thread, which never waits in it; what may block (plugins, files,
//! systemd) on a thread of its own that lives as long as the run. A thread that does not come back is left alone, and its
//! check is not begun anew until it does.

mod certificate;
mod dns;
mod file_age;
mod http;
mod icmp;
mod plugin;
mod process;
mod tcp;
mod tls;
mod unit;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::check::board::Board;
use crate::check::turn::{self, Turn};
use crate::check::{Definition, Kind, Outcome, Status};
use crate::clock;
use crate::host::Host;
use crate::identity::random_ratio;

/// Runs at one time; what is due beyond waits for its turn.
const AT_ONCE: usize = 16;
/// Stack of a thread that may block, in bytes.
const STACK_BYTES: usize = 256 * 1024;
/// A plugin is killed so much before its check is given up.
const KILLED_BEFORE: Duration = Duration::from_millis(500);

/// One check between its runs.
struct Place {
    check: Arc<Definition>,
    turn: Turn,
    /// When it was last ok, or else began to be run.
    proven: Instant,
    due: Instant,
    runs: bool,
    /// Held by a thread of this check while it lives.
    thread: Arc<()>,
}

type UnderWay = JoinSet<(Arc<Definition>, Outcome, Duration)>;

/// Runs the checks of `board` for ever.
pub async fn run(host: Host, board: Arc<Board>) {
    let mut places = follow(Vec::new(), board.definitions());
    let mut under_way = UnderWay::new();
    loop {
        begin_due(&mut places, &host, &mut under_way);
        let waiting = places.iter().filter(|place| !place.runs).map(|place| place.due).min();
        let room = under_way.len() < AT_ONCE;
        tokio::select! {
            Some(ended) = under_way.join_next() => {
                // A run that panicked would be a bug; it is begun again no more, and the others go on.
                let Ok((check, outcome, took)) = ended else { continue };
                take(&mut places, &board, &check, outcome, took);
            }
            () = until(waiting), if room && waiting.is_some() => {}
            () = board.redefined() => places = follow(places, board.definitions()),
        }
    }
}

/// Places for these checks: those that stay keep theirs, the others are spread over the time to their first runs.
fn follow(before: Vec<Place>, checks: Vec<Arc<Definition>>) -> Vec<Place> {
    let mut known: BTreeMap<String, Place> =
        before.into_iter().map(|place| (place.check.name.clone(), place)).collect();
    let (begun, count) = (Instant::now(), checks.len());
    let place = |(index, check): (usize, Arc<Definition>)| match known.remove(&check.name) {
        Some(place) if Arc::ptr_eq(&place.check, &check) => place,
        other => Place {
            due: begun + turn::first(index, count, random_ratio(), check.interval),
            check,
            turn: Turn::default(),
            proven: begun,
            runs: false,
            // A run that hangs keeps the next one out, however the check is defined by then.
            thread: other.map_or_else(Arc::default, |place| place.thread),
        },
    };
    checks.into_iter().enumerate().map(place).collect()
}

/// Runs each check once, for a person who asks.
pub async fn once(host: &Host, board: &Arc<Board>) {
    let mut places = follow(Vec::new(), board.definitions());
    let mut left: Vec<Arc<Definition>> = board.definitions();
    left.reverse();
    let mut under_way = UnderWay::new();
    loop {
        while under_way.len() < AT_ONCE
            && let Some(check) = left.pop()
        {
            under_way.spawn(one(check, host.clone(), Arc::default()));
        }
        let Some(ended) = under_way.join_next().await else { return };
        if let Ok((check, outcome, took)) = ended {
            take(&mut places, board, &check, outcome, took);
        }
    }
}

fn begin_due(places: &mut [Place], host: &Host, under_way: &mut UnderWay) {
    let now = Instant::now();
    // The longest overdue first, so that none is passed over for ever.
    while under_way.len() < AT_ONCE {
        let due = places.iter_mut().filter(|place| !place.runs && place.due <= now);
        let Some(place) = due.min_by_key(|place| place.due) else { return };
        place.runs = true;
        under_way.spawn(one(Arc::clone(&place.check), host.clone(), Arc::clone(&place.thread)));
    }
}

fn take(places: &mut [Place], board: &Board, check: &Arc<Definition>, outcome: Outcome, took: Duration) {
    let Some(place) = places.iter_mut().find(|place| Arc::ptr_eq(&place.check, check)) else { return };
    let tell = place.turn.take(outcome.status, check);
    let wait = place.turn.wait(check);
    let now = Instant::now();
    if outcome.status == Status::Ok {
        place.proven = now;
    }
    // At its own pace; a run that took longer than the pause is followed by the next one at once, not by several.
    place.due = (place.due + wait).max(now);
    if wait == check.retry_interval {
        place.due = now + wait;
    }
    place.runs = false;
    board.put(check, outcome, took.as_secs_f64(), place.turn.attempt(), place.proven, tell);
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// One run within its deadline.
async fn one(definition: Arc<Definition>, host: Host, thread: Arc<()>) -> (Arc<Definition>, Outcome, Duration) {
    let begun = Instant::now();
    // The place of the check holds one, and so does this run.
    let outcome = if Arc::strong_count(&thread) > 2 {
        Outcome::new(Status::Unknown, "an earlier run hangs and has not returned")
    } else {
        let late = || {
            Outcome::new(late(&definition.kind), format!("no outcome within {} s", definition.timeout.as_secs_f64()))
        };
        timeout(definition.timeout, outcome(&definition, host, thread)).await.unwrap_or_else(|_| late())
    };
    (definition, outcome, begun.elapsed())
}

/// Who does not answer over the network in time is out of service; of what hangs here nothing can be told.
fn late(kind: &Kind) -> Status {
    match kind {
        Kind::Tcp(_) | Kind::Http(_) | Kind::Certificate(_) | Kind::Dns(_) | Kind::Icmp(_) => Status::Critical,
        Kind::Unit(_) | Kind::Process(_) | Kind::FileAge(_) | Kind::Plugin(_) => Status::Unknown,
    }
}

async fn outcome(definition: &Definition, host: Host, thread: Arc<()>) -> Outcome {
    let now_s = clock::now().wall_ms.div_euclid(1000);
    let number = (random_ratio() * f64::from(u16::MAX)) as u16;
    let within = definition.timeout.saturating_sub(KILLED_BEFORE);
    let within_ms = within.as_millis() as u64;
    match &definition.kind {
        Kind::Tcp(address) => tcp::run(address).await,
        Kind::Http(check) => http::run(check, &host).await,
        Kind::Certificate(check) => certificate::run(check, now_s).await,
        Kind::Dns(check) => dns::run(check, &host, number).await,
        Kind::Icmp(check) => icmp::run(check, number, definition.timeout).await,
        Kind::Unit(name) => {
            let name = name.clone();
            apart(thread, move || unit::run(&name, &host, within_ms)).await
        }
        Kind::Process(check) => {
            let check = check.clone();
            apart(thread, move || process::run(&check, &host)).await
        }
        Kind::FileAge(check) => {
            let check = check.clone();
            apart(thread, move || file_age::run(&check, &host, now_s)).await
        }
        Kind::Plugin(check) => {
            let check = check.clone();
            apart(thread, move || plugin::run(&check, &host, within_ms)).await
        }
    }
}

/// Does `work` on a thread of its own.
async fn apart(thread: Arc<()>, work: impl FnOnce() -> Outcome + Send + 'static) -> Outcome {
    let (sender, receiver) = oneshot::channel();
    let spawned =
        std::thread::Builder::new().name("muster-check".to_owned()).stack_size(STACK_BYTES).spawn(move || {
            // Nobody waits any more for what is late.
            let _ = sender.send(work());
            drop(thread);
        });
    match spawned {
        Ok(_) => receiver.await.unwrap_or_else(|_| Outcome::new(Status::Unknown, "the run ended without an outcome")),
        Err(error) => Outcome::new(Status::Unknown, format!("no thread could be started: {error}")),
    }
}
