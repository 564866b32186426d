//! What one receiver is still to be told, and in which order. Pure: no clock, no IO.
//!
//! The pages of one incident to one address form a *lane* and go strictly one after the other, problem before recovery; a page that
//! fails holds its lane, no other. Between lanes critical goes before warning, then older before newer. After
//! [`BREAKER_FAILURES`] failures in a row only one page at a time is tried, once per back-off period, lanes taking turns.
//! Nothing but the age of a page, a page that can never be taken and a receiver that says it is gone ends the tries, and
//! each ends those of one page only.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use super::receiver::Sent;
use crate::domain::{
    event::Outcome,
    ids::{IncidentNo, PageId},
    record::Page,
    severity::Severity,
    time::Timestamp,
};

/// Pages kept in memory per receiver. Beyond, only their numbers are kept and they are fetched again from the record.
pub(super) const PAGES_QUEUED: usize = 10_000;
/// The part of [`PAGES_QUEUED`] that only critical pages may fill.
const KEPT_FOR_CRITICAL: usize = 1_000;
/// Page numbers kept per receiver beyond [`PAGES_QUEUED`]; above, a page goes out after the next start.
const NUMBERS_KEPT: usize = 500_000;
/// Pages on their way to one receiver at the same time, of different incidents.
pub(super) const IN_FLIGHT: usize = 4;
/// Failures in a row after which a receiver is only probed.
const BREAKER_FAILURES: u32 = 5;

/// How long to wait and when to give up.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Waits before the second, third... try; the last one repeats.
    pub backoff: &'static [Duration],
    /// A page that was decided this long ago is given up at its next failure.
    pub give_up: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        const BACKOFF: [Duration; 6] = [
            Duration::from_secs(1),
            Duration::from_secs(2),
            Duration::from_secs(5),
            Duration::from_secs(10),
            Duration::from_secs(30),
            Duration::from_secs(60),
        ];
        Self { backoff: &BACKOFF, give_up: Duration::from_secs(24 * 3_600) }
    }
}

impl Patience {
    /// The wait after `failures` failures (at least one), spread by a fifth around its middle; `jitter` is 0-1.
    pub(super) fn wait_ms(&self, failures: u32, jitter: f64) -> i64 {
        let at = (failures.max(1) as usize - 1).min(self.backoff.len() - 1);
        (self.backoff[at].as_millis() as f64 * (0.8 + 0.4 * jitter)) as i64
    }
}

/// Pages that go one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// An incident, and a hash of the person's own address there: one that fails holds up nobody else.
    Incident(IncidentNo, u64),
    /// A test, which belongs to no incident.
    Alone(PageId),
}

impl Lane {
    pub(super) fn of(page: &Page) -> Self {
        let mut hash = DefaultHasher::new();
        page.to.hash(&mut hash);
        page.incident.map_or(Self::Alone(page.id), |incident| Self::Incident(incident, hash.finish()))
    }
}

type Rank = (Reverse<Severity>, PageId, Lane);

#[derive(Debug, Clone, Copy)]
enum Place {
    Nowhere,
    Ready(Rank),
    Delayed(Timestamp),
    InFlight,
}

#[derive(Debug)]
struct Waiting {
    pages: BTreeMap<(i64, PageId), Arc<Page>>,
    tries: u32,
    due: Timestamp,
    place: Place,
}

/// What became of a page that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It is kept here.
    Held,
    /// Only its number is kept.
    Spilled,
    /// Not even that; it is still in the record.
    Full,
    /// It is here already.
    Known,
}

/// The pages for one receiver.
#[derive(Debug, Default)]
pub(super) struct Queue {
    patience: Patience,
    lanes: BTreeMap<Lane, Waiting>,
    ready: BTreeSet<Rank>,
    delayed: BTreeSet<(Timestamp, Lane)>,
    spilled: BTreeMap<Lane, BTreeMap<(i64, PageId), Severity>>,
    held: usize,
    numbers: usize,
    in_flight: usize,
    failures: u32,
    not_before: Timestamp,
}

