//! Drives of one model, and of one model and firmware: how many fail, how fast, beside all others, and whether several began to
//! fail together.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Life, YEAR_HOURS, share::Share, survival};
use crate::domain::time::Timestamp;

/// Fewer drives say nothing: with none of nine failing the rate may still be a third.
pub const LEAST: usize = 10;
/// Groups are called worse than the others beyond so many standard deviations (one in a thousand): with fifty groups compared
/// one in twenty times any is called so by chance.
const WORSE_DEVIATIONS: f64 = 3.29;
/// So many drives of one model and firmware that begin to fail within [`BATCH_DAYS`] may have one cause.
const BATCH: usize = 3;
pub(super) const BATCH_DAYS: i64 = 30;
pub(super) const DAY_MS: i64 = 86_400_000;
/// Ages at which survival is told, in years of being on.
const AGES: [u32; 7] = [1, 2, 3, 4, 5, 7, 10];

/// Drives that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cohort {
    /// Their model.
    pub model: String,
    /// Their firmware; empty for all of the model.
    pub firmware: String,
    /// How many were ever watched.
    pub drives: usize,
    /// How many of them are in use.
    pub in_use: usize,
    /// Failed, or were taken out while they were called failing.
    pub failures: usize,
    /// Are called failing and still in use.
    pub failing: usize,
    /// Were taken out while they were well.
    pub retired: usize,
    /// Years for which they were watched, together.
    pub years: f64,
    /// What is said of them, unless they are too few.
    pub figures: Option<Figures>,
}

/// What ten drives and more say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Failures a year, of one drive.
    pub per_year: Interval,
    /// Share of them that failed or are failing.
    pub bad: Interval,
    /// Age in years, and the share that reaches it.
    pub survival: Vec<(u32, Interval)>,
    /// More of them are bad than of all others, beyond chance.
    pub is_worse: bool,
    /// So many began to fail within thirty days, and they are worse than others: ask the vendor for the batch.
    pub batch: Option<usize>,
}

/// A figure and where the truth is in 95 of 100 such samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// What was seen.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl From<Share> for Interval {
    fn from(share: Share) -> Self {
        Self { value: share.ratio, low: share.low, high: share.high }
    }
}

/// Every model, and each of its firmwares where it has several; the most drives first.
#[must_use]
pub fn cohorts(lives: &[Life]) -> Vec<Cohort> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Life>> = BTreeMap::new();
    for life in lives {
        groups.entry((&life.model, "")).or_default().push(life);
        groups.entry((&life.model, &life.firmware)).or_default().push(life);
    }
    let has_one_firmware = |(model, firmware): (&str, &str), members: usize| {
        !firmware.is_empty() && groups.get(&(model, "")).is_some_and(|all| all.len() == members)
    };
    let bad = lives.iter().filter(|life| is_bad(life)).count();
    let of = |((model, firmware), members): (&(&str, &str), &Vec<&Life>)| {
        let is_told = !has_one_firmware((model, firmware), members.len());
        is_told.then(|| cohort(model, firmware, members, bad, lives.len()))
    };
    let mut cohorts: Vec<Cohort> = groups.iter().filter_map(of).collect();
    cohorts.sort_by(|one, other| {
        (other.drives, &one.model, &one.firmware).cmp(&(one.drives, &other.model, &other.firmware))
    });
    cohorts
}

/// What became of drives that the rules called failing before they failed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Foretold {
    /// Drives that were called failing, and of which it is known what became of them within [`FORETOLD_DAYS`].
    pub called: usize,
    /// Those that failed, or were taken out while they were called so, within these days.
    pub failed: usize,
    /// Their share; nothing for fewer than [`LEAST`].
    pub share: Option<Interval>,
}

/// How far ahead a call that a drive is failing is held to be true, in days: as far as the sample looks that the shipped
/// shares are of.
pub const FORETOLD_DAYS: i64 = 40;

