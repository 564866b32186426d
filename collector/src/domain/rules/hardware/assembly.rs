//! Arrays, pools and what is in them: redundancy that is lost, members that are gone or going.

use super::finding::{Finding, Part, Weight};
use crate::domain::{
    hardware::assembly::{Assembly, Count, Piece, Role, State},
    severity::Severity,
};

const REPLACE: &str = "replace this member";
/// So many sectors of a mirror may differ, found by a check (netdata's limit; swap and memory-mapped files do that).
const MIRROR_SECTORS: u64 = 1_024;
/// Metadata of a thin pool or cache fuller than this, in percent (netdata's limits).
const METADATA_HIGH: u64 = 80;
const METADATA_FULL: u64 = 95;
const BACK_UP: &str = "back up what is on it now, then replace what failed";

/// All findings about an assembly.
pub(super) fn judge(assembly: &Assembly) -> Vec<Finding> {
    let mut findings: Vec<Finding> = assembly
        .pieces
        .iter()
        .flat_map(|piece| state(piece).into_iter().chain(metadata(piece)).chain(counts(piece)))
        .collect();
    for loss in &assembly.losses {
        let part = Part { kind: "array", ..Part::default() };
        let summary = "data is lost: files or metadata cannot be read";
        let finding = Finding::new(part, "array-data-lost", Severity::Critical, Weight::Failed, summary);
        findings.push(finding.seen("errors", loss).so("restore these files from a backup, then scrub"));
    }
    findings
}

/// A piece as a part.
pub(super) fn part(piece: &Piece) -> Part {
    let kind = match piece.role {
        Role::Array => "array",
        Role::Member => "drive",
        Role::Controller => "controller",
        Role::Battery => "battery",
        Role::Enclosure => "enclosure",
        Role::Path => "path",
    };
    Part {
        kind,
        name: piece.name.clone(),
        model: piece.model.clone(),
        serial: piece.serial.clone(),
        firmware: piece.firmware.clone(),
        slot: piece.slot.clone(),
    }
}

