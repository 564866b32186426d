//! Flapping: what comes and goes so often that each change is no news any more. Pure arithmetic.
//!
//! The weights are Icinga 2's (`lib/icinga/checkable-flapping.cpp`): 20 slots, the oldest counts 0.80 and each younger one
//! 0.02 more, up to 1.18; their mean in percent says how much a thing flaps. A slot there is the result of a check. Here it
//! is a minute without a change, or a change, so that hosts, checks, findings and alerts are judged alike and what changes
//! several times a minute is seen at once.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// Slots that are looked back on.
const SLOTS: i64 = 20;
/// Weight of the oldest slot, and how much more each younger one weighs, in hundredths.
const OLDEST: i64 = 80;
const YOUNGER: i64 = 2;
/// It flaps above this, in percent. Icinga's is 30: there failures that nobody was told of count too. Ours count from the
/// moment when they are incidents, so five of them within a quarter of an hour are enough.
const START_PERCENT: i64 = 25;
/// It is stable again at this or below, in percent: after 12 to 18 minutes without a change. With Icinga's 25 a thing that
/// changes each four minutes would be stable after four.
const STOP_PERCENT: i64 = 10;
/// A slot without a change.
const SLOT_MS: i64 = 60_000;
/// What came and went longer ago does not count, in milliseconds.
pub const LOOKS_BACK_MS: i64 = SLOTS * SLOT_MS;

/// When a thing came and went lately, and whether it flaps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// When it began or ended, oldest first, at most as many as there are slots.
    pub at: Vec<Timestamp>,
    /// Set while it flaps.
    pub flapping: Option<Flapping>,
}

/// Something that flaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flapping {
    /// The first of the changes.
    pub since: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many there were.
    pub changes: u32,
    /// Since when it is well, if it is at the moment.
    pub well: Option<Timestamp>,
    /// Set at its end: it has not changed for so many minutes.
    pub stable_minutes: Option<i64>,
}

impl Flapping {
    /// `flapping: 5 changes in 9 min`
    #[must_use]
    pub fn words(&self) -> String {
        let minutes = self.last.since_ms(self.since) / SLOT_MS;
        let changes = format!("{} changes in {} min", self.changes, minutes.max(1));
        match (self.stable_minutes, self.well) {
            (Some(stable), _) => format!("flaps no more: {changes}, now stable for {stable} min"),
            (None, Some(_)) => format!("flapping: {changes}, well at the moment"),
            (None, None) => format!("flapping: {changes}"),
        }
    }
}

impl Changes {
    /// It began or ended now.
    pub fn push(&mut self, now: Timestamp) {
        if i64::try_from(self.at.len()).is_ok_and(|changes| changes >= SLOTS) {
            self.at.remove(0);
        }
        self.at.push(now);
        if let Some(flapping) = &mut self.flapping {
            flapping.last = now;
            flapping.changes = flapping.changes.saturating_add(1);
        }
    }

    /// Whether it changes so often that it begins to flap.
    #[must_use]
    pub fn begins(&self, now: Timestamp) -> bool {
        self.flapping.is_none() && self.weight(now) > START_PERCENT * SLOTS
    }

    /// From now on it flaps: since the first of the changes that say so.
    pub fn begin(&mut self, well: Option<Timestamp>) {
        let counted = self.slots(0).count();
        let counted = self.at.iter().skip(self.at.len().saturating_sub(counted));
        let (Some(since), Some(last)) = (counted.clone().next().copied(), self.at.last().copied()) else { return };
        let changes = u32::try_from(counted.count()).unwrap_or(u32::MAX);
        self.flapping = Some(Flapping { since, last, changes, well, stable_minutes: None });
    }

    /// How many minutes without a change make it stable.
    #[must_use]
    pub fn stable_minutes(&self) -> i64 {
        let weight = |minutes: i64| self.slots(minutes).map(|slot| OLDEST + YOUNGER * slot).sum::<i64>();
        (0..SLOTS).find(|minutes| weight(*minutes) <= STOP_PERCENT * SLOTS).unwrap_or(SLOTS)
    }

