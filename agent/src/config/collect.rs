//! `[collect]` and `[prove]`: what is looked at besides readings, and what is tried.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::hardware::{
    INTERVAL, INTERVAL_MAX, INTERVAL_MIN,
    prove::{Plan, WEEKDAYS},
};
use crate::inspection::{Inspection, parse_duration};
use crate::inventory::{self, tell::Wanted};
use crate::withheld::{Family, Withheld};

/// `[collect]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCollect {
    /// Whether drives, RAID controllers, memory, the kernel's log and the BMC are looked at. Default true.
    hardware: Option<bool>,
    /// How often drives, optics, GPUs, RAID controllers and the BMC are asked, "1m" to "24h". Default "30m".
    hardware_interval: Option<Spanned<String>>,
    /// What is not to be known of this machine: families of fields ("serials", "user_names", "addresses") and sections of the
    /// inventory. Default: none.
    #[serde(default)]
    off: Vec<Spanned<String>>,
}

/// `[prove]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProve {
    /// Local time of the day from which a test may be begun, "HH:MM". Default "03:00".
    at: Option<Spanned<String>>,
    /// For how long after it, "1h" to "23h"; what runs is not ended. Default "4h".
    within: Option<Spanned<String>>,
    /// Day of the week from which each drive is given its short self-test, such as "sunday". Default: none is.
    short_test: Option<Spanned<String>>,
    /// Day of the month, 1 to 28, from which each drive is given its long self-test. Default: none is.
    long_test: Option<Spanned<i64>>,
    /// Day of the month, 1 to 28, from which each md array is checked and each ZFS pool scrubbed. Default: none is.
    scrub: Option<Spanned<i64>>,
}

impl RawCollect {
    /// What is kept back of all that is said; sections are added to those that are not looked at.
    pub(super) fn withheld(&mut self, inspection: &mut Inspection<'_>, wanted: &mut Wanted) -> Withheld {
        let mut withheld = Withheld::default();
        for name in std::mem::take(&mut self.off) {
            let family = Family::ALL.into_iter().find(|(known, _)| known == name.get_ref());
            if let Some((_, family)) = family {
                withheld = withheld.and(family);
            } else if inventory::SECTIONS.iter().any(|source| source.name == name.get_ref()) {
                wanted.off.push(name.into_inner());
            } else {
                let families = Family::ALL.map(|(known, _)| known).join(", ");
                let sections: Vec<&str> = inventory::SECTIONS.iter().map(|source| source.name).collect();
                inspection.expected(
                    "collect.off",
                    &name,
                    &format!("families of fields: {families}; or names of sections: {}", sections.join(", ")),
                );
            }
        }
        withheld
    }

    /// How often the hardware is looked at, if it is.
    pub(super) fn interval(&self, inspection: &mut Inspection<'_>) -> Option<Duration> {
        let mut interval = INTERVAL;
        if let Some(text) = &self.hardware_interval {
            match parse_duration(text.get_ref()).filter(|value| (INTERVAL_MIN..=INTERVAL_MAX).contains(value)) {
                Some(value) => interval = value,
                None => inspection.expected("collect.hardware_interval", text, "a time from \"1m\" to \"24h\""),
            }
        }
        self.hardware.unwrap_or(true).then_some(interval)
    }
}

impl RawProve {
    /// What is tried when; nothing where no test is named.
    pub(super) fn plan(&self, inspection: &mut Inspection<'_>) -> Option<Plan> {
        let mut plan = Plan::default();
        if let Some(at) = &self.at {
            match minute_of_day(at.get_ref()) {
                Some(minute) => plan.at_minute = minute,
                None => inspection.expected("prove.at", at, "a time of the day from \"00:00\" to \"23:59\""),
            }
        }
        if let Some(within) = &self.within {
            let hours = Duration::from_secs(3_600)..=Duration::from_secs(23 * 3_600);
            match parse_duration(within.get_ref()).filter(|value| hours.contains(value)) {
                Some(value) => plan.within_minutes = i64::try_from(value.as_secs() / 60).unwrap_or(60),
                None => inspection.expected("prove.within", within, "a time from \"1h\" to \"23h\""),
            }
        }
        if let Some(day) = &self.short_test {
            plan.short_test = WEEKDAYS.iter().zip(0..).find(|(name, _)| **name == day.get_ref()).map(|(_, day)| day);
            if plan.short_test.is_none() {
                inspection.expected("prove.short_test", day, "a day of the week, such as \"sunday\"");
            }
        }
        plan.long_test = day_of_month("long_test", self.long_test.as_ref(), inspection);
        plan.scrub = day_of_month("scrub", self.scrub.as_ref(), inspection);
        let has_any = plan.short_test.is_some() || plan.long_test.is_some() || plan.scrub.is_some();
        has_any.then_some(plan)
    }
}

fn minute_of_day(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':').filter(|_| text.len() == 5)?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 60 + minutes)
}

fn day_of_month(key: &str, day: Option<&Spanned<i64>>, inspection: &mut Inspection<'_>) -> Option<i64> {
    let day = day?;
    let is_one = (1..=28).contains(day.get_ref());
    if !is_one {
        inspection.mistake(
            day.span().start,
            format!("prove.{key} = {}: expected a day of the month from 1 to 28", day.get_ref()),
        );
    }
    is_one.then_some(*day.get_ref())
}
