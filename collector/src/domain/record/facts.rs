//! What a page says besides who, what and when.

use serde::{Deserialize, Serialize};

use crate::domain::priority::Priority;

/// What a page says besides, as far as it was known when the page was decided; one recorded before a field existed has
/// it empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PageFacts {
    /// Where its hosts stand, if all stand at one site.
    pub site: String,
    /// How many hosts it is about.
    pub hosts: usize,
    /// What is left of the redundancy groups that it touches.
    pub redundancy: String,
    /// When somebody must act.
    pub priority: Option<Priority>,
    /// Who has the incident.
    pub acknowledged_by: Option<String>,
    /// Everybody who was told of the incident so far, by person or receiver, this one included.
    pub paged: Vec<String>,
}
