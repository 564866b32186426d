//! `[[heartbeat]]`: other people's jobs that say when they have run.

use super::{
    oncall::{SEVERITY, WEEKDAY, clock, name, severity, zone_name},
    read::short_text,
    section::Section,
};
use crate::domain::{
    calendar::weekday_of,
    heartbeat::{
        Heartbeat,
        expectation::{Deadline, Expectation},
        schedule::Schedule,
    },
    rules::Unit,
    severity::Severity,
};

/// Most of them.
pub(super) const MOST: usize = 500;
/// Shortest and longest period in seconds. Below ten seconds it is a check's work.
const PERIOD_S: std::ops::RangeInclusive<f64> = 10.0..=366.0 * 86_400.0;
const GRACE_S: std::ops::RangeInclusive<f64> = 1.0..=30.0 * 86_400.0;
/// The grace that is not given, in milliseconds: an hour, or the period where that is shorter.
const USUAL_GRACE_MS: i64 = 3_600_000;
const PERIOD: &str = "a time from \"10 s\" to \"366 d\", such as \"1 d\"";
const GRACE: &str = "a time from \"1 s\" to \"30 d\", such as \"1 h\"";

/// Reads all of them; those with mistakes are noted and left out.
pub(super) fn read(sections: Vec<Section<'_, '_>>) -> Vec<Heartbeat> {
    let mut found: Vec<Heartbeat> = Vec::new();
    for section in sections {
        let taken = |name: &str| found.iter().any(|other| other.name == name);
        if let Some(heartbeat) = heartbeat(section, taken) {
            found.push(heartbeat);
        }
    }
    found
}

fn heartbeat(mut section: Section<'_, '_>, taken: impl Fn(&str) -> bool) -> Option<Heartbeat> {
    let name = name(&mut section, taken);
    let expected = expected(&mut section);
    let grace_ms = time(&mut section, "grace", GRACE, &GRACE_S);
    let severity = section.text("severity", SEVERITY, severity);
    let host = section.text("host", "the name of the host that it runs on", short_text);
    let site = section.text("site", "the name of a site", short_text);
    let labels = section.pairs("labels", super::read::label);
    section.finish();
    let expected = expected?;
    let usual_ms = match &expected {
        Expectation::Every(period_ms) => USUAL_GRACE_MS.min(*period_ms),
        Expectation::By(_) | Expectation::At(_) => USUAL_GRACE_MS,
    };
    Some(Heartbeat {
        name: name?,
        expected,
        grace_ms: grace_ms.unwrap_or(usual_ms),
        severity: severity.unwrap_or(Severity::Warning),
        host,
        site,
        labels,
    })
}

/// The four ways to say when it runs; of each heartbeat one is set.
const WAYS: [&str; 4] = ["period", "by", "cron", "on_calendar"];
const EITHER: &str = "one of period = \"1 d\", by = \"03:00\", cron = \"0 3 * * *\" or on_calendar = \"*-*-* 03:00\"";

fn expected(section: &mut Section<'_, '_>) -> Option<Expectation> {
    let given: Vec<&str> = WAYS.into_iter().filter(|key| section.has(key)).collect();
    WAYS.into_iter().filter(|key| !given.contains(key)).for_each(|key| section.knows(key));
    if given != ["by"] {
        section.knows("days");
    }
    let [way] = given.as_slice() else {
        section.knows("zone");
        for key in given.iter().chain(&["zone", "days"]) {
            section.refuse(key, EITHER);
        }
        section.wrong("period", EITHER);
        return None;
    };
    if *way != "by" {
        section.refuse("days", "no such key here: days belongs to by");
    }
    match *way {
        "period" => {
            section.knows("zone");
            section.refuse("zone", "no such key beside period: a period is the same by every clock");
            time(section, "period", PERIOD, &PERIOD_S).map(Expectation::Every)
        }
        "by" => {
            let time = section.text("by", "a time of the day such as 03:00", clock);
            let days = section.texts("days", WEEKDAY, 7, |text| weekday_of(text).ok_or_else(|| WEEKDAY.to_owned()));
            let zone = zone_name(section)?;
            Some(Expectation::By(Deadline { zone, weekdays: days.unwrap_or_default(), time: time? }))
        }
        "cron" => {
            let zone = zone_name(section);
            let schedule = section.text("cron", "five fields in quotes", |text| {
                // Without a zone the fields are checked all the same.
                Schedule::cron(text, zone.as_deref().unwrap_or("UTC"))
            });
            zone.and(schedule).map(|schedule| Expectation::At(Box::new(schedule)))
        }
        _ => {
            let zone = if section.has("zone") { zone_name(section).ok_or(()) } else { Ok(String::new()) };
            if zone.as_ref().is_ok_and(String::is_empty) {
                section.knows("zone");
            }
            let named = zone.as_deref().unwrap_or("UTC");
            let read = |text: &str| Schedule::on_calendar(text, Some(named).filter(|zone| !zone.is_empty()));
            let schedule = section.text("on_calendar", "a calendar event in quotes", read);
            zone.ok().and(schedule).map(|schedule| Expectation::At(Box::new(schedule)))
        }
    }
}

pub(super) fn time(
    section: &mut Section<'_, '_>,
    key: &'static str,
    expected: &'static str,
    range: &std::ops::RangeInclusive<f64>,
) -> Option<i64> {
    let seconds = section.text(key, expected, |text| {
        Unit::Time.read(text).filter(|seconds| range.contains(seconds)).ok_or_else(|| expected.to_owned())
    })?;
    #[expect(clippy::cast_possible_truncation, reason = "at most a year in milliseconds")]
    let ms = (seconds * 1_000.0) as i64;
    Some(ms)
}
