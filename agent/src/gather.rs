//! Reads on a thread of its own, so that nothing that hangs in a file, a mount or a tool delays a report or a beat.
//!
//! One reading thread asks the due sources one after the other. At the deadline of a collection whatever is there is
//! returned and the rest is said to be late. A source that passes its own deadline keeps the thread: it is left alone
//! until it returns, and another thread goes on with the others. This file decides nothing about values.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{self, Moment};
use crate::host::Host;
use crate::probe::{Every, Kind, Names, Note, ProbeError, Scratch, Section, Sink, Source, Table, sources};
use crate::schedule::{Outcome, Schedule};

/// Facts (serial numbers, MTU, ...) are read again after this many milliseconds.
const FACTS_MS: u64 = 600_000;
/// Milliseconds of [`Every::Minute`].
const MINUTE_MS: u64 = 60_000;
/// Stack of the reading thread, in bytes.
const STACK_BYTES: usize = 256 * 1024;
/// A duration is said again when it left [last / this, last x this]: it moves always and means little, and eighteen
/// doubles would be half of a report.
const DURATION_STEP: f64 = 2.0;

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// Read in time.
    Ok,
    /// This machine has no such thing.
    Absent,
    /// It is there, but the agent may not look.
    Unreadable,
    /// Reading it failed.
    Failed,
    /// It missed the deadline; what is shown of it is older.
    Late,
    /// It does not return.
    Stuck,
}

/// What is to be said of one source, or of a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// The source, or source and part: `filesystem/mnt/nfs`.
    pub source: Cow<'static, str>,
    /// How it is.
    pub state: SourceState,
    /// Why, unless it is well.
    pub reason: String,
}

/// What one collection brought.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// The readings; a source that failed, is late or stuck has none.
    pub table: Table,
    /// When it was collected.
    pub at: Moment,
    /// How each source is, asked now or not.
    pub sources: Vec<SourceStatus>,
}

impl Gathered {
    /// Whether `source` is missing only because it is late.
    #[must_use]
    pub fn is_late(&self, source: &str) -> bool {
        self.sources.iter().any(|status| status.source == source && status.state == SourceState::Late)
    }
}

/// What is kept of one source between collections.
struct Slot {
    /// Away while it is being read.
    section: Option<Arc<Section>>,
    status: SourceStatus,
    notes: Vec<SourceStatus>,
    /// Said duration in seconds, and whether it succeeded; `None` before the first end.
    last: Option<(f64, bool)>,
}

/// Collects readings; owns the reading thread.
pub struct Gatherer {
    host: Host,
    sources: &'static [Source],
    schedule: Schedule,
    slots: Vec<Slot>,
    scrape: Arc<Section>,
    scratch: Scratch,
    reader: Option<Arc<Reader>>,
    /// Readers that hang; at most one per source.
    abandoned: Vec<Arc<Reader>>,
    facts_read_ms: u64,
    /// What the log was told to be left out.
    told_left_out: String,
}

