//! What makes a rotation other than it is planned: people who stand in, and people who are away.

use serde::{Deserialize, Serialize};

use super::rotation::Override;
use crate::domain::{calendar::Span, ids::AbsenceNo, time::Timestamp};

/// Somebody is away and cannot be called. As stored; it is withdrawn, never edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// Its number.
    pub no: AbsenceNo,
    /// Who.
    pub person: String,
    /// When.
    pub span: Span,
    /// What their calendar calls it.
    pub summary: String,
    /// The id of the entry in their calendar, so that reading it again makes no second one.
    pub uid: String,
    /// Who made it.
    pub by: String,
    /// When it was made.
    pub made: Timestamp,
    /// When it was withdrawn, and by whom.
    pub withdrawn: Option<(Timestamp, String)>,
}

/// All of both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceptions {
    /// Who stands in.
    pub overrides: Vec<Override>,
    /// Who is away.
    pub absences: Vec<Absence>,
}

impl Exceptions {
    /// The absence that a person has at an instant.
    #[must_use]
    pub fn absence(&self, person: &str, at: Timestamp) -> Option<&Absence> {
        let away = |one: &&Absence| one.withdrawn.is_none() && one.person == person && one.span.holds(at);
        self.absences.iter().find(away)
    }

    /// The first absence that a person has within a span.
    #[must_use]
    pub fn absence_within(&self, person: &str, span: Span) -> Option<&Absence> {
        let meets = |one: &&Absence| one.span.from < span.until && span.from < one.span.until;
        let theirs = self.absences.iter().filter(|one| one.withdrawn.is_none() && one.person == person).filter(meets);
        theirs.min_by_key(|one| one.span.from)
    }

    /// When somebody comes or goes next in a rotation.
    pub(super) fn edges(&self, rotation: &str) -> impl Iterator<Item = Timestamp> {
        let overrides = self.overrides.iter().filter(move |one| one.rotation == rotation && one.withdrawn.is_none());
        let absences = self.absences.iter().filter(|one| one.withdrawn.is_none());
        let spans = overrides.map(|one| one.span).chain(absences.map(|one| one.span));
        spans.flat_map(|span| [span.from, span.until])
    }
}
