//! EDGE. Asking a host for evidence when a judgement begins for which it is wanted. Its record comes like any other.
//!
//! An agent that does not know the source says so in its answer, and the finding stands without.

use muster_proto::v1::{self, ask::What, collector_message::Body};

use super::Running;
use crate::domain::{
    evidence::{ASKED_EVERY_MS, wanted},
    finding::Judgement,
    time::Timestamp,
};

impl Running {
    /// Asks, if these judgements want something and the host was not asked just before.
    pub(super) fn ask_for_evidence(&mut self, judgements: &[Judgement], now: Timestamp) {
        let wanted = {
            let snapshot = self.context.rooms.snapshot.borrow();
            let open = snapshot.hosts.get(&self.profile.no).map_or(&[][..], |view| &view.findings);
            wanted(judgements, open)
        };
        if let Some(source) = wanted.filter(|_| self.slot.may_ask(ASKED_EVERY_MS, now)) {
            self.ask(What::EvidenceSource(source.to_owned()));
        }
    }

    /// Asks the agent something.
    pub(super) fn ask(&mut self, what: What) {
        self.asked += 1;
        self.outbox.put(Body::Ask(v1::Ask { id: self.asked, what: Some(what) }));
    }
}
