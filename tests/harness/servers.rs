//! The real servers of the field: Prometheus, Alertmanager, node_exporter, as Debian ships them.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::http;
use crate::process::{Process, free_port, installed};

/// All three are ready in under a second on an idle machine.
const START: Duration = Duration::from_secs(30);

/// A Prometheus with a configuration of the story's.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    _process: Process,
    _home: TempDir,
}

impl Prometheus {
    /// Starts it.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start(config: &str) -> Self {
        let (home, port) = (TempDir::new().expect("a directory"), free_port());
        std::fs::write(home.path().join("prometheus.yml"), config).expect("a file in a directory of our own");
        let mut command = Command::new(installed("prometheus", "prometheus"));
        command
            .arg(format!("--config.file={}", home.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", home.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("prometheus", &mut command, &home.path().join("log"));
        ready(&mut process, format!("http://127.0.0.1:{port}/-/ready")).await;
        Self { port, _process: process, _home: home }
    }

    /// The result of an instant query: pairs of labels and value.
    pub async fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let url = format!("http://127.0.0.1:{}/api/v1/query", self.port);
        let url = reqwest::Url::parse_with_params(&url, [("query", query)]).expect("a URL of our own making");
        let Some(answer) = http::get(url.as_str()).await else { return Vec::new() };
        let answer = answer.json();
        let rows = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let value = |row: &Value| row["value"][1].as_str().and_then(|text| text.parse().ok());
        rows.iter().filter_map(|row| Some((row["metric"].clone(), value(row)?))).collect()
    }
}

impl Prometheus {
    /// The result of an instant query at a time in Unix seconds.
    ///
    /// # Errors
    /// What Prometheus says is wrong with it.
    pub async fn query_at(&self, query: &str, time: f64) -> Result<Vec<(Value, f64)>, String> {
        let answer = self.ask("query", &[("query", query), ("time", &time.to_string())]).await;
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        let rows = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let value = |row: &Value| row["value"][1].as_str().and_then(|text| text.parse().ok());
        Ok(rows.iter().filter_map(|row| Some((row["metric"].clone(), value(row)?))).collect())
    }

    /// The values of a label among the series that `selector` selects, as a dashboard's variable asks for them.
    pub async fn label_values(&self, selector: &str, label: &str) -> Vec<String> {
        let answer = self.ask(&format!("label/{label}/values"), &[("match[]", selector)]).await;
        let values = answer["data"].as_array().cloned().unwrap_or_default();
        values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }

    /// Where it sends alerts to.
    pub async fn alertmanagers(&self) -> Vec<String> {
        let answer = self.ask("alertmanagers", &[]).await;
        let all = answer["data"]["activeAlertmanagers"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(|one| one["url"].as_str().map(str::to_owned)).collect()
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let url = reqwest::Url::parse_with_params(&url, parameters).expect("a URL of our own making");
        http::get(url.as_str()).await.map(|answer| answer.json()).unwrap_or_default()
    }

    /// The type of a family as the scraped page named it, if it did.
    pub async fn type_of(&self, family: &str) -> Option<String> {
        let answer = http::get(&format!("http://127.0.0.1:{}/api/v1/metadata?metric={family}", self.port)).await?;
        answer.json()["data"][family][0]["type"].as_str().map(str::to_owned)
    }
}

/// An Alertmanager that is alone.
#[derive(Debug)]
pub struct Alertmanager {
    port: u16,
    process: Option<Process>,
    home: TempDir,
}

impl Alertmanager {
    /// Starts it; what it is told it passes on to `webhook`.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start(webhook: &str) -> Self {
        Self::with(&format!(
            "route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 1s}}\n\
             receivers: [{{name: hook, webhook_configs: [{{url: '{webhook}', send_resolved: true}}]}}]\n"
        ))
        .await
    }

