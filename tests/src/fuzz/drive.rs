//! Runs cases in blocks that begin afresh, so that one that fails can be run again with what led to it.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use muster_agent::clock::boottime_ns;

use super::damage::Rng;
use super::{Parser, Read, Row, weigh};

/// Readings that share what a parser remembers.
pub(crate) const BLOCK: u64 = 64;
/// A parser that has failed so often is left alone.
const FINDINGS_MAX: usize = 3;
/// Memory of a case: what buffers cost that are there for any input (a file is read into 16 KiB that double, a page of
/// metrics has some 100 KiB), and so many bytes for each byte of input: to the TOML library each may be a token of some
/// 260 bytes.
const MEMORY_ALWAYS: usize = 4 * 1024 * 1024;
const MEMORY_PER_BYTE: usize = 320;
/// Of a thread that is between two parsers.
pub(crate) const IDLE: u64 = u64::MAX;

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What is to be run.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub(crate) seed: u64,
    /// At least so many damaged texts.
    pub(crate) cases: u64,
    /// Nothing but this block, to see it fail again.
    pub(crate) block: Option<u64>,
    /// A parser may take so long this time.
    pub(crate) seconds: u64,
}

/// What came of it, this time and the times before.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) cases: u64,
    /// Blocks that were run: the next one's number.
    pub(crate) blocks: u64,
    pub(crate) cpu_s: f64,
    pub(crate) largest: usize,
    pub(crate) memory: usize,
    pub(crate) findings: Vec<String>,
}

/// Where a thread is, for whoever watches that it moves on.
#[derive(Default)]
pub(crate) struct Place {
    pub(crate) case: AtomicU64,
}

/// Panics are told by what came of the case instead.
pub(crate) fn hush_panics() {
    std::panic::set_hook(Box::new(|panic| PANIC.set(panic.to_string())));
}

/// Runs the cases of one parser that are still to be run.
pub(crate) fn drive(row: &Row, order: Order, so_far: Outcome, place: &Arc<Place>) -> Outcome {
    let mut parser = (row.make)();
    let mut outcome = so_far;
    let (began, end_ns) = (cpu_s(), boottime_ns().saturating_add(order.seconds.saturating_mul(1_000_000_000)));
    while outcome.cases < order.cases && outcome.findings.len() < FINDINGS_MAX && boottime_ns() < end_ns {
        let block = order.block.unwrap_or(outcome.blocks);
        let ran =
            catch_unwind(AssertUnwindSafe(|| run_block(row, &mut *parser, order.seed, block, place, &mut outcome)));
        let trouble = ran.unwrap_or_else(|_| Err(PANIC.take()));
        if let Err(what) = trouble {
            outcome.findings.push(format!("{what}\n    {}", again(&row.name, order.seed, block)));
            // What a panic left behind is not to be blamed for the next.
            parser = (row.make)();
        }
        if order.block.is_some() {
            break;
        }
        outcome.blocks += 1;
    }
    place.case.store(IDLE, Ordering::Relaxed);
    outcome.cpu_s += cpu_s() - began;
    outcome
}

/// How a block is run again.
pub(crate) fn again(name: &str, seed: u64, block: u64) -> String {
    format!("again: tests/long fuzz --seed {seed} --only {name:?} --block {block}")
}

fn run_block(
    row: &Row,
    parser: &mut dyn Parser,
    seed: u64,
    block: u64,
    place: &Place,
    outcome: &mut Outcome,
) -> Result<(), String> {
    parser.begin();
    for case in block * BLOCK..(block + 1) * BLOCK {
        place.case.store(case, Ordering::Relaxed);
        let mut rng = Rng::new(seed ^ hash(&row.name) ^ case.wrapping_mul(0x2545_f491_4f6c_dd1d));
        weigh::begin();
        let Read { bytes, texts } = parser.case(&mut rng)?;
        let memory = weigh::most();
        outcome.cases += texts as u64;
        outcome.largest = outcome.largest.max(bytes);
        outcome.memory = outcome.memory.max(memory);
        if memory > MEMORY_ALWAYS + MEMORY_PER_BYTE * bytes {
            return Err(format!("{memory} bytes of memory for {bytes} bytes of input"));
        }
    }
    Ok(())
}

/// FNV-1a, so that parsers get different damage from one seed.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// CPU seconds of this thread.
fn cpu_s() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
