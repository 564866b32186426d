//! What smartctl's end means: whether there is anything to keep, not what it says of the drive.

use super::super::found::{digest_of, note_of};
use super::super::{Found, Outcome, Why};
use super::SOURCE;
use crate::host::Output;

/// Bits of smartctl's exit status (smartctl(8), "EXIT STATUS"): the command line; opening, or the drive sleeps.
const USAGE: i32 = 1;
const NOT_OPENED: i32 = 2;

/// What came of asking a drive.
pub(super) enum Answer {
    /// It said something.
    Read(Output),
    /// It did not.
    Unseen(Why, String),
}

impl Answer {
    /// The device did not understand: another type may.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Unseen(Why::Failed, _))
    }

    pub(super) fn into_found(self, part: &str) -> Found {
        let output = match self {
            Self::Unseen(why, reason) => return Found::unseen(SOURCE, part, why, reason),
            Self::Read(output) => output,
        };
        let whole = output.stdout.trim_ascii_end().ends_with(b"}");
        let lacking = if whole || output.truncated { "" } else { "partial: the JSON ends too early" };
        let note = note_of(&output, lacking);
        // When it was asked is said beside it, and would make any two answers differ.
        let (before, after) = around_time(&output.stdout);
        let digest = digest_of(&[before, after, note.as_bytes()]);
        let outcome = Outcome::Read { payload: output.stdout, note, digest };
        Found { source: SOURCE.into(), part: part.to_owned(), outcome }
    }
}

/// Whether there is something to keep.
pub(super) fn answer(output: Output) -> Answer {
    let text = String::from_utf8_lossy(&output.stdout);
    let code = output.code.unwrap_or(0);
    if code & USAGE != 0 && !text.contains('{') {
        let reason = "it does not know --json: smartmontools is older than 7.0";
        return Answer::Unseen(Why::NotInstalled, reason.to_owned());
    }
    if code & (USAGE | NOT_OPENED) == 0 {
        return if text.trim().is_empty() {
            Answer::Unseen(Why::Failed, format!("it said nothing ({})", note_of(&output, "")))
        } else {
            Answer::Read(output)
        };
    }
    let message = message(&text);
    // `Device is in STANDBY mode, exit(2)`, ataprint.cpp; NVMe and SCSI say it alike.
    let sleeps = text.contains("in STANDBY") || text.contains("in SLEEP") || text.contains("in STOPPED");
    if sleeps {
        Answer::Unseen(Why::Asleep, "it does not turn, and is not woken".to_owned())
    } else if text.contains("Permission denied") || text.contains("Operation not permitted") {
        Answer::Unseen(Why::NoPermission, message)
    } else {
        Answer::Unseen(Why::Failed, format!("{message} (exit status {code})"))
    }
}

/// The first message of smartctl about itself: `"messages":[{"string":"...","severity":"error"}]`.
fn message(text: &str) -> String {
    let said = || text.split_once("\"messages\"")?.1.split_once("\"string\":")?.1.split('"').nth(1);
    said().unwrap_or("the device could not be asked").chars().filter(|c| !c.is_control()).take(200).collect()
}

/// What stands before and after `"local_time":{...}`.
fn around_time(json: &[u8]) -> (&[u8], &[u8]) {
    const KEY: &[u8] = b"\"local_time\"";
    let Some(from) = json.windows(KEY.len()).position(|window| window == KEY) else { return (json, b"") };
    let rest = &json[from..];
    let to = rest.iter().position(|byte| *byte == b'}').map_or(rest.len(), |at| at + 1);
    (&json[..from], &rest[to..])
}
