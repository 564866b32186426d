//! The slot: the latest readings of one host, judged where they arrive.
//!
//! One per host, with its own lock: sessions of different hosts never wait for each other. What beats and the sweep
//! need is beside the lock in atomics, so that a beat is a store and the sweep over all hosts takes no lock at all.

mod readings;
mod trends;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::SeqCst},
};

use self::readings::{commit, sources_after, stage};
use super::{parts::Parts, sealed::Sealed, slots::Silence};
use crate::domain::{
    changed::Kind,
    finding::{FindingRow, Judgement},
    ids::{HostNo, SessionId},
    readings::{
        dictionary::{
            ABSENT, DictionaryUpdate, Interner, Saying,
            block::Labels,
            draft::{Allowance, Draft, Omissions},
            is_absent,
            text::Format,
        },
        source::Source,
    },
    rules::{self, Thresholds},
    time::Timestamp,
    trend::{self, forecast::Filling},
    watch::Watch,
};

/// Most sources of a host whose states are kept: an agent has some sixty, and says at most as many parts of them that are
/// not well.
pub const SOURCES: usize = 128;

/// The session number of a slot that nobody reports to.
const NOBODY: i64 = i64::MIN;

/// One readings message, as decoded: gaps and differences as the wire's comments say.
#[derive(Debug, Clone, Default)]
pub struct ReadingsUpdate {
    /// The agent's wall clock, milliseconds.
    pub agent_wall_ms: i64,
    /// The host's time since boot, milliseconds.
    pub agent_uptime_ms: u64,
    /// Whether every live series is here.
    pub full: bool,
    /// Gaps of the whole numbers.
    pub whole_gaps: Vec<u32>,
    /// Differences of the whole numbers.
    pub whole_diffs: Vec<i64>,
    /// Gaps of the others.
    pub real_gaps: Vec<u32>,
    /// The others.
    pub reals: Vec<f64>,
    /// Source states that changed: source, state number, reason.
    pub sources: Vec<(String, u32, String)>,
}

/// Why an update was not applied (bounded kinds for the counter). Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// The stream breaks its own dictionary: unknown id, lists of unequal length.
    #[error("malformed update: {0}")]
    Malformed(String),
    /// A newer session has the slot.
    #[error("a newer session reports for this host")]
    Superseded,
}

/// The latest readings of one host.
#[derive(Debug)]
pub struct Slot {
    heard_ms: AtomicI64,
    session: AtomicI64,
    silence_told: AtomicBool,
    suspect_ms: AtomicI64,
    asked_ms: AtomicI64,
    report_ms: AtomicU32,
    shared: Arc<Shared>,
    state: Mutex<State>,
}

/// What all slots share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) interner: Interner<Sealed>,
}

#[derive(Debug)]
struct State {
    /// Whether the session has not sent readings yet. Until then what the session before it said is shown.
    fresh: bool,
    draft: Option<Box<Draft>>,
    sealed: Arc<Sealed>,
    /// What was said for the dictionary and the draft.
    said: Saying,
    /// The same of the stream before, if all of it is in the dictionary.
    resumable: Saying,
    /// By place in the dictionary.
    values: Vec<f64>,
    sources: Vec<Source>,
    allowance: Allowance,
    omissions: Omissions,
    last_report: Option<Timestamp>,
    agent_ahead_ms: i64,
    memory: rules::Memory,
    trends: trend::Sampler,
    /// `None` before the trends were asked.
    filling: Option<Vec<Filling>>,
    thresholds: Arc<Thresholds>,
}

/// What applying readings led to.
#[derive(Debug, Default)]
pub struct Applied {
    /// Judgements that differ from before.
    pub judgements: Vec<Judgement>,
    /// The dictionary changed: the agent wants to know that it was heard, to go on from there on another stream.
    pub learned: bool,
    /// Parts that came or went, services that were restarted.
    pub changes: Vec<(Kind, String)>,
    /// The engine must be told `Heard`: first readings of the session, or first message after `Silent`.
    pub tell_heard: bool,
}

/// A slot's own figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// When readings last arrived.
    pub last_report: Option<Timestamp>,
    /// How far the agent's clock was ahead then.
    pub agent_clock_ahead_ms: i64,
    /// Families left out over the caps.
    pub families_left_out: u64,
}

