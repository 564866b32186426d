//! The inventory on its way to the collector: taken while a session is open, told section by section.
//!
//! What the collector is told is made when it can be sent and not kept for later: while nobody listens nothing piles up.
//! Of one section at a time records are on their way; what the collector then has is remembered when it has acknowledged
//! them all. Where it has something else it says so, and the section is sent in full; so nothing here need outlive a power
//! failure, and nothing waits for the disk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use muster_proto::v1;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Uplink;
use crate::identity::random_ratio;
use crate::inventory::tell::{Order, file, messages, section_of};
use crate::inventory::{SECTIONS, hash, is_name};
use crate::report;
use crate::spool::Kind;
use crate::state::StateDir;

/// What is remembered between starts.
const FILE: &str = "inventory.json";
/// Longest file of records that is read: 20 000 rows are some MiB.
const RECORDS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Before the first inventory of a start, and how much later it may be by chance, so that a fleet that starts together does
/// not tell together.
const FIRST: Duration = Duration::from_secs(2);
const SPREAD: Duration = Duration::from_secs(60);
/// In a session of days hashes are compared so often.
const COMPARE: Duration = Duration::from_secs(24 * 3600);
/// The thread that waits for the other process.
const STACK_BYTES: usize = 256 * 1024;

/// How the inventory is taken.
#[derive(Clone)]
pub struct Plan {
    /// How often, about: a tenth earlier or later by chance.
    pub interval: Duration,
    /// Takes it and leaves what is to be told in the state directory ([`crate::inventory::tell`]); may take minutes.
    pub take: Arc<dyn Fn(&Order) + Send + Sync>,
}

/// Taking it, under way.
type Taking = Pin<Box<dyn Future<Output = ()>>>;

/// Records of a section that are in the spool.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Pending {
    section: String,
    /// The last of them, in this epoch of the spool.
    through: u64,
    epoch: String,
    /// What the section is then.
    hash: String,
}

/// What outlives the process.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Remembered {
    /// Sections that the collector has, by hash.
    known: BTreeMap<String, String>,
    pending: Option<Pending>,
}

/// Telling the inventory.
pub(super) struct Telling {
    plan: Option<Plan>,
    remembered: Remembered,
    due: Instant,
    compared: Instant,
    pub(super) taking: Option<Taking>,
    /// What is being taken is compared with what another collector had.
    stale: bool,
    /// Sections that the collector wants in full.
    full: BTreeSet<String>,
    /// Sections whose records wait for their turn.
    waiting: VecDeque<String>,
}

impl Telling {
    pub(super) fn new(plan: Option<Plan>, state: &StateDir) -> Self {
        let bytes = state.read(FILE).ok().flatten();
        let remembered: Remembered = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let interval = plan.as_ref().map_or(SPREAD, |plan| plan.interval);
        let later = SPREAD.min(interval / 10).mul_f64(random_ratio());
        let now = Instant::now();
        Self {
            plan,
            remembered,
            due: now + FIRST.min(interval) + later,
            compared: now,
            taking: None,
            stale: false,
            full: BTreeSet::new(),
            waiting: VecDeque::new(),
        }
    }

    /// The hash over all that the collector has; empty where it has nothing.
    pub(super) fn hash(&self) -> Vec<u8> {
        if self.remembered.known.is_empty() {
            return Vec::new();
        }
        let known = self.known();
        hash::inventory(known.iter().map(|(name, hash)| (name.as_str(), *hash))).to_le_bytes().to_vec()
    }

    /// The first inventory is taken at once.
    #[cfg(test)]
    pub(super) fn hasten(&mut self) {
        self.due = Instant::now();
    }

    /// The section whose records are under way.
    #[cfg(test)]
    pub(super) fn pending_section(&self) -> Option<&str> {
        self.remembered.pending.as_ref().map(|pending| pending.section.as_str())
    }

    fn known(&self) -> BTreeMap<String, u128> {
        let known = self.remembered.known.iter();
        known.filter_map(|(name, spelled)| Some((name.clone(), hash::read(spelled)?))).collect()
    }

    fn is_idle(&self) -> bool {
        self.taking.is_none() && self.waiting.is_empty() && self.remembered.pending.is_none()
    }

    /// When to take it next, where somebody listens.
    pub(super) fn due(&self) -> Option<Instant> {
        let is_due = self.plan.is_some() && self.is_idle();
        is_due.then_some(if self.full.is_empty() { self.due } else { self.compared })
    }

    fn save(&self, state: &StateDir) {
        let bytes = serde_json::to_vec(&self.remembered).expect("texts and numbers: nothing in it can fail");
        if let Err(error) = state.write_unsynced(FILE, &bytes) {
            tracing::warn!(%error, "what the collector has of the inventory could not be kept for the next start");
        }
    }

    /// What lies there and is not on its way would not fit to what the collector has by then.
    fn discard(&mut self, state: &StateDir) {
        let pending = self.remembered.pending.as_ref().map(|pending| pending.section.as_str());
        for name in state.names() {
            let stale = section_of(&name, "records").is_some()
                || section_of(&name, "next").is_some_and(|section| Some(section) != pending);
            if stale && let Err(error) = state.remove(&name) {
                tracing::debug!(%error, "a file of the inventory could not be removed");
            }
        }
        self.waiting.clear();
    }
}

