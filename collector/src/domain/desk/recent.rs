//! Incidents that are over and still at hand; of older ones the records tell.

use std::collections::{BTreeMap, BTreeSet};

use super::Incident;
use crate::domain::{flapping, ids::IncidentNo, time::Timestamp};

/// Resolved incidents stay at hand for this long, for views and mirrors.
pub const FOR_MS: i64 = 24 * 3_600_000;
/// The latest of them only: each takes some 19 KiB with its timeline and pages.
pub const MOST: usize = 1_000;
/// So long all of them stay, because their trouble may be back and they would be open again.
pub const ALL_FOR_MS: i64 = flapping::LOOKS_BACK_MS;

/// Forgets those that are over for too long, and the oldest of too many; none with a page still to be sent, whose outcome
/// finds its page only through its incident.
pub(super) fn forget_others(incidents: &mut BTreeMap<IncidentNo, Incident>, now: Timestamp) {
    let over = |incident: &Incident| incident.row.resolved.filter(|_| !incident.has_queued());
    let stays = |at: Timestamp| now.since_ms(at) < FOR_MS;
    incidents.retain(|_, incident| over(incident).is_none_or(stays));
    let mut ages: Vec<_> = incidents.values().filter_map(|one| Some((over(one)?, one.row.no))).collect();
    let Some(many) = ages.len().checked_sub(MOST).filter(|many| *many > 0) else { return };
    ages.select_nth_unstable(many - 1);
    ages.truncate(many);
    let oldest = ages.into_iter().filter(|(at, _)| now.since_ms(*at) >= ALL_FOR_MS);
    let oldest: BTreeSet<IncidentNo> = oldest.map(|(_, no)| no).collect();
    incidents.retain(|no, _| !oldest.contains(no));
}
