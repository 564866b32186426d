//! What is wrong: findings of a host, and problems as the desk knows them.

use serde::{Deserialize, Serialize};

use super::AlertRow;
use crate::domain::{
    ids::{HostNo, IncidentNo},
    severity::Severity,
    time::Timestamp,
};

/// Anything wrong that the desk knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemRow {
    /// `kind/subject/what`: stable over restarts, the dedup key everywhere outside.
    pub key: String,
    /// Which host, unless it is about a scope or the collector.
    pub host: Option<HostNo>,
    /// Which hosts, where it is about some that no other problem names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostNo>,
    /// `liveness`, `finding`, `check`, `self`, `alert`, `heartbeat`, `redundancy`, `burn_rate`, `batch`.
    pub kind: String,
    /// How bad.
    pub severity: Severity,
    /// Since when.
    pub since: Timestamp,
    /// One line with names and figures.
    pub summary: String,
    /// What shows it.
    pub evidence: String,
    /// What names its cause where it shares it with others of its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The scope whose incident it joins.
    pub part_of: Option<String>,
    /// The incident it belongs to, once it has one.
    pub incident: Option<IncidentNo>,
    /// When it may open an incident (fold) if nothing explained it.
    pub fold_until: Timestamp,
    /// What is known of it besides, if others say it.
    #[serde(default)]
    pub alert: Option<Box<AlertRow>>,
}
