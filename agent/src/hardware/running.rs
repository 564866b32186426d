//! When each source of the hardware is looked at: one at a time, on a thread that ends with the look.
//!
//! A look that does not return keeps its thread and is left alone until it does, and the others go on. The kernel's log is
//! looked at when the kernel says something, so that nothing wakes the agent while it does not.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::kernel_log::Log;
use super::prove::Proofs;
use super::{Batch, Every, Memory, Position, SOURCES, Source};
use crate::clock::Moment;
use crate::host::Host;
use crate::schedule::{Outcome, Schedule};

/// The thread's stack: it reads small files and follows one program.
const STACK_BYTES: usize = 256 * 1024;
/// A look that has not returned by then hangs in a file; each tool has a deadline far below it.
const LOOK: Duration = Duration::from_secs(3_600);
/// The longest pause: boot time goes on while the machine sleeps, timers do not.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Between two looks at a log that goes on, in milliseconds.
const LOG_EVERY_MS: u64 = 10_000;
/// What hardware says comes in bursts: the first look waits for the rest, in milliseconds.
const BURST_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60_000;
/// The source that has the plan of tests.
const PROOFS: &str = "proofs";
/// Looks waiting for who takes them.
pub const BATCHES_MAX: usize = 1;

/// What looking needs.
#[derive(Debug)]
pub struct Running {
    /// The machine.
    pub host: Host,
    /// How often drives, optics, GPUs, RAID controllers and the BMC are asked.
    pub interval: Duration,
    /// Up to where the kernel's log was told.
    pub position: Option<Position>,
    /// Tests that are begun by night.
    pub proofs: Proofs,
    /// Where what was found goes.
    pub found: mpsc::Sender<Batch>,
    /// Both clocks.
    pub now: fn() -> Moment,
}

/// A look under way, with what is remembered for the next.
type Looking = oneshot::Receiver<(Memory, Batch)>;

/// One source between two looks.
#[derive(Default)]
struct Slot {
    memory: Memory,
    /// A look that does not return.
    hanging: Option<Looking>,
    /// When it was looked at last, in milliseconds since boot.
    looked_ms: Option<u64>,
}

impl Running {
    /// Looks until nobody takes what is found.
    pub async fn run(mut self) {
        let mut schedule = Schedule::new(SOURCES.iter().map(|source| self.every_ms(source)));
        let (position, mut proofs) = (self.position, Some(std::mem::take(&mut self.proofs)));
        let mut slot = |source: &Source| {
            let proofs = proofs.take_if(|_| source.name == PROOFS).unwrap_or_default();
            Slot { memory: Memory { log: Log::at(position), proofs, ..Memory::default() }, ..Slot::default() }
        };
        let mut slots: Vec<Slot> = SOURCES.iter().map(&mut slot).collect();
        while !self.found.is_closed() {
            let due: Vec<usize> = schedule.due(self.now_ms()).collect();
            for place in due {
                let slot = &mut slots[place];
                schedule.started(place, self.now_ms());
                let batch = self.look(&SOURCES[place], slot).await;
                let now_ms = self.now_ms();
                slot.looked_ms = Some(now_ms);
                if slot.hanging.is_some() {
                    schedule.stuck(place, now_ms);
                    continue;
                }
                schedule.finished(place, now_ms, if batch.is_some() { Outcome::Done } else { Outcome::Failed });
                if let Some(batch) = batch
                    && self.found.send(batch).await.is_err()
                {
                    return;
                }
            }
            for (place, slot) in slots.iter_mut().enumerate() {
                let hangs =
                    |looking: &mut Looking| matches!(looking.try_recv(), Err(oneshot::error::TryRecvError::Empty));
                if slot.hanging.take_if(|looking| !hangs(looking)).is_some() {
                    schedule.finished(place, self.now_ms(), Outcome::Failed);
                }
            }
            self.pause(&mut schedule, &slots).await;
        }
    }

