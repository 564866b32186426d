//! From the text of a tool to the verdict. Serial numbers, models and counts are invented; limits are those of the field's
//! studies and standards, named beside the rules.

mod any_bytes;
mod arrays;
mod catalogue;
mod drives;
mod events;
mod files;
mod links;
mod machines;
mod series;
mod sheet;
mod standing;
mod together;

use super::{Finding, Verdict, judge, verdict};
use crate::domain::{
    hardware::{self, Kind},
    severity::Severity,
};

/// Kind as it was told from the content, verdict, and what the rules said.
fn judged(text: &str) -> (&'static str, Verdict, Vec<Finding>) {
    let (kind, facts) = hardware::read(None, text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    let findings = judge(&facts);
    (kind.name(), verdict(&facts, &findings).0, findings)
}

/// A text, its verdict, and the rules that say so.
type Case<'a> = (&'a str, Verdict, &'a [(&'a str, Severity)]);

/// Each text is told to be of this kind and comes to this verdict by these rules.
fn check_cases(kind: &str, cases: &[Case<'_>]) {
    assert!(Kind::named(kind).is_some(), "{kind}");
    for (text, expected, rules) in cases {
        let (told, verdict, findings) = judged(text);
        let said: Vec<_> = findings.iter().map(|finding| (finding.rule, finding.severity)).collect();
        assert_eq!((told, verdict, &said[..]), (kind, *expected, *rules), "{text}");
    }
}

/// That and no finding beside it.
const WELL: (Verdict, &[(&str, Severity)]) = (Verdict::Healthy, &[]);
