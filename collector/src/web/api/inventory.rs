//! The living inventory: what a host has or had, which hosts have something, and what changed.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Answered, done, hosts::find, limit_of, list as page_of, time_of};
use crate::{
    domain::{
        ids::HostNo,
        inventory::{
            change::{Class, FieldChange, RowChange},
            is_field, is_section,
            pattern::Pattern,
            planned,
        },
        record::Row,
        snapshot::{HostView, Snapshot},
        time::Timestamp,
    },
    store::inventory::{
        changes::{ChangeId, Noted, Of, Reason},
        read::{HeldRow, Past, Refused, Section},
        search::{Hit, Search},
    },
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
    },
};

/// The schema of a host's inventory, as the agent's own `inventory --format json` has it.
const SCHEMA: u32 = 1;

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct When {
    at: Option<String>,
    key: Option<String>,
}

impl When {
    fn at(&self) -> Result<Option<Timestamp>, Problem> {
        self.at.as_deref().map(|text| instant("at", text)).transpose()
    }
}

/// An instant, or a day: its end, so that what was done on it is there.
pub(in crate::web) fn instant(field: &str, text: &str) -> Result<Timestamp, Problem> {
    match text.parse::<jiff::civil::Date>() {
        Ok(day) if text.len() == 10 => {
            let end = day.tomorrow().and_then(|next| next.to_zoned(jiff::tz::TimeZone::UTC));
            let end = end.map_err(|_| Problem::invalid(field, text, "a day or an instant (RFC 3339)"))?;
            Ok(Timestamp::from_ms(end.timestamp().as_millisecond() - 1))
        }
        _ => time_of(field, text),
    }
}

/// All sections of a host.
pub(in crate::web) async fn of_host(
    State(web): State<Shared>,
    Path(host): Path<String>,
    Query(when): Query<When>,
) -> Answered {
    let host = find(&web.snapshot(), &host)?;
    Ok(Json(document(&web, &host, when.at()?).await?))
}

/// The document of a host, as it is or as it was then.
pub(in crate::web) async fn document(web: &Web, host: &HostView, at: Option<Timestamp>) -> Result<Value, Problem> {
    let store = &web.context.store;
    let (sections, refused) = store.inventory_sections(host.profile.no).await?;
    let known_since = store.inventory_known_since(host.profile.no).await?;
    let mut all = Map::new();
    for section in sections.iter().filter(|section| at.is_none_or(|at| section.first <= at)) {
        let rows = store.inventory_rows(host.profile.no, section.name.clone(), at).await?;
        let mut whole = section_json(section);
        whole["rows"] = rows.iter().map(row_json).collect();
        all.insert(section.name.clone(), whole);
    }
    Ok(json!({
        "schema": SCHEMA, "host": host.profile.name, "host_id": host.profile.id.to_string(),
        "at": at.map(|at| at.to_string()), "sections": all,
        "known_since": known_since.map(|at| at.to_string()),
        "refused": refused.iter().map(refused_json).collect::<Vec<_>>(),
    }))
}

/// One section of a host, or the past of one of its rows.
pub(in crate::web) async fn section(
    State(web): State<Shared>,
    Path((host, name)): Path<(String, String)>,
    Query(when): Query<When>,
) -> Answered {
    let host = find(&web.snapshot(), &host)?;
    let (no, at) = (host.profile.no, when.at()?);
    let store = &web.context.store;
    let (sections, _) = store.inventory_sections(no).await?;
    let Some(section) = sections.iter().find(|section| section.name == name) else {
        let known: Vec<&str> = sections.iter().map(|section| section.name.as_str()).collect();
        let shown: String = name.chars().take(80).collect();
        return Err(Problem::not_found(&format!("section {shown:?} of this host; it has: {}", known.join(", "))));
    };
    let mut whole = section_json(section);
    whole["section"] = section.name.clone().into();
    whole["at"] = at.map(|at| at.to_string()).into();
    match when.key {
        Some(key) => {
            let past = store.inventory_history(no, section.name.clone(), key.clone()).await?;
            whole["key"] = key.into();
            whole["history"] = past.iter().map(past_json).collect();
        }
        None => {
            let rows = store.inventory_rows(no, section.name.clone(), at).await?;
            whole["rows"] = rows.iter().map(keyed_json).collect();
        }
    }
    Ok(Json(whole))
}

fn section_json(section: &Section) -> Value {
    json!({
        "status": section.head.status.word(), "reason": section.head.reason, "source": section.head.source,
        "collected_at": section.looked.to_string(), "first_collected_at": section.first.to_string(),
        "rows_told": section.rows,
    })
}

fn refused_json(refused: &Refused) -> Value {
    json!({ "section": refused.section, "at": refused.at.to_string(), "reason": refused.reason })
}

fn object(fields: &[(String, String)]) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

