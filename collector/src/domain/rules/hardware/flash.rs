//! Soldered flash: how much of its life and of its spare blocks is used, as the chip itself says. It cannot be replaced alone.

use super::finding::{Finding, Part, Weight};
use crate::domain::{hardware::Flash, severity::Severity};

/// Steps of `DEVICE_LIFE_TIME_EST`: 90-100 % of its life is used, and more than it was made for (JESD84-B51, 7.4.26).
const LIFE_NEARLY_USED: u64 = 10;
const LIFE_USED: u64 = 11;
/// Steps of `PRE_EOL_INFO`: 80 % and 90 % of the spare blocks are used (JESD84-B51, 7.4.25).
const RESERVE_LOW: u64 = 2;
const RESERVE_URGENT: u64 = 3;

/// All findings about chips.
pub(super) fn judge(chips: &[Flash]) -> Vec<Finding> {
    chips.iter().flat_map(|chip| life(chip).into_iter().chain(reserve(chip))).collect()
}

fn part(chip: &Flash) -> Part {
    let Flash { device, model, serial, firmware, .. } = chip.clone();
    Part { kind: "drive", name: device, model, serial, firmware, slot: String::new() }
}

fn life(chip: &Flash) -> Option<Finding> {
    let step = chip.life.into_iter().flatten().max().filter(|step| *step >= LIFE_NEARLY_USED)?;
    let (severity, summary) = match step {
        LIFE_NEARLY_USED => (Severity::Warning, "more than 90 % of the life it was made for is used"),
        _ => (Severity::Critical, "it has been written more than it was made for"),
    };
    let finding = Finding::new(part(chip), "flash-worn", severity, Weight::Failing, summary);
    let action = "back up what is on it, and replace the board or move what writes elsewhere";
    Some(finding.against("life used, in steps of 10 %", step, LIFE_USED).so(action))
}

fn reserve(chip: &Flash) -> Option<Finding> {
    let step = chip.reserve.filter(|step| *step >= RESERVE_LOW)?;
    let (severity, summary) = match step {
        RESERVE_LOW => (Severity::Warning, "80 % of its spare blocks are used"),
        _ => (Severity::Critical, "90 % of its spare blocks are used: it turns read-only when the last is"),
    };
    let finding = Finding::new(part(chip), "flash-reserve-low", severity, Weight::Failing, summary);
    Some(
        finding
            .against("state of the spare blocks", step, RESERVE_URGENT)
            .so("back up what is on it, and replace the board"),
    )
}