    /// Starts it with a configuration of the story's.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn with(config: &str) -> Self {
        let mut alone = Self { port: free_port(), process: None, home: TempDir::new().expect("a directory") };
        std::fs::write(alone.home.path().join("alertmanager.yml"), config).expect("a file in a directory of our own");
        alone.run().await;
        alone
    }

    async fn run(&mut self) {
        let (home, port) = (self.home.path(), self.port);
        let mut command = Command::new(installed("prometheus-alertmanager", "prometheus-alertmanager"));
        command
            .arg(format!("--config.file={}", home.join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", home.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=");
        let mut process = Process::start("alertmanager", &mut command, &home.join("log"));
        ready(&mut process, format!("http://127.0.0.1:{port}/-/ready")).await;
        self.process = Some(process);
    }

    /// Kills it (SIGKILL) and starts it again: it has forgotten every alert.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn crash(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill().await;
        }
        self.run().await;
    }

    /// Tells it of alerts, as a Prometheus does.
    ///
    /// # Panics
    /// When it does not take them.
    pub async fn post(&self, alerts: &Value) {
        let request = http::client().post(format!("http://127.0.0.1:{}/api/v2/alerts", self.port));
        let request = request.header("content-type", "application/json").body(alerts.to_string());
        assert_eq!(request.send().await.expect("Alertmanager answers").status(), 200, "{alerts:#}");
    }

    /// The receiver for `collector.toml`.
    #[must_use]
    pub fn receiver(&self) -> String {
        let port = self.port;
        format!("[[receiver]]\nname = \"am\"\nkind = \"alertmanager\"\nurls = [\"http://127.0.0.1:{port}\"]\n")
    }

    /// The alerts that are firing now, but none about findings, which tell of the machine that the tests run on.
    pub async fn alerts(&self) -> Vec<Value> {
        let answer = http::get(&format!("http://127.0.0.1:{}/api/v2/alerts", self.port)).await;
        let alerts = answer.and_then(|answer| answer.json().as_array().cloned()).unwrap_or_default();
        let is_finding = |alert: &Value| alert["labels"]["key"].as_str().is_some_and(|key| key.starts_with("finding/"));
        alerts.into_iter().filter(|alert| !is_finding(alert)).collect()
    }
}

/// A node_exporter to compare with.
#[derive(Debug)]
pub struct NodeExporter {
    port: u16,
    _process: Process,
    _home: TempDir,
}

impl NodeExporter {
    /// Starts it with its defaults.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// Starts it to read a captured machine below `root`, with these collectors only.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn of_captured(root: &Path, collectors: &[&str]) -> Self {
        let root = root.display();
        let mut arguments = vec![
            format!("--path.procfs={root}/proc"),
            format!("--path.sysfs={root}/sys"),
            format!("--path.rootfs={root}"),
            "--collector.disable-defaults".to_owned(),
            // Netlink would tell of the machine that the tests run on.
            "--no-collector.netdev.netlink".to_owned(),
        ];
        arguments.extend(collectors.iter().map(|collector| format!("--collector.{collector}")));
        Self::with(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// Starts it with these arguments.
    ///
    /// # Panics
    /// When it does not get ready.
    pub async fn with(arguments: &[&str]) -> Self {
        let (home, port) = (TempDir::new().expect("a directory"), free_port());
        let mut command = Command::new(installed("prometheus-node-exporter", "prometheus-node-exporter"));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}")).args(arguments);
        let mut process = Process::start("node_exporter", &mut command, &home.path().join("log"));
        ready(&mut process, format!("http://127.0.0.1:{port}/metrics")).await;
        Self { port, _process: process, _home: home }
    }

    /// Its page.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn page(&self) -> String {
        let answer = http::get(&format!("http://127.0.0.1:{}/metrics", self.port)).await;
        answer.expect("node_exporter answers").body
    }

    /// What it says now.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn samples(&self) -> std::collections::BTreeMap<String, f64> {
        http::samples(&self.page().await)
    }
}

async fn ready(process: &mut Process, url: String) {
    process.ready(START, || async { http::get(&url).await.filter(|answer| answer.status == 200) }).await;
}
