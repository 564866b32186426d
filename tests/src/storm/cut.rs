//! Every host of a fleet cut off at the same moment.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use muster_agent::clock::boottime_ns;
use muster_tests::measure::figures::{Table, flag, progress, short};
use muster_tests::measure::fleet::{Fleet, Share};
use muster_tests::measure::{ground, sink, sink::Page};
use muster_tests::network::Network;
use muster_tests::wait::{eventually, pass};
use muster_tests::{Collector, http};
use tokio::sync::mpsc;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Each host's first report comes at an instant of its own within its interval, a quarter of a minute.
const UP_WITHIN: Duration = Duration::from_secs(120);
/// The cut is seen within 9 s and paged 32 s later.
const CUT: Duration = Duration::from_secs(60);
/// The longest wait between two tries of an agent is a minute.
const BACK_WITHIN: Duration = Duration::from_secs(180);
/// Those who are not back a minute after half are would be suspect, seen 10 s and paged 30 s later.
const AFTERWARDS: Duration = Duration::from_secs(110);

/// What came of a cut.
pub(crate) struct Found {
    hosts: usize,
    sites: usize,
    /// Seconds from the cut until all were unreachable.
    seen: f64,
    /// The most that were so at one moment.
    unreachable: f64,
    down: f64,
    agent_lost: f64,
    /// Seconds from the cut to the page.
    paged: f64,
    /// Seconds from the end of the cut until half, and all, were back.
    half: f64,
    back: f64,
    /// Seconds from the end of the cut to the recovery.
    recovered: f64,
    /// Pages about critical incidents by type.
    pages: BTreeMap<String, usize>,
    /// Messages that a warning about a host's liveness began: nobody is woken, and yet it is one a host.
    warnings: usize,
    /// Hosts that are up at the end.
    up: f64,
}

impl Found {
    fn count(&self, kind: &str) -> usize {
        self.pages.get(kind).copied().unwrap_or(0)
    }

    pub(crate) fn is_good(&self) -> bool {
        let hosts = self.hosts as f64;
        self.count("incident.opened") == 1
            && self.count("incident.resolved") == 1
            && self.pages.values().sum::<usize>() == 2
            && self.warnings == 0
            && self.down < 1.0
            && self.agent_lost < 1.0
            && self.unreachable >= hosts
            && self.up >= hosts
    }
}

/// How the hosts stand at one moment.
struct Look {
    up: f64,
    down: f64,
    agent_lost: f64,
    unreachable: f64,
    sessions: f64,
}

/// Cuts a fleet of so many hosts off, with or without sites.
pub(crate) async fn run(hosts: usize, sites: bool) -> Result<Found> {
    let networks: usize = flag("--networks", 10);
    let (url, mut pages) = sink::start();
    let receiver =
        format!("[[receiver]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{url}\"\nseverity = \"warning\"\n");
    let collector = Collector::start(&receiver).await;
    let home = tempfile::TempDir::new_in(ground::shared_memory())?;
    let (trunk, _cables, mut fleets) = connect(&collector, hosts, networks, sites, home.path()).await?;
    progress(&format!("{hosts} hosts are here and report"));

    let mut found = Found {
        hosts,
        sites: if sites { networks } else { 0 },
        seen: f64::NAN,
        unreachable: 0.0,
        down: 0.0,
        agent_lost: 0.0,
        paged: f64::NAN,
        half: f64::NAN,
        back: f64::NAN,
        recovered: f64::NAN,
        pages: BTreeMap::new(),
        warnings: 0,
        up: 0.0,
    };
    let cut_ns = boottime_ns();
    trunk.cut().await;
    while since(cut_ns) < CUT.as_secs_f64() {
        let look = look(&collector).await?;
        found.notice(&look);
        if look.unreachable >= hosts as f64 && found.seen.is_nan() {
            found.seen = since(cut_ns);
        }
        pass(LOOK_EVERY).await;
    }
    progress("cut, and joined again");
    let healed_ns = boottime_ns();
    trunk.heal().await;
    while found.back.is_nan() && since(healed_ns) < BACK_WITHIN.as_secs_f64() {
        let look = look(&collector).await?;
        found.notice(&look);
        if look.up >= hosts as f64 / 2.0 && found.half.is_nan() {
            found.half = since(healed_ns);
        }
        if look.up >= hosts as f64 && look.sessions >= hosts as f64 {
            found.back = since(healed_ns);
        }
        pass(LOOK_EVERY).await;
    }
    progress("all are back");
    let until_ns = boottime_ns() + AFTERWARDS.as_nanos() as u64;
    while boottime_ns() < until_ns {
        let look = look(&collector).await?;
        found.notice(&look);
        found.up = look.up;
        pass(LOOK_EVERY).await;
    }
    found.read(&mut pages, cut_ns, healed_ns);
    for fleet in &mut fleets {
        fleet.order("stop").await?;
    }
    Ok(found)
}

impl Found {
    fn notice(&mut self, look: &Look) {
        self.unreachable = self.unreachable.max(look.unreachable);
        self.down = self.down.max(look.down);
        self.agent_lost = self.agent_lost.max(look.agent_lost);
    }

