//! The kernel's log, as far as it may be about hardware: each line once, over restarts too, and never too many.
//!
//! `/dev/kmsg` gives one record at a time, `priority,sequence,microseconds,flags;text` and properties in lines below that
//! begin with a space (Documentation/ABI/testing/dev-kmsg). What is told looks as `dmesg` shows it. What of an earlier
//! crash firmware kept (pstore) is told too: it says why the machine went down.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Found, Look};
use crate::host::{Host, HostError, Messages};

const SOURCE: &str = "kernel-log";
const PATH: &str = "/dev/kmsg";
/// Records read in one look: all that the largest usual ring holds.
const RECORDS_MAX: usize = 100_000;
/// Lines told at a time, and within an hour: a cable that fails says a hundred lines, a flood says nothing more.
const LINES_MAX: usize = 200;
const LINES_PER_HOUR: usize = 1_000;
const HOUR_MS: u64 = 3_600_000;
/// Longest line told, in characters; the kernel's own limit is about a thousand.
const LINE_CHARS: usize = 1_024;
/// Warnings and worse (`KERN_WARNING`, include/linux/kern_levels.h).
const WARNING: u32 = 4;
/// What hardware says below a warning, too.
const SPOKEN: [&str; 22] = [
    "hard resetting link",
    "soft resetting link",
    "SATA link",
    "Sense Key",
    "Add. Sense",
    "FAILED Result",
    "task abort",
    "device reset",
    "target reset",
    "host reset",
    "bus reset",
    "EDAC",
    "mce:",
    "[Hardware Error]",
    "AER:",
    "pciehp",
    "Link is Down",
    "Link is Up",
    "over-current",
    "device descriptor read",
    "md/raid",
    // An array is whole again: `md: md0: recovery done.`
    ": recovery done",
];

/// What firmware kept of a crash, and where systemd-pstore puts it.
const PSTORES: [&str; 2] = ["/sys/fs/pstore", "/var/lib/systemd/pstore"];
/// Files of it, and what is told of each, in bytes: its end is where the machine stopped.
const CRASHES_MAX: usize = 32;
const CRASH_BYTES: usize = 64 * 1024;

/// Up to where the log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Of which boot.
    boot_id: [u8; 16],
    /// The number of the last record.
    sequence: u64,
}

/// What is remembered of the log.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Open at where reading ended.
    messages: Option<Messages>,
    /// Up to where it was read.
    position: Option<Position>,
    /// How many lines were told when, within the last hour.
    told: VecDeque<(u64, usize)>,
    /// Lines that were not told, and records that were overwritten before they were read, since the last that was told.
    left_out: usize,
    overwritten: u64,
}

impl Log {
    /// A log that was read up to there.
    #[must_use]
    pub(super) fn at(position: Option<Position>) -> Self {
        Self { position, ..Self::default() }
    }

    /// Up to where it was read.
    #[must_use]
    pub(super) fn position(&self) -> Option<Position> {
        self.position
    }

    /// What becomes readable when the kernel says something more; nothing before the first look.
    #[must_use]
    pub(super) fn messages(&self) -> Option<&Messages> {
        self.messages.as_ref()
    }

    fn room(&mut self, now_ms: u64) -> usize {
        while self.told.front().is_some_and(|(at_ms, _)| at_ms + HOUR_MS <= now_ms) {
            self.told.pop_front();
        }
        let told: usize = self.told.iter().map(|(_, lines)| lines).sum();
        LINES_PER_HOUR.saturating_sub(told).min(LINES_MAX)
    }
}

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    let (host, now_ms, log) = (look.host, look.now_ms, &mut look.memory.log);
    let mut lines = Vec::new();
    if let Err(error) = read(host, log, now_ms, &mut lines) {
        log.messages = None;
        return vec![Found::unread(SOURCE, "", &error)];
    }
    if lines.is_empty() && (log.left_out == 0 && log.overwritten == 0 || log.room(now_ms) == 0) {
        return Vec::new();
    }
    log.told.push_back((now_ms, lines.len()));
    let note = left_out(std::mem::take(&mut log.left_out), std::mem::take(&mut log.overwritten));
    vec![Found::read(SOURCE, "", lines.concat().into_bytes(), note)]
}

fn left_out(lines: usize, overwritten: u64) -> String {
    let lines = (lines > 0)
        .then(|| format!("{lines} lines are left out: at most {LINES_MAX} at a time and {LINES_PER_HOUR} in an hour"));
    let records = (overwritten > 0).then(|| format!("{overwritten} records were overwritten before they were read"));
    let all: Vec<String> = lines.into_iter().chain(records).collect();
    if all.is_empty() { String::new() } else { format!("partial: {}", all.join("; ")) }
}

