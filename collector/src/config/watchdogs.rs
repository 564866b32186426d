//! `[[watchdog]]`: something outside that misses this collector when it falls silent.

use std::time::Duration;

use super::{
    heartbeats::time,
    oncall::name,
    receivers::{ca, guard, secret_url},
    section::Section,
};
use crate::notify::{
    guard::SecretUrl,
    watchdog::{Unwell, WatchdogConfig},
};

/// Most of them; each is told by a task of its own.
pub(super) const MOST: usize = 10;
/// Shortest and longest time between two words, in seconds.
const EVERY_S: std::ops::RangeInclusive<f64> = 5.0..=3_600.0;
const EVERY: &str = "a time from \"5 s\" to \"1 h\", such as \"1 min\"";
/// healthchecks.io takes a word a minute; its grace is a minute at least.
const USUAL_EVERY_MS: i64 = 60_000;
const UNWELL: &str = "one of fail (URL/fail is called), silent (nothing is, until it misses this collector)";

/// Reads all of them; those with mistakes are noted and left out.
pub(super) fn read(sections: Vec<Section<'_, '_>>) -> Vec<WatchdogConfig> {
    let mut found: Vec<WatchdogConfig> = Vec::new();
    for section in sections {
        let taken = |name: &str| found.iter().any(|other| other.name == name);
        if let Some(watchdog) = watchdog(section, taken) {
            found.push(watchdog);
        }
    }
    found
}

fn watchdog(mut section: Section<'_, '_>, taken: impl Fn(&str) -> bool) -> Option<WatchdogConfig> {
    let name = name(&mut section, taken);
    let guard = guard(&mut section);
    let url = secret_url(&mut section, &guard);
    let every_ms = time(&mut section, "every", EVERY, &EVERY_S).unwrap_or(USUAL_EVERY_MS);
    let unwell = section.text("unwell", UNWELL, |word| match word {
        "fail" => Ok(Unwell::Says),
        "silent" => Ok(Unwell::IsSilent),
        _ => Err(UNWELL.into()),
    });
    let ca = ca(&mut section);
    section.finish();
    Some(WatchdogConfig {
        name: name?,
        url: SecretUrl::new(url?),
        every: Duration::from_millis(every_ms.unsigned_abs()),
        unwell: unwell.unwrap_or(Unwell::Says),
        ca,
        guard,
    })
}
