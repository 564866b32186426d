//! Drives: what they declare, what they count, and how their tests ended.

use super::{
    finding::{Confidence, Finding, Part, Weight},
    nvme, plausible, scsi,
};
use crate::domain::{
    hardware::{
        attribute::{Attribute, Meaning, WhenFailed},
        drive::{Drive, SelfVerdict, TestOutcome},
    },
    severity::Severity,
};

/// Reallocated sectors that are a sign on rotating disks: below 17 the yearly failure rate stays under 8 % (Scrutiny's
/// buckets of Backblaze's drives); with another sign beside it, ten are enough.
const REALLOCATED_ROTATING: u64 = 10;
/// Solid state drives replace blocks as a matter of course.
const REALLOCATED_FLASH: u64 = 100;
/// So many sectors that cannot be read are a sign alone (Backblaze: 14 % failed within 40 days).
const PENDING: u64 = 10;
/// Starts of the motor that failed, once: 56 % a year (Scrutiny's buckets); ten of 30 525 healthy drives have any. More
/// than a byte of them is no count.
const SPIN_RETRIES_MOST: u64 = 255;

/// So little life is left that a successor is to be ordered, in percent.
const LIFE_LEFT: u64 = 10;
/// The normalised level of helium in a drive that is tight.
const FULL: u64 = 100;

const REPLACE: &str = "back up what is on it now and replace it";
const PLAN: &str = "order a replacement and change it in the next maintenance window; keep backups current";
const WATCH: &str = "run a long self-test (smartctl -t long) and watch whether the count grows";

/// Counted over 22 892 drives in 40 days of April and May 2013; later failures are not in it, so shares are lower bounds.
const fn counted(failed_ratio: f64, of: u32) -> Option<Confidence> {
    Some(Confidence { failed_ratio, within_days: 40, of, source: "Backblaze drive statistics, April and May 2013" })
}

/// All findings about a drive.
pub(super) fn judge(drive: &Drive) -> Vec<Finding> {
    let mut findings = Vec::new();
    if drive.is_virtual {
        // Its members are the hardware; what stands in for SMART here counts nothing. A warning is there on purpose.
        nvme::warnings(drive, &mut findings);
        return findings;
    }
    declared(drive, &mut findings);
    failed_in_the_past(drive, &mut findings);
    signs(drive, &mut findings);
    alone(drive, &mut findings);
    link(drive, &mut findings);
    timeouts(drive, &mut findings);
    absurd(drive, &mut findings);
    nvme::judge(drive, &mut findings);
    scsi::judge(drive, &mut findings);
    findings
}

/// The drive as a part.
pub(super) fn part(drive: &Drive) -> Part {
    let identity = drive.identity.clone();
    Part {
        kind: "drive",
        name: identity.device,
        model: identity.model,
        serial: identity.serial,
        firmware: identity.firmware,
        slot: String::new(),
    }
}

fn failing_now(drive: &Drive) -> impl Iterator<Item = &Attribute> {
    drive.attributes.iter().filter(|attribute| attribute.when_failed == WhenFailed::Now)
}

/// What the drive itself says: of its health as a whole, and of attributes at their threshold.
fn declared(drive: &Drive, findings: &mut Vec<Finding>) {
    let named = |mut finding: Finding| {
        for attribute in failing_now(drive) {
            let name = format!("{} {}", attribute.id, attribute.name);
            finding = finding.against(name, attribute.value, attribute.threshold);
        }
        finding
    };
    let only = |meaning: Meaning| {
        failing_now(drive).next().is_some() && failing_now(drive).all(|attribute| attribute.meaning == meaning)
    };
    let fails = drive.self_verdict == SelfVerdict::Failed;
    let nvme_says_why = drive.nvme.is_some_and(|log| log.critical_warning != 0);
    if failing_now(drive).next().is_none() && (!fails || nvme_says_why) {
        return;
    }
    let (rule, severity, weight, summary, action) = if only(Meaning::Wear) {
        let summary = "its rated life is used up; it may go on for long, or turn read-only";
        ("drive-worn-out", Severity::Warning, Weight::Failing, summary, PLAN)
    } else if only(Meaning::Temperature) {
        let summary = "it is hotter than it may be";
        ("drive-too-hot", Severity::Warning, Weight::Failing, summary, "mend the airflow; heat alone is no failure")
    } else if fails {
        let summary = "the drive says that it has failed or is about to";
        ("drive-failed-self-verdict", Severity::Critical, Weight::Failed, summary, REPLACE)
    } else if failing_now(drive).any(|attribute| attribute.is_prefailure) {
        let summary = "an attribute whose failing means that the drive fails is at its threshold";
        ("drive-attribute-failing", Severity::Critical, Weight::Failing, summary, REPLACE)
    } else {
        let summary = "an attribute is at its threshold";
        ("drive-attribute-failing", Severity::Warning, Weight::Failing, summary, PLAN)
    };
    let mut finding = Finding::new(part(drive), rule, severity, weight, summary);
    if fails {
        finding = finding.seen("overall health", "FAILED");
    }
    findings.push(named(finding).so(action));
}

