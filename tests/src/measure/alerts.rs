//! Raises incidents from outside, as Prometheus does.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{Collector, http};

/// A sender of alerts to one collector, over a connection that is kept.
#[derive(Debug)]
pub struct Alerts {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Alerts {
    /// A sender with a token of its own.
    pub async fn to(collector: &Collector) -> Self {
        let token = collector.cli(&["api-token", "create", "--role", "alert", "--note", "measurement"]).await;
        Self { client: http::client(), url: collector.url("/api/v2/alerts"), token }
    }

    /// Says that these fire.
    ///
    /// # Errors
    /// When they are not taken.
    pub async fn fire(&self, names: &[String], severity: &str) -> Result<()> {
        let alert = |name: &String| json!({ "labels": { "alertname": name, "severity": severity } });
        self.post(names.iter().map(alert).collect()).await
    }

    /// Says that this one is over.
    ///
    /// # Errors
    /// When it is not taken.
    pub async fn end(&self, name: &str, severity: &str) -> Result<()> {
        let labels = json!({ "alertname": name, "severity": severity });
        self.post(json!([{ "labels": labels, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-01T00:00:01Z" }]))
            .await
    }

    async fn post(&self, alerts: Value) -> Result<()> {
        let request = self.client.post(&self.url).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(alerts.to_string());
        let answer = request.send().await?;
        ensure!(answer.status() == 200, "the collector answered {} to alerts", answer.status());
        Ok(())
    }
}