impl Queue {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, ..Self::default() }
    }

    /// Pages that wait or are on their way.
    pub(super) fn len(&self) -> usize {
        self.held + self.numbers
    }

    /// Takes in a page, unless the record has to keep it for now.
    pub(super) fn push(&mut self, page: Arc<Page>) -> Pushed {
        let (lane, at) = (Lane::of(&page), (page.n, page.id));
        let known = self.lanes.get(&lane).is_some_and(|waiting| waiting.pages.contains_key(&at))
            || self.spilled.get(&lane).is_some_and(|numbers| numbers.contains_key(&at));
        if known {
            return Pushed::Known;
        }
        let most = if page.severity == Severity::Critical { PAGES_QUEUED } else { PAGES_QUEUED - KEPT_FOR_CRITICAL };
        if self.held >= most || self.spilled.contains_key(&lane) {
            if self.numbers >= NUMBERS_KEPT {
                return Pushed::Full;
            }
            self.numbers += 1;
            self.spilled.entry(lane).or_default().insert(at, page.severity);
            return Pushed::Spilled;
        }
        self.hold(lane, at, page);
        Pushed::Held
    }

    fn hold(&mut self, lane: Lane, at: (i64, PageId), page: Arc<Page>) {
        self.held += 1;
        let waiting = self.lanes.entry(lane).or_insert_with(|| Waiting {
            pages: BTreeMap::new(),
            tries: 0,
            due: Timestamp::default(),
            place: Place::Nowhere,
        });
        waiting.pages.insert(at, page);
        if !matches!(waiting.place, Place::InFlight) {
            self.shelve(lane);
        }
    }

    /// Puts a lane where it belongs now, or forgets it when nothing is left in it.
    fn shelve(&mut self, lane: Lane) {
        let Some(waiting) = self.lanes.get_mut(&lane) else { return };
        match waiting.place {
            Place::Ready(rank) => drop(self.ready.remove(&rank)),
            Place::Delayed(due) => drop(self.delayed.remove(&(due, lane))),
            Place::Nowhere | Place::InFlight => {}
        }
        let severity = waiting.pages.values().map(|page| page.severity).max();
        let Some((severity, first)) = severity.zip(waiting.pages.values().next()) else {
            self.lanes.remove(&lane);
            return;
        };
        if waiting.due > Timestamp::default() {
            waiting.place = Place::Delayed(waiting.due);
            self.delayed.insert((waiting.due, lane));
        } else {
            let rank = (Reverse(severity), first.id, lane);
            waiting.place = Place::Ready(rank);
            self.ready.insert(rank);
        }
    }

    fn release(&mut self, until: Timestamp) {
        while let Some((due, lane)) = self.delayed.first().copied().filter(|(due, _)| *due <= until) {
            if let Some(waiting) = self.lanes.get_mut(&lane) {
                waiting.due = Timestamp::default();
                self.shelve(lane);
            }
            self.delayed.remove(&(due, lane));
        }
    }

    /// The next page to send now, if any. It counts as on its way until it is settled.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Arc<Page>> {
        self.release(now);
        if self.in_flight >= self.most_in_flight() || now < self.not_before {
            return None;
        }
        let rank = if self.only_probed() { self.least_tried()? } else { *self.ready.first()? };
        self.ready.remove(&rank);
        let waiting = self.lanes.get_mut(&rank.2)?;
        waiting.place = Place::InFlight;
        self.in_flight += 1;
        waiting.pages.values().next().cloned()
    }

    fn only_probed(&self) -> bool {
        self.failures >= BREAKER_FAILURES
    }

    fn most_in_flight(&self) -> usize {
        if self.only_probed() { 1 } else { IN_FLIGHT }
    }

    /// The ready lane with the fewest tries, so that a page that fails by itself does not take every probe.
    fn least_tried(&self) -> Option<Rank> {
        let tries = |rank: &Rank| self.lanes.get(&rank.2).map_or(0, |waiting| waiting.tries);
        self.ready.iter().min_by_key(|rank| tries(rank)).copied()
    }

    /// When [`Queue::take`] may next have something, if only time has to pass.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        if self.in_flight >= self.most_in_flight() {
            return None;
        }
        let first = if self.ready.is_empty() { self.delayed.first().map(|(due, _)| *due)? } else { self.not_before };
        Some(first.max(self.not_before))
    }

    /// Learns how a try went and says what that means for the page. `jitter` is a random number from 0 to 1.
    pub(super) fn settle(&mut self, page: &Page, sent: Sent, now: Timestamp, jitter: f64) -> Outcome {
        let lane = Lane::of(page);
        self.in_flight = self.in_flight.saturating_sub(1);
        let tries = self.lanes.get_mut(&lane).map_or(1, |waiting| {
            waiting.tries += 1;
            waiting.tries
        });
        let too_old = now.since_ms(page.decided) >= self.patience.give_up.as_millis() as i64;
        let (error, again, asked) = match sent {
            Sent::Accepted { provider_id } => {
                self.heard();
                self.forget(lane, (page.n, page.id));
                return Outcome::Accepted { provider_id };
            }
            Sent::Rejected { error } => {
                self.heard();
                (error, false, None)
            }
            Sent::Gone { error } => {
                self.failures = self.failures.max(BREAKER_FAILURES - 1);
                self.count_failure(now, None, jitter);
                (error, false, None)
            }
            Sent::Refused { error } => {
                // It may be about this page only, which then counts once and does not hold up the others.
                if tries == 1 || self.only_probed() {
                    self.count_failure(now, None, jitter);
                }
                (error, true, None)
            }
            Sent::Retry { error, after } => {
                self.count_failure(now, after, jitter);
                (error, true, after.map(|after| now.plus_ms(after.as_millis() as i64)))
            }
        };
        if again && !too_old {
            self.again(lane, now, tries, jitter);
            return Outcome::Retrying { error, not_before: asked };
        }
        self.forget(lane, (page.n, page.id));
        let error = if again { format!("given up after 24 h: {error}") } else { error };
        Outcome::Failed { error }
    }

    fn again(&mut self, lane: Lane, now: Timestamp, tries: u32, jitter: f64) {
        if let Some(waiting) = self.lanes.get_mut(&lane) {
            waiting.due = now.plus_ms(self.patience.wait_ms(tries, jitter).max(1));
            waiting.place = Place::Nowhere;
        }
        self.shelve(lane);
    }

    /// The receiver asked, before this collector began, to be left alone until then.
    pub(super) fn leave_alone(&mut self, until: Timestamp) {
        self.not_before = self.not_before.max(until);
    }

    fn forget(&mut self, lane: Lane, at: (i64, PageId)) {
        if let Some(waiting) = self.lanes.get_mut(&lane) {
            self.held -= usize::from(waiting.pages.remove(&at).is_some());
            (waiting.tries, waiting.due, waiting.place) = (0, Timestamp::default(), Place::Nowhere);
        }
        self.shelve(lane);
    }

    fn count_failure(&mut self, now: Timestamp, after: Option<Duration>, jitter: f64) {
        self.failures = self.failures.saturating_add(1);
        if let Some(after) = after {
            self.not_before = self.not_before.max(now.plus_ms(after.as_millis() as i64));
        }
        if self.failures >= BREAKER_FAILURES {
            let wait = self.patience.wait_ms(self.failures - BREAKER_FAILURES + 1, jitter);
            self.not_before = self.not_before.max(now.plus_ms(wait));
        }
    }

    /// The receiver answered: it is not down. What waited for it to come back goes out now.
    fn heard(&mut self) {
        if self.failures >= BREAKER_FAILURES {
            self.not_before = Timestamp::default();
            self.release(Timestamp::from_ms(i64::MAX));
        }
        self.failures = 0;
    }

    /// Numbers of spilled pages for which there is room again, worst first, each incident's in order.
    pub(super) fn wanted(&self) -> Vec<(Lane, (i64, PageId))> {
        let room = (PAGES_QUEUED - KEPT_FOR_CRITICAL).saturating_sub(self.held);
        if self.spilled.is_empty() || room < PAGES_QUEUED / 10 {
            return Vec::new();
        }
        let mut lanes: Vec<_> =
            self.spilled.iter().map(|(lane, pages)| (Reverse(pages.values().max()), *lane, pages)).collect();
        lanes.sort_by_key(|(severity, lane, _)| (*severity, *lane));
        let numbers = lanes.into_iter().flat_map(|(_, lane, pages)| pages.keys().map(move |at| (lane, *at)));
        numbers.take(room).collect()
    }

    /// Takes back a spilled page that was fetched, or (`None`) forgets one that the record does not know any more.
    pub(super) fn refill(&mut self, lane: Lane, at: (i64, PageId), page: Option<Arc<Page>>) {
        let Some(numbers) = self.spilled.get_mut(&lane) else { return };
        if numbers.remove(&at).is_some() {
            self.numbers -= 1;
        }
        if numbers.is_empty() {
            self.spilled.remove(&lane);
        }
        if let Some(page) = page {
            self.hold(lane, at, page);
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
