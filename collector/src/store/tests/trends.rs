//! Trends: what was written is read, minutes become hours, hours go after thirteen months or at the quota.

use super::*;
use crate::domain::trend::{Hour, Minutes, Series, phase_of, row_of};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const AMPLE: u64 = 1 << 30;
const HOST: HostNo = HostNo(9);

fn load() -> Series {
    Series::new("load1", "").unwrap()
}

fn minute_of(at: Timestamp) -> i64 {
    at.ms() / MINUTE_MS
}

/// The row of the hour that `at` is in, with a value in each of its minutes.
fn row(at: Timestamp, value: impl Fn(i64) -> f64) -> Minutes {
    let mut row = Minutes::new(row_of(minute_of(at), phase_of(HOST.0)));
    (row.from..row.from + 60).for_each(|minute| row.set(minute, &load(), value(minute)));
    row
}

fn near(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 0.05 * (1.0 + expected)
}

#[tokio::test]
async fn what_was_written_is_read_again_and_after_the_next_opening() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let half = |wanted: i64| row(NOW, move |minute| if minute % 2 == wanted { minute as f64 % 7.0 } else { f64::NAN });
    store.write_trends(vec![(HOST, half(0)), (HostNo(1), half(0))], AMPLE, NOW).await.unwrap();
    drop(store);
    let store = Store::open(directory.path(), NOW).unwrap();
    store.write_trends(vec![(HOST, half(1))], AMPLE, NOW).await.unwrap();
    let history = store.trends(HOST, at(-DAY_MS), at(DAY_MS)).await.unwrap();
    let from = row_of(minute_of(NOW), phase_of(HOST.0));
    let found = history.minutes(&load(), from, from + 60);
    assert!((from..).zip(&found).all(|(minute, value)| near(*value, minute as f64 % 7.0)), "{found:?}");
    assert!(store.trends(HOST, at(-9 * DAY_MS), at(-8 * DAY_MS)).await.unwrap().minutes.is_empty());
    assert!(store.trends(HostNo(2), at(-DAY_MS), at(DAY_MS)).await.unwrap().minutes.is_empty());
}

#[tokio::test]
async fn minutes_become_hours_after_two_days_and_nothing_is_said_twice() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let value = |minute: i64| (minute / 60 % 24) as f64;
    for hour in -120..0 {
        let now = at(hour * 60 * MINUTE_MS);
        store.write_trends(vec![(HOST, row(now, value))], AMPLE, now).await.unwrap();
    }
    let history = store.trends(HOST, at(-9 * DAY_MS), NOW).await.unwrap();
    let (oldest, hours) = (history.minutes[0].from, minute_of(NOW) / 60);
    let kept = minute_of(NOW) - oldest;
    assert!((2 * 1440..=2 * 1440 + 420).contains(&kept), "minutes of {kept} minutes are kept");
    let found = history.hours(&load(), hours - 118, hours);
    for (hour, found) in (hours - 118..).zip(found) {
        let expected = (hour % 24) as f64;
        let Some(Hour { min, mean, max }) = found else { panic!("hour {hour} is missing") };
        assert!(near(min, expected) && near(mean, expected) && near(max, expected), "{hour}: {min} {mean} {max}");
    }
}

#[tokio::test]
async fn an_hour_that_two_rows_of_minutes_share_is_folded_whole() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    for hour in -120..0 {
        let now = at(hour * 60 * MINUTE_MS);
        store.write_trends(vec![(HOST, row(now, |minute| (minute % 60) as f64))], AMPLE, now).await.unwrap();
    }
    let hours = minute_of(NOW) / 60;
    let history = store.trends(HOST, at(-9 * DAY_MS), NOW).await.unwrap();
    for found in history.hours(&load(), hours - 118, hours - 56) {
        let Some(Hour { min, mean, max }) = found else { panic!("an hour is missing") };
        // Wherever hours end within the rows: the whole hour, whose mean is that of 0 to 59.
        assert!(min <= 0.5 && max >= 58.5 && (mean - 29.5).abs() < 1.0, "{min} {mean} {max}");
    }
}

#[tokio::test]
async fn hours_go_after_thirteen_months_also_of_hosts_that_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let old = at(-415 * DAY_MS);
    store.write_trends(vec![(HOST, row(old, |_| 1.0))], AMPLE, old).await.unwrap();
    let later = at(-410 * DAY_MS);
    store.tend_trends(AMPLE, later).await.unwrap();
    let history = store.trends(HOST, at(-500 * DAY_MS), NOW).await.unwrap();
    assert_eq!((history.minutes.len(), history.hours.is_empty()), (0, false), "folded though it reports no more");
    let tended = store.tend_trends(AMPLE, NOW).await.unwrap();
    assert!(store.trends(HOST, at(-500 * DAY_MS), NOW).await.unwrap().hours.is_empty());
    assert_eq!(tended, crate::store::trends::Tended { thinned: 0, bytes: 0 });
}

#[tokio::test]
async fn at_the_quota_the_oldest_hours_go_first() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let (mut thinned, mut bytes) = (0, 0);
    let quota = 7_000;
    for hour in -24 * 60..0 {
        let now = at(hour * 60 * MINUTE_MS);
        let tended =
            store.write_trends(vec![(HOST, row(now, |minute| (minute * 7 % 11) as f64))], quota, now).await.unwrap();
        (thinned, bytes) = (thinned + tended.thinned, tended.bytes);
    }
    assert!(thinned > 0 && bytes <= quota + 1_000, "{thinned} {bytes}");
    let history = store.trends(HOST, at(-90 * DAY_MS), NOW).await.unwrap();
    assert!(history.minutes.len() >= 48, "{} hours of minutes are left", history.minutes.len());
    let first = history.hours.first().map(|row| row.from * 60);
    assert!(first.is_none_or(|first| first > minute_of(at(-59 * DAY_MS))), "{first:?}: the oldest are gone");
}

#[tokio::test]
async fn what_an_agent_kept_while_nobody_listened_fills_the_gap_and_changes_nothing_known() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let known = minute_of(NOW) - 5;
    let mut row = Minutes::new(row_of(known, phase_of(HOST.0)));
    row.set(known, &load(), 1.0);
    store.write_trends(vec![(HOST, row)], AMPLE, NOW).await.unwrap();
    let body =
        |mean| format!(r#"{{"series":[{{"name":"load1","labels":[],"count":4,"min":0,"mean":{mean},"max":9}}]}}"#);
    let fact = |sequence, minute: i64, mean| Fact {
        sequence,
        at: Timestamp::from_ms(minute * MINUTE_MS + 59_000),
        kind: "rollup",
        body: body(mean),
    };
    let facts = vec![fact(1, known - 70, 4.0), fact(2, known - 1, 5.0), fact(3, known, 6.0)];
    store.commit_facts(HOST, [1; 16], facts.clone()).await.unwrap();
    store.commit_facts(HOST, [1; 16], facts).await.unwrap();
    let history = store.trends(HOST, at(-DAY_MS), NOW).await.unwrap();
    let found = history.minutes(&load(), known - 70, known + 1);
    assert!(near(found[0], 4.0) && near(found[69], 5.0) && near(found[70], 1.0), "{found:?}");
    assert!(found[1..69].iter().all(|value| value.is_nan()));
}
