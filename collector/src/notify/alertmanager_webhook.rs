//! The body that Alertmanager's webhooks have, version 4
//! (<https://prometheus.io/docs/alerting/latest/configuration/#webhook_config>), for tools that understand that.
//!
//! Each page is a group of one alert. Its labels are those of the mirror; its fingerprint and group key are the same from
//! the problem to its end, though it gets worse in between.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    alertmanager::alert_name,
    client::{self, ClientError},
    guard::{Guard, SecretUrl},
    receiver::{Messenger, Sent, plain_id},
    secret::Secret,
    template::Words,
    text,
};
use crate::domain::record::{Page, PageKind};

/// `endsAt` of an alert that fires: Go's zero time.
const FIRES: &str = "0001-01-01T00:00:00Z";
/// Answers that are about one page alone. The others of 4xx may come from whoever stands before the receiver.
const REJECTS: [u16; 2] = [413, 422];

/// Settings of `kind = "alertmanager_webhook"`.
#[derive(Debug, Clone)]
pub struct AlertmanagerWebhookConfig {
    /// Where to post: `url`, or what `url_file` holds.
    pub url: SecretUrl,
    /// Sent as `Authorization: Bearer`: `token_file`; default: none.
    pub token: Option<Secret>,
    /// Certificates (PEM) to trust instead of the system's: `ca_file`.
    pub ca: Option<Vec<u8>>,
    /// Addresses that may be posted to: `allow`.
    pub guard: Guard,
}

