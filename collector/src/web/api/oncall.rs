//! Who is on call, who would be told of what, and who stands in for whom.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, command, hosts::find, incidents::number_of, list as page_of, time_of};
use crate::{
    domain::{
        calendar::Span,
        event::{Answer, Command},
        hold::{Labels, Subject, confirmed_labels, what_of},
        ids::OverrideNo,
        oncall::{
            rotation::{Override, Rotation, Shift},
            route::About,
            swap::Swap,
        },
        priority::{Priority, derived},
        record::AlertRow,
        severity::Severity,
        snapshot::{HostView, Snapshot},
        time::Timestamp,
    },
    web::{
        Shared,
        access::Caller,
        problem::{Body, Problem, settled},
    },
};

/// How far ahead shifts are shown, in milliseconds: four weeks.
const AHEAD_MS: i64 = 28 * 86_400_000;
/// Longest time that somebody stands in, in milliseconds: a year.
const LONGEST_MS: i64 = 366 * 86_400_000;

/// Who has a rotation now and next.
pub(in crate::web) fn shifts(rotation: &Rotation, snapshot: &Snapshot, now: Timestamp) -> Vec<Shift> {
    rotation.shifts(Span { from: now, until: now.plus_ms(AHEAD_MS) }, &snapshot.exceptions)
}

/// All rotations with who has them now and in the next four weeks.
pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let (snapshot, now) = (web.snapshot(), web.now());
    let items = web.context.config.roster.rotations.values().map(|rotation| {
        let shifts = shifts(rotation, &snapshot, now);
        let shown: Vec<Value> = shifts.iter().map(shift_json).collect();
        let first = shifts.first();
        json!({
            "rotation": rotation.name, "zone": rotation.zone, "on_call": first.and_then(|shift| shift.person.clone()),
            "until": first.map(|shift| shift.span.until.to_string()),
            "next": shifts.get(1).and_then(|shift| shift.person.clone()), "shifts": shown,
        })
    });
    Ok(page_of(items.collect(), None))
}

fn shift_json(shift: &Shift) -> Value {
    json!({
        "person": shift.person, "from": shift.span.from.to_string(), "until": shift.span.until.to_string(),
        "override": shift.override_no,
    })
}

/// Who stands in for whom, what is over left out.
pub(in crate::web) async fn overrides(State(web): State<Shared>) -> Answered {
    let (snapshot, now) = (web.snapshot(), web.now());
    let alive =
        snapshot.exceptions.overrides.iter().filter(|known| known.withdrawn.is_none() && known.span.until > now);
    let item = |known: &Override| {
        json!({
            "number": known.no, "rotation": known.rotation, "person": known.person, "instead_of": known.instead_of,
            "from": known.span.from.to_string(), "until": known.span.until.to_string(), "by": known.by,
            "made": known.made.to_string(),
        })
    };
    Ok(page_of(alive.map(item).collect(), None))
}

/// Test pages to people.
pub(in crate::web) async fn tests(State(web): State<Shared>) -> Answered {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let snapshot = web.snapshot();
    let items = snapshot.test_pages.iter().map(|row| {
        json!({
            "person": row.person, "schedule": row.rule, "due": text(row.due), "sent": text(row.sent),
            "waits_until": text(row.waits_until()), "confirmed": text(row.confirmed), "through": row.through,
        })
    });
    Ok(page_of(items.collect(), None))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewTestPage {
    person: String,
}

/// Sends a person a test page.
pub(in crate::web) async fn test_person(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewTestPage>,
) -> Answered {
    command(&web, &caller, Command::TestPerson(asked.person)).await
}

/// Somebody stands in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewOverride {
    pub(in crate::web) rotation: String,
    pub(in crate::web) person: String,
    pub(in crate::web) instead_of: Option<String>,
    pub(in crate::web) from: Option<String>,
    pub(in crate::web) until: Option<String>,
    pub(in crate::web) for_seconds: Option<i64>,
}

impl NewOverride {
    pub(in crate::web) fn checked(self, now: Timestamp) -> Result<Override, Problem> {
        let from = self.from.as_deref().map_or(Ok(now), |text| time_of("from", text))?;
        let until = match (&self.until, self.for_seconds) {
            (Some(text), None) => time_of("until", text)?,
            (None, Some(seconds)) => from.plus_ms(seconds.saturating_mul(1_000)),
            _ => return Err(Problem::invalid("until", "", "an end: until or for_seconds")),
        };
        if until <= from || until <= now || until.since_ms(from) > LONGEST_MS {
            return Err(Problem::invalid(
                "until",
                &until.to_string(),
                "later than its beginning and now, within a year",
            ));
        }
        Ok(Override {
            no: OverrideNo(0),
            rotation: self.rotation,
            person: self.person,
            span: Span { from, until },
            instead_of: self.instead_of,
            by: String::new(),
            made: now,
            withdrawn: None,
        })
    }
}

pub(in crate::web) async fn add(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewOverride>,
) -> Answered {
    let asked = asked.checked(web.now())?;
    let made = web.context.mailbox.command(caller.principal(), Command::AddOverride(Box::new(asked))).await?;
    let number = if let Answer::Made(number) = made { Some(number) } else { None };
    settled(made)?;
    Ok(Json(json!({ "number": number, "done": true })))
}

pub(in crate::web) async fn withdraw(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
) -> Answered {
    let no = number.parse().map_err(|_| Problem::invalid("number", &number, "a number, such as 3"))?;
    command(&web, &caller, Command::EndOverride(OverrideNo(no))).await
}

