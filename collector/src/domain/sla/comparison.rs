//! What changed between two reports: versions that came, changed or went.

use std::collections::BTreeMap;

use super::inputs::Version;

/// Something that one report was reckoned with and the other was not, or not in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub number: i64,
    /// Its version then; none: it was not there.
    pub then: Option<i64>,
    /// Its version now; none: it is there no more.
    pub now: Option<i64>,
}

/// What changed, by number.
#[must_use]
pub fn changed(then: &[Version], now: &[Version]) -> Vec<Changed> {
    let mut all: BTreeMap<i64, (Option<i64>, Option<i64>)> = BTreeMap::new();
    for Version { number, version } in then {
        all.entry(*number).or_default().0 = Some(*version);
    }
    for Version { number, version } in now {
        all.entry(*number).or_default().1 = Some(*version);
    }
    let changed = all.into_iter().filter(|(_, (then, now))| then != now);
    changed.map(|(number, (then, now))| Changed { number, then, now }).collect()
}

impl Changed {
    /// In words: `entered`, `changed from version 1 to 2`, `no more`.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.then, self.now) {
            (None, _) => "entered since".into(),
            (Some(_), None) => "does not count any more".into(),
            (Some(then), Some(now)) => format!("changed from version {then} to {now}"),
        }
    }
}
