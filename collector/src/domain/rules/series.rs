//! A host says more than it may: whole families of its readings are not shown.

use super::{catalogue::Rule, judging::Judging};
use crate::domain::{readings::dictionary::draft::SERIES, severity::Severity};

/// `series_left_out`
pub(super) static LEFT_OUT: Rule = Rule {
    name: "series_left_out",
    says: "The host has more series than are taken in; whole families are not shown.",
    part: Some("family"),
    limits: &[],
    source: "the collector's own bounds: 20 000 series a host, 1 000 new ones a minute",
    remedy: "let the host report fewer: a textfile, a plugin or thousands of interfaces are the usual causes",
    evidence: None,
};

/// Judges what was left out. Each family that is named is a finding; it is over when the host declares it anew within
/// the caps, on its next stream.
pub(super) fn judge(judging: &mut Judging<'_>) {
    let left_out = &judging.inputs.omissions.families;
    for family in left_out {
        let applies = judging.inputs.thresholds.at(&LEFT_OUT, || family);
        let evidence = || {
            format!(
                "{family}: not shown, for this host has more than {SERIES} series or more than 1000 new ones a minute; \
                 let it report fewer"
            )
        };
        judging.settle(&LEFT_OUT, family, Some(Severity::Warning), (&applies, 0.0), evidence);
    }
    for part in judging.open(&LEFT_OUT).into_iter().filter(|part| !left_out.contains(part)) {
        judging.clear(&LEFT_OUT, &part, || format!("{part}: no longer left out"));
    }
}
