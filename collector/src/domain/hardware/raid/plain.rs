//! Tools that print one line for each part with its state in it: mpt-status, dmraid, cciss_vol_status, mvcli, ipssend, gdth,
//! metastat, afacli.

use super::Builder;
use crate::domain::hardware::assembly::{Assembly, Piece, Role, State};

/// Words of a line or of the heading above it that say what it is about.
const ARRAYS: [&str; 12] = [
    "logical",
    "volume",
    "vol_id",
    "log_id",
    "array",
    "virtual",
    "mirror",
    "container",
    "unit",
    "raid",
    "concat",
    "vd",
];
const MEMBERS: [&str; 9] = ["phys", "phy ", "disk", "physical", "bay", "component", "pd ", "/dev/", "drive"];
/// What stands before a state, in lower case.
const MARKS: [&str; 8] = [
    "status of logical drive",
    "status of volume",
    "volume 0 status:",
    "status:",
    "status :",
    "state:",
    "state :",
    "state ",
];

/// The parts in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut builder = Builder::default();
    let mut heading = String::new();
    for line in text.lines() {
        let lower = line.to_ascii_lowercase();
        match words(&lower) {
            Some((before, words)) if State::of(words) != State::Unsaid => {
                let about = if role(before).is_some() { before } else { heading.as_str() };
                let role = role(about).unwrap_or(Role::Array);
                builder.add(Piece::new(role, about, words));
            }
            _ if !line.trim().is_empty() => heading = lower,
            _ => {}
        }
    }
    builder.finish()
}

fn role(about: &str) -> Option<Role> {
    let has = |words: &[&str]| words.iter().any(|word| about.contains(word));
    match () {
        () if has(&ARRAYS) => Some(Role::Array),
        () if has(&MEMBERS) => Some(Role::Member),
        () => None,
    }
}

/// What stands before the state in a line, and its words.
fn words(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    // `log_id 0 OPTIMAL`, `phys_id 1 MISSING`: mpt-status -s.
    if line.starts_with("log_id ") || line.starts_with("phys_id ") {
        return line.rsplit_once(' ');
    }
    // `/dev/sda: isw, "isw_ab", GROUP, ok, 586072366 sectors, data@ 0`: dmraid -r.
    if line.ends_with("data@ 0") {
        let parts: Vec<&str> = line.split(", ").collect();
        return Some((line.split(':').next()?, *parts.get(3)?));
    }
    // ` 0    Mirror  465GB    Valid   0:00:0 64.0KB: 465GB Normal`: container list of afacli.
    if let Some(state) =
        ["normal", "warning", "missing"].iter().find(|word| line.split_whitespace().any(|part| part == **word))
        && ["mirror", "raid-5", "volume", "stripe"].iter().any(|kind| line.contains(kind))
        && line.contains("valid")
    {
        return Some((line, state));
    }
    let (at, mark) = MARKS.iter().find_map(|mark| line.find(mark).map(|at| (at, mark)))?;
    let words = line[at + mark.len()..].trim_start_matches([' ', ':', '\t']);
    Some((line[..at].trim(), words.split(',').next().unwrap_or(words).trim_end_matches('.')))
}

/// Whether a text is of one of these tools.
pub(in crate::domain::hardware) fn is_one(text: &str) -> bool {
    let has = |part: &str| text.contains(part);
    has("ioc0 vol_id")
        || has("log_id ") && has("phys_id ")
        || has("data@ 0") && has(" sectors,")
        || text.starts_with("/dev/") && has("Volume ") && has(" status: ")
        || has("Status of logical drive")
        || has("status:") && has("functional")
        || has("GDT Information")
        || has("Submirror")
        || has("container list")
}
