//! A host says more than it may: whole families of its readings are not shown.

use super::{Inputs, Standing};
use crate::domain::{
    event::{Judgement, Severity},
    host::dictionary::draft::SERIES,
};

/// The rule's name.
pub const RULE: &str = "series_left_out";

/// Judges what was left out. Each family that is named is a finding; it is over when the host declares it anew within
/// the caps, on its next stream.
pub(super) fn judge(inputs: &Inputs<'_>, standing: &mut Standing, differences: &mut Vec<Judgement>) {
    let left_out = &inputs.omissions.families;
    for family in left_out {
        let evidence = || {
            format!(
                "{family}: not shown, for this host has more than {SERIES} series or more than 1000 new ones a minute; \
                 let it report fewer"
            )
        };
        standing.hold(RULE, family, Severity::Warning, evidence, differences);
    }
    for part in standing.parts().into_iter().filter(|part| !left_out.contains(part)) {
        standing.clear(RULE, &part, || format!("{part}: no longer left out"), differences);
    }
}
