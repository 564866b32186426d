//! PURE (and a tiny writer): the alive log, proof of life kept while nobody listens.
//!
//! One line per five minutes while the collector acknowledges, every ten seconds while it does not. Each line says by itself
//! since when and until when this run of the agent has lived without interruption, on both clocks and with the boot id: a
//! line that is lost or torn takes nothing away from the others and joins nothing that was apart. It is the host's own word
//! and is shown as such. Lines are not synced: a power cut may cost the last half minute, never more than the file system's
//! commit time.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::clock::Moment;
use crate::platform;

/// Between entries while the collector acknowledges.
const CALM_MS: u64 = 300_000;
/// Between entries while it does not.
const ALONE_MS: u64 = 10_000;
/// An entry that comes this much after its time ends one life and begins another: the machine was suspended or the agent
/// stuck. A busy machine is late by less.
const LATE_MS: u64 = 20_000;
/// Spans kept; the oldest make room.
pub const SPANS_MAX: usize = 64;
/// The file is written anew from its spans when it is longer.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Not yet.
    Open,
    /// The agent was stopped and said so.
    Clean,
    /// It just ends: killed, crashed, suspended or without power.
    Unknown,
}

/// From when to when the agent lived, without interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The boot it happened in.
    pub boot_id: [u8; 16],
    /// The first entry.
    pub from: Moment,
    /// The last.
    pub to: Moment,
    /// How it ended.
    pub end: End,
    /// The same run of the agent lived before it and stood still in between, as on a machine that slept. Otherwise the
    /// agent was started at its beginning.
    pub resumed: bool,
}

/// What is known of the agent's life, newest last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AliveLog {
    spans: VecDeque<Span>,
    /// When the next entry was promised, in milliseconds after the last.
    promised_ms: u64,
}

impl AliveLog {
    /// Reads a log; damaged lines count for nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut log = Self::default();
        for span in text.lines().filter_map(read_line) {
            log.push(span);
        }
        log
    }

    /// The spans, oldest first.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter()
    }

    /// Whether it is time for an entry.
    #[must_use]
    pub fn is_due(&self, now: Moment, acknowledged: bool) -> bool {
        let period_ms = period_ms(acknowledged).min(self.promised_ms);
        match self.spans.back() {
            Some(span) if span.end == End::Open => now.boottime_ms.saturating_sub(span.to.boottime_ms) >= period_ms,
            _ => true,
        }
    }

    /// The agent lives now; returns the line to append.
    ///
    /// A session that began with the log and was acknowledged until its next entry has told it: what is over is forgotten.
    /// Before that a collector may end with what it has just been told, and the next one needs to hear it again.
    pub fn note(&mut self, boot_id: [u8; 16], now: Moment, acknowledged: bool) -> String {
        let calm = |span: &Span| {
            let gap_ms = now.boottime_ms.saturating_sub(span.to.boottime_ms);
            (CALM_MS..=CALM_MS + LATE_MS).contains(&gap_ms)
        };
        if acknowledged && self.promised_ms == CALM_MS && self.spans.back().is_some_and(calm) {
            self.forget_told();
        }
        self.reach(boot_id, now);
        self.promised_ms = period_ms(acknowledged);
        self.spans.back().map(line).unwrap_or_default()
    }

    /// The agent ends in good order; returns the line to append.
    pub fn finish(&mut self, boot_id: [u8; 16], now: Moment) -> String {
        self.reach(boot_id, now);
        let Some(span) = self.spans.back_mut() else { return String::new() };
        span.end = End::Clean;
        line(span)
    }

    /// Only the span that is still open matters from here.
    fn forget_told(&mut self) {
        self.spans.retain(|span| span.end == End::Open);
        if let Some(open) = self.spans.back_mut() {
            open.from = open.to;
        }
    }

    /// The whole log as text, a line a span.
    #[must_use]
    pub fn render(&self) -> String {
        self.spans.iter().map(line).collect()
    }

    /// The agent lives now: the open span reaches until here, or another begins.
    pub fn reach(&mut self, boot_id: [u8; 16], now: Moment) {
        let limit_ms = self.promised_ms + LATE_MS;
        match self.spans.back_mut().filter(|span| span.end == End::Open) {
            Some(span)
                if span.boot_id == boot_id
                    && now.boottime_ms.checked_sub(span.to.boottime_ms).is_some_and(|gap_ms| gap_ms <= limit_ms) =>
            {
                span.to = now;
            }
            interrupted => {
                let resumed = interrupted.as_ref().is_some_and(|span| span.boot_id == boot_id);
                if let Some(span) = interrupted {
                    span.end = End::Unknown;
                }
                self.push(Span { boot_id, from: now, to: now, end: End::Open, resumed });
            }
        }
    }

    /// The agent stood still from `before` to `now`, as on a machine that slept: of this time the log claims nothing,
    /// however long until its next entry. Returns the lines to append.
    pub fn stood_still(&mut self, boot_id: [u8; 16], before: Moment, now: Moment) -> String {
        self.reach(boot_id, before);
        let mut lines = self.spans.back().map(line).unwrap_or_default();
        if let Some(open) = self.spans.back_mut() {
            open.end = End::Unknown;
        }
        self.push(Span { boot_id, from: now, to: now, end: End::Open, resumed: true });
        lines.extend(self.spans.back().map(line));
        lines
    }

    /// A span that begins when the last one did says more of the same: a later line of it, or a life after one that
    /// ended at the moment it began.
    fn push(&mut self, span: Span) {
        if let Some(last) = self.spans.back_mut().filter(|last| last.boot_id == span.boot_id && last.from == span.from)
        {
            *last = span;
            return;
        }
        if self.spans.len() >= SPANS_MAX {
            self.spans.pop_front();
        }
        self.spans.push_back(span);
    }
}

