//! `/sys/block/mmcblk*/device/`: soldered flash (eMMC), which says how much of its life is used
//! (Documentation/driver-api/mmc/mmc-dev-attrs.rst; JESD84-B51, extended CSD registers 267 to 269).

use super::lines;
use crate::domain::hardware::text::{number, short};

const NAMES: [&str; 6] = ["name", "serial", "fwrev", "date", "life_time", "pre_eol_info"];
/// Most chips that are read.
const CHIPS: usize = 64;

/// One chip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flash {
    /// Its device node.
    pub device: String,
    /// Model as it calls itself.
    pub model: String,
    /// Serial number.
    pub serial: String,
    /// Firmware revision.
    pub firmware: String,
    /// Month and year in which it was made.
    pub made: String,
    /// How much of their life blocks of both types have used, in steps of 10 %: 1 is 0-10 %, 10 is 90-100 %, 11 is more than
    /// it was made for; `None` where it does not say.
    pub life: [Option<u64>; 2],
    /// Spare blocks: 1 normal, 2 when 80 % are used, 3 when 90 % are; `None` where it does not say.
    pub reserve: Option<u64>,
}

impl Flash {
    /// Whether it tells of health at all.
    #[must_use]
    pub fn tells_of_health(&self) -> bool {
        self.reserve.is_some() || self.life.iter().any(Option::is_some)
    }
}

/// The chips in a text.
pub(in crate::domain::hardware) fn read(text: &str) -> Vec<Flash> {
    let mut found: Vec<Flash> = Vec::new();
    for line in lines(text, &NAMES) {
        let (before, last) = line.place();
        let device = if last == "device" { before.rsplit('/').next().unwrap_or_default() } else { last };
        if found.last().is_none_or(|known| known.device != device) {
            if found.len() == CHIPS {
                break;
            }
            found.push(Flash { device: short(device), ..Flash::default() });
        }
        let Some(chip) = found.last_mut() else { continue };
        // 0 stands for "not defined".
        let step = |text: &str| number(text).filter(|step| *step > 0);
        match line.name {
            "name" => chip.model = short(line.value),
            "serial" => chip.serial = short(line.value),
            "fwrev" => chip.firmware = short(line.value),
            "date" => chip.made = short(line.value),
            "life_time" => {
                let mut types = line.value.split_whitespace().map(step);
                chip.life = [types.next().flatten(), types.next().flatten()];
            }
            "pre_eol_info" => chip.reserve = step(line.value),
            _ => {}
        }
    }
    found
}
