//! NVMe drives: the critical warning bit by bit, spare, wear and media errors.

use super::{
    drive::part,
    finding::{Finding, Weight},
};
use crate::domain::{
    hardware::drive::{Drive, NvmeHealth},
    severity::Severity,
};

/// Bits of the critical warning (NVM Express base specification 2.0, figure 207).
const SPARE: u64 = 1 << 0;
const TEMPERATURE: u64 = 1 << 1;
const RELIABILITY: u64 = 1 << 2;
const READ_ONLY: u64 = 1 << 3;
const BACKUP: u64 = 1 << 4;
const PERSISTENT_REGION: u64 = 1 << 5;

/// Endurance that is used up, in percent: warranty and rating, not failure; drives run at 255.
const USED_UP: u64 = 100;
const NEARLY_USED_UP: u64 = 90;
/// Media errors that are a sign although they do not grow; fewer are of one event long past on most drives that have any.
const MEDIA_ERRORS: u64 = 10;
/// So far above its threshold the spare is low, in percent.
const SPARE_MARGIN: u64 = 10;
/// Thresholds above this are constants of the firmware, not limits, in percent.
const THRESHOLD_MOST: u64 = 90;

const REPLACE: &str = "back up what is on it now and replace it";
const PLAN: &str = "order a replacement and change it in the next maintenance window";

/// Findings about the health information log.
pub(super) fn judge(drive: &Drive, findings: &mut Vec<Finding>) {
    warnings(drive, findings);
    counts(drive, findings);
}

/// What the drive warns of.
pub(super) fn warnings(drive: &Drive, findings: &mut Vec<Finding>) {
    let Some(log) = &drive.nvme else { return };
    let worn = is_worn(log);
    let mut add = |rule, severity, weight, summary: &str, action| {
        let finding = Finding::new(part(drive), rule, severity, weight, summary).so(action);
        findings.push(evidence(finding, log));
    };
    let has = |bit| log.critical_warning & bit != 0;
    if has(SPARE) {
        add("nvme-spare-exhausted", Severity::Critical, Weight::Failed, "its spare blocks are used up", REPLACE);
    }
    if has(READ_ONLY) {
        add("nvme-read-only", Severity::Critical, Weight::Failed, "it takes no more writes", REPLACE);
    }
    if has(RELIABILITY) {
        let has_errors = log.media_errors.is_some_and(|errors| errors > 0);
        if worn && !has_errors {
            let summary = "it says that it is less reliable, because its rated life is used up";
            add("nvme-worn-out", Severity::Warning, Weight::Failing, summary, PLAN);
        } else {
            let summary = "it says that it is less reliable: media or internal errors";
            add("nvme-unreliable", Severity::Critical, Weight::Failed, summary, REPLACE);
        }
    }
    if has(BACKUP) {
        let summary = "the backup of its volatile memory failed: writes that it confirmed may be lost with the power";
        add("nvme-power-loss-protection", Severity::Warning, Weight::Failing, summary, PLAN);
    }
    if has(PERSISTENT_REGION) {
        let summary = "its persistent memory region is read-only or unreliable";
        add("nvme-persistent-region", Severity::Warning, Weight::Failing, summary, PLAN);
    }
    if has(TEMPERATURE) {
        let summary = "it is hotter or colder than it may be";
        add("nvme-temperature", Severity::Info, Weight::Doubt, summary, "mend the airflow; heat alone is no failure");
    }
}

/// What it counts, as far as it does not warn of that.
fn counts(drive: &Drive, findings: &mut Vec<Finding>) {
    let Some(log) = &drive.nvme else { return };
    let worn = is_worn(log);
    let bogus_spare = log.available_spare == Some(0) && log.critical_warning == 0;
    let mut add = |rule, severity, weight, summary: &str, action| {
        let finding = Finding::new(part(drive), rule, severity, weight, summary).so(action);
        findings.push(evidence(finding, log));
    };
    let has = |bit| log.critical_warning & bit != 0;
    if let (Some(spare), Some(threshold), false) = (log.available_spare, log.spare_threshold, has(SPARE) || bogus_spare)
        && threshold <= THRESHOLD_MOST
        && spare < threshold + SPARE_MARGIN
    {
        let summary = "its spare blocks are nearly used up";
        add("nvme-spare-low", Severity::Warning, Weight::Failing, summary, PLAN);
    }
    if worn && !has(RELIABILITY) {
        add("nvme-worn-out", Severity::Warning, Weight::Failing, "its rated life is used up", PLAN);
    } else if log.percentage_used.is_some_and(|used| used >= NEARLY_USED_UP) && !worn {
        add("nvme-wear", Severity::Info, Weight::Doubt, "its rated life is nearly used up", PLAN);
    }
    match log.media_errors {
        Some(errors) if errors >= MEDIA_ERRORS => {
            let summary = "data could not be read or was found damaged";
            add("nvme-media-errors", Severity::Warning, Weight::Failing, summary, REPLACE);
        }
        Some(1..) => {
            let summary = "data could not be read a few times; only growth says more";
            add("nvme-few-media-errors", Severity::Info, Weight::Doubt, summary, "watch whether the count grows");
        }
        _ => {}
    }
}

fn is_worn(log: &NvmeHealth) -> bool {
    log.percentage_used.is_some_and(|used| used >= USED_UP)
}

/// What every finding here rests on.
fn evidence(finding: Finding, log: &NvmeHealth) -> Finding {
    let mut finding = finding.seen("critical warning", format!("{:#04x}", log.critical_warning));
    if let Some(spare) = log.available_spare {
        let threshold = log.spare_threshold.map_or_else(|| "none said".into(), |threshold| format!("{threshold} %"));
        finding = finding.against("available spare", format!("{spare} %"), threshold);
    }
    if let Some(used) = log.percentage_used {
        finding = finding.against("percentage used", format!("{used} %"), format!("{USED_UP} %"));
    }
    match log.media_errors {
        Some(errors) => finding.against("media errors", errors, MEDIA_ERRORS),
        None => finding,
    }
}
