//! When each source of the hardware is looked at: one at a time, on a thread that ends with the look.
//!
//! A look has a deadline of its own; one that does not return keeps its thread and is left alone until it does, and the
//! others go on.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Batch, Every, Memory, SOURCES, Source};
use crate::clock::Moment;
use crate::host::Host;
use crate::schedule::{Outcome, Schedule};

/// The thread's stack: it reads small files and follows one program.
const STACK_BYTES: usize = 256 * 1024;
/// A look that has not returned by then hangs in a file; each tool has a deadline far below it.
const LOOK: Duration = Duration::from_secs(3_600);
/// The longest pause: boot time goes on while the machine sleeps, timers do not.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Looks waiting for who takes them.
pub const BATCHES_MAX: usize = 1;

/// What looking needs.
#[derive(Debug)]
pub struct Running {
    /// The machine.
    pub host: Host,
    /// How often drives, RAID controllers and the BMC are asked.
    pub interval: Duration,
    /// Where what was found goes.
    pub found: mpsc::Sender<Batch>,
    /// Both clocks.
    pub now: fn() -> Moment,
}

/// A look under way, with what is remembered for the next.
type Looking = oneshot::Receiver<(Memory, Batch)>;

impl Running {
    /// Looks until nobody takes what is found.
    pub async fn run(self) {
        let mut schedule = Schedule::new(SOURCES.iter().map(|source| self.every_ms(source)));
        let mut memories: Vec<Memory> = SOURCES.iter().map(|_| Memory::default()).collect();
        let mut hanging: Vec<(usize, Looking)> = Vec::new();
        loop {
            let due: Vec<usize> = schedule.due(self.now_ms()).collect();
            for place in due {
                let memory = std::mem::take(&mut memories[place]);
                schedule.started(place, self.now_ms());
                let Some(mut looking) = self.begin(&SOURCES[place], memory) else {
                    schedule.finished(place, self.now_ms(), Outcome::Failed);
                    continue;
                };
                match tokio::time::timeout(LOOK, &mut looking).await {
                    Ok(Ok((memory, batch))) => {
                        memories[place] = memory;
                        schedule.finished(place, self.now_ms(), Outcome::Done);
                        if self.found.send(batch).await.is_err() {
                            return;
                        }
                    }
                    // The thread died without an answer.
                    Ok(Err(_)) => schedule.finished(place, self.now_ms(), Outcome::Failed),
                    Err(_) => {
                        tracing::warn!(source = SOURCES[place].name, "a look at the hardware hangs; the others go on");
                        schedule.stuck(place, self.now_ms());
                        hanging.push((place, looking));
                    }
                }
            }
            hanging.retain_mut(|(place, looking)| {
                let hangs = matches!(looking.try_recv(), Err(oneshot::error::TryRecvError::Empty));
                if !hangs {
                    schedule.finished(*place, self.now_ms(), Outcome::Failed);
                }
                hangs
            });
            self.pause(&schedule).await;
        }
    }

    fn every_ms(&self, source: &Source) -> u64 {
        match source.every {
            Every::Interval => u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn now_ms(&self) -> u64 {
        (self.now)().boottime_ms
    }

    fn begin(&self, source: &'static Source, mut memory: Memory) -> Option<Looking> {
        let (sender, receiver) = oneshot::channel();
        let (host, now_ms) = (self.host.clone(), self.now_ms());
        let thread = std::thread::Builder::new().name("muster-hardware".to_owned()).stack_size(STACK_BYTES);
        let look = move || {
            let batch = source.look(&host, &mut memory, now_ms);
            // Nobody waits any more when the agent stops.
            drop(sender.send((memory, batch)));
        };
        match thread.spawn(look) {
            Ok(_) => Some(receiver),
            Err(error) => {
                tracing::debug!(%error, source = source.name, "no thread could be started");
                None
            }
        }
    }

    async fn pause(&self, schedule: &Schedule) {
        let next_ms = schedule.next_due().map_or(u64::MAX, |due_ms| due_ms.saturating_sub(self.now_ms()));
        let closed = self.found.closed();
        // A time-out is not an error here: the loop looks again.
        let _ =
            tokio::time::timeout(Duration::from_millis(next_ms).clamp(Duration::from_millis(10), PAUSE_MAX), closed)
                .await;
    }
}
