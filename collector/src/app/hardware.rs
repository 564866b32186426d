//! Judges what agents found of their hardware: all of a host's evidence together, when some of it is new, once after the
//! collector's start, and again and again where something is wrong, for what a log says is no trouble for ever.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::House;
use crate::{
    bell::Bell,
    clock::Clock,
    domain::{
        event::{Event, HostEvent, Judgement},
        ids::HostNo,
        record::FindingRow,
        rules::hardware::{
            growth::WINDOW_DAYS,
            named,
            standing::{Seen, differences, findings},
        },
        snapshot::Snapshot,
        time::Timestamp,
    },
    mailbox::Mailbox,
    store::{
        Store, StoreError,
        hardware::{Found, Of},
    },
};

/// Evidence comes in batches, and what was said of the last has to be published before it is compared with more.
const BATCH: Duration = Duration::from_millis(500);
/// Between two looks at hosts with open findings.
const AGAIN: Duration = Duration::from_secs(900);
/// What the kernel said this long ago or longer stands for nothing any more, in milliseconds.
const LOG_MS: i64 = 24 * 3_600_000;
/// The source whose rows each say something of their own.
const LOG: &str = "kernel-log";

/// Judges.
pub(super) struct Judging {
    store: Store,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    mailbox: Mailbox,
    clock: Clock,
    bell: Bell,
    failing: bool,
}

impl Judging {
    pub(super) fn of(house: &House) -> Self {
        Self {
            store: house.store.clone(),
            snapshots: house.snapshot.clone(),
            mailbox: house.mailbox.clone(),
            clock: house.clock.clone(),
            bell: house.hardware.clone(),
            failing: false,
        }
    }

    /// Works until `stop` turns true.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.work() => {}
            _ = stop.changed() => {}
        }
    }

    async fn work(&mut self) {
        // What was durable before the last end may not have been judged, and rules may be others now.
        match self.store.hosts_with_hardware().await {
            Ok(hosts) => self.judge_all(hosts).await,
            Err(error) => self.told(&Err(error)),
        }
        loop {
            tokio::select! {
                () = self.bell.rung() => {
                    sleep(BATCH).await;
                    self.judge_all(self.bell.take()).await;
                }
                () = sleep(AGAIN) => {
                    let troubled = self.troubled();
                    self.judge_all(troubled).await;
                }
            }
        }
    }

    /// Hosts with an open finding of their hardware.
    fn troubled(&self) -> BTreeSet<HostNo> {
        let snapshot = self.snapshots.borrow();
        let is_hardware = |row: &FindingRow| named(&row.rule).is_some();
        let troubled = snapshot.hosts.iter().filter(|(_, host)| host.findings.iter().any(is_hardware));
        troubled.map(|(no, _)| *no).collect()
    }

    async fn judge_all(&mut self, hosts: BTreeSet<HostNo>) {
        for host in hosts {
            let judged = self.judge(host, self.clock.now()).await;
            self.told(&judged);
            if let Ok(judgements) = judged
                && !judgements.is_empty()
            {
                // When the engine is gone the collector stops, and the next one judges all again.
                let _ = self.mailbox.send(Event::Host(host, HostEvent::Judged { through: None, judgements })).await;
            }
        }
    }

    /// Says once that evidence cannot be read, and once that it can again.
    fn told(&mut self, judged: &Result<Vec<Judgement>, StoreError>) {
        match judged {
            Err(error) if !self.failing => {
                tracing::warn!(error.type = error.kind(), "hardware cannot be judged: {error}");
            }
            _ => {}
        }
        self.failing = judged.is_err();
    }

    async fn judge(&self, host: HostNo, now: Timestamp) -> Result<Vec<Judgement>, StoreError> {
        let mut seen = Vec::new();
        for found in self.store.hardware(host, Of::AllParts).await? {
            if found.source == LOG || found.outcome == "not_present" {
                continue;
            }
            // What cannot be asked now is as it was when it could.
            let found = if found.outcome == "read" { Some(found) } else { self.last_read(host, &found).await? };
            let Some(found) = found else { continue };
            seen.push(Seen {
                payload: found.payload(),
                before: self.a_week_before(host, &found).await?,
                source: found.source,
                device: found.part,
            });
        }
        seen.extend(self.log(host, now).await?);
        let open = self.snapshots.borrow().hosts.get(&host).map(|view| view.findings.clone()).unwrap_or_default();
        let judged = tokio::task::spawn_blocking(move || differences(findings(&seen), &open)).await;
        Ok(judged.unwrap_or_default())
    }

    async fn last_read(&self, host: HostNo, found: &Found) -> Result<Option<Found>, StoreError> {
        let of = Of::Part { source: found.source.clone(), part: found.part.clone() };
        Ok(self.store.hardware(host, of).await?.into_iter().find(|found| found.outcome == "read"))
    }

    /// What a part said a week before this: the last that was read by then, or else the first that is known.
    async fn a_week_before(&self, host: HostNo, found: &Found) -> Result<Option<Vec<u8>>, StoreError> {
        if !found.source.starts_with("smartctl") {
            return Ok(None);
        }
        let of = Of::Part { source: found.source.clone(), part: found.part.clone() };
        let mut rows = self.store.hardware(host, of).await?;
        rows.retain(|row| row.outcome == "read" && row.at < found.at);
        let then = found.at.plus_ms(-WINDOW_DAYS * 86_400_000);
        // The latest come first.
        Ok(rows.iter().find(|row| row.at <= then).or(rows.last()).map(Found::payload))
    }

    /// What the kernel has said lately, as one log.
    async fn log(&self, host: HostNo, now: Timestamp) -> Result<Vec<Seen>, StoreError> {
        let of = Of::Part { source: LOG.to_owned(), part: String::new() };
        let mut rows: Vec<Found> = self.store.hardware(host, of).await?;
        rows.retain(|row| row.outcome == "read" && now.since_ms(row.at) < LOG_MS);
        rows.sort_by_key(|row| row.at);
        let payload = rows.iter().map(Found::payload).collect::<Vec<_>>().join(&b'\n');
        let is_silent = payload.iter().all(u8::is_ascii_whitespace);
        Ok((!is_silent)
            .then(|| Seen { source: LOG.to_owned(), device: String::new(), payload, before: None })
            .into_iter()
            .collect())
    }
}
