//! Acknowledgement taken back from PagerDuty without being reachable from outside: while a page of ours is open there, its
//! REST API is asked who has the incident
//! (<https://developer.pagerduty.com/api-reference/9d0b4b12e36f9-list-incidents>).
//!
//! Only what a person did there since the incident began here counts: that our own events, time-outs and rules of theirs
//! acknowledge or close something says nothing about anybody. Whoever closes it there has it here; it is over when its
//! problems are.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{sync::watch, task::JoinSet};

use super::{
    client,
    guard::{Guard, Url},
    hearing::{Ear, Hearing, Rounds, Turn},
    outbox::until_stopped,
    pagerduty::{PagerdutyConfig, dedup_key},
    secret::Secret,
    text,
};
use crate::domain::{
    event::{Command, Principal},
    ids::IncidentNo,
    record::{Delivery, IncidentState, PageKind},
    snapshot::{IncidentView, Snapshot},
    time::Timestamp,
};

/// Where PagerDuty is asked; accounts in Europe have `https://api.eu.pagerduty.com`.
pub const API: &str = "https://api.pagerduty.com";
/// An incident is asked about so often, in milliseconds. All of them share two requests a second, an eighth of what a key
/// may do (960 a minute).
const EVERY_MS: i64 = 10_000;
/// Their clock and ours may differ by this much, in milliseconds.
const SKEW_MS: i64 = 60_000;
/// Incidents under one key that are looked at, the latest first: the same trouble may have been there before.
const LATEST: &str = "5";

/// How PagerDuty is asked.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Where: `api_url`; default [`API`].
    pub url: Url,
    /// An API key, read-only: `api_token_file`.
    pub token: Secret,
}

/// An incident that is open here and there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Open {
    key: String,
    /// When it was opened here.
    opened: Timestamp,
    /// Since when nobody has it.
    from: Timestamp,
}

/// Somebody there did something about it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Taken {
    who: String,
    note: &'static str,
}

/// Asks about the incidents that one receiver was told of.
pub(super) struct Asker {
    asking: Asking,
    client: reqwest::Client,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    ear: Ear,
    hearing: Hearing,
    rounds: Rounds<IncidentNo>,
}

impl Asker {
    /// Starts asking, where there is a key to ask with.
    pub(super) fn start(
        config: &PagerdutyConfig,
        ear: Ear,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), client::ClientError> {
        let Some(asking) = config.asking.clone() else { return Ok(()) };
        tasks.spawn(Self::new(asking, config.ca.as_deref(), &config.guard, ear, snapshots)?.run());
        Ok(())
    }

    fn new(
        asking: Asking,
        ca: Option<&[u8]>,
        guard: &Guard,
        ear: Ear,
        snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> Result<Self, client::ClientError> {
        let client = client::build(&ear.receiver, std::slice::from_ref(&asking.url), ca, guard)?;
        let hearing = Hearing::new(&ear.receiver, "acknowledgements");
        Ok(Self { asking, client, snapshots, ear, hearing, rounds: Rounds::default() })
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
            let open = open(&self.snapshots.borrow_and_update(), &self.ear.receiver);
            let every = open.keys().map(|no| (*no, EVERY_MS)).collect();
            let goes_on = match self.rounds.next(&every, self.ear.clock.now()) {
                Turn::Ask(no) => match open.get(&no) {
                    Some(incident) => self.ask_about(no, incident).await,
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
    async fn ask_about(&mut self, no: IncidentNo, incident: &Open) -> bool {
        let (error, after) = match self.ask(incident).await {
            Ok(taken) => {
                let news = self.hearing.heard();
                return self.ear.tell(news).await && self.take(no, taken).await;
            }
            Err(failed) => failed,
        };
        let news = self.hearing.failed(&error, self.ear.clock.now());
        self.ear.tell(news).await && self.ear.wait(self.hearing.failures, after).await
    }

    async fn take(&self, no: IncidentNo, taken: Option<Taken>) -> bool {
        let Some(Taken { who, note }) = taken else { return true };
        let by = Principal { name: who, via: "PagerDuty".into(), address: None };
        let command = Command::Acknowledge { incident: no, note: note.to_owned(), for_ms: None };
        self.ear.mailbox.command(by, command).await.is_ok()
    }

    async fn ask(&self, incident: &Open) -> Result<Option<Taken>, (String, Option<Duration>)> {
        let mut url = self.asking.url.clone();
        url.set_path(&format!("{}/incidents", self.asking.url.path().trim_end_matches('/')));
        url.query_pairs_mut().extend_pairs([
            ("incident_key", dedup_key(&incident.key).as_str()),
            ("date_range", "all"),
            ("sort_by", "created_at:desc"),
            ("limit", LATEST),
        ]);
        let request = self
            .client
            .get(url)
            .header(http::header::ACCEPT, "application/vnd.pagerduty+json;version=2")
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::AUTHORIZATION, format!("Token token={}", self.asking.token.expose()));
        let answer = client::send(request).await.map_err(|error| (error, None))?;
        match (answer.status, answer.json()["incidents"].as_array()) {
            (200, Some(list)) => Ok(list.iter().find_map(|one| taken(one, incident))),
            (200, None) => Err(("it answered no list of incidents".into(), None)),
            (status, _) => Err((format!("it answered {status}"), answer.retry_after)),
        }
    }
}

/// The incidents that are open, nobody has, and this receiver was told of.
fn open(snapshot: &Snapshot, receiver: &str) -> BTreeMap<IncidentNo, Open> {
    let told = |view: &IncidentView| {
        view.pages.iter().any(|page| {
            page.receiver == receiver
                && page.delivery == Delivery::Accepted
                && matches!(page.kind, PageKind::Opened | PageKind::Updated)
        })
    };
    let open = |view: &&Arc<IncidentView>| view.row.state == IncidentState::Open && told(view);
    let about = |view: &Arc<IncidentView>| {
        let again = view.events.iter().rfind(|event| event.kind == "reopened").map(|event| event.at);
        let (key, opened) = (view.row.key.clone(), view.row.opened);
        (view.row.no, Open { key, opened, from: again.unwrap_or(opened) })
    };
    snapshot.incidents.values().filter(open).map(about).collect()
}

/// What a person did about an incident there, if it is this one.
fn taken(theirs: &Value, ours: &Open) -> Option<Taken> {
    let at = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
    let since = |value: &Value, least: Timestamp| at(value).filter(|at| *at >= least.plus_ms(-SKEW_MS).ms());
    let person = |who: &Value| {
        let is_person = matches!(who["type"].as_str(), Some("user_reference" | "user"));
        let name = text::clean(who["summary"].as_str().unwrap_or_default(), 64);
        (is_person && !name.is_empty()).then_some(name)
    };
    since(&theirs["created_at"], ours.opened)?;
    match theirs["status"].as_str()? {
        "acknowledged" => {
            let all = theirs["acknowledgements"].as_array()?.iter();
            let by_people = all.filter_map(|one| Some((since(&one["at"], ours.from)?, person(&one["acknowledger"])?)));
            by_people.max().map(|(_, who)| Taken { who, note: "" })
        }
        "resolved" => {
            since(&theirs["last_status_change_at"], ours.from)?;
            person(&theirs["last_status_change_by"]).map(|who| Taken { who, note: "closed there" })
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "pagerduty_answers_tests.rs"]
mod tests;
