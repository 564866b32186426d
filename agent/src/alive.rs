//! PURE (and a tiny writer): the alive log, proof of life kept while nobody listens.
//!
//! One line per five minutes while the collector acknowledges, every ten seconds while it does not. A line carries boot
//! id, boot time and wall time; lines of one run of the agent form a span. It is the host's own word and is shown as
//! such. Lines are not synced: a power cut may cost the last half minute, never more than the file system's commit time.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::clock::Moment;

/// Between entries while the collector acknowledges.
const CALM_MS: u64 = 300_000;
/// Between entries while it does not.
const ALONE_MS: u64 = 10_000;
/// Entries further apart than this are not one life: the machine was suspended or the agent stuck.
const CONTINUOUS_MS: u64 = CALM_MS + 60_000;
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
}

/// What is known of the agent's life, newest last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AliveLog {
    spans: VecDeque<Span>,
}

impl AliveLog {
    /// Reads a log; damaged lines count for nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut log = Self::default();
        for (boot_id, at, kind) in text.lines().filter_map(read_line) {
            log.apply(boot_id, at, kind);
        }
        log.interrupt();
        log
    }

    /// The spans, oldest first.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter()
    }

    /// Whether it is time for an entry.
    #[must_use]
    pub fn is_due(&self, now: Moment, acknowledged: bool) -> bool {
        let period_ms = if acknowledged { CALM_MS } else { ALONE_MS };
        match self.spans.back() {
            Some(span) if span.end == End::Open => now.boottime_ms.saturating_sub(span.to.boottime_ms) >= period_ms,
            _ => true,
        }
    }

    /// The agent lives now; returns the line to append.
    pub fn note(&mut self, boot_id: [u8; 16], now: Moment) -> String {
        self.apply(boot_id, now, 'a');
        line('a', &boot_id, now)
    }

    /// The agent ends in good order; returns the line to append.
    pub fn finish(&mut self, boot_id: [u8; 16], now: Moment) -> String {
        self.apply(boot_id, now, 'c');
        line('c', &boot_id, now)
    }

    /// The collector has been told: only the span that is still open matters from here.
    pub fn forget_told(&mut self) {
        self.spans.retain(|span| span.end == End::Open);
        if let Some(open) = self.spans.back_mut() {
            open.from = open.to;
        }
    }

    /// The whole log as text, two or three lines a span.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for span in &self.spans {
            text += &line('s', &span.boot_id, span.from);
            text += &line('t', &span.boot_id, span.to);
            if span.end == End::Clean {
                text += &line('c', &span.boot_id, span.to);
            }
        }
        text
    }

    fn apply(&mut self, boot_id: [u8; 16], at: Moment, kind: char) {
        if kind == 's' {
            self.interrupt();
        }
        let continues = self.spans.back().is_some_and(|span| {
            span.end == End::Open
                && span.boot_id == boot_id
                && at.boottime_ms >= span.to.boottime_ms
                && (kind == 't' || at.boottime_ms - span.to.boottime_ms <= CONTINUOUS_MS)
        });
        if !continues {
            self.interrupt();
            if self.spans.len() >= SPANS_MAX {
                self.spans.pop_front();
            }
            self.spans.push_back(Span { boot_id, from: at, to: at, end: End::Open });
        }
        if let Some(span) = self.spans.back_mut() {
            span.to = at;
            if kind == 'c' {
                span.end = End::Clean;
            }
        }
    }

    fn interrupt(&mut self) {
        if let Some(span) = self.spans.back_mut().filter(|span| span.end == End::Open) {
            span.end = End::Unknown;
        }
    }
}

/// Appends `line` to the log's file, or writes the file anew when it has grown too long. A disk that refuses costs the
/// entry, nothing else.
pub fn write(path: &Path, log: &AliveLog, line: &str) {
    let grown = std::fs::metadata(path).is_ok_and(|meta| meta.len() > FILE_BYTES_MAX);
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    let written = if grown {
        let neighbour = path.with_extension("new");
        options
            .write(true)
            .truncate(true)
            .open(&neighbour)
            .and_then(|mut file| file.write_all(log.render().as_bytes()))
            .and_then(|()| std::fs::rename(&neighbour, path))
    } else {
        options.append(true).open(path).and_then(|mut file| file.write_all(line.as_bytes()))
    };
    if let Err(error) = written {
        tracing::debug!(%error, "alive log: the entry could not be written");
    }
}

