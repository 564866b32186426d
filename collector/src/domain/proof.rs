//! How far a page has come, as far as anybody knows: queued, accepted, delivered, acknowledged.
//!
//! *Queued* is the page itself. *Accepted* is the receiver's word that it has the page, with its own id for it;
//! *delivered* its word that the page reached the person, which few receivers ever give. *Acknowledged* is the person's
//! own doing, and stands in the incident's timeline.

use serde::{Deserialize, Serialize};

use super::{
    event::Outcome,
    record::{Delivery, IncidentEventRow, Page},
    time::Timestamp,
};

/// What a page's receiver told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Proof {
    /// It asked to be left alone until then (`Retry-After`).
    pub not_before: Option<Timestamp>,
    /// When it took the page.
    pub accepted: Option<Timestamp>,
    /// Its own id for it, or what else it said then.
    pub provider_id: Option<String>,
    /// Whether it will say that the page arrived, and has not yet.
    pub awaited: bool,
    /// When it told that the page reached the person.
    pub delivered: Option<Timestamp>,
    /// How it put that.
    pub receipt: Option<String>,
    /// Whether others were called because it did not reach its person in time.
    pub missed: bool,
    /// When its button was pressed last, by the clock of the service that carried the answer.
    pub answered: Option<Timestamp>,
}

impl Page {
    /// Learns how a try went, or what its receiver tells of it later; whether that is to be recorded.
    pub fn learn(&mut self, outcome: &Outcome, now: Timestamp) -> bool {
        let proof = &mut self.proof;
        match outcome {
            Outcome::Accepted { provider_id } => {
                self.delivery = Delivery::Accepted;
                proof.not_before = None;
                proof.accepted = Some(now);
                proof.provider_id = provider_id.clone().filter(|id| !id.is_empty());
            }
            Outcome::Retrying { not_before, .. } => {
                return std::mem::replace(&mut proof.not_before, *not_before) != *not_before;
            }
            Outcome::Failed { .. } | Outcome::Lost { .. } => {
                self.delivery = Delivery::Failed;
                proof.awaited = false;
            }
            Outcome::Awaited => proof.awaited = proof.delivered.is_none(),
            Outcome::Delivered { receipt } => {
                proof.awaited = false;
                proof.delivered.get_or_insert(now);
                proof.receipt = Some(receipt.clone());
            }
        }
        true
    }
}

/// Who took the incident after this page was decided: the first to do so, when and who.
#[must_use]
pub fn acknowledged<'a>(page: &Page, events: &'a [IncidentEventRow]) -> Option<(Timestamp, &'a str)> {
    let took = |event: &&IncidentEventRow| event.kind == "acknowledged" && event.at >= page.decided;
    events.iter().find(took).map(|event| (event.at, event.by.as_deref().unwrap_or_default()))
}
