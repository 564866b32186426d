//! A collector on what a power cut left: does it start by itself, and has it kept its word?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use muster_agent::clock::boottime_ns;
use serde_json::Value;

use super::cut::{Cut, Dice};
use super::look::{self, Held};
use super::promise::{Promised, Word};
use super::scene::{ALERT, Recording, reads, record, says, session};
use crate::collector::Entry;
use crate::raw::Talk;
use crate::wait::eventually;
use crate::webhook::Message;
use crate::{Collector, Webhook, http};

/// A start after a cut, on a machine that does much else.
const START: Duration = Duration::from_secs(60);
/// What was owed is paid by then.
const OWED: Duration = Duration::from_secs(30);
/// The collector notes each 5 s that it runs; the rest is for a busy machine.
const BEAT_MS: i64 = 8_000;

/// What came of one cut.
#[derive(Debug)]
pub struct Verdict {
    /// Whether it started by itself.
    pub has_started: bool,
    /// Promises that were looked at.
    pub promises: usize,
    /// What was broken, in words.
    pub broken: Vec<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Lays down what the cut left and looks.
///
/// # Panics
/// Never: what panics within is a broken promise, told with its words.
#[expect(clippy::disallowed_methods, reason = "joined at once: a panic within is told")]
pub async fn judge(recording: &Arc<Recording>, cut: &Cut) -> Verdict {
    let from_ns = boottime_ns();
    let promised = Promised::at(&recording.words, cut.at_ns);
    let promises = promised.count();
    let started = Arc::new(AtomicBool::new(false));
    let work = {
        let (recording, cut, started) = (Arc::clone(recording), cut.clone(), Arc::clone(&started));
        tokio::spawn(async move { look(&recording, &cut, &promised, &started).await })
    };
    let broken = match work.await {
        Ok(Ok(broken)) => broken,
        Ok(Err(error)) => vec![format!("{error:#}")],
        Err(error) => vec![in_words(error)],
    };
    let has_started = started.load(Ordering::Relaxed);
    Verdict { has_started, promises, broken, seconds: (boottime_ns() - from_ns) as f64 / 1e9 }
}

/// The words of a panic.
pub(super) fn in_words(error: tokio::task::JoinError) -> String {
    let words = error.try_into_panic().ok().and_then(|words| words.downcast::<String>().ok());
    words.map_or_else(|| "it broke off without a word".to_owned(), |words| *words)
}

async fn look(recording: &Recording, cut: &Cut, promised: &Promised, started: &AtomicBool) -> Result<Vec<String>> {
    let hook = Webhook::start().await;
    let collector = Collector::prepare(&hook.receiver());
    recording.disk.left(cut.at_ns, &mut Dice::of(cut, &recording.disk)).put(&collector.state())?;
    let start_ms = muster_agent::clock::now().wall_ms;
    let mut process = collector.spawn();
    let (url, socket) = (collector.url("/-/ready"), collector.state().join("api.sock"));
    let ready = || async { http::get(&url).await.filter(|answer| answer.status == 200 && socket.exists()) };
    process.ready(START, ready).await;
    started.store(true, Ordering::Relaxed);
    let mut broken: Vec<String> = set_aside(&collector)?;
    let (mut told, mut sessions) = (BTreeMap::new(), Vec::new());
    for host in &promised.enrolled {
        match host_goes_on(recording, &collector, promised, *host).await {
            Ok((last, talk)) => {
                told.insert(*host, last);
                sessions.push(talk);
            }
            Err(error) => broken.push(format!("host {host}: {error:#}")),
        }
    }
    let before: Vec<&Message> =
        recording.pages.iter().filter(|(at_ns, _)| *at_ns <= cut.at_ns).map(|(_, page)| page).collect();
    broken.extend(link_works(&before, &collector).await);
    broken.extend(owed(&before, &hook, promised).await);
    ensure!(
        http::get(&collector.url("/api/v1/incidents")).await.is_some_and(|answer| answer.status == 200),
        "no incidents"
    );
    let code = process.stop().await;
    drop(sessions);
    ensure!(code == 0, "it stopped with {code}");
    let held = look::held(&collector.state()).await?;
    broken.extend(missing(recording, promised, &held, &told));
    broken.extend(too_much(recording, promised, &held, &told));
    broken.extend(ledgers(recording, promised, &collector, cut, start_ms));
    Ok(broken)
}

/// Files that it gave up.
fn set_aside(collector: &Collector) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(collector.state())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.contains(".corrupt-") {
            found.push(format!("it gave up {name}"));
        }
    }
    Ok(found)
}

