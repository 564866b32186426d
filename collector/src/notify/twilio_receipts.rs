//! Whether text messages and calls arrived: Twilio's own word that it took one says nothing of the telephone, so its
//! message and call resources are asked until they say how it ended
//! (<https://www.twilio.com/docs/messaging/api/message-resource#fetch-a-message-resource>).
//!
//! A status callback would have to reach the collector from outside. What a page with several recipients came to is not
//! asked: one of them says nothing of the others.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{sync::watch, task::JoinSet};

use super::{
    client,
    guard::Url,
    hearing::{Ear, Hearing, Rounds, Turn},
    outbox::until_stopped,
    text,
    twilio::{TwilioConfig, is_sid},
};
use crate::domain::{
    event::{Event, Outcome},
    ids::PageId,
    record::{Delivery, IncidentState, Page},
    snapshot::Snapshot,
    time::Timestamp,
};

/// Asked about until this long after it was taken, in milliseconds: so long Twilio itself tries (`ValidityPeriod`).
const UNTIL_MS: i64 = 3_600_000;

/// A page whose end is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    /// `SM...`, `MM...` or `CA...`.
    sid: String,
    /// When it was taken.
    at: Timestamp,
    /// Whether the engine knows that it is on its way.
    known: bool,
}

/// Asks about the pages of one receiver.
pub(super) struct Asker {
    config: TwilioConfig,
    client: reqwest::Client,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    ear: Ear,
    hearing: Hearing,
    rounds: Rounds<PageId>,
}

impl Asker {
    /// Starts asking.
    pub(super) fn start(
        config: &TwilioConfig,
        ear: Ear,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), client::ClientError> {
        tasks.spawn(Self::new(config, ear, snapshots)?.run());
        Ok(())
    }

    fn new(
        config: &TwilioConfig,
        ear: Ear,
        snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> Result<Self, client::ClientError> {
        let urls = std::slice::from_ref(&config.url);
        let client = client::build(&ear.receiver, urls, config.ca.as_deref(), &config.guard)?;
        let hearing = Hearing::new(&ear.receiver, "receipts");
        Ok(Self { config: config.clone(), client, snapshots, ear, hearing, rounds: Rounds::default() })
    }

    async fn run(mut self) {
        let mut stopped = self.ear.stopped.clone();
        tokio::select! {
            () = self.ask_on() => {}
            () = until_stopped(&mut stopped) => {}
        }
    }

    /// Asks until nobody is left to tell.
    async fn ask_on(&mut self) {
        loop {
            let now = self.ear.clock.now();
            let single = self.config.to.len() == 1;
            let sent = sent(&self.snapshots.borrow_and_update(), &self.ear.receiver, single, now);
            let every = sent.iter().map(|(id, one)| (*id, every_ms(now.since_ms(one.at)))).collect();
            let goes_on = match self.rounds.next(&every, now) {
                Turn::Ask(id) => match sent.get(&id) {
                    Some(one) => self.ask_about(id, one).await,
                    None => true,
                },
                Turn::Wait(wait) => self.ear.pause(wait).await,
                Turn::Nothing => self.snapshots.changed().await.is_ok(),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Asks about one and tells the engine; false when nobody is left to tell.
    async fn ask_about(&mut self, page: PageId, one: &Sent) -> bool {
        match self.ask(&one.sid).await {
            Ok(outcome) => {
                let news = self.hearing.heard();
                let outcome = outcome.filter(|outcome| !(one.known && *outcome == Outcome::Awaited));
                let outcome = outcome.map(|outcome| Event::Delivered { page, outcome });
                self.ear.tell(news).await && self.ear.tell(outcome).await
            }
            Err((error, after)) => {
                let news = self.hearing.failed(&error, self.ear.clock.now());
                self.ear.tell(news).await && self.ear.wait(self.hearing.failures, after).await
            }
        }
    }

    async fn ask(&self, sid: &str) -> Result<Option<Outcome>, (String, Option<Duration>)> {
        let request = self.client.get(self.resource(sid));
        let request = request.basic_auth(&self.config.account, Some(self.config.token.expose()));
        let answer = client::send(request).await.map_err(|error| (error, None))?;
        match (answer.status, answer.json()) {
            (200..=299, said) => Ok(outcome(&said)),
            // It was taken away there: nobody will ever say.
            (404 | 410, _) => Ok(None),
            (status, _) => Err((format!("it answered {status}"), answer.retry_after)),
        }
    }

    fn resource(&self, sid: &str) -> Url {
        let kind = if sid.starts_with("CA") { "Calls" } else { "Messages" };
        let mut url = self.config.url.clone();
        let root = self.config.url.path().trim_end_matches('/');
        url.set_path(&format!("{root}/2010-04-01/Accounts/{}/{kind}/{sid}.json", self.config.account));
        url
    }
}

/// How often a page of this age is asked about, in milliseconds: most arrive within seconds.
fn every_ms(age_ms: i64) -> i64 {
    match age_ms {
        ..60_000 => 3_000,
        60_000..600_000 => 15_000,
        _ => 60_000,
    }
}

/// The pages of this receiver that were taken and of whose end nothing is known.
fn sent(snapshot: &Snapshot, receiver: &str, single: bool, now: Timestamp) -> BTreeMap<PageId, Sent> {
    let about = |page: &Page| {
        let at = page.proof.accepted.filter(|at| now.since_ms(*at) < UNTIL_MS)?;
        let sid =
            page.proof.provider_id.clone().filter(|sid| ["SM", "MM", "CA"].iter().any(|kind| is_sid(sid, kind)))?;
        let fits = page.receiver == receiver && page.delivery == Delivery::Accepted && (single || page.to.is_some());
        (fits && page.proof.delivered.is_none()).then_some((page.id, Sent { sid, at, known: page.proof.awaited }))
    };
    let open = snapshot.incidents.values().filter(|view| view.row.state != IncidentState::Resolved);
    open.flat_map(|view| &view.pages).filter_map(about).collect()
}

/// What the status of a message or call says of its page; nothing where it is one that nobody knows.
fn outcome(said: &Value) -> Option<Outcome> {
    let status = said["status"].as_str()?;
    match status {
        "delivered" | "read" | "completed" => Some(Outcome::Delivered { receipt: status.to_owned() }),
        "undelivered" | "failed" | "canceled" | "busy" | "no-answer" => {
            let code = said["error_code"].as_u64().map_or_else(String::new, |code| format!(", Twilio's error {code}"));
            Some(Outcome::Lost { error: format!("{}{code}", text::clean(status, 32)) })
        }
        "accepted" | "scheduled" | "queued" | "sending" | "sent" | "initiated" | "ringing" | "in-progress" => {
            Some(Outcome::Awaited)
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "twilio_receipts_tests.rs"]
mod tests;
