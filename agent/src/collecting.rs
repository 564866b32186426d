//! When this machine is collected: each interval, for the report, and when somebody asks who cannot be shown the last
//! readings because they are too old. There is one collection at a time.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::clock::Moment;
use crate::gather::{Gathered, Gatherer};

/// Where somebody waits for readings that are younger than one interval.
pub type Ask = oneshot::Sender<Gathered>;

/// What collecting needs.
#[derive(Debug)]
pub struct Collecting {
    /// Who reads.
    pub gatherer: Gatherer,
    /// A collection that takes longer than this says which source is late; the rest is on time.
    pub deadline: Duration,
    /// The interval of this machine's own file.
    pub own: Option<Duration>,
    /// Without one, what the collector says. Whenever it says so a collection is made at once.
    pub told: watch::Receiver<Duration>,
    /// Where readings go.
    pub collected: mpsc::Sender<Gathered>,
    /// Who else wants them.
    pub asks: Option<mpsc::Receiver<Ask>>,
    /// The clock.
    pub now: fn() -> Moment,
}

impl Collecting {
    /// Collects until nobody wants readings any more.
    pub async fn run(mut self) {
        let mut due = Instant::now();
        let mut waiting = None;
        loop {
            let gathered = self.gatherer.collect((self.now)(), self.deadline).await;
            // Kept only where somebody may ask: what is held at the next collection must be copied for it.
            let last = self.asks.is_some().then(|| gathered.clone());
            if self.collected.try_send(gathered).is_err() && self.collected.is_closed() {
                return;
            }
            if let Some(last) = &last {
                self.answer_all(waiting.take(), last);
            }
            match self.pause(due, last).await {
                Next::At(instant, ask) => (due, waiting) = (instant, ask),
                Next::End => return,
            }
        }
    }

    /// Shows a collection that has just ended to everybody who asked before, however long it took.
    fn answer_all(&mut self, waiting: Option<Ask>, last: &Gathered) {
        let asks = self.asks.iter_mut().flat_map(|asks| std::iter::from_fn(|| asks.try_recv().ok()));
        waiting.into_iter().chain(asks).for_each(|ask| answer(ask, last));
    }

    /// Waits for the collection after the one that was due, and shows the last one to who asks meanwhile.
    async fn pause(&mut self, due: Instant, last: Option<Gathered>) -> Next {
        let told = *self.told.borrow_and_update();
        let every = self.own.unwrap_or(told);
        let due = (due + every).max(Instant::now());
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(due) => return Next::At(due, None),
                changed = self.told.changed() => return match changed {
                    Ok(()) => Next::At(Instant::now(), None),
                    Err(_) => Next::End,
                },
                Some(ask) = next(&mut self.asks) => match &last {
                    Some(last) if is_fresh(last.at, (self.now)(), every) => answer(ask, last),
                    _ => return Next::At(Instant::now(), Some(ask)),
                },
            }
        }
    }
}

/// What comes after a pause.
enum Next {
    /// A collection, due at this instant, for who waits for it.
    At(Instant, Option<Ask>),
    /// Nothing.
    End,
}

fn answer(ask: Ask, last: &Gathered) {
    // Who does not wait any more does not matter.
    let _ = ask.send(last.clone());
}

async fn next(asks: &mut Option<mpsc::Receiver<Ask>>) -> Option<Ask> {
    match asks {
        Some(asks) => asks.recv().await,
        None => std::future::pending().await,
    }
}

