//! What a page tells besides what happened: what it takes with it, what shows it, what was the last time, who is next.
//!
//! All of it is known when the page is decided and kept with it, so that each try says the same.

use serde::{Deserialize, Serialize};

use super::{
    ids::IncidentNo,
    priority::Priority,
    record::{IncidentRow, IncidentState},
    time::Timestamp,
};

/// Pieces of evidence that a page tells; more are counted.
pub const EVIDENCE_TOLD: usize = 3;
/// Names of hosts that a page tells; more are counted.
pub const NAMES_TOLD: usize = 20;

/// What a page says besides, as far as it was known when the page was decided; one recorded before a field existed has
/// it empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PageFacts {
    /// Where its hosts stand, if all stand at one site.
    pub site: String,
    /// How many hosts it is about.
    pub hosts: usize,
    /// The names of some of them, where there are several.
    pub names: Vec<String>,
    /// What is left of the redundancy groups that it touches.
    pub redundancy: String,
    /// When somebody must act.
    pub priority: Option<Priority>,
    /// Who has the incident.
    pub acknowledged_by: Option<String>,
    /// Everybody who was told of the incident so far, by person or receiver, this one included.
    pub paged: Vec<String>,
    /// What it takes with it, the weightiest first.
    pub impact: Vec<String>,
    /// The strongest pieces of evidence, the strongest first.
    pub evidence: Vec<String>,
    /// How many pieces there are besides.
    pub evidence_left: usize,
    /// The last incident of this kind on the same host.
    pub last: Option<Past>,
    /// Where the instructions stand.
    pub runbook: Option<String>,
    /// Who is called next if nobody takes it.
    pub next: Option<Next>,
}

/// An incident that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Which.
    pub incident: IncidentNo,
    /// When its trouble began.
    pub since: Timestamp,
    /// When it was over.
    pub resolved: Timestamp,
    /// Who had it last.
    pub taken_by: Option<String>,
    /// Who closed it by hand and why, if it did not end by itself.
    pub closed: Option<String>,
}

impl Past {
    /// What is remembered of an incident, if it is over for reasons of its own.
    #[must_use]
    pub fn of(row: &IncidentRow) -> Option<Self> {
        let own = row.state == IncidentState::Resolved && row.part_of.is_none();
        Some(Self {
            incident: row.no,
            since: row.since,
            resolved: row.resolved.filter(|_| own)?,
            taken_by: row.acknowledged_by.clone(),
            closed: row.closed.clone(),
        })
    }

    /// How it ended, in words.
    #[must_use]
    pub fn ended(&self) -> String {
        let taken = self.taken_by.as_ref().map(|who| format!("{who} had it"));
        match (&self.closed, taken) {
            (Some(closed), None) => closed.clone(),
            (Some(closed), Some(taken)) => format!("{taken}; {closed}"),
            (None, Some(taken)) => taken,
            (None, None) => "it ended by itself".into(),
        }
    }
}

/// A call that comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// Whom: people, or receivers that are told as such.
    pub who: String,
    /// When.
    pub at: Timestamp,
}
