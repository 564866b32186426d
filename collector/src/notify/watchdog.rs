//! Telling a watchdog that the collector is well: a check of healthchecks.io or of what speaks like it, or a `[[heartbeat]]` of
//! another collector. `POST URL` says that it is well, `POST URL/fail` that it is not; the body says more.
//!
//! What is said and when is not decided here: [`crate::domain::watchdog`].

use std::time::Duration;

use prometheus::{GaugeVec, IntCounterVec, Opts, Registry};

use super::{
    client::{self, ClientError},
    guard::{Guard, SecretUrl},
};
use crate::domain::{time::Timestamp, watchdog::Health};

/// What a collector that is not well does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwell {
    /// It says so: `/fail`.
    Says,
    /// It says nothing, and is missed.
    IsSilent,
}

/// `[[watchdog]]`: one that watches this collector.
#[derive(Debug, Clone)]
pub struct WatchdogConfig {
    /// Its name, unique.
    pub name: String,
    /// Where it is told.
    pub url: SecretUrl,
    /// How often; default 1 min.
    pub every: Duration,
    /// What it hears when the collector is not well; default that.
    pub unwell: Unwell,
    /// Certificates (PEM) to trust instead of the system's: `ca_file`.
    pub ca: Option<Vec<u8>>,
    /// Addresses that may be posted to: `allow`.
    pub guard: Guard,
}

impl WatchdogConfig {
    /// Where it stands, without what is secret.
    #[must_use]
    pub fn place(&self) -> String {
        let url = self.url.expose();
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
    }
}

/// What watchdogs were told.
#[derive(Debug, Clone)]
pub struct WatchdogMetrics {
    last_success: GaugeVec,
    rounds: IntCounterVec,
}

impl WatchdogMetrics {
    /// Registers the figures.
    ///
    /// # Errors
    /// A name is registered already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let last_success = GaugeVec::new(
            Opts::new(
                "muster_watchdog_last_success_timestamp_seconds",
                "When a watchdog took the word that this collector is well; 0 before the first time.",
            ),
            &["watchdog"],
        )?;
        let rounds = IntCounterVec::new(
            Opts::new(
                "muster_watchdog_rounds_total",
                "Rounds to a watchdog, by outcome (well, unwell: told that we are not well, withheld: not told because of that, \
                 unreached).",
            ),
            &["watchdog", "outcome"],
        )?;
        registry.register(Box::new(last_success.clone()))?;
        registry.register(Box::new(rounds.clone()))?;
        Ok(Self { last_success, rounds })
    }
}

/// How a round went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It took the word.
    Taken,
    /// Nothing was said, because the collector is not well.
    Withheld,
    /// It was not reached or did not take the word.
    Unreached(String),
}

/// A watchdog that can be told something.
#[derive(Debug)]
pub struct Watchdog {
    config: WatchdogConfig,
    client: reqwest::Client,
    metrics: WatchdogMetrics,
}

impl Watchdog {
    /// One ready to be told.
    ///
    /// # Errors
    /// The certificate store of this machine cannot be used.
    pub fn new(config: WatchdogConfig, metrics: WatchdogMetrics) -> Result<Self, ClientError> {
        let url = std::slice::from_ref(config.url.expose());
        let client = client::build(&config.name, url, config.ca.as_deref(), &config.guard)?;
        // A zero is seen before the first rise.
        for outcome in ["well", "unwell", "withheld", "unreached"] {
            let _ = metrics.rounds.with_label_values(&[&config.name, outcome]);
        }
        let _ = metrics.last_success.with_label_values(&[&config.name]);
        Ok(Self { config, client, metrics })
    }

    /// As configured.
    #[must_use]
    pub const fn config(&self) -> &WatchdogConfig {
        &self.config
    }

    /// Says in `words` how the collector is.
    pub async fn say(&self, health: &Health, words: String, now: Timestamp) -> Said {
        let is_well = *health == Health::Well;
        let said = if !is_well && self.config.unwell == Unwell::IsSilent {
            Said::Withheld
        } else {
            self.post(is_well, words).await
        };
        let outcome = match &said {
            Said::Taken if is_well => {
                #[expect(clippy::cast_precision_loss, reason = "milliseconds of this millennium are exact")]
                self.metrics.last_success.with_label_values(&[&self.config.name]).set(now.ms() as f64 / 1_000.0);
                "well"
            }
            Said::Taken => "unwell",
            Said::Withheld => "withheld",
            Said::Unreached(_) => "unreached",
        };
        self.metrics.rounds.with_label_values(&[&self.config.name, outcome]).inc();
        said
    }

