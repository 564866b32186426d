//! A collector at work while all that it asks of the kernel is written down: hosts tell numbered records, incidents come from
//! outside, a person takes some, pages go out, a backup is taken; it is stopped and started again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use muster_agent::clock::boottime_ns;
use muster_proto::v1::{self, agent_message::Body, collector_message};
use tokio::process::Command;
use tokio::task::JoinSet;
use tonic::Status;

use super::disk::{Disk, Everything};
use super::image::Image;
use super::promise::{Diary, Word, wall_ns};
use super::{look, trace};
use crate::measure::alerts::Alerts;
use crate::process::{program, run};
use crate::raw::{Raw, Talk, facts, hello, now};
use crate::wait::pass;
use crate::webhook::Message;
use crate::{Collector, Webhook, eventually, http};

/// What is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Hosts that tell records.
    pub hosts: usize,
    /// How often the collector is started.
    pub lives: usize,
    /// How long it is at work each time.
    pub work: Duration,
}

/// What was written down.
#[derive(Debug)]
pub struct Recording {
    /// The state directory, with all that was done to it.
    pub disk: Disk,
    /// When each phase began, and its name.
    pub phases: Vec<(u64, String)>,
    /// What was asked and promised.
    pub words: Vec<(u64, Word)>,
    /// The hosts.
    pub hosts: Vec<Raw>,
    /// Pages that arrived, with when they did.
    pub pages: Vec<(u64, Message)>,
    /// Calls that were written down, and the bytes of the traces.
    pub size: (usize, u64),
}

/// Pages of a collector's database are checkpointed when its log has a thousand: records are so long.
const RECORD_BYTES: u64 = 6_000;
/// Names of alerts begin so.
pub const ALERT: &str = "Power";

/// What the record of this number says: the same whenever it is sent again.
#[must_use]
pub fn says(host: usize, sequence: u64) -> String {
    let long = (sequence * 2_654_435_761) % RECORD_BYTES;
    format!("power {host} {sequence} {}", "x".repeat(usize::try_from(long).unwrap_or(0)))
}

/// A record as its host sends it.
#[must_use]
pub fn record(host: usize, sequence: u64) -> Body {
    let event = v1::KernelEvent { sequence, priority: 6, boottime_us: 1, message: says(host, sequence) };
    let kernel = v1::KernelEvents { events: vec![event] };
    let clock = Some(now());
    Body::Record(v1::Record { sequence, boot_id: vec![1; 16], clock, body: Some(v1::record::Body::Kernel(kernel)) })
}

/// Opens the session of a host that holds records from the one after `stored` on; what it was welcomed with.
///
/// # Errors
/// The collector's refusal.
pub async fn session(raw: &Raw, host: usize, generation: u64, stored: u64) -> Result<(Talk, v1::Welcome), Status> {
    let boot = u8::try_from(host + 1).unwrap_or(1);
    let hello = v1::Hello { generation, first_kept: stored + 1, last_record: stored + 1, ..hello(boot) };
    let mut talk = Talk::open(raw.connect().await, false, Some(hello)).await?;
    match talk.next().await? {
        collector_message::Body::Welcome(welcome) => Ok((talk, welcome)),
        other => Err(Status::internal(format!("not a welcome: {other:?}"))),
    }
}

/// A collector at work, with all that is needed to go on.
struct Scene {
    home: PathBuf,
    collector: Collector,
    hook: Arc<Webhook>,
    diary: Arc<Diary>,
    hosts: Vec<Arc<Raw>>,
    alerts: Option<Arc<Alerts>>,
    raised: Arc<AtomicUsize>,
    disk: Disk,
    phases: Vec<(u64, String)>,
    size: (usize, u64),
}

/// Records a collector at work as planned.
///
/// # Errors
/// `strace` cannot be used, or what it wrote is not all that was done.
///
/// # Panics
/// When the collector does not do what it is asked for.
pub async fn record_of(plan: Plan) -> Result<Recording> {
    let hook = Arc::new(Webhook::start().await);
    let collector = Collector::prepare(&hook.receiver());
    let mut scene = Scene {
        home: collector.home().to_path_buf(),
        disk: Disk::new(&collector.state()),
        collector,
        hook,
        diary: Arc::default(),
        hosts: Vec::new(),
        alerts: None,
        raised: Arc::default(),
        phases: Vec::new(),
        size: (0, 0),
    };
    for life in 1..=plan.lives {
        scene.live(life, plan).await.with_context(|| format!("life {life} of the collector"))?;
    }
    // Both clocks run alike for as long as this takes.
    let offset_ns = wall_ns() - boottime_ns();
    let pages = scene.hook.messages().into_iter().map(|page| (page.at_ns + offset_ns, page)).collect();
    let words = scene.diary.words();
    let hosts = scene.hosts.iter().map(|raw| raw.at(&scene.collector)).collect();
    Ok(Recording { disk: scene.disk, phases: scene.phases, words, hosts, pages, size: scene.size })
}

