//! Trends in `facts.db`: an hour of minutes is a row, two days later a day of hours is, then sixteen days of hours; after what
//! `[retention]` says it is gone. A row of several days takes a third less than as many of one.
//!
//! Every host's rows are tended when its hour is written, so that the work is spread over hours as the writing is; once a
//! day also those of hosts that report no more. What would exceed the quota goes oldest first, hours before minutes.

mod rows;

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::Connection;

use self::rows::Grain;
use super::{FACTS_FILE, Fact, Store, StoreError, storage_error};
use crate::domain::{
    ids::HostNo,
    time::Timestamp,
    trend::{DAY, History, Hours, Minutes, phase_of, rollup, row_of, sketch::Sketch},
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = DAY as i64 * HOUR_MS;
/// Minutes are kept this long, and to the end of the part of the day that they belong to.
const MINUTES_KEPT_MS: i64 = 2 * DAY_MS;
/// Days of hours that are joined to one row. It fills a page of the database (4 KiB) about once, or overflows into pages of
/// its own, which are filled to their end: in between, a third would be wasted.
const BLOCK: u8 = 16;
const BLOCK_MS: i64 = BLOCK as i64 * DAY_MS;
/// Minutes are folded by quarters of a day: by days, up to a day more of them would be kept, which is a third of the file
/// in the first weeks.
const PART_MS: i64 = DAY_MS / 4;
/// Quarters folded in one go: more are left for the next time, so that no write takes long.
const PARTS_AT_ONCE: usize = 8;
/// Rows of one host given up in one go when there is too much: more than a day brings.
const THINNED_AT_ONCE: usize = 26;
/// Hosts tended in one write.
const SLICE: usize = 20;

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tended {
    /// Rows given up because all trends together are larger than their quota.
    pub thinned: u64,
    /// What is held, bytes on disk.
    pub bytes: u64,
}

impl Store {
    /// Stores minutes of hosts beside those known; where both say something, these count. Then tends these hosts' rows.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn write_trends(
        &self,
        rows: Vec<(HostNo, Minutes)>,
        quota: u64,
        now: Timestamp,
    ) -> Result<Tended, StoreError> {
        let kept_ms = self.retention().trends_ms;
        let write = move |connection: &Connection| {
            let mut tended = Tended::default();
            for (host, minutes) in &rows {
                put_minutes(connection, *host, minutes, Minutes::merge, now)?;
                tended.thinned += tend(connection, *host, quota, now, kept_ms)?;
            }
            tended.bytes = rows::bytes(connection)?;
            Ok(tended)
        };
        self.facts().write(write, |_| {}).await
    }

    /// Tends the rows of hosts that were not heard of for long; asked once a day.
    ///
    /// # Errors
    /// [`StoreError`]; what was done until then stays.
    pub async fn tend_trends(&self, quota: u64, now: Timestamp) -> Result<Tended, StoreError> {
        let (mut all, kept_ms) = (Tended::default(), self.retention().trends_ms);
        let stale = now.plus_ms(-MINUTES_KEPT_MS - 2 * DAY_MS);
        let mut hosts = self.facts_reader().read(move |connection| rows::hosts_with_older(connection, stale)).await?;
        while !hosts.is_empty() {
            let slice = hosts.split_off(hosts.len().saturating_sub(SLICE));
            let write = move |connection: &Connection| {
                slice.iter().map(|host| tend(connection, *host, quota, now, kept_ms)).sum::<Result<u64, StoreError>>()
            };
            all.thinned += self.facts().write(write, |_| {}).await?;
        }
        let before = now.plus_ms(-kept_ms - 2 * BLOCK_MS);
        self.facts().write(move |connection| rows::forget_sets(connection, before), |()| {}).await?;
        all.bytes = self.facts_reader().read(rows::bytes).await?;
        Ok(all)
    }

    /// What is stored of a host from `from` to before `to`, in whole rows.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn trends(&self, host: HostNo, from: Timestamp, to: Timestamp) -> Result<History, StoreError> {
        self.facts_reader().read(move |connection| between(connection, host, from, to)).await
    }

    /// The minutes of several hosts since `from`, in one go.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn minutes_of(
        &self,
        hosts: Arc<[HostNo]>,
        from: Timestamp,
    ) -> Result<BTreeMap<HostNo, Vec<Minutes>>, StoreError> {
        let read = move |connection: &Connection| {
            let minutes = |host: &HostNo| Ok((*host, minutes(connection, *host, from.ms() - HOUR_MS + 1, i64::MAX)?));
            hosts.iter().map(minutes).collect()
        };
        self.facts_reader().read(read).await
    }

    /// The sketches of several hosts since `from`, in one go.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn sketches(&self, hosts: Vec<HostNo>, from: Timestamp) -> Result<BTreeMap<HostNo, Sketch>, StoreError> {
        let read = move |connection: &Connection| {
            let sketch = |host: &HostNo| Ok((*host, sketch(connection, *host, from.ms() - HOUR_MS + 1)?));
            hosts.iter().map(sketch).collect()
        };
        self.facts_reader().read(read).await
    }
}

