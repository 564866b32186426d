//! Drives behind RAID controllers, which are no block devices here: found through smartctl's own list or by number.

use serde::Deserialize;

use super::super::{Found, Look, PAYLOAD_MAX, Why};
use super::{Answer, Asked, SOURCE, ask};
use crate::host::Host;

/// Listing opens no drive: it is quick or does not work.
const DEADLINE_MS: u64 = 10_000;
/// Drives asked behind all controllers of one machine.
const DRIVES_MAX: usize = 256;
/// Numbers without a drive in a row after which there are no more: slots may be empty.
const EMPTY_MAX: usize = 4;

/// A controller whose drives are asked by their number.
struct Numbered {
    /// The driver, as `/sys/class/scsi_host/*/proc_name` says it.
    driver: &'static str,
    /// smartctl's type, before the number.
    kind: &'static str,
    numbers: std::ops::RangeInclusive<u8>,
    door: Door,
}

/// The device through which a controller's drives are asked.
#[derive(Clone, Copy)]
enum Door {
    /// `/dev/sgN` of the SCSI device of this type (SPC: 3 processor, 12 storage array controller).
    Generic(&'static str),
    /// This one.
    At(&'static str),
}

/// smartctl(8), `-d`.
const NUMBERED: [Numbered; 6] = [
    Numbered { driver: "hpsa", kind: "cciss", numbers: 0..=127, door: Door::Generic("12") },
    Numbered { driver: "smartpqi", kind: "cciss", numbers: 0..=127, door: Door::Generic("12") },
    Numbered { driver: "arcmsr", kind: "areca", numbers: 1..=24, door: Door::Generic("3") },
    Numbered { driver: "3w-9xxx", kind: "3ware", numbers: 0..=127, door: Door::At("/dev/twa0") },
    Numbered { driver: "3w-sas", kind: "3ware", numbers: 0..=127, door: Door::At("/dev/twl0") },
    Numbered { driver: "3w-xxxx", kind: "3ware", numbers: 0..=15, door: Door::At("/dev/twe0") },
];
/// The driver whose drives smartctl lists itself.
const LISTED: &str = "megaraid_sas";

/// The controllers that hide drives.
pub(super) struct Hidden {
    listed: bool,
    numbered: Vec<(String, &'static Numbered)>,
}

/// What `smartctl --scan` lists.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    devices: Vec<Device>,
}

#[derive(Deserialize)]
struct Device {
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// Looks for controllers.
pub(super) fn find(host: &Host) -> Hidden {
    let hosts = host.list("/sys/class/scsi_host").unwrap_or_default();
    let drivers: Vec<String> = hosts
        .iter()
        .filter_map(|name| host.read_text(&format!("/sys/class/scsi_host/{name}/proc_name")).ok())
        .collect();
    let is_here = |driver: &str| drivers.iter().any(|one| one == driver);
    let mut numbered: Vec<(String, &'static Numbered)> = Vec::new();
    for one in NUMBERED.iter().filter(|one| is_here(one.driver)) {
        for path in doors(host, one.door) {
            if !numbered.iter().any(|(known, _)| *known == path) {
                numbered.push((path, one));
            }
        }
    }
    Hidden { listed: is_here(LISTED), numbered }
}

fn doors(host: &Host, door: Door) -> Vec<String> {
    let Door::Generic(wanted) = door else {
        let Door::At(path) = door else { return Vec::new() };
        return vec![path.to_owned()];
    };
    let is_door = |name: &&String| {
        host.read_text(&format!("/sys/class/scsi_generic/{name}/device/type")).is_ok_and(|kind| kind == wanted)
    };
    let names = host.list("/sys/class/scsi_generic").unwrap_or_default();
    names.iter().filter(is_door).map(|name| format!("/dev/{name}")).collect()
}

impl Hidden {
    /// Whether there is such a controller.
    pub(super) fn is_needed(&self) -> bool {
        self.listed || !self.numbered.is_empty()
    }

    /// Asks every drive behind them.
    pub(super) fn look(&self, look: &mut Look<'_>) -> Vec<Found> {
        let mut found = Vec::new();
        if self.listed {
            match listed(look.host) {
                Ok(devices) => {
                    for device in devices.iter().take(DRIVES_MAX) {
                        found.push(ask_one(look, &device.name, &device.kind).1);
                    }
                }
                Err(unseen) => found.push(unseen),
            }
        }
        for (path, controller) in &self.numbered {
            let mut empty = 0;
            for number in controller.numbers.clone() {
                if empty == EMPTY_MAX || found.len() >= DRIVES_MAX {
                    break;
                }
                let (is_there, one) = ask_one(look, path, &format!("{},{number}", controller.kind));
                empty = if is_there { 0 } else { empty + 1 };
                found.extend(is_there.then_some(one));
            }
        }
        found
    }
}

/// Asks one drive; whether there is one, and what was found.
fn ask_one(look: &mut Look<'_>, path: &str, kind: &str) -> (bool, Found) {
    let part = format!("{} {kind}", path.trim_start_matches("/dev/"));
    let known = look.memory.drives.entry(part.clone()).or_default();
    let asked = Asked { part: &part, path, kind, sleeps: true };
    let answer = ask(look.host, known, &asked, look.now_ms);
    let is_there = !matches!(answer, Answer::Unseen(Why::Failed, _));
    (is_there, answer.into_found(&part))
}

/// The drives that smartctl lists behind MegaRAID controllers.
fn listed(host: &Host) -> Result<Vec<Device>, Found> {
    let failed = |reason: String| Found::unseen(SOURCE, LISTED, Why::Failed, reason);
    let output = host
        .run_for("--scan", "smartctl", &["--json=c", "--scan"], PAYLOAD_MAX, DEADLINE_MS)
        .map_err(|error| failed(error.to_string()))?;
    let listed: Listed = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("smartctl --scan did not answer with a list of devices".to_owned()))?;
    let devices: Vec<Device> =
        listed.devices.into_iter().filter(|device| device.kind.contains("megaraid")).take(DRIVES_MAX).collect();
    if devices.is_empty() {
        return Err(Found::unseen(
            SOURCE,
            LISTED,
            Why::BehindRaid,
            "a MegaRAID controller is here, and smartctl --scan lists no drive behind it",
        ));
    }
    Ok(devices)
}
