//! What drives say of themselves, through `smartctl --json` of smartmontools 7.0 and newer.
//!
//! No drive is woken: one that the kernel has put to sleep is not asked, one with a motor only with `-n standby`, which
//! looks first whether it turns, and with its type given, so that smartctl need not find out by asking. One that nothing has
//! read or written since the last look may be on its way to sleep, and an answer could start its timer anew: it is asked
//! once a day, which no standby timer is as long as (ATA: at most 5.5 hours).
//!
//! One drive at a time, each with a deadline. One that does not answer in time is asked for less the next time; one that
//! never does is left alone for a day. What smartctl says in its exit status is in the JSON; all that it could read is kept.

mod answer;
mod hidden;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::block::{self, Drive, Kind};
use super::{Found, Look, Why};
use crate::host::{CommandError, Host};
use answer::{Answer, answer};

/// `--kind` of what smartctl says.
const SOURCE: &str = "smartctl-json";
/// One drive must have answered by then, in milliseconds. A healthy one takes less than two seconds, one that is spinning
/// up or retries a bad sector for each log takes ten; the kernel itself gives a command up after 30 s.
const DEADLINE_MS: u64 = if cfg!(test) { 2_000 } else { 30_000 };
/// A drive that is idle or does not answer is asked again after a day.
const DAY_MS: u64 = 24 * 3_600_000;
/// What is asked for, everything first: some drives hang when a log is read that others have.
const ASKED: [&[&str]; 3] = [&["-x"], &["-a"], &["-i", "-H", "-A"]];
/// Types of USB bridges, the most common first (smartctl(8), `-d`).
const BRIDGES: [&str; 4] = ["sat", "sntjmicron", "sntasmedia", "sntrealtek"];

/// What is remembered of drives, by part.
pub(super) type Drives = HashMap<String, Known>;

/// What is remembered of a drive.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Place in [`ASKED`].
    less: usize,
    /// It did not answer when it was asked for least: it is left alone until then, in milliseconds since boot.
    alone_until_ms: Option<u64>,
    /// Reads and writes completed by the time of the last look.
    completed: Option<u64>,
    /// When it was asked last, in milliseconds since boot.
    asked_ms: Option<u64>,
    /// The type that its USB bridge answered to, and which bridge that was.
    bridge: Option<(String, &'static str)>,
}

/// A drive to be asked.
struct Asked<'a> {
    part: &'a str,
    path: &'a str,
    kind: &'a str,
    /// It may sleep.
    sleeps: bool,
}

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    let drives = block::drives(look.host);
    let hidden = hidden::find(look.host);
    let is_hardware = |drive: &&Drive| !matches!(drive.kind, Kind::Virtual | Kind::Volume);
    if look.host.tool("smartctl").is_none() {
        let count = drives.iter().filter(is_hardware).count();
        let mut found: Vec<Found> =
            drives.iter().filter(|drive| !is_hardware(drive)).map(|drive| unseen(drive, &hidden)).collect();
        if count > 0 || hidden.is_needed() {
            let reason = format!("smartctl is not installed: nothing is known of {count} drives");
            found.push(Found::unseen(SOURCE, "", Why::NotInstalled, reason));
        }
        return found;
    }
    let mut found: Vec<Found> = drives.iter().map(|drive| look_at(look, drive, &hidden)).collect();
    found.extend(hidden.look(look));
    let parts: Vec<&str> = found.iter().map(|found| found.part.as_str()).collect();
    look.memory.drives.retain(|part, _| parts.contains(&part.as_str()));
    found
}

/// Why a drive that is none cannot be seen.
fn unseen(drive: &Drive, hidden: &hidden::Hidden) -> Found {
    let Drive { name, called, .. } = drive;
    let shown = if called.is_empty() { name.clone() } else { format!("{name} ({called})") };
    if drive.kind == Kind::Virtual {
        let reason = format!("{shown} is no drive of its own: what it lies on is seen where that is");
        return Found::unseen(SOURCE, name, Why::Virtual, reason);
    }
    let through = if hidden.is_needed() { "its drives are asked through it" } else { "its driver is not known here" };
    let reason = format!("{shown} is a volume of a RAID controller; {through}");
    Found::unseen(SOURCE, name, Why::BehindRaid, reason)
}