impl Scene {
    fn phase(&mut self, name: String) {
        self.phases.push((wall_ns(), name));
    }

    async fn live(&mut self, life: usize, plan: Plan) -> Result<()> {
        let file = self.home.join(format!("trace-{life}"));
        self.collector.traced = Some(file.clone());
        self.phase(format!("{life}. start"));
        self.collector.run().await;
        self.phase(format!("{life}. at work"));
        while self.hosts.len() < plan.hosts {
            let host = self.hosts.len();
            self.diary.note(Word::Enrols(host));
            let raw = Raw::enrolled(&self.collector, facts(&format!("power-{host}"))).await;
            self.diary.note(Word::Enrolled(host));
            self.hosts.push(Arc::new(raw));
        }
        if self.alerts.is_none() {
            self.alerts = Some(Arc::new(Alerts::to(&self.collector).await));
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let mut load = JoinSet::new();
        for (host, raw) in self.hosts.iter().enumerate() {
            load.spawn(tell(host, Arc::clone(raw), Arc::clone(&self.diary)));
        }
        let alerts = Arc::clone(self.alerts.as_ref().context("a sender of alerts")?);
        load.spawn(raise(Raiser {
            alerts,
            url: self.collector.url("/api/v1/incidents"),
            state: self.collector.state(),
            diary: Arc::clone(&self.diary),
            raised: Arc::clone(&self.raised),
            hook: Arc::clone(&self.hook),
        }));
        let marks = tokio::task::spawn_blocking({
            let (state, diary, is_over) = (self.collector.state(), Arc::clone(&self.diary), Arc::clone(&is_over));
            move || mark(&state, &diary, &is_over)
        });
        self.hosts_are_up().await;
        pass(plan.work / 2).await;
        self.phase(format!("{life}. a backup"));
        self.backup(life).await?;
        self.phase(format!("{life}. at work"));
        pass(plan.work / 2).await;
        // It is the only one at its files as it ends.
        is_over.store(true, Ordering::Relaxed);
        marks.await??;
        self.phase(format!("{life}. stop"));
        let pid = self.collector.process().pid();
        let code = self.collector.stop().await;
        ensure!(code == 0, "it stopped with {code}\n{}", self.collector.log());
        while let Some(ended) = load.join_next().await {
            ended?;
        }
        self.take_in(&file, pid).await
    }

    async fn hosts_are_up(&self) {
        for (host, raw) in self.hosts.iter().enumerate() {
            self.collector.host_is(&raw.host, "up", Duration::from_secs(20)).await;
            self.diary.note(Word::Up(host));
        }
    }

    async fn backup(&self, life: usize) -> Result<()> {
        let passphrase = self.home.join("passphrase");
        std::fs::write(&passphrase, "correct horse battery\n")?;
        let mut command = Command::new(program("muster-collector"));
        command.arg("backup").arg(self.home.join(format!("{life}.age"))).arg("--state").arg(self.collector.state());
        let said = run(command.arg("--passphrase-file").arg(passphrase)).await;
        ensure!(said.code == 0, "the backup: {}", said.all());
        Ok(())
    }

    /// Reads what was written down, and compares what comes of it with what is there.
    async fn take_in(&mut self, file: &Path, pid: i32) -> Result<()> {
        let ended = || async { trace::has_ended(file, pid).then_some(()) };
        eventually("strace writes to the end", Duration::from_secs(30), ended).await;
        let text = String::from_utf8(std::fs::read(file)?)?;
        std::fs::remove_file(file)?;
        let calls = trace::read(&text, &self.collector.state())?;
        self.size = (self.size.0 + calls.len(), self.size.1 + text.len() as u64);
        self.disk.add(&calls)?;
        let (all, real) = (self.disk.left(u64::MAX - 1, &mut Everything), Image::of(&self.collector.state())?);
        let differ = all.differences(&real);
        ensure!(differ.is_empty(), "what was written down is not all that was done: {}", differ.join("; "));
        Ok(())
    }
}

/// A host tells records, some at once, until its session ends.
async fn tell(host: usize, raw: Arc<Raw>, diary: Arc<Diary>) {
    let told = super::promise::Promised::at(&diary.words(), u64::MAX);
    let known = |of: &std::collections::BTreeMap<usize, u64>| of.get(&host).copied().unwrap_or(0);
    let (mut stored, generation) = (known(&told.stored), known(&told.generation));
    let Ok((mut talk, welcome)) = session(&raw, host, generation, stored).await else { return };
    diary.note(Word::Welcomed(host, welcome.generation));
    reads(&talk).await;
    loop {
        let last = stored + 1 + stored % 3;
        for sequence in stored + 1..=last {
            diary.note(Word::Sends(host, sequence));
            if !talk.send(record(host, sequence)).await {
                return;
            }
        }
        if talk.acknowledged(last).await.is_err() {
            return;
        }
        diary.note(Word::Stored(host, last));
        stored = last;
        pass(Duration::from_millis(20 + stored * 37 % 100)).await;
    }
}

/// Says one reading: the host is up.
pub async fn reads(talk: &Talk) {
    let family = v1::Family { id: 1, name: "node_load1".into(), r#type: 2, help: "load".into(), unit: 0 };
    let series = v1::Series { id: 1, family: 1, ..v1::Series::default() };
    talk.send(Body::Dictionary(v1::Dictionary {
        families: vec![family],
        series: vec![series],
        ..v1::Dictionary::default()
    }))
    .await;
    let (whole_gaps, whole_diffs) = (vec![1], vec![1]);
    talk.send(Body::Readings(v1::Readings {
        clock: Some(now()),
        full: true,
        whole_gaps,
        whole_diffs,
        ..v1::Readings::default()
    }))
    .await;
}

/// What is needed to raise incidents.
struct Raiser {
    alerts: Arc<Alerts>,
    url: String,
    state: PathBuf,
    diary: Arc<Diary>,
    raised: Arc<AtomicUsize>,
    hook: Arc<Webhook>,
}

/// Incidents from outside, until nobody answers: each third time one is over that was paged (of what is over before nobody is
/// called), each fourth is taken by a person.
async fn raise(by: Raiser) {
    let Raiser { alerts, url, state, diary, raised, hook } = by;
    let mut open = Vec::new();
    loop {
        let n = raised.fetch_add(1, Ordering::Relaxed);
        let name = format!("{ALERT}{n}");
        diary.note(Word::Raises(name.clone()));
        if alerts.fire(std::slice::from_ref(&name), "critical").await.is_err() {
            return;
        }
        diary.note(Word::Raised(name.clone()));
        if n % 4 == 1
            && let Some(number) = number_of(&url, &name).await
        {
            diary.note(Word::Takes(name.clone()));
            let mut command = Command::new(program("muster-collector"));
            let said = run(command.args(["incident", "ack", number.as_str(), "--state"]).arg(&state)).await;
            if said.code == 0 {
                diary.note(Word::Taken(name.clone()));
            }
        }
        open.push(name);
        let told = |name: &String| {
            let is = |page: &Message| page.kind() == "incident.opened" && page.body["data"]["component"] == **name;
            hook.messages().iter().any(is)
        };
        if n % 3 == 2
            && let Some(at) = open.iter().position(told)
        {
            let name = open.remove(at);
            diary.note(Word::Ends(name.clone()));
            if alerts.end(&name, "critical").await.is_ok() {
                diary.note(Word::Ended(name));
            }
        }
        pass(Duration::from_millis(60)).await;
    }
}

/// The number of the incident of an alert.
async fn number_of(url: &str, name: &str) -> Option<String> {
    let answer = http::get(url).await?.json();
    let quoted = format!("\"{name}\"");
    let of = answer["items"].as_array()?.iter().find(|incident| incident.to_string().contains(&quoted))?;
    Some(of["number"].to_string())
}

/// Looks into the store for pages that are recorded as accepted, until it is over.
fn mark(state: &Path, diary: &Diary, is_over: &AtomicBool) -> Result<()> {
    let store = look::reader(&state.join("state.db"))?;
    let mut known = super::promise::Promised::at(&diary.words(), u64::MAX).marked;
    while !is_over.load(Ordering::Relaxed) {
        for page in look::accepted(&store)? {
            if known.insert(page) {
                diary.note(Word::Marked(page));
            }
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    Ok(())
}
