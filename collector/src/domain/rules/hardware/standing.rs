//! What stands about the hardware of one host: from all that was found of its parts to the judgements that differ from what
//! is open.
//!
//! A part is named by its serial number where it has one, so that a finding stays with a drive that moves to another bay, and
//! ends with one that was replaced. What cannot be read any more ends nothing: the last that could be read stands.

use std::collections::BTreeMap;

use super::{Confidence, Evidence, Finding, Part, Weight, growth, judge, named};
use crate::domain::{
    event::{Judgement, Verdict},
    hardware::{self, Facts, Kind},
    record::FindingRow,
};

/// Longest name of a part, in characters; agents' text is not trusted to be short.
const PART_CHARS: usize = 120;
/// Longest evidence of a finding, in characters.
const EVIDENCE_CHARS: usize = 700;

/// What was read last of one part by one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What said it, such as `smartctl-json`.
    pub source: String,
    /// Of which device, as the machine calls it; empty: of the machine.
    pub device: String,
    /// What it said.
    pub payload: Vec<u8>,
    /// What it had said a week before, if it was known then.
    pub before: Option<Vec<u8>>,
}

/// Everything that is found in what was seen.
#[must_use]
pub fn findings(seen: &[Seen]) -> Vec<Finding> {
    seen.iter().flat_map(found).collect()
}

fn found(seen: &Seen) -> Vec<Finding> {
    // A tool that has two formats is one source.
    let read = |payload: &[u8]| {
        let read = hardware::read(None, payload).or_else(|_| hardware::read(Kind::named(&seen.source), payload));
        read.map(|(_, facts)| facts).ok()
    };
    let Some(facts) = read(&seen.payload) else { return Vec::new() };
    let mut findings = judge(&facts);
    if let (Facts::Drive(now), Some(Facts::Drive(then))) = (&facts, seen.before.as_deref().and_then(read)) {
        findings.extend(growth::judge(now, &then));
    }
    for finding in &mut findings {
        if finding.part.name.is_empty() {
            finding.part.name.clone_from(&seen.device);
        }
    }
    findings
}

/// What has to be said for these findings to be the open ones. Each rule speaks once of a part: as badly as it does of any
/// of its parts' names.
#[must_use]
pub fn differences(findings: Vec<Finding>, open: &[FindingRow]) -> Vec<Judgement> {
    let mut standing: BTreeMap<(String, &'static str), Finding> = BTreeMap::new();
    for finding in findings.into_iter().filter(|finding| finding.weight > Weight::Told) {
        let key = (component(&finding.part), finding.rule);
        let is_worse = standing.get(&key).is_none_or(|known| known.severity < finding.severity);
        if is_worse {
            standing.insert(key, finding);
        }
    }
    let mut judgements = Vec::new();
    for row in open.iter().filter(|row| row.open) {
        let still = standing.keys().any(|(part, rule)| *part == row.part && *rule == row.rule);
        if let Some(rule) = named(&row.rule).filter(|_| !still) {
            let evidence = "its evidence does not say so any more".to_owned();
            judgements.push(Judgement { part: row.part.clone(), rule, verdict: Verdict::Cleared { evidence } });
        }
    }
    for ((part, rule), finding) in standing {
        let (severity, evidence) = (finding.severity, words(&finding));
        let is_known = |row: &FindingRow| {
            row.open && row.part == part && row.rule == rule && row.severity == severity && row.evidence == evidence
        };
        if !open.iter().any(is_known) {
            judgements.push(Judgement { part, rule, verdict: Verdict::Holds { severity, evidence } });
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

/// A finding in one text: what is wrong with which part, the values, what to do.
#[must_use]
pub fn words(finding: &Finding) -> String {
    let Part { name, model, slot, firmware, .. } = &finding.part;
    let slot = if slot.is_empty() { String::new() } else { format!("in {slot}") };
    let firmware = if firmware.is_empty() { String::new() } else { format!("firmware {firmware}") };
    let place: Vec<&str> = [name.as_str(), model, &slot, &firmware].into_iter().filter(|one| !one.is_empty()).collect();
    let values: Vec<String> = finding.evidence.iter().map(value).collect();
    let mut text = finding.summary.clone();
    if !values.is_empty() {
        text.push_str(&format!(" ({})", values.join(", ")));
    }
    if !place.is_empty() {
        text = format!("{}: {text}", place.join(", "));
    }
    if let Some(Confidence { failed_ratio, within_days, of, source }) = finding.confidence {
        let failed = failed_ratio * 100.0;
        text.push_str(&format!(
            "; of 100 such drives about {failed:.0} failed within {within_days} days (n = {of}, {source})"
        ));
    }
    if !finding.action.is_empty() {
        text.push_str(&format!("; {}", finding.action));
    }
    shortened(&text, EVIDENCE_CHARS)
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
