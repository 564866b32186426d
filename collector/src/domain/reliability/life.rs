//! One drive's life: since when it is watched, where it is, what it was called, and when it was taken out.

use crate::domain::{ids::HostNo, time::Timestamp};

/// That a drive is still there is written down at most once in so long, in milliseconds: it moves no figure by a day.
const SEEN_MS: i64 = 86_400_000;

/// A drive as one look at a host shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Serial number; never empty.
    pub serial: String,
    /// Model.
    pub model: String,
    /// Firmware revision.
    pub firmware: String,
    /// What the host calls it.
    pub device: String,
    /// Hours for which it was on, where it says so.
    pub hours: Option<u64>,
    /// The rules call it failing.
    pub is_failing: bool,
    /// It has failed, by its own word or because its array lost it.
    pub has_failed: bool,
}

/// A drive's life as far as it was watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Serial number.
    pub serial: String,
    /// Model.
    pub model: String,
    /// Firmware revision, as it said last.
    pub firmware: String,
    /// Where it was seen last.
    pub host: HostNo,
    /// What that host calls it.
    pub device: String,
    /// It is watched since then.
    pub entered: Timestamp,
    /// Hours for which it had been on by then.
    pub entered_hours: Option<u64>,
    /// It was seen last then, to the day.
    pub seen: Timestamp,
    /// Hours for which it had been on by then.
    pub hours: Option<u64>,
    /// It is called failing since then, for the first time in its life.
    pub failing: Option<Timestamp>,
    /// It was called failed then, for the first time.
    pub failed: Option<Timestamp>,
    /// It was missed then: another drive was in its place, or none.
    pub gone: Option<Timestamp>,
}

impl Life {
    /// When its life ended: it failed, or was taken out while it was called failing. Nobody replaces a drive that is well
    /// because it failed.
    #[must_use]
    pub fn failure(&self) -> Option<Timestamp> {
        self.failed.or_else(|| self.gone.filter(|_| self.failing.is_some()))
    }

    /// When it was called failing first, or failed.
    #[must_use]
    pub fn began_to_fail(&self) -> Option<Timestamp> {
        self.failing.or_else(|| self.failure())
    }

    /// Until when it was watched alive.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.failure().or(self.gone).unwrap_or(self.seen).max(self.entered)
    }

    fn is_of(&self, drive: &Watched) -> bool {
        (&self.serial, &self.model) == (&drive.serial, &drive.model)
    }

    fn began(drive: &Watched, host: HostNo, now: Timestamp) -> Self {
        Self {
            serial: drive.serial.clone(),
            model: drive.model.clone(),
            firmware: drive.firmware.clone(),
            host,
            device: drive.device.clone(),
            entered: now,
            entered_hours: drive.hours,
            seen: now,
            hours: drive.hours,
            failing: drive.is_failing.then_some(now),
            failed: drive.has_failed.then_some(now),
            gone: None,
        }
    }

    fn goes_on(&self, drive: &Watched, host: HostNo, now: Timestamp) -> Self {
        let first = |known: Option<Timestamp>, is: bool| known.or_else(|| is.then_some(now));
        Self {
            firmware: drive.firmware.clone(),
            host,
            device: drive.device.clone(),
            seen: now,
            // The age at which it failed stands.
            hours: if self.failed.is_some() { self.hours } else { drive.hours.or(self.hours) },
            failing: first(self.failing, drive.is_failing),
            failed: first(self.failed, drive.has_failed),
            gone: None,
            ..self.clone()
        }
    }

    /// Whether `later` says anything that is worth writing down.
    fn differs(&self, later: &Self) -> bool {
        let still = Self { seen: self.seen, hours: self.hours, ..later.clone() };
        *self != still || later.seen.since_ms(self.seen) >= SEEN_MS
    }
}

