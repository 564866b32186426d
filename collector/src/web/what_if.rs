//! A past period by another agreement or with other windows, beside what came of it. Nothing is changed.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::{
    Web,
    api::agreements::document,
    problem::Problem,
    side_by_side::{both, figures, pairs},
};
use crate::{
    config::parse_declaration,
    domain::{
        calendar::{Span, zone},
        hold::{Hold, Kind, Scope, When},
        ids::HoldNo,
        sla::{
            force::Chosen,
            handling::Handling,
            period::Period,
            report::{Declared, Report},
            service::Service,
            target::Target,
        },
        time::Timestamp,
    },
};

/// Most windows that are left out or added at once.
const WINDOWS: usize = 100;

/// What might have been otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhatIf {
    /// Over which period; without one the present.
    period: Option<String>,
    /// A date on which the declaration is in force that is meant.
    on: Option<String>,
    /// Another agreement in TOML, with the keys of an `[[agreement]]`.
    definition: Option<String>,
    /// Another target, in percent.
    target: Option<Number>,
    /// Windows that there had not been, by number.
    #[serde(default)]
    without_windows: Vec<i64>,
    /// Windows that there had been.
    #[serde(default)]
    add_windows: Vec<Added>,
}

/// A window that there had been.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Added {
    /// RFC 3339.
    from: String,
    /// RFC 3339.
    until: String,
    /// Names with * and ?.
    hosts: Vec<String>,
}

impl Web {
    /// What came of an agreement in a period, and what would have come of it.
    pub(super) async fn what_if(&self, name: &str, asked: &WhatIf) -> Result<Value, Problem> {
        let promised = self.promised();
        let chosen = self.agreement(&promised, name, asked.period.as_deref(), asked.on.as_deref())?;
        let kept = self.context.store.maintenance_windows().await?;
        let windows = asked.windows(&kept)?;
        let (declared, mut notes) = asked.declared(chosen.declared)?;
        if !asked.changes_something() {
            return Err(Problem::invalid(
                "what_if",
                "nothing",
                "at least one of definition, target, without_windows, add_windows: there is nothing to compare",
            ));
        }
        let period = self.period_of(&declared, asked.period.as_deref())?;
        let present = self.report_with(chosen.declared, chosen.period.clone(), &kept).await?;
        let other = self.report_with(&declared, period.clone(), &windows).await?;
        let version = self.version(name).await?.ok_or_else(|| Problem::internal("no version is kept"))?;
        // Who took which incident is the same in both.
        let handling = Handling::default();
        let one = document(&chosen, &present, &version, &handling)?;
        let two = document(&Chosen { declared: &declared, period, others: Vec::new() }, &other, &version, &handling)?;
        let subjects: Vec<Value> = pairs(&hosts(&present), &hosts(&other))
            .into_iter()
            .map(|place| both((&one, &two), ("present", "what_if"), place))
            .collect();
        notes.extend(asked.notes(&present));
        let changes = subjects.iter().filter(|subject| subject["verdict_changes"] == true).count();
        Ok(json!({
            "name": name, "period": present.period.name, "as_of": other.as_of.to_string(),
            "present": figures(&one), "what_if": figures(&two),
            "verdict_changes": one["verdict"] != two["verdict"], "subjects_that_change_verdict": changes,
            "subjects": subjects, "notes": notes,
        }))
    }

    fn period_of(&self, declared: &Declared, period: Option<&str>) -> Result<Period, Problem> {
        let zone = zone(&declared.agreement.zone).ok_or_else(|| Problem::internal("a zone is not known any more"))?;
        let Some(name) = period else { return Ok(declared.period.at(self.now(), &zone)) };
        Period::named(name, &zone, self.now()).ok_or_else(|| Problem::invalid("period", name, Period::EXPECTED))
    }
}

impl WhatIf {
    fn changes_something(&self) -> bool {
        let windows = !self.without_windows.is_empty() || !self.add_windows.is_empty();
        self.definition.is_some() || self.target.is_some() || windows
    }

