//! What stands about the hardware of one host: from all that was found of its parts to the judgements that differ from what
//! is open.
//!
//! A part is named by its serial number where it has one, so that a finding stays with a drive that moves to another bay, and
//! ends with one that was replaced. What cannot be read any more ends nothing: the last that could be read stands.

use std::collections::BTreeMap;

use super::{
    Confidence, Evidence, Finding, Part, Weight, growth, judge, named, sensors,
    together::{Group, together},
    wear::{Refused, Worn},
};
use crate::domain::{
    finding::{FindingRow, Judgement, Verdict},
    hardware::{self, Facts, Kind},
    reliability::Watched,
    time::Timestamp,
};

/// Longest name of a part, in characters; agents' text is not trusted to be short.
const PART_CHARS: usize = 120;
/// Longest evidence of a finding, in characters.
const EVIDENCE_CHARS: usize = 1_200;

/// Sources that are files put together by the agent, in which the names of anything may stand.
const FILES: &str = "-sysfs";
/// Rules of drives that are nearly worn out.
pub(super) const WEAR: [&str; 3] = ["drive-wear", "nvme-wear", "nvme-worn-out"];

/// What was understood last of one part by one source.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Of which device, as the machine calls it; empty: of the machine.
    pub device: String,
    /// What it said.
    pub facts: Facts,
    /// What it had said a week before, or the first that is known since; of a log ([`is_since_first`]) what it had said first.
    pub before: Option<Facts>,
    /// Of a drive that is nearly worn out, how much of its rated life was used when, in percent, the earliest first.
    pub used: Vec<(Timestamp, f64)>,
}

/// Sources of logs that keep what they said: what counts is what they say beyond what they said at the first look.
#[must_use]
pub fn is_since_first(source: &str) -> bool {
    source == "ipmi"
}

/// What a source said, where it can be understood. A tool that has two formats is one source.
#[must_use]
pub fn understood(source: &str, payload: &[u8]) -> Option<Facts> {
    let kind = Kind::named(source);
    let read = if source.ends_with(FILES) {
        hardware::read(kind, payload)
    } else {
        hardware::read(None, payload).or_else(|_| hardware::read(kind, payload))
    };
    read.map(|(_, facts)| facts).ok()
}

/// Everything that is found in what was seen, gathered by part.
#[must_use]
pub fn findings(seen: &[Seen]) -> Vec<Group> {
    together(seen, seen.iter().flat_map(found).collect())
}

/// What logs had said before their machine was first looked at, and nothing took back: only told.
pub fn history(seen: &[Seen]) -> impl Iterator<Item = Finding> {
    let logs = seen.iter().filter(|seen| matches!(seen.facts, Facts::Sensors(_)));
    logs.flat_map(found).filter(|finding| finding.weight == Weight::Told)
}

fn found(seen: &Seen) -> Vec<Finding> {
    let mut findings = match (&seen.facts, &seen.before) {
        (Facts::Sensors(log), Some(Facts::Sensors(first))) => sensors::since(log, Some(first)),
        (Facts::Sensors(log), _) => sensors::since(log, None),
        (facts, _) => judge(facts),
    };
    if let Some(before) = &seen.before {
        findings.extend(growth::judge(&seen.facts, before));
        for finding in &mut findings {
            if let Some(was) = growth::fallen(finding.rule, &seen.facts, before) {
                *finding = finding.clone().seen("improving, a week ago", was);
            }
        }
    }
    if let Some(worn) = Worn::of(&seen.used) {
        for finding in findings.iter_mut().filter(|finding| WEAR.contains(&finding.rule)) {
            *finding = foretold(finding.clone(), &worn);
        }
    }
    for finding in &mut findings {
        // A module has a place of its own; what it is found by is the controller of several.
        if finding.part.name.is_empty() && finding.part.slot.is_empty() {
            finding.part.name.clone_from(&seen.device);
        }
    }
    findings
}

/// With when the rated life will be used up, or why nobody can say.
pub(super) fn foretold(finding: Finding, worn: &Worn) -> Finding {
    if worn.out == Err(Refused::WornOut) { finding } else { finding.seen("rated life used up", worn.words()) }
}

/// How much of its rated life a drive has used, in percent, where it tells so.
#[must_use]
pub fn used_percent(facts: &Facts) -> Option<f64> {
    let Facts::Drive(drive) = facts else { return None };
    drive.used_percent().and_then(|used| u32::try_from(used).ok()).map(f64::from)
}