impl Slot {
    pub(super) fn new(shared: Arc<Shared>, sealed: Arc<Sealed>, thresholds: Arc<Thresholds>, host: HostNo) -> Self {
        let state = State {
            fresh: true,
            draft: None,
            sealed,
            said: Saying::default(),
            resumable: Saying::default(),
            values: Vec::new(),
            sources: Vec::new(),
            allowance: Allowance::default(),
            omissions: Omissions::default(),
            last_report: None,
            agent_ahead_ms: 0,
            memory: rules::Memory::default(),
            trends: trend::Sampler::new(trend::phase_of(host.0)),
            filling: None,
            thresholds,
        };
        Self {
            heard_ms: AtomicI64::new(i64::MIN),
            session: AtomicI64::new(NOBODY),
            silence_told: AtomicBool::new(false),
            suspect_ms: AtomicI64::new(i64::MAX),
            asked_ms: AtomicI64::new(i64::MIN),
            report_ms: AtomicU32::new(0),
            shared,
            state: Mutex::new(state),
        }
    }

    /// A new session takes the slot, unless a newer one has it.
    pub(super) fn begin(&self, session: SessionId, watch: Watch, now: Timestamp) {
        let mut state = self.lock();
        if self.session.load(SeqCst) > session.0 {
            return;
        }
        self.set_watch(watch);
        self.heard_ms.store(now.ms(), SeqCst);
        self.silence_told.store(false, SeqCst);
        self.session.store(session.0, SeqCst);
        if !state.fresh {
            let whole = state.draft.is_none() && state.omissions.families_total == 0;
            state.resumable = if whole { state.said } else { Saying::default() };
        }
        state.fresh = true;
        state.draft = Some(Box::default());
        state.said = Saying::default();
        state.allowance = Allowance::default();
        state.omissions = Omissions::default();
        state.memory.forget_pending();
    }

    /// The session goes on with the dictionary of the one before, if that is the one with this hash.
    pub fn resume(&self, session: SessionId, dictionary_hash: &[u8], now: Timestamp) -> bool {
        let Ok(mut state) = self.lock_for(session) else { return false };
        let known = state.resumable.is(dictionary_hash);
        if known {
            state.draft = None;
            state.said = state.resumable;
            state.allowance.begin(now);
        }
        known
    }

    pub(super) fn set_watch(&self, watch: Watch) {
        self.suspect_ms.store(watch.timers().suspect_ms, SeqCst);
        self.report_ms.store(watch.timers().report_ms, SeqCst);
    }

    pub(super) fn end(&self, session: SessionId) {
        // Fails when a newer session has it, which is then not to be ended.
        let _ = self.session.compare_exchange(session.0, NOBODY, SeqCst, SeqCst);
    }

    /// The silence of this slot, if it has lasted for the level's time and was not told before.
    pub(super) fn silence(&self, host: HostNo, now: Timestamp) -> Option<Silence> {
        let session = self.session.load(SeqCst);
        let heard = self.heard_ms.load(SeqCst);
        if session == NOBODY || now.ms().saturating_sub(heard) < self.suspect_ms.load(SeqCst) {
            return None;
        }
        self.silence_told.compare_exchange(false, true, SeqCst, SeqCst).ok()?;
        if self.heard_ms.load(SeqCst) != heard || self.session.load(SeqCst) != session {
            // Heard at this very moment. If that message saw the mark it tells `Heard`, which harms nobody.
            self.silence_told.store(false, SeqCst);
            return None;
        }
        Some(Silence { host, session: SessionId(session), proof: Timestamp::from_ms(heard) })
    }

    /// The collector's clock was set by this much: silence is counted on.
    pub(super) fn step(&self, by_ms: i64) {
        self.heard_ms.fetch_add(by_ms, SeqCst);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last_report = state.last_report.map(|at| at.plus_ms(by_ms));
        state.trends.clock_set();
    }

    /// Whether the host may be asked for more than its readings: not within `every_ms` after it was, whatever the session.
    pub fn may_ask(&self, every_ms: i64, now: Timestamp) -> bool {
        let since_ms = now.ms().saturating_sub(self.asked_ms.load(SeqCst));
        // A clock that was set back keeps nobody from asking.
        let may = !(0..every_ms).contains(&since_ms);
        if may {
            self.asked_ms.store(now.ms(), SeqCst);
        }
        may
    }

