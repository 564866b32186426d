//! What a choice would have meant for the pages of the last 90 days: what is stored of them, handed to the decision.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    Web,
    api::{holds::fits, rules::NewOverride},
    problem::Problem,
    processes::rule_of,
};
use super::offer::finding_of;
use crate::{
    config,
    domain::{
        dismissal::{
            limits::{Worst, fate},
            past::{Fate, LOOKS_BACK_MS, Past, Tally, tally, under_hold},
        },
        hold::{Hold, what_of},
        ids::{HostNo, IncidentNo},
        record::IncidentRow,
        rules::{Effective, Rule},
        snapshot::IncidentView,
        time::Timestamp,
        trend::concerned,
    },
    store::overrides::OverrideRow,
};

/// Past incidents whose figures are looked up; of more nobody can tell.
const LOOKED_UP: usize = 200;

/// How a rule judges now and would with other limits, by host.
pub(super) struct Judged {
    rule: &'static Rule,
    part: String,
    /// Before and after, and whose line the limits are then.
    hosts: BTreeMap<HostNo, (Effective, Effective)>,
    /// The limits of the incident's own host, and whose line each is then.
    own: Option<(Effective, Vec<String>)>,
}

impl Judged {
    /// Limits that are not what was asked for, because a more exact line says otherwise.
    pub(super) fn notes(&self, asked: &BTreeMap<String, String>) -> Vec<String> {
        let Some((after, origins)) = &self.own else { return Vec::new() };
        let other = asked.iter().filter_map(|(key, text)| {
            let place = self.rule.limit(key)?;
            let limit = &self.rule.limits[place];
            let amount = limit.read(text).ok()?;
            let is_so = amount.to_bits() == after.limits[place].to_bits();
            let (shown, origin) = (limit.show(after.limits[place]), &origins[place]);
            (!is_so).then(|| format!("{key} stays {shown}: {origin} is more exact"))
        });
        other.collect()
    }
}

impl Web {
    /// How hosts would be judged with one line more.
    pub(super) fn judged_with(
        &self,
        view: &IncidentView,
        asked: &NewOverride,
        line: &str,
        overrides: Vec<OverrideRow>,
    ) -> Result<Judged, Problem> {
        let (rule, part) = finding_of(&view.row)?;
        let origin = format!("override {}", asked.name);
        let lines = overrides.into_iter().map(OverrideRow::said).chain([(line.to_owned(), origin)]);
        let after = config::with_overrides(&self.context.config.rules, lines);
        let snapshot = self.snapshot();
        let before = self.context.slots.settings();
        let mut judged = Judged { rule, part: part.to_owned(), hosts: BTreeMap::new(), own: None };
        for (no, host) in snapshot.hosts.iter() {
            let (old, new) = (before.of(&host.profile), after.of(&host.profile));
            let pair = (old.at(rule, || part), new.at(rule, || part));
            if Some(*no) == view.row.host {
                let origins = (0..rule.limits.len()).map(|place| new.limit_from(&pair.1, place).to_owned());
                judged.own = Some((pair.1, origins.collect()));
            }
            if pair.0.limits.map(f64::to_bits) != pair.1.limits.map(f64::to_bits) || pair.0.most != pair.1.most {
                judged.hosts.insert(*no, pair);
            }
        }
        Ok(judged)
    }

    /// What other limits would have meant.
    pub(super) async fn tally_of_limits(&self, view: &IncidentView, judged: &Judged) -> Result<Tally, Problem> {
        let (rule, part) = (judged.rule, judged.part.clone());
        let hosts: BTreeSet<HostNo> = judged.hosts.keys().copied().chain(view.row.host).collect();
        let wanted = move |row: &IncidentRow| {
            row.host.is_some_and(|host| hosts.contains(&host))
                && rule_of(&row.key) == Some(rule.name)
                && row.component == part
        };
        let past = self.past(wanted).await?;
        let mut worst: BTreeMap<IncidentNo, Option<Worst>> = BTreeMap::new();
        for incident in past.iter().take(LOOKED_UP) {
            worst.insert(incident.row.no, self.worst(&incident.row, rule).await?);
        }
        let now = self.now();
        let would = |incident: &Past, _: Timestamp| {
            let Some((before, after)) = incident.row.host.and_then(|host| judged.hosts.get(&host)) else {
                return Fate::Kept;
            };
            let worst = worst.get(&incident.row.no).copied().flatten();
            fate(rule, before, after, worst, incident.lasted_ms(now))
        };
        Ok(tally(&past, &self.dismissed(view.row.no), now, would))
    }

    /// What a window or a silence would have meant.
    pub(super) async fn tally_under(&self, view: &IncidentView, hold: &Hold) -> Result<Tally, Problem> {
        let snapshot = self.snapshot();
        let scope = hold.scope.clone();
        let covered: BTreeSet<HostNo> =
            snapshot.hosts.iter().filter(|(_, host)| fits(&scope, &host.profile)).map(|(no, _)| *no).collect();
        let wanted = move |row: &IncidentRow| {
            let whom = row.host.map_or_else(|| scope.fits_no_host(), |host| covered.contains(&host));
            whom && scope.fits_what(&what_of(&row.key))
        };
        let past = self.past(wanted).await?;
        Ok(tally(&past, &self.dismissed(view.row.no), self.now(), |past, at| under_hold(hold, past, at)))
    }

    /// The calls of one incident, none of which would have been spared.
    pub(super) async fn tally_of_one(&self, view: &IncidentView) -> Result<Tally, Problem> {
        let no = view.row.no;
        let past = self.past(move |row| row.no == no).await?;
        Ok(tally(&past, &self.dismissed(no), self.now(), |_, _| Fate::Kept))
    }

    /// How bad it was at its worst, where the past of its figures is kept: of what a thing has now, that little was left.
    pub(super) async fn worst(&self, row: &IncidentRow, rule: &Rule) -> Result<Option<Worst>, Problem> {
        let part = row.component.as_str();
        let (family, label) = match rule.name {
            "filesystem_space" => ("node_filesystem_size_bytes", "mountpoint"),
            "memory_exhausted" => ("node_memory_MemTotal_bytes", ""),
            _ => return Ok(None),
        };
        let (Some(host), Some(series)) = (row.host, concerned(rule.name, part)) else { return Ok(None) };
        let Some(slot) = self.context.slots.find(host) else { return Ok(None) };
        let mut total = None;
        slot.for_each(family, &mut |labels, value| {
            let is_it = label.is_empty() || labels.iter().any(|(name, mount)| name == label && mount == part);
            total = total.or((is_it && value > 0.0).then_some(value));
        });
        let until = row.resolved.unwrap_or_else(|| self.now());
        let history = self.history(host, row.since.plus_ms(-3_600_000), until.plus_ms(3_600_000)).await?;
        let least = history.least(&series, row.since, until);
        Ok(least.zip(total).map(|(least, total)| Worst { share: least / total, free: Some(least) }))
    }

    async fn past(&self, wanted: impl Fn(&IncidentRow) -> bool + Send + 'static) -> Result<Vec<Past>, Problem> {
        Ok(self.context.store.past(self.now().plus_ms(-LOOKS_BACK_MS), wanted).await?)
    }

    /// Incidents that are known not to be real, and this one, which somebody is just saying so of.
    fn dismissed(&self, this: IncidentNo) -> BTreeSet<IncidentNo> {
        let snapshot = self.snapshot();
        let said = snapshot.dismissals.iter().filter(|said| said.holds()).map(|said| said.incident);
        said.chain([this]).collect()
    }
}
