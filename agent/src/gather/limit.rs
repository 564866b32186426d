//! Holds a collection to as many series as this host may say.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Gatherer, SourceState, SourceStatus};
use crate::probe::{CROWDED_REMEDY, LeftOut, ProbeError, Section, cap};

/// Families that the log and doctor name.
pub(crate) const NAMED_MAX: usize = 16;
/// Families that a report names: its texts are short.
const SHORT_MAX: usize = 2;
/// Parts of sources of which something is said: the collector keeps 128 states of a host, sources included.
const NOTES_MAX: usize = 48;

impl Gatherer {
    /// Leaves out what is too much, tells the log when that changes, and says what is left out.
    pub(super) fn hold_to_limit(&mut self) -> Vec<SourceStatus> {
        let limit = self.host.crowding().series;
        let sections: Vec<&Section> = self.slots.iter().filter_map(|slot| slot.section.as_deref()).collect();
        let Some(choice) = cap::choose(limit.saturating_sub(self.scrape.values().len()), &sections) else {
            return Vec::new();
        };
        let total = cap::wanted(sections);
        let mut changed = false;
        for (section, choice) in self.slots.iter_mut().filter_map(|slot| slot.section.as_mut()).zip(choice) {
            if !section.leaves_out(&choice) {
                Arc::make_mut(section).leave_out(choice);
                changed = true;
            }
        }
        let left = || self.slots.iter().filter_map(|slot| slot.section.as_deref()).flat_map(Section::left_out);
        let (told, short) = (names(left(), NAMED_MAX), names(left(), SHORT_MAX));
        if changed || told != self.told_left_out {
            tell(limit, total, &told);
            self.told_left_out = told;
        }
        if short.is_empty() {
            return Vec::new();
        }
        let reason = ProbeError::Crowded { limit, families: short }.to_string();
        vec![SourceStatus { source: Cow::Borrowed("series"), state: SourceState::Failed, reason }]
    }
}

/// As many notes as one may say; the last one says how many more there are.
pub(super) fn bounded(mut notes: Vec<SourceStatus>) -> Vec<SourceStatus> {
    if notes.len() > NOTES_MAX {
        let more = notes.len() - (NOTES_MAX - 1);
        notes.truncate(NOTES_MAX - 1);
        let reason = format!("{more} more parts of sources are not well; `muster-agent doctor` names them");
        notes.push(SourceStatus { source: Cow::Borrowed("sources/more"), state: SourceState::Failed, reason });
    }
    notes
}

fn tell(limit: usize, total: usize, left_out: &str) {
    if left_out.is_empty() {
        tracing::info!("this host's {total} series are said again, none is left out");
    } else {
        tracing::warn!("this host has {total} series, more than {limit}: {left_out} left out; {CROWDED_REMEDY}");
    }
}

/// `node_a (12), node_b (7) and 3 more families`, the largest first.
pub(crate) fn names<'a>(left: impl Iterator<Item = &'a LeftOut>, most: usize) -> String {
    let mut left: Vec<&LeftOut> = left.collect();
    left.sort_by(|one, two| two.decided.cmp(&one.decided).then_with(|| one.family.cmp(&two.family)));
    let named: Vec<String> = left.iter().take(most).map(|left| format!("{} ({})", left.family, left.decided)).collect();
    match left.len().saturating_sub(most) {
        0 => named.join(", "),
        more => format!("{} and {more} more families", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_notes_the_last_says_how_many_more_there_are() {
        let note = |n: usize| SourceStatus {
            source: Cow::Owned(format!("textfile/{n}")),
            state: SourceState::Failed,
            reason: String::new(),
        };
        assert_eq!(bounded((0..NOTES_MAX).map(note).collect()).len(), NOTES_MAX);
        let told = bounded((0..NOTES_MAX + 5).map(note).collect());
        assert_eq!(told.len(), NOTES_MAX);
        assert!(told.last().unwrap().reason.starts_with("6 more parts"), "{:?}", told.last());
    }
}
