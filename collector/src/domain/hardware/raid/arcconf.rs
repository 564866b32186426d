//! arcconf, and `hrconf` of old: `getconfig N` with AD, LD and PD.

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Count, Piece, Role, State},
    text::{digits, pair, short},
};

/// The controller in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut builder = Builder::default();
    for line in text.lines().map(str::trim) {
        let lower = line.to_ascii_lowercase();
        if let Some(number) = lower.strip_prefix("logical device number ") {
            builder.begin(Role::Array, &format!("logical device {number}"));
        } else if let Some(number) = line.strip_prefix("Device #") {
            builder.begin(Role::Member, &format!("device {number}"));
        } else if lower.starts_with("controller battery information") || lower.starts_with("supercap information") {
            builder.begin(Role::Battery, "");
        } else if lower.starts_with("device is a") && !lower.contains("hard drive") && !lower.contains("ssd") {
            // An enclosure's processor has states of its own words.
            builder.current = None;
        } else if let Some((key, value)) = pair(line) {
            said(&mut builder, key, value);
        }
    }
    builder.finish()
}

fn said(builder: &mut Builder, key: &str, value: &str) {
    if key == "Controller Status" {
        builder.add(Piece::new(Role::Controller, "", value));
        return;
    }
    summary(builder, key, value);
    // A segment that is not there is a member that is not there: `Group 0, Segment 1 : Missing`.
    if (key.contains("Segment") || key.starts_with("Segment"))
        && (value.starts_with("Missing") || value.starts_with("Failed"))
    {
        builder.add(Piece::new(Role::Member, key, value));
        return;
    }
    if let Some(piece) = builder.of(&[Role::Array]) {
        match key.to_ascii_lowercase().as_str() {
            "status of logical device" | "status of logical drive" => piece.says(value),
            "raid level" => piece.model = format!("RAID {}", short(value)),
            _ => {}
        }
    } else if let Some(piece) = builder.of(&[Role::Member]) {
        match key {
            "State" => piece.says(value),
            "S.M.A.R.T. warnings" => piece.count(Count::Predicted, digits(value)),
            "S.M.A.R.T." if value.starts_with("Yes") => piece.count(Count::Predicted, Some(1)),
            "Model" => piece.model = short(value),
            "Serial number" => piece.serial = short(value),
            "Firmware" => piece.firmware = short(value),
            "Reported Location" => piece.slot = short(value),
            "Medium Error Count" | "Uncorrected read errors" | "Uncorrected write errors" => {
                piece.count(Count::Media, digits(value));
            }
            _ => {}
        }
    } else if let Some(piece) = builder.of(&[Role::Battery])
        && key == "Status"
    {
        piece.says(value);
    }
}

/// How many there are that are not well; the parts themselves follow only where they were asked for.
fn summary(builder: &mut Builder, key: &str, value: &str) {
    let mut add = |role, count: &str, what: &str, state| {
        if digits(count).is_some_and(|count| count > 0) {
            builder.add(Piece::new(role, "", &format!("{count} {what}")).being(state));
        }
    };
    match key {
        "Logical devices/Failed/Degraded" => {
            let counts: Vec<&str> = value.split('/').collect();
            if let [_, failed, degraded] = counts[..] {
                add(Role::Array, failed, "logical devices failed", State::Failed);
                add(Role::Array, degraded, "logical devices degraded", State::Degraded);
            }
        }
        "Defunct disk drive count" => add(Role::Member, value, "drives defunct", State::Failed),
        _ => {}
    }
}
