//! Which numbers can be counts at all.

use crate::domain::hardware::{
    attribute::{Attribute, Meaning},
    drive::{Drive, Medium},
};

/// No drive lives to count more than this: a larger raw value packs several numbers in one or is a checksum. 2^24 sectors
/// of 512 bytes are 8 GiB, far beyond any drive's spare area.
const MOST_SECTORS: u64 = 1 << 24;

/// The count of sectors or errors with this meaning, if the drive keeps one that can be believed.
pub(super) fn count(drive: &Drive, meaning: Meaning) -> Option<(&Attribute, u64)> {
    let attribute = drive.attributes.iter().find(|attribute| attribute.meaning == meaning)?;
    let raw = attribute.raw?;
    let raw = match meaning {
        // Seagate packs three 16-bit counters: total, slower than 5 s, slower than 7.5 s (smartmontools, raw16).
        Meaning::CommandTimeout => raw & 0xffff,
        // 16-bit counters that stop at 65 535 share their bytes with others on some drives.
        _ if raw < MOST_SECTORS => raw,
        _ => return None,
    };
    Some((attribute, raw))
}

/// How much was counted since then; less than then means that the counter began anew, as the kernel's do at its start.
pub(super) const fn since(now: u64, then: u64) -> u64 {
    if now < then { now } else { now - then }
}

/// An attribute that should be a count and cannot be one.
pub(super) fn absurd(drive: &Drive) -> impl Iterator<Item = &Attribute> {
    const COUNTS: [Meaning; 4] =
        [Meaning::Reallocated, Meaning::Pending, Meaning::OfflineUncorrectable, Meaning::ReportedUncorrectable];
    drive
        .attributes
        .iter()
        .filter(|attribute| COUNTS.contains(&attribute.meaning) && attribute.raw.is_some_and(|raw| raw >= MOST_SECTORS))
}

/// Rotating, unless the drive says otherwise or has what only flash has: drives before ATA8-ACS do not say.
pub(super) fn is_rotating(drive: &Drive) -> bool {
    let name = format!("{} {}", drive.identity.model, drive.identity.family).to_ascii_uppercase();
    match drive.medium {
        Medium::Rotating => true,
        Medium::Flash => false,
        Medium::Unsaid => {
            !name.contains("SSD") && !drive.attributes.iter().any(|attribute| attribute.meaning == Meaning::Wear)
        }
    }
}