/// Rule, severity, weight, summary, action.
type Said = (&'static str, Severity, Weight, &'static str, &'static str);

fn state(piece: &Piece) -> Option<Finding> {
    let said = match (piece.role, piece.state) {
        (_, State::Good | State::NotPresent) => return None,
        (_, State::Syncing) => ("array-syncing", Severity::Info, Weight::Told, "it is being synchronised", ""),
        (Role::Array, _) => array(piece)?,
        (Role::Member, state) => member(state)?,
        (Role::Battery, State::Unsaid) if piece.words.is_empty() => return None,
        (Role::Battery, state) => battery(state),
        (Role::Controller | Role::Enclosure | Role::Path, State::Unsaid) => return None,
        (Role::Controller | Role::Enclosure | Role::Path, state) => other(piece.role, state),
    };
    let (rule, severity, weight, summary, action) = said;
    let finding = Finding::new(part(piece), rule, severity, weight, summary).seen("state", &piece.words).so(action);
    Some(match piece.spare_members {
        Some(left) if piece.role == Role::Array => finding.seen("members it can still lose", left),
        _ => finding,
    })
}

/// A thin pool or a cache whose metadata is full stops.
fn metadata(piece: &Piece) -> Option<Finding> {
    let percent = piece.metadata_percent.filter(|percent| *percent > METADATA_HIGH)?;
    let (severity, limit) =
        if percent > METADATA_FULL { (Severity::Critical, METADATA_FULL) } else { (Severity::Warning, METADATA_HIGH) };
    let summary = "its metadata is nearly full: when it is, nothing can be written to any volume in it";
    let finding = Finding::new(part(piece), "array-metadata-full", severity, Weight::Failing, summary);
    Some(finding.against("percent of metadata used", percent, limit).so("extend it: lvextend --poolmetadatasize"))
}

fn array(piece: &Piece) -> Option<Said> {
    let (warning, critical, failing) = (Severity::Warning, Severity::Critical, Weight::Failing);
    let is_last = piece.spare_members == Some(0);
    Some(match piece.state {
        State::Unsaid if piece.words.is_empty() => return None,
        State::Failed | State::Missing => {
            ("array-failed", critical, Weight::Failed, "it has failed: nothing on it can be reached", BACK_UP)
        }
        State::Degraded if is_last => ("array-degraded", critical, failing, "it has no redundancy left", BACK_UP),
        State::Degraded => ("array-degraded", warning, failing, "it has lost members", "replace what failed"),
        State::Rebuilding => {
            ("array-rebuilding", warning, failing, "it is being rebuilt, with less redundancy until then", "")
        }
        State::Predicted => ("member-predicts-failure", warning, failing, "it predicts its own failure", REPLACE),
        _ => {
            let summary = "it does not say clearly how it is";
            ("array-state-unclear", Severity::Info, Weight::Doubt, summary, "ask the array itself")
        }
    })
}

fn member(state: State) -> Option<Said> {
    let (warning, failing, failed) = (Severity::Warning, Weight::Failing, Weight::Failed);
    Some(match state {
        State::Failed => ("member-failed", warning, failed, "it has failed or was taken out", REPLACE),
        State::Missing => {
            let action = "look whether it sits and is connected, else replace it";
            ("member-missing", warning, failed, "it should be there and is not", action)
        }
        State::Predicted => ("member-predicts-failure", warning, failing, "it predicts its own failure", REPLACE),
        State::Rebuilding => ("member-rebuilding", warning, failing, "it is being rebuilt", ""),
        State::Degraded => ("member-degraded", warning, failing, "it works with errors", REPLACE),
        _ => return None,
    })
}

/// A cache without power behind it writes through: slow, and safe.
fn battery(state: State) -> Said {
    let replace = "replace the battery or capacitor";
    match state {
        State::Failed => {
            let summary = "the cache has no power behind it: writes go to the drives at once and are slow";
            ("cache-battery-failed", Severity::Warning, Weight::Failed, summary, replace)
        }
        State::Unsaid => {
            let summary = "what it says of itself does not fit together";
            ("cache-battery-unclear", Severity::Info, Weight::Doubt, summary, "look at it after its next learn cycle")
        }
        _ => {
            let summary = "the power behind the cache is weak";
            ("cache-battery-weak", Severity::Warning, Weight::Failing, summary, replace)
        }
    }
}

fn other(role: Role, state: State) -> Said {
    let (warning, failed) = (Severity::Warning, Weight::Failed);
    match (role, state) {
        (Role::Controller, State::Failed | State::Missing) => {
            ("controller-failed", Severity::Critical, failed, "the controller has failed", "replace the controller")
        }
        (Role::Path, State::Failed | State::Missing) => {
            let action = "look at cable, switch and adapter";
            ("path-failed", warning, failed, "a way to the device is lost", action)
        }
        (_, State::Failed | State::Missing) => ("part-failed", warning, failed, "it has failed", "replace it"),
        _ => ("part-not-well", warning, Weight::Failing, "it says that it is not well", "look at it on site"),
    }
}

/// Counts of errors; those of buses and commands reach six digits on drives that are well, and growth of the others says more.
fn counts(piece: &Piece) -> impl Iterator<Item = Finding> {
    piece.counters.iter().map(|(count, value)| {
        let (rule, severity, weight, summary, action) = match count {
            Count::Media => {
                let summary = "sectors could not be read";
                ("member-media-errors", Severity::Warning, Weight::Failing, summary, "replace it if the count grows")
            }
            Count::Predicted => {
                ("member-predicts-failure", Severity::Warning, Weight::Failing, "it predicts its own failure", REPLACE)
            }
            Count::Other => {
                let summary = "errors of bus and commands; no sign of the drive alone";
                ("member-other-errors", Severity::Info, Weight::Told, summary, "")
            }
            Count::Read | Count::Write | Count::Checksum | Count::Dropped | Count::Stale => {
                let summary =
                    "it made errors that redundancy repaired; on many drives at once: controller, cable or memory";
                (
                    "member-errors",
                    Severity::Info,
                    Weight::Doubt,
                    summary,
                    "clear the counts and scrub: do they come back?",
                )
            }
            Count::BadBlocks => {
                let summary = "the array knows sectors of it that cannot be used: what was there has less redundancy";
                ("member-bad-blocks", Severity::Warning, Weight::Failing, summary, REPLACE)
            }
            Count::Mismatch => mismatch(piece, *value),
            Count::Unmoved => {
                let summary = "its synchronisation does not move: until it ends there is less redundancy";
                let action =
                    "look in the kernel's log for the member that holds it up, and at sync_speed_max and sync_max";
                ("array-sync-stuck", Severity::Warning, Weight::Failing, summary, action)
            }
        };
        Finding::new(part(piece), rule, severity, weight, summary).seen(count.name(), value).so(action)
    })
}

/// Copies of a mirror differ where memory was written while it went to both, in swap and the like; checksums of a parity never
/// should.
fn mismatch(piece: &Piece, sectors: u64) -> Said {
    let (summary, action) = ("its copies differ", "repair it, and test the memory");
    match piece.model.as_str() {
        "raid4" | "raid5" | "raid6" => {
            ("array-mismatches", Severity::Warning, Weight::Failing, "data and parity differ", action)
        }
        "raid1" | "raid10" if sectors <= MIRROR_SECTORS => {
            ("array-mismatches", Severity::Info, Weight::Told, summary, "")
        }
        _ => ("array-mismatches", Severity::Info, Weight::Doubt, summary, action),
    }
}

/// Findings about errors that members made since `then`. Such counts are kept until somebody clears them: old ones say little,
/// new ones that something goes wrong now.
pub(super) fn grown(now: &Assembly, then: &Assembly) -> Vec<Finding> {
    let members = now.pieces.iter().filter(|piece| piece.role == Role::Member);
    members.filter_map(|piece| errors_grown(piece, before(piece, then)?)).collect()
}

/// The same member then; nothing where another one was in its place.
fn before<'a>(piece: &Piece, then: &'a Assembly) -> Option<&'a Piece> {
    let is_it = |known: &&Piece| {
        known.role == piece.role && known.name == piece.name && known.slot == piece.slot && known.serial == piece.serial
    };
    then.pieces.iter().find(is_it)
}

