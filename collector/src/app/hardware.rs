//! Judges what agents found of their hardware: all of a host's evidence together, when some of it is new, once after the
//! collector's start, and again and again where something is wrong, for what a log says is no trouble for ever. What it comes
//! to is on the board for whoever shows the fleet's hardware; batches of drives that fail together are told to the desk.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep},
};

use super::House;
use crate::{
    bell::Bell,
    board::Board,
    clock::Clock,
    domain::{
        event::{Event, HostEvent},
        finding::{FindingRow, Judgement},
        hardware::Facts,
        ids::HostNo,
        reliability::{Watched, batches, follow},
        rules::hardware::{
            growth::WINDOW_DAYS,
            named,
            sheet::{LOG_MS, Origin, of_parts},
            standing::{Seen, differences, drives, findings, is_since_first, understood, used_percent},
            summary::Summary,
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
    board: Board,
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
            board: house.board.clone(),
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
        let mut again = interval(AGAIN);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = pin!(sleep(BATCH));
        let mut is_rung = false;
        loop {
            // What is new goes first; while more of it may come the others go on, one by one.
            tokio::select! {
                biased;
                () = batch.as_mut(), if is_rung => {
                    is_rung = false;
                    for host in self.bell.take() {
                        waiting.remove(&host);
                        self.judge(host).await;
                    }
                }
                () = self.bell.rung(), if !is_rung => {
                    batch.set(sleep(BATCH));
                    is_rung = true;
                }
                _ = again.tick() => {
                    waiting.append(&mut self.troubled());
                    self.fleet().await;
                }
                host = next(&mut waiting) => self.judge(host).await,
            }
        }
    }

    /// What is wrong with many drives together.
    async fn fleet(&mut self) {
        let lives = self.store.lives().await;
        match lives {
            Ok(lives) => {
                let now = self.clock.now();
                // Comparing tens of thousands of drives takes tens of milliseconds.
                let Ok(batches) = tokio::task::spawn_blocking(move || batches(&lives, now)).await else { return };
                // When the engine is gone the collector stops.
                let _ = self.mailbox.send(Event::Batches(batches)).await;
            }
            Err(error) => self.told(&Err(error)),
        }
    }

    /// Hosts with an open finding of their hardware, or of which something is found.
    fn troubled(&self) -> BTreeSet<HostNo> {
        let snapshot = self.snapshots.borrow();
        let is_hardware = |row: &FindingRow| named(&row.rule).is_some();
        let troubled = snapshot.hosts.iter().filter(|(_, host)| host.findings.iter().any(is_hardware));
        troubled.map(|(no, _)| *no).chain(self.board.troubled()).collect()
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
        let mut known = self.log(host, &marks, now).await?;
        let mut left = courses(&marks, now);
        // Of nearly all parts the last row says how they are; where it cannot be understood, the one before it stands.
        while !left.is_empty() {
            let pairs: Vec<_> = left.iter().filter_map(|course| course.a_week_apart().zip(Some(course))).collect();
            let rows = pairs.iter().flat_map(|((now, then), _)| [Some(*now), *then]).flatten().cloned().collect();
            let found = self.store.hardware(host, Of::Marked(rows)).await?;
            let read = tokio::task::spawn_blocking(move || found.into_iter().filter_map(understand).collect());
            let mut read: BTreeMap<Key, Facts> = read.await.unwrap_or_default();
            let mut again = BTreeSet::new();
            for ((now, then), course) in pairs {
                let before = then.and_then(|then| read.get(&key(then)).cloned());
                match read.remove(&key(now)) {
                    Some(facts) => {
                        let seen = Seen { device: now.part.clone(), facts, before, used: Vec::new() };
                        known.push((origin(now, &course.outcome), seen));
                    }
                    None => drop(again.insert(key(now))),
                }
            }
            left.retain_mut(|course| course.rows.pop_front().is_some_and(|now| again.contains(&key(&now))));
            left.retain(|course| !course.rows.is_empty());
        }
        let (origins, mut seen): (Vec<Origin>, Vec<Seen>) = known.into_iter().unzip();
        self.wear(host, &marks, &mut seen).await?;
        let open = self.snapshots.borrow().hosts.get(&host).map(|view| view.findings.clone()).unwrap_or_default();
        // What did not change since was not told again.
        let told = marks.iter().map(|mark| mark.at).max().unwrap_or(now);
        let judged = tokio::task::spawn_blocking(move || {
            let groups = findings(&seen);
            let (judgements, drives) = (differences(&groups, &open), drives(&seen, &groups));
            (judgements, drives, Summary::of(asked(&marks), of_parts(&origins, &seen, groups)))
        });
        let Ok((judgements, drives, summary)) = judged.await else { return Ok(Vec::new()) };
        self.board.put(host, summary);
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
        for seen in seen.iter_mut().filter(|seen| used_percent(&seen.facts).is_some_and(|used| used >= WORN)) {
            let is_its =
                |mark: &&Mark| mark.outcome == READ && mark.part == seen.device && mark.source.starts_with(DRIVE);
            let rows = marks.iter().filter(is_its).rev().cloned().collect();
            let found = self.store.hardware(host, Of::Marked(rows)).await?;
            let course = move || found.into_iter().filter_map(understand).collect::<Vec<_>>();
            let course = tokio::task::spawn_blocking(course).await.unwrap_or_default();
            seen.used = course.iter().filter_map(|((.., at), facts)| Some((*at, used_percent(facts)?))).collect();
        }
        Ok(())
    }

    /// What the kernel has said lately, as one log.
    async fn log(&self, host: HostNo, marks: &[Mark], now: Timestamp) -> Result<Vec<(Origin, Seen)>, StoreError> {
        let is_recent = |mark: &&Mark| mark.source == LOG && mark.outcome == READ && now.since_ms(mark.at) < LOG_MS;
        // The latest come first.
        let rows: Vec<Mark> = marks.iter().filter(is_recent).rev().cloned().collect();
        let Some(last) = rows.last().map(|last| origin(last, READ)) else { return Ok(Vec::new()) };
        let found = self.store.hardware(host, Of::Marked(rows)).await?;
        let payload = found.iter().map(Found::payload).collect::<Vec<_>>().join(&b'\n');
        let facts = understood(LOG, &payload).filter(|_| !payload.iter().all(u8::is_ascii_whitespace));
        let seen = facts.map(|facts| Seen { device: String::new(), facts, before: None, used: Vec::new() });
        Ok(seen.map(|seen| (last, seen)).into_iter().collect())
    }
}

/// Where a row comes from, and what became of asking last.
fn origin(row: &Mark, outcome: &str) -> Origin {
    Origin { source: row.source.clone(), outcome: outcome.to_owned(), at: row.at, ..Origin::default() }
}

/// What became of asking each part last.
fn asked(marks: &[Mark]) -> impl Iterator<Item = (&str, &str, &str, Timestamp)> {
    let of_parts = marks.chunk_by(|one, other| (&one.source, &one.part) == (&other.source, &other.part));
    of_parts.filter_map(|rows| rows.first()).map(|last| (&*last.source, &*last.outcome, &*last.why, last.at))
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
    /// What became of asking last.
    outcome: String,
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
        let outcome = rows.first()?.outcome.clone();
        let until = read.front().map(|last| if outcome == READ { now } else { last.at })?;
        Some(Course { rows: read, outcome, until })
    };
    of_parts.filter(is_there).filter_map(course).collect()
}

