//! Waiting, the only place of the tests that sleeps: looking again and again until a deadline.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// Between two looks: short beside every deadline, long beside what a look costs.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until `look` finds something and returns it.
///
/// # Panics
/// When nothing is found within the deadline; the message is `what`.
#[track_caller]
pub fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> F,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let end = now() + deadline;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(now() < end, "{caller}: not within {deadline:?}: {what}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Looks for the whole of `time` and finds nothing.
///
/// # Panics
/// As soon as `look` finds something; the message is `what` with what was found.
#[track_caller]
pub fn never<T: std::fmt::Debug, F: Future<Output = Option<T>>>(
    what: &str,
    time: Duration,
    mut look: impl FnMut() -> F,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let end = now() + time;
        while now() < end {
            if let Some(found) = look().await {
                panic!("{caller}: {what}: {found:?}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The outcome of something that ends within the deadline.
///
/// # Panics
/// When it does not; the message is `what`.
pub async fn within<T>(what: &str, deadline: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(deadline, future).await.unwrap_or_else(|_| panic!("not within {deadline:?}: {what}"))
}

/// Lets time pass while something is held in a state (stopped, cut off): the story's own length, not a guess.
pub async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

fn now() -> Instant {
    Instant::now()
}
