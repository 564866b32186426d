//! `[backup]`: where copies of the records go, and when.

use std::path::Path;

use super::{
    heartbeats::time,
    oncall::{clock, zone_name},
    section::Section,
};
use crate::{
    domain::{
        backup::{Plan, Rhythm, check_passphrase},
        heartbeat::schedule::Schedule,
    },
    notify::secret::Secret,
};

const DIRECTORY: &str = "the whole path of a directory such as /var/backups/muster";
const CLOCK: &str = "a time of the day such as \"02:30\"";
const EVERY: &str = "a time from \"1 h\" to \"31 d\", such as \"6 h\"";
const EVERY_S: std::ops::RangeInclusive<f64> = 3_600.0..=31.0 * 86_400.0;
/// Two weeks of nights.
const KEEP: usize = 14;
const MOST_KEPT: f64 = 1_000.0;
const DAY_MS: i64 = 86_400_000;

/// The schedule, and what seals.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Where to, how often, how many.
    pub plan: Plan,
    /// What opens them again.
    pub passphrase: Secret,
}

pub(super) fn read(mut section: Section<'_, '_>, is_given: bool, state: &Path) -> Option<Backup> {
    if !is_given {
        return None;
    }
    let directory = section.required("directory", DIRECTORY, |text| {
        if !text.starts_with('/') || text.contains('\0') {
            return Err(DIRECTORY.into());
        }
        if Path::new(text).starts_with(state) {
            return Err(format!("{DIRECTORY}, outside of the state directory, with which it would be lost"));
        }
        Ok(text.to_owned())
    });
    let rhythm = rhythm(&mut section);
    let keep = section.number("keep", 1.0..=MOST_KEPT);
    let passphrase = section.required_secret("passphrase_file", "passphrase", "what opens a backup again");
    if let Some(Err(expected)) = passphrase.as_ref().map(|given| check_passphrase(given.expose())) {
        section.wrong("passphrase_file", format!("the path of a file with {expected}"));
    }
    section.finish();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 1000")]
    let keep = keep.map_or(KEEP, |keep| keep as usize);
    Some(Backup { plan: Plan { directory: directory?, rhythm: rhythm?, keep }, passphrase: passphrase? })
}

/// At a time of the day in a zone, or after a time; once a day where nothing is said.
fn rhythm(section: &mut Section<'_, '_>) -> Option<Rhythm> {
    if section.has("at") && section.has("every") {
        section.refuse("every", "at or every, not both");
        section.knows("every");
    }
    if !section.has("at") {
        section.knows("at");
        section.knows("zone");
        section.refuse("zone", "no such key without at: an interval is the same by every clock");
        let every = if section.has("every") { time(section, "every", EVERY, &EVERY_S)? } else { DAY_MS };
        section.knows("every");
        return Some(Rhythm::Every(every));
    }
    let at = section.text("at", CLOCK, |text| clock(text).map_err(|_| CLOCK.to_owned()));
    let zone = zone_name(section);
    let (at, zone) = (at?, zone?);
    let schedule = Schedule::cron(&format!("{} {} * * *", at.minute(), at.hour()), &zone).ok()?;
    Some(Rhythm::Daily(Box::new(schedule)))
}

/// What keeps backups from the directory, if anything does.
#[must_use]
pub fn backup_trouble(backup: &Backup) -> Option<String> {
    let path = Path::new(&backup.plan.directory);
    let why = match std::fs::metadata(path) {
        Err(error) => error.to_string(),
        Ok(meta) if !meta.is_dir() => "it is no directory".into(),
        Ok(_) => match rustix::fs::access(path, rustix::fs::Access::WRITE_OK) {
            Ok(()) => return None,
            Err(error) => format!(
                "{error}; give it to the collector's user and, under systemd, add it to ReadWritePaths= of \
                 muster-collector.service"
            ),
        },
    };
    Some(format!("backup.directory = {:?}: no backup can be written there: {why}", backup.plan.directory))
}
