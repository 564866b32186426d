//! A mirror of our incidents in Alertmanager (API v2).
//!
//! Nothing is queued: each peer is sent the whole picture, all incidents that were paged and those resolved in the last
//! five minutes, at each change and each minute; Alertmanager itself drops repeats. Every peer of a cluster is told
//! separately and never through a balancer, as Alertmanager asks. A firing alert says when it ends unless it is said
//! again, so that nothing fires for ever when the collector is gone. `startsAt`, `generatorURL` and annotations go
//! with every alert: resolving without them makes Alertmanager's own notifications show durations of 0.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use prometheus::IntCounter;
use serde::Serialize;
use tokio::{sync::watch, task::JoinSet};

use super::{
    client::{self, ClientError},
    guard::{Guard, Url},
    metrics::NotifyMetrics,
    outbox::until_stopped,
};
use crate::{
    clock::Clock,
    domain::{
        alert::OWN_ANNOTATION,
        ids::IncidentNo,
        record::IncidentState,
        severity::Severity,
        snapshot::{IncidentView, Snapshot},
        time::Timestamp,
    },
};

/// How long an open alert lives without being said again, and how long a resolved one is repeated (Alertmanager's own
/// `resolve_timeout` is 5 min).
const LIVES_MS: i64 = 5 * 60_000;
/// Each peer hears the whole picture at least this often.
const EVERY_MS: i64 = 60_000;
/// A peer that did not take the picture gets it again after this.
const AGAIN_MS: i64 = 10_000;
/// Alerts in one request.
const BATCH: usize = 500;
/// Alerts that a peer refused, remembered so that each is logged once.
const REFUSED_KEPT: usize = 1_000;

/// The labels that Muster sets itself; the configuration's come besides.
pub const OWN_LABELS: [&str; 8] = ["alertname", "host", "instance", "severity", "key", "incident", "component", "job"];

/// Settings of `kind = "alertmanager"`.
#[derive(Debug, Clone)]
pub struct AlertmanagerConfig {
    /// Every peer of the cluster, at least one: `urls`.
    pub urls: Vec<Url>,
    /// Labels that every alert carries besides [`OWN_LABELS`].
    pub labels: BTreeMap<String, String>,
    /// Certificates (PEM) to trust instead of the system's: `ca_file`.
    pub ca: Option<Vec<u8>>,
    /// Addresses that may be posted to: `allow`.
    pub guard: Guard,
}

/// One alert as `POST /api/v2/alerts` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
}

/// What is mirrored, from where.
#[derive(Debug, Clone)]
pub(super) struct Mirror {
    pub(super) receiver: String,
    pub(super) severity: Severity,
    pub(super) config: AlertmanagerConfig,
    pub(super) base_url: String,
    pub(super) metrics: NotifyMetrics,
    pub(super) clock: Clock,
}

impl Mirror {
    /// Starts a task for each peer.
    pub(super) fn start(
        self,
        tasks: &mut JoinSet<()>,
        snapshots: &watch::Receiver<Arc<Snapshot>>,
        stopped: &watch::Receiver<bool>,
    ) -> Result<(), ClientError> {
        let client = client::build(&self.receiver, &self.config.urls, self.config.ca.as_deref(), &self.config.guard)?;
        for url in &self.config.urls {
            let peer = Peer {
                name: peer_name(url),
                url: alerts_url(url),
                mirror: self.clone(),
                client: client.clone(),
                labels: BTreeMap::new(),
                refused: BTreeSet::new(),
            };
            tasks.spawn(peer.run(snapshots.clone(), stopped.clone()));
        }
        Ok(())
    }

    /// The incidents that Alertmanager is to know of at `now`.
    fn picture(&self, snapshot: &Snapshot, now: Timestamp) -> BTreeMap<IncidentNo, Alert> {
        let fresh = |incident: &IncidentView| match (incident.row.state, incident.row.resolved) {
            (IncidentState::Resolved, Some(at)) => now.since_ms(at) < LIVES_MS,
            (IncidentState::Resolved, None) => false,
            _ => true,
        };
        snapshot
            .incidents
            .values()
            .filter(|incident| incident.row.paged && incident.row.severity >= self.severity && fresh(incident))
            .map(|incident| (incident.row.no, self.alert(incident, snapshot, now)))
            .collect()
    }

    fn alert(&self, incident: &IncidentView, snapshot: &Snapshot, now: Timestamp) -> Alert {
        let row = &incident.row;
        let mut labels = self.config.labels.clone();
        let own = [
            ("alertname", alert_name(&row.key)),
            ("host", incident.host_name.clone()),
            ("instance", incident.host_name.clone()),
            ("severity", row.severity.word().to_owned()),
            ("key", row.key.clone()),
            ("incident", row.no.to_string()),
            ("component", row.component.clone()),
        ];
        // As the host's own series carry them, so that routes and inhibitions fit both.
        let host = row.host.and_then(|no| snapshot.hosts.get(&no)).map(|view| &view.profile);
        let of_host = host.into_iter().flat_map(|profile| {
            // Alertmanager routes by it: a host's own word does not choose who is told.
            let site = profile.confirmed_site().unwrap_or_default().to_owned();
            [("job", "node".to_owned()), ("class", profile.class.word().to_owned()), ("site", site)]
        });
        // Alertmanager drops empty labels; leaving them out keeps ours equal to its own.
        let said = own.into_iter().chain(of_host).filter(|(_, value)| !value.is_empty());
        labels.extend(said.map(|(name, value)| (name.to_owned(), value)));
        let ends = row.resolved.unwrap_or_else(|| now.plus_ms(LIVES_MS));
        Alert {
            labels,
            annotations: annotations(incident),
            starts_at: row.since.to_string(),
            ends_at: ends.max(row.since.plus_ms(1)).to_string(),
            generator_url: format!("{}/incidents/{}", self.base_url, row.no),
        }
    }
}

