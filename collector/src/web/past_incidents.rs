//! Incidents of which the engine knows no more: what the records have of them.

use std::sync::Arc;

use super::{Web, problem::Problem};
use crate::domain::{
    ids::IncidentNo,
    priority::{Priority, derived},
    record::IncidentRow,
    snapshot::IncidentView,
};

impl Web {
    /// An incident, however long it has been over.
    pub(super) async fn incident(&self, no: IncidentNo) -> Result<Arc<IncidentView>, Problem> {
        let snapshot = self.snapshot();
        if let Some(view) = snapshot.incidents.get(&no) {
            return Ok(Arc::clone(view));
        }
        let kept = self.context.store.incident(no).await?.ok_or_else(|| unknown(no))?;
        let host = kept.row.host.and_then(|host| snapshot.hosts.get(&host));
        let host_name = host.map(|host| host.profile.name.clone()).unwrap_or_default();
        Ok(Arc::new(IncidentView {
            hosts: host.map(|_| host_name.clone()).into_iter().collect(),
            host_name,
            priority: priority(&kept.row),
            row: kept.row,
            events: kept.events,
            pages: kept.pages,
            held: None,
            redundancy: Vec::new(),
        }))
    }
}

/// What people said, or what its severity makes of it: of whom it was about only the host is known any more.
fn priority(row: &IncidentRow) -> Priority {
    row.priority.unwrap_or_else(|| derived(row.severity, &[], false))
}

/// There is none.
pub(super) fn unknown(no: IncidentNo) -> Problem {
    Problem::not_found(&format!(
        "incident #{no}, or it was over longer ago than incidents are kept ([retention] incidents)"
    ))
}
