//! What takes long while the collector starts: told in the log, and to systemd, which waits for as long as it hears of it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use prometheus::Registry;

use crate::{
    clock::Clock,
    config::Config,
    domain::time::Timestamp,
    store::{
        Store,
        faults::NoFaults,
        opening::{Doing, Watcher},
    },
    telemetry,
};

/// Systemd hears of it this often.
const EVERY: Duration = Duration::from_secs(1);
/// What takes no longer is not worth a line of the log, in milliseconds.
const QUICK_MS: i64 = 2_000;
/// Between two lines of it, in milliseconds.
const LINES_MS: i64 = 10_000;

/// Opens the records, and tells how far that is.
pub(super) fn open_store(config: &Config, registry: &Registry, clock: &Clock) -> anyhow::Result<Store> {
    let starting = Starting::begin(clock)?;
    let store = Store::open_with(&config.state, clock.now(), Arc::new(NoFaults), &*starting.shared)?;
    drop(starting);
    store.keep(config.retention);
    registry.register(Box::new(store.commit_seconds()))?;
    store.reports().iter().for_each(|report| tracing::warn!("{report}"));
    Ok(store)
}

/// Tells for as long as it lives.
struct Starting {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    told: Mutex<Told>,
    stop: AtomicBool,
}

/// What is being done, and what was said of it.
#[derive(Debug)]
struct Told {
    begun: Timestamp,
    line: Option<Timestamp>,
    doing: Option<Doing>,
}

impl Told {
    fn new(begun: Timestamp) -> Self {
        Self { begun, line: None, doing: None }
    }

    /// What is said to systemd, and whether the log hears it too.
    fn say(&mut self, now: Timestamp) -> Option<(String, bool)> {
        let doing = self.doing.as_ref()?;
        let whole_ms = now.since_ms(self.begun);
        let words = format!("not serving yet, for {} s: {doing}", whole_ms / 1_000);
        let due = self.line.map_or(whole_ms > QUICK_MS, |line| now.since_ms(line) >= LINES_MS);
        if due {
            self.line = Some(now);
        }
        Some((words, due))
    }
}

impl Shared {
    fn tell(&self) {
        let said = self.told.lock().unwrap_or_else(PoisonError::into_inner).say(self.clock.now());
        let Some((words, is_line)) = said else { return };
        telemetry::starting(&words);
        if is_line {
            tracing::warn!("{words}");
        }
    }
}

impl Watcher for Shared {
    fn hear(&self, doing: Doing) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.doing.replace(doing);
        let is_new = before.as_ref().map(|before| &before.what) != told.doing.as_ref().map(|doing| &doing.what);
        drop(told);
        if is_new {
            self.tell();
        }
    }
}

impl Starting {
    /// Begins to tell.
    ///
    /// # Errors
    /// The thread cannot be started.
    fn begin(clock: &Clock) -> std::io::Result<Self> {
        let told = Mutex::new(Told::new(clock.now()));
        let shared = Arc::new(Shared { clock: clock.clone(), told, stop: AtomicBool::new(false) });
        let telling = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("starting".into()).spawn(move || {
            while !telling.stop.load(Ordering::Relaxed) {
                std::thread::park_timeout(EVERY);
                telling.tell();
            }
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic in there has nothing to add.
            let _ = thread.join();
        }
        let told = self.shared.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.line.is_some() {
            let seconds = self.shared.clock.now().since_ms(told.begun) / 1_000;
            tracing::info!("the records are open, after {seconds} s");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    #[test]
    fn what_is_quick_is_no_line_of_the_log_and_what_is_not_is_one_each_ten_seconds() {
        let mut told = Told::new(at(0));
        assert_eq!(told.say(at(60_000)), None, "nothing is being done");
        let doing =
            |done| Some(Doing { what: "facts.db is brought from schema 5 to 6".into(), done, of: 9, unit: "rows" });
        told.doing = doing(0);
        let lines = [0, 2_000, 2_001, 3_000, 12_000, 12_001, 22_000, 22_001].map(|ms| told.say(at(ms)).unwrap().1);
        assert_eq!(lines, [false, false, true, false, false, true, false, true]);
        told.doing = doing(4);
        let words = "not serving yet, for 34 s: facts.db is brought from schema 5 to 6: 4 of 9 rows";
        assert_eq!(told.say(at(34_900)).unwrap(), (words.to_owned(), true));
    }
}
