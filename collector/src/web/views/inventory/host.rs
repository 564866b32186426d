//! A host's inventory: its sections, and one of them row by row, now or on a date.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State as Given},
};
use serde::Deserialize;

use super::{Event, status};
use crate::{
    domain::{inventory::field, os_support, snapshot::HostView, time::Timestamp},
    store::inventory::{
        changes::Of,
        read::{HeldRow, Section},
    },
    web::{
        Shared, Web,
        access::Caller,
        api::{hosts::find, inventory::instant},
        problem::Problem,
        views::{Badge, Frame, Shown, When, show},
        words,
    },
};

/// Events shown on the host's own page.
const LATELY: usize = 5;
/// Events shown of a host.
const EVENTS: usize = 30;
/// Rows of a section shown; the API lists all.
const ROWS: usize = 1_000;
/// Columns of a section.
const COLUMNS: usize = 8;

struct Line {
    name: String,
    url: String,
    badge: Badge,
    rows: String,
    source: String,
    reason: String,
    looked: When,
}

#[derive(Template)]
#[template(path = "inventory_host.html")]
struct HostPage {
    frame: Frame,
    name: String,
    url: String,
    id: String,
    /// On which date, as asked for.
    at: String,
    support: Option<(Badge, String)>,
    sections: Vec<Line>,
    refused: Vec<(String, String, When)>,
    /// Since when all that it had is known, where it had more than is kept.
    known_since: Option<When>,
    events: Vec<Event>,
    more: bool,
    changes_url: String,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    at: String,
    #[serde(default)]
    search: String,
}

impl Asked {
    fn at(&self) -> Result<Option<Timestamp>, Problem> {
        (!self.at.is_empty()).then(|| instant("at", &self.at)).transpose()
    }
}

/// All sections of a host, and what changed lately.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    let snapshot = web.snapshot();
    let host = find(&snapshot, &host)?;
    let at = asked.at()?;
    let no = host.profile.no;
    let (sections, refused) = web.context.store.inventory_sections(no).await?;
    let of = Of { hosts: Some(vec![no]), to: at.map(|at| at.plus_ms(1)), ..Of::default() };
    let changes = web.context.store.inventory_changes(of, EVENTS).await?;
    let now = web.now();
    let when = |at| When::new(at, now, &web.zone);
    let mut lines = Vec::new();
    for section in sections.iter().filter(|section| at.is_none_or(|at| section.first <= at)) {
        let rows = match at {
            None => section.rows,
            Some(_) => web.context.store.inventory_rows(no, section.name.clone(), at).await?.len() as u64,
        };
        lines.push(line(&host, section, rows, &asked.at, when(section.looked)));
    }
    let name = host.profile.name.clone();
    show(&HostPage {
        frame: Frame::new(&web, &caller, "add", format!("Inventory of {name}")),
        url: format!("/hosts/{}", host.profile.id),
        id: host.profile.id.to_string(),
        at: asked.at.clone(),
        support: support(&web, &host, at).await?,
        sections: lines,
        refused: refused.into_iter().map(|one| (one.section, one.reason, when(one.at))).collect(),
        known_since: web.context.store.inventory_known_since(no).await?.map(when),
        events: changes.rows.iter().map(|noted| Event::of(&host, noted, when)).collect(),
        more: changes.next.is_some(),
        changes_url: super::address("/inventory/changes", &[("host", &name)]),
        name,
    })
}

/// What the host's own page says of its inventory.
pub(in crate::web::views) struct Brief {
    /// How long its operating system is supported.
    pub(in crate::web::views) support: Option<(Badge, String)>,
    /// Name, name in words, and rows.
    pub(in crate::web::views) sections: Vec<(String, String, String)>,
    /// What changed last.
    pub(in crate::web::views) events: Vec<Event>,
}

/// The inventory of a host in some lines.
pub(in crate::web::views) async fn brief(web: &Web, host: &HostView) -> Result<Brief, Problem> {
    let no = host.profile.no;
    let (sections, _) = web.context.store.inventory_sections(no).await?;
    let of = Of { hosts: Some(vec![no]), ..Of::default() };
    let changes = web.context.store.inventory_changes(of, LATELY).await?;
    let now = web.now();
    let count = |section: &Section| words::count(usize::try_from(section.rows).unwrap_or(usize::MAX));
    let named = |section: &Section| (section.name.clone(), section.name.replace('_', " "), count(section));
    Ok(Brief {
        support: support(web, host, None).await?,
        sections: sections.iter().map(named).collect(),
        events: changes.rows.iter().map(|noted| Event::of(host, noted, |at| When::new(at, now, &web.zone))).collect(),
    })
}

/// How long its operating system is supported, or was then.
pub(super) async fn support(
    web: &Web,
    host: &HostView,
    at: Option<Timestamp>,
) -> Result<Option<(Badge, String)>, Problem> {
    let (store, now) = (&web.context.store, at.unwrap_or_else(|| web.now()));
    let mut rows = store.inventory_rows(host.profile.no, "os".into(), at).await?;
    rows.extend(store.inventory_rows(host.profile.no, "system".into(), at).await?);
    let found = rows.iter().find_map(|row| os_support::Release::of_fields(&row.durable));
    // What it said of itself last is nothing about a past date.
    let named = || os_support::Release::of_name(&host.profile.facts.os_release).filter(|_| at.is_none());
    let Some(release) = found.or_else(named) else { return Ok(None) };
    let found = web.context.config.os_table.support(&release, now);
    Ok(Some((support_badge(&found, now), found.words(now))))
}