/// How often this fleet's drives failed that were called failing. One that failed with the call was not foretold.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of drives")]
pub fn foretold(lives: &[Life], now: Timestamp) -> Foretold {
    let days = |from: Timestamp, to: Timestamp| to.since_ms(from) / DAY_MS;
    // Whether it failed in time, where that is known.
    let outcome = |life: &Life| {
        let failing = life.failing?;
        match life.failure() {
            Some(failure) if days(failing, failure) < 1 => None,
            Some(failure) => Some(days(failing, failure) <= FORETOLD_DAYS),
            None => (days(failing, now.min(life.until())) > FORETOLD_DAYS).then_some(false),
        }
    };
    let outcomes: Vec<bool> = lives.iter().filter_map(outcome).collect();
    let (called, failed) = (outcomes.len(), outcomes.iter().filter(|failed| **failed).count());
    let share = (called >= LEAST).then(|| Share::of(failed as f64, called as f64).into());
    Foretold { called, failed, share }
}

pub(super) fn is_bad(life: &Life) -> bool {
    life.began_to_fail().is_some()
}

#[expect(clippy::cast_precision_loss, reason = "counts of drives and milliseconds of years")]
pub(super) fn cohort(model: &str, firmware: &str, members: &[&Life], all_bad: usize, all: usize) -> Cohort {
    let count = |is: fn(&Life) -> bool| members.iter().filter(|life| is(life)).count();
    let failures = count(|life| life.failure().is_some());
    let bad = count(is_bad);
    let watched_ms: i64 = members.iter().map(|life| life.until().since_ms(life.entered)).sum();
    let years = watched_ms as f64 / 3_600_000.0 / YEAR_HOURS;
    let figures = (members.len() >= LEAST).then(|| {
        let (others, others_bad) = (all - members.len(), all_bad - bad);
        let is_worse = others >= LEAST && {
            let wilson = |hits: usize, all: usize| Share::within(hits as f64, all as f64, WORSE_DEVIATIONS);
            wilson(bad, members.len()).low > wilson(others_bad, others).high
        };
        let batch = together(members);
        let survival = survival::alive(&spans(members), &AGES, LEAST);
        Figures {
            per_year: per_year(failures, years),
            bad: Share::of(bad as f64, members.len() as f64).into(),
            survival: survival.into_iter().map(|(age, share)| (age, share.into())).collect(),
            is_worse,
            batch: Some(batch).filter(|batch| is_worse && *batch >= BATCH),
        }
    });
    Cohort {
        model: model.to_owned(),
        firmware: firmware.to_owned(),
        drives: members.len(),
        in_use: count(|life| life.gone.is_none()),
        failures,
        failing: count(|life| life.failure().is_none() && life.failing.is_some() && life.gone.is_none()),
        retired: count(|life| life.gone.is_some() && life.failure().is_none()),
        years,
        figures,
    }
}

/// The most that began to fail within thirty days.
fn together(members: &[&Life]) -> usize {
    let mut began: Vec<Timestamp> = members.iter().filter_map(|life| life.began_to_fail()).collect();
    began.sort_unstable();
    let within = |(n, first): (usize, &Timestamp)| {
        began[n..].iter().take_while(|at| at.since_ms(*first) <= BATCH_DAYS * DAY_MS).count()
    };
    began.iter().enumerate().map(within).max().unwrap_or(0)
}

/// Failures a year with the interval of a Poisson count, by Byar's approximation (Breslow and Day 1987, formula 2.13).
#[expect(clippy::cast_precision_loss, reason = "a count of drives")]
fn per_year(failures: usize, years: f64) -> Interval {
    if years <= 0.0 {
        return Interval { value: 0.0, low: 0.0, high: f64::MAX };
    }
    let byar = |count: f64, sign: f64| {
        if count <= 0.0 {
            return 0.0;
        }
        count * (1.0 - 1.0 / (9.0 * count) + sign * 1.96 / (3.0 * count.sqrt())).powi(3)
    };
    let count = failures as f64;
    Interval { value: count / years, low: byar(count, -1.0) / years, high: byar(count + 1.0, 1.0) / years }
}

