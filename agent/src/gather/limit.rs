//! Holds a collection to as many series as this host may say.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Gatherer, SourceState, SourceStatus};
use crate::probe::{CROWDED_REMEDY, LeftOut, ProbeError, Section, cap};

/// Families that are named one by one.
const NAMED_MAX: usize = 16;

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
        let left: Vec<(&'static str, LeftOut)> = self.left_out().collect();
        let statuses = left.iter().take(NAMED_MAX).map(|(source, left)| status_of(source, left, limit)).collect();
        let told = names(left.iter().map(|(_, left)| left));
        if changed || told != self.told_left_out {
            tell(limit, total, &told);
            self.told_left_out = told;
        }
        statuses
    }

    fn left_out(&self) -> impl Iterator<Item = (&'static str, LeftOut)> {
        let sections = self.slots.iter().filter_map(|slot| slot.section.as_deref());
        sections.flat_map(|section| section.left_out().iter().map(|left| (section.source(), left.clone())))
    }
}

fn status_of(source: &str, left: &LeftOut, limit: usize) -> SourceStatus {
    let reason = ProbeError::Crowded { limit, series: left.decided }.to_string();
    SourceStatus { source: Cow::Owned(format!("{source}/{}", left.family)), state: SourceState::Failed, reason }
}

fn tell(limit: usize, total: usize, left_out: &str) {
    if left_out.is_empty() {
        tracing::info!("this host's {total} series are said again, none is left out");
    } else {
        tracing::warn!("this host has {total} series, more than {limit}: {left_out} left out; {CROWDED_REMEDY}");
    }
}

/// `node_a (12), node_b (7) and 3 more`, the largest first.
pub(crate) fn names<'a>(left: impl Iterator<Item = &'a LeftOut>) -> String {
    let mut left: Vec<&LeftOut> = left.collect();
    left.sort_by(|one, two| two.decided.cmp(&one.decided).then_with(|| one.family.cmp(&two.family)));
    let named: Vec<String> =
        left.iter().take(NAMED_MAX).map(|left| format!("{} ({})", left.family, left.decided)).collect();
    match left.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more families", named.join(", ")),
    }
}
