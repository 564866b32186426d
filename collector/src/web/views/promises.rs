//! What is promised besides a target, in words: how many outages there may be, from when until when, and what else is promised
//! in a period under the same name.

use super::{Badge, service_levels::badge};
use crate::{
    domain::{
        rules::Unit,
        sla::{
            agreement::Agreement,
            outage_limit::OutageCount,
            report::{Declared, Line, Report},
        },
    },
    web::words,
};

/// Another declaration that is in force in a part of the period.
pub(super) struct Other {
    pub(super) path: String,
    pub(super) force: String,
    pub(super) target: String,
}

impl Other {
    /// Of a declaration.
    pub(super) fn of(declared: &Declared, report: &Report) -> Self {
        let Declared { agreement, .. } = declared;
        // A date on which it is in force, so that the link leads to it.
        let last = agreement.force.until.and_then(|until| until.yesterday().ok());
        let on = agreement.force.from.or(last).map_or_else(String::new, |date| format!("&on={date}"));
        Self {
            path: format!("/service-levels/{}?period={}{on}", words::encode(&agreement.name), report.period.name),
            force: agreement.force.words(),
            target: promised(agreement),
        }
    }
}

/// What is asked, in words: `99.9 %, at most 3 outages of 2 min or longer`.
pub(super) fn promised(agreement: &Agreement) -> String {
    let target = format!("{} %", agreement.target.percent());
    allowed(agreement).map_or(target.clone(), |outages| format!("{target}, {outages}"))
}

/// How many outages there may be, in words.
pub(super) fn allowed(agreement: &Agreement) -> Option<String> {
    let limit = agreement.outages?;
    let most = words::counted(usize::try_from(limit.most).unwrap_or(usize::MAX), "outage", "outages");
    #[expect(clippy::cast_precision_loss, reason = "at most a day")]
    let shortest = Unit::Time.show(limit.shortest_ms as f64 / 1_000.0);
    let most = format!("at most {most}");
    Some(if limit.shortest_ms > 0 { format!("{most} of {shortest} or longer") } else { most })
}

/// From when until when it is in force, where that is not always.
pub(super) fn in_force(agreement: &Agreement) -> Option<String> {
    let force = agreement.force;
    (force.from.is_some() || force.until.is_some()).then(|| force.words())
}

/// How many outages a subject had and, where their number is limited, how many of them count and whether that was kept.
pub(super) fn counted(agreement: &Agreement, line: &Line) -> (String, Option<Badge>) {
    let outages = line.means.outages;
    let Some(limit) = agreement.outages else { return (outages.to_string(), None) };
    let count = limit.count(agreement, &line.reckoning.stretches);
    let OutageCount { at_least, at_most, .. } = count;
    let bounds = if at_least == at_most { at_least.to_string() } else { format!("{at_least} to {at_most}") };
    (format!("{outages} ({bounds} count)"), Some(badge(count.verdict())))
}
