//! Judges what agents found of their hardware: all of a host's evidence together, when some of it is new, once after the
//! collector's start, and again and again where something is wrong, for what a log says is no trouble for ever.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use super::House;
use crate::{
    bell::Bell,
    clock::Clock,
    domain::{
        event::{Event, HostEvent, Judgement},
        hardware::Facts,
        ids::HostNo,
        record::FindingRow,
        reliability::{Watched, follow},
        rules::hardware::{
            growth::WINDOW_DAYS,
            named,
            standing::{Seen, differences, drives, findings, understood},
        },
        snapshot::Snapshot,
        time::Timestamp,
    },
    mailbox::Mailbox,
    store::{
        Store, StoreError,
        hardware::{Found, Mark, Of},
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
/// How the sources are called that ask drives.
const DRIVE: &str = "smartctl";
/// Of a drive that has used so much of its rated life it is asked when it will have used all, in percent.
const WORN: f64 = 80.0;
/// The outcome of a look that brought something.
const READ: &str = "read";

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
        let mut waiting = match self.store.hosts_with_hardware().await {
            Ok(hosts) => hosts,
            Err(error) => {
                self.told(&Err(error));
                BTreeSet::new()
            }
        };
        loop {
            // What is new goes first; of the others one by one.
            tokio::select! {
                biased;
                () = self.bell.rung() => {
                    sleep(BATCH).await;
                    for host in self.bell.take() {
                        waiting.remove(&host);
                        self.judge(host).await;
                    }
                }
                host = next(&mut waiting) => self.judge(host).await,
                () = sleep(AGAIN) => waiting = self.troubled(),
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

    async fn judge(&mut self, host: HostNo) {
        let judged = self.judgements(host, self.clock.now()).await;
        self.told(&judged);
        if let Ok(judgements) = judged
            && !judgements.is_empty()
        {
            // When the engine is gone the collector stops, and the next one judges all again.
            let _ = self.mailbox.send(Event::Host(host, HostEvent::Judged { through: None, judgements })).await;
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

    async fn judgements(&self, host: HostNo, now: Timestamp) -> Result<Vec<Judgement>, StoreError> {
        let marks = self.store.hardware_marks(host).await?;
        let mut seen = self.log(host, &marks, now).await?;
        let mut left = courses(&marks, now);
        // Of nearly all parts the last row says how they are; where it cannot be understood, the one before it stands.
        while !left.is_empty() {
            let pairs: Vec<_> = left.iter().filter_map(Course::a_week_apart).collect();
            let rows = pairs.iter().flat_map(|(now, then)| [Some(*now), *then]).flatten().cloned().collect();
            let found = self.store.hardware(host, Of::Marked(rows)).await?;
            let read = tokio::task::spawn_blocking(move || found.into_iter().filter_map(understand).collect());
            let mut read: BTreeMap<Key, Facts> = read.await.unwrap_or_default();
            let mut again = BTreeSet::new();
            for (now, then) in pairs {
                let before = then.and_then(|then| read.get(&key(then)).cloned());
                match read.remove(&key(now)) {
                    Some(facts) => seen.push(Seen { device: now.part.clone(), facts, before, used: Vec::new() }),
                    None => drop(again.insert(key(now))),
                }
            }
            left.retain_mut(|course| course.rows.pop_front().is_some_and(|now| again.contains(&key(&now))));
            left.retain(|course| !course.rows.is_empty());
        }
        self.wear(host, &marks, &mut seen).await?;
        let open = self.snapshots.borrow().hosts.get(&host).map(|view| view.findings.clone()).unwrap_or_default();
        let judged = tokio::task::spawn_blocking(move || {
            let groups = findings(&seen);
            (differences(&groups, &open), drives(&seen, &groups))
        });
        let (judgements, drives) = judged.await.unwrap_or_default();
        // What did not change since was not told again.
        let told = marks.iter().map(|mark| mark.at).max().unwrap_or(now);
        self.follow(host, &drives, told).await?;
        Ok(judgements)
    }

    /// Writes down what a look adds to the lives of drives.
    async fn follow(&self, host: HostNo, drives: &[Watched], told: Timestamp) -> Result<(), StoreError> {
        let serials = drives.iter().map(|drive| drive.serial.clone()).collect();
        let lives = follow(&self.store.lives_around(host, serials).await?, drives, host, told);
        if lives.is_empty() { Ok(()) } else { self.store.put_lives(lives).await }
    }

    /// Of drives that are nearly worn out, how they came to that.
    async fn wear(&self, host: HostNo, marks: &[Mark], seen: &mut [Seen]) -> Result<(), StoreError> {
        let used = |facts: &Facts| match facts {
            Facts::Drive(drive) => drive.used_percent().and_then(|used| u32::try_from(used).ok()).map(f64::from),
            _ => None,
        };
        for seen in seen.iter_mut().filter(|seen| used(&seen.facts).is_some_and(|used| used >= WORN)) {
            let is_its =
                |mark: &&Mark| mark.outcome == READ && mark.part == seen.device && mark.source.starts_with(DRIVE);
            let rows = marks.iter().filter(is_its).rev().cloned().collect();
            let found = self.store.hardware(host, Of::Marked(rows)).await?;
            let course = move || found.into_iter().filter_map(understand).collect::<Vec<_>>();
            let course = tokio::task::spawn_blocking(course).await.unwrap_or_default();
            seen.used = course.iter().filter_map(|((.., at), facts)| Some((*at, used(facts)?))).collect();
        }
        Ok(())
    }

    /// What the kernel has said lately, as one log.
    async fn log(&self, host: HostNo, marks: &[Mark], now: Timestamp) -> Result<Vec<Seen>, StoreError> {
        let is_recent = |mark: &&Mark| mark.source == LOG && mark.outcome == READ && now.since_ms(mark.at) < LOG_MS;
        // The latest come first.
        let rows = marks.iter().filter(is_recent).rev().cloned().collect();
        let found = self.store.hardware(host, Of::Marked(rows)).await?;
        let payload = found.iter().map(Found::payload).collect::<Vec<_>>().join(&b'\n');
        let facts = understood(LOG, &payload).filter(|_| !payload.iter().all(u8::is_ascii_whitespace));
        Ok(facts
            .map(|facts| Seen { device: String::new(), facts, before: None, used: Vec::new() })
            .into_iter()
            .collect())
    }
}

/// One of the hosts, and as long as there are none nothing.
async fn next(waiting: &mut BTreeSet<HostNo>) -> HostNo {
    match waiting.pop_first() {
        Some(host) => host,
        None => std::future::pending().await,
    }
}

/// A row's source, part and time.
type Key = (String, String, Timestamp);

fn key(mark: &Mark) -> Key {
    (mark.source.clone(), mark.part.clone(), mark.at)
}

fn understand(found: Found) -> Option<(Key, Facts)> {
    let facts = understood(&found.source, &found.payload())?;
    Some(((found.source, found.part, found.at), facts))
}

/// What was read of a part, the latest first.
struct Course {
    rows: VecDeque<Mark>,
    /// Until when that holds: what did not change since was not told again; what can no more be asked was so when it could.
    until: Timestamp,
}

/// Of each part that is there, but the kernel's log, what was read of it. What cannot be asked now is as it was when it could.
fn courses(marks: &[Mark], now: Timestamp) -> Vec<Course> {
    let of_parts = marks.chunk_by(|one, other| (&one.source, &one.part) == (&other.source, &other.part));
    let is_there =
        |rows: &&[Mark]| rows.first().is_some_and(|last| last.source != LOG && last.outcome != "not_present");
    let course = |rows: &[Mark]| {
        let read: VecDeque<Mark> = rows.iter().filter(|row| row.outcome == READ).cloned().collect();
        let holds = rows.first().is_some_and(|last| last.outcome == READ);
        let until = read.front().map(|last| if holds { now } else { last.at })?;
        Some(Course { rows: read, until })
    };
    of_parts.filter(is_there).filter_map(course).collect()
}

impl Course {
    /// The latest, and what held a week before: the last that was read by then, or else the first that is known.
    fn a_week_apart(&self) -> Option<(&Mark, Option<&Mark>)> {
        let now = self.rows.front()?;
        let then = self.until.plus_ms(-WINDOW_DAYS * 86_400_000);
        let first = || self.rows.iter().skip(1).last();
        Some((now, self.rows.iter().find(|row| row.at <= then).or_else(first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    /// Rows of one part, so many days old, the latest first.
    fn rows(days: &[(i64, &str)], now: Timestamp) -> Vec<Mark> {
        let row = |(n, (days, outcome)): (usize, &(i64, &str))| Mark {
            source: "nic-sysfs".into(),
            part: "eth0".into(),
            n: -i64::try_from(n).unwrap(),
            at: now.plus_ms(-days * DAY_MS),
            outcome: (*outcome).into(),
        };
        days.iter().enumerate().map(row).collect()
    }

    /// How old the rows are that are held beside each other, in days.
    fn apart(days: &[(i64, &str)]) -> Option<(i64, Option<i64>)> {
        let now = Timestamp::from_ms(1_000 * DAY_MS);
        let courses = courses(&rows(days, now), now);
        let (latest, before) = courses.first()?.a_week_apart()?;
        let age = |mark: &Mark| now.since_ms(mark.at) / DAY_MS;
        Some((age(latest), before.map(age)))
    }

    #[test]
    fn what_is_not_told_again_still_holds_so_that_what_grew_ends_a_week_later() {
        assert_eq!(apart(&[(0, "read")]), Some((0, None)));
        assert_eq!(apart(&[(0, "read"), (3, "read"), (5, "read")]), Some((0, Some(5))), "the first that is known");
        assert_eq!(apart(&[(0, "read"), (6, "read"), (7, "read"), (9, "read")]), Some((0, Some(7))));
        // It was told six days ago and is so still; a day later nothing is new any more.
        assert_eq!(apart(&[(6, "read"), (20, "read")]), Some((6, Some(20))));
        assert_eq!(apart(&[(7, "read"), (20, "read")]), Some((7, Some(7))));
        // What cannot be asked any more ends nothing.
        assert_eq!(apart(&[(1, "asleep"), (9, "read"), (10, "read")]), Some((9, Some(10))));
        assert_eq!(apart(&[(1, "asleep"), (9, "read"), (16, "read")]), Some((9, Some(16))));
        assert_eq!(apart(&[(0, "not_present"), (9, "read")]), None);
    }
}
