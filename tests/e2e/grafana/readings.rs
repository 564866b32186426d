//! What the pages and the API say at both ends of a stretch of time, and arithmetic with ranges of it.
//!
//! A page is read twice at each end, on both sides of the instant that Prometheus is asked for: what it has stored then
//! lies between the two, whoever is slow.

use std::collections::{BTreeMap, BTreeSet};

use muster_tests::raw::{self, Raw, Talk, hello};
use muster_tests::servers::Prometheus;
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, Webhook, eventually, http};
use serde_json::Value;
use tempfile::TempDir;

use crate::s;

/// Both pages of an end of the stretch are this far apart: a report, its scrape, and a busy machine's delay fit between.
const APART: u64 = 4;
/// Between the ends.
const STRETCH: u64 = 12;

/// A file system that is less than 100 % empty is a finding; a mirror and a webhook that nobody answers for.
const SETTINGS: &str = "[rules.filesystem_space]\nwarning = \"100 %\"\nwarning_free = \"10000 GiB\"\n\
    [[host_rule]]\nname = \"*\"\nsite = \"berlin\"\n\
    [[agreement]]\nname = \"all hosts\"\ntarget = 99.9\nhosts = [\"*\"]\nperiod = \"7d\"\n\
    [[receiver]]\nname = \"deaf\"\nkind = \"alertmanager\"\nurls = [\"http://127.0.0.1:9\"]\n\
    [[receiver]]\nname = \"dead\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\nseverity = \"critical\"\n";
/// Units as systemd has them, where there is no systemd: said by a script, and only if nobody else says them.
const UNITS: &str = "node_systemd_unit_state{name=\"backup.service\",state=\"failed\",type=\"oneshot\"} 1\n\
    node_systemd_unit_state{name=\"web.service\",state=\"failed\",type=\"simple\"} 0\n\
    node_systemd_unit_state{name=\"web.service\",state=\"active\",type=\"simple\"} 1\n";

pub(crate) type Range = (f64, f64);
type Labels = BTreeMap<String, String>;
type Samples = BTreeMap<String, f64>;

/// Whose page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Page {
    Host,
    Collector,
}

#[derive(Debug)]
struct Pages {
    host: Samples,
    collector: Samples,
}

/// Everything that panels are compared with.
#[derive(Debug)]
pub(crate) struct Readings {
    /// The name of the host that is up.
    pub(crate) host: String,
    /// When Prometheus is asked for, in Unix seconds.
    pub(crate) at: f64,
    /// The length of the stretch that ends then.
    pub(crate) seconds: u64,
    pub(crate) hosts: Vec<Value>,
    pub(crate) incidents: Vec<Value>,
    pub(crate) agreements: Vec<Value>,
    began: [Pages; 2],
    ended: [Pages; 2],
    collector: Collector,
    _agents: [Agent; 2],
    _others: (Webhook, TempDir),
}

fn unix_seconds() -> f64 {
    raw::now().wall_ms as f64 / 1_000.0
}

async fn pages(collector: &Collector, agent: &Agent) -> Pages {
    let path = format!("/hosts/{}/metrics", agent.host);
    let look = || async { Some(collector.get(&path).await).filter(|answer| answer.status == 200) };
    let host = http::samples(&eventually("the host's page", s(30), look).await.body);
    Pages { host, collector: http::samples(&collector.get("/metrics").await.body) }
}

/// A fleet of a host that is up and one whose agent is gone, both with findings.
async fn fleet() -> (Collector, [Agent; 2], (Webhook, TempDir)) {
    let (webhook, scripts) = (Webhook::start().await, TempDir::new().expect("a directory"));
    let tables = format!("{SETTINGS}[[receiver]]\nname = \"ops\"\nkind = \"webhook\"\nurl = \"{}\"\n", webhook.url());
    let collector = Collector::start(&tables).await;
    std::fs::write(scripts.path().join("units.prom"), UNITS).expect("a file in a directory of our own");
    let mut agent = Agent::enrolled(&collector, "normal", None).await;
    agent.configure(&format!("interval = \"1s\"\n[textfile]\ndirectories = [\"{}\"]", scripts.path().display()));
    agent.run();
    let mut silent = Agent::up(&collector, "fast").await;
    for host in [&agent.host, &silent.host] {
        let found = || async {
            let hosts = collector.hosts().await;
            hosts.into_iter().find(|found| found["id"] == **host && found["findings"][0].is_object())
        };
        eventually("a full file system is found", s(60), found).await;
    }
    silent.kill().await;
    collector.host_is(&silent.host, "agent_lost", s(30)).await;
    webhook.wait("incident.opened", s(30)).await;
    (collector, [agent, silent], (webhook, scripts))
}