/// The drives in what was seen, with what is made of them; one that is asked by two ways is one.
#[must_use]
pub fn drives(seen: &[Seen], groups: &[Group]) -> Vec<Watched> {
    let mut drives: BTreeMap<(&str, &str), Watched> = BTreeMap::new();
    for seen in seen {
        let Facts::Drive(drive) = &seen.facts else { continue };
        let hardware::drive::Identity { serial, model, firmware, .. } = &drive.identity;
        if drive.is_virtual || serial.is_empty() {
            continue;
        }
        let is_its = |group: &&Group| group.part.kind == "drive" && group.part.serial == *serial;
        let worst = groups.iter().filter(is_its).flat_map(|group| &group.signs).map(|sign| sign.weight).max();
        drives.entry((serial, model)).or_insert_with(|| Watched {
            serial: serial.clone(),
            model: model.clone(),
            firmware: firmware.clone(),
            device: seen.device.clone(),
            hours: drive.hours,
            is_failing: worst >= Some(Weight::Failing),
            has_failed: worst >= Some(Weight::Failed),
        });
    }
    drives.into_values().collect()
}

/// What has to be said for these to be the open findings: one of each part. Of its signs the first gives its name to the
/// finding, unless one that weighs the same did so before.
#[must_use]
pub fn differences(groups: &[Group], open: &[FindingRow]) -> Vec<Judgement> {
    let mut standing: BTreeMap<String, (&Finding, &Group)> = BTreeMap::new();
    for group in groups {
        let part = component(&group.part);
        let is_open = |sign: &&Finding| open.iter().any(|row| row.open && row.part == part && row.rule == sign.rule);
        let Some(first) = group.signs.first() else { continue };
        let lead = group.signs.iter().filter(|sign| sign.weight == first.weight).find(is_open).unwrap_or(first);
        standing.insert(part, (lead, group));
    }
    let mut judgements = Vec::new();
    // What is said now comes before what is not said any more: whoever hears of both knows it for one trouble.
    for (part, (lead, group)) in &standing {
        let (severity, evidence) = (group.severity, words(lead, group));
        let is_known = |row: &FindingRow| {
            row.open
                && row.part == *part
                && row.rule == lead.rule
                && row.severity == severity
                && row.evidence == evidence
        };
        if !open.iter().any(is_known) {
            let cause = Some(group.cause.clone().unwrap_or_else(|| part.clone()));
            let verdict = Verdict::Holds { severity, evidence };
            judgements.push(Judgement { part: part.clone(), rule: lead.rule, verdict, cause });
        }
    }
    for row in open.iter().filter(|row| row.open) {
        let still = standing.get(&row.part).filter(|(lead, _)| lead.rule == row.rule);
        if let Some(rule) = named(&row.rule).filter(|_| still.is_none()) {
            let evidence = match standing.get(&row.part) {
                Some((lead, _)) => format!("told as {} now", lead.rule),
                None => "its evidence does not say so any more".to_owned(),
            };
            let cause = row.cause.clone();
            judgements.push(Judgement { part: row.part.clone(), rule, verdict: Verdict::Cleared { evidence }, cause });
        }
    }
    judgements
}

/// What a part is called for as long as it lives: `drive Z1Z0ABCD`, `array md0`.
#[must_use]
pub fn component(part: &Part) -> String {
    let names = [&part.serial, &part.name, &part.slot, &part.model];
    let name = names.into_iter().find(|name| !name.is_empty());
    let text = name.map_or_else(|| part.kind.to_owned(), |name| format!("{} {name}", part.kind));
    shortened(&text, PART_CHARS)
}

/// All that is wrong with a part in one text: what it is, where it is, the values, what to do, what it carries.
fn words(lead: &Finding, group: &Group) -> String {
    let Part { name, model, slot, firmware, .. } = &group.part;
    let slot = if slot.is_empty() { String::new() } else { format!("in {slot}") };
    let firmware = if firmware.is_empty() { String::new() } else { format!("firmware {firmware}") };
    let place: Vec<&str> = [name.as_str(), model, &slot, &firmware].into_iter().filter(|one| !one.is_empty()).collect();
    let mut text = said(lead);
    if !place.is_empty() {
        text = format!("{}: {text}", place.join(", "));
    }
    if let Some(Confidence { failed_ratio, within_days, of, source }) = lead.confidence {
        let failed = failed_ratio * 100.0;
        text.push_str(&format!(
            "; of 100 such drives about {failed:.0} failed within {within_days} days (n = {of}, {source})"
        ));
    }
    if !lead.action.is_empty() {
        text.push_str(&format!("; {}", lead.action));
    }
    if !group.carries.is_empty() {
        text.push_str(&format!("; it carries {}", group.carries.join(", ")));
    }
    for sign in group.signs.iter().filter(|sign| sign.rule != lead.rule) {
        text.push_str(&format!("; also: {}", said(sign)));
    }
    shortened(&text, EVIDENCE_CHARS)
}

fn said(finding: &Finding) -> String {
    let values: Vec<String> = finding.evidence.iter().map(value).collect();
    if values.is_empty() { finding.summary.clone() } else { format!("{} ({})", finding.summary, values.join(", ")) }
}

fn value(Evidence { name, value, limit }: &Evidence) -> String {
    match limit {
        Some(limit) => format!("{name} {value}, limit {limit}"),
        None => format!("{name} {value}"),
    }
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