/// What one look at a host adds: lives that began, changed or were seen again after a day, and those of drives that are not
/// there any more. `known` are those of this host's drives and of drives with these serial numbers, wherever they were.
#[must_use]
pub fn follow(known: &[Life], drives: &[Watched], host: HostNo, now: Timestamp) -> Vec<Life> {
    let mut lives: Vec<Life> = Vec::new();
    for drive in drives {
        match known.iter().find(|life| life.is_of(drive)) {
            None => lives.push(Life::began(drive, host, now)),
            Some(life) => {
                let later = life.goes_on(drive, host, now);
                lives.extend(life.differs(&later).then_some(later));
            }
        }
    }
    let is_missed =
        |life: &&Life| life.host == host && life.gone.is_none() && !drives.iter().any(|drive| life.is_of(drive));
    lives.extend(known.iter().filter(is_missed).map(|life| Life { gone: Some(now), ..life.clone() }));
    lives
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn drive(serial: &str) -> Watched {
        let (is_failing, has_failed) = (false, false);
        let (model, firmware, device) = ("MADE UP 4000".into(), "0001".into(), "sda".into());
        Watched { serial: serial.into(), model, firmware, device, hours: Some(100), is_failing, has_failed }
    }

    fn at(days: i64) -> Timestamp {
        Timestamp::from_ms(days * DAY)
    }

    #[test]
    fn a_drive_keeps_its_life_when_it_moves_and_ends_it_when_another_takes_its_place() {
        let mut lives = follow(&[], &[drive("A")], HostNo(1), at(0));
        assert_eq!((lives.len(), lives[0].entered, lives[0].entered_hours), (1, at(0), Some(100)));
        assert_eq!(
            follow(&lives, &[drive("A")], HostNo(1), Timestamp::from_ms(DAY - 1)),
            [],
            "nothing new within a day"
        );
        assert_eq!(follow(&lives, &[drive("A")], HostNo(1), at(1))[0].seen, at(1));
        // It is pulled, and put into another host.
        lives = follow(&lives, &[], HostNo(1), at(2));
        assert_eq!((lives[0].gone, lives[0].failure()), (Some(at(2)), None));
        lives = follow(&lives, &[drive("A")], HostNo(2), at(3));
        assert_eq!((lives[0].host, lives[0].gone, lives[0].entered), (HostNo(2), None, at(0)));
        // The first host misses it no more: it is not its own.
        assert_eq!(follow(&lives, &[], HostNo(1), at(4)), []);
        // It is called failing, and another one is in its place.
        let failing = Watched { is_failing: true, ..drive("A") };
        lives = follow(&lives, &[failing], HostNo(2), at(5));
        let ended = follow(&lives, &[drive("B")], HostNo(2), at(6));
        assert_eq!(ended.iter().map(|life| life.serial.as_str()).collect::<Vec<_>>(), ["B", "A"]);
        assert_eq!((ended[1].failure(), ended[1].until()), (Some(at(6)), at(6)));
    }

    #[test]
    fn the_first_time_that_it_was_called_failed_stands() {
        let failed = Watched { has_failed: true, is_failing: true, ..drive("A") };
        let lives = follow(&[], &[drive("A")], HostNo(1), at(0));
        let lives = follow(&lives, std::slice::from_ref(&failed), HostNo(1), at(3));
        assert_eq!(lives[0].failure(), Some(at(3)));
        let mended = follow(&lives, &[drive("A")], HostNo(1), at(9));
        assert_eq!((mended[0].failure(), mended[0].until()), (Some(at(3)), at(3)));
        assert_eq!(follow(&mended, &[failed], HostNo(1), at(12))[0].failure(), Some(at(3)));
    }

    #[test]
    fn two_drives_with_one_serial_number_and_different_models_are_two() {
        let other = Watched { model: "OTHER".into(), ..drive("0000") };
        let lives = follow(&[], &[drive("0000"), other], HostNo(1), at(0));
        assert_eq!(lives.len(), 2);
    }
}