/// Reads what is new; collects what is wanted of it, as far as there is room.
fn read(host: &Host, log: &mut Log, now_ms: u64, lines: &mut Vec<String>) -> Result<(), HostError> {
    let boot_id = host.boot_id();
    // A capture is a file, which is read from its beginning each time.
    if log.messages.is_none() || !host.is_live() {
        log.messages = Some(host.messages(PATH)?);
    }
    let room = log.room(now_ms);
    let mut bytes = Vec::new();
    for _ in 0..RECORDS_MAX {
        let Some(messages) = &mut log.messages else { break };
        if !messages.read_more(&mut bytes)? {
            break;
        }
        // What stands after the last line end waits for its rest.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
            let Some(record) = Record::parse(line) else { continue };
            if !log.is_new(boot_id, record.sequence) {
                continue;
            }
            if !record.is_wanted() {
                continue;
            }
            if lines.len() < room {
                lines.push(record.as_dmesg_shows());
            } else {
                log.left_out += 1;
            }
        }
        bytes.drain(..whole);
    }
    Ok(())
}

impl Log {
    /// Whether a record was not seen before; it is then.
    fn is_new(&mut self, boot_id: [u8; 16], sequence: u64) -> bool {
        if let Some(last) = self.position.filter(|position| position.boot_id == boot_id) {
            if sequence <= last.sequence {
                return false;
            }
            self.overwritten += sequence - last.sequence - 1;
        }
        self.position = Some(Position { boot_id, sequence });
        true
    }
}

/// One record of the log.
struct Record<'a> {
    priority: u32,
    sequence: u64,
    microseconds: u64,
    text: &'a str,
}

impl<'a> Record<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (head, text) = line.split_once(';')?;
        let mut fields = head.split(',');
        let mut next = || fields.next()?.parse::<u64>().ok();
        let (priority, sequence, microseconds) = (next()?, next()?, next()?);
        Some(Self { priority: u32::try_from(priority).ok()?, sequence, microseconds, text })
    }

    /// Said by the kernel, and a warning or about what is named above; no packet that a firewall notes.
    fn is_wanted(&self) -> bool {
        let (facility, level) = (self.priority >> 3, self.priority & 7);
        let is_packet = self.text.contains("IN=") && self.text.contains("OUT=");
        facility == 0 && !is_packet && (level <= WARNING || SPOKEN.iter().any(|words| self.text.contains(words)))
    }

    /// `[    1.234567] text`; further lines of one message are indented.
    fn as_dmesg_shows(&self) -> String {
        let (seconds, rest) = (self.microseconds / 1_000_000, self.microseconds % 1_000_000);
        let text: String = self.text.chars().take(LINE_CHARS).collect();
        let text = text.replace("\\x0a", "\n               ");
        format!("[{seconds:5}.{rest:06}] {text}\n")
    }
}

/// What firmware kept of crashes, file by file.
pub(super) fn crashes(look: &mut Look<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    for directory in PSTORES {
        for name in look.host.list(directory).unwrap_or_default() {
            let path = format!("{directory}/{name}");
            // systemd-pstore makes a directory for each crash.
            let inside = look.host.list(&path).unwrap_or_default();
            let paths = if inside.is_empty() {
                vec![path]
            } else {
                inside.iter().map(|file| format!("{path}/{file}")).collect()
            };
            found.extend(paths.iter().filter(|path| path.contains("dmesg")).map(|path| crash(look.host, path)));
        }
    }
    found.truncate(CRASHES_MAX);
    found
}

