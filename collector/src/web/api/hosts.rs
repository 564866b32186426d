//! Hosts: list, show, label, admit.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, command, cursor_of, devices, limit_of, list as page_of, settings::OfHost};
use crate::{
    domain::{
        event::Command,
        host::{State as Liveness, checks::CheckRow},
        ids::HostId,
        labels::{Admission, Class, MOST_LABELS, label_trouble},
        layers::Says,
        selection::Selection,
        snapshot::{HostView, Snapshot},
        time::Timestamp,
        watch::Watch,
    },
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
        processes::Told,
    },
};

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Filter {
    state: Option<String>,
    site: Option<String>,
    unsorted: Option<String>,
    class: Option<String>,
    label: Option<String>,
    name: Option<String>,
    search: Option<String>,
    agent: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

impl Filter {
    fn selection(&self) -> Result<Selection, Problem> {
        let asked = [
            ("state", &self.state),
            ("site", &self.site),
            ("unsorted", &self.unsorted),
            ("class", &self.class),
            ("label", &self.label),
            ("name", &self.name),
            ("search", &self.search),
            ("agent", &self.agent),
        ];
        let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        selection_of(asked)
    }
}

/// The selection of these conditions.
pub(in crate::web) fn selection_of<'a>(
    conditions: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Selection, Problem> {
    let mut selection = Selection::default();
    for (name, value) in conditions {
        selection.add(name, value).map_err(|no| Problem::invalid(&no.name, &no.value, &no.expected))?;
    }
    Ok(selection)
}

pub(in crate::web) async fn list(State(web): State<Shared>, Query(filter): Query<Filter>) -> Answered {
    let snapshot = web.snapshot();
    let selection = filter.selection()?;
    let after = cursor_of(filter.after.as_deref())?.unwrap_or(0);
    let limit = limit_of(filter.limit);
    let from = crate::domain::ids::HostNo(after.saturating_add(1));
    let mut fitting = snapshot.hosts.range(from..).filter(|(_, host)| selection.fits(host));
    let mut items = Vec::new();
    let mut last = after;
    for (no, host) in fitting.by_ref().take(limit) {
        items.push(to_json(&web, host));
        last = no.0;
    }
    let next = fitting.next().map(|_| last.to_string());
    Ok(page_of(items, next))
}

pub(in crate::web) async fn show(State(web): State<Shared>, Path(host): Path<String>) -> Answered {
    let host = find(&web.snapshot(), &host)?;
    let mut answer = to_json(&web, &host);
    for (place, finding) in host.findings.iter().enumerate() {
        answer["findings"][place]["processes"] = Told::json(web.processes_for(finding).await?.as_ref());
    }
    Ok(Json(answer))
}

/// The host with this id or name.
pub(in crate::web) fn find(snapshot: &Snapshot, text: &str) -> Result<Arc<HostView>, Problem> {
    let id = text.parse::<HostId>().ok();
    let fits = |host: &&Arc<HostView>| id.map_or(host.profile.name == text, |id| host.profile.id == id);
    snapshot.hosts.values().find(fits).cloned().ok_or_else(|| {
        let shown: String = text.chars().take(80).collect();
        Problem::not_found(&format!("host {shown:?}: give its id or name (muster-collector host list)"))
    })
}

fn to_json(web: &Web, host: &HostView) -> Value {
    let profile = &host.profile;
    let findings: Vec<Value> = host
        .findings
        .iter()
        .map(|finding| {
            json!({
                "part": finding.part, "rule": finding.rule, "severity": finding.severity,
                "since": finding.since.to_string(), "evidence": finding.evidence,
            })
        })
        .collect();
    let checks: Vec<Value> = host.checks.iter().map(|check| check_json(check, host.state)).collect();
    json!({
        "id": profile.id, "name": profile.name, "class": profile.class, "site": profile.site, "watch": profile.watch,
        "labels": profile.labels, "sources": profile.layers.sources(), "layers": profile.layers,
        "admission": profile.admission, "facts": profile.facts,
        "state": host.state, "since": host.since.to_string(), "why": host.cause.words(),
        "proof": last_heard(web, host).to_string(), "address": host.peer, "findings": findings, "checks": checks,
        "incident": host.incident, "settings": OfHost::new(web, host).json(),
        "parent": devices::name_of(&web.snapshot(), host.parent),
    })
}

fn check_json(check: &CheckRow, state: Liveness) -> Value {
    json!({
        "name": check.check, "status": check.status, "hard": check.hard, "attempt": check.attempt,
        "attempts": check.attempts, "since": check.since.to_string(), "output": check.output,
        "current": state.counts_as_up(),
    })
}

/// Its last sign of life: while it has a session the slot hears every message, the engine only changes.
pub(in crate::web) fn last_heard(web: &Web, host: &HostView) -> Timestamp {
    let slot = host.session.and_then(|_| web.context.slots.find(host.profile.no));
    slot.and_then(|slot| slot.last_heard()).map_or(host.proof, |heard| heard.max(host.proof))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct HostChange {
    class: Option<String>,
    site: Option<String>,
    watch: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl HostChange {
    /// What is said, all values checked; an empty one withdraws.
    pub(in crate::web) fn into_says(self) -> Result<Says, Problem> {
        let fixed = [("class", self.class), ("site", self.site), ("watch", self.watch)];
        let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let says: Says = self.labels.into_iter().chain(fixed).collect();
        check_says(&says)?;
        Ok(says)
    }
}

pub(in crate::web) fn class_of(word: Option<&str>) -> Result<Option<Class>, Problem> {
    let parse =
        |word| Class::from_word(word).ok_or_else(|| Problem::invalid("class", word, "server, workstation or device"));
    word.map(parse).transpose()
}

pub(in crate::web) fn watch_of(word: Option<&str>) -> Result<Option<Watch>, Problem> {
    let parse =
        |word| Watch::from_word(word).ok_or_else(|| Problem::invalid("watch", word, "fast, normal, relaxed or none"));
    word.map(parse).transpose()
}

/// Labels that can be said: names as Prometheus takes them (data model: `[a-zA-Z_][a-zA-Z0-9_]*`) and not reserved, values
/// of bounded length; an empty value withdraws what was said before.
pub(in crate::web) fn check_says(says: &Says) -> Result<(), Problem> {
    if says.len() > MOST_LABELS + 3 {
        let given = format!("{} labels", says.len());
        return Err(Problem::invalid("labels", &given, &format!("at most {MOST_LABELS}")));
    }
    for (name, value) in says.iter().filter(|(name, value)| !value.is_empty() || !is_fixed(name)) {
        if let Some(trouble) = label_trouble(name, value) {
            return Err(Problem::invalid(if is_fixed(name) { name } else { "labels" }, value, &trouble));
        }
    }
    Ok(())
}

fn is_fixed(name: &str) -> bool {
    matches!(name, "class" | "site" | "watch")
}

pub(in crate::web) async fn label(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Body(change): Body<HostChange>,
) -> Answered {
    let id = find(&web.snapshot(), &host)?.profile.id;
    command(&web, &caller, Command::Label { hosts: vec![id], says: change.into_says()? }).await
}

async fn admit(web: &Shared, caller: &Caller, host: &str, admission: Admission) -> Answered {
    let host = find(&web.snapshot(), host)?.profile.id;
    command(web, caller, Command::Admit { host, admission }).await
}

macro_rules! admission {
    ($name:ident, $admission:ident) => {
        pub(in crate::web) async fn $name(
            State(web): State<Shared>,
            Extension(caller): Extension<Caller>,
            Path(host): Path<String>,
        ) -> Answered {
            admit(&web, &caller, &host, Admission::$admission).await
        }
    };
}

admission!(revoke, Revoked);
admission!(retire, Retired);
admission!(suspend, Suspended);
admission!(activate, Active);