fn look_at(look: &mut Look<'_>, drive: &Drive, hidden: &hidden::Hidden) -> Found {
    if matches!(drive.kind, Kind::Virtual | Kind::Volume) {
        return unseen(drive, hidden);
    }
    let (part, now_ms) = (drive.name.as_str(), look.now_ms);
    let known = look.memory.drives.entry(part.to_owned()).or_default();
    if drive.suspended {
        return Found::unseen(SOURCE, part, Why::Asleep, "the kernel has suspended it");
    }
    let before = std::mem::replace(&mut known.completed, drive.completed);
    let is_idle = drive.turns && drive.completed.is_some() && before == drive.completed;
    if is_idle && known.asked_ms.is_some_and(|asked_ms| now_ms.saturating_sub(asked_ms) < DAY_MS) {
        let reason = "nothing was read or written since the last look: asking could keep it from sleeping".to_owned();
        return Found { source: SOURCE.into(), part: part.to_owned(), outcome: super::Outcome::Unasked { reason } };
    }
    known.asked_ms = Some(now_ms);
    let path = format!("/dev/{part}");
    let asked = |kind| Asked { part, path: &path, kind, sleeps: drive.turns };
    match drive.kind {
        Kind::Nvme => ask(look.host, known, &Asked { sleeps: false, ..asked("nvme") }, now_ms),
        Kind::Ata => ask(look.host, known, &asked("sat"), now_ms),
        Kind::Usb => ask_bridge(look.host, known, drive, &asked, now_ms),
        _ => ask(look.host, known, &asked("scsi"), now_ms),
    }
    .into_found(part)
}

/// Asks through a USB bridge of which it is not known what it passes on, until one way works.
fn ask_bridge<'a>(
    host: &Host,
    known: &mut Known,
    drive: &Drive,
    asked: &impl Fn(&'static str) -> Asked<'a>,
    now_ms: u64,
) -> Answer {
    // A bridge may sleep as its drive does, whatever that is.
    let sleeping = |kind| Asked { sleeps: true, ..asked(kind) };
    if let Some((bridge, kind)) = known.bridge.clone().filter(|(bridge, _)| *bridge == drive.bridge) {
        let answer = ask(host, known, &sleeping(kind), now_ms);
        known.bridge = (!answer.is_refusal()).then_some((bridge, kind));
        return answer;
    }
    for kind in BRIDGES {
        let answer = ask(host, known, &sleeping(kind), now_ms);
        if matches!(answer, Answer::Read { .. }) {
            known.bridge = Some((drive.bridge.clone(), kind));
        }
        if !answer.is_refusal() {
            return answer;
        }
    }
    let tried = BRIDGES.join(", ");
    Answer::Unseen(
        Why::UsbBridge,
        format!("the USB bridge {} passes on nothing that is known; tried: {tried}", drive.bridge),
    )
}

/// Asks one drive, for less than the last time where it did not answer then.
fn ask(host: &Host, known: &mut Known, asked: &Asked<'_>, now_ms: u64) -> Answer {
    if known.alone_until_ms.is_some_and(|until_ms| now_ms < until_ms) {
        return hung("it did not answer the last time either");
    }
    let mut arguments = vec!["--json=c"];
    if asked.sleeps {
        arguments.extend(["-n", "standby"]);
    }
    arguments.extend(ASKED[known.less]);
    arguments.extend(["-d", asked.kind, asked.path]);
    match host.run_for(asked.part, "smartctl", &arguments, super::PAYLOAD_MAX, DEADLINE_MS) {
        Ok(output) => {
            known.alone_until_ms = None;
            answer(output)
        }
        Err(CommandError::TimedOut { .. }) if known.less + 1 < ASKED.len() => {
            known.less += 1;
            hung("it will be asked for less")
        }
        Err(CommandError::TimedOut { .. } | CommandError::Hanging(_)) => {
            known.alone_until_ms = Some(now_ms + DAY_MS);
            hung("it is left alone for a day")
        }
        Err(CommandError::NotPresent(tool)) => Answer::Unseen(Why::NotInstalled, format!("{tool} is not installed")),
        Err(error @ CommandError::Failed { .. }) => Answer::Unseen(Why::Failed, error.to_string()),
    }
}

fn hung(then: &str) -> Answer {
    Answer::Unseen(Why::Hung, format!("smartctl did not end within {} s; {then}", DEADLINE_MS / 1_000))
}
