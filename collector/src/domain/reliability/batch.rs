//! Batches: drives of one model and one firmware of which several began to fail together, while others did not.
//!
//! A batch stands as long as it says something to somebody: some of it is still in use, and it is not long ago that one of it
//! began to fail.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Life,
    cohort::{BATCH_DAYS, DAY_MS, Figures, cohort, is_bad},
};
use crate::domain::{ids::HostNo, time::Timestamp};

/// A batch of which no more drive began to fail for so long is over, in days: three times as long as those that are taken for
/// one batch lie apart at most.
pub const OVER_DAYS: i64 = 3 * BATCH_DAYS;
/// Drives that the evidence names; more are counted.
const NAMED: usize = 8;

/// Drives of one model and firmware that fail together.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Their model.
    pub model: String,
    /// Their firmware; empty where they do not say it.
    pub firmware: String,
    /// When the first of them began to fail.
    pub since: Timestamp,
    /// Hosts in which drives of it are that are failing or have failed, and are still in use.
    pub hosts: Vec<HostNo>,
    /// One line.
    pub summary: String,
    /// The figures that it rests on.
    pub evidence: String,
}

/// All batches that stand at `now`, by model and firmware.
#[must_use]
pub fn batches(lives: &[Life], now: Timestamp) -> Vec<Batch> {
    let mut groups: BTreeMap<(&str, &str), Vec<&Life>> = BTreeMap::new();
    for life in lives {
        groups.entry((&life.model, &life.firmware)).or_default().push(life);
    }
    let bad = lives.iter().filter(|life| is_bad(life)).count();
    let batch = |((model, firmware), members): ((&str, &str), Vec<&Life>)| {
        let cohort = cohort(model, firmware, &members, bad, lives.len());
        let figures = cohort.figures.filter(|_| cohort.in_use > 0)?;
        let together = figures.batch?;
        let mut failing: Vec<(Timestamp, &Life)> =
            members.iter().filter_map(|life| Some((life.began_to_fail()?, *life))).collect();
        failing.sort_by_key(|(at, life)| (*at, &life.serial));
        let ((first, _), (last, _)) = (failing.first()?, failing.last()?);
        if now.since_ms(*last) > OVER_DAYS * DAY_MS {
            return None;
        }
        let others = (lives.len() - members.len(), bad - failing.len());
        let hosts: BTreeSet<HostNo> =
            failing.iter().filter(|(_, life)| life.gone.is_none()).map(|(_, life)| life.host).collect();
        Some(Batch {
            model: model.to_owned(),
            firmware: firmware.to_owned(),
            since: *first,
            hosts: hosts.into_iter().collect(),
            summary: format!("{}: {together} drives began to fail within {BATCH_DAYS} days", called(model, firmware)),
            evidence: evidence(&failing, (members.len(), cohort.in_use), others, &figures),
        })
    };
    groups.into_iter().filter_map(batch).collect()
}

fn called(model: &str, firmware: &str) -> String {
    if firmware.is_empty() { model.to_owned() } else { format!("{model}, firmware {firmware}") }
}

fn evidence(
    failing: &[(Timestamp, &Life)],
    (drives, in_use): (usize, usize),
    (others, others_bad): (usize, usize),
    figures: &Figures,
) -> String {
    let day = |at: &Timestamp| at.to_string().chars().take(10).collect::<String>();
    let [value, low, high] = [figures.bad.value, figures.bad.low, figures.bad.high].map(|ratio| ratio * 100.0);
    let mut named: Vec<String> =
        failing.iter().rev().take(NAMED).map(|(at, life)| format!("{} since {}", life.serial, day(at))).collect();
    named.extend(failing.len().checked_sub(NAMED).filter(|more| *more > 0).map(|more| format!("and {more} more")));
    format!(
        "{} of {drives} drives of this model and firmware fail or failed ({value:.0} %, 95 of 100 such samples lie in {low:.0}-{high:.0} %), \
         {others_bad} of {others} others; {in_use} of them are in use; the latest: {}; ask the vendor for the batch, and do \
         not mirror one of them with another",
        failing.len(),
        named.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::{super::cohort::tests::lives, *};

    fn at(day: i64) -> Timestamp {
        Timestamp::from_ms(day * DAY_MS)
    }

    /// 200 drives that are well, and 30 of another make of which so many fail, one a day from day 300 on.
    fn fleet(bad: i64) -> Vec<Life> {
        let mut all = lives("GOOD", "1", 200, 1);
        all.extend(lives("BAD", "2", 30 - bad, bad));
        all.extend(lives("BAD", "1", 30, 0));
        all
    }

    #[test]
    fn a_batch_names_what_fails_where_and_beside_what_and_one_firmware_alone_is_blamed() {
        let found = batches(&fleet(10), at(320));
        let [batch] = &found[..] else { panic!("{found:?}") };
        assert_eq!((batch.model.as_str(), batch.firmware.as_str(), batch.since), ("BAD", "2", at(300)));
        assert_eq!(batch.summary, "BAD, firmware 2: 10 drives began to fail within 30 days");
        // Wilson for 10 of 30: 0.1923 to 0.5122.
        for wanted in
            ["10 of 30", "(33 %", "19-51 %", "1 of 231 others", "30 of them are in use", "BAD-2-29 since 1970-11-06"]
        {
            assert!(batch.evidence.contains(wanted), "{wanted}: {}", batch.evidence);
        }
        assert!(batch.evidence.contains("and 2 more") && !batch.evidence.contains("BAD-2-20"), "{}", batch.evidence);
        assert_eq!(batch.hosts, [HostNo(1)]);
    }

    #[test]
    fn what_is_too_little_long_over_or_all_gone_is_none() {
        assert_eq!(batches(&fleet(2), at(320)), []);
        // The last began on day 309.
        assert_eq!(batches(&fleet(10), at(309 + OVER_DAYS)).len(), 1);
        assert_eq!(batches(&fleet(10), at(310 + OVER_DAYS)), []);
        let mut gone = fleet(10);
        gone.iter_mut().filter(|life| life.model == "BAD").for_each(|life| life.gone = Some(at(315)));
        assert_eq!(batches(&gone, at(320)), []);
        assert_eq!(batches(&[], at(320)), []);
    }
}