    /// When it is stable again unless it changes before.
    #[must_use]
    pub fn stable_at(&self) -> Option<Timestamp> {
        let last = self.at.last().filter(|_| self.flapping.is_some())?;
        Some(last.plus_ms(self.stable_minutes() * SLOT_MS))
    }

    /// The clock was set by this much.
    pub fn stepped(&mut self, by_ms: i64) {
        self.at.iter_mut().for_each(|at| *at = at.plus_ms(by_ms));
        if let Some(flapping) = &mut self.flapping {
            (flapping.since, flapping.last) = (flapping.since.plus_ms(by_ms), flapping.last.plus_ms(by_ms));
            flapping.well = flapping.well.map(|at| at.plus_ms(by_ms));
        }
    }

    fn weight(&self, now: Timestamp) -> i64 {
        let quiet = self.at.last().map_or(0, |last| now.since_ms(*last).max(0) / SLOT_MS);
        self.slots(quiet).map(|slot| OLDEST + YOUNGER * slot).sum()
    }

    /// The slots of the changes, the last one's first, after so many minutes without one.
    fn slots(&self, quiet_minutes: i64) -> impl Iterator<Item = i64> + '_ {
        let mut slot = SLOTS - 1 - quiet_minutes;
        let mut later: Option<Timestamp> = None;
        self.at.iter().rev().map_while(move |at| {
            if let Some(later) = later.replace(*at) {
                slot -= (later.since_ms(*at) / SLOT_MS).max(1);
            }
            (slot >= 0).then_some(slot)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(minutes: &[i64]) -> Changes {
        let mut changes = Changes::default();
        minutes.iter().for_each(|minute| changes.push(Timestamp::from_ms(minute * SLOT_MS)));
        changes
    }

    fn begins(minutes: &[i64]) -> bool {
        changes(minutes).begins(Timestamp::from_ms(minutes.last().unwrap() * SLOT_MS))
    }

    #[test]
    fn five_changes_within_a_quarter_of_an_hour_are_flapping_and_four_never_are() {
        assert!(!begins(&[0, 0, 0, 0]), "118 + 116 + 114 + 112 = 460 of 500");
        assert!(begins(&[0, 0, 0, 0, 0]), "and 110 = 570");
        assert!(begins(&[0, 5, 9, 14, 18]), "118 + 110 + 100 + 92 + 82 = 502");
        assert!(!begins(&[0, 5, 10, 14, 19]), "118 + 108 + 100 + 90 + 80 = 496");
        assert!(!begins(&[0, 5, 10, 15, 20, 25, 30, 35]), "118 + 108 + 98 + 88 = 412: each five minutes is slow");
    }

    #[test]
    fn what_flaps_is_stable_the_later_the_more_it_flapped() {
        let stable = |minutes: &[i64]| {
            let mut changes = changes(minutes);
            changes.begin(None);
            (changes.stable_minutes(), changes.stable_at().unwrap().ms() / SLOT_MS)
        };
        // Two slots are left after 12 minutes, 94 + 86 of 200, and after 11 three.
        assert_eq!(stable(&[0, 4, 8, 12, 16]), (12, 28));
        // After 17 minutes three slots are left, 84 + 82 + 80, and after 18 two.
        assert_eq!(stable(&[0, 0, 0, 0, 0]), (18, 18));
        assert_eq!(stable(&[0; 40]), (18, 18));
    }

    #[test]
    fn it_is_said_since_when_and_how_often_it_changed() {
        let mut flaps = changes(&[0, 100, 102, 104, 106, 108]);
        flaps.begin(None);
        let words = |changes: &Changes| changes.flapping.map(|flapping| flapping.words()).unwrap();
        assert_eq!(words(&flaps), "flapping: 5 changes in 8 min");
        (0..30).for_each(|n| flaps.push(Timestamp::from_ms((109 + n) * SLOT_MS)));
        flaps.flapping.as_mut().unwrap().well = Some(Timestamp::from_ms(0));
        assert_eq!(words(&flaps), "flapping: 35 changes in 38 min, well at the moment");
        flaps.flapping.as_mut().unwrap().stable_minutes = Some(18);
        assert_eq!(words(&flaps), "flaps no more: 35 changes in 38 min, now stable for 18 min");
    }
}