    async fn post(&self, is_well: bool, words: String) -> Said {
        let mut url = self.config.url.expose().clone();
        if !is_well && let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("fail");
        }
        let request = self.client.post(url).header(http::header::CONTENT_TYPE, "text/plain; charset=utf-8").body(words);
        match client::send(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => Said::Taken,
            Ok(answer) => Said::Unreached(format!("it answered {}", answer.status)),
            Err(error) => Said::Unreached(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::sink::{Do, Sink},
        *,
    };
    use crate::domain::severity::Severity;

    fn watchdog(sink: &Sink, path: &str, unwell: Unwell) -> (Watchdog, Registry) {
        let (registry, url) = (Registry::new(), SecretUrl::new(sink.url(path)));
        let every = Duration::from_secs(60);
        let config = WatchdogConfig { name: "outside".into(), url, every, unwell, ca: None, guard: Guard::default() };
        (Watchdog::new(config, WatchdogMetrics::register(&registry).unwrap()).unwrap(), registry)
    }

    fn unwell() -> Health {
        Health::Unwell { severity: Severity::Critical, why: "the engine does not answer".into() }
    }

    /// The metric's value, by its labels' last.
    fn value(registry: &Registry, name: &str, label: &str) -> f64 {
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let has = |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|pair| pair.value() == label);
        let metric = family.get_metric().iter().find(has).unwrap();
        metric.get_gauge().get_value() + metric.get_counter().get_value()
    }

    #[tokio::test]
    async fn it_is_told_that_all_is_well_and_below_fail_that_it_is_not() {
        let sink = Sink::start(&[], Do::Answer(200, "OK")).await;
        let (dog, registry) = watchdog(&sink, "/ping/s3cr3t?rid=1", Unwell::Says);
        let now = Timestamp::from_ms(1_795_252_443_250);
        assert_eq!(dog.say(&Health::Well, "well".into(), now).await, Said::Taken);
        assert_eq!(dog.say(&unwell(), "not well".into(), now.plus_ms(60_000)).await, Said::Taken);
        let heard: Vec<_> = sink.heard().iter().map(|request| (request.line.clone(), request.body.clone())).collect();
        assert_eq!(heard[0], ("POST /ping/s3cr3t?rid=1".into(), "well".into()));
        assert_eq!(heard[1], ("POST /ping/s3cr3t/fail?rid=1".into(), "not well".into()));
        // Only a word that all is well counts as one.
        let last = value(&registry, "muster_watchdog_last_success_timestamp_seconds", "outside");
        assert!((last - 1_795_252_443.25).abs() < 1e-6, "{last}");
        assert!((value(&registry, "muster_watchdog_rounds_total", "unwell") - 1.0).abs() < f64::EPSILON);
    }

    #[tokio::test]
    async fn one_that_knows_no_fail_is_told_nothing_while_the_collector_is_not_well() {
        let sink = Sink::start(&[], Do::Answer(200, "OK")).await;
        let (dog, _) = watchdog(&sink, "/s3cr3t", Unwell::IsSilent);
        assert_eq!(dog.say(&unwell(), String::new(), Timestamp::from_ms(0)).await, Said::Withheld);
        assert_eq!(sink.heard().len(), 0);
    }

    #[tokio::test]
    async fn what_is_no_success_is_not_reached_and_nothing_says_more_than_its_host() {
        let script = [Do::Answer(404, "no such check"), Do::Answer(302, ""), Do::Reset, Do::Hang];
        let sink = Sink::start(&script, Do::Answer(200, "OK")).await;
        let (dog, _) = watchdog(&sink, "/s3cr3t", Unwell::Says);
        for _ in script {
            let said = dog.say(&Health::Well, String::new(), Timestamp::from_ms(0)).await;
            let Said::Unreached(error) = &said else { panic!("{said:?}") };
            assert!(!error.contains("s3cr3t"), "{error}");
        }
        let shown = format!("{dog:?} {}", dog.config().place());
        assert!(shown.contains("http://127.0.0.1:") && !shown.contains("s3cr3t"), "{shown}");
    }
}