fn sketch(connection: &Connection, host: HostNo, from_ms: i64) -> Result<Sketch, StoreError> {
    let mut sketch = Sketch::default();
    for row in rows::between(connection, Grain::Minute, host, from_ms, i64::MAX)? {
        sketch.add(&Minutes::unpack_only(row.from_ms / MINUTE_MS, &row.series, &row.packed, Sketch::wants));
    }
    Ok(sketch)
}

fn failed(error: rusqlite::Error) -> StoreError {
    storage_error(FACTS_FILE, &error)
}

/// Adds what roll-up records among these facts say, where nothing is known; part of the records' own transaction.
pub(super) fn put_rollups<'a>(
    connection: &Connection,
    host: HostNo,
    facts: impl Iterator<Item = &'a Fact>,
) -> Result<(), StoreError> {
    let phase = phase_of(host.0);
    let mut rows: BTreeMap<i64, (Minutes, Timestamp)> = BTreeMap::new();
    for fact in facts.filter(|fact| fact.kind == "rollup") {
        let (minute, readings) = rollup::minute_of(&fact.body, fact.at);
        let from = row_of(minute, phase);
        let (row, _) = rows.entry(from).or_insert_with(|| (Minutes::new(from), fact.at));
        readings.iter().for_each(|(series, value)| row.set(minute, series, *value));
    }
    rows.values().try_for_each(|(row, at)| put_minutes(connection, host, row, Minutes::fill, *at))
}

fn put_minutes(
    connection: &Connection,
    host: HostNo,
    new: &Minutes,
    join: fn(&mut Minutes, &Minutes),
    now: Timestamp,
) -> Result<(), StoreError> {
    if new.is_empty() {
        return Ok(());
    }
    let from_ms = new.from.saturating_mul(MINUTE_MS);
    let known = minutes(connection, host, from_ms, from_ms + 1)?.pop();
    let joined = known.map(|mut known| {
        join(&mut known, new);
        known
    });
    let row = joined.as_ref().unwrap_or(new);
    rows::put(connection, Grain::Minute, host, from_ms, &row.series(), row.pack(), now)
}

/// Folds, forgets and thins one host's rows; returns how many were thinned.
fn tend(connection: &Connection, host: HostNo, quota: u64, now: Timestamp, kept_ms: i64) -> Result<u64, StoreError> {
    for _ in 0..PARTS_AT_ONCE {
        if !fold_oldest_part(connection, host, now)? {
            break;
        }
    }
    rows::delete_before(connection, Grain::Hour, host, now.ms() - kept_ms - BLOCK_MS)?;
    let mut thinned = 0;
    for grain in [Grain::Hour, Grain::Minute] {
        if thinned == 0 && rows::bytes(connection)? > quota {
            // A row of hours is up to sixteen days: one is enough until the next host's turn.
            let most = if grain == Grain::Hour { 1 } else { THINNED_AT_ONCE };
            thinned += rows::delete_oldest(connection, grain, host, most)?;
        }
    }
    Ok(thinned)
}