    fn read(&mut self, pages: &mut mpsc::Receiver<Page>, cut_ns: u64, healed_ns: u64) {
        while let Ok(page) = pages.try_recv() {
            let kind = page.body["type"].as_str().unwrap_or_default().to_owned();
            progress(&format!("page: {kind} {} {}", page.body["data"]["key"], page.body["data"]["title"]));
            if page.body["data"]["severity"] != "critical" {
                let of_a_host = page.body["data"]["key"].as_str().is_some_and(|key| key.starts_with("liveness/"));
                self.warnings += usize::from(of_a_host && kind == "incident.opened");
                continue;
            }
            let after = |from_ns: u64| (page.at_ns as f64 - from_ns as f64) / 1e9;
            match kind.as_str() {
                "incident.opened" if self.paged.is_nan() => self.paged = after(cut_ns),
                "incident.resolved" => self.recovered = after(healed_ns),
                _ => {}
            }
            *self.pages.entry(kind).or_default() += 1;
        }
    }
}

fn since(ns: u64) -> f64 {
    (boottime_ns() - ns) as f64 / 1e9
}

async fn look(collector: &Collector) -> Result<Look> {
    let answer = http::get(&collector.url("/metrics")).await.context("the collector does not answer")?;
    let samples = http::samples(&answer.body);
    let sum = |family: &str, label: &str| {
        let fits = |name: &str| name.split('{').next() == Some(family) && name.contains(label);
        samples.iter().filter(|(name, _)| fits(name)).map(|(_, value)| value).sum::<f64>()
    };
    Ok(Look {
        up: sum("muster_host_liveness", "state=\"up\""),
        down: sum("muster_host_liveness", "state=\"down\""),
        agent_lost: sum("muster_host_liveness", "state=\"agent_lost\""),
        unreachable: sum("muster_host_liveness", "state=\"unreachable\""),
        sessions: samples.get("muster_sessions").copied().unwrap_or(0.0),
    })
}

/// Enrols the hosts over loopback, then runs them behind cables of their own that all end at one trunk: whoever cuts
/// that cuts off all of them with one packet filter, at the same moment.
async fn connect(
    collector: &Collector,
    hosts: usize,
    networks: usize,
    sites: bool,
    home: &std::path::Path,
) -> Result<(Network, Vec<Network>, Vec<Fleet>)> {
    let trunk = Network::make().await;
    let (mut cables, mut fleets) = (Vec::new(), Vec::new());
    for number in 0..networks {
        let (first, next) = (hosts * number / networks, hosts * (number + 1) / networks);
        let site = format!("site-{number}");
        ground::write_tokens_at(collector, next - first, sites.then_some(&*site), home).await?;
        let mut share = Share { first, hosts: next - first, series: 50, record: 2, network: None };
        let mut enrolling = Fleet::start_share(&share, collector.grpc, home)?;
        enrolling.wait("enrolled", Duration::from_secs(60 + hosts as u64 / 5)).await?;
        drop(enrolling);
        let cable = Network::behind(&trunk).await;
        let address = cable.outside(0).trim_end_matches(":0").to_owned();
        share.network = Some((cable.name.clone(), address));
        fleets.push(Fleet::start_share(&share, collector.grpc, home)?);
        cables.push(cable);
    }
    for fleet in &mut fleets {
        fleet.wait("enrolled", Duration::from_secs(120)).await?;
        fleet.order("connect").await?;
    }
    let all = || async { (look(collector).await.ok()?.sessions >= hosts as f64).then_some(()) };
    eventually("all hosts are connected", Duration::from_secs(120 + hosts as u64 / 20), all).await;
    for fleet in &mut fleets {
        fleet.order("reports").await?;
    }
    // One that was never up is unknown, cut off or not.
    let all_up = || async { (look(collector).await.ok()?.up >= hosts as f64).then_some(()) };
    eventually("all hosts are up", UP_WITHIN, all_up).await;
    Ok((trunk, cables, fleets))
}

/// Prints what came of the cuts.
pub(crate) fn report(cuts: &[Found]) {
    let heads = [
        "hosts cut at once",
        "all unreachable",
        "down",
        "agent lost",
        "page",
        "half back",
        "all back",
        "recovery",
        "pages opened/resolved/other",
        "warnings",
    ];
    let mut table = Table::new(&heads);
    for cut in cuts {
        let (opened, resolved) = (cut.count("incident.opened"), cut.count("incident.resolved"));
        let other = cut.pages.values().sum::<usize>() - opened - resolved;
        let sites = if cut.sites > 0 { format!(" at {} sites", cut.sites) } else { String::new() };
        table.row([
            format!("{}{sites}", cut.hosts),
            format!("{} after {} s", cut.unreachable, short(cut.seen)),
            short(cut.down),
            short(cut.agent_lost),
            format!("{} s", short(cut.paged)),
            format!("{} s", short(cut.half)),
            format!("{} s", short(cut.back)),
            format!("{} s", short(cut.recovered)),
            format!("{opened}/{resolved}/{other}"),
            cut.warnings.to_string(),
        ]);
    }
    table.print();
}
