//! Delivers reports on their schedules: issues each once, records it before anything of it leaves, and carries it to its
//! directory and its readers until that is done or a day is over.
//!
//! What is carried is what was recorded, however long that takes: a report is never reckoned a second time for the same
//! delivery. That a mail is being sent is recorded before it is, so that one that a crash interrupts is not sent twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Notify, watch};

use crate::{
    clock::Clock,
    config::Config,
    domain::{
        calendar::zone,
        event::Event,
        severity::Severity,
        sla::{
            delivery::{Closed, Delivery, Due, Issue, Outcome, Plan, State, Way, trouble},
            force::{self, present},
            report::Declared,
        },
        time::Timestamp,
    },
    mailbox::Mailbox,
    notify::{
        email::EmailError,
        folder::Folders,
        letter::{Enclosure, Letter, Post},
        receiver::{ReceiverKind, Sent},
    },
    store::{Store, StoreError},
    web::{Asked, Carrier, Issued, Reports},
};

/// Between two looks at what is due.
const EVERY: Duration = Duration::from_secs(5);
/// What was due while the collector did not run waits for so long, until hosts have told what happened meanwhile.
const SETTLE_MS: i64 = 60_000;
/// A report that could not be issued is tried again after this, in milliseconds.
const AGAIN_MS: i64 = 60_000;

/// Delivers them.
pub(super) struct Delivering {
    plans: Vec<Plan>,
    agreements: watch::Receiver<Arc<Vec<Declared>>>,
    reports: Reports,
    store: Store,
    mailbox: Mailbox,
    clock: Clock,
    posts: BTreeMap<String, Post>,
    folders: Folders,
    bell: Arc<Notify>,
    rounds: watch::Sender<u64>,
    /// When each was due last: report and agreement.
    last: BTreeMap<(String, String), Timestamp>,
    /// What could not be issued, and when it is tried again.
    failing: BTreeMap<(String, String), Timestamp>,
    told: BTreeMap<String, Option<String>>,
    begun: Timestamp,
}

/// Where the carrier's end is held, until there is somebody to carry.
pub(super) struct Bell {
    bell: Arc<Notify>,
    rounds: watch::Sender<u64>,
}

/// How others wake the carrier, and the carrier's end of that.
pub(super) fn bell() -> (Carrier, Bell) {
    let (bell, (rounds, heard)) = (Arc::<Notify>::default(), watch::channel(0));
    (Carrier { bell: Arc::clone(&bell), rounds: heard }, Bell { bell, rounds })
}

impl Delivering {
    /// Delivers what this configuration says.
    pub(super) fn new(
        config: &Config,
        agreements: watch::Receiver<Arc<Vec<Declared>>>,
        reports: Reports,
        (store, mailbox, clock): (Store, Mailbox, Clock),
        Bell { bell, rounds }: Bell,
    ) -> Result<Self, EmailError> {
        let mut posts = BTreeMap::new();
        for receiver in &config.receivers {
            if let ReceiverKind::Email(settings) = &receiver.kind {
                posts.insert(receiver.name.clone(), Post::new(&receiver.name, settings)?);
            }
        }
        Ok(Self {
            plans: config.reports.clone(),
            agreements,
            reports,
            store,
            mailbox,
            begun: clock.now(),
            clock,
            posts,
            folders: Folders::default(),
            bell,
            rounds,
            last: BTreeMap::new(),
            failing: BTreeMap::new(),
            told: BTreeMap::new(),
        })
    }

