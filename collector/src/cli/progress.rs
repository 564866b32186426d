//! What a person at a terminal sees of work that takes its time: on standard error, so that what is written to standard
//! output stays whole, and not at all where nobody watches.

use std::{
    io::{IsTerminal as _, Write as _},
    time::Duration,
};

use tokio::time::Instant;

/// Shorter work shows nothing.
const SHOWN_AFTER: Duration = Duration::from_secs(2);
/// Between two pictures.
const EVERY: Duration = Duration::from_millis(200);
/// Between two words about an answer that is waited for.
const WAITED: Duration = Duration::from_secs(1);
/// Signs of a bar.
const BAR: usize = 30;
/// Takes the line away again: to its beginning, and erased to its end (ECMA-48).
const TAKEN_AWAY: &str = "\r\x1b[K";

/// Work of so many steps.
pub(super) struct Progress {
    what: &'static str,
    total: usize,
    begun: Instant,
    shown: Option<Instant>,
    is_watched: bool,
}

impl Progress {
    /// Begins it.
    pub(super) fn of(what: &'static str, total: usize) -> Self {
        Self { what, total, begun: Instant::now(), shown: None, is_watched: std::io::stderr().is_terminal() }
    }

    /// So many steps are done.
    pub(super) fn at(&mut self, done: usize) {
        let now = Instant::now();
        let is_due = self.shown.map_or(now - self.begun >= SHOWN_AFTER, |shown| now - shown >= EVERY);
        if self.is_watched && is_due {
            self.shown = Some(now);
            show(&bar(self.what, done, self.total));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            show("");
        }
    }
}

/// Waits for an answer, and says so meanwhile.
pub(super) async fn waiting<T>(answer: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let mut ticks = tokio::time::interval_at(begun + SHOWN_AFTER, WAITED);
    let mut answer = std::pin::pin!(answer);
    let is_watched = std::io::stderr().is_terminal();
    let mut is_shown = false;
    loop {
        tokio::select! {
            answer = &mut answer => {
                if is_shown {
                    show("");
                }
                return answer;
            }
            _ = ticks.tick(), if is_watched => {
                is_shown = true;
                show(&format!("waiting for the collector: {} s", begun.elapsed().as_secs()));
            }
        }
    }
}

/// A terminal that is gone is no reason to stop.
fn show(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{TAKEN_AWAY}{text}").and_then(|()| stderr.flush());
}

fn bar(what: &str, done: usize, total: usize) -> String {
    let (done, total) = (done.min(total), total.max(1));
    let share = |whole: usize| u128::try_from(done).unwrap_or(0) * u128::try_from(whole).unwrap_or(0) / total as u128;
    let full = usize::try_from(share(BAR)).unwrap_or(BAR);
    format!("{what} [{}{}] {:>3} %, {done} of {total}", "#".repeat(full), ".".repeat(BAR - full), share(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_as_the_work_is_done() {
        assert_eq!(bar("reckoning", 0, 10_000), "reckoning [..............................]   0 %, 0 of 10000");
        assert_eq!(bar("reckoning", 5_099, 10_000), "reckoning [###############...............]  50 %, 5099 of 10000");
        assert_eq!(bar("reckoning", 9_999, 10_000), "reckoning [#############################.]  99 %, 9999 of 10000");
        assert_eq!(bar("reckoning", 3, 3), "reckoning [##############################] 100 %, 3 of 3");
        assert_eq!(bar("reckoning", 0, 0), "reckoning [..............................]   0 %, 0 of 1");
    }
}
