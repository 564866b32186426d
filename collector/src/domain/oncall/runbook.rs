//! Runbooks: where the instructions for an incident stand.

use super::{Roster, route::About};
use crate::domain::hold::Scope;

/// The label by which a host names the runbook that is for it.
pub const LABEL: &str = "runbook";

/// Instructions for some incidents. The first that fits is the one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runbook {
    /// Which incidents. Empty: all.
    pub scope: Scope,
    /// Where the instructions stand.
    pub url: String,
}

impl Roster {
    /// The runbook for an incident.
    #[must_use]
    pub fn runbook(&self, about: &About<'_>) -> Option<&str> {
        self.runbooks.iter().find(|runbook| about.fits(&runbook.scope)).map(|runbook| &*runbook.url)
    }
}
