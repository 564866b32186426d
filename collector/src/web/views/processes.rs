//! The processes that took a host when a finding began, as small tables.

use jiff::tz::TimeZone;

use crate::{
    domain::{
        evidence::{Order, Process, Processes, Taken},
        time::Timestamp,
    },
    web::{processes::Told, words},
};

/// Rows of a table.
const ROWS: usize = 10;
/// The host needs a second to look, and its answer a moment to come.
const SOON_MS: i64 = 10_000;

/// What is shown of one look.
pub(super) struct Seen {
    /// When it was, or why there was none.
    pub(super) taken: String,
    pub(super) tables: Vec<Table>,
    /// What the figures are of.
    pub(super) note: String,
}

pub(super) struct Table {
    /// What comes first in it.
    pub(super) title: &'static str,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    pub(super) command: String,
    pub(super) pid: u32,
    pub(super) user: String,
    /// What it was doing, where that says something.
    pub(super) state: &'static str,
    pub(super) processors: String,
    pub(super) memory: String,
    /// How much of it is in swap.
    pub(super) swap: Option<String>,
    /// What it takes of what the table is about.
    pub(super) percent: u32,
}

/// All looks, the one nearest to the beginning first; one that says why, where there was none.
pub(super) fn seen(told: &Told, now: Timestamp, zone: &TimeZone) -> Vec<Seen> {
    if told.taken.is_empty() {
        return vec![Seen::without(if now.since_ms(told.since) < SOON_MS {
            "The host is being asked which processes take it.".to_owned()
        } else {
            "Which processes took it is not known: the host has not told (an agent of an older version cannot)."
                .to_owned()
        })];
    }
    told.taken.iter().map(|taken| Seen::of(taken, told, zone)).collect()
}

impl Seen {
    fn without(taken: String) -> Self {
        Self { taken, tables: Vec::new(), note: String::new() }
    }

    fn of(taken: &Taken, told: &Told, zone: &TimeZone) -> Self {
        let after = taken.at.since_ms(told.since);
        let (length, word) = (words::duration(after.abs()), if after < 0 { "before" } else { "after" });
        let at = format!("{}, {length} {word} it opened", words::clock_time(taken.at, zone));
        let found = match &taken.found {
            Ok(found) => found,
            Err(why) => return Self::without(format!("The host could not tell its processes at {at}: {why}")),
        };
        let second = if told.order == Order::Memory { Order::Processors } else { Order::Memory };
        Self {
            taken: format!("Taken {at}"),
            tables: [told.order, second].into_iter().map(|order| Table::of(found, order)).collect(),
            note: note(found),
        }
    }
}

fn note(found: &Processes) -> String {
    let left_out = words::count(usize::try_from(found.left_out).unwrap_or(usize::MAX));
    let (processors, interval) = (found.processors, found.interval_seconds);
    #[expect(clippy::cast_precision_loss, reason = "shown with three figures")]
    let memory = words::bytes(found.memory_total_bytes as f64);
    format!(
        "CPU: share of all {processors} processors within {interval} s. Memory of {memory}, swap included. {left_out} more processes are not listed."
    )
}

impl Table {
    fn of(found: &Processes, order: Order) -> Self {
        let rows = found.ordered(order).into_iter().take(ROWS).map(|process| Row::of(process, found, order));
        let title = match order {
            Order::Processors => "By use of processors",
            Order::Memory => "By memory",
            Order::Waiting => "Waiting for a device, then by use of processors",
        };
        Self { title, rows: rows.collect() }
    }
}

impl Row {
    fn of(process: &Process, found: &Processes, order: Order) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "shown with three figures")]
        let [memory, swap, total] =
            [process.memory_bytes(), process.swap_bytes, found.memory_total_bytes.max(1)].map(|bytes| bytes as f64);
        let share = if order == Order::Memory { memory / total } else { process.cpu_ratio() };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 0 to 100")]
        let percent = (share.clamp(0.0, 1.0) * 100.0).round() as u32;
        Self {
            command: process.command.clone(),
            pid: process.pid,
            user: process.user.clone(),
            state: state_words(process.state),
            processors: format!("{:.1} %", process.cpu_ratio() * 100.0),
            memory: words::bytes(memory),
            swap: (process.swap_bytes > 0).then(|| words::bytes(swap)),
            percent,
        }
    }
}

/// What a state says of a process that takes much; nothing of one that runs or sleeps.
const fn state_words(state: char) -> &'static str {
    match state {
        'D' => "waits for a device",
        'T' | 't' => "stopped",
        'Z' | 'X' => "has ended",
        _ => "",
    }
}
