//! MegaCli and its twins (CmdTool2, `perccli` of old): `-PDList`, `-LDInfo`, `-AdpBbuCmd`.

use super::Builder;
use crate::domain::hardware::{
    assembly::{Assembly, Count, Piece, Role, State},
    text::{digits, pair, short},
};

/// A gauge that says more than this does not work, in percent; new packs hold somewhat more than they were designed for.
const GAUGE_PERCENT: u64 = 130;

/// The controller's drives, volumes and batteries in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Assembly {
    let mut builder = Builder::default();
    let mut enclosure = String::new();
    for line in text.lines() {
        let Some((key, value)) = pair(line) else { continue };
        match key {
            "Enclosure Device ID" => enclosure = short(value),
            "Slot Number" => {
                builder.begin(Role::Member, "");
                if let Some(piece) = builder.of(&[Role::Member]) {
                    piece.slot = format!("{enclosure}:{value}");
                }
            }
            "Virtual Drive" | "Virtual Disk" => builder.begin(Role::Array, value.split(' ').next().unwrap_or(value)),
            "BBU status for Adapter" => builder.begin(Role::Battery, value),
            _ => {}
        }
        summary(&mut builder, key, value);
        member(&mut builder, key, value);
        volume(&mut builder, key, value);
        battery(&mut builder, key, value);
    }
    builder.finish()
}

fn member(builder: &mut Builder, key: &str, value: &str) {
    let Some(piece) = builder.of(&[Role::Member]) else { return };
    match key {
        "Firmware state" => piece.says(value),
        "Media Error Count" => piece.count(Count::Media, digits(value)),
        "Other Error Count" => piece.count(Count::Other, digits(value)),
        "Predictive Failure Count" => piece.count(Count::Predicted, digits(value)),
        "Drive has flagged a S.M.A.R.T alert" if value.starts_with("Yes") => piece.count(Count::Predicted, Some(1)),
        // Vendor, model, revision and serial number run together; columns differ between SATA and SAS.
        "Inquiry Data" => piece.model = short(&value.split_whitespace().collect::<Vec<_>>().join(" ")),
        "Device Firmware Level" => piece.firmware = short(value),
        _ => {}
    }
}

fn volume(builder: &mut Builder, key: &str, value: &str) {
    let Some(piece) = builder.of(&[Role::Array]) else { return };
    match key {
        "State" => piece.says(value),
        "RAID Level" => piece.model = short(value),
        "Bad Blocks Exist" if value.starts_with("Yes") => piece.count(Count::Media, Some(1)),
        _ => {}
    }
}

fn battery(builder: &mut Builder, key: &str, value: &str) {
    let Some(piece) = builder.of(&[Role::Battery]) else { return };
    let is_yes = value.starts_with("Yes");
    match key {
        "BatteryType" => piece.model = short(value),
        // A learn cycle discharges the battery on purpose: its charge means nothing meanwhile.
        "Battery State" | "Battery state" if !value.is_empty() && piece.state < State::Predicted => piece.says(value),
        "Learn Cycle Status" if piece.words.is_empty() && value == "OK" => piece.says(value),
        "Battery Pack Missing" if is_yes => *piece = piece.clone().being(State::NotPresent),
        "Battery Replacement required" | "Pack is about to fail & should be replaced" if is_yes => {
            // The controller that calls the battery operational and wants another one contradicts itself.
            let is_sure = !piece.words.eq_ignore_ascii_case("operational");
            piece.words = short(&format!("{} {key}: {value}", piece.words));
            piece.state = if is_sure { State::Predicted } else { State::Unsaid };
        }
        // The gauge is out of order, and with it all that it says.
        "Absolute state of charge" if digits(value).is_some_and(|percent| percent > GAUGE_PERCENT) => {
            piece.words = short(&format!("{}, {key}: {value}", piece.words));
            piece.state = State::Unsaid;
        }
        _ => {}
    }
}

/// `-AdpAllInfo` has no parts, only how many there are of each.
fn summary(builder: &mut Builder, key: &str, value: &str) {
    let (role, state, what) = match key {
        "Degraded" => (Role::Array, State::Degraded, "volumes degraded"),
        "Offline" => (Role::Array, State::Failed, "volumes offline"),
        "Critical Disks" => (Role::Member, State::Predicted, "drives critical"),
        "Failed Disks" => (Role::Member, State::Failed, "drives failed"),
        _ => return,
    };
    let Some(count) = digits(value) else { return };
    let piece = Piece::new(role, "", &format!("{count} {what}"));
    builder.add(piece.being(if count == 0 { State::Good } else { state }));
}