    /// Works until `stop` turns true. What is being handed over then is not torn off.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut ready = false;
        while !*stop.borrow() {
            if !ready {
                ready = self.begin().await.inspect_err(|error| cannot("reports wait for the store", error)).is_ok();
            }
            if ready {
                self.round(&stop).await;
            }
            self.rounds.send_modify(|rounds| *rounds += 1);
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = self.bell.notified() => {}
                _ = stop.changed() => return,
            }
        }
    }

    /// Reads how things stood when the collector stopped.
    async fn begin(&mut self) -> Result<(), StoreError> {
        self.last = self
            .store
            .last_due()
            .await?
            .into_iter()
            .map(|(report, agreement, due)| ((report, agreement), due))
            .collect();
        let now = self.clock.now();
        for issue in self.store.open_issues().await? {
            for mut delivery in issue.deliveries.clone() {
                let before = delivery.state;
                delivery.resume(now);
                if delivery.state == State::Unclear {
                    let to = &delivery.destination.to;
                    tracing::warn!(
                        "report {}: {} {} was being sent to {to} when the collector stopped; {} sends it again",
                        issue.report,
                        issue.agreement,
                        issue.period,
                        issue.again()
                    );
                }
                if delivery.state != before {
                    self.store.put_delivery(issue.no, delivery).await?;
                }
            }
        }
        Ok(())
    }

    async fn round(&mut self, stop: &watch::Receiver<bool>) {
        let now = self.clock.now();
        for plan in self.plans.clone() {
            for (agreement, zone) in self.about(&plan, now) {
                if let Err(error) = self.look(&plan, &agreement, &zone, now).await {
                    tracing::warn!(
                        "report {}: {agreement} cannot be issued now: {error}; it is tried again",
                        plan.name
                    );
                    self.failing.insert((plan.name.clone(), agreement), now.plus_ms(AGAIN_MS));
                }
            }
        }
        if let Err(error) = self.carry(stop).await {
            cannot("reports are not delivered", &error);
        }
        if let Err(error) = self.tell().await {
            cannot("nobody knows what became of reports", &error);
        }
    }

    fn promised(&self) -> Arc<Vec<Declared>> {
        Arc::clone(&self.agreements.borrow())
    }

    /// The agreements of a plan, each with its zone.
    fn about(&self, plan: &Plan, now: Timestamp) -> Vec<(String, String)> {
        let promised = self.promised();
        let present = present(&promised, now);
        let names: Vec<&str> = present.iter().map(|declared| declared.agreement.name.as_str()).collect();
        let about = plan.about(&names);
        let is_about = |declared: &&&Declared| about.contains(&declared.agreement.name.as_str());
        let own = |declared: &&Declared| (declared.agreement.name.clone(), declared.agreement.zone.clone());
        present.iter().filter(is_about).map(own).collect()
    }

    /// Issues what is due of a plan for an agreement.
    async fn look(&mut self, plan: &Plan, agreement: &str, zone_name: &str, now: Timestamp) -> Result<(), String> {
        let key = (plan.name.clone(), agreement.to_owned());
        let Some(zone) = zone(zone_name).filter(|_| self.failing.get(&key).is_none_or(|again| *again <= now)) else {
            return Ok(());
        };
        let (closed, left_out) = match plan.due(self.last.get(&key).copied(), now, &zone) {
            Due::Nothing => return Ok(()),
            Due::First(closed) => (None, vec![(closed, "it was over before this report was configured")]),
            Due::Now { closed, skipped } => {
                if closed.due < self.begun && now.since_ms(self.begun) < SETTLE_MS {
                    return Ok(());
                }
                let why = "the collector did not run when it was due, and the next one is due already";
                (Some(closed), skipped.into_iter().map(|closed| (closed, why)).collect())
            }
        };
        for (closed, why) in left_out {
            self.leave_out(plan, agreement, &closed, why.into()).await?;
        }
        if let Some(closed) = closed {
            self.issue(plan, agreement, &closed).await?;
        }
        self.failing.remove(&key);
        Ok(())
    }

    async fn issue(&mut self, plan: &Plan, agreement: &str, closed: &Closed) -> Result<(), String> {
        let promised = self.promised();
        let named = force::named(&promised, agreement);
        if !named.iter().any(|declared| force::is_in_force(declared, closed.period.span)) {
            return self.leave_out(plan, agreement, closed, "nothing was promised in it".into()).await;
        }
        let asked = Asked { plan, agreement, period: &closed.period.name, due: closed.due, by: None };
        let Issued { issue, documents } = self.reports.issue(asked).await?;
        let made = self.store.put_issue(issue, documents, None).await.map_err(|error| error.to_string())?;
        if let Some(issue) = made {
            let title = issue.made.as_ref().map_or("", |made| &made.title);
            tracing::info!("report {} number {} is issued: {title}", plan.name, issue.no);
        }
        self.last.insert((plan.name.clone(), agreement.to_owned()), closed.due);
        Ok(())
    }

    async fn leave_out(&mut self, plan: &Plan, agreement: &str, closed: &Closed, why: String) -> Result<(), String> {
        let issue = Issue {
            no: 0,
            report: plan.name.clone(),
            agreement: agreement.to_owned(),
            period: closed.period.name.clone(),
            due: closed.due,
            asked_by: None,
            at: self.clock.now(),
            made: None,
            why,
            deliveries: Vec::new(),
        };
        self.store.put_issue(issue, Vec::new(), None).await.map_err(|error| error.to_string())?;
        self.last.insert((plan.name.clone(), agreement.to_owned()), closed.due);
        Ok(())
    }

    /// Tries what is due to be tried.
    async fn carry(&mut self, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
        // A server that cannot be reached is not tried for each of its readers.
        let mut unreached: BTreeMap<String, String> = BTreeMap::new();
        for issue in self.store.open_issues().await? {
            for delivery in &issue.deliveries {
                let due = delivery.next.is_some_and(|next| next <= self.clock.now());
                if delivery.state != State::Waiting || !due {
                    continue;
                }
                if *stop.borrow() {
                    return Ok(());
                }
                self.deliver(&issue, delivery.clone(), &mut unreached).await?;
            }
        }
        Ok(())
    }

    async fn deliver(
        &mut self,
        issue: &Issue,
        mut delivery: Delivery,
        unreached: &mut BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        delivery.begin(self.clock.now());
        let plan = self.plans.iter().find(|plan| plan.name == issue.report).cloned();
        let plan = plan.filter(|plan| plan.destinations().contains(&delivery.destination));
        let outcome = match (plan, delivery.destination.way) {
            (None, _) => Outcome::Never("it is not in collector.toml any more".into()),
            (Some(plan), Way::Mail) => {
                let receiver = plan.mail.map(|post| post.receiver).unwrap_or_default();
                match unreached.get(&receiver) {
                    Some(error) => Outcome::Later(error.clone()),
                    None => {
                        // From here on nobody can say that it was not sent.
                        self.store.put_delivery(issue.no, delivery.clone()).await?;
                        self.mail(issue, &delivery, &receiver, unreached).await?
                    }
                }
            }
            (Some(_), Way::Directory) => self.put(issue, &delivery).await?,
        };
        delivery.end(outcome, issue.at, self.clock.now());
        let (report, agreement, period) = (&issue.report, &issue.agreement, &issue.period);
        let (to, said) = (&delivery.destination.to, &delivery.said);
        match delivery.state {
            State::Delivered => tracing::info!("report {report}: {agreement} {period} is delivered to {to}"),
            State::Failed => tracing::error!("report {report}: {agreement} {period} is not delivered to {to}: {said}"),
            _ if delivery.tries == 1 => {
                tracing::warn!("report {report}: {agreement} {period} is not delivered to {to} yet: {said}");
            }
            _ => {}
        }
        self.store.put_delivery(issue.no, delivery).await
    }

    async fn put(&mut self, issue: &Issue, delivery: &Delivery) -> Result<Outcome, StoreError> {
        let Some(made) = &issue.made else { return Ok(Outcome::Never("nothing was made".into())) };
        let documents = self.store.documents(issue.no).await?;
        let files = documents.into_iter().map(|document| (document.format.word(), document.body)).collect();
        let sent = self.folders.put(Path::new(&delivery.destination.to), &made.stem, files).await;
        Ok(outcome(sent))
    }

    async fn mail(
        &self,
        issue: &Issue,
        delivery: &Delivery,
        receiver: &str,
        unreached: &mut BTreeMap<String, String>,
    ) -> Result<Outcome, StoreError> {
        let (Some(post), Some(made)) = (self.posts.get(receiver), &issue.made) else {
            return Ok(Outcome::Never(format!("there is no receiver {receiver} of kind email")));
        };
        let documents = self.store.documents(issue.no).await?;
        let enclosures = documents.into_iter().map(|document| Enclosure {
            name: format!("{}.{}", made.stem, document.format.word()),
            media_type: document.format.media_type(),
            body: document.body,
        });
        let letter = Letter {
            id: format!("report-{}-{}", issue.no, made.digest),
            subject: made.title.clone(),
            text: words(issue),
            enclosures: enclosures.collect(),
        };
        let sent = post.send(&letter, &delivery.destination.to).await;
        if let Sent::Retry { error, .. } = &sent {
            unreached.insert(receiver.to_owned(), error.clone());
        }
        Ok(outcome(sent))
    }

    /// Tells the desk of what is wrong with each report, once for each change.
    async fn tell(&mut self) -> Result<(), StoreError> {
        let issues = self.store.newest_issues().await?;
        let of_issues = issues.iter().map(|issue| issue.report.as_str());
        let reports: BTreeSet<String> =
            of_issues.chain(self.plans.iter().map(|plan| plan.name.as_str())).map(str::to_owned).collect();
        for name in reports {
            // What is configured no more is in no trouble.
            let plan = self.plans.iter().find(|plan| plan.name == name);
            let trouble = plan.and_then(|plan| self.trouble(plan, &issues));
            if self.told.get(&name) == Some(&trouble) {
                continue;
            }
            self.told.insert(name.clone(), trouble.clone());
            let (what, trouble) = (format!("report/{name}"), trouble.map(|text| (Severity::Warning, text)));
            // The engine is gone only when the collector stops.
            let _ = self.mailbox.send(Event::SelfCheck { what, trouble }).await;
        }
        Ok(())
    }

    fn trouble(&self, plan: &Plan, issues: &[Issue]) -> Option<String> {
        let about: Vec<String> =
            self.about(plan, self.clock.now()).into_iter().map(|(agreement, _)| agreement).collect();
        let missing: Vec<&str> =
            plan.agreements.iter().filter(|name| !about.contains(name)).map(String::as_str).collect();
        if !missing.is_empty() {
            let (name, missing) = (&plan.name, missing.join(", "));
            return Some(format!(
                "report {name} is about what nobody has declared: {missing}; `sla list` has all agreements"
            ));
        }
        let own: Vec<Issue> = issues.iter().filter(|issue| about.contains(&issue.agreement)).cloned().collect();
        trouble(&plan.name, &own)
    }
}

/// What is written above what is enclosed.
fn words(issue: &Issue) -> String {
    let Some(made) = &issue.made else { return String::new() };
    let Issue { report, agreement, period, .. } = issue;
    format!(
        "{}\n\nThe report is enclosed. It is number {} of {report} ({agreement}, {period}), by version {} of the agreement; its \
         digest is\n{}\nand `muster-collector sla verify FILE.json` reckons it again from the records.",
        made.text, issue.no, made.version, made.digest
    )
}

fn outcome(sent: Sent) -> Outcome {
    match sent {
        Sent::Accepted { provider_id } => Outcome::Taken(provider_id.unwrap_or_default()),
        Sent::Retry { error, .. } | Sent::Refused { error } => Outcome::Later(error),
        Sent::Rejected { error } | Sent::Gone { error } => Outcome::Never(error),
    }
}

fn cannot(what: &str, error: &StoreError) {
    tracing::warn!(error.type = error.kind(), "{what}: {error}");
}
