//! SCSI and SAS drives: defects that grew, and what could not be corrected.

use super::{
    drive::part,
    finding::{Finding, Weight},
};
use crate::domain::{hardware::drive::Drive, severity::Severity};

/// Defects that grew and are a sign alone; SAS drives replace some over their life.
const GROWN_DEFECTS: u64 = 100;

/// Findings about the counters.
pub(super) fn judge(drive: &Drive, findings: &mut Vec<Finding>) {
    let Some(scsi) = &drive.scsi else { return };
    let counters = [
        ("reads", scsi.read_uncorrected),
        ("writes", scsi.write_uncorrected),
        ("verifications", scsi.verify_uncorrected),
    ];
    let uncorrected = counters.into_iter().filter(|(_, count)| count.is_some_and(|count| count > 0));
    let mut finding = None;
    for (what, count) in uncorrected {
        let summary = "errors that the drive could not correct";
        let base = finding.unwrap_or_else(|| {
            Finding::new(part(drive), "scsi-uncorrected-errors", Severity::Warning, Weight::Failing, summary)
                .so("back up what is on it now and replace it")
        });
        finding = Some(base.against(format!("uncorrected errors of {what}"), count.unwrap_or(0), 0));
    }
    findings.extend(finding);
    if let Some(defects) = scsi.grown_defects.filter(|defects| *defects > 0) {
        let (severity, weight) = if defects >= GROWN_DEFECTS {
            (Severity::Warning, Weight::Failing)
        } else {
            (Severity::Info, Weight::Doubt)
        };
        let finding = Finding::new(part(drive), "scsi-grown-defects", severity, weight, "sectors were replaced");
        findings.push(finding.against("grown defects", defects, GROWN_DEFECTS).so("watch whether the list grows"));
    }
    if let Some(used) = scsi.percentage_used.filter(|used| (100..=255).contains(used)) {
        let summary = "its rated life is used up";
        let finding = Finding::new(part(drive), "drive-worn-out", Severity::Warning, Weight::Failing, summary);
        findings.push(finding.against("percentage used", used, 100).so("order a replacement"));
    }
}