/// `kind boot_id boottime_ms wall_ms checksum`. Kinds: `s` a span begins, `t` and reaches to here, `a` alive, `c` a
/// clean end.
fn line(kind: char, boot_id: &[u8; 16], at: Moment) -> String {
    let body = format!("{kind} {} {} {}", crate::identity::hex(boot_id), at.boottime_ms, at.wall_ms);
    let crc = crc32c::crc32c(body.as_bytes());
    format!("{body} {crc:08x}\n")
}

fn read_line(line: &str) -> Option<([u8; 16], Moment, char)> {
    let (body, crc) = line.rsplit_once(' ')?;
    if u32::from_str_radix(crc, 16).ok()? != crc32c::crc32c(body.as_bytes()) {
        return None;
    }
    let mut words = body.split(' ');
    let kind = words.next()?.chars().next().filter(|kind| "stac".contains(*kind))?;
    let boot_id = crate::identity::unhex(words.next()?)?.try_into().ok()?;
    let boottime_ms = words.next()?.parse().ok()?;
    let wall_ms = words.next()?.parse().ok()?;
    Some((boot_id, Moment { wall_ms, boottime_ms }, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOOT: [u8; 16] = [7; 16];

    fn at(boottime_ms: u64) -> Moment {
        Moment { wall_ms: 1_000_000 + i64::try_from(boottime_ms).unwrap(), boottime_ms }
    }

    #[test]
    fn entry_is_due_every_ten_seconds_alone_and_every_five_minutes_in_company() {
        let mut log = AliveLog::default();
        assert!(log.is_due(at(0), true));
        log.note(BOOT, at(0));
        assert!(!log.is_due(at(9_999), false) && log.is_due(at(10_000), false));
        assert!(!log.is_due(at(299_999), true) && log.is_due(at(300_000), true));
    }

    #[test]
    fn killed_agent_leaves_an_unknown_end_and_a_stopped_one_a_clean_end() {
        let mut log = AliveLog::default();
        let mut text = log.note(BOOT, at(0)) + &log.note(BOOT, at(10_000));
        let read = AliveLog::parse(&text);
        assert_eq!(
            read.spans().map(|span| (span.from, span.to, span.end)).collect::<Vec<_>>(),
            [(at(0), at(10_000), End::Unknown)]
        );
        text += &log.finish(BOOT, at(12_000));
        assert_eq!(AliveLog::parse(&text).spans().next().unwrap().end, End::Clean);
    }

    #[test]
    fn suspended_machine_and_new_boot_begin_new_spans() {
        let mut log = AliveLog::default();
        log.note(BOOT, at(0));
        log.note(BOOT, at(CONTINUOUS_MS));
        log.note(BOOT, at(8 * 3_600_000));
        log.note([8; 16], at(8 * 3_600_000 + 1));
        assert_eq!(log.spans().count(), 3);
    }

    #[test]
    fn told_spans_are_forgotten_and_the_open_one_goes_on() {
        let mut log = AliveLog::parse(&(line('a', &BOOT, at(0)) + &line('c', &BOOT, at(5))));
        log.note(BOOT, at(20));
        log.note(BOOT, at(10_020));
        log.forget_told();
        assert_eq!(log.spans().map(|span| (span.from, span.to)).collect::<Vec<_>>(), [(at(10_020), at(10_020))]);
    }

    #[test]
    fn file_stays_short_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alive.log");
        let mut log = AliveLog::default();
        for n in 0..3_000 {
            let line = log.note(BOOT, at(n * 10_000));
            write(&path, &log, &line);
        }
        assert!(std::fs::metadata(&path).unwrap().len() < FILE_BYTES_MAX + 200);
        let read = AliveLog::parse(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(read.spans().map(|span| (span.from, span.to)).collect::<Vec<_>>(), [(at(0), at(29_990_000))]);
    }

    proptest! {
        #[test]
        fn rendering_loses_nothing(steps in proptest::collection::vec((0..900_000u64, 0..3u8, any::<bool>()), 0..100)) {
            let (mut log, mut now) = (AliveLog::default(), 0);
            for (step, boot, clean) in steps {
                now += step;
                if clean { log.finish([boot; 16], at(now)); } else { log.note([boot; 16], at(now)); }
            }
            prop_assert!(log.spans().count() <= SPANS_MAX);
            let read = AliveLog::parse(&log.render());
            log.interrupt();
            prop_assert_eq!(read, log);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,200}") {
            prop_assert_eq!(AliveLog::parse(&text).spans().count(), 0);
        }
    }
}