/// A host comes back with what it was promised, is up, and its next record is taken; returns that record's number and the session.
async fn host_goes_on(
    recording: &Recording,
    collector: &Collector,
    promised: &Promised,
    host: usize,
) -> Result<(u64, Talk)> {
    let of = |map: &BTreeMap<usize, u64>| map.get(&host).copied().unwrap_or(0);
    let (stored, sends, generation) = (of(&promised.stored), of(&promised.sends), of(&promised.generation));
    let raw = recording.hosts[host].at(collector);
    let (mut talk, welcome) = session(&raw, host, generation, stored).await?;
    if welcome.through < stored {
        bail!("records were acknowledged through {stored}, and it knows them through {}", welcome.through);
    }
    if welcome.through > sends {
        bail!("records were sent through {sends}, and it knows them through {}", welcome.through);
    }
    let next = welcome.through + 1;
    ensure!(talk.send(record(host, next)).await, "the session ended");
    talk.acknowledged(next).await.context("the next record")?;
    reads(&talk).await;
    collector.host_is(&raw.host, "up", START).await;
    Ok((next, talk))
}

/// Waits until all that has to be told is told, and says what was told that must not be.
async fn owed(before: &[&Message], hook: &Webhook, promised: &Promised) -> Vec<String> {
    let is = |page: &Message, kind: &str, name: &str| page.kind() == kind && page.body["data"]["component"] == name;
    let lacking = || {
        let after = hook.messages();
        let told = |kind: &str, name: &str| before.iter().copied().chain(&after).any(|page| is(page, kind, name));
        // Nobody is called about what a person has.
        let opened = promised.raised.difference(&promised.takes).filter(|name| !told("incident.opened", name));
        let opened = opened.map(|name| format!("{name} opened"));
        let ended = promised
            .ended
            .iter()
            .filter(|name| !told("incident.resolved", name))
            .map(|name| format!("{name} resolved"));
        opened.chain(ended).collect::<Vec<_>>()
    };
    let end_ns = boottime_ns() + u64::try_from(OWED.as_nanos()).unwrap_or(0);
    let done = || async { (lacking().is_empty() || boottime_ns() > end_ns).then_some(()) };
    eventually("all is told, or time is over", OWED * 2, done).await;
    let mut broken: Vec<String> = lacking().into_iter().map(|what| format!("never paged: {what}")).collect();
    for page in hook.messages() {
        let no = page.body["data"]["page"].as_i64().unwrap_or_default();
        let told = || format!("page {no} ({} of {})", page.kind(), page.body["data"]["component"]);
        if promised.marked.contains(&no) {
            broken.push(format!("{} was recorded as accepted and is sent again", told()));
        }
        if let Some(old) = before.iter().find(|old| old.id == page.id && words(old) != words(&page)) {
            broken.push(format!("{} comes again as {}, and was {}", told(), words(&page), words(old)));
        }
    }
    broken
}

/// What a page says: all but the address of the collector, which is another one after the cut.
fn words(page: &Message) -> Value {
    let mut body = page.body.clone();
    for name in ["url", "act_url"] {
        let path = path_of(&body["data"][name]).map(str::to_owned);
        if let Some(path) = path {
            body["data"][name] = path.into();
        }
    }
    body
}

/// What follows the address in a URL.
fn path_of(url: &Value) -> Option<&str> {
    let (_, rest) = url.as_str()?.split_once("://")?;
    rest.find('/').map(|at| &rest[at..])
}

/// The link in the last page that was sent still leads to its incident.
async fn link_works(before: &[&Message], collector: &Collector) -> Option<String> {
    let path = before.iter().rev().find_map(|page| path_of(&page.body["data"]["act_url"]))?;
    let answer = http::get(&collector.url(path)).await;
    let status = answer.map_or(0, |answer| answer.status);
    (status != 200).then(|| format!("the link {path} in a page is answered with {status}"))
}

