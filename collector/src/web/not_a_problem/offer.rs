//! What can be chosen for an incident, filled in beforehand from what happened.

use super::super::{Web, problem::Problem, processes::rule_of};
use crate::domain::{
    calendar::Recurring,
    dismissal::{limits::needed, usual},
    hold::confirmed_labels,
    record::IncidentRow,
    rules::Rule,
    snapshot::IncidentView,
};

/// What can be chosen.
#[derive(Debug)]
pub(in crate::web) struct Offer {
    /// The host's labels that may stand for several hosts.
    pub(in crate::web) labels: Vec<(String, String)>,
    /// The limits of its rule; why there are none otherwise.
    pub(in crate::web) limits: Result<Vec<OfferedLimit>, String>,
    /// When it may be expected again; why it cannot be otherwise.
    pub(in crate::web) window: Result<Recurring, String>,
}

/// A limit as it is, and as it would have had to be.
#[derive(Debug)]
pub(in crate::web) struct OfferedLimit {
    pub(in crate::web) key: &'static str,
    pub(in crate::web) says: &'static str,
    pub(in crate::web) present: String,
    pub(in crate::web) needed: Option<String>,
}

/// The rule of the finding that an incident began with, and its part.
pub(super) fn finding_of(row: &IncidentRow) -> Result<(&'static Rule, &str), Problem> {
    let rule = rule_of(&row.key).and_then(Rule::named).filter(|_| row.host.is_some());
    rule.map(|rule| (rule, row.component.as_str())).ok_or_else(|| {
        let why = no_limits_for(row);
        Problem::invalid("choice", "threshold", &why)
    })
}

fn no_limits_for(row: &IncidentRow) -> String {
    let kind = row.key.split('/').next().unwrap_or_default();
    match kind {
        "liveness" => "another choice: how soon silence counts is the host's watch level, no limit of a rule",
        "check" => "another choice: a check's limits stand where the check is defined",
        "alert" => "another choice: an alert's limits stand where it was raised",
        "heartbeat" => "another choice: when a job is late stands in its [[heartbeat]]",
        _ => "another choice: no rule with limits found this",
    }
    .to_owned()
}

/// Why no window or silence can be made of an incident, if so: it would cover more than what happened.
pub(super) fn no_hold_for(row: &IncidentRow) -> Option<String> {
    let of_collector = row.key.starts_with("self/");
    (row.host.is_none() && !of_collector).then(|| {
        "an incident about one host: say by `maintenance add` or `silence add` which hosts are meant".to_owned()
    })
}

impl Web {
    /// What can be chosen for an incident.
    pub(in crate::web) async fn offer(&self, view: &IncidentView) -> Result<Offer, Problem> {
        let (row, snapshot, now) = (&view.row, self.snapshot(), self.now());
        let host = row.host.and_then(|no| snapshot.hosts.get(&no));
        let limits = match (finding_of(row), host) {
            (Ok((rule, part)), Some(host)) => {
                let present = self.context.slots.settings().of(&host.profile).at(rule, || part);
                let worst = self.worst(row, rule).await?;
                let lasted_ms = row.resolved.unwrap_or(now).since_ms(row.since).max(0);
                let needed = needed(rule, &present, worst, lasted_ms);
                let limit = |(place, limit): (usize, &crate::domain::rules::Limit)| OfferedLimit {
                    key: limit.key,
                    says: limit.says,
                    present: limit.show(present.limits[place]),
                    needed: needed.iter().find(|(key, _)| *key == limit.key).map(|(_, text)| text.clone()),
                };
                Ok(rule.limits.iter().enumerate().map(limit).collect())
            }
            _ => Err(no_limits_for(row)),
        };
        let (name, zone) = match self.zone.iana_name() {
            Some(name) if crate::domain::calendar::zone(name).is_some() => (name.to_owned(), self.zone.clone()),
            _ => ("UTC".to_owned(), jiff::tz::TimeZone::UTC),
        };
        let until = row.resolved.unwrap_or(now);
        let window = no_hold_for(row).map_or_else(|| Ok(usual::around(row.since, until, &name, &zone)), Err);
        let labels = host.map(|host| confirmed_labels(&host.profile)).unwrap_or_default();
        Ok(Offer { labels, limits, window })
    }
}
