//! The document of a host, as it is or as it was.

use std::collections::BTreeMap;

use axum::{
    Extension,
    extract::{Path, Query, State as Given},
    response::Response,
};
use serde::Deserialize;

use super::{
    Cell, DAYS, Document, Table, change_columns, change_row, changes, event_of, glance, lacking, left_out, made, shown,
    tables::{Held, sections, tables},
};
use crate::{
    domain::{snapshot::HostView, time::Timestamp},
    store::inventory::{
        changes::{Of, Page},
        read::Refused,
    },
    web::{
        Shared, Web,
        access::Caller,
        api::{
            hosts::{find, last_heard},
            inventory::instant,
        },
        problem::Problem,
        views::{
            Badge, Shown,
            inventory::{Event, host::support, status},
            service_level_report::{STYLE, dressed},
        },
        words,
    },
};

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    at: String,
}

/// The document for reading and printing.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    Ok(answer(&web, &caller, &host, &asked).await?)
}

/// The same for programs.
pub(in crate::web) async fn file(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    answer(&web, &caller, &host, &asked).await
}

async fn answer(web: &Web, caller: &Caller, host: &str, asked: &Asked) -> Result<Response, Problem> {
    let host = find(&web.snapshot(), host)?;
    let at = (!asked.at.is_empty()).then(|| instant("at", &asked.at)).transpose()?;
    let (sections, refused) = web.context.store.inventory_sections(host.profile.no).await?;
    let mut held = Held { sections, rows: BTreeMap::new() };
    held.sections.retain(|section| at.is_none_or(|at| section.first <= at));
    for name in self::sections() {
        let rows = web.context.store.inventory_rows(host.profile.no, name.to_owned(), at).await?;
        held.rows.insert(name.to_owned(), rows);
    }
    let of = Of { hosts: Some(vec![host.profile.no]), ..Of::default() };
    let changes = changes(web, of, at.unwrap_or_else(|| web.now())).await?;
    let support = support(web, &host, at).await?;
    let told = Told { web, host: &host, at, held, refused, changes, support };
    Ok(dressed(told.document(caller).render_to_text()?))
}

/// What a document is made of.
struct Told<'a> {
    web: &'a Web,
    host: &'a HostView,
    at: Option<Timestamp>,
    held: Held,
    refused: Vec<Refused>,
    changes: Page,
    support: Option<(Badge, String)>,
}