fn errors_grown(now: &Piece, then: &Piece) -> Option<Finding> {
    const ERRORS: [Count; 5] = [Count::Dropped, Count::Write, Count::Read, Count::Checksum, Count::Stale];
    let of = |piece: &Piece, wanted: Count| {
        piece.counters.iter().find(|(count, _)| *count == wanted).map_or(0, |(_, value)| *value)
    };
    let grown: Vec<(Count, u64, u64)> = ERRORS
        .into_iter()
        .map(|count| (count, of(then, count), of(now, count)))
        .filter(|(_, from, to)| to > from)
        .collect();
    // The first is the worst.
    let (severity, summary) = match grown.first()?.0 {
        Count::Dropped => {
            (Severity::Critical, "writes to it were given up: what should be on it is not, and has no redundancy")
        }
        _ => (Severity::Warning, "it goes on making errors; on many drives at once: controller, cable or memory"),
    };
    let finding = Finding::new(part(now), "member-errors-growing", severity, Weight::Failing, summary);
    let finding = grown.into_iter().fold(finding, |finding, (count, from, to)| {
        finding.seen(format!("{} then", count.name()), from).seen(format!("{} now", count.name()), to)
    });
    Some(finding.so("look at its cable and its own counts, scrub, and replace it if they go on"))
}