impl Uplink {
    /// Somebody listens, and says what it has.
    pub(super) fn inventory_welcomed(&mut self, sections: &[v1::SectionHash]) {
        let state = &self.parts.state;
        let telling = &mut self.telling;
        if telling.plan.is_none() {
            return;
        }
        let was_telling = !telling.waiting.is_empty();
        let spelled = |hash: &[u8]| Some(hash::spelled(u128::from_le_bytes(hash.try_into().ok()?)));
        let named = sections.iter().filter(|one| is_name(&one.section));
        let known: BTreeMap<String, String> =
            named.filter_map(|one| Some((one.section.clone(), spelled(&one.hash)?))).collect();
        telling.discard(state);
        telling.stale = telling.taking.is_some();
        let epoch = hash::spelled(u128::from_le_bytes(self.parts.spool.epoch()));
        telling.remembered.pending.take_if(|pending| pending.epoch != epoch);
        if was_telling || known != telling.remembered.known {
            telling.due = telling.due.min(Instant::now() + SPREAD.mul_f64(random_ratio()));
            telling.remembered.known = known;
            telling.save(state);
        }
        telling.compared = Instant::now();
        self.inventory_acknowledged();
    }

    /// What to answer who wants a section in full: nothing, or why not.
    pub(super) fn inventory_asked(&mut self, name: &str) -> String {
        if self.telling.plan.is_none() {
            return "this machine's agent.toml says that no inventory is sent".to_owned();
        }
        let known =
            SECTIONS.iter().any(|source| source.name == name) || self.telling.remembered.known.contains_key(name);
        if !known || !is_name(name) {
            let known: Vec<&str> = SECTIONS.iter().map(|source| source.name).collect();
            let name: String = name.chars().take(40).collect();
            return format!("{name:?} is no section known to this agent: expected {}", known.join(", "));
        }
        self.telling.full.insert(name.to_owned());
        String::new()
    }

    /// Takes the inventory, or those sections of it that are wanted in full.
    pub(super) fn begin_inventory(&mut self) {
        let telling = &mut self.telling;
        let Some(plan) = telling.plan.clone() else { return };
        let (now, full) = (Instant::now(), std::mem::take(&mut telling.full));
        let only = !full.is_empty() && now < telling.due;
        let compare = !only && now.duration_since(telling.compared) >= COMPARE;
        if !only {
            telling.due = now + plan.interval.mul_f64(0.9 + 0.2 * random_ratio());
        }
        if compare {
            telling.compared = now;
        }
        telling.discard(&self.parts.state);
        let order = Order { known: telling.known(), full: full.into_iter().collect(), only, compare };
        let (sender, receiver) = oneshot::channel();
        let thread = std::thread::Builder::new().name("muster-inventory".to_owned()).stack_size(STACK_BYTES);
        let take = move || {
            (plan.take)(&order);
            // Nobody waits any more when the agent stops.
            let _ = sender.send(());
        };
        match thread.spawn(take) {
            Ok(_) => telling.taking = Some(Box::pin(async { drop(receiver.await) })),
            Err(error) => tracing::warn!(%error, "no thread could be started to take the inventory"),
        }
    }

    /// It is taken: what is to be told lies in the state directory.
    pub(super) fn inventory_taken(&mut self) {
        let names = self.parts.state.names();
        let sections = names.iter().filter_map(|name| section_of(name, "records"));
        self.telling.waiting = sections.map(str::to_owned).collect();
        if self.session.is_none() || std::mem::take(&mut self.telling.stale) {
            self.telling.due = Instant::now();
            self.telling.discard(&self.parts.state);
        }
        self.tell_next_section();
    }

    /// The records of the next section are given to the spool.
    fn tell_next_section(&mut self) {
        while self.session.is_some()
            && self.telling.remembered.pending.is_none()
            && let Some(section) = self.telling.waiting.pop_front()
        {
            let name = file(&section, "records");
            let records = self.parts.state.read_long(&name, RECORDS_BYTES_MAX).ok().flatten().unwrap_or_default();
            // One at a time: decoded they are many times as long, and the agent would stay as large as it has been once.
            let bodies = messages(&records).unwrap_or_default();
            let is_whole = bodies.iter().all(|message| report::inventory_record(message).is_some());
            if let Err(error) = self.parts.state.remove(&name) {
                tracing::warn!(%error, section, "records of the inventory cannot be removed, so they are not sent");
                continue;
            }
            let first = bodies.first().filter(|_| is_whole).and_then(|message| report::inventory_record(message));
            let Some(hash) = first.as_ref().and_then(new_hash) else { continue };
            let now = self.now();
            for body in bodies.into_iter().filter_map(report::inventory_record) {
                self.record(Kind::Bulk, now, body);
            }
            // What is not on the disk is not sent; the next section waits for this one.
            self.parts.spool.sync(now);
            let epoch = hash::spelled(u128::from_le_bytes(self.parts.spool.epoch()));
            let pending = Pending { section, through: self.parts.spool.last(), epoch, hash };
            self.telling.remembered.pending = Some(pending);
            self.telling.save(&self.parts.state);
        }
    }

    /// Records are safe: a section may be among them.
    pub(super) fn inventory_acknowledged(&mut self) {
        let acked = self.parts.spool.acked();
        let done = self.telling.remembered.pending.take_if(|pending| pending.through <= acked);
        let Some(Pending { section, hash, .. }) = done else { return };
        let state = &self.parts.state;
        match state.promote_unsynced(&file(&section, "next"), &file(&section, "kept")) {
            Ok(()) => drop(self.telling.remembered.known.insert(section, hash)),
            // What the collector has is not known here: it is told in full the next time.
            Err(_) => drop(self.telling.remembered.known.remove(&section)),
        }
        self.telling.save(state);
        self.tell_next_section();
    }
}

fn new_hash(body: &v1::record::Body) -> Option<String> {
    let v1::record::Body::Inventory(delta) = body else { return None };
    Some(hash::spelled(u128::from_le_bytes(delta.new_hash.as_slice().try_into().ok()?)))
}
