//! One collector that is killed again and again, its two receivers, and the sender of its alerts.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use muster_tests::{Collector, eventually};

use crate::case::{Case, Step};
use crate::hook::{Heard, Hook};
use crate::knife::{Kept, Knife, within};

/// The receiver that behaves badly, and one beside it that always takes what it is sent.
const NAMES: [&str; 2] = ["hook", "beside"];
/// A try may hang for 15 s, twice, with waits between.
const WITHIN: Duration = Duration::from_secs(90);

/// What came of one seed.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) case: Case,
    /// How far the page had come when the collector was killed.
    pub(crate) hit: Step,
    /// Requests with the page that was struck.
    pub(crate) requests: usize,
    /// Messages that were taken more than once.
    pub(crate) repeats: usize,
    /// What must not be.
    pub(crate) faults: Vec<String>,
}

/// A collector with its surroundings.
pub(crate) struct World {
    collector: Collector,
    token: String,
    hooks: [Hook; 2],
}

impl World {
    pub(crate) async fn start() -> Result<Self> {
        let hooks = [Hook::start()?, Hook::start()?];
        let receivers: Vec<String> = hooks.iter().zip(NAMES).map(|(hook, name)| hook.receiver(name)).collect();
        let collector = Collector::start(&receivers.concat()).await;
        let token = collector.cli(&["api-token", "create", "--role", "alert", "--note", "kill"]).await;
        Ok(Self { collector, token, hooks })
    }

    /// Kills the collector once, starts it again, and sees what became of the incident.
    pub(crate) async fn run(&mut self, case: Case) -> Result<Found> {
        let knife = Knife::new(self.collector.process().pid(), &self.collector.state())?;
        let name = case.name();
        self.hooks[0].plan(Some((case, knife.clone())));
        self.hooks[1].plan(None);
        if case.of_end {
            ensure!(self.post(&case, false).join().ok().flatten() == Some(200), "the alert is not taken");
            self.all_taken(&knife, &name, "incident.opened").await?;
        }
        let answered = match case.step {
            Step::Opened => self.strike_undecided(&case, &knife)?,
            Step::Recorded => self.strike_unsent(&case, &knife)?,
            Step::Sent | Step::Answered | Step::Marked => self.strike_sending(&case).await,
        };
        let hit = self.how_far(&case, &knife)?;
        self.hooks[0].rest();
        self.collector.kill().await;
        self.collector.run().await;

        // As every sender of alerts does: what was not taken is said again.
        if !answered {
            ensure!(self.post(&case, case.of_end).join().ok().flatten() == Some(200), "the alert is not taken");
        }
        self.all_taken(&knife, &name, case.kind()).await?;
        if !case.of_end {
            ensure!(self.post(&case, true).join().ok().flatten() == Some(200), "its end is not taken");
            self.all_taken(&knife, &name, "incident.resolved").await?;
        }
        let trouble = self.hooks[0].struck().and_then(|struck| struck.trouble);
        if let Some(trouble) = trouble {
            bail!("the knife: {trouble}");
        }
        self.judge(case, hit, &knife)
    }