/// Failed once and not now: most often too hot, as 767 of 66 776 drives were and nothing else (linuxhw).
fn failed_in_the_past(drive: &Drive, findings: &mut Vec<Finding>) {
    for attribute in drive.attributes.iter().filter(|attribute| attribute.when_failed == WhenFailed::Past) {
        let (rule, summary) = match attribute.meaning {
            Meaning::Temperature => ("drive-was-too-hot", "it was hotter than it may be, once"),
            _ => ("drive-attribute-failed-once", "an attribute was at its threshold once and is not now"),
        };
        let name = format!("{} {}, worst", attribute.id, attribute.name);
        let finding = Finding::new(part(drive), rule, Severity::Info, Weight::Told, summary);
        findings.push(finding.against(name, attribute.worst, attribute.threshold));
    }
}

/// A sign that a drive is going, strong enough to need one other beside it.
struct Sign {
    rule: &'static str,
    summary: &'static str,
    name: String,
    value: u64,
    limit: u64,
    is_enough: bool,
    confidence: Option<Confidence>,
}

/// Signs are independent counts; two of them, or one that is enough alone, mean that the drive is going.
fn signs(drive: &Drive, findings: &mut Vec<Finding>) {
    let mut found = Vec::new();
    let mut sign = |meaning, least: u64, enough: u64, rule, summary| {
        let Some((attribute, value)) = plausible::count(drive, meaning).filter(|(_, value)| *value >= least) else {
            return;
        };
        let name = format!("{} {}", attribute.id, attribute.name);
        found.push(Sign { rule, summary, name, value, limit: least, is_enough: value >= enough, confidence: None });
    };
    let pending = "sectors could not be read and wait to be written again";
    sign(Meaning::Pending, 1, PENDING, "drive-pending-sectors", pending);
    let offline = "sectors could not be read when the drive looked by itself";
    sign(Meaning::OfflineUncorrectable, 1, u64::MAX, "drive-offline-uncorrectable", offline);
    let reported = "reads have failed for the host";
    sign(Meaning::ReportedUncorrectable, 1, u64::MAX, "drive-reported-uncorrectable", reported);
    let least = if plausible::is_rotating(drive) { REALLOCATED_ROTATING } else { REALLOCATED_FLASH };
    let reallocated = "sectors were replaced by spare ones";
    sign(Meaning::Reallocated, least, u64::MAX, "drive-reallocated-sectors", reallocated);
    statistics(drive, &mut found);

    let failed_test = failed_test(drive);
    foretold(&mut found);
    let is_going = found.iter().any(|sign| sign.is_enough) || found.len() + usize::from(failed_test.is_some()) >= 2;
    let (severity, weight) =
        if is_going { (Severity::Warning, Weight::Failing) } else { (Severity::Info, Weight::Doubt) };
    for sign in found {
        let action = if is_going { REPLACE } else { WATCH };
        let mut finding = Finding::new(part(drive), sign.rule, severity, weight, sign.summary)
            .against(sign.name, sign.value, format!("{} or more", sign.limit))
            .so(action);
        finding.confidence = sign.confidence;
        findings.push(finding);
    }
    findings.extend(failed_test);
}

