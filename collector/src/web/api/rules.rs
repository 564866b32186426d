//! Rules: what is judged, by which limits and since whose line; overrides made here instead of in the configuration.

use std::collections::BTreeMap;

use axum::{
    Extension,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, done, hosts::find, list as page_of};
use crate::{
    config,
    domain::{
        changed::{Changed, Kind},
        event::Event,
        rules::{Effective, RULES, Rule, Thresholds},
        time::Timestamp,
    },
    store::overrides::OverrideRow,
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
        words,
    },
};

/// Overrides made here; more belong into the configuration, which is read as a whole.
const OVERRIDES: usize = 500;
/// Longest line, in bytes.
const LINE_BYTES: usize = 2_048;

/// All rules with their limits.
pub(in crate::web) async fn list() -> Answered {
    let limits = |rule: &Rule| -> Vec<Value> {
        let shown = |limit: &crate::domain::rules::Limit| {
            json!({
                "key": limit.key, "says": limit.says, "unit": limit.unit.word(), "default": limit.show(limit.default),
                "least": limit.show(limit.least), "most": limit.show(limit.most),
            })
        };
        rule.limits.iter().map(shown).collect()
    };
    let item = |rule: &&Rule| {
        json!({
            "rule": rule.name, "says": rule.says, "part": rule.part, "limits": limits(rule), "source": rule.source,
            "remedy": rule.remedy,
        })
    };
    Ok(page_of(RULES.iter().map(item).collect(), None))
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct Which {
    rule: Option<String>,
}

/// What applies to a host, and where each value comes from.
pub(in crate::web) async fn of_host(
    State(web): State<Shared>,
    Path(host): Path<String>,
    Query(which): Query<Which>,
) -> Answered {
    let host = find(&web.snapshot(), &host)?;
    let thresholds = web.context.slots.settings().of(&host.profile);
    let mut rules = RULES.to_vec();
    if let Some(name) = which.rule.as_deref() {
        rules = vec![rule_of(name)?];
    }
    let mut items = Vec::new();
    for rule in rules {
        let everywhere = thresholds.of(rule);
        items.extend(explained(rule, &thresholds, &everywhere, "", None));
        for part in thresholds.parts(rule) {
            let there = thresholds.at(rule, || part);
            items.extend(explained(rule, &thresholds, &there, part, Some(&everywhere)));
        }
    }
    Ok(page_of(items, None))
}

fn rule_of(name: &str) -> Result<&'static Rule, Problem> {
    let names = || RULES.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", ");
    Rule::named(name).ok_or_else(|| Problem::invalid("rule", name, &names()))
}

/// Each value with its source; of a part only those that differ from `everywhere`.
fn explained(
    rule: &'static Rule,
    thresholds: &Thresholds,
    effective: &Effective,
    part: &str,
    everywhere: Option<&Effective>,
) -> Vec<Value> {
    let line = |key: &str, value: String, source: &str| json!({ "rule": rule.name, "part": part, "key": key, "value": value, "from": source });
    let mut lines = Vec::new();
    if everywhere.is_none_or(|everywhere| everywhere.enabled != effective.enabled) {
        lines.push(line("enabled", effective.enabled.to_string(), thresholds.enabled_from(effective)));
    }
    if everywhere.is_none_or(|everywhere| everywhere.most != effective.most) {
        lines.push(line("severity", effective.most.word().into(), thresholds.severity_from(effective)));
    }
    for (place, limit) in rule.limits.iter().enumerate() {
        let (value, source) = (effective.limits[place], thresholds.limit_from(effective, place));
        // Bits, for off is NaN and equals itself.
        if everywhere.is_none_or(|everywhere| everywhere.limits[place].to_bits() != value.to_bits()) {
            lines.push(line(limit.key, limit.show(value), source));
        }
    }
    lines
}