fn period_ms(acknowledged: bool) -> u64 {
    if acknowledged { CALM_MS } else { ALONE_MS }
}

/// Appends `line` to the log's file, or writes the file anew when it has grown too long. A disk that refuses costs the
/// entry, nothing else.
pub fn write(path: &Path, log: &AliveLog, line: &str) {
    let grown = std::fs::metadata(path).is_ok_and(|meta| meta.len() > FILE_BYTES_MAX);
    let mut options = OpenOptions::new();
    platform::private(options.create(true));
    let written = if grown {
        let neighbour = path.with_extension("new");
        options
            .write(true)
            .truncate(true)
            .open(&neighbour)
            .and_then(|mut file| {
                file.write_all(log.render().as_bytes())?;
                // Here the whole log is at stake, and it happens twice a day.
                file.sync_data()
            })
            .and_then(|()| std::fs::rename(&neighbour, path))
    } else {
        options.append(true).open(path).and_then(|mut file| file.write_all(line.as_bytes()))
    };
    if let Err(error) = written {
        tracing::debug!(%error, "alive log: the entry could not be written");
    }
}

/// `kind boot_id from_boottime_ms from_wall_ms to_boottime_ms to_wall_ms checksum`. Kinds: `a` alive, `c` a clean end; the
/// same with `r` behind it for a span that was resumed. It begins with a new line, so that a torn one before it does not
/// take it along.
fn line(span: &Span) -> String {
    let kind = match (span.end, span.resumed) {
        (End::Clean, false) => "c",
        (End::Clean, true) => "cr",
        (_, false) => "a",
        (_, true) => "ar",
    };
    let (boot, from, to) = (crate::identity::hex(&span.boot_id), span.from, span.to);
    let body = format!("{kind} {boot} {} {} {} {}", from.boottime_ms, from.wall_ms, to.boottime_ms, to.wall_ms);
    let crc = crc32c::crc32c(body.as_bytes());
    format!("\n{body} {crc:08x}\n")
}

fn read_line(line: &str) -> Option<Span> {
    let (body, crc) = line.rsplit_once(' ')?;
    if crc.len() != 8 || u32::from_str_radix(crc, 16).ok()? != crc32c::crc32c(body.as_bytes()) {
        return None;
    }
    let mut words = body.split(' ');
    let (end, resumed) = match words.next()? {
        "a" => (End::Unknown, false),
        "c" => (End::Clean, false),
        "ar" => (End::Unknown, true),
        "cr" => (End::Clean, true),
        _ => return None,
    };
    let boot_id = crate::identity::unhex(words.next()?)?.try_into().ok()?;
    let mut moment = || Some(Moment { boottime_ms: words.next()?.parse().ok()?, wall_ms: words.next()?.parse().ok()? });
    let (from, to) = (moment()?, moment()?);
    (from.boottime_ms <= to.boottime_ms).then_some(Span { boot_id, from, to, end, resumed })
}

#[cfg(test)]
mod tests;
