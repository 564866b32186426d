//! The last outcome of each check, where the runner leaves it and readings and uplink find it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Definition, Outcome, Status};

/// What is known of one check.
#[derive(Debug)]
struct Seen {
    definition: Arc<Definition>,
    last: Option<(Outcome, f64)>,
    attempt: u32,
    /// When it was last ok, or else began to be run.
    proven: Option<Instant>,
    unsaid: bool,
}

impl Seen {
    const fn new(definition: Arc<Definition>) -> Self {
        Self { definition, last: None, attempt: 0, proven: None, unsaid: false }
    }
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
    /// How long ago it was last ok, or else began to be run; zero while it is ok.
    pub ok_ago: Duration,
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
    seen: Mutex<Vec<Seen>>,
    changed: Notify,
    redefined: Notify,
}

impl Board {
    /// A board for these checks; none has been run.
    #[must_use]
    pub fn new(definitions: Vec<Definition>) -> Self {
        let seen = definitions.into_iter().map(|definition| Seen::new(Arc::new(definition))).collect();
        Self { seen: Mutex::new(seen), changed: Notify::new(), redefined: Notify::new() }
    }

    /// The checks, in the order of their definition. One that stays as it is stays the same `Arc`.
    #[must_use]
    pub fn definitions(&self) -> Vec<Arc<Definition>> {
        self.seen().iter().map(|seen| Arc::clone(&seen.definition)).collect()
    }

    /// From now on these are the checks. What is known of one that stays as it is stays known.
    pub fn define(&self, definitions: &[Definition]) {
        let mut seen = self.seen();
        let mut before = std::mem::take(&mut *seen);
        for definition in definitions {
            let known = before.iter().position(|known| *known.definition == *definition);
            seen.push(match known {
                Some(at) => before.swap_remove(at),
                None => Seen::new(Arc::new(definition.clone())),
            });
        }
        drop(seen);
        self.redefined.notify_one();
    }

    /// Waits until the checks may be others.
    pub async fn redefined(&self) {
        self.redefined.notified().await;
    }

    /// Takes the outcome of a check in; `tell`: the collector has to hear of it. It was last ok, or else began to be run, at
    /// `proven`. One that is no longer defined so is passed over.
    pub fn put(
        &self,
        check: &Arc<Definition>,
        outcome: Outcome,
        took_s: f64,
        attempt: u32,
        proven: Instant,
        tell: bool,
    ) {
        let mut seen = self.seen();
        let Some(seen) = seen.iter_mut().find(|seen| Arc::ptr_eq(&seen.definition, check)) else { return };
        seen.last = Some((outcome, took_s));
        seen.attempt = attempt;
        seen.proven = Some(proven);
        seen.unsaid |= tell;
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
    pub fn take_unsaid(&self, now: Instant) -> Vec<Told> {
        let mut told = Vec::new();
        for seen in self.seen().iter_mut() {
            if std::mem::take(&mut seen.unsaid) {
                let is_ok = seen.last.as_ref().is_some_and(|(outcome, _)| outcome.status == Status::Ok);
                let proven = seen.proven.filter(|_| !is_ok);
                told.push(Told {
                    check: seen.definition.name.clone(),
                    outcome: seen.last.as_ref().map(|(outcome, _)| outcome.clone()),
                    attempt: seen.attempt,
                    attempts: seen.definition.attempts,
                    ok_ago: proven.map_or(Duration::ZERO, |proven| now.saturating_duration_since(proven)),
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
        for seen in self.seen().iter() {
            if let Some((outcome, took_s)) = &seen.last {
                show(&Shown { definition: &seen.definition, outcome, took_s: *took_s });
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Kind;

    fn definition(name: &str) -> Definition {
        Definition {
            name: name.into(),
            kind: Kind::Tcp("127.0.0.1:80".into()),
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            attempts: 3,
            retry_interval: Duration::from_secs(15),
        }
    }

    fn board() -> (Board, [Arc<Definition>; 2], Instant) {
        let board = Board::new(vec![definition("a"), definition("b")]);
        let checks = board.definitions().try_into().unwrap();
        (board, checks, Instant::now())
    }

    fn names(told: &[Told]) -> Vec<(&str, u32)> {
        told.iter().map(|told| (told.check.as_str(), told.attempt)).collect()
    }

    #[test]
    fn what_changed_is_told_once_and_only_the_last_of_it() {
        let (board, [a, b], begun) = board();
        assert_eq!(board.take_unsaid(begun), []);
        board.put(&a, Outcome::new(Status::Critical, "no"), 0.1, 1, begun, true);
        board.put(&a, Outcome::new(Status::Critical, "no"), 0.1, 2, begun, true);
        board.put(&a, Outcome::new(Status::Critical, "still no"), 0.1, 2, begun, false);
        board.put(&b, Outcome::new(Status::Ok, "fine"), 0.1, 1, begun, false);
        let told = board.take_unsaid(begun);
        assert_eq!(names(&told), [("a", 2)]);
        assert_eq!(told[0].outcome.as_ref().map(|outcome| outcome.output.as_str()), Some("still no"));
        assert_eq!(board.take_unsaid(begun), []);
    }

    #[test]
    fn a_new_stream_hears_of_all_that_were_run() {
        let (board, [_, b], begun) = board();
        board.put(&b, Outcome::new(Status::Ok, "fine"), 0.1, 1, begun, false);
        board.say_again();
        assert_eq!(names(&board.take_unsaid(begun)), [("b", 1)]);
        assert_eq!(board.take_unsaid(begun), []);
    }

    #[test]
    fn a_check_that_stays_as_it_is_goes_on_and_what_an_old_one_brings_is_passed_over() {
        let (board, [a, b], begun) = board();
        board.put(&a, Outcome::new(Status::Critical, "no"), 0.1, 2, begun, true);
        let slower = Definition { interval: Duration::from_secs(90), ..definition("b") };
        board.define(&[definition("c"), slower, definition("a")]);
        board.put(&b, Outcome::new(Status::Ok, "as it was defined before"), 0.1, 1, begun, true);
        assert_eq!(names(&board.take_unsaid(begun)), [("a", 2)]);
        assert!(Arc::ptr_eq(&board.definitions()[2], &a));
        board.define(&[]);
        board.say_again();
        assert_eq!(board.take_unsaid(begun), []);
    }

    #[test]
    fn of_a_failure_is_told_how_long_nothing_has_proven_the_contrary() {
        let (board, [a, b], begun) = board();
        let s = Duration::from_secs;
        board.put(&a, Outcome::new(Status::Warning, "no"), 0.1, 1, begun, true);
        board.put(&b, Outcome::new(Status::Ok, "fine"), 0.1, 1, begun + s(5), true);
        let ago = |at| board.take_unsaid(begun + at).iter().map(|told| told.ok_ago).collect::<Vec<_>>();
        assert_eq!(ago(s(8)), [s(8), s(0)]);
        board.put(&b, Outcome::new(Status::Critical, "no"), 0.1, 1, begun + s(5), true);
        assert_eq!(ago(s(20)), [s(15)]);
        board.say_again();
        assert_eq!(ago(s(30)), [s(30), s(25)], "as of when it is told");
    }
}