impl std::fmt::Debug for Gatherer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gatherer").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Gatherer {
    /// Gathers every source of the agent from `host`. The thread starts with the first collection.
    #[must_use]
    pub fn start(host: Host) -> Self {
        let sources = sources(&host);
        Self::with_sources(host, sources)
    }

    /// Gathers the given sources only.
    #[must_use]
    pub fn with_sources(host: Host, sources: &'static [Source]) -> Self {
        let names: Arc<Names> = Arc::new(Names::starting_at(1));
        let slot = |source: &Source| Slot {
            section: Some(Arc::new(Section::new(source.name, Arc::clone(&names)))),
            status: SourceStatus {
                source: Cow::Borrowed(source.name),
                state: SourceState::Late,
                reason: "not read yet".to_owned(),
            },
            notes: Vec::new(),
            last: None,
        };
        let every_ms = |source: &Source| match source.every {
            Every::Report => 0,
            Every::Minute => MINUTE_MS,
        };
        Self {
            host,
            sources,
            schedule: Schedule::new(sources.iter().map(every_ms)),
            slots: sources.iter().map(slot).collect(),
            scrape: Arc::new(Section::new("scrape", Arc::clone(&names))),
            scratch: Scratch::default(),
            reader: None,
            abandoned: Vec::new(),
            facts_read_ms: 0,
            told_left_out: String::new(),
        }
    }

    /// Collects what is due; returns at `deadline` at the latest with whatever is there, late sources marked.
    /// May be cancelled: what was being read is taken over by the next call.
    pub async fn collect(&mut self, now: Moment, deadline: Duration) -> Gathered {
        let until_ns = clock::boottime_ns() + u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX / 2);
        self.take_back(now);
        if let Err(error) = self.hand_out(now) {
            self.say_of_all_due(now, &format!("the reading thread could not be started: {error}"));
        }
        while let Some(reader) = self.reader.clone() {
            self.accept(&reader, now);
            let Some(wake_ns) = self.next_wake(&reader, until_ns) else { break };
            let now_ns = clock::boottime_ns();
            if now_ns >= until_ns {
                self.postpone(&reader, now);
                break;
            }
            if now_ns >= wake_ns {
                self.abandon_if_overdue(&reader, now_ns, now);
                continue;
            }
            // A time-out is not an error here: the loop looks again.
            let _ = tokio::time::timeout(Duration::from_nanos(wake_ns - now_ns), reader.idle.notified()).await;
        }
        self.gathered(now)
    }

    /// Takes what abandoned readers brought back after all.
    fn take_back(&mut self, now: Moment) {
        for reader in std::mem::take(&mut self.abandoned) {
            let mut desk = reader.desk();
            let returned = std::mem::take(&mut desk.done);
            let over = desk.running.is_none();
            drop(desk);
            for mut done in returned {
                // What it read is as old as its hanging: the next reading counts.
                Arc::make_mut(&mut done.section).clear();
                self.schedule.finished(done.source, now.boottime_ms, Outcome::Failed);
                let slot = &mut self.slots[done.source];
                slot.section = Some(done.section);
                slot.status.state = SourceState::Late;
                slot.status.reason = "it hung and has returned; it will be read again soon".to_owned();
            }
            if !over {
                self.abandoned.push(reader);
            }
        }
    }

    fn hand_out(&mut self, now: Moment) -> std::io::Result<()> {
        let reader = match &self.reader {
            Some(reader) => Arc::clone(reader),
            None => Arc::clone(self.reader.insert(Reader::start(&self.host)?)),
        };
        let mut desk = reader.desk();
        if now.boottime_ms.saturating_sub(self.facts_read_ms) >= FACTS_MS {
            self.facts_read_ms = now.boottime_ms;
            desk.forget_facts = true;
        }
        let due = self.schedule.due(now.boottime_ms);
        let ready = due.filter_map(|source| Some((source, self.slots[source].section.take()?)));
        desk.queue.extend(ready.map(|(source, section)| Job { source, read: self.sources[source], section, now }));
        for job in &desk.queue {
            self.schedule.started(job.source, now.boottime_ms);
        }
        drop(desk);
        reader.work.notify_one();
        Ok(())
    }

    fn accept(&mut self, reader: &Reader, now: Moment) {
        let done = std::mem::take(&mut reader.desk().done);
        for done in done {
            let source = self.sources[done.source];
            let late = done.took_ns > source.deadline_ms * 1_000_000;
            let (mut state, reason, mut outcome) = judge(&done.outcome);
            if late && state == SourceState::Ok {
                (state, outcome) = (SourceState::Late, Outcome::Failed);
            }
            self.schedule.finished(done.source, now.boottime_ms, outcome);
            let slot = &mut self.slots[done.source];
            slot.section = Some(done.section);
            slot.status.state = state;
            slot.status.reason = reason;
            slot.notes = done.notes.iter().map(status_of).collect();
            #[expect(clippy::cast_precision_loss, reason = "a duration has fewer than 2^53 nanoseconds")]
            let took = done.took_ns as f64 / 1e9;
            let said = slot.last.map_or(took, |(said, _)| said);
            let same = took <= said * DURATION_STEP && took >= said / DURATION_STEP;
            let success = state == SourceState::Ok || (state == SourceState::Absent && source.is_content_without());
            slot.last = Some((if same { said } else { took }, success));
        }
    }

    /// When to look again: at the end of the collection, or when the source being read passes its own deadline.
    /// `None` when the reader has nothing more to do.
    fn next_wake(&self, reader: &Reader, until_ns: u64) -> Option<u64> {
        let desk = reader.desk();
        match desk.running {
            Some((source, since_ns)) => Some(until_ns.min(since_ns + self.sources[source].deadline_ms * 1_000_000)),
            None => {
                // Not begun yet: were it to begin now, it could not be overdue before this.
                let next = desk.queue.front().map(|job| job.read.deadline_ms * 1_000_000);
                let next = next.or_else(|| (!desk.done.is_empty()).then_some(0))?;
                Some(until_ns.min(clock::boottime_ns() + next))
            }
        }
    }

    /// The collection ends here: what waits is read next time, what is being read goes on.
    fn postpone(&mut self, reader: &Reader, now: Moment) {
        let mut desk = reader.desk();
        for job in std::mem::take(&mut desk.queue) {
            self.schedule.postponed(job.source, now.boottime_ms);
            let slot = &mut self.slots[job.source];
            slot.section = Some(job.section);
            slot.status.state = SourceState::Late;
            slot.status.reason = "not reached before the report was due".to_owned();
        }
        if let Some((source, _)) = desk.running {
            let status = &mut self.slots[source].status;
            status.state = SourceState::Late;
            status.reason = "still being read when the report was due".to_owned();
        }
    }

    /// Where the source being read hangs, the reader stays with it and another goes on.
    fn abandon_if_overdue(&mut self, reader: &Arc<Reader>, now_ns: u64, now: Moment) {
        let mut desk = reader.desk();
        let overdue = |(source, since_ns): &(usize, u64)| {
            now_ns >= since_ns.saturating_add(self.sources[*source].deadline_ms * 1_000_000)
        };
        let Some((source, _)) = desk.running.filter(overdue) else { return };
        desk.closed = true;
        let rest = std::mem::take(&mut desk.queue);
        drop(desk);
        self.abandoned.push(Arc::clone(reader));
        self.schedule.stuck(source, now.boottime_ms);
        let since_ms = self.schedule.stuck_since(source).unwrap_or(now.boottime_ms);
        let slot = &mut self.slots[source];
        slot.status.state = SourceState::Stuck;
        slot.status.reason = format!("has not returned since boot time {since_ms} ms; left alone until it does");
        // It has taken so long already, and has not succeeded.
        let took_s = self.sources[source].deadline_ms as f64 / 1e3;
        slot.last = Some((slot.last.map_or(took_s, |(said, _)| said.max(took_s)), false));
        self.reader = Reader::start(&self.host).ok();
        match &self.reader {
            Some(next) => {
                next.desk().queue = rest;
                next.work.notify_one();
            }
            None => {
                for job in rest {
                    self.schedule.postponed(job.source, now.boottime_ms);
                    self.slots[job.source].section = Some(job.section);
                }
                self.say_of_all_due(now, "no further reading thread could be started");
            }
        }
    }

    fn say_of_all_due(&mut self, now: Moment, reason: &str) {
        for source in self.schedule.due(now.boottime_ms) {
            let status = &mut self.slots[source].status;
            status.state = SourceState::Failed;
            reason.clone_into(&mut status.reason);
        }
    }

    fn gathered(&mut self, now: Moment) -> Gathered {
        self.say_scrape(now);
        let mut notes = self.hold_to_limit();
        let mut sections = Vec::with_capacity(self.slots.len() + 1);
        let mut sources = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            sections.extend(slot.section.clone());
            sources.push(slot.status.clone());
            notes.extend_from_slice(&slot.notes);
        }
        sources.extend(limit::bounded(notes));
        sections.push(Arc::clone(&self.scrape));
        Gathered { table: Table { sections }, at: now, sources }
    }

    fn say_scrape(&mut self, now: Moment) {
        let mut sink = Sink::new(Arc::make_mut(&mut self.scrape), &mut self.scratch, now);
        let slots = || self.slots.iter().filter_map(|slot| Some((&*slot.status.source, slot.last?)));
        sink.family(
            "node_scrape_collector_duration_seconds",
            Kind::Gauge,
            "node_exporter: Duration of a collector scrape.",
        );
        for (source, (duration, _)) in slots() {
            sink.sample(&[("collector", source)], duration);
        }
        sink.family("node_scrape_collector_success", Kind::Gauge, "node_exporter: Whether a collector succeeded.");
        for (source, (_, success)) in slots() {
            sink.sample(&[("collector", source)], if success { 1.0 } else { 0.0 });
        }
        // It cannot be crowded: two series per source.
        let _ = sink.finish(Ok(()));
    }
}

