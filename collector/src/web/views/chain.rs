//! How far a page has come, in the words of a view: queued, accepted, delivered, acknowledged.

use super::When;
use crate::{
    config::Config,
    domain::{
        proof::acknowledged,
        record::{Delivery, IncidentEventRow, Page},
        time::Timestamp,
    },
};

/// One page's way.
pub(super) struct Chain {
    pub(super) queued: When,
    /// Until when its receiver asked to be left alone.
    pub(super) asked: Option<When>,
    pub(super) accepted: Option<When>,
    /// The receiver's own id for it.
    pub(super) id: Option<String>,
    /// When the receiver told that it reached the person, and how it put that.
    pub(super) delivered: Option<(When, String)>,
    /// What is not known beyond *accepted*.
    pub(super) unknown: Option<&'static str>,
    /// Whether others were called because it did not reach its person in time.
    pub(super) missed: bool,
    /// Who has the incident since then, and since when.
    pub(super) acknowledged: Option<(When, String)>,
}

/// The way of one page, as far as anybody knows.
pub(super) fn chain(
    page: &Page,
    events: &[IncidentEventRow],
    config: &Config,
    when: impl Fn(Timestamp) -> When,
) -> Chain {
    let proof = &page.proof;
    let is_silent = page.delivery == Delivery::Accepted && proof.delivered.is_none();
    let receiver = config.receivers.iter().find(|receiver| receiver.name == page.receiver);
    let words = receiver.map_or("its receiver is not configured any more", |receiver| receiver.kind.tells());
    let words = if proof.awaited { "on its way; its receiver will say whether it arrives" } else { words };
    let receipt = proof.receipt.clone().filter(|receipt| receipt != "delivered").unwrap_or_default();
    Chain {
        queued: when(page.decided),
        asked: proof.not_before.map(&when),
        accepted: proof.accepted.map(&when),
        id: proof.provider_id.clone(),
        delivered: proof.delivered.map(|at| (when(at), receipt)),
        unknown: is_silent.then_some(words),
        missed: proof.missed,
        acknowledged: acknowledged(page, events).map(|(at, who)| (when(at), who.to_owned())),
    }
}
