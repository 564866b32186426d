//! A systemd unit failed and stays so.

use std::collections::BTreeSet;

use super::{Inputs, Standing};
use crate::domain::{
    event::{Judgement, Severity},
    host::dictionary::Dictionary,
};

/// The rule's name.
pub const RULE: &str = "systemd_unit_failed";
/// The agent's source of these readings.
const SOURCE: &str = "systemd";

/// Where the readings are that say whether a unit is in state failed.
pub(super) fn places(dictionary: &Dictionary) -> Box<[u32]> {
    let mut found = Vec::new();
    dictionary.each("node_systemd_unit_state", &mut |place, labels| {
        if labels.iter().any(|(name, value)| name == "state" && value == "failed") {
            found.push(place);
        }
    });
    found.into()
}

/// Judges all units of a host. A unit that is failed in two consecutive judgements, one report interval apart, is in
/// trouble; one that systemd or a person restarts in between is not.
pub(super) fn judge(
    inputs: &Inputs<'_>,
    standing: &mut Standing,
    failed_once: &mut BTreeSet<String>,
    differences: &mut Vec<Judgement>,
) {
    if let Some(reason) = inputs.silence_of(SOURCE) {
        failed_once.clear();
        return standing.doubt_all(RULE, &reason, differences);
    }
    let name = |place: &u32| inputs.dictionary.label(*place, "name");
    let units = &inputs.dictionary.rules().failed_units;
    let failed: BTreeSet<&str> = units.iter().filter(|place| inputs.value(**place) == 1.0).map(name).collect();
    for unit in &failed {
        if standing.severity(unit).is_some() || failed_once.contains(*unit) {
            let evidence = || format!("{unit}: in state failed");
            standing.hold(RULE, unit, Severity::Warning, evidence, differences);
        }
    }
    for part in standing.parts().into_iter().filter(|part| !failed.contains(part.as_str())) {
        let known = units.iter().any(|place| inputs.value(*place) == 0.0 && name(place) == part);
        let how = if known { "no longer in state failed" } else { "not loaded any more" };
        standing.clear(RULE, &part, || format!("{part}: {how}"), differences);
    }
    if !failed.is_empty() || !failed_once.is_empty() {
        *failed_once = failed.into_iter().filter(|unit| standing.severity(unit).is_none()).map(str::to_owned).collect();
    }
}