/// A row as the agent prints it: its fields, and its source where it has one of its own.
fn row_json(row: &HeldRow) -> Value {
    let mut fields = object(&row.durable);
    fields.extend(object(&row.latest));
    if !row.source.is_empty() {
        fields.entry("source").or_insert_with(|| row.source.clone().into());
    }
    fields.into()
}

/// The same with what is known of it here.
fn keyed_json(row: &HeldRow) -> Value {
    json!({
        "key": row.key, "since": row.first.to_string(), "away_since": row.away.map(|at| at.to_string()),
        "source": row.source, "fields": object(&row.durable), "latest": object(&row.latest),
    })
}

fn past_json(past: &Past) -> Value {
    json!({
        "from": past.first.to_string(), "to": past.removed.map(|at| at.to_string()), "fields": object(&past.durable),
    })
}

/// What was filled in.
fn given(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct SearchFor {
    section: Option<String>,
    name: Option<String>,
    version: Option<String>,
    /// `field=value` for any other field.
    field: Option<String>,
    from: Option<String>,
    to: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

impl SearchFor {
    /// As a view asks it.
    pub(in crate::web) fn asked(query: [(&'static str, &str); 6], after: &str) -> Self {
        let [section, name, version, field, from, to] = query.map(|(_, value)| given(value));
        Self { section, name, version, field, from, to, after: given(after), limit: None }
    }

    /// What the store is asked.
    pub(in crate::web) fn checked(&self, now: Timestamp) -> Result<Search, Problem> {
        let section = self.section.as_deref().and_then(given).unwrap_or_else(|| "packages".into());
        if !is_section(&section) {
            return Err(Problem::invalid("section", &section, "a section such as packages, users, disks"));
        }
        let given = |text: &Option<String>| text.as_deref().and_then(given);
        let mut fields = Vec::new();
        fields.extend(given(&self.version).map(|version| ("version".to_owned(), Pattern::of(&version))));
        if let Some(text) = given(&self.field) {
            let pair = text.split_once('=').filter(|(name, _)| is_field(name));
            let (name, value) = pair.ok_or_else(|| Problem::invalid("field", &text, "NAME=VALUE such as model=X*"))?;
            fields.push((name.to_owned(), Pattern::of(value)));
        }
        let name = given(&self.name).map(|name| Pattern::of(&name));
        if name.is_none() && fields.is_empty() {
            return Err(Problem::invalid(
                "name",
                "",
                "what to search for: name, version or field; * stands for anything",
            ));
        }
        let time = |field: &str, text: &Option<String>| given(text).map(|text| instant(field, &text)).transpose();
        let (from, to) = (time("from", &self.from)?, time("to", &self.to)?);
        if from.zip(to).is_some_and(|(from, to)| to < from) {
            return Err(Problem::invalid("to", self.to.as_deref().unwrap_or_default(), "not before from"));
        }
        // Until now, and from ever.
        let to = to.or(from.map(|_| now));
        let from = from.or(to.map(|_| Timestamp::default()));
        let after = super::cursor_of(given(&self.after).as_deref())?.map(HostNo);
        Ok(Search { section, name, fields, from, to, after, limit: limit_of(self.limit) })
    }
}

/// Which hosts have or had something.
pub(in crate::web) async fn search(State(web): State<Shared>, Query(asked): Query<SearchFor>) -> Answered {
    let snapshot = web.snapshot();
    let hits = web.context.store.inventory_search(asked.checked(web.now())?).await?;
    let items = hits.rows.iter().filter_map(|hit| Some(hit_json(snapshot.hosts.get(&hit.host)?, hit)));
    Ok(page_of(items.collect(), hits.next.map(|no| no.0.to_string())))
}

fn hit_json(host: &HostView, hit: &Hit) -> Value {
    json!({
        "host": host.profile.name, "host_id": host.profile.id.to_string(), "key": hit.key,
        "from": hit.first.to_string(), "to": hit.removed.map(|at| at.to_string()), "fields": object(&hit.durable),
    })
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct ChangesOf {
    host: Option<String>,
    site: Option<String>,
    class: Option<String>,
    section: Option<String>,
    from: Option<String>,
    to: Option<String>,
    /// `expected` or `unplanned`.
    kind: Option<String>,
    /// `yes` or `no`.
    explained: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

impl ChangesOf {
    /// As a view asks it.
    pub(in crate::web) fn asked(query: [(&'static str, &str); 8], after: &str) -> Self {
        let [host, site, class, section, from, to, kind, explained] = query.map(|(_, value)| given(value));
        Self { host, site, class, section, from, to, kind, explained, after: given(after), limit: None }
    }

    /// What the store is asked, and for how many.
    pub(in crate::web) fn checked(&self, snapshot: &Snapshot) -> Result<(Of, usize), Problem> {
        let given = |text: &Option<String>| text.as_deref().and_then(given);
        let class = given(&self.class).map(|word| {
            Class::of_word(&word).ok_or_else(|| {
                Problem::invalid("class", &word, "a class of change such as package_upgraded or user_gained_sudo")
            })
        });
        let planned = given(&self.kind).map(|word| match word.as_str() {
            "expected" => Ok(true),
            "unplanned" => Ok(false),
            _ => Err(Problem::invalid("kind", &word, "expected or unplanned")),
        });
        let explained = given(&self.explained).map(|word| match word.as_str() {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(Problem::invalid("explained", &word, "yes or no")),
        });
        let hosts = match (given(&self.host), given(&self.site)) {
            (Some(host), _) => Some(vec![find(snapshot, &host)?.profile.no]),
            (None, Some(site)) => {
                let at = snapshot.hosts.iter().filter(|(_, host)| host.profile.site.as_deref() == Some(&site));
                Some(at.map(|(no, _)| *no).collect())
            }
            (None, None) => None,
        };
        let after = given(&self.after).map(|text| {
            text.parse::<ChangeId>().map_err(|()| Problem::invalid("after", &text, "the `next` of an earlier answer"))
        });
        let from = given(&self.from).map(|text| first_of_day("from", &text)).transpose()?;
        let to = given(&self.to).map(|text| instant("to", &text)).transpose()?.map(|to| to.plus_ms(1));
        let of = Of {
            hosts,
            class: class.transpose()?,
            section: given(&self.section),
            from,
            to,
            planned: planned.transpose()?,
            explained: explained.transpose()?,
            after: after.transpose()?,
        };
        Ok((of, limit_of(self.limit)))
    }
}

/// An instant, or a day: its beginning.
pub(in crate::web) fn first_of_day(field: &str, text: &str) -> Result<Timestamp, Problem> {
    if text.len() == 10 { time_of(field, &format!("{text}T00:00:00Z")) } else { time_of(field, text) }
}

/// What changed, the newest first.
pub(in crate::web) async fn changes(State(web): State<Shared>, Query(asked): Query<ChangesOf>) -> Answered {
    let snapshot = web.snapshot();
    let (of, limit) = asked.checked(&snapshot)?;
    let page = web.context.store.inventory_changes(of, limit).await?;
    let items = page.rows.iter().filter_map(|noted| Some(change_json(snapshot.hosts.get(&noted.id.host)?, noted)));
    Ok(page_of(items.collect(), page.next.map(|id| id.to_string())))
}

fn change_json(host: &HostView, noted: &Noted) -> Value {
    let field = |field: &FieldChange| json!({ "name": field.name, "before": field.before, "after": field.after });
    let row = |row: &RowChange| {
        let fields: Vec<Value> = row.fields.iter().map(field).collect();
        json!({ "key": row.key, "class": row.class.word(), "fields": fields })
    };
    let change = &noted.change;
    json!({
        "id": noted.id.to_string(), "host": host.profile.name, "host_id": host.profile.id.to_string(),
        "at": noted.id.at.to_string(), "not_before": noted.since.to_string(), "class": change.class.word(),
        "section": change.section, "title": change.title, "rows_changed": change.count,
        "rows": change.rows.iter().map(row).collect::<Vec<_>>(),
        "kind": kind_word(noted), "change": noted.planned,
        "reason": noted.reason.as_ref().map(|reason| json!({
            "text": reason.text, "by": reason.by, "at": reason.at.to_string(),
        })),
    })
}

/// Whether it was declared, as a word; one that was just seen is not looked at yet.
pub(in crate::web) fn kind_word(noted: &Noted) -> &'static str {
    match (&noted.planned, noted.judged) {
        (Some(_), _) => "expected",
        (None, true) => "unplanned",
        (None, false) => "new",
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewReason {
    reason: String,
}

/// Says why something was changed.
pub(in crate::web) async fn explain(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Body(asked): Body<NewReason>,
) -> Answered {
    give_reason(&web, &caller, &id, &asked.reason).await?;
    Ok(done())
}

/// Notes why something was changed, with who says so; the audit log has it first.
pub(in crate::web) async fn give_reason(web: &Web, caller: &Caller, id: &str, text: &str) -> Result<(), Problem> {
    let unknown = || Problem::not_found("a change with this id (GET /api/v1/inventory/changes)");
    let known: ChangeId = id.parse().map_err(|()| unknown())?;
    let text = planned::reason(text).map_err(|expected| Problem::invalid("reason", text, &expected))?;
    let store = &web.context.store;
    let Some(noted) = store.inventory_change(known).await? else { return Err(unknown()) };
    let (at, by) = (web.now(), caller.name.clone());
    let audit = caller.audit(at, "inventory.explain", id, format!("{}: {text}", noted.change.title));
    store.commit(vec![Row::Audit(audit)]).await?;
    if store.explain_inventory(known, Reason { text, by, at }).await? { Ok(()) } else { Err(unknown()) }
}