impl Drop for Gatherer {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.desk().closed = true;
            reader.work.notify_one();
        }
    }
}

fn judge(outcome: &Result<(), ProbeError>) -> (SourceState, String, Outcome) {
    let Err(error) = outcome else { return (SourceState::Ok, String::new(), Outcome::Done) };
    let (state, outcome) = match error {
        ProbeError::Absent(_) => (SourceState::Absent, Outcome::Absent),
        // Rights do not change by themselves: looked at as seldom as what is absent.
        ProbeError::Unreadable(_) => (SourceState::Unreadable, Outcome::Absent),
        ProbeError::Failed(_) => (SourceState::Failed, Outcome::Failed),
        ProbeError::Stuck(_) => (SourceState::Stuck, Outcome::Failed),
        // The rest is said; the source itself is well.
        ProbeError::Crowded { .. } => (SourceState::Failed, Outcome::Done),
    };
    (state, error.to_string(), outcome)
}

fn status_of(note: &Note) -> SourceStatus {
    let outcome = Err(note.error.clone());
    let (state, reason, _) = judge(&outcome);
    SourceStatus { source: Cow::Owned(note.part.clone()), state, reason }
}

struct Job {
    source: usize,
    read: Source,
    section: Arc<Section>,
    now: Moment,
}

struct Done {
    source: usize,
    section: Arc<Section>,
    notes: Vec<Note>,
    outcome: Result<(), ProbeError>,
    took_ns: u64,
}