impl Told<'_> {
    fn as_of(&self) -> Timestamp {
        self.at.unwrap_or_else(|| self.web.now())
    }

    fn document(&self, caller: &Caller) -> Document {
        let (now, zone) = (self.web.now(), &self.web.zone);
        let name = &self.host.profile.name;
        let mut tables = tables(&self.held, self.as_of(), zone);
        tables.push(self.changed());
        if self.at.is_none() {
            tables.push(self.found());
        }
        tables.push(self.sources());
        let mut glance = glance::glance(&self.held, self.as_of());
        let told = glance::changes(&self.changes.rows, self.changes.next.is_none());
        glance.push((format!("Changes in {DAYS} days"), told));
        if self.at.is_none() {
            glance.push(("Open findings".into(), glance::findings(self.host)));
        }
        Document {
            style: STYLE,
            kind: "Machine",
            name: name.clone(),
            as_of: format!("as of {}", words::clock_time(self.as_of(), zone)),
            verdict: self.support.as_ref().map(|(badge, _)| Badge { word: badge.word.clone(), ..*badge }),
            sentence: self.sentence(),
            facts: self.facts(),
            glance,
            tables,
            provenance: self.provenance(),
            commands: self.commands(),
            made: made(caller, now, zone),
        }
    }

    fn sentence(&self) -> String {
        let os = self.os();
        let os = if os.is_empty() { "nobody knows which operating system".to_owned() } else { os };
        let until = self.support.as_ref().map_or_else(String::new, |(_, words)| format!(" ({words})"));
        let open = if self.held.sections.is_empty() { " It has told no inventory yet." } else { "" };
        format!("{} runs {os}{until}.{open}", self.host.profile.name)
    }

    fn said(&self, section: &str, field: &str) -> String {
        shown(field, &self.held.said(section, field), &self.web.zone)
    }

    /// The operating system's name.
    fn os(&self) -> String {
        let told = ["pretty_name", "name"].map(|field| self.said("os", field));
        let named = told.into_iter().find(|name| !name.is_empty());
        // What it says of itself now is nothing about a past date.
        named.or_else(|| self.at.is_none().then(|| self.host.profile.facts.os_release.clone())).unwrap_or_default()
    }

    /// What it is, where, and whose.
    fn facts(&self) -> Vec<(String, String)> {
        let (profile, zone) = (&self.host.profile, &self.web.zone);
        let by = |label: &str| profile.layers.source(label).map_or("default", |layer| layer.word());
        let sourced = |label: &str, value: &str| format!("{value} (said by: {})", by(label));
        let site = profile.site.as_deref().map_or_else(|| "none is named".to_owned(), |site| sourced("site", site));
        let heard = last_heard(self.web, self.host);
        let peer = self.host.peer.map_or_else(String::new, |peer| format!(" at {peer}"));
        let virtual_machine = [self.said("virtualization", "role"), self.said("virtualization", "hypervisor")];
        let mut facts: Vec<(&str, String)> = vec![
            ("Host", format!("{} ({})", profile.name, profile.id)),
            ("Class", sourced("class", profile.class.word())),
            ("Site", site),
            (
                "Heard last",
                format!("{}{peer}; it is {}", words::clock_time(heard, zone), words::state_words(self.host.state)),
            ),
            ("Maker", self.said("system", "manufacturer")),
            ("Model", format!("{} {}", self.said("system", "model"), self.said("system", "version")).trim().to_owned()),
            ("Serial number", self.said("system", "serial")),
            ("Hardware UUID", self.said("system", "uuid")),
            ("Asset tag", self.said("system", "asset_tag")),
            ("Chassis", self.said("system", "chassis")),
            ("Machine", virtual_machine.join(" ").trim().to_owned()),
            (
                "Cloud",
                format!("{} {}", self.said("virtualization", "cloud"), self.said("virtualization", "instance_id")),
            ),
            ("Operating system", self.os()),
            (
                "Support",
                self.support
                    .as_ref()
                    .map_or_else(|| "not known".into(), |(badge, words)| format!("{}: {words}", badge.word)),
            ),
            ("Kernel", format!("{} ({})", self.said("os", "kernel"), self.said("os", "architecture"))),
            ("Installed", self.said("os", "installed_at")),
            ("Started", self.said("os", "booted_at")),
        ];
        facts.retain(|(_, value)| !value.trim_matches([' ', '(', ')']).is_empty());
        let mut facts: Vec<(String, String)> =
            facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let labels = profile.labels.iter().map(|(name, value)| (name.clone(), sourced(name, value)));
        let labels: Vec<(String, String)> = labels.collect();
        facts.splice(3..3, labels);
        facts
    }

    fn changed(&self) -> Table {
        let (now, zone) = (self.web.now(), &self.web.zone);
        let rows =
            self.changes.rows.iter().map(|noted| change_row(Event::of(self.host, noted, event_of(now, zone)), false));
        let none = if self.changes.rows.is_empty() { "Nothing." } else { "" };
        Table {
            group: Some("What changed"),
            title: format!("In the {DAYS} days before"),
            columns: change_columns(false),
            rows: rows.collect(),
            note: format!("{none}{}", left_out(&self.changes)),
            ..Table::default()
        }
    }

    fn found(&self) -> Table {
        let zone = &self.web.zone;
        let row = |severity, what: &str, rule: &str, since: Timestamp, says: &str| {
            vec![
                Cell::text(what),
                Cell::text(rule),
                Cell::badge(Badge::severity(severity)),
                Cell::text(words::clock_time(since, zone)),
                Cell::text(says),
            ]
        };
        let findings = self.host.findings.iter();
        let findings = findings.map(|one| row(one.severity, &one.part, &one.rule, one.since, &one.evidence));
        let bad = self.host.checks.iter().filter_map(|check| Some((check.severity(&self.host.profile)?, check)));
        let checks = bad.map(|(severity, check)| row(severity, &check.check, "check", check.since, &check.output));
        let rows: Vec<_> = findings.chain(checks).collect();
        Table {
            group: Some("What is wrong with it"),
            title: "Open findings and checks".into(),
            columns: vec!["Part", "Rule", "How bad", "Since", "What was found"],
            note: if rows.is_empty() { "None.".into() } else { String::new() },
            rows,
            ..Table::default()
        }
    }

    /// Every section: those that lack something first.
    fn sources(&self) -> Table {
        let zone = &self.web.zone;
        let mut sections: Vec<_> = self.held.sections.iter().collect();
        sections.sort_by_key(|section| lacking(section.head.status, &section.head.reason).is_empty());
        let rows = sections.into_iter().map(|section| {
            vec![
                Cell::text(section.name.replace('_', " ")),
                Cell::badge(status(section.head.status)),
                Cell::text(words::count(usize::try_from(section.rows).unwrap_or(usize::MAX))),
                Cell::text(section.head.source.clone()),
                Cell::text(section.head.reason.clone()),
                Cell::text(words::clock_time(section.looked, zone)),
            ]
        });
        let refused = self.refused.iter().map(|one| {
            let badge = Badge { class: "warning", sign: "▲", word: "not taken".into() };
            let at = Cell::text(words::clock_time(one.at, zone));
            let (name, reason) = (Cell::text(one.section.clone()), Cell::text(one.reason.clone()));
            vec![name, Cell::badge(badge), Cell::default(), Cell::default(), reason, at]
        });
        Table {
            group: Some("Where it was read, and what could not be"),
            title: "Sections of the inventory".into(),
            columns: vec!["Section", "Status", "Rows", "Read from", "Why not all", "Last difference"],
            rows: rows.chain(refused).collect(),
            note: "A section is looked at each hour; where its last difference is older, it was the same each time."
                .into(),
            ..Table::default()
        }
    }

    fn provenance(&self) -> Vec<String> {
        let table = &self.web.context.config.os_table;
        let mut said = vec![
            "Everything about the machine was told by the agent on it, which reads it from the system and from firmware; \
             who says a label stands behind it. What the agent could not read is not known here, and is nowhere counted as \
             none."
                .to_owned(),
            format!(
                "Until when operating systems are supported is from a table of {}. Changes are expected where they were \
                 made in a declared maintenance window of the host, and unplanned elsewhere.",
                table.dated
            ),
        ];
        if self.at.is_some() {
            said.push(
                "Of a past date what has a history is told; class, site, labels, state and what sections lack are those of \
                 now, and findings are left out."
                    .to_owned(),
            );
        }
        said
    }

    fn commands(&self) -> String {
        let name = words::shell(&self.host.profile.name);
        let at = self.at.map_or_else(String::new, |at| format!(" --at {at}"));
        format!(
            "muster-collector inventory document --host {name}{at} --output host.html\n\
             muster-collector inventory export --format json --host {name}{at}"
        )
    }
}