fn annotations(incident: &IncidentView) -> BTreeMap<&'static str, String> {
    let row = &incident.row;
    let mut lines: Vec<String> = incident.events.iter().rev().take(5).map(|event| event.text.clone()).collect();
    lines.reverse();
    if incident.hosts.len() > 1 {
        let shown = incident.hosts.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
        lines.push(format!("{} hosts: {shown}", incident.hosts.len()));
    }
    let mut all = BTreeMap::from([
        ("summary", row.title.clone()),
        ("description", lines.join("\n")),
        // By it we know our own when an Alertmanager forwards it to us.
        (OWN_ANNOTATION, row.id.clone()),
    ]);
    if let Some(who) = &row.acknowledged_by {
        all.insert("acknowledged_by", who.clone());
    }
    all
}

/// `liveness/web-1/down` is `MusterLiveness`.
pub(super) fn alert_name(key: &str) -> String {
    let kind = key.split('/').next().unwrap_or_default();
    let words = kind.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String = words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect();
    if name.is_empty() { "MusterIncident".into() } else { format!("Muster{name}") }
}

fn peer_name(url: &Url) -> String {
    let port = url.port_or_known_default().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}", url.host_str().unwrap_or_default())
}

/// The alerts' address below the peer's, which may stand under a path of its own.
fn alerts_url(url: &Url) -> Url {
    let mut full = url.clone();
    full.set_path(&format!("{}/api/v2/alerts", url.path().trim_end_matches('/')));
    full
}

/// One Alertmanager of the cluster.
struct Peer {
    name: String,
    url: Url,
    mirror: Mirror,
    client: reqwest::Client,
    /// What was last said of each incident: labels are an alert's identity.
    labels: BTreeMap<IncidentNo, Alert>,
    refused: BTreeSet<String>,
}

impl Peer {
    async fn run(mut self, mut snapshots: watch::Receiver<Arc<Snapshot>>, mut stopped: watch::Receiver<bool>) {
        // From zero, so that the first failure is a rise.
        for outcome in ["accepted", "retrying", "refused"] {
            let _ = self.rounds(outcome);
        }
        let mut said: Option<(Timestamp, BTreeMap<IncidentNo, Alert>)> = None;
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            let now = self.mirror.clock.now();
            let picture = self.mirror.picture(&snapshot, now);
            let news = said.as_ref().is_none_or(|(at, old)| now.since_ms(*at) >= EVERY_MS || differs(old, &picture));
            if news {
                said = self.say(&picture, now).await.then_some((now, picture));
            }
            let wait_ms = said.as_ref().map_or(AGAIN_MS, |(at, _)| EVERY_MS - now.since_ms(*at));
            let failed = said.is_none();
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait_ms.max(0).unsigned_abs())) => {}
                // A peer that is down is not asked again at each change.
                changed = snapshots.changed(), if !failed => if changed.is_err() { return },
                () = until_stopped(&mut stopped) => return,
            }
        }
    }

    /// Tells the peer everything; whether it took it.
    async fn say(&mut self, picture: &BTreeMap<IncidentNo, Alert>, now: Timestamp) -> bool {
        let mut alerts: Vec<Alert> = picture.values().cloned().collect();
        // An alert whose labels changed is another one to Alertmanager; the old one is over.
        for (incident, old) in &self.labels {
            if picture.get(incident).is_some_and(|new| new.labels != old.labels) {
                alerts.push(Alert { ends_at: now.to_string(), ..old.clone() });
            }
        }
        for batch in alerts.chunks(BATCH) {
            if let Err(error) = self.post(batch).await {
                self.count("retrying");
                tracing::warn!(
                    "Alertmanager {} of receiver {} did not take the incidents and is told again: {error}",
                    self.name,
                    self.mirror.receiver
                );
                return false;
            }
        }
        if !alerts.is_empty() {
            self.count("accepted");
        }
        self.labels.clone_from(picture);
        true
    }

    /// Posts a batch. On 400 it is halved until the alert that is not taken stands alone: Alertmanager takes the good
    /// ones of such a batch, but does not say which (seen with 0.25).
    async fn post(&mut self, batch: &[Alert]) -> Result<(), String> {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            let answer = client::send(self.client.post(self.url.clone()).json(part)).await?;
            match answer.status {
                200..=299 => {}
                400 | 422 if part.len() > 1 => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
                400 | 422 => self.leave_out(&part[0]),
                status => return Err(format!("it answered {status}")),
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, alert: &Alert) {
        self.count("refused");
        let key = alert.labels.get("key").cloned().unwrap_or_default();
        if self.refused.len() < REFUSED_KEPT && self.refused.insert(key.clone()) {
            tracing::error!(
                "Alertmanager {} of receiver {} refuses the alert {key}; the others are told",
                self.name,
                self.mirror.receiver
            );
        }
    }

    fn count(&self, outcome: &str) {
        self.rounds(outcome).inc();
    }

    fn rounds(&self, outcome: &str) -> IntCounter {
        self.mirror.metrics.mirror_rounds.with_label_values(&[&self.mirror.receiver, &self.name, outcome])
    }
}

/// Whether anything but the sliding end of open alerts, or the leaving of old ones, is different.
fn differs(said: &BTreeMap<IncidentNo, Alert>, picture: &BTreeMap<IncidentNo, Alert>) -> bool {
    picture.iter().any(|(incident, new)| {
        said.get(incident).is_none_or(|old| {
            let resolved = new.ends_at < old.ends_at;
            resolved || old.labels != new.labels || old.annotations != new.annotations
        })
    })
}

#[cfg(test)]
#[path = "alertmanager_tests.rs"]
pub(super) mod tests;