/// Boot time counts suspend, so that a machine that slept does not show what it was before.
fn is_fresh(at: Moment, now: Moment, every: Duration) -> bool {
    u128::from(now.boottime_ms.saturating_sub(at.boottime_ms)) < every.as_millis()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use super::*;
    use crate::clock;
    use crate::host::{FsStat, Host};
    use crate::probe::{Every, Kind, ProbeError, Sink, Source};

    const EVERY: Duration = Duration::from_secs(300);

    fn fine(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
        sink.single("fine", Kind::Gauge, "", 1.0);
        Ok(())
    }

    const SOURCES: &[Source] = &[Source { name: "fine", read: fine, every: Every::Report, deadline_ms: 60_000 }];

    fn collecting(now: fn() -> Moment) -> (Collecting, mpsc::Receiver<Gathered>, mpsc::Sender<Ask>) {
        let (collected, readings) = mpsc::channel(10);
        let (asks, asked) = mpsc::channel(8);
        let gatherer = Gatherer::with_sources(Host::live(), SOURCES);
        let (tell, told) = watch::channel(EVERY);
        // Who tells lives as long as the test.
        std::mem::forget(tell);
        let deadline = Duration::from_secs(60);
        (Collecting { gatherer, deadline, own: Some(EVERY), told, collected, asks: Some(asked), now }, readings, asks)
    }

    async fn ask(asks: &mpsc::Sender<Ask>) -> Gathered {
        let (ask, answer) = oneshot::channel();
        asks.send(ask).await.unwrap();
        answer.await.unwrap()
    }

    #[tokio::test]
    async fn who_asks_is_shown_the_last_readings_until_they_are_an_interval_old() {
        static NOW_MS: AtomicU64 = AtomicU64::new(1_000_000);
        let now = || Moment { wall_ms: 0, boottime_ms: NOW_MS.load(SeqCst) };
        let (collecting, mut readings, asks) = collecting(now);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(collecting.run());

        assert_eq!(ask(&asks).await.at.boottime_ms, 1_000_000, "the first waits for the first collection");
        NOW_MS.store(1_299_999, SeqCst);
        assert_eq!(ask(&asks).await.at.boottime_ms, 1_000_000);
        NOW_MS.store(1_300_000, SeqCst);
        let (one, two) = tokio::join!(ask(&asks), ask(&asks));
        assert_eq!((one.at.boottime_ms, two.at.boottime_ms), (1_300_000, 1_300_000));
        assert_eq!(one.table.family("fine").count(), 1);

        assert_eq!(readings.recv().await.unwrap().at.boottime_ms, 1_000_000);
        assert_eq!(
            readings.recv().await.unwrap().at.boottime_ms,
            1_300_000,
            "a collection for who asks is reported too"
        );
        assert!(readings.try_recv().is_err(), "two that ask together are one collection");
    }

    fn hanging(host: &Host, _: &mut Sink<'_>) -> Result<(), ProbeError> {
        let _ = host.statfs("/hung", 60_000);
        Ok(())
    }

    const HANGING: &[Source] = &[Source { name: "hanging", read: hanging, every: Every::Report, deadline_ms: 60_000 }];

    #[tokio::test]
    async fn who_asks_waits_for_no_source_that_hangs() {
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let hold = std::sync::Mutex::new(hold);
        let hangs = move |_: &str| {
            let _ = hold.lock().unwrap().recv();
            Ok(FsStat::default())
        };
        let host = Host::with_statfs(None, Box::new(hangs));
        let (collecting, _readings, asks) = collecting(clock::now);
        let gatherer = Gatherer::with_sources(host, HANGING);
        let mut tasks = tokio::task::JoinSet::new();
        let own = Some(Duration::from_millis(10));
        tasks.spawn(Collecting { gatherer, deadline: Duration::from_millis(20), own, ..collecting }.run());
        // Each collection takes longer than the interval: who asked while it went on is shown it all the same.
        let all = [(); 8].map(|()| {
            let (ask, answer) = oneshot::channel();
            asks.try_send(ask).unwrap();
            answer
        });
        let mut collections = std::collections::BTreeSet::new();
        for answer in all {
            let late = answer.await.unwrap();
            assert!(late.is_late("hanging"));
            collections.insert(late.at.boottime_ms);
        }
        assert_eq!(collections.len(), 1);
        drop(release);
    }

    #[tokio::test]
    async fn a_collection_waits_for_nobody_who_takes_it() {
        static NOW_MS: AtomicU64 = AtomicU64::new(0);
        let (collecting, mut readings, asks) = collecting(|| Moment { wall_ms: 0, boottime_ms: NOW_MS.load(SeqCst) });
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(collecting.run());
        // Each answer takes a collection of its own, and nobody takes what is sent: ten of them fit.
        let stalled = async {
            for interval in 0..30 {
                NOW_MS.store(interval * 300_000, SeqCst);
                assert_eq!(ask(&asks).await.at.boottime_ms, interval * 300_000);
            }
        };
        tokio::time::timeout(Duration::from_secs(20), stalled).await.expect("it goes on with nobody to hear it");
        let sent: Vec<u64> = std::iter::from_fn(|| Some(readings.try_recv().ok()?.at.boottime_ms)).collect();
        assert_eq!(sent, (0..10).map(|interval| interval * 300_000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn it_ends_with_who_wants_the_readings() {
        let (collecting, readings, asks) = collecting(Moment::default);
        drop(readings);
        tokio::time::timeout(Duration::from_secs(10), collecting.run()).await.expect("it ends");
        assert!(asks.is_closed());
    }
}