/// Starts a fleet and a Prometheus that scrapes it, and reads all pages at both ends of a stretch of time.
pub(crate) async fn taken() -> (Readings, Prometheus) {
    let (collector, agents, others) = fleet().await;
    let agent = &agents[0];
    let prometheus = Prometheus::start(&crate::prometheus::shipped(&collector).await).await;
    let units = format!("node_systemd_unit_state{{instance=\"{}\"}}", agent.name);
    for query in [&*units, "muster_finding", "muster_host_up == 0", "muster_sla_subjects == 2"] {
        eventually(query, s(60), || async { prometheus.query(query).await.pop() }).await;
    }
    let (first, began) = (pages(&collector, agent).await, unix_seconds());
    pass(s(APART)).await;
    let (second, middle) = (pages(&collector, agent).await, f64::midpoint(began, unix_seconds()));
    make_news(&collector, agent).await;
    pass(s(STRETCH)).await;
    let third = pages(&collector, agent).await;
    pass(s(APART)).await;
    let at = unix_seconds();
    let readings = Readings {
        host: agent.name.clone(),
        at,
        seconds: (at - middle).round() as u64,
        hosts: collector.hosts().await,
        incidents: collector.incidents().await,
        agreements: agreements(&collector).await,
        ended: [third, pages(&collector, agent).await],
        began: [first, second],
        collector,
        _agents: agents,
        _others: others,
    };
    (readings, prometheus)
}

async fn agreements(collector: &Collector) -> Vec<Value> {
    let list = collector.get("/api/v1/agreements").await.json();
    list["items"].as_array().expect("a list").clone()
}

/// A page that arrives, and a stream that is refused.
async fn make_news(collector: &Collector, agent: &Agent) {
    collector.cli(&["route", "test", "ops"]).await;
    let stranger = Raw::stolen_from(agent, collector).connect_anonymously().await;
    let refused = Talk::open(stranger, false, Some(hello(1))).await.map(drop);
    assert!(refused.is_err(), "a stranger without a certificate was let in");
}

impl Readings {
    /// What Prometheus calls the collector.
    pub(crate) fn target(&self) -> String {
        format!("127.0.0.1:{}", self.collector.http)
    }

    fn values(&self, page: Page, name: &str) -> Vec<(Labels, [Option<f64>; 4])> {
        let of = |pages| -> &Samples {
            let pages: &Pages = pages;
            match page {
                Page::Host => &pages.host,
                Page::Collector => &pages.collector,
            }
        };
        let all = [&self.began[0], &self.began[1], &self.ended[0], &self.ended[1]].map(of);
        let is_it = |series: &&String| series.split('{').next() == Some(name);
        let series: BTreeSet<&String> = all.iter().flat_map(|samples| samples.keys().filter(is_it)).collect();
        series.into_iter().map(|series| (labels(series), all.map(|samples| samples.get(series).copied()))).collect()
    }

    /// The values of a gauge at the end, with what it may move meanwhile.
    pub(crate) fn gauge(&self, page: Page, name: &str) -> Series {
        let at_end = |(labels, [_, _, first, last]): (Labels, [Option<f64>; 4])| {
            let (first, last) = (first.or(last)?, last.or(first)?);
            let play = first.abs().max(last.abs()) * 0.03;
            Some((labels, (first.min(last) - play, first.max(last) + play)))
        };
        Series(self.values(page, name).into_iter().filter_map(at_end).collect())
    }

    /// How much a counter rose a second, with what `rate()` adds for the ends of the stretch that no scrape met.
    pub(crate) fn rate(&self, page: Page, name: &str) -> Series {
        let rise = |(labels, [before, after, early, late]): (Labels, [Option<f64>; 4])| {
            let (early, late) = (early.or(late)?, late.or(early)?);
            let seconds = self.seconds as f64;
            let least = early - after.or(before).unwrap_or(early);
            let most = late - before.or(after).unwrap_or(0.0);
            Some((labels, (least.max(0.0) / seconds * 0.75, most.max(0.0) / seconds * 1.35)))
        };
        Series(self.values(page, name).into_iter().filter_map(rise).collect())
    }

    /// How long before the end an instant was that a gauge names.
    pub(crate) fn age(&self, page: Page, name: &str) -> Series {
        let at_end = |(labels, [_, _, first, last]): (Labels, [Option<f64>; 4])| {
            Some((labels, (self.at - last.or(first)? - 3.0, self.at - first.or(last)? + 3.0)))
        };
        Series(self.values(page, name).into_iter().filter_map(at_end).collect())
    }
}