    fn every_ms(&self, source: &Source) -> u64 {
        match source.every {
            Every::Interval => u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX),
            Every::Minutes(minutes) => minutes * MINUTE_MS,
            Every::Messages => MINUTE_MS,
        }
    }

    fn now_ms(&self) -> u64 {
        (self.now)().boottime_ms
    }

    /// One look, unless no thread can be started, or it hangs: then the slot keeps it.
    async fn look(&self, source: &'static Source, slot: &mut Slot) -> Option<Batch> {
        let (sender, mut looking) = oneshot::channel();
        let (host, now_ms, mut memory) = (self.host.clone(), self.now_ms(), std::mem::take(&mut slot.memory));
        let thread = std::thread::Builder::new().name("muster-hardware".to_owned()).stack_size(STACK_BYTES);
        let look = move || {
            let batch = source.look(&host, &mut memory, now_ms);
            // Nobody waits any more when the agent stops.
            drop(sender.send((memory, batch)));
        };
        if let Err(error) = thread.spawn(look) {
            tracing::debug!(%error, source = source.name, "no thread could be started to look at the hardware");
            return None;
        }
        match tokio::time::timeout(LOOK, &mut looking).await {
            Ok(Ok((memory, batch))) => {
                slot.memory = memory;
                Some(batch)
            }
            // The thread died without an answer.
            Ok(Err(_)) => None,
            Err(_) => {
                tracing::warn!(source = source.name, "a look at the hardware hangs; the others go on");
                slot.hanging = Some(looking);
                None
            }
        }
    }

    /// Until the next source is due, or the kernel says something and its log was not looked at just before.
    async fn pause(&self, schedule: &mut Schedule, slots: &[Slot]) {
        let now_ms = self.now_ms();
        let next_ms = schedule.next_due().map_or(u64::MAX, |due_ms| due_ms.saturating_sub(now_ms));
        let pause = Duration::from_millis(next_ms).clamp(Duration::from_millis(10), PAUSE_MAX);
        let log = SOURCES.iter().position(|source| source.every == Every::Messages);
        let Some((place, slot)) = log.and_then(|place| Some((place, slots.get(place)?))) else { return };
        let soonest_ms = slot.looked_ms.map_or(now_ms, |looked_ms| looked_ms + LOG_EVERY_MS);
        tokio::select! {
            () = self.found.closed() => {}
            () = tokio::time::sleep(pause) => {}
            () = said_something(&slot.memory.log), if next_ms > LOG_EVERY_MS => {
                schedule.hasten(place, soonest_ms.max(self.now_ms() + BURST_MS));
            }
        }
    }
}

/// Ends when there is more to read; never where that cannot be noticed, as with a file.
async fn said_something(log: &Log) {
    let readable = match log.messages() {
        Some(messages) => messages.readable().await,
        None => false,
    };
    if !readable {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::testing::Machine;
    use super::*;

    /// A named pipe is read like the kernel's log: what is written wakes who waits, and there is no end.
    #[tokio::test]
    async fn who_waits_for_the_kernels_log_is_woken_by_it_and_not_by_a_file() {
        let mut machine = Machine::new();
        machine.file("dev/kmsg", "3,1,1,-;EDAC\n");
        machine.look("kernel log", 0);
        let soon = Duration::from_millis(50);
        assert!(
            tokio::time::timeout(soon, said_something(&machine.memory.log)).await.is_err(),
            "a file never says more"
        );

        let path = machine.root().join("dev/kmsg");
        std::fs::remove_file(&path).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        let mut kernel = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        assert_eq!(machine.look("kernel log", 1), []);
        assert!(tokio::time::timeout(soon, said_something(&machine.memory.log)).await.is_err(), "nothing was said");
        kernel.write_all(b"3,2,2000000,-;EDAC MC0: 1 CE\n").unwrap();
        tokio::time::timeout(Duration::from_secs(20), said_something(&machine.memory.log)).await.expect("it is woken");
        assert_eq!(machine.look("kernel log", 2).len(), 1);
    }
}
