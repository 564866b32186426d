//! What an `[[agreement]]` may say besides a target: from when until when it is in force, and how many outages there may be.

use jiff::civil::Date;

use super::section::Section;
use crate::domain::{
    rules::Unit,
    sla::{force::Force, outage_limit::OutageLimit, report::Declared},
};

const DATE: &str = "a date in quotes, such as \"2026-01-01\"";
/// Most outages that somebody would promise.
const OUTAGES: f64 = 10_000.0;
const SHORTEST: &str = "a time such as \"2 min\", from 0 s to 24 h";

/// From when until when it is in force; not at one time with another of its name, which stands `at` a place.
pub(super) fn force(section: &mut Section<'_, '_>, named: Option<(Option<usize>, &str)>, others: &[Declared]) -> Force {
    let read = |text: &str| text.parse::<Date>().ok().filter(|_| text.len() == 10).ok_or_else(|| DATE.to_owned());
    let (from_at, until_at) = (section.at("from"), section.at("until"));
    let (from, until) = (section.text("from", DATE, read), section.text("until", DATE, read));
    if let Some((from, until)) = from.zip(until).filter(|(from, until)| until <= from) {
        let expected = format!("a date after from, {from}: it is the first on which this is in force no more");
        section.wrong_at(until_at, "until", &until.to_string(), expected);
        return Force { from: Some(from), until: None };
    }
    let force = Force { from, until };
    let Some((name_at, name)) = named else { return force };
    let same = |other: &&Declared| other.agreement.name == name && other.agreement.force.overlaps(&force);
    if let Some(other) = others.iter().find(same) {
        let (at, key, value) = match (from, until) {
            (Some(from), _) => (from_at, "from", from.to_string()),
            (None, Some(until)) => (until_at, "until", until.to_string()),
            (None, None) => (name_at, "name", name.to_owned()),
        };
        let expected = format!(
            "a name that no other has, or dates (from, until) that do not overlap: another {name:?} is in force {}",
            other.agreement.force.words()
        );
        section.wrong_at(at, key, &value, expected);
    }
    force
}

/// How many outages there may be.
pub(super) fn outage_limit(section: &mut Section<'_, '_>) -> Option<OutageLimit> {
    if !section.has("max_outages") {
        section.knows("max_outages");
        section.refuse("min_outage", "max_outages too: alone it says how long an outage is that nobody counts");
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number up to ten thousand")]
    let most = section.number("max_outages", 0.0..=OUTAGES).map(|most| (most as i64, most.fract() == 0.0));
    if most.is_some_and(|(_, is_whole)| !is_whole) {
        section.wrong("max_outages", "a whole number");
    }
    let read = |text: &str| {
        let ms = Unit::Time.read(text).map(|seconds| (seconds * 1_000.0).round());
        #[expect(clippy::cast_possible_truncation, reason = "at most the milliseconds of a day")]
        let whole = ms.filter(|ms| (0.0..=86_400_000.0).contains(ms)).map(|ms| ms as i64);
        whole.ok_or_else(|| SHORTEST.to_owned())
    };
    let shortest_ms = section.text("min_outage", SHORTEST, read).unwrap_or(0);
    Some(OutageLimit { most: most?.0, shortest_ms })
}
