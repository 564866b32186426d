//! Hosts: list, show, label, admit.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, command, cursor_of, limit_of, list as page_of, settings::OfHost};
use crate::{
    domain::{
        event::Command,
        host::{State as Liveness, checks::CheckRow},
        ids::HostId,
        labels::{Admission, Class},
        snapshot::{HostView, Snapshot},
        time::Timestamp,
        watch::Watch,
    },
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
    },
};

/// Labels changed at once; more is a script's mistake.
const MAX_LABELS: usize = 64;
/// As on the wire: strings are at most 256 bytes.
const MAX_LABEL_BYTES: usize = 256;

#[derive(Debug, Deserialize)]
pub(in crate::web) struct Filter {
    state: Option<String>,
    site: Option<String>,
    class: Option<String>,
    search: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

impl Filter {
    fn fits(&self, host: &HostView) -> bool {
        let profile = &host.profile;
        self.state.as_deref().is_none_or(|state| host.state.word() == state)
            && self.site.as_deref().is_none_or(|site| profile.site.as_deref().unwrap_or("") == site)
            && self.class.as_deref().is_none_or(|class| profile.class.word() == class)
            && self.search.as_deref().is_none_or(|text| profile.name.contains(text))
    }
}

pub(in crate::web) async fn list(State(web): State<Shared>, Query(filter): Query<Filter>) -> Answered {
    let snapshot = web.snapshot();
    let after = cursor_of(filter.after.as_deref())?.unwrap_or(0);
    let limit = limit_of(filter.limit);
    let from = crate::domain::ids::HostNo(after.saturating_add(1));
    let mut fitting = snapshot.hosts.range(from..).filter(|(_, host)| filter.fits(host));
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
    Ok(Json(to_json(&web, find(&web.snapshot(), &host)?.as_ref())))
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
        "labels": profile.labels, "sources": profile.sources, "admission": profile.admission, "facts": profile.facts,
        "state": host.state, "since": host.since.to_string(), "why": host.cause.words(),
        "proof": last_heard(web, host).to_string(), "address": host.peer, "findings": findings, "checks": checks,
        "incident": host.incident, "settings": OfHost::new(web, host).json(),
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
    pub(in crate::web) class: Option<String>,
    pub(in crate::web) site: Option<String>,
    pub(in crate::web) watch: Option<String>,
    #[serde(default)]
    pub(in crate::web) labels: BTreeMap<String, String>,
}

impl HostChange {
    /// The command that makes this change, all values checked.
    pub(in crate::web) fn into_command(self, host: HostId) -> Result<Command, Problem> {
        check_labels(&self.labels)?;
        if let Some(site) = self.site.as_ref().filter(|site| site.len() > MAX_LABEL_BYTES) {
            return Err(Problem::invalid("site", site, "at most 256 bytes"));
        }
        Ok(Command::Label {
            host,
            class: class_of(self.class.as_deref())?,
            site: self.site,
            watch: watch_of(self.watch.as_deref())?,
            labels: self.labels.into_iter().collect(),
        })
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

/// Label names as Prometheus takes them (data model: `[a-zA-Z_][a-zA-Z0-9_]*`), values of bounded length.
pub(in crate::web) fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), Problem> {
    if labels.len() > MAX_LABELS {
        return Err(Problem::invalid("labels", &format!("{} labels", labels.len()), "at most 64"));
    }
    for (name, value) in labels {
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let goes_well = name.len() <= MAX_LABEL_BYTES && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !starts_well || !goes_well {
            return Err(Problem::invalid("labels", name, "names of letters, digits and _ that begin with no digit"));
        }
        if value.len() > MAX_LABEL_BYTES {
            return Err(Problem::invalid(&format!("labels.{name}"), value, "at most 256 bytes"));
        }
    }
    Ok(())
}

pub(in crate::web) async fn label(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Body(change): Body<HostChange>,
) -> Answered {
    let id = find(&web.snapshot(), &host)?.profile.id;
    command(&web, &caller, change.into_command(id)?).await
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