    /// What would be promised, and what is to be known of it. A definition that names no subjects is about those of the
    /// present one, of which it may define services anew.
    fn declared(&self, present: &Declared) -> Result<(Declared, Vec<String>), Problem> {
        let mut notes = Vec::new();
        let mut declared = match &self.definition {
            None => present.clone(),
            Some(text) => {
                let read = parse_declaration(text, Path::new("definition"));
                let (mut read, defined) = read.map_err(|errors| {
                    Problem::invalid("definition", &errors.to_string(), "an agreement in TOML without these mistakes")
                })?;
                if read.scope.is_empty() && read.services.is_empty() {
                    read.scope.clone_from(&present.scope);
                    read.services = present.services.iter().map(|service| service.with(&defined)).collect();
                }
                let is_idle = |service: &&Service| read.whole_services().all(|used| used.name != service.name);
                let idle = defined.iter().filter(is_idle);
                notes.extend(idle.map(|service| format!("the agreement is not about service {:?}", service.name)));
                read
            }
        };
        if let Some(target) = &self.target {
            let text = target.to_string();
            declared.agreement.target =
                Target::parse(&text).ok_or_else(|| Problem::invalid("target", &text, Target::EXPECTED))?;
        }
        Ok((declared, notes))
    }

    /// The windows that there would have been.
    fn windows(&self, kept: &[Hold]) -> Result<Vec<Hold>, Problem> {
        if self.without_windows.len() > WINDOWS || self.add_windows.len() > WINDOWS {
            let expected = format!("at most {WINDOWS} to leave out and as many to add");
            return Err(Problem::invalid("without_windows", "more", &expected));
        }
        if let Some(unknown) = self.without_windows.iter().find(|no| !kept.iter().any(|hold| hold.no.0 == **no)) {
            let expected = "the number of a maintenance window, as `maintenance list` shows it";
            return Err(Problem::invalid("without_windows", &unknown.to_string(), expected));
        }
        let left = kept.iter().filter(|hold| !self.without_windows.contains(&hold.no.0)).cloned();
        let added: Result<Vec<Hold>, Problem> = self.add_windows.iter().map(Added::hold).collect();
        Ok(left.chain(added?).collect())
    }

    /// Windows that are left out and had done nothing.
    fn notes(&self, present: &Report) -> Vec<String> {
        let laid = |no: &&i64| {
            let mut leaves = present.lines.iter().flat_map(|line| line.known.leaves());
            leaves.any(|leaf| leaf.basis.windows.iter().any(|version| version.number == **no))
        };
        let idle = self.without_windows.iter().filter(|no| !laid(no));
        idle.map(|no| format!("maintenance {no} covers no host of the agreement in the period")).collect()
    }
}

impl Added {
    fn hold(&self) -> Result<Hold, Problem> {
        let time = |field: &str, text: &str| super::api::time_of(field, text);
        let span = Span { from: time("from", &self.from)?, until: time("until", &self.until)? };
        if span.from >= span.until {
            return Err(Problem::invalid("until", &self.until, &format!("a time after from, {}", self.from)));
        }
        if self.hosts.is_empty() {
            return Err(Problem::invalid("hosts", "[]", "names of hosts with * and ?"));
        }
        Ok(Hold {
            no: HoldNo(0),
            version: 0,
            kind: Kind::Maintenance,
            scope: Scope { hosts: self.hosts.clone(), ..Scope::default() },
            when: When::Once(span),
            reason: String::new(),
            change: "what if".into(),
            by: String::new(),
            // Planned, whenever that would have been.
            made: Timestamp::from_ms(i64::MIN),
            ended: None,
            outcome: None,
            own: None,
        })
    }
}

/// The keys of a report's subjects, in its order.
fn hosts(report: &Report) -> Vec<String> {
    report.lines.iter().map(|line| line.known.subject.key()).collect()
}
