//! PCI Express: what the kernel counts of errors on the links (AER) and how wide the links are, from files of sysfs.
//!
//! No device is woken: how wide the link of one that is suspended is, is asked of the device itself, so what it last said
//! stands. The speed is told of storage and network alone; GPUs and what is above them slow down when they idle.

use std::collections::HashMap;

use super::text::Text;
use super::{Found, Look, Why};
use crate::host::Host;

const SOURCE: &str = "pcie";
const DEVICES: &str = "/sys/bus/pci/devices";
const SLOTS: &str = "/sys/bus/pci/slots";
/// Devices and slots of one machine that are looked at; the largest servers have some hundred.
const DEVICES_MAX: usize = 512;
const SLOTS_MAX: usize = 128;
/// What is said of all of them, in bytes; it is told packed, which makes a tenth of it.
const TEXT_MAX: usize = 192 * 1024;
/// Who a device is (Documentation/ABI/testing/sysfs-bus-pci).
const IDENTITY: [&str; 4] = ["class", "vendor", "device", "label"];
const WIDTH: [&str; 2] = ["current_link_width", "max_link_width"];
const SPEED: [&str; 2] = ["current_link_speed", "max_link_speed"];
/// Counters of errors, one kind a line, the last their sum (Documentation/ABI/testing/sysfs-bus-pci-devices-aer_stats).
const COUNTERS: [&str; 3] = ["aer_dev_fatal", "aer_dev_nonfatal", CORRECTED];
const CORRECTED: &str = "aer_dev_correctable";
const DAY_MS: u64 = 24 * 3_600_000;
/// Classes whose links keep their speed: mass storage and network.
const STEADY: [&str; 2] = ["0x01", "0x02"];

/// What each device last said of its link.
pub(super) type Links = HashMap<String, String>;

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    let host = look.host;
    let names = host.list(DEVICES).unwrap_or_default();
    let mut text = Text::up_to(host, TEXT_MAX);
    let mut counts = false;
    for name in names.iter().take(DEVICES_MAX) {
        counts |= device(&mut text, host, &mut look.memory.links, name);
    }
    look.memory.links.retain(|name, _| names.contains(name));
    for slot in host.list(SLOTS).unwrap_or_default().iter().take(SLOTS_MAX) {
        text.values(&format!("{SLOTS}/{slot}"), &["address"]);
    }
    if names.len() > DEVICES_MAX {
        text.lacks("more than 512 devices, the rest is left out");
    } else if !counts {
        text.lacks(
            "no device counts errors of its link (AER): firmware keeps it to itself, or this is a virtual machine",
        );
    }
    if !text.says("class") {
        return vec![Found::unseen(SOURCE, "", Why::NotPresent, "there is no PCI Express device here")];
    }
    text.instead(corrected(text.so_far(), look.now_ms));
    text.found_but(SOURCE, "", &[CORRECTED]).into_iter().collect()
}

/// Some platforms correct errors all the time: how many is news when it has doubled, and once a day.
fn corrected(said: &str, now_ms: u64) -> String {
    let sums = said.lines().filter_map(|line| line.split_once(":TOTAL_ERR_COR ")?.1.parse::<u64>().ok());
    let doublings: Vec<String> = sums.map(|sum| (u64::BITS - sum.leading_zeros()).to_string()).collect();
    let some = doublings.iter().any(|doublings| doublings != "0");
    let day = if some { now_ms / DAY_MS } else { 0 };
    format!("{day} {}", doublings.join(" "))
}

/// Says what there is of a device that has a link or counts errors; whether it counts.
fn device(text: &mut Text<'_>, host: &Host, links: &mut Links, name: &str) -> bool {
    let directory = place(host, name);
    let known = links.get(name).cloned();
    let sleeps = host.read_text(&format!("{directory}/power/runtime_status")).is_ok_and(|status| status == "suspended");
    let link = if sleeps { known.unwrap_or_default() } else { link(host, &directory) };
    let counts = host.exists(&format!("{directory}/{}", COUNTERS[0]));
    if link.is_empty() && !counts {
        return false;
    }
    text.values(&directory, &IDENTITY);
    if let Some(driver) = host.link_target(&format!("{directory}/driver")).ok().as_deref().and_then(last) {
        text.say(&directory, "driver", driver);
    }
    text.add(&link);
    links.insert(name.to_owned(), link);
    for counter in COUNTERS {
        text.value(&directory, counter, |line| line.starts_with("TOTAL_") || !line.ends_with(" 0"));
    }
    counts
}

/// How wide the device's link is, and how fast where that is steady; nothing where it has none.
fn link(host: &Host, directory: &str) -> String {
    let width = host.read_text(&format!("{directory}/{}", WIDTH[0])).unwrap_or_default();
    if width.is_empty() || width == "0" {
        return String::new();
    }
    let mut text = Text::up_to(host, TEXT_MAX);
    text.values(directory, &WIDTH);
    let class = host.read_text(&format!("{directory}/class")).unwrap_or_default();
    if STEADY.iter().any(|steady| class.starts_with(steady)) {
        text.values(directory, &SPEED);
    }
    text.into_text()
}

/// Where the device is among the others: a device's directory lies in that of the port it is behind.
fn place(host: &Host, name: &str) -> String {
    let link = format!("{DEVICES}/{name}");
    let target = host.link_target(&link).unwrap_or_default();
    match target.trim_start_matches("../").strip_prefix("devices/") {
        Some(below) => format!("/sys/devices/{below}"),
        None => link,
    }
}

