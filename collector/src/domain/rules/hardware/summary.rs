//! A machine's hardware in numbers: what could be asked, what it came to, and which parts something is found of.

use std::collections::{BTreeMap, BTreeSet};

use super::{Part, Verdict, Weight, sheet::Sheet};
use crate::domain::{hardware::Kind, time::Timestamp};

/// Why agents cannot see a part; another word is none of theirs.
const REASONS: [&str; 11] = [
    "asleep",
    "behind_raid",
    "usb_bridge",
    "virtual",
    "not_present",
    "no_ecc_reporting",
    "gone",
    "no_permission",
    "not_installed",
    "failed",
    "hung",
];
/// What becomes of asking.
const OUTCOMES: [&str; 5] = ["read", "not_present", "unreadable", "failed", "asleep"];
/// Sources that are no kind of captured output, for they are files of the kernel.
const FILES: [&str; 3] = ["md-sysfs", "btrfs-sysfs", "mmc-sysfs"];
/// Stands for a word that no agent of ours says: a host cannot make up series.
const OTHER: &str = "other";
/// Parts with findings that are remembered of one machine.
const PARTS: usize = 256;

/// What became of asking parts: source, outcome, and why; each of a fixed set of words.
pub type Asked = (&'static str, &'static str, &'static str);

/// What is known of a machine's hardware.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// How many parts it became so of.
    pub asked: BTreeMap<Asked, u32>,
    /// Parts by verdict, in the order of [`VERDICTS`].
    pub verdicts: [u32; 4],
    /// When it said anything new last.
    pub last: Option<Timestamp>,
    parts: Vec<Known>,
}

/// A part of which something is found.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    component: String,
    aliases: BTreeSet<String>,
    part: Part,
}

/// All verdicts.
pub const VERDICTS: [Verdict; 4] = [Verdict::Healthy, Verdict::Unknown, Verdict::Failing, Verdict::Failed];

impl Summary {
    /// Of what became of asking each part (source, outcome, why, when), and of its sheets.
    #[must_use]
    pub fn of<'a>(asked: impl Iterator<Item = (&'a str, &'a str, &'a str, Timestamp)>, sheets: Vec<Sheet>) -> Self {
        let mut summary = Self::default();
        for (source, outcome, why, at) in asked {
            let why = if why.is_empty() { "" } else { among(&REASONS, why) };
            *summary.asked.entry((source_word(source), among(&OUTCOMES, outcome), why)).or_default() += 1;
            summary.last = summary.last.max(Some(at));
        }
        for sheet in sheets {
            let (verdict, _) = sheet.verdict();
            for (known, count) in VERDICTS.iter().zip(&mut summary.verdicts) {
                *count += u32::from(*known == verdict);
            }
            let is_found = sheet.findings.iter().any(|finding| finding.weight > Weight::Told);
            if is_found && summary.parts.len() < PARTS {
                let Sheet { component, aliases, part, .. } = sheet;
                summary.parts.push(Known { component, aliases, part });
            }
        }
        summary
    }

    /// Whether something is found of any part.
    #[must_use]
    pub fn has_findings(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The part of a finding, by its component.
    #[must_use]
    pub fn part(&self, component: &str) -> Option<&Part> {
        let exact = self.parts.iter().find(|known| known.component == component);
        let known = exact.or_else(|| self.parts.iter().find(|known| known.aliases.contains(component)));
        known.map(|known| &known.part)
    }
}

fn source_word(source: &str) -> &'static str {
    Kind::named(source).map_or_else(|| among(&FILES, source), Kind::name)
}

fn among(words: &[&'static str], word: &str) -> &'static str {
    words.iter().find(|known| **known == word).copied().unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_no_agent_says_make_no_series() {
        let at = Timestamp::from_ms(7);
        let asked = [
            ("smartctl-json", "read", "", at),
            ("smartctl-json", "read", "", Timestamp::from_ms(3)),
            ("smartctl-json", "asleep", "asleep", at),
            ("md-sysfs", "read", "", at),
            ("evil\n1", "evil\n2", "evil\n3", at),
            ("evil\n4", "evil\n5", "evil\n6", at),
        ];
        let summary = Summary::of(asked.into_iter(), Vec::new());
        let expected = [
            (("md-sysfs", "read", ""), 1),
            (("other", "other", "other"), 2),
            (("smartctl-json", "asleep", "asleep"), 1),
            (("smartctl-json", "read", ""), 2),
        ];
        assert_eq!(summary.asked, BTreeMap::from(expected));
        assert_eq!((summary.last, summary.verdicts), (Some(at), [0; 4]));
    }
}