/// How many drives with such counts failed, where that was counted: both together more than either alone.
fn foretold(found: &mut [Sign]) {
    let value = |found: &[Sign], rule: &str| found.iter().find(|sign| sign.rule == rule).map_or(0, |sign| sign.value);
    let (pending, replaced) = (value(found, "drive-pending-sectors"), value(found, "drive-reallocated-sectors"));
    let confidence = match (replaced, pending) {
        (1.., 1..) => counted(0.184, 207),
        (_, PENDING..) => counted(0.144, 194),
        (_, 1..) => counted(0.079, 633),
        (100.., _) => counted(0.122, 451),
        _ => None,
    };
    let both = ["drive-pending-sectors", "drive-reallocated-sectors"];
    for sign in found.iter_mut().filter(|sign| both.contains(&sign.rule)) {
        sign.confidence = confidence;
    }
}

/// The drive's own statistics say the same things in words of the standard; they count where it has no attribute for it.
fn statistics(drive: &Drive, found: &mut Vec<Sign>) {
    let mut sign = |value: Option<u64>, meaning, least, enough, rule, summary, name: &str| {
        let has_attribute = drive.attributes.iter().any(|attribute| attribute.meaning == meaning);
        let Some(value) = value.filter(|value| *value >= least && !has_attribute) else { return };
        let name = name.to_owned();
        found.push(Sign { rule, summary, name, value, limit: least, is_enough: value >= enough, confidence: None });
    };
    let log = &drive.statistics;
    let summary = "sectors could not be read and wait to be written again";
    sign(log.pending, Meaning::Pending, 1, PENDING, "drive-pending-sectors", summary, "Pending Error Count");
    let summary = "reads have failed for the host";
    let name = "Number of Reported Uncorrectable Errors";
    sign(log.uncorrectable, Meaning::ReportedUncorrectable, 1, u64::MAX, "drive-reported-uncorrectable", summary, name);
}

/// The last self-test that ended failed, unless one that read everything passed after it.
fn failed_test(drive: &Drive) -> Option<Finding> {
    let ended = || drive.self_tests.iter().filter(|test| test.outcome != TestOutcome::Neither);
    let failed = ended().find(|test| test.outcome == TestOutcome::Failed)?;
    let after = ended().take_while(|test| test.outcome == TestOutcome::Passed);
    let part = part(drive);
    let seen = |finding: Finding| {
        let finding = finding.seen("self-test", &failed.words);
        match failed.hours {
            Some(hours) => finding.seen("at power-on hours", hours),
            None => finding,
        }
    };
    if after.into_iter().any(|test| test.is_extended) {
        let summary = "a self-test failed once, and one that read everything has passed since";
        return Some(seen(Finding::new(part, "drive-self-test-failed-once", Severity::Info, Weight::Told, summary)));
    }
    let summary = "the drive's own test of itself failed";
    let finding = Finding::new(part, "drive-self-test-failed", Severity::Warning, Weight::Failing, summary);
    Some(seen(finding).so(REPLACE))
}

/// Weak signs that say nothing alone and strengthen nothing else.
fn alone(drive: &Drive, findings: &mut Vec<Finding>) {
    let mut doubt = |rule, summary, meaning: Meaning, least: u64, most: u64| {
        let Some((attribute, value)) = plausible::count(drive, meaning) else { return };
        if (least..=most).contains(&value) {
            let name = format!("{} {}", attribute.id, attribute.name);
            let finding = Finding::new(part(drive), rule, Severity::Info, Weight::Doubt, summary);
            findings.push(finding.against(name, value, format!("{least} or more")).so(WATCH));
        }
    };
    let least = if plausible::is_rotating(drive) { REALLOCATED_ROTATING } else { REALLOCATED_FLASH };
    doubt("drive-few-reallocated-sectors", "few sectors were replaced", Meaning::Reallocated, 1, least - 1);
    if plausible::is_rotating(drive) {
        let summary = "sectors were replaced or tried to be";
        if plausible::count(drive, Meaning::Reallocated).is_none_or(|(_, value)| value == 0) {
            doubt("drive-reallocation-events", summary, Meaning::ReallocationEvents, 1, u64::MAX);
        }
        let summary = "the motor did not start at once: weak power supply, or the drive";
        doubt("drive-spin-retries", summary, Meaning::SpinRetry, 1, SPIN_RETRIES_MOST);
        let summary = "data changed on its way through the drive";
        doubt("drive-end-to-end-errors", summary, Meaning::EndToEnd, 1, u64::MAX);
        if let Some(helium) = drive.attributes.iter().find(|one| one.meaning == Meaning::Helium && one.value < FULL) {
            let summary = "it loses helium";
            let finding = Finding::new(part(drive), "drive-helium", Severity::Info, Weight::Doubt, summary);
            let name = format!("{} {}", helium.id, helium.name);
            findings.push(finding.against(name, helium.value, FULL).so("watch whether it falls on"));
        }
    }
    worn(drive, findings);
    let errors = &drive.errors;
    if let Some(count) = errors.count.filter(|count| *count > 0) {
        // Refused commands and errors of the link say nothing of the medium; entries that nobody shows might.
        let harmless = errors.unreadable == 0 && errors.refused + errors.link > 0;
        let weight = if harmless { Weight::Told } else { Weight::Doubt };
        let summary = "the drive has logged errors of commands";
        let finding = Finding::new(part(drive), "drive-error-log", Severity::Info, weight, summary);
        findings.push(finding.seen("errors logged", count).seen("unreadable among those kept", errors.unreadable));
    }
}