/// Ages in hours of being on, of drives that tell them.
#[expect(clippy::cast_precision_loss, reason = "hours of a drive's life")]
fn spans(members: &[&Life]) -> Vec<survival::Span> {
    let span = |life: &&Life| {
        let (from, to) = (life.entered_hours?, life.hours?);
        let has_failed = life.failure().is_some();
        // One that failed on the first look was never watched alive.
        (to > from).then_some(survival::Span { from_hours: from as f64, to_hours: to as f64, has_failed })
    };
    members.iter().filter_map(span).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::ids::HostNo;

    pub(in super::super) fn lives(model: &str, firmware: &str, well: i64, bad: i64) -> Vec<Life> {
        let life = |n: i64| {
            let is_bad = n >= well;
            let failing = is_bad.then(|| Timestamp::from_ms((300 + n - well) * DAY_MS));
            Life {
                serial: format!("{model}-{firmware}-{n}"),
                model: model.into(),
                firmware: firmware.into(),
                host: HostNo(1),
                device: "sda".into(),
                entered: Timestamp::from_ms(0),
                entered_hours: Some(0),
                seen: Timestamp::from_ms(365 * DAY_MS),
                hours: Some(8_760),
                failing,
                failed: failing,
                gone: None,
            }
        };
        (0..well + bad).map(life).collect()
    }

    #[test]
    fn of_nine_drives_nothing_is_said_and_of_ten_with_how_sure_it_is() {
        let nine = cohorts(&lives("A", "1", 9, 0));
        assert_eq!((nine.len(), nine[0].drives, nine[0].figures.is_none()), (1, 9, true));
        let figures = cohorts(&lives("A", "1", 10, 0))[0].figures.clone().unwrap();
        // None of ten: Wilson's upper end is 0.2775; a Poisson count of 0 ends at 3.69 (exact), Byar's at 3.68.
        assert!((figures.bad.high - 0.2775).abs() < 5e-4, "{figures:?}");
        let years = 10.0 * 365.0 * 24.0 / YEAR_HOURS;
        assert!((figures.per_year.high * years - 3.69).abs() < 0.03 && figures.per_year.low == 0.0, "{figures:?}");
    }

    #[test]
    fn a_call_is_held_against_what_became_of_the_drive() {
        let year = Timestamp::from_ms(365 * DAY_MS);
        let life = |failing: i64, failed: Option<i64>, seen: i64| Life {
            failing: Some(Timestamp::from_ms(failing * DAY_MS)),
            failed: failed.map(|day| Timestamp::from_ms(day * DAY_MS)),
            seen: Timestamp::from_ms(seen * DAY_MS),
            ..lives("A", "1", 1, 0).remove(0)
        };
        let mut all: Vec<Life> = (0..8).map(|_| life(10, Some(30), 365)).collect();
        all.push(life(10, Some(100), 365)); // too late
        all.push(life(10, None, 365)); // it lives
        all.push(life(10, Some(10), 365)); // it failed with the call
        all.push(life(340, None, 365)); // nobody knows yet
        let told = foretold(&all, year);
        assert_eq!((told.called, told.failed), (10, 8));
        // Wilson for 8 of 10: 0.4902 to 0.9433.
        let share = told.share.unwrap();
        assert!((share.low - 0.4902).abs() < 5e-4 && (share.high - 0.9433).abs() < 5e-4, "{share:?}");
        assert_eq!(foretold(&all[1..], year).share, None, "nine say nothing");
    }

    #[test]
    fn a_batch_that_fails_together_is_told_beside_models_that_do_not() {
        let mut all = lives("GOOD", "1", 200, 1);
        all.extend(lives("BAD", "2", 20, 10));
        all.extend(lives("BAD", "1", 30, 0));
        let cohorts = cohorts(&all);
        let find = |model: &str, firmware: &str| {
            let found = cohorts.iter().find(|one| (one.model.as_str(), one.firmware.as_str()) == (model, firmware));
            found.and_then(|one| one.figures.clone())
        };
        let batch = find("BAD", "2").unwrap();
        assert_eq!((batch.is_worse, batch.batch), (true, Some(10)));
        assert_eq!(find("BAD", "1").map(|figures| (figures.is_worse, figures.batch)), Some((false, None)));
        assert_eq!(find("GOOD", "").map(|figures| (figures.is_worse, figures.batch)), Some((false, None)));
        assert_eq!(find("GOOD", "1"), None, "all of the model have it");
        // 10 of 30 fail within a year, each after 300 to 309 days.
        assert!((batch.per_year.value - 10.0 / 28.3).abs() < 0.02, "{batch:?}");
    }
}