/// Two people exchange turns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewSwap {
    pub(in crate::web) rotation: String,
    pub(in crate::web) person: String,
    pub(in crate::web) with: String,
    pub(in crate::web) turn: Option<String>,
    pub(in crate::web) for_turn: Option<String>,
}

impl NewSwap {
    pub(in crate::web) fn checked(self) -> Result<Command, Problem> {
        let time = |field, text: &Option<String>| text.as_deref().map(|text| time_of(field, text)).transpose();
        let (turn, for_turn) = (time("turn", &self.turn)?, time("for_turn", &self.for_turn)?);
        let swap = Swap { rotation: self.rotation, one: (self.person, turn), other: (self.with, for_turn) };
        Ok(Command::Swap(Box::new(swap)))
    }
}

pub(in crate::web) async fn swap(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewSwap>,
) -> Answered {
    let made = web.context.mailbox.command(caller.principal(), asked.checked()?).await?;
    let number = if let Answer::Made(number) = made { Some(number) } else { None };
    settled(made)?;
    Ok(Json(json!({ "number": number, "done": true })))
}

/// What to try the routes with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Tried {
    host: Option<String>,
    incident: Option<String>,
    what: Option<String>,
    severity: Option<String>,
    at: Option<String>,
}

/// Who would be told of an incident, when, and why.
pub(in crate::web) async fn test(State(web): State<Shared>, Query(tried): Query<Tried>) -> Answered {
    let snapshot = web.snapshot();
    let at = match tried.at.as_deref() {
        None => web.now(),
        Some(text) => time_of("at", text)?,
    };
    let case = Case::of(&snapshot, &tried)?;
    let about = case.about();
    let roster = &web.context.config.roster;
    let plan = roster.plan(&about, at);
    let told = roster.foretell(&about, &plan, at, &snapshot.exceptions);
    let told: Vec<Value> = told
        .iter()
        .map(|one| {
            json!({
                "after_seconds": one.after_ms / 1_000, "at": at.plus_ms(one.after_ms).to_string(), "who": one.who,
                "through": one.through, "why": one.why,
            })
        })
        .collect();
    Ok(Json(json!({
        "at": at.to_string(), "about": case.words(), "severity": case.severity, "priority": about.priority, "why": plan.why, "told": told })))
}

/// A host and its confirmed labels.
type Labelled = (std::sync::Arc<HostView>, Vec<(String, String)>);

/// What the routes are tried with: hosts with their confirmed labels.
struct Case {
    hosts: Vec<Labelled>,
    what: String,
    severity: Severity,
    /// What others say of it.
    alert: Option<Box<AlertRow>>,
    /// That of the incident, where it is one.
    priority: Option<Priority>,
}

impl Case {
    fn of(snapshot: &Snapshot, tried: &Tried) -> Result<Self, Problem> {
        let severity = match tried.severity.as_deref() {
            None => None,
            Some(word) => {
                let all = [Severity::Info, Severity::Warning, Severity::Critical];
                let known = all.into_iter().find(|severity| severity.word() == word);
                Some(known.ok_or_else(|| Problem::invalid("severity", word, "info, warning or critical"))?)
            }
        };
        let labelled = |host: std::sync::Arc<HostView>| {
            let labels = confirmed_labels(&host.profile);
            (host, labels)
        };
        if let Some(number) = &tried.incident {
            let no = number_of(number)?;
            let view = snapshot.incidents.get(&no).ok_or_else(|| super::incidents::unknown(no))?;
            let hosts = view.hosts.iter().filter_map(|name| find(snapshot, name).ok()).map(labelled).collect();
            let (what, of_row) = (what_of(&view.row.key), view.row.severity);
            let priority = severity.is_none_or(|severity| severity == of_row).then_some(view.priority);
            return Ok(Self {
                hosts,
                what,
                severity: severity.unwrap_or(of_row),
                alert: view.row.alert.clone(),
                priority,
            });
        }
        let host = tried.host.as_deref().map(|name| find(snapshot, name)).transpose()?;
        let what = tried.what.clone().unwrap_or_else(|| "liveness/host".into());
        let hosts = host.into_iter().map(labelled).collect();
        Ok(Self { hosts, what, severity: severity.unwrap_or(Severity::Critical), alert: None, priority: None })
    }

    fn about(&self) -> About<'_> {
        let hosts = self.hosts.iter().map(|(host, labels)| {
            let profile = &host.profile;
            let site = profile.confirmed_site();
            Subject { name: &profile.name, site, class: Some(profile.class), labels: Labels(labels) }
        });
        let mut hosts: Vec<Subject<'_>> = hosts.collect();
        if let Some(alert) = &self.alert {
            let labels = Labels(&alert.labels);
            let unknown = Subject { name: "", site: labels.get("site"), class: None, labels };
            hosts.push(hosts.first().map_or(unknown, |host| Subject { labels, ..*host }));
        }
        let priority = self.priority.unwrap_or_else(|| derived(self.severity, &hosts, false));
        About { hosts, what: self.what.clone(), severity: self.severity, priority }
    }

    fn words(&self) -> String {
        let names: Vec<&str> = self.hosts.iter().map(|(host, _)| &*host.profile.name).collect();
        let of = if names.is_empty() { String::new() } else { format!(" of {}", names.join(", ")) };
        format!("{}{of}", self.what)
    }
}
