//! What agents are told: settings by scope made here instead of in the configuration, and what a host makes of them.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, done, hosts::find, list as page_of};
use crate::{
    config,
    domain::{
        changed::{Changed, Kind},
        event::Event,
        ids::HostNo,
        settings::{
            Merged, Part, Scope,
            shelf::{Answer, Given, Standing},
        },
        snapshot::HostView,
    },
    store::settings::SettingsRow,
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
    },
};

/// Scopes set here; more belong into the configuration, which is read as a whole.
const SCOPES: usize = 500;
/// Longest document, in bytes: several of them are to fit into what is sent to an agent.
const DOCUMENT_BYTES: usize = 32 * 1024;
const SCOPE: &str = "all, class=CLASS, site=SITE, label=NAME=VALUE or host=PATTERN";

/// Where what is local comes from.
pub(in crate::web) const OWN_FILE: &str = "this machine's own agent.toml, which wins";

/// How a host stands to what it is told.
pub(in crate::web) struct OfHost {
    pub(in crate::web) merged: Merged,
    pub(in crate::web) given: Given,
    pub(in crate::web) answer: Option<Answer>,
    pub(in crate::web) standing: Standing,
}

impl OfHost {
    pub(in crate::web) fn new(web: &Web, host: &HostView) -> Self {
        let shelf = &web.context.settings;
        let merged = shelf.of(&host.profile, &host.watches);
        let (given, answer, standing) = shelf.standing(host.profile.no, !merged.checks.is_empty());
        Self { merged, given, answer, standing }
    }

    pub(in crate::web) fn local(&self) -> &[String] {
        self.answer.as_ref().map_or(&[], |answer| &answer.local)
    }

    /// Whether the machine's own file wins.
    pub(in crate::web) fn is_local(&self, key: &str) -> bool {
        self.local().iter().any(|local| local == key || (local == "interval" && key == "report"))
    }

    /// In words.
    pub(in crate::web) fn words(&self) -> String {
        let version = self.given.version;
        match &self.standing {
            Standing::Unanswered => "it has not answered since the collector started".into(),
            Standing::Sent => format!("version {version} was sent, it has not answered yet"),
            Standing::Applied => format!("version {version} is in force"),
            Standing::Refused(why) => format!("it refuses version {version}: {why}"),
            Standing::TooOld => {
                format!(
                    "its agent is too old to take checks from here (version {version}): bring it to a newer release"
                )
            }
        }
    }

    pub(in crate::web) fn json(&self) -> Value {
        json!({
            "version": self.given.version, "state": self.standing.word(), "says": self.words(), "local": self.local(),
        })
    }
}

/// What a host is told, where each comes from, and what it answered.
pub(in crate::web) async fn of_host(State(web): State<Shared>, Path(host): Path<String>) -> Answered {
    let host = find(&web.snapshot(), &host)?;
    let settings = OfHost::new(&web, &host);
    let item = |(key, from): (&String, &String)| {
        let from = if settings.is_local(key) { OWN_FILE } else { from.as_str() };
        json!({ "key": key, "from": from })
    };
    let items: Vec<Value> = settings.merged.origins.iter().map(item).collect();
    let mut answer = settings.json();
    answer["document"] = settings.merged.document(&host.profile).into();
    answer["keys"] = items.into();
    Ok(Json(answer))
}

/// Settings made here.
pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let rows = web.context.store.settings().await?;
    let item = |row: &SettingsRow| json!({ "scope": row.scope, "document": row.document, "at": row.at.to_string(), "by": row.who });
    Ok(page_of(rows.iter().map(item).collect(), None))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewSettings {
    scope: String,
    document: String,
}

/// Sets what the hosts of a scope are told, instead of what was set for it before.
pub(in crate::web) async fn set(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewSettings>,
) -> Answered {
    let scope = Scope::from_words(&asked.scope).ok_or_else(|| Problem::invalid("scope", &asked.scope, SCOPE))?;
    let document = asked.document;
    if document.len() > DOCUMENT_BYTES {
        return Err(Problem::invalid("document", &format!("{} bytes", document.len()), "at most 32 KiB"));
    }
    match config::parse_settings(&document, scope.clone(), String::new()) {
        Ok(part) if part.report_ms.is_none() && part.checks.is_empty() => {
            return Err(Problem::invalid("document", &document, "interval or [[check]]; to end the scope, remove it"));
        }
        Ok(_) => {}
        Err(errors) => return Err(Problem::invalid("document", &asked.scope, &errors.to_string())),
    }
    let present = web.context.store.settings().await?;
    if present.len() >= SCOPES && present.iter().all(|row| row.scope != scope.words()) {
        return Err(Problem::invalid("scope", &asked.scope, "at most 500: write them into collector.toml"));
    }
    put(&web, &caller, "settings.set", scope.words(), document).await
}

/// Ends what was set for a scope here.
pub(in crate::web) async fn remove(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(scope): Path<String>,
) -> Answered {
    let present = web.context.store.settings().await?;
    if present.iter().all(|row| row.scope != scope) {
        let shown: String = scope.chars().take(80).collect();
        return Err(Problem::not_found(&format!(
            "settings of {shown:?} made through the API (muster-collector settings list)"
        )));
    }
    put(&web, &caller, "settings.remove", scope, String::new()).await
}

async fn put(web: &Web, caller: &Caller, action: &str, scope: String, document: String) -> Answered {
    let at = web.now();
    let by = caller.audit(at, action, &scope, document.clone());
    let text = format!("settings of {scope} {}", if document.is_empty() { "ended" } else { "set" });
    let change = Changed::new(at, Kind::Setting, &text, Some(by.who.clone()));
    web.context.store.put_settings(SettingsRow { scope, document, at, who: by.who.clone() }, by).await?;
    let rows = web.context.store.settings().await?;
    web.context.settings.set_made(rows.iter().filter_map(part).collect());
    let hosts = changed(web);
    web.context.mailbox.send(Event::Changed { hosts: hosts.clone(), changed: change }).await?;
    web.context.mailbox.send(Event::Settings(hosts)).await.map_err(Problem::from)?;
    Ok(done())
}

fn part(row: &SettingsRow) -> Option<Part> {
    // What could be read when it was made and cannot be now was told when the collector started.
    config::parse_settings(&row.document, Scope::from_words(&row.scope)?, row.origin()).ok()
}

/// Hosts whose settings are others than they were given.
fn changed(web: &Web) -> Vec<HostNo> {
    let (snapshot, shelf) = (web.snapshot(), &web.context.settings);
    let is_other =
        |host: &HostView| shelf.number(host.profile.no, &OfHost::new(web, host).merged.document(&host.profile)).1;
    snapshot.hosts.values().filter(|host| is_other(host)).map(|host| host.profile.no).collect()
}