/// Nearly used up, by the standard's indicator or by an attribute that counts down to its threshold. It wakes nobody: drives
/// run on for years, and some firmware says 255 while its own attribute has most of its life left.
fn worn(drive: &Drive, findings: &mut Vec<Finding>) {
    let summary = "its rated life is nearly or wholly used up; that is its warranty, not a failure";
    let finding = || Finding::new(part(drive), "drive-wear", Severity::Info, Weight::Doubt, summary).so(PLAN);
    if let Some(used) = drive.statistics.percentage_used.filter(|used| (90..=255).contains(used)) {
        findings.push(finding().against("Percentage Used Endurance Indicator", used, 100));
        return;
    }
    let is_low = |one: &&Attribute| {
        one.meaning == Meaning::Wear && one.when_failed == WhenFailed::Never && (1..=LIFE_LEFT).contains(&one.value)
    };
    // 230 of some makers counts up.
    if let Some(low) = drive.attributes.iter().find(|one| one.id != 230 && is_low(one)) {
        findings.push(finding().against(format!("{} {}", low.id, low.name), low.value, LIFE_LEFT));
    }
}

/// Transfers that were corrupted: the cable, the port or the backplane, never the drive. Only growth matters.
fn link(drive: &Drive, findings: &mut Vec<Finding>) {
    let Some((attribute, value)) = plausible::count(drive, Meaning::InterfaceErrors).filter(|(_, value)| *value > 0)
    else {
        return;
    };
    let part = Part { kind: "link", ..part(drive) };
    let summary = "transfers between drive and controller were corrupted once; the count never goes back";
    let finding = Finding::new(part, "link-crc-errors", Severity::Info, Weight::Told, summary);
    let name = format!("{} {}", attribute.id, attribute.name);
    findings.push(finding.seen(name, value).so("if it grows, reseat or replace the cable; the drive is not to blame"));
}

/// Commands that were not answered in time: power, cable or controller as likely as the drive. Only growth matters.
fn timeouts(drive: &Drive, findings: &mut Vec<Finding>) {
    let Some((attribute, value)) = plausible::count(drive, Meaning::CommandTimeout).filter(|(_, value)| *value > 0)
    else {
        return;
    };
    let summary = "commands were not answered in time; the count never goes back";
    let finding = Finding::new(part(drive), "drive-command-timeouts", Severity::Info, Weight::Told, summary);
    let name = format!("{} {}, the lowest 16 bits", attribute.id, attribute.name);
    findings.push(finding.seen(name, value).so("if it grows, look at power supply, cable and controller first"));
}

fn absurd(drive: &Drive, findings: &mut Vec<Finding>) {
    for attribute in plausible::absurd(drive) {
        let summary = "a number that can be no count of sectors; it is not judged";
        let finding = Finding::new(part(drive), "drive-implausible-value", Severity::Info, Weight::Doubt, summary);
        let name = format!("{} {}", attribute.id, attribute.name);
        findings.push(finding.seen(name, attribute.raw.unwrap_or(0)));
    }
}