/// What was promised and is not there.
fn missing(recording: &Recording, promised: &Promised, held: &Held, told: &BTreeMap<usize, u64>) -> Vec<String> {
    let mut broken = held.unsound.clone();
    for host in &promised.enrolled {
        let id = &recording.hosts[*host].host;
        if !held.hosts.contains(id) {
            broken.push(format!("host {host} was enrolled and is not there"));
        }
        // The one that was told after the cut follows what had been stored: all of them are there.
        let last = told.get(host).copied().unwrap_or(0).max(promised.stored.get(host).copied().unwrap_or(0));
        let lost =
            (1..=last).filter(|sequence| held.records.get(&(id.clone(), *sequence)) != Some(&says(*host, *sequence)));
        let lost: Vec<u64> = lost.collect();
        if !lost.is_empty() {
            broken.push(format!("host {host}: of {last} records {lost:?} are not there as they were sent"));
        }
    }
    for name in &promised.raised {
        match held.incidents.get(name) {
            Some((1, _)) => {}
            other => {
                broken.push(format!("{name} was taken and has {} incidents", other.map_or(0, |(count, _)| *count)))
            }
        }
    }
    let open = promised.ended.iter().filter(|name| held.incidents.get(*name).is_some_and(|(_, is_over)| !is_over));
    broken.extend(open.map(|name| format!("{name} was over and is open")));
    broken
        .extend(promised.taken.difference(&held.taken).map(|name| format!("somebody took {name}, and nobody has it")));
    broken
}

/// What is there and never was.
fn too_much(recording: &Recording, promised: &Promised, held: &Held, told: &BTreeMap<usize, u64>) -> Vec<String> {
    let mut broken = Vec::new();
    let known: BTreeSet<&String> = promised.enrols.iter().map(|host| &recording.hosts[*host].host).collect();
    broken.extend(held.hosts.iter().filter(|id| !known.contains(id)).map(|id| format!("host {id} never enrolled")));
    for (id, sequence) in held.records.keys() {
        let host = recording.hosts.iter().position(|raw| raw.host == *id);
        let last = host.map_or(0, |host| {
            told.get(&host).copied().unwrap_or(0).max(promised.sends.get(&host).copied().unwrap_or(0))
        });
        if *sequence > last {
            broken.push(format!("record {sequence} of {id} was never sent"));
        }
    }
    let never = held.incidents.keys().filter(|name| !promised.raises.contains(*name) && name.starts_with(ALERT));
    broken.extend(never.map(|name| format!("{name} was never raised")));
    broken.extend(held.taken.difference(&promised.takes).map(|name| format!("nobody took {name}")));
    broken
}

/// The ledger of each host goes on without a hole, and says that nobody was watching while the power was away.
fn ledgers(recording: &Recording, promised: &Promised, collector: &Collector, cut: &Cut, start_ms: i64) -> Vec<String> {
    let mut broken = Vec::new();
    let cut_ms = i64::try_from(cut.at_ns / 1_000_000).unwrap_or(i64::MAX);
    for host in &promised.up {
        let entries = collector.ledger(&recording.hosts[*host].host);
        for pair in entries.windows(2).filter(|pair| pair[0].to_ms != pair[1].from_ms) {
            broken.push(format!("host {host}: a hole in its ledger between {:?} and {:?}", pair[0], pair[1]));
        }
        if let Some(entry) = entries.iter().find(|entry| entry.state == "down") {
            broken.push(format!("host {host} was never down: {entry:?}"));
        }
        // Since it was heard last, or since the collector noted last that it ran.
        let heard = recording.words.iter().rev().find(|(at_ns, word)| {
            *at_ns <= cut.at_ns && matches!(word, Word::Stored(of, _) | Word::Up(of) if of == host)
        });
        let heard_ms = heard.map_or(cut_ms, |(at_ns, _)| i64::try_from(at_ns / 1_000_000).unwrap_or(cut_ms));
        let fits = |entry: &Entry| {
            let since = heard_ms - BEAT_MS..=cut_ms;
            entry.state == "collector_down" && entry.to_ms >= start_ms && since.contains(&entry.from_ms)
        };
        if !entries.iter().any(fits) {
            let last: Vec<_> = entries.iter().rev().take(3).collect();
            broken.push(format!("host {host}: nothing says that nobody watched from {cut_ms} to {start_ms}: {last:?}"));
        }
    }
    broken
}