/// Overrides made here.
pub(in crate::web) async fn overrides(State(web): State<Shared>) -> Answered {
    let rows = web.context.store.overrides().await?;
    let item =
        |row: &OverrideRow| json!({ "name": row.name, "line": row.line, "at": row.at.to_string(), "by": row.who });
    Ok(page_of(rows.iter().map(item).collect(), None))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewOverride {
    pub(in crate::web) name: String,
    pub(in crate::web) rule: String,
    pub(in crate::web) host: Option<String>,
    pub(in crate::web) label: Option<String>,
    pub(in crate::web) site: Option<String>,
    pub(in crate::web) class: Option<String>,
    pub(in crate::web) part: Option<String>,
    pub(in crate::web) enabled: Option<bool>,
    pub(in crate::web) severity: Option<String>,
    #[serde(default)]
    pub(in crate::web) limits: BTreeMap<String, String>,
}

impl NewOverride {
    /// The line of TOML that says the same.
    fn line(&self, rule: &Rule) -> Result<String, Problem> {
        let part = self.part.as_deref().map(|part| Ok((rule.part.ok_or(part)?, part)));
        let part = part.transpose().map_err(|part: &str| {
            Problem::invalid("part", part, &format!("nothing: a host has only one of what {} judges", rule.name))
        })?;
        let texts = [("rule", Some(&self.rule)), ("host", self.host.as_ref()), ("label", self.label.as_ref())];
        let more = [("site", self.site.as_ref()), ("class", self.class.as_ref()), ("severity", self.severity.as_ref())];
        let texts = texts.into_iter().chain(more).filter_map(|(key, text)| Some((key, text?.as_str())));
        let limits = self.limits.iter().map(|(key, amount)| (key.as_str(), amount.as_str()));
        let all = texts
            .chain(part)
            .chain(limits)
            .map(|(key, text)| format!("{} = {}", config::toml_key(key), config::toml_text(text)));
        let enabled = self.enabled.map(|enabled| format!("enabled = {enabled}"));
        let said: Vec<String> = all.chain(enabled).collect();
        Ok(format!("{} = {{ {} }}", config::toml_key(&self.name), said.join(", ")))
    }
}

/// Adds an override, or the next version of the one with this name.
pub(in crate::web) async fn add(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewOverride>,
) -> Answered {
    let line = checked(&web, &asked, &web.context.store.overrides().await?)?;
    put(&web, &caller, "rule.override", asked.name, line).await?;
    Ok(done())
}

/// The line that an override is among those made before, or what is wrong with it.
pub(in crate::web) fn checked(web: &Web, asked: &NewOverride, present: &[OverrideRow]) -> Result<String, Problem> {
    let line = asked.line(rule_of(&asked.rule)?)?;
    if line.len() > LINE_BYTES {
        return Err(Problem::invalid("override", &line, "at most 2048 bytes"));
    }
    if let Err(errors) = config::parse_override(&line, &web.context.config.rules, "") {
        return Err(Problem::invalid("override", &line, &errors.to_string()));
    }
    let is_new = present.iter().all(|row| row.name != asked.name);
    if is_new && present.len() >= OVERRIDES {
        return Err(Problem::invalid("name", &asked.name, "at most 500 overrides: write them into collector.toml"));
    }
    Ok(line)
}

/// Ends an override.
pub(in crate::web) async fn remove(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answered {
    let present = web.context.store.overrides().await?;
    if present.iter().all(|row| row.name != name) {
        let shown: String = name.chars().take(80).collect();
        return Err(Problem::not_found(&format!(
            "override {shown:?} made through the API (muster-collector rules override list)"
        )));
    }
    put(&web, &caller, "rule.override.remove", name, String::new()).await?;
    Ok(done())
}

/// Saves a line that was checked, or with an empty one ends an override; it counts at once.
pub(in crate::web) async fn put(
    web: &Web,
    caller: &Caller,
    action: &str,
    name: String,
    line: String,
) -> Result<(), Problem> {
    let at: Timestamp = web.now();
    let by = caller.audit(at, action, &name, line.clone());
    let (row, who) = (OverrideRow { name: name.clone(), line, at, who: by.who.clone() }, by.who.clone());
    let text = if row.line.is_empty() { format!("override {name} ended") } else { format!("override {}", row.line) };
    web.context.store.put_override(row, by).await?;
    let rows = web.context.store.overrides().await?;
    let settings = config::with_overrides(&web.context.config.rules, rows.into_iter().map(OverrideRow::said));
    let snapshot = web.snapshot();
    let hosts = snapshot.hosts.values().map(|host| &host.profile);
    let hosts = settings.differing(&web.context.slots.settings(), hosts);
    web.context.slots.set_rules(settings, snapshot.hosts.values().map(|host| &host.profile));
    let changed = Changed::new(at, Kind::Limit, &text, Some(who));
    web.context.mailbox.send(Event::Changed { hosts, changed }).await?;
    Ok(())
}

/// How to keep a finding from waking anybody: a line for the configuration, and the command that does the same now.
pub(in crate::web) fn quieten(host: &str, rule: &str, part: &str) -> Option<(String, String)> {
    let rule = Rule::named(rule)?;
    let name = format!("{host} {part}").trim().to_owned();
    let about = rule.part.map(|key| format!("{key} = {}, ", config::toml_text(part))).unwrap_or_default();
    let line = format!(
        "{} = {{ rule = \"{}\", host = {}, {about}severity = \"info\" }}",
        config::toml_key(&name),
        rule.name,
        config::toml_text(host)
    );
    let of_part = rule.part.map(|_| format!(" --part {}", words::shell(part))).unwrap_or_default();
    let command = format!(
        "muster-collector rules override add {} --rule {} --host {}{of_part} --severity info",
        words::shell(&name),
        rule.name,
        words::shell(host)
    );
    Some((line, command))
}
