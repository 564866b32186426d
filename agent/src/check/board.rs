//! The last outcome of each check, where the runner leaves it and readings and uplink find it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Definition, Outcome};

/// What is known of one check.
#[derive(Debug, Clone, Default)]
struct Seen {
    last: Option<(Outcome, f64)>,
    attempt: u32,
    unsaid: bool,
}

/// What the collector has to hear of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The check's name.
    pub check: String,
    /// How it turned out; `None` when there is no such check any more.
    pub outcome: Option<Outcome>,
    /// How often in a row it was not ok.
    pub attempt: u32,
    /// How often that must be to count.
    pub attempts: u32,
}

/// What the readings say of one check.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The check.
    pub definition: &'a Definition,
    /// How it turned out last.
    pub outcome: &'a Outcome,
    /// How long that took, in seconds.
    pub took_s: f64,
}

/// The board. What the collector has not heard waits here: of each check the last outcome only, so it cannot grow.
#[derive(Debug)]
pub struct Board {
    definitions: Vec<Definition>,
    seen: Mutex<Vec<Seen>>,
    changed: Notify,
}

impl Board {
    /// A board for these checks; none has been run.
    #[must_use]
    pub fn new(definitions: Vec<Definition>) -> Self {
        let seen = vec![Seen::default(); definitions.len()];
        Self { definitions, seen: Mutex::new(seen), changed: Notify::new() }
    }

    /// The checks, in the order of their definition.
    #[must_use]
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// Takes the outcome of the check at `index` in; `tell`: the collector has to hear of it.
    pub fn put(&self, index: usize, outcome: Outcome, took_s: f64, attempt: u32, tell: bool) {
        if let Some(seen) = self.seen().get_mut(index) {
            let unsaid = seen.unsaid || tell;
            *seen = Seen { last: Some((outcome, took_s)), attempt, unsaid };
        }
        if tell {
            self.changed.notify_one();
        }
    }

    /// The collector shall hear of all checks again.
    pub fn say_again(&self) {
        self.seen().iter_mut().for_each(|seen| seen.unsaid = seen.last.is_some());
    }

    /// What the collector has not heard of; it counts as heard from now on.
    #[must_use]
    pub fn take_unsaid(&self) -> Vec<Told> {
        let mut seen = self.seen();
        let mut told = Vec::new();
        for (definition, seen) in self.definitions.iter().zip(seen.iter_mut()) {
            if std::mem::take(&mut seen.unsaid) {
                told.push(Told {
                    check: definition.name.clone(),
                    outcome: seen.last.as_ref().map(|(outcome, _)| outcome.clone()),
                    attempt: seen.attempt,
                    attempts: definition.attempts,
                });
            }
        }
        told
    }

    /// Waits until there is something that the collector has not heard of.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Calls `show` with each check that has been run.
    pub fn each(&self, mut show: impl FnMut(&Shown<'_>)) {
        for (definition, seen) in self.definitions.iter().zip(self.seen().iter()) {
            if let Some((outcome, took_s)) = &seen.last {
                show(&Shown { definition, outcome, took_s: *took_s });
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::{Kind, Status};

    fn board() -> Board {
        let definition = |name: &str| Definition {
            name: name.into(),
            kind: Kind::Tcp("127.0.0.1:80".into()),
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            attempts: 3,
            retry_interval: Duration::from_secs(15),
        };
        Board::new(vec![definition("a"), definition("b")])
    }

    fn names(told: &[Told]) -> Vec<(&str, u32)> {
        told.iter().map(|told| (told.check.as_str(), told.attempt)).collect()
    }

    #[test]
    fn what_changed_is_told_once_and_only_the_last_of_it() {
        let board = board();
        assert_eq!(board.take_unsaid(), []);
        board.put(0, Outcome::new(Status::Critical, "no"), 0.1, 1, true);
        board.put(0, Outcome::new(Status::Critical, "no"), 0.1, 2, true);
        board.put(0, Outcome::new(Status::Critical, "still no"), 0.1, 2, false);
        board.put(1, Outcome::new(Status::Ok, "fine"), 0.1, 1, false);
        let told = board.take_unsaid();
        assert_eq!(names(&told), [("a", 2)]);
        assert_eq!(told[0].outcome.as_ref().map(|outcome| outcome.output.as_str()), Some("still no"));
        assert_eq!(board.take_unsaid(), []);
    }

    #[test]
    fn a_new_stream_hears_of_all_that_were_run() {
        let board = board();
        board.put(1, Outcome::new(Status::Ok, "fine"), 0.1, 1, false);
        board.say_again();
        assert_eq!(names(&board.take_unsaid()), [("b", 1)]);
        assert_eq!(board.take_unsaid(), []);
    }
}