    /// Nobody was watching: the next message is told to the engine, as after a silence.
    pub(super) fn ask_again(&self) {
        self.silence_told.store(true, SeqCst);
    }

    /// Notes that any message arrived. True when the engine must be told (it was silent).
    pub fn heard(&self, session: SessionId, now: Timestamp) -> bool {
        if self.session.load(SeqCst) != session.0 {
            return false;
        }
        self.heard_ms.store(now.ms(), SeqCst);
        // Read first: a plain load is free where a swap takes the cache line from the sweep.
        self.silence_told.load(SeqCst) && self.silence_told.swap(false, SeqCst)
    }

    /// Grows or retires series. Over the caps whole families are left out and counted, never an error.
    ///
    /// # Errors
    /// [`SlotError`] when the stream is malformed or superseded.
    pub fn grow(&self, session: SessionId, update: DictionaryUpdate, now: Timestamp) -> Result<(), SlotError> {
        let mut state = self.lock_for(session)?;
        let state = &mut *state;
        let mut draft = state.draft.take().unwrap_or_else(|| Box::new(Draft::of(&state.sealed.dictionary)));
        let checked = draft.check(&update);
        if checked.is_ok() {
            state.said = state.said.and(&update.bytes);
            draft.grow(update, &mut state.allowance, &mut state.omissions, now);
        }
        state.draft = Some(draft);
        checked.map_err(SlotError::Malformed)
    }

    /// Applies readings and judges them.
    ///
    /// # Errors
    /// [`SlotError`] when the stream is malformed or superseded.
    pub fn apply(&self, session: SessionId, update: &ReadingsUpdate, now: Timestamp) -> Result<Applied, SlotError> {
        let mut guard = self.lock_for(session)?;
        let state = &mut *guard;
        let sources = sources_after(&state.sources, state.fresh, update).map_err(SlotError::Malformed)?;
        let learned = state.draft.is_some();
        let mut parts = Vec::new();
        if let Some(draft) = &state.draft {
            let (sealed, hidden) = draft.seal(&self.shared.interner);
            let (dictionary, former) = (&sealed.dictionary, &state.sealed.dictionary);
            let mut values = if state.fresh {
                vec![ABSENT; dictionary.size()]
            } else {
                dictionary.carry_over(former, &state.values)
            };
            let staged = stage(update, dictionary, &values, update.full).map_err(SlotError::Malformed)?;
            commit(update.full, &staged, &mut values);
            let before = Parts::of(former, &state.values);
            parts = Parts::of(dictionary, &values).since(&before);
            (state.sealed, state.values, state.draft) = (sealed, values, None);
            state.omissions.invalid += hidden;
            state.allowance.begin(now);
        } else {
            let anew = update.full || state.fresh;
            let staged = stage(update, &state.sealed.dictionary, &state.values, anew).map_err(SlotError::Malformed)?;
            commit(anew, &staged, &mut state.values);
        }
        if let Some(sources) = sources {
            state.sources = sources;
        }
        state.last_report = Some(now);
        state.agent_ahead_ms = update.agent_wall_ms.saturating_sub(now.ms());
        let first = std::mem::take(&mut state.fresh);
        let inputs = rules::Inputs {
            dictionary: &state.sealed.dictionary,
            index: &state.sealed.rules,
            values: &state.values,
            sources: &state.sources,
            omissions: &state.omissions,
            thresholds: &state.thresholds,
            now,
            uptime_ms: update.agent_uptime_ms,
            clock_ahead_ms: state.agent_ahead_ms,
            growth: state.filling.as_deref(),
        };
        let judgements = state.memory.judge(&inputs);
        let restarted = state.memory.take_restarted().into_iter().map(|words| (Kind::Service, words));
        let changes = parts.into_iter().map(|words| (Kind::Part, words)).chain(restarted).collect();
        state.trends.sample(&state.sealed.trends, &state.values, update.agent_wall_ms, now);
        drop(guard);
        let was_silent = self.heard(session, now);
        Ok(Applied { judgements, changes, learned, tell_heard: first || was_silent })
    }

    /// Takes over which findings are open for this host, as the records say: after a start of the collector, or when a
    /// session begins, so that a trouble that vanished meanwhile is cleared and one that goes on is not told again.
    pub fn adopt(&self, open: &[FindingRow]) {
        self.lock().memory.adopt(open);
    }

    /// The host says, in these words, that there is a time of which it cannot report.
    pub fn unreported(&self, words: String) {
        self.lock().memory.unreported(words);
    }

