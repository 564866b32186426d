//! `[incidents]`: how often one is told of what goes on.

use super::section::Section;
use crate::domain::oncall::Roster;

/// Reads it into the roster.
pub(super) fn read(mut section: Section<'_, '_>, roster: &mut Roster) {
    roster.tells_each_change = section.switch("flap_detection") == Some(false);
    section.finish();
}