    /// The alert, or its end, posted as Prometheus does; the status of the answer, if one came.
    fn post(&self, case: &Case, is_over: bool) -> JoinHandle<Option<u16>> {
        let over = r#","startsAt":"2026-01-01T00:00:00Z","endsAt":"2026-01-01T00:00:01Z""#;
        let body = format!(
            r#"[{{"labels":{{"alertname":"{}","severity":"critical"}}{}}}]"#,
            case.name(),
            if is_over { over } else { "" }
        );
        let (port, token) = (self.collector.http, self.token.clone());
        thread::spawn(move || {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            let request = format!(
                "POST /api/v2/alerts HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(request.as_bytes()).ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            answer.split(' ').nth(1)?.parse().ok()
        })
    }

    /// Killed while the engine's decision waits to be recorded: the lock with which records are written is ours.
    fn strike_undecided(&self, case: &Case, knife: &Knife) -> Result<bool> {
        let lock = knife.lock()?;
        let post = self.post(case, case.of_end);
        within(|| knife.waits_to_record().unwrap_or(false), "the decision waits to be recorded")?;
        thread::sleep(Duration::from_micros(case.later_us));
        knife.kill();
        drop(lock);
        Ok(post.join().ok().flatten() == Some(200))
    }

    /// Killed as soon as the page is in the record.
    fn strike_unsent(&self, case: &Case, knife: &Knife) -> Result<bool> {
        let (records, name) = (knife.records()?, case.name());
        let post = self.post(case, case.of_end);
        let recorded = || records.pages(&name).is_ok_and(|pages| pages_of(&pages, case).next().is_some());
        within(recorded, "the page is recorded")?;
        knife.kill();
        Ok(post.join().ok().flatten() == Some(200))
    }

    /// Killed by the receiver, at the try that the seed names.
    async fn strike_sending(&self, case: &Case) -> bool {
        let post = self.post(case, case.of_end);
        eventually("the receiver kills the collector", WITHIN, || async { self.hooks[0].struck() }).await;
        post.join().ok().flatten() == Some(200)
    }

    /// How far the page had come, from what the records and the receiver know.
    fn how_far(&self, case: &Case, knife: &Knife) -> Result<Step> {
        let pages = knife.records()?.pages(&case.name())?;
        let Some(page) = pages_of(&pages, case).next() else { return Ok(Step::Opened) };
        let (tries, read) = (self.hooks[0].tries(), self.hooks[0].struck().is_some_and(|struck| struck.read));
        Ok(match page.tries {
            _ if tries == 0 => Step::Recorded,
            marked if marked >= tries => Step::Marked,
            _ if read => Step::Answered,
            _ => Step::Sent,
        })
    }

    async fn all_taken(&self, knife: &Knife, name: &str, kind: &str) -> Result<()> {
        let records = knife.records()?;
        let marked = || {
            let pages = records.pages(name).unwrap_or_default();
            let accepted = pages.iter().filter(|page| is_of(page, kind) && page.delivery == "accepted");
            accepted.count() >= NAMES.len()
        };
        let told = || self.hooks.iter().all(|hook| hook.has_taken(name, kind));
        let what = format!("{name}: everybody is told {kind}");
        eventually(&what, WITHIN, || async { (told() && marked()).then_some(()) }).await;
        Ok(())
    }

    /// What the issue promises, of both receivers and of the records.
    fn judge(&self, case: Case, hit: Step, knife: &Knife) -> Result<Found> {
        let name = case.name();
        let mut found = Found { case, hit, requests: self.hooks[0].tries(), repeats: 0, faults: Vec::new() };
        let records = knife.records()?;
        let (incidents, pages) = (records.incidents(&name)?, records.pages(&name)?);
        if incidents.len() != 1 {
            found.faults.push(format!("{} incidents", incidents.len()));
        }
        for (hook, receiver) in self.hooks.iter().zip(NAMES) {
            let heard = hook.heard(&name);
            found.faults.extend(faults(&heard).into_iter().map(|fault| format!("{receiver}: {fault}")));
            for kind in ["incident.opened", "incident.resolved"] {
                let taken = heard.iter().filter(|heard| heard.taken && heard.kind == kind).count();
                found.repeats += usize::from(taken > 1);
                let kept = pages.iter().filter(|page| page.receiver == receiver && is_of(page, kind));
                if kept.filter(|page| page.delivery == "accepted").count() != 1 {
                    found.faults.push(format!("{receiver}: not one page {kind} that is marked accepted"));
                }
            }
            if heard.iter().any(|heard| Some(&heard.key) != incidents.first()) {
                found.faults.push(format!("{receiver}: a key that is not the incident's"));
            }
        }
        Ok(found)
    }
}

/// The pages about what is struck, at the receiver that strikes.
fn pages_of<'a>(pages: &'a [Kept], case: &Case) -> impl Iterator<Item = &'a Kept> {
    let kind = case.kind();
    pages.iter().filter(move |page| page.receiver == NAMES[0] && is_of(page, kind))
}

/// Whether a page of the record is what a message of this type tells.
fn is_of(page: &Kept, kind: &str) -> bool {
    kind.strip_prefix("incident.").is_some_and(|kind| kind == page.kind)
}

/// What one receiver must not have been told.
fn faults(heard: &[Heard]) -> Vec<String> {
    let mut faults = Vec::new();
    let of = |kind: &'static str| heard.iter().filter(move |heard| heard.kind == kind);
    for kind in ["incident.opened", "incident.resolved"] {
        if !of(kind).any(|heard| heard.taken) {
            faults.push(format!("{kind} never arrived"));
        }
        let first = of(kind).next();
        if of(kind).any(|heard| Some(&heard.id) != first.map(|first| &first.id)) {
            faults.push(format!("{kind} under several ids"));
        }
        if of(kind).any(|heard| Some(&heard.body) != first.map(|first| &first.body)) {
            faults.push(format!("{kind} in several words"));
        }
        // Each kill leaves at most one try of which nobody knows how it went.
        if of(kind).filter(|heard| heard.taken).count() > 2 {
            faults.push(format!("{kind} taken more than twice"));
        }
    }
    let end = heard.iter().position(|heard| heard.kind == "incident.resolved").unwrap_or(heard.len());
    if !heard[..end].iter().any(|heard| heard.kind == "incident.opened" && heard.taken) {
        faults.push("its end before its beginning".to_owned());
    }
    if heard[end..].iter().any(|heard| heard.kind == "incident.opened") {
        faults.push("its beginning after its end".to_owned());
    }
    faults
}

/// A world, for the seeds that its thread takes.
pub(crate) fn seeds(next: &dyn Fn() -> Option<u64>, tell: &dyn Fn(Found)) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut world = World::start().await?;
        while let Some(seed) = next() {
            let case = Case::of(seed);
            tell(world.run(case).await.with_context(|| format!("{case:?}"))?);
        }
        Ok(())
    })
}