/// How an operating system is supported, as a sign.
pub(super) fn support_badge(found: &os_support::Support, now: Timestamp) -> Badge {
    let (class, sign) = match found.tier {
        os_support::Tier::Active => ("good", "✓"),
        os_support::Tier::SecurityOnly if !found.ends_within(now, os_support::SOON_DAYS) => ("good", "✓"),
        os_support::Tier::Extended if found.has_contract => ("good", "✓"),
        os_support::Tier::SecurityOnly | os_support::Tier::Extended => ("warning", "▲"),
        os_support::Tier::Ended => ("critical", "✕"),
        os_support::Tier::Rolling | os_support::Tier::Unknown => ("quiet", "?"),
    };
    Badge { class, sign, word: found.tier.words().into() }
}

fn line(host: &HostView, section: &Section, rows: u64, at: &str, looked: When) -> Line {
    Line {
        url: super::address(&format!("/hosts/{}/inventory/{}", host.profile.id, section.name), &[("at", at)]),
        name: section.name.replace('_', " "),
        badge: status(section.head.status),
        rows: words::count(usize::try_from(rows).unwrap_or(usize::MAX)),
        source: section.head.source.clone(),
        reason: section.head.reason.clone(),
        looked,
    }
}

#[derive(Template)]
#[template(path = "inventory_section.html")]
struct SectionPage {
    frame: Frame,
    host: String,
    host_url: String,
    name: String,
    at: String,
    search: String,
    badge: Badge,
    reason: String,
    source: String,
    looked: When,
    columns: Vec<String>,
    rows: Vec<RowLine>,
    of: String,
    left_out: usize,
    api: String,
}

struct RowLine {
    cells: Vec<String>,
    since: When,
    away: Option<When>,
}

/// One section.
pub(in crate::web) async fn section(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path((host, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Shown {
    let host = find(&web.snapshot(), &host)?;
    let at = asked.at()?;
    let (sections, _) = web.context.store.inventory_sections(host.profile.no).await?;
    let Some(section) = sections.into_iter().find(|section| section.name == name) else {
        return Err(Problem::not_found("a section of this host's inventory with this name").into());
    };
    let all = web.context.store.inventory_rows(host.profile.no, name.clone(), at).await?;
    let wanted = asked.search.to_lowercase();
    let has = |fields: &[(String, String)]| fields.iter().any(|(_, value)| value.to_lowercase().contains(&wanted));
    let fits = |row: &&HeldRow| wanted.is_empty() || has(&row.durable) || has(&row.latest);
    let fitting: Vec<&HeldRow> = all.iter().filter(fits).collect();
    let now = web.now();
    let when = |at| When::new(at, now, &web.zone);
    let columns = columns(&all);
    let rows = fitting.iter().take(ROWS).map(|row| RowLine {
        cells: columns.iter().map(|column| cell(row, column)).collect(),
        since: when(row.first),
        away: row.away.map(when),
    });
    show(&SectionPage {
        frame: Frame::new(&web, &caller, "add", format!("{} of {}", name.replace('_', " "), host.profile.name)),
        host: host.profile.name.clone(),
        host_url: format!("/hosts/{}/inventory", host.profile.id),
        badge: status(section.head.status),
        reason: section.head.reason,
        source: section.head.source,
        looked: when(section.looked),
        rows: rows.collect(),
        of: words::counted(fitting.len(), "row", "rows"),
        left_out: fitting.len().saturating_sub(ROWS),
        api: super::address(&format!("/api/v1/hosts/{}/inventory/{name}", host.profile.id), &[("at", &asked.at)]),
        columns: columns.iter().map(|column| column.replace('_', " ")).collect(),
        at: asked.at,
        search: asked.search,
        name: name.replace('_', " "),
    })
}

/// A field of a row; empty where it has none.
pub(super) fn cell(row: &HeldRow, column: &str) -> String {
    field(&row.durable, column).or_else(|| field(&row.latest, column)).unwrap_or_default().to_owned()
}

/// The fields that are columns: the name and the version first, then those that most rows have.
fn columns(rows: &[HeldRow]) -> Vec<String> {
    let names: BTreeSet<&String> =
        rows.iter().flat_map(|row| row.durable.iter().chain(&row.latest)).map(|(name, _)| name).collect();
    let count = |name: &String| rows.iter().filter(|row| !cell(row, name).is_empty()).count();
    let first = |name: &str| ["version", "name"].iter().position(|known| *known == name);
    let mut counted: Vec<(Option<usize>, usize, String)> =
        names.into_iter().map(|name| (first(name), count(name), name.clone())).collect();
    counted.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)).then_with(|| a.2.cmp(&b.2)));
    counted.into_iter().take(COLUMNS).map(|(_, _, name)| name).collect()
}
