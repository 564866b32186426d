//! What a collector was asked and what it promised, on one time line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use rustix::time::{ClockId, clock_gettime};

/// One word on the time line. What is asked is noted before it is asked, what is promised once it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A host is about to enrol.
    Enrols(usize),
    /// It was told that it is enrolled.
    Enrolled(usize),
    /// A host was welcomed with this generation.
    Welcomed(usize, u64),
    /// It sends the record of this number.
    Sends(usize, u64),
    /// Its records were acknowledged through this number.
    Stored(usize, u64),
    /// It was seen up.
    Up(usize),
    /// An alert is about to be raised.
    Raises(String),
    /// It was taken.
    Raised(String),
    /// It is about to be over.
    Ends(String),
    /// That was taken.
    Ended(String),
    /// A person is about to take its incident.
    Takes(String),
    /// That was answered.
    Taken(String),
    /// This page was seen to be recorded as accepted by its receiver.
    Marked(i64),
}

/// The time line.
#[derive(Debug, Default)]
pub struct Diary(Mutex<Vec<(u64, Word)>>);

/// The wall clock as `strace` reads it, nanoseconds since the Unix epoch.
#[must_use]
pub fn wall_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

impl Diary {
    /// Notes something that was asked or promised now.
    pub fn note(&self, word: Word) {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.push((wall_ns(), word));
    }

    /// All until now.
    #[must_use]
    pub fn words(&self) -> Vec<(u64, Word)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What had been asked and promised at an instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promised {
    /// Hosts that may be there.
    pub enrols: BTreeSet<usize>,
    /// Hosts that have to be.
    pub enrolled: BTreeSet<usize>,
    /// The generation of each host that it was told last.
    pub generation: BTreeMap<usize, u64>,
    /// The last record of each host that may be there.
    pub sends: BTreeMap<usize, u64>,
    /// The last record of each host that has to be, with all before it.
    pub stored: BTreeMap<usize, u64>,
    /// Hosts that were up.
    pub up: BTreeSet<usize>,
    /// Alerts that may be there, and those that have to be.
    pub raises: BTreeSet<String>,
    /// Alerts that have to be there.
    pub raised: BTreeSet<String>,
    /// Alerts that may be over.
    pub ends: BTreeSet<String>,
    /// Alerts that have to be.
    pub ended: BTreeSet<String>,
    /// Incidents that somebody may have.
    pub takes: BTreeSet<String>,
    /// Incidents that somebody has.
    pub taken: BTreeSet<String>,
    /// Pages that nobody may be sent again.
    pub marked: BTreeSet<i64>,
}

impl Promised {
    /// What stood on the time line at an instant.
    #[must_use]
    pub fn at(words: &[(u64, Word)], at_ns: u64) -> Self {
        let mut promised = Self::default();
        let most = |of: &mut BTreeMap<usize, u64>, host: usize, value: u64| {
            let held = of.entry(host).or_default();
            *held = value.max(*held);
        };
        for (_, word) in words.iter().filter(|(told_ns, _)| *told_ns <= at_ns) {
            match word {
                Word::Enrols(host) => add(&mut promised.enrols, host),
                Word::Enrolled(host) => add(&mut promised.enrolled, host),
                Word::Welcomed(host, generation) => most(&mut promised.generation, *host, *generation),
                Word::Sends(host, sequence) => most(&mut promised.sends, *host, *sequence),
                Word::Stored(host, through) => most(&mut promised.stored, *host, *through),
                Word::Up(host) => add(&mut promised.up, host),
                Word::Raises(name) => add(&mut promised.raises, name),
                Word::Raised(name) => add(&mut promised.raised, name),
                Word::Ends(name) => add(&mut promised.ends, name),
                Word::Ended(name) => add(&mut promised.ended, name),
                Word::Takes(name) => add(&mut promised.takes, name),
                Word::Taken(name) => add(&mut promised.taken, name),
                Word::Marked(page) => add(&mut promised.marked, page),
            }
        }
        promised
    }

    /// How many promises these are: each record counts.
    #[must_use]
    pub fn count(&self) -> usize {
        let records: u64 = self.stored.values().sum();
        let others = [self.enrolled.len(), self.raised.len(), self.ended.len(), self.taken.len(), self.marked.len()];
        others.iter().sum::<usize>() + usize::try_from(records).unwrap_or(usize::MAX)
    }
}

fn add<T: Ord + Clone>(of: &mut BTreeSet<T>, one: &T) {
    of.insert(one.clone());
}

/// When something was promised: the instants after which a cut hurts most.
#[must_use]
pub fn told_ns(words: &[(u64, Word)]) -> Vec<u64> {
    let is_told = |word: &Word| {
        matches!(
            word,
            Word::Enrolled(_) | Word::Stored(..) | Word::Raised(_) | Word::Ended(_) | Word::Taken(_) | Word::Marked(_)
        )
    };
    words.iter().filter(|(_, word)| is_told(word)).map(|(at_ns, _)| *at_ns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_counts_from_the_instant_at_which_it_was_heard() {
        let name = || "Power1".to_owned();
        let words = [
            (10, Word::Enrols(0)),
            (20, Word::Enrolled(0)),
            (25, Word::Welcomed(0, 3)),
            (30, Word::Sends(0, 1)),
            (31, Word::Sends(0, 2)),
            (40, Word::Stored(0, 2)),
            (50, Word::Raises(name())),
            (60, Word::Raised(name())),
            (70, Word::Takes(name())),
        ];
        let promised = Promised::at(&words, 39);
        assert_eq!((promised.sends[&0], promised.stored.get(&0), promised.count()), (2, None, 1));
        let promised = Promised::at(&words, 60);
        assert_eq!((promised.stored[&0], promised.generation[&0], promised.count()), (2, 3, 4));
        assert_eq!((promised.raised.contains("Power1"), promised.takes.contains("Power1")), (true, false));
        assert_eq!(Promised::at(&words, 9), Promised::default());
        assert_eq!(told_ns(&words), [20, 40, 60]);
    }
}
