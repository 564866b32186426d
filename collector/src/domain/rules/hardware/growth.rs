//! What grew within a week: the counts of a drive beside those that it had then. A count that is old says little, one that
//! grows says more; a drive that is seen for the first time has no past, whatever it counts.

use super::{
    assembly,
    drive::part,
    fabric,
    finding::{Finding, Part, Weight},
    network, parts, pcie, plausible,
    series::Limits,
};
use crate::domain::{
    hardware::{Facts, attribute::Meaning, drive::Drive},
    severity::Severity,
};

/// Back to here a count is looked at, in days: of drives whose bad sectors grew within a week one in five failed within forty
/// days (Backblaze, 2013), of those that merely had some one in 26.
pub const WINDOW_DAYS: i64 = 7;
/// Transfers corrupted within the window that are no accident of plugging: a link that is well has none.
const LINK_ERRORS: u64 = 10;
/// Elements that a SCSI drive added to its list of defects within the window; one a day and more.
const SCSI_DEFECTS: u64 = 10;

/// All findings about what is counted `now` beside what the same source counted `then`, the window ago.
#[must_use]
pub fn judge(now: &Facts, then: &Facts) -> Vec<Finding> {
    match (now, then) {
        (Facts::Drive(now), Facts::Drive(then)) => drive(now, then),
        (Facts::Assembly(now), Facts::Assembly(then)) => assembly::grown(now, then),
        (Facts::Pcie(now), Facts::Pcie(then)) => pcie::grown(now, then),
        (Facts::Nic(now), Facts::Nic(then)) => network::grown(now, then),
        (Facts::Memory(now), Facts::Memory(then)) => parts::memory_grown(now, then),
        (Facts::Gpus(now), Facts::Gpus(then)) => parts::gpus_grown(now, then),
        (Facts::Ports(now), Facts::Ports(then)) => fabric::grown(now, then),
        _ => Vec::new(),
    }
}

/// What the count that a finding rests on was the window ago, where it has fallen since: the part is improving, as a drive
/// does whose waiting sectors are written again.
#[must_use]
pub fn fallen(rule: &str, now: &Facts, then: &Facts) -> Option<u64> {
    let (Facts::Drive(now), Facts::Drive(then)) = (now, then) else { return None };
    let meaning = match rule {
        "drive-pending-sectors" => Meaning::Pending,
        "drive-offline-uncorrectable" => Meaning::OfflineUncorrectable,
        _ => return None,
    };
    let of = |drive| plausible::count(drive, meaning).map(|(_, count)| count);
    let (is, was) = (of(now)?, of(then)?);
    (now.identity.serial == then.identity.serial && is < was).then_some(was)
}

fn drive(now: &Drive, then: &Drive) -> Vec<Finding> {
    let is_same = !now.identity.serial.is_empty() && now.identity.serial == then.identity.serial;
    if !is_same || now.is_virtual {
        return Vec::new();
    }
    let count = |meaning| move |drive: &Drive| plausible::count(drive, meaning).map(|(_, count)| count);
    let mut findings = Vec::new();
    let defects = [Meaning::Reallocated, Meaning::Pending].map(|meaning| grew(now, then, count(meaning)));
    let most = defects.into_iter().flatten().max_by_key(|grown| grown.by);
    if let Some(grown) = most.filter(|grown| grown.by >= Limits::default().growth && plausible::is_rotating(now)) {
        let summary = format!("its count of bad sectors grew by {} within {WINDOW_DAYS} days", grown.by);
        findings.push(
            grown.found(part(now), "drive-defects-growing", summary).so("back up what is on it now and replace it"),
        );
    }
    let media = grew(now, then, |drive| drive.nvme.and_then(|log| log.media_errors));
    if let Some(grown) = media.filter(|grown| grown.by > 0) {
        let summary =
            format!("{} times within {WINDOW_DAYS} days data could not be read or was found damaged", grown.by);
        let finding = grown.found(part(now), "nvme-media-errors-growing", summary);
        findings.push(finding.so("back up what is on it now, read all of it once (a scrub), and order a replacement"));
    }
    let defects = grew(now, then, |drive| drive.scsi.and_then(|scsi| scsi.grown_defects));
    if let Some(grown) = defects.filter(|grown| grown.by >= SCSI_DEFECTS) {
        let summary = format!("its list of defects grew by {} within {WINDOW_DAYS} days", grown.by);
        findings.push(
            grown.found(part(now), "scsi-defects-growing", summary).so("run a long self-test and order a replacement"),
        );
    }
    let link = grew(now, then, count(Meaning::InterfaceErrors));
    if let Some(grown) = link.filter(|grown| grown.by >= LINK_ERRORS) {
        let link = Part { kind: "link", ..part(now) };
        let summary =
            format!("{} transfers between drive and controller were corrupted within {WINDOW_DAYS} days", grown.by);
        let finding = grown.found(link, "link-crc-errors-growing", summary);
        findings.push(finding.so("reseat or replace the cable, then try another port; the drive is not to blame"));
    }
    findings
}

/// A count that grew.
#[derive(Clone, Copy)]
struct Grown {
    from: u64,
    to: u64,
    by: u64,
}

/// By how much; nothing where either is not told. One that fell was reset, or rewritten sectors are well again.
fn grew(now: &Drive, then: &Drive, count: impl Fn(&Drive) -> Option<u64>) -> Option<Grown> {
    let (from, to) = (count(then)?, count(now)?);
    Some(Grown { from, to, by: to.saturating_sub(from) })
}

impl Grown {
    fn found(self, part: Part, rule: &'static str, summary: String) -> Finding {
        let finding = Finding::new(part, rule, Severity::Warning, Weight::Failing, summary);
        finding.seen("then", self.from).seen("now", self.to)
    }
}