type Labels = BTreeMap<&'static str, String>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Group<'a> {
    version: &'static str,
    group_key: String,
    truncated_alerts: u32,
    status: &'static str,
    receiver: &'a str,
    group_labels: Labels,
    common_labels: Labels,
    common_annotations: Labels,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    alerts: [Alert; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert {
    status: &'static str,
    labels: Labels,
    annotations: Labels,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

/// A webhook that takes what Alertmanager sends.
#[derive(Debug)]
pub struct AlertmanagerWebhook {
    config: AlertmanagerWebhookConfig,
    client: reqwest::Client,
    words: Words,
}

impl AlertmanagerWebhook {
    /// A webhook ready to be posted to.
    ///
    /// # Errors
    /// The certificate store of this machine cannot be used.
    pub fn new(name: &str, config: AlertmanagerWebhookConfig, words: Words) -> Result<Self, ClientError> {
        let urls = std::slice::from_ref(config.url.expose());
        let client = client::build(name, urls, config.ca.as_deref(), &config.guard)?;
        Ok(Self { config, client, words })
    }

    fn group<'a>(&'a self, page: &'a Page) -> Group<'a> {
        let is_over = page.kind == PageKind::Resolved;
        let status = if is_over { "resolved" } else { "firing" };
        let labels = labels(page);
        let annotations = self.annotations(page);
        let group_labels: Labels = [("alertname", alert_name(&page.key)), ("key", page.key.clone())].into();
        let alert = Alert {
            status,
            labels: labels.clone(),
            annotations: annotations.clone(),
            starts_at: page.since.to_string(),
            ends_at: if is_over { page.decided.max(page.since).to_string() } else { FIRES.into() },
            generator_url: self.words.url(page),
            fingerprint: fingerprint(&labels),
        };
        Group {
            version: "4",
            group_key: group_key(&group_labels),
            truncated_alerts: 0,
            status,
            receiver: &page.receiver,
            group_labels,
            common_labels: labels,
            common_annotations: annotations,
            external_url: &self.words.base_url,
            alerts: [alert],
        }
    }

    fn annotations(&self, page: &Page) -> Labels {
        let summary = self.words.own_title(page).unwrap_or_else(|| text::clean(&page.title, text::TITLE_CHARS));
        let description = self.words.own_body(page).unwrap_or_else(|| text::evidence(page).join("\n"));
        let who = page.facts.acknowledged_by.clone().unwrap_or_default();
        let runbook = page.facts.runbook.clone().unwrap_or_default();
        let all = [
            ("summary", summary),
            ("description", description),
            ("acknowledged_by", who),
            // As Prometheus' own rules call it.
            ("runbook_url", runbook),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}

impl Messenger for AlertmanagerWebhook {
    async fn send(&self, page: &Page) -> Sent {
        let mut request = self.client.post(self.config.url.expose().clone());
        if let Some(token) = &self.config.token {
            request = request.bearer_auth(token.expose());
        }
        let request = request
            .header(http::header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", plain_id(&page.message_id))
            .body(client::json(&self.group(page)));
        match client::send(request).await {
            Ok(answer) => answer.means("", &REJECTS),
            Err(error) => Sent::Retry { error, after: None },
        }
    }
}

/// As the mirror's alerts carry them; Alertmanager leaves empty ones out.
fn labels(page: &Page) -> Labels {
    let all = [
        ("alertname", alert_name(&page.key)),
        ("component", page.component.clone()),
        ("host", page.host.clone()),
        ("incident", page.incident.map(|incident| incident.to_string()).unwrap_or_default()),
        ("instance", page.host.clone()),
        ("key", page.key.clone()),
        ("severity", page.severity.word().to_owned()),
        ("site", page.facts.site.clone()),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// `{}:{alertname="MusterLiveness", key="..."}`
fn group_key(labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{}}:{{{}}}", pairs.join(", "))
}

/// Prometheus' hash of labels (FNV-1a, 64 bits), but of those only that stay the same while the incident lasts.
fn fingerprint(labels: &Labels) -> String {
    let stays = |name: &&str| matches!(*name, "alertname" | "incident" | "key");
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for (name, value) in labels.iter().filter(|(name, _)| stays(name)) {
        for byte in name.bytes().chain([0xff]).chain(value.bytes()).chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        domain::severity::Severity,
        notify::{
            outbox::tests::words,
            sink::{Do, Sink, check_trouble_is_tried_again, life, word},
        },
    };

    fn hook(sink: &Sink) -> AlertmanagerWebhook {
        let config = AlertmanagerWebhookConfig {
            url: SecretUrl::new(sink.url("/alerts?key=hunter2")),
            token: Some(Secret::new("hunter3")),
            ca: None,
            guard: Guard::default(),
        };
        AlertmanagerWebhook::new("am", config, words()).unwrap()
    }

    #[tokio::test]
    async fn an_incidents_life_is_groups_of_one_alert_as_alertmanager_sends_them() {
        let sink = Sink::start(&[], Do::Answer(200, "")).await;
        let hook = hook(&sink);
        for page in life() {
            assert_eq!(word(&hook.send(&page).await), "accepted");
        }
        let heard = sink.heard();
        assert!(heard.iter().all(|request| request.line == "POST /alerts?key=hunter2"));
        assert!(heard.iter().all(|request| request.header("authorization") == "Bearer hunter3"));
        let groups: Vec<Value> = heard.iter().map(|request| request.json()).collect();
        let statuses: Vec<&str> = groups.iter().map(|group| group["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["firing", "firing", "firing", "resolved", "firing"]);
        let labels = json!({
            "alertname": "MusterLiveness", "host": "web-1", "instance": "web-1", "incident": "1042",
            "key": "liveness/web-1/down", "severity": "warning", "site": "berlin",
        });
        let annotations = json!({ "summary": "web-1 is down", "description": "no message since 09:14:00" });
        let fingerprint = groups[0]["alerts"][0]["fingerprint"].clone();
        let expected = json!({
            "version": "4",
            "groupKey": "{}:{alertname=\"MusterLiveness\", key=\"liveness/web-1/down\"}",
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "hook",
            "groupLabels": { "alertname": "MusterLiveness", "key": "liveness/web-1/down" },
            "commonLabels": labels,
            "commonAnnotations": annotations,
            "externalURL": "https://muster.example.org",
            "alerts": [{
                "status": "firing",
                "labels": labels,
                "annotations": annotations,
                "startsAt": "2026-11-21T09:14:00.000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://muster.example.org/incidents/1042",
                "fingerprint": fingerprint,
            }],
        });
        assert_eq!(groups[0], expected);
        assert_eq!(groups[3]["alerts"][0]["endsAt"], "2026-11-21T09:20:00.000Z");
        assert_eq!(groups[3]["alerts"][0]["startsAt"], "2026-11-21T09:14:00.000Z");
        assert_eq!(groups[3]["groupKey"], groups[0]["groupKey"]);
        assert_eq!(groups[2]["alerts"][0]["annotations"]["acknowledged_by"], "Ana");
        assert!(!format!("{hook:?}").contains("hunter"));
    }

    #[test]
    fn a_fingerprint_is_that_of_prometheus_and_stays_while_the_incident_lasts() {
        let [page, ..] = life();
        let worse = Page { severity: Severity::Critical, ..page.clone() };
        let other = Page { key: "liveness/web-2/down".into(), ..page.clone() };
        let of = |page: &Page| fingerprint(&labels(page));
        assert_eq!(of(&page), of(&worse));
        assert_ne!(of(&page), of(&other));
        // FNV-1a of nothing, and of `key` ff `a` ff, reckoned apart from this code.
        assert_eq!(fingerprint(&Labels::new()), "cbf29ce484222325");
        assert_eq!(fingerprint(&[("key", "a".to_owned())].into()), "33660531758ab4e5");
    }

    #[tokio::test]
    async fn refusals_are_told_apart() {
        let script = [400, 401, 404, 413, 422, 302, 410].map(|status| Do::Answer(status, ""));
        let sink = Sink::start(&script, Do::Answer(204, "")).await;
        let (hook, [page, ..]) = (hook(&sink), life());
        for expected in ["refused", "refused", "refused", "rejected", "rejected", "refused", "gone", "accepted"] {
            assert_eq!(word(&hook.send(&page).await), expected);
        }
    }

    #[tokio::test]
    async fn overload_and_broken_ways_are_tried_again() {
        check_trouble_is_tried_again(hook).await;
    }
}