/// What the gatherer and one reading thread share. Queue and results hold each source at most once.
#[derive(Default)]
struct Desk {
    queue: VecDeque<Job>,
    /// The source being read, and since when (boot time, nanoseconds).
    running: Option<(usize, u64)>,
    done: Vec<Done>,
    forget_facts: bool,
    closed: bool,
}

#[derive(Default)]
struct Reader {
    desk: Mutex<Desk>,
    work: Condvar,
    idle: Notify,
}

impl Reader {
    fn start(host: &Host) -> std::io::Result<Arc<Self>> {
        let reader = Arc::new(Self::default());
        let (own, host) = (Arc::clone(&reader), host.clone());
        std::thread::Builder::new()
            .name("muster-read".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || own.work_until_closed(&host))?;
        Ok(reader)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work_until_closed(&self, host: &Host) {
        let mut scratch = Scratch::default();
        while let Some((job, began_ns)) = self.next(host) {
            let done = read(host, job, began_ns, &mut scratch);
            let mut desk = self.desk();
            desk.running = None;
            desk.done.push(done);
            if desk.queue.is_empty() {
                self.idle.notify_one();
            }
        }
    }

    fn next(&self, host: &Host) -> Option<(Job, u64)> {
        let mut desk = self.desk();
        loop {
            if desk.closed {
                return None;
            }
            if std::mem::take(&mut desk.forget_facts) {
                host.forget_facts();
            }
            if let Some(job) = desk.queue.pop_front() {
                let began_ns = clock::boottime_ns();
                desk.running = Some((job.source, began_ns));
                return Some((job, began_ns));
            }
            desk = self.work.wait(desk).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn read(host: &Host, mut job: Job, began_ns: u64, scratch: &mut Scratch) -> Done {
    let mut sink = Sink::new(Arc::make_mut(&mut job.section), scratch, job.now);
    let outcome = (job.read.read)(host, &mut sink);
    let (notes, outcome) = sink.finish(outcome);
    Done { source: job.source, section: job.section, notes, outcome, took_ns: clock::boottime_ns() - began_ns }
}

pub(crate) mod limit;

#[cfg(test)]
mod tests;