/// The labels of a series as a page writes it; values with escapes are not met here.
fn labels(series: &str) -> Labels {
    let inner = series.split_once('{').map_or("", |(_, rest)| rest.trim_end_matches('}'));
    let pairs = inner.trim_end_matches('"').split("\",");
    pairs.filter_map(|pair| pair.split_once("=\"")).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Series of one name.
#[derive(Debug, Clone)]
pub(crate) struct Series(Vec<(Labels, Range)>);

impl Series {
    /// Those whose label passes.
    pub(crate) fn only(self, label: &str, is_meant: impl Fn(&str) -> bool) -> Self {
        let value = |labels: &Labels| labels.get(label).cloned().unwrap_or_default();
        Self(self.0.into_iter().filter(|(labels, _)| is_meant(&value(labels))).collect())
    }

    /// Their sums by the values of these labels.
    pub(crate) fn sum(&self, by: &[&str]) -> Rows {
        let mut rows = BTreeMap::new();
        for (labels, (low, high)) in &self.0 {
            let row: &mut Range = rows.entry(key(by, |name| labels.get(name).cloned())).or_default();
            *row = (row.0 + low, row.1 + high);
        }
        Rows { rows, ..Rows::default() }
    }

    /// Their means.
    pub(crate) fn mean(&self, by: &[&str]) -> Rows {
        let count = self.count(by);
        self.sum(by).with(&count, |sum, count| sum / count)
    }

    /// How many they are.
    pub(crate) fn count(&self, by: &[&str]) -> Rows {
        Self(self.0.iter().map(|(labels, _)| (labels.clone(), (1.0, 1.0))).collect()).sum(by)
    }
}

fn key(by: &[&str], value: impl Fn(&str) -> Option<String>) -> String {
    by.iter().map(|name| value(name).unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

/// What a query must answer: a range for each row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    rows: BTreeMap<String, Range>,
    comes_and_goes: bool,
    slack: f64,
}

impl Rows {
    /// Exactly these.
    pub(crate) fn of(rows: impl IntoIterator<Item = (String, f64)>) -> Self {
        let mut sums: BTreeMap<String, Range> = BTreeMap::new();
        for (key, value) in rows {
            let row = sums.entry(key).or_default();
            *row = (row.0 + value, row.1 + value);
        }
        Self { rows: sums, ..Self::default() }
    }

    /// One row without labels.
    pub(crate) fn between(low: f64, high: f64) -> Self {
        Self { rows: BTreeMap::from([(String::new(), (low, high))]), ..Self::default() }
    }

    /// `change` never turns around between the ends of a range.
    pub(crate) fn map(self, change: impl Fn(f64) -> f64) -> Self {
        self.clone().with(&self, |value, _| change(value))
    }

    /// Row by row with another; rows that only one has are left out.
    pub(crate) fn with(self, other: &Self, combine: impl Fn(f64, f64) -> f64) -> Self {
        let ranges = |(key, (low, high)): (String, Range)| {
            let (least, most) = other.rows.get(&key)?;
            let corners = [combine(low, *least), combine(low, *most), combine(high, *least), combine(high, *most)];
            let low = corners.iter().copied().fold(f64::INFINITY, f64::min);
            Some((key, (low, corners.iter().copied().fold(f64::NEG_INFINITY, f64::max))))
        };
        Self { rows: self.rows.into_iter().filter_map(ranges).collect(), ..self }
    }

    /// Rows under the name of the host, whose page does not say it.
    pub(crate) fn under(self, prefix: &str) -> Self {
        let rows = self.rows.into_iter().map(|(key, range)| (format!("{prefix} {key}").trim().to_owned(), range));
        Self { rows: rows.collect(), ..self }
    }

    /// With the rows of another.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { rows: self.rows.into_iter().chain(other.rows).collect(), ..self }
    }

    /// Mounts and interfaces of other tests come and go: not all rows need be met, and others may be there.
    pub(crate) fn moving(self) -> Self {
        Self { comes_and_goes: true, ..self }
    }

    /// Values near zero are uncertain by this much.
    pub(crate) fn give_or_take(self, slack: f64) -> Self {
        Self { slack, ..self }
    }

    /// What is wrong with an answer.
    pub(crate) fn compare(&self, found: &[(Value, f64)], by: &[&str]) -> Vec<String> {
        let mut wrong: Vec<String> = Vec::new();
        if found.is_empty() {
            wrong.push(format!("no data, expected {:?}", self.rows));
        }
        let text = |labels: &Value, name: &str| labels[name].as_str().map(str::to_owned);
        let found: BTreeMap<String, f64> =
            found.iter().map(|(labels, value)| (key(by, |name| text(labels, name)), *value)).collect();
        for (key, value) in &found {
            match self.rows.get(key) {
                None if self.comes_and_goes => {}
                None => wrong.push(format!("the row {key:?} is not expected")),
                Some((low, high)) if (low - self.slack - 1e-6..=high + self.slack + 1e-6).contains(value) => {}
                Some(range) => wrong.push(format!("{key:?} is {value}, not in {range:?}")),
            }
        }
        if !self.rows.is_empty() && !found.keys().any(|key| self.rows.contains_key(key)) {
            wrong.push(format!("none of the rows {:?} is there", self.rows.keys()));
        }
        let missing = self.rows.keys().filter(|key| !found.contains_key(*key));
        wrong.extend(missing.filter(|_| !self.comes_and_goes).map(|key| format!("the row {key:?} is missing")));
        wrong
    }
}