/// Folds the oldest part of a day that minutes are known of, if it has been over for long enough.
fn fold_oldest_part(connection: &Connection, host: HostNo, now: Timestamp) -> Result<bool, StoreError> {
    let Some(oldest) = rows::oldest(connection, Grain::Minute, host)? else { return Ok(false) };
    // By its last minute: a row that reaches over the end of a part stays until the second of its parts is folded too.
    let part = (oldest + HOUR_MS - 1).div_euclid(PART_MS) * PART_MS;
    let (day, end) = (part.div_euclid(DAY_MS) * DAY_MS, part + PART_MS);
    if end + MINUTES_KEPT_MS > now.ms() {
        return Ok(false);
    }
    let minutes = minutes(connection, host, part - HOUR_MS + 1, end)?;
    let mut row = known_day(connection, host, day)?.unwrap_or_else(|| Hours::new(day / HOUR_MS, 1));
    row.fold(&minutes, part / HOUR_MS..end / HOUR_MS);
    rows::put(connection, Grain::Hour, host, row.from * HOUR_MS, &row.series(), row.pack(), now)?;
    rows::delete_before(connection, Grain::Minute, host, end - HOUR_MS + 1)?;
    // Blocks of different hosts end on different days.
    if end == day + DAY_MS && (end / DAY_MS + host.0).rem_euclid(i64::from(BLOCK)) == 0 {
        join_days(connection, host, end - BLOCK_MS, now)?;
    }
    Ok(true)
}

/// The row that a day is in, if there is one: minutes that came late belong to it.
fn known_day(connection: &Connection, host: HostNo, day: i64) -> Result<Option<Hours>, StoreError> {
    let last = rows::between(connection, Grain::Hour, host, day - BLOCK_MS + 1, day + 1)?.pop();
    let last = last.map(|row| Hours::unpack(row.from_ms / HOUR_MS, &row.series, &row.packed));
    Ok(last.filter(|row| row.from * HOUR_MS + row.length() as i64 * HOUR_MS > day))
}

/// Makes one row of the days of a block.
fn join_days(connection: &Connection, host: HostNo, from: i64, now: Timestamp) -> Result<(), StoreError> {
    let days = hours(connection, host, from, from + BLOCK_MS)?;
    let mut block = Hours::new(from / HOUR_MS, BLOCK);
    days.iter().for_each(|day| block.merge(day));
    for day in &days {
        rows::delete_at(connection, Grain::Hour, host, day.from * HOUR_MS)?;
    }
    rows::put(connection, Grain::Hour, host, from, &block.series(), block.pack(), now)
}

fn between(connection: &Connection, host: HostNo, from: Timestamp, to: Timestamp) -> Result<History, StoreError> {
    Ok(History {
        minutes: minutes(connection, host, from.ms().saturating_sub(HOUR_MS - 1), to.ms())?,
        hours: hours(connection, host, from.ms().saturating_sub(BLOCK_MS - 1), to.ms())?,
    })
}

fn minutes(connection: &Connection, host: HostNo, from_ms: i64, to_ms: i64) -> Result<Vec<Minutes>, StoreError> {
    let found = rows::between(connection, Grain::Minute, host, from_ms, to_ms)?;
    Ok(found.iter().map(|row| Minutes::unpack(row.from_ms / MINUTE_MS, &row.series, &row.packed)).collect())
}

fn hours(connection: &Connection, host: HostNo, from_ms: i64, to_ms: i64) -> Result<Vec<Hours>, StoreError> {
    let found = rows::between(connection, Grain::Hour, host, from_ms, to_ms)?;
    Ok(found.iter().map(|row| Hours::unpack(row.from_ms / HOUR_MS, &row.series, &row.packed)).collect())
}
