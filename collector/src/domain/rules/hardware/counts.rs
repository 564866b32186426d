//! What a part counts: for how it went over time. A count says what it says beside those before it.

use super::{Part, assembly, pcie, plausible, standing::component};
use crate::domain::hardware::{Facts, attribute::Meaning, drive::Drive};

/// What is counted, in which unit (`°C`, `%`; empty for a count), and how much.
pub(super) type Counted = (String, &'static str, u64);

/// All that is counted of a part in what was said of a device; nothing where it is not about that part.
pub(super) fn of(facts: &Facts, device: &str, part: &Part) -> Vec<Counted> {
    let counts = |counts: &[(&str, Option<u64>)]| -> Vec<Counted> {
        counts.iter().filter_map(|(name, count)| Some(((*name).to_owned(), "", (*count)?))).collect()
    };
    let found = match facts {
        Facts::Drive(found) => (found.identity.serial == part.serial).then(|| drive(found)),
        Facts::Memory(memory) if part.kind == "memory" && part.slot.is_empty() => {
            let kib = [("Taken out of use", memory.taken_out_kib), ("Memory", memory.total_kib)];
            let said = kib.into_iter().filter_map(|(name, kib)| Some((name.to_owned(), "KiB", kib?)));
            Some(said.collect())
        }
        Facts::Memory(memory) if part.kind == "memory" => {
            let module = memory.modules.iter().find(|module| module.label == part.slot);
            module.map(|module| {
                counts(&[
                    ("Corrected errors", Some(module.corrected)),
                    ("Uncorrected errors", Some(module.uncorrected)),
                ])
            })
        }
        Facts::Ports(ports) => {
            let name = |port: &&_| super::fabric::part(port).name == part.name;
            let port = ports.iter().find(name).filter(|_| part.kind == "link");
            port.map(|port| port.counters.iter().map(|(name, count)| ((*name).to_owned(), "", *count)).collect())
        }
        Facts::Nic(nic) if !part.name.is_empty() && [nic.name.as_str(), device].contains(&part.name.as_str()) => {
            Some(counts(&[("Damaged frames", nic.received.map(|_| nic.damaged)), ("Losses of link", nic.downs)]))
        }
        Facts::Gpus(gpus) => {
            let gpu = gpus.iter().find(|gpu| gpu.address == part.name && gpu.serial == part.serial);
            gpu.filter(|gpu| gpu.is_readable).map(|gpu| {
                counts(&[
                    ("Corrected errors", Some(gpu.corrected)),
                    ("Uncorrected errors", Some(gpu.uncorrected)),
                    ("Retired pages", Some(gpu.pages_retired)),
                    ("Replaced rows", gpu.rows_uncorrectable),
                ])
            })
        }
        Facts::Pcie(devices) => {
            let device = devices.iter().find(|device| pcie::part(device) == *part);
            device.map(|device| {
                counts(&[
                    ("Corrected errors", device.corrected),
                    ("Errors that were not fatal", device.nonfatal),
                    ("Fatal errors", device.fatal),
                    ("Lanes", device.width),
                ])
            })
        }
        Facts::Assembly(found) => {
            let name = component(part);
            let piece = found.pieces.iter().find(|piece| component(&assembly::part(piece)) == name);
            piece.map(|piece| {
                piece.counters.iter().map(|(count, value)| (count.name().to_owned(), "", *value)).collect()
            })
        }
        Facts::Power(power) if part.kind == "battery" => {
            let is_it = |battery: &&_| {
                let crate::domain::hardware::power::Battery { name, serial, .. } = battery;
                *name == part.name && *serial == part.serial
            };
            let ratio = power.batteries.iter().find(is_it).and_then(|battery| battery.health_ratio());
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "percents of a charge")]
            ratio.map(|ratio| vec![("Full charge of design".to_owned(), "%", (ratio * 100.0).round() as u64)])
        }
        _ => None,
    };
    found.unwrap_or_default()
}

fn drive(drive: &Drive) -> Vec<Counted> {
    const WATCHED: [Meaning; 7] = [
        Meaning::Reallocated,
        Meaning::Pending,
        Meaning::OfflineUncorrectable,
        Meaning::ReportedUncorrectable,
        Meaning::EndToEnd,
        Meaning::SpinRetry,
        Meaning::InterfaceErrors,
    ];
    let counts = WATCHED.into_iter().filter_map(|meaning| {
        let (attribute, count) = plausible::count(drive, meaning)?;
        Some((format!("{} {}", attribute.id, attribute.name), "", count))
    });
    let wear = drive.attributes.iter().filter(|attribute| attribute.meaning == Meaning::Wear);
    let wear = wear.map(|attribute| (format!("{} {}, normalised", attribute.id, attribute.name), "", attribute.value));
    let nvme = drive.nvme.unwrap_or_default();
    let scsi = drive.scsi.unwrap_or_default();
    let said = [
        ("Endurance used", "%", nvme.percentage_used.or(drive.statistics.percentage_used).or(scsi.percentage_used)),
        ("Available spare", "%", nvme.available_spare),
        ("Media errors", "", nvme.media_errors),
        ("Grown defects", "", scsi.grown_defects),
        ("Uncorrected read errors", "", scsi.read_uncorrected),
        ("Uncorrected write errors", "", scsi.write_uncorrected),
        ("Logged errors", "", drive.errors.count),
        ("Temperature", "°C", drive.temperature_celsius.and_then(|degrees| u64::try_from(degrees).ok())),
    ];
    let said = said.into_iter().filter_map(|(name, unit, value)| Some((name.to_owned(), unit, value?)));
    counts.chain(wear).chain(said).collect()
}
