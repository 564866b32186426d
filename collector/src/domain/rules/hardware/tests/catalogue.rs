//! The catalogue beside the sources of the rules.

use std::collections::BTreeSet;

use crate::domain::rules::hardware::catalogue::{all, named};

/// Every source that makes findings.
const SOURCES: [(&str, &str); 14] = [
    ("assembly", include_str!("../assembly.rs")),
    ("drive", include_str!("../drive.rs")),
    ("fabric", include_str!("../fabric.rs")),
    ("flash", include_str!("../flash.rs")),
    ("growth", include_str!("../growth.rs")),
    ("kernel_log", include_str!("../kernel_log.rs")),
    ("network", include_str!("../network.rs")),
    ("nvme", include_str!("../nvme.rs")),
    ("parts", include_str!("../parts.rs")),
    ("pcie", include_str!("../pcie.rs")),
    ("scsi", include_str!("../scsi.rs")),
    ("sensors", include_str!("../sensors.rs")),
    ("series", include_str!("../series.rs")),
    ("together", include_str!("../together.rs")),
];
/// Modules that make none.
const WITHOUT_RULES: [&str; 10] =
    ["catalogue", "counts", "finding", "plausible", "score", "sheet", "standing", "summary", "tests", "wear"];
/// Texts that look like names of rules: a word of management controllers, and the name of a value.
const NO_RULES: [&str; 2] = ["non-redundant", "self-test"];

/// Words of lower-case letters and digits with hyphens between them.
fn is_name(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.contains('-') && text.split('-').all(is_word)
}

#[test]
fn the_catalogue_has_exactly_the_rules_that_the_sources_name() {
    let literals =
        SOURCES.iter().flat_map(|(_, source)| source.lines()).flat_map(|line| line.split('"').skip(1).step_by(2));
    let in_sources: BTreeSet<&str> = literals.filter(|text| is_name(text) && !NO_RULES.contains(text)).collect();
    let in_catalogue: BTreeSet<&str> = all().iter().map(|rule| rule.name).collect();
    assert_eq!(in_catalogue, in_sources);
    assert_eq!(in_catalogue.len(), all().len(), "a rule is described twice");
}

#[test]
fn no_source_of_rules_is_passed_over() {
    let modules: BTreeSet<&str> = include_str!("../mod.rs")
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let known: BTreeSet<&str> = SOURCES.iter().map(|(name, _)| *name).chain(WITHOUT_RULES).collect();
    assert_eq!(modules, known);
}

#[test]
fn each_rule_is_found_by_its_name_and_says_everything_of_itself() {
    for rule in all() {
        assert_eq!(named(rule.name), Some(rule.name));
        let texts = [rule.about, rule.says, rule.judged_by, rule.source, rule.severity, rule.remedy];
        assert!(texts.iter().all(|text| !text.trim().is_empty() && !text.ends_with('.')), "{rule:?}");
        // A cell of the page's tables, on one line.
        assert!(texts.iter().all(|text| !text.contains(['|', '\n'])), "{rule:?}");
        assert!(["critical", "warning", "info"].iter().any(|word| rule.severity.starts_with(word)), "{rule:?}");
    }
    assert_eq!(named("drive-wears"), None);
    assert_eq!(named(""), None);
}