    /// What the rules judge this host by.
    #[must_use]
    pub fn thresholds(&self) -> Arc<Thresholds> {
        Arc::clone(&self.lock().thresholds)
    }

    pub(super) fn judge_by(&self, thresholds: Arc<Thresholds>) {
        let mut state = self.lock();
        if !state.thresholds.judges_like(&thresholds) {
            state.memory.judge_anew();
        }
        state.thresholds = thresholds;
    }

    /// The value of the series with exactly these labels, in any order, if there is one now.
    #[must_use]
    pub fn value(&self, metric: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = None;
        self.for_each(metric, &mut |there, value| {
            let same = there.len() == labels.len()
                && labels.iter().all(|(name, value)| there.iter().any(|(n, v)| n == name && v == value));
            if same {
                found = Some(value);
            }
        });
        found
    }

    /// Calls `f` with labels and value of each series of `metric` that has one now. `f` must not use this slot.
    pub fn for_each(&self, metric: &str, f: &mut dyn FnMut(&Labels, f64)) {
        let state = self.lock();
        state.sealed.dictionary.each(metric, &mut |place, labels| {
            let value = state.values[place as usize];
            if !is_absent(value) {
                f(labels, value);
            }
        });
    }

    /// Whether it shows a family whose name begins so.
    #[must_use]
    pub fn says_any_of(&self, beginning: &str) -> bool {
        let sealed = Arc::clone(&self.lock().sealed);
        // They are sorted by name.
        let blocks = sealed.dictionary.blocks();
        let first = blocks.partition_point(|block| block.name() < beginning);
        blocks.get(first).is_some_and(|block| block.name().starts_with(beginning))
    }

    /// Appends what the host's own exporter would say, but for the page's end.
    pub fn render(&self, format: Format, out: &mut Vec<u8>) {
        // Copied, so that a scrape of 20 000 series does not keep the host's readings waiting.
        let (sealed, values) = {
            let state = self.lock();
            (Arc::clone(&state.sealed), state.values.clone())
        };
        sealed.dictionary.render(format, &values, out);
    }

    /// When readings last arrived.
    #[must_use]
    pub fn last_report(&self) -> Option<Timestamp> {
        self.lock().last_report
    }

    /// What the fleet's page says of this slot, under one lock.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let state = self.lock();
        Figures {
            last_report: state.last_report,
            agent_clock_ahead_ms: state.agent_ahead_ms,
            families_left_out: state.omissions.families_total,
        }
    }

    /// When anything last arrived on a session, if ever.
    #[must_use]
    pub fn last_heard(&self) -> Option<Timestamp> {
        Some(self.heard_ms.load(SeqCst)).filter(|ms| *ms != i64::MIN).map(Timestamp::from_ms)
    }

    /// How far the agent's wall clock was ahead of ours at its last report, milliseconds; the way here is in it.
    #[must_use]
    pub fn agent_clock_ahead_ms(&self) -> Option<i64> {
        let state = self.lock();
        state.last_report.map(|_| state.agent_ahead_ms)
    }

    /// The time between two reports at this host's watch level, milliseconds; 0 before the first session.
    #[must_use]
    pub fn report_interval_ms(&self) -> u32 {
        self.report_ms.load(SeqCst)
    }

    /// What the host's sources say of themselves, in the order in which they were first named.
    #[must_use]
    pub fn sources(&self) -> Vec<Source> {
        self.lock().sources.clone()
    }

    /// How many series are shown.
    #[must_use]
    pub fn series(&self) -> usize {
        self.lock().sealed.dictionary.size()
    }

    /// What of this stream's declarations is not shown.
    #[must_use]
    pub fn omissions(&self) -> Omissions {
        self.lock().omissions.clone()
    }

    /// Names of the families left out because the host says too much, at most
    /// [`LEFT_OUT_NAMED`](crate::domain::readings::dictionary::draft::LEFT_OUT_NAMED).
    #[must_use]
    pub fn left_out(&self) -> Vec<String> {
        self.lock().omissions.families.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_for(&self, session: SessionId) -> Result<MutexGuard<'_, State>, SlotError> {
        let state = self.lock();
        if self.session.load(SeqCst) == session.0 { Ok(state) } else { Err(SlotError::Superseded) }
    }
}

#[cfg(test)]
mod tests;