impl Course {
    /// The latest, and what held a week before: the last that was read by then, or else the first that is known; of a log that
    /// keeps what it said always the first.
    fn a_week_apart(&self) -> Option<(&Mark, Option<&Mark>)> {
        let now = self.rows.front()?;
        let then = self.until.plus_ms(-WINDOW_DAYS * 86_400_000);
        let first = || self.rows.iter().skip(1).last();
        let week_before = self.rows.iter().find(|row| row.at <= then).filter(|_| !is_since_first(&now.source));
        Some((now, week_before.or_else(first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    /// Rows of one part, so many days old, the latest first.
    fn rows(source: &str, days: &[(i64, &str)], now: Timestamp) -> Vec<Mark> {
        let row = |(n, (days, outcome)): (usize, &(i64, &str))| Mark {
            source: source.into(),
            part: "eth0".into(),
            n: -i64::try_from(n).unwrap(),
            at: now.plus_ms(-days * DAY_MS),
            outcome: (*outcome).into(),
            why: String::new(),
        };
        days.iter().enumerate().map(row).collect()
    }

    /// How old the rows are that are held beside each other, in days.
    fn apart(days: &[(i64, &str)]) -> Option<(i64, Option<i64>)> {
        of_source("nic-sysfs", days)
    }

    fn of_source(source: &str, days: &[(i64, &str)]) -> Option<(i64, Option<i64>)> {
        let now = Timestamp::from_ms(1_000 * DAY_MS);
        let courses = courses(&rows(source, days, now), now);
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
        // A log keeps what it said: what it said first is what it had said before anybody looked.
        let log = [(0, "read"), (9, "read"), (40, "read"), (41, "failed")];
        assert_eq!((apart(&log), of_source("ipmi", &log)), (Some((0, Some(9))), Some((0, Some(40)))));
    }

    /// A judge of what was found on two hosts: a drive that has failed in each, and no ECC.
    async fn judge_of_two(directory: &tempfile::TempDir) -> (Judging, tokio::sync::mpsc::Receiver<Event>) {
        let clock = Clock::start();
        let store = Store::open(directory.path(), clock.now()).unwrap();
        for host in [1, 2] {
            let drive = serde_json::json!({
                "smartctl": { "exit_status": 8 }, "device": { "name": "/dev/sda", "type": "sat", "protocol": "ATA" },
                "model_name": "MADE UP", "serial_number": format!("MADE-UP-{host}"), "smart_status": { "passed": false },
            });
            let said = [
                ("smartctl-json", "sda", "read", "", drive.to_string()),
                ("edac", "", "not_present", "no_ecc_reporting: none", String::new()),
            ];
            let fact =
                |(sequence, (source, part, outcome, reason, payload)): (u64, (&str, &str, &str, &str, String))| {
                    let body = serde_json::json!({ "source": source, "part": part, "outcome": outcome, "reason": reason,
                    "format": 1, "size": payload.len(), "payload": payload });
                    crate::store::Fact { sequence, at: clock.now(), kind: "evidence", body: body.to_string() }
                };
            let facts = (1..).zip(said).map(fact).collect();
            store.commit_facts(HostNo(host), [1; 16], facts).await.unwrap();
        }
        let (mailbox, events) = Mailbox::new();
        let (_, snapshots) = watch::channel(Arc::new(Snapshot::default()));
        let (bell, board) = (Bell::default(), Board::default());
        (Judging { store, snapshots, mailbox, clock, bell, board, failing: false }, events)
    }

    #[tokio::test]
    async fn what_one_look_comes_to_is_judged_and_on_the_board() {
        let directory = tempfile::tempdir().unwrap();
        let (mut judging, mut events) = judge_of_two(&directory).await;
        judging.judge(HostNo(1)).await;
        let summary = judging.board.of(HostNo(1)).unwrap();
        assert_eq!(summary.verdicts, [0, 0, 0, 1], "one part, and it has failed");
        let asked = [(("edac", "not_present", "no_ecc_reporting"), 1), (("smartctl-json", "read", ""), 1)];
        assert_eq!(summary.asked, BTreeMap::from(asked));
        assert_eq!(summary.part("drive MADE-UP-1").map(|part| part.model.as_str()), Some("MADE UP"));
        let Ok(Event::Host(HostNo(1), HostEvent::Judged { judgements, .. })) = events.try_recv() else {
            panic!("nothing was judged")
        };
        assert_eq!(judgements[0].part, "drive MADE-UP-1");
    }

    #[tokio::test]
    async fn a_host_that_rings_all_the_time_does_not_keep_others_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let (mut judging, _events) = judge_of_two(&directory).await;
        let (bell, board) = (judging.bell.clone(), judging.board.clone());
        let ringing = async {
            while board.of(HostNo(1)).is_none() {
                bell.ring(HostNo(2));
                tokio::task::yield_now().await;
            }
        };
        let both = async {
            tokio::select! { () = judging.work() => {}, () = ringing => {} }
        };
        tokio::time::timeout(Duration::from_secs(20), both).await.expect("the other host is judged");
    }
}