fn crash(host: &Host, path: &str) -> Found {
    let part = format!("pstore {}", path.rsplit_once("pstore/").map_or(path, |(_, file)| file));
    let mut bytes = Vec::new();
    if let Err(error) = host.read(path, &mut bytes) {
        return Found::unread(SOURCE, part, &error);
    }
    let cut = bytes.len().saturating_sub(CRASH_BYTES);
    let note = if cut > 0 { format!("partial: the first {cut} bytes are left out") } else { String::new() };
    Found::read(SOURCE, part, bytes.split_off(cut), note)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::super::{Memory, Outcome};
    use super::*;

    fn told(found: &[Found]) -> (String, String) {
        match found.first().map(|found| &found.outcome) {
            None => (String::new(), String::new()),
            Some(Outcome::Read { payload, note, .. }) => (String::from_utf8_lossy(payload).into_owned(), note.clone()),
            Some(other) => panic!("{other:?}"),
        }
    }

    fn booted(machine: &Machine, boot: char) {
        let id: String = std::iter::repeat_n(boot, 32).collect();
        machine.file("proc/sys/kernel/random/boot_id", &id);
    }

    const UNC: &str = "3,1,2000001,-;ata1.00: error: { UNC }\n SUBSYSTEM=scsi\n DEVICE=+scsi:1:0:0:0\n";

    #[test]
    fn new_lines_about_hardware_are_told_as_dmesg_shows_them_and_others_are_not() {
        let mut machine = Machine::new();
        booted(&machine, 'a');
        let rest = "6,2,2500000,-;ata1: hard resetting link\n6,3,3000000,-;usb 1-1: new device\n\
                    30,4,3000001,-;systemd[1]: Failed with EDAC\n\
                    4,5,3000002,-;drop IN=eth0 OUT= SRC=192.0.2.1 DST=192.0.2.2\nno record\n4,x,1,-;broken\n";
        machine.file("dev/kmsg", &format!("{UNC}{rest}"));
        let (lines, note) = told(&machine.look("kernel log", 0));
        assert_eq!(lines, "[    2.000001] ata1.00: error: { UNC }\n[    2.500000] ata1: hard resetting link\n");
        assert_eq!(note, "");
        assert_eq!(machine.look("kernel log", 1), [], "nothing is new");
    }

    #[test]
    fn what_becomes_of_an_array_is_told_and_a_message_of_two_lines_is_shown_as_two() {
        let mut machine = Machine::new();
        booted(&machine, 'a');
        // As /dev/kmsg of Linux 6.1 gave them.
        machine.file(
            "dev/kmsg",
            "2,1,179741538,-;md/raid1:md0: Disk failure on sdb, disabling device.\\x0amd/raid1:md0: Operation continuing on 1 devices.\n\
             6,2,180000000,-;md: recovery of RAID array md0\n6,3,182000000,-;md: md0: recovery done.\n",
        );
        let expected = "[  179.741538] md/raid1:md0: Disk failure on sdb, disabling device.\n               \
                        md/raid1:md0: Operation continuing on 1 devices.\n[  182.000000] md: md0: recovery done.\n";
        assert_eq!(told(&machine.look("kernel log", 0)).0, expected);
    }

    #[test]
    fn the_position_holds_over_a_restart_and_not_over_a_boot() {
        let mut machine = Machine::new();
        booted(&machine, 'a');
        machine.file("dev/kmsg", UNC);
        assert!(!machine.look("kernel log", 0).is_empty());
        let position = machine.memory.log.position();
        let kept: Position = serde_json::from_str(&serde_json::to_string(&position).unwrap()).unwrap();
        machine.memory = Memory { log: Log::at(Some(kept)), ..Memory::default() };
        assert_eq!(machine.look("kernel log", 1), []);
        machine.file("dev/kmsg", &format!("{UNC}3,9,4000000,-;critical medium error\n"));
        let (lines, note) = told(&machine.look("kernel log", 2));
        assert_eq!(lines, "[    4.000000] critical medium error\n");
        assert_eq!(note, "partial: 7 records were overwritten before they were read");
        booted(&machine, 'b');
        machine.file("dev/kmsg", UNC);
        assert_eq!(told(&machine.look("kernel log", 3)).0, "[    2.000001] ata1.00: error: { UNC }\n");
    }

    #[test]
    fn a_flood_is_cut_and_counted_and_the_hour_has_a_limit() {
        let mut machine = Machine::new();
        booted(&machine, 'a');
        let mut last = 0;
        let mut flood = |machine: &mut Machine, lines: u64, now_ms: u64| {
            let record = |n: u64| format!("3,{n},{n},-;nvme nvme0: I/O {n} QID 1 timeout\n");
            machine.file("dev/kmsg", &(last + 1..=last + lines).map(record).collect::<String>());
            last += lines;
            let (text, note) = told(&machine.look("kernel log", now_ms));
            (text.lines().count(), note)
        };
        let limit = "at most 200 at a time and 1000 in an hour";
        assert_eq!(flood(&mut machine, 200, 0), (200, String::new()));
        assert_eq!(flood(&mut machine, 201, 1), (200, format!("partial: 1 lines are left out: {limit}")));
        for now_ms in 2..5 {
            assert_eq!(flood(&mut machine, 200, now_ms).0, 200);
        }
        assert_eq!(flood(&mut machine, 7, 5), (0, String::new()), "the hour is full");
        assert_eq!(flood(&mut machine, 1, HOUR_MS - 1), (0, String::new()));
        assert_eq!(flood(&mut machine, 1, HOUR_MS), (1, format!("partial: 8 lines are left out: {limit}")));
    }

    #[test]
    fn what_is_left_of_a_crash_is_told_by_file() {
        let mut machine = Machine::new();
        machine.file("sys/fs/pstore/dmesg-efi-1700000001", "Panic#1\n");
        machine.file("sys/fs/pstore/console-ramoops-0", "no\n");
        machine.file("var/lib/systemd/pstore/1700000002/dmesg.txt", &"x".repeat(CRASH_BYTES + 1));
        let found = machine.look("crashes", 0);
        let parts: Vec<_> = found.iter().map(|found| found.part.as_str()).collect();
        assert_eq!(parts, ["pstore dmesg-efi-1700000001", "pstore 1700000002/dmesg.txt"]);
        assert_eq!(told(&found).0, "Panic#1\n");
        let (end, note) = told(&found[1..]);
        assert_eq!((end, note.as_str()), ("x".repeat(CRASH_BYTES), "partial: the first 1 bytes are left out"));
    }
}