fn last(path: &str) -> Option<&str> {
    path.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::testing::Machine;
    use super::*;

    const PORT: &str = "/sys/devices/pci0000:00/0000:00:1d.0";
    const DRIVE: &str = "/sys/devices/pci0000:00/0000:00:1d.0/0000:03:00.0";

    fn machine() -> Machine {
        let machine = Machine::new();
        let file = |directory: &str, name: &str, value: &str| {
            machine.file(&format!("{}/{name}", directory.trim_start_matches('/')), &format!("{value}\n"));
        };
        for (directory, class, width) in [(PORT, "0x060400", "2"), (DRIVE, "0x010802", "2")] {
            file(directory, "class", class);
            file(directory, "vendor", "0x1d0f");
            file(directory, "device", "0x0001");
            file(directory, "current_link_width", width);
            file(directory, "max_link_width", "4");
            file(directory, "current_link_speed", "8.0 GT/s PCIe");
            file(directory, "max_link_speed", "8.0 GT/s PCIe");
            file(directory, "aer_dev_fatal", "Undefined 0\nDLP 0\nTOTAL_ERR_FATAL 0");
            file(directory, "power/runtime_status", "active");
        }
        file(DRIVE, "aer_dev_correctable", "RxErr 7\nBadTLP 0\nTOTAL_ERR_COR 7");
        file("/sys/devices/pci0000:00/0000:00:00.0", "class", "0x060000");
        file("/sys/bus/pci/slots/5", "address", "0000:03:00");
        for name in ["0000:00:00.0", "0000:00:1d.0", "0000:00:1d.0/0000:03:00.0"] {
            let target = format!("../../../devices/pci0000:00/{name}");
            machine.link(&format!("sys/bus/pci/devices/{}", last(name).unwrap()), &target);
        }
        machine.link(&format!("{}/driver", DRIVE.trim_start_matches('/')), "../../../../bus/pci/drivers/nvme");
        machine
    }

    fn payload(found: &[Found]) -> (String, String) {
        match found {
            [Found { part, outcome: Outcome::Read { payload, note, .. }, .. }] if part.is_empty() => {
                (String::from_utf8_lossy(payload).into_owned(), note.clone())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn links_and_their_errors_are_told_where_they_lie_and_a_bridge_without_either_is_not() {
        let mut machine = machine();
        let expected = format!(
            "{PORT}/class:0x060400\n{PORT}/vendor:0x1d0f\n{PORT}/device:0x0001\n{PORT}/current_link_width:2\n\
             {PORT}/max_link_width:4\n{PORT}/aer_dev_fatal:TOTAL_ERR_FATAL 0\n\
             {DRIVE}/class:0x010802\n{DRIVE}/vendor:0x1d0f\n{DRIVE}/device:0x0001\n{DRIVE}/driver:nvme\n\
             {DRIVE}/current_link_width:2\n{DRIVE}/max_link_width:4\n{DRIVE}/current_link_speed:8.0 GT/s PCIe\n\
             {DRIVE}/max_link_speed:8.0 GT/s PCIe\n{DRIVE}/aer_dev_fatal:TOTAL_ERR_FATAL 0\n\
             {DRIVE}/aer_dev_correctable:RxErr 7\n{DRIVE}/aer_dev_correctable:TOTAL_ERR_COR 7\n\
             /sys/bus/pci/slots/5/address:0000:03:00\n"
        );
        assert_eq!(payload(&machine.look("pcie", 0)), (expected, String::new()));
    }

    #[test]
    fn a_suspended_device_is_not_asked_and_what_it_said_stands() {
        let mut machine = machine();
        let awake = payload(&machine.look("pcie", 0));
        let drive = DRIVE.trim_start_matches('/');
        machine.file(&format!("{drive}/power/runtime_status"), "suspended\n");
        // What sysfs shows of a device without power.
        machine.file(&format!("{drive}/current_link_width"), "63\n");
        assert_eq!(payload(&machine.look("pcie", 1)), awake);
    }

    #[test]
    fn errors_that_are_corrected_all_the_time_are_news_when_they_double_and_each_day() {
        let mut machine = machine();
        let mut digest = |corrected: u32, fatal: u32, now_ms: u64| {
            let drive = DRIVE.trim_start_matches('/');
            machine.file(
                &format!("{drive}/aer_dev_correctable"),
                &format!("RxErr {corrected}\nTOTAL_ERR_COR {corrected}\n"),
            );
            machine.file(&format!("{drive}/aer_dev_fatal"), &format!("TOTAL_ERR_FATAL {fatal}\n"));
            machine.look("pcie", now_ms)[0].digest().unwrap()
        };
        let first = digest(1_000, 0, DAY_MS);
        assert_eq!(digest(1_010, 0, DAY_MS + 300_000), first);
        assert_ne!(digest(1_024, 0, DAY_MS + 300_000), first, "twice 512");
        assert_ne!(digest(1_010, 0, 2 * DAY_MS), first);
        assert_ne!(digest(1_010, 1, DAY_MS), first);
        let none = digest(0, 0, DAY_MS);
        assert_eq!(digest(0, 0, 2 * DAY_MS), none);
    }

    #[test]
    fn that_nothing_counts_errors_is_told_and_that_there_is_no_such_bus() {
        let mut machine = Machine::new();
        assert!(matches!(machine.look("pcie", 0)[0].outcome, Outcome::Unseen { why: Why::NotPresent, .. }));
        machine.file("sys/bus/pci/devices/0000:01:00.0/class", "0x010802\n");
        machine.file("sys/bus/pci/devices/0000:01:00.0/current_link_width", "4\n");
        let (said, note) = payload(&machine.look("pcie", 0));
        assert!(said.starts_with("/sys/bus/pci/devices/0000:01:00.0/class:0x010802\n"), "{said}");
        assert!(note.starts_with("no device counts errors of its link"), "{note}");
    }
}
