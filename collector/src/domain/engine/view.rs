//! The picture that the edges see, brought up to date with what was touched.

use std::{collections::BTreeMap, sync::Arc};

use super::Engine;
use crate::domain::{
    ids::HostNo,
    priority::Priority,
    snapshot::{HostView, IncidentView},
    time::Timestamp,
};

impl Engine {
    /// Brings the picture up to date with what was touched.
    pub(super) fn refresh(&mut self, now: Timestamp) {
        self.snapshot.at = now;
        if !self.dirty_hosts.is_empty() {
            let dirty = std::mem::take(&mut self.dirty_hosts);
            let views: Vec<_> = dirty.into_iter().filter_map(|no| Some((no, self.view(no)?))).collect();
            Arc::make_mut(&mut self.snapshot.hosts).extend(views);
            let cuts: BTreeMap<String, Timestamp> = self.desk.cuts().collect();
            if *self.snapshot.cuts != cuts {
                self.snapshot.cuts = Arc::new(cuts);
            }
        }
        if std::mem::take(&mut self.dirty_holds) {
            self.snapshot.holds = Arc::new(self.desk.holds().cloned().collect());
            self.snapshot.exceptions = Arc::new(self.desk.exceptions().clone());
            self.snapshot.test_pages = Arc::new(self.desk.test_pages().cloned().collect());
        }
        if std::mem::take(&mut self.dirty_dismissals) {
            self.snapshot.dismissals = Arc::new(self.desk.dismissals().cloned().collect());
        }
        if std::mem::take(&mut self.dirty_heartbeats) {
            self.snapshot.heartbeats = Arc::new(self.desk.heartbeats());
        }
        if !self.dirty_incidents.is_empty() {
            let incidents = Arc::make_mut(&mut self.snapshot.incidents);
            for no in std::mem::take(&mut self.dirty_incidents) {
                let Some(incident) = self.desk.incident(no) else { continue };
                let names = self.desk.host_names(no);
                let view = IncidentView {
                    row: incident.row.clone(),
                    host_name: if names.len() == 1 {
                        names.first().cloned().unwrap_or_default()
                    } else {
                        String::new()
                    },
                    hosts: names,
                    events: incident.events.clone(),
                    pages: incident.pages.values().cloned().collect(),
                    held: incident.held,
                    priority: self.desk.priority(no).unwrap_or(Priority::P3),
                    redundancy: self.desk.redundancy_left(no),
                };
                incidents.insert(no, Arc::new(view));
            }
        }
        if self.snapshot.incidents.len() > self.desk.incidents().len() {
            let incidents = Arc::make_mut(&mut self.snapshot.incidents);
            incidents.retain(|no, _| self.desk.incident(*no).is_some());
        }
    }

    fn view(&self, no: HostNo) -> Option<Arc<HostView>> {
        let host = self.hosts.get(&no)?;
        let (state, since, cause, proof) = host.standing();
        Some(Arc::new(HostView {
            profile: host.profile.clone(),
            state,
            since,
            cause: cause.clone(),
            proof,
            peer: host.peer(),
            session: host.session(),
            findings: host.findings().cloned().collect(),
            checks: host.checks().cloned().collect(),
            incident: self.desk.incident_of(no),
            observed: host.observed(),
            device: self.device_view(no),
            parent: self.devices.parents.get(&no).copied(),
            watches: self.parts_for(no),
            cannot_watch: self.cannot_watch(no),
        }))
    }
}
