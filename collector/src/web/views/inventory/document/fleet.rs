//! The document of a site or of the fleet: every machine in a line, until when they are supported, what changed without a
//! plan, and who is not seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Extension,
    extract::{Query, State as Given},
    response::Response,
};
use serde::Deserialize;

use super::{Cell, DAYS, Document, Table, change_columns, change_row, changes, event_of, left_out, made};
use crate::{
    domain::{
        ids::HostNo,
        inventory::{first_of, unseen},
        labels::{Admission, Class},
        os_support::Tier,
        snapshot::HostView,
        time::Timestamp,
    },
    stock::System,
    store::inventory::{changes::Of, lacking::Lacks},
    web::{
        Shared, Web,
        access::Caller,
        api::hosts::last_heard,
        problem::Problem,
        views::{
            Badge, Shown,
            inventory::{Event, host::support_badge},
            service_level_report::{STYLE, dressed},
        },
        words,
    },
};

/// Machines in the table: some 60 pages. More of them nobody reads on paper, and a browser takes minutes to lay them out.
const MACHINES: usize = 2_000;
/// Rows of each other table.
const ROWS: usize = 200;
/// Hosts named behind something that could not be read.
const NAMED: usize = 5;

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    site: String,
}

/// The document for reading and printing.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Shown {
    Ok(answer(&web, &caller, &asked).await?)
}

/// The same for programs.
pub(in crate::web) async fn file(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    answer(&web, &caller, &asked).await
}

async fn answer(web: &Web, caller: &Caller, asked: &Asked) -> Result<Response, Problem> {
    let site = Some(asked.site.trim()).filter(|site| !site.is_empty());
    let fleet = Fleet::read(web, site).await?;
    if let (Some(site), true) = (site, fleet.machines.is_empty()) {
        let shown: String = site.chars().take(80).collect();
        return Err(Problem::not_found(&format!("machine with an agent at a site {shown:?}")));
    }
    // Some thousand rows are drawn in tens of milliseconds.
    Ok(dressed(fleet.document(caller).render_to_text()?))
}

/// A machine and what its inventory says of it.
struct Machine {
    host: Arc<HostView>,
    system: System,
    serial: String,
    /// Whether it has told any inventory.
    is_told: bool,
}

struct Fleet<'a> {
    web: &'a Web,
    site: Option<&'a str>,
    /// By site and name.
    machines: Vec<Machine>,
    /// Hosts without an agent, of which there is no inventory.
    devices: usize,
    lacks: Vec<Lacks>,
    changes: Vec<Vec<Cell>>,
    left_out: String,
}

impl<'a> Fleet<'a> {
    async fn read(web: &'a Web, site: Option<&'a str>) -> Result<Self, Problem> {
        let (snapshot, store, now) = (web.snapshot(), &web.context.store, web.now());
        let mut rows = store.inventory_of_all("system").await?;
        for (host, more) in store.inventory_of_all("os").await? {
            rows.entry(host).or_default().extend(more);
        }
        let is_here = |host: &&Arc<HostView>| {
            host.profile.admission == Admission::Active
                && site.is_none_or(|site| host.profile.site.as_deref() == Some(site))
        };
        let (machines, devices): (Vec<_>, Vec<_>) =
            snapshot.hosts.values().filter(is_here).cloned().partition(|host| host.profile.class != Class::Device);
        let machine = |host: Arc<HostView>| {
            let told = rows.get(&host.profile.no).map(Vec::as_slice).unwrap_or_default();
            let serial = told.iter().find_map(|row| first_of(row, &["serial"])).unwrap_or_default().to_owned();
            let system = System::of(told, &web.context.config.os_table, now);
            Machine { host, system, serial, is_told: !told.is_empty() }
        };
        let mut machines: Vec<Machine> = machines.into_iter().map(machine).collect();
        machines.sort_by(|a, b| {
            (&a.host.profile.site, &a.host.profile.name).cmp(&(&b.host.profile.site, &b.host.profile.name))
        });
        let hosts: BTreeSet<HostNo> = machines.iter().map(|machine| machine.host.profile.no).collect();
        let of = Of { hosts: site.map(|_| hosts.iter().copied().collect()), planned: Some(false), ..Of::default() };
        let page = changes(web, of, now).await?;
        let unplanned = page.rows.iter().filter(|noted| noted.judged && hosts.contains(&noted.id.host));
        let unplanned = unplanned.filter_map(|noted| {
            let host = snapshot.hosts.get(&noted.id.host)?;
            Some(change_row(Event::of(host, noted, event_of(now, &web.zone)), true))
        });
        let mut lacks = store.inventory_lacks().await?;
        lacks.iter_mut().for_each(|one| one.hosts.retain(|host| hosts.contains(host)));
        lacks.retain(|one| !one.hosts.is_empty());
        lacks.sort_by_key(|one| std::cmp::Reverse(one.hosts.len()));
        let (changes, left_out) = (unplanned.collect(), left_out(&page));
        Ok(Self { web, site, machines, devices: devices.len(), lacks, changes, left_out })
    }

    fn document(&self, caller: &Caller) -> Document {
        let (now, zone) = (self.web.now(), &self.web.zone);
        let name = self.site.map_or_else(|| "All machines".to_owned(), |site| format!("Site {site}"));
        let unseen: Vec<_> =
            self.machines.iter().filter_map(|machine| Some((machine, unseen::since(&machine.host, now)?))).collect();
        let untold = self.machines.iter().filter(|machine| !machine.is_told).count();
        let ended = self.tier(Tier::Ended);
        let count = words::count;
        let glance = [
            ("Machines with an agent", count(self.machines.len())),
            ("Of these told no inventory", count(untold)),
            ("Hosts without an agent, not in this document", count(self.devices)),
            ("Their operating system is not supported any more", count(ended)),
            ("By extended support only", count(self.tier(Tier::Extended))),
            ("How it is supported is not known", count(self.tier(Tier::Unknown))),
            (NOT_SEEN, count(unseen.len())),
            (
                "Unplanned changes in 30 days",
                if self.left_out.is_empty() {
                    count(self.changes.len())
                } else {
                    format!("{} or more", count(self.changes.len()))
                },
            ),
        ];
        let (class, sign, word) = match (ended, unseen.len()) {
            (0, 0) => ("good", "✓", "all supported or unknown, all seen"),
            (0, _) => ("warning", "▲", "some are not seen"),
            _ => ("critical", "✕", "some are not supported"),
        };
        Document {
            style: STYLE,
            kind: if self.site.is_some() { "Site" } else { "Fleet" },
            name: name.clone(),
            as_of: format!("as of {}", words::clock_time(now, zone)),
            verdict: Some(Badge { class, sign, word: word.into() }),
            sentence: format!(
                "{}, {ended} of them on an operating system that nobody mends any more, {} not seen for 30 days or longer.",
                words::counted(self.machines.len(), "machine", "machines"),
                unseen.len(),
            ),
            facts: vec![("Of".into(), name)],
            glance: glance.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            tables: vec![
                self.horizon(now),
                self.models(),
                self.changed(),
                self.not_seen(&unseen),
                self.lacking(),
                self.listed(now),
            ],
            provenance: self.provenance(),
            commands: self.commands(),
            made: made(caller, now, zone),
        }
    }

    /// Machines that are supported so; what no table can tell is unknown.
    fn tier(&self, tier: Tier) -> usize {
        let of =
            |machine: &&Machine| machine.system.support.as_ref().map_or(Tier::Unknown, |support| support.tier) == tier;
        self.machines.iter().filter(of).count()
    }

    /// Until when which operating systems are supported, what ends first in front.
    fn horizon(&self, now: Timestamp) -> Table {
        let mut groups: BTreeMap<(String, String), (Vec<&Machine>, &System)> = BTreeMap::new();
        for machine in &self.machines {
            let until = machine.system.support.as_ref().and_then(|support| support.last_day());
            let until = until.map_or_else(|| "~".to_owned(), |day| day.to_string());
            let what = machine.system.support.as_ref().map_or_else(String::new, |support| support.words(now));
            groups.entry((until, what)).or_insert_with(|| (Vec::new(), &machine.system)).0.push(machine);
        }
        let row = |((until, what), (machines, system)): (&(String, String), &(Vec<&Machine>, &System))| {
            let badge = system.support.as_ref().map(|support| support_badge(support, now));
            let name = if what.is_empty() { "it does not say what it runs" } else { what };
            vec![
                Cell::text(name),
                badge.map_or_else(Cell::default, Cell::badge),
                Cell::text(if until == "~" { "" } else { until.as_str() }),
                Cell::text(words::count(machines.len())),
            ]
        };
        Table {
            group: Some("What there is"),
            title: "Until when operating systems are supported".into(),
            columns: vec!["Operating system", "Now", "Until", "Machines"],
            note: more(groups.len(), ROWS),
            rows: groups.iter().take(ROWS).map(row).collect(),
            ..Table::default()
        }
    }

    fn models(&self) -> Table {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for Machine { system, .. } in &self.machines {
            *counts.entry((&system.vendor, &system.model)).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let rows = counts.iter().take(ROWS).map(|((vendor, model), count)| {
            let model = if model.is_empty() { "it does not say" } else { *model };
            vec![Cell::text(model), Cell::text(*vendor), Cell::text(words::count(*count))]
        });
        Table {
            title: "Models".into(),
            columns: vec!["Model", "Maker", "Machines"],
            rows: rows.collect(),
            note: more(counts.len(), ROWS),
            ..Table::default()
        }
    }

    fn changed(&self) -> Table {
        let none = if self.changes.is_empty() { "None." } else { "" };
        Table {
            group: Some("What needs a look"),
            title: format!("Unplanned changes in {DAYS} days"),
            columns: change_columns(true),
            rows: self.changes.iter().take(ROWS).map(|row| row.iter().map(Cell::again).collect()).collect(),
            note: format!("{none}{} {}", more(self.changes.len(), ROWS), self.left_out).trim().to_owned(),
            ..Table::default()
        }
    }

    fn not_seen(&self, unseen: &[(&Machine, Timestamp)]) -> Table {
        let row = |(machine, since): &(&Machine, Timestamp)| {
            let host = &machine.host;
            let found = host.findings.iter().find(|finding| finding.rule == unseen::RULE);
            vec![
                Cell::text(&host.profile.name),
                Cell::text(host.profile.class.word()),
                Cell::text(host.profile.site.clone().unwrap_or_default()),
                Cell::text(words::clock_time(*since, &self.web.zone)),
                Cell::text(found.map_or_else(String::new, |finding| finding.evidence.clone())),
            ]
        };
        let none = if unseen.is_empty() { "None." } else { "" };
        Table {
            title: NOT_SEEN.into(),
            columns: vec!["Machine", "Class", "Site", "Seen last", "What was known then"],
            rows: unseen.iter().take(ROWS).map(row).collect(),
            note: format!("{none}{}", more(unseen.len(), ROWS)),
            ..Table::default()
        }
    }

    fn lacking(&self) -> Table {
        let names: BTreeMap<HostNo, &str> =
            self.machines.iter().map(|machine| (machine.host.profile.no, machine.host.profile.name.as_str())).collect();
        let row = |one: &Lacks| {
            let named: Vec<&str> = one.hosts.iter().filter_map(|host| names.get(host).copied()).take(NAMED).collect();
            let rest = one.hosts.len().saturating_sub(NAMED);
            let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            vec![
                Cell::text(one.section.replace('_', " ")),
                Cell::badge(super::super::status(one.status)),
                Cell::text(&one.reason),
                Cell::text(words::count(one.hosts.len())),
                Cell::text(format!("{}{rest}", named.join(", "))),
            ]
        };
        let none = if self.lacks.is_empty() { "Nothing." } else { "" };
        Table {
            title: "What could not be read, and why".into(),
            columns: vec!["Section", "Status", "Why", "Machines", "Such as"],
            rows: self.lacks.iter().take(ROWS).map(row).collect(),
            note: format!("{none}{}", more(self.lacks.len(), ROWS)),
            ..Table::default()
        }
    }

    fn listed(&self, now: Timestamp) -> Table {
        let row = |machine: &Machine| {
            let (host, system) = (&machine.host, &machine.system);
            let label = |name: &str| host.profile.labels.get(name).cloned().unwrap_or_default();
            let os = if system.os.is_empty() { host.profile.facts.os_release.clone() } else { system.os.clone() };
            let badge = system.support.as_ref().map(|support| support_badge(support, now));
            vec![
                Cell::text(&host.profile.name).with_small(host.profile.class.word().into()),
                Cell::text(host.profile.site.clone().unwrap_or_default()),
                Cell::text(label("owner")).with_small(label("department")),
                Cell::text(format!("{} {}", system.vendor, system.model).trim()).with_small(machine.serial.clone()),
                Cell { badge, ..Cell::text(format!("{os} ")) },
                Cell::text(words::clock_time(last_heard(self.web, host), &self.web.zone)),
            ]
        };
        let left = self.machines.len().saturating_sub(MACHINES);
        let note = match (left, self.site) {
            (0, _) => String::new(),
            (left, Some(_)) => format!(
                "{} more are counted above and not listed: more than {MACHINES} lines nobody reads on paper. Each machine \
                 has a document of its own; all are in `muster-collector inventory export --format xlsx`.",
                words::count(left)
            ),
            (left, None) => format!(
                "{} more are counted above and not listed: more than {MACHINES} lines nobody reads on paper. A document of \
                 each site (--site) has its own; all are in `muster-collector inventory export --format xlsx`.",
                words::count(left)
            ),
        };
        Table {
            group: Some("Machines"),
            title: "By site and name".into(),
            columns: vec!["Machine", "Site", "Owner", "Model, serial number", "Operating system", "Heard last"],
            rows: self.machines.iter().take(MACHINES).map(row).collect(),
            note,
            ..Table::default()
        }
    }

    fn provenance(&self) -> Vec<String> {
        vec![
            "What is said of a machine was told by the agent on it. Machines that told nothing are counted apart, and what \
             could not be read is nowhere counted as none."
                .to_owned(),
            format!(
                "Until when operating systems are supported is from a table of {}. A change is unplanned where no declared \
                 maintenance window of the host lay over it.",
                self.web.context.config.os_table.dated
            ),
        ]
    }

    fn commands(&self) -> String {
        let site = self.site.map_or_else(String::new, |site| format!(" --site {}", words::shell(site)));
        format!(
            "muster-collector inventory document{site} --output machines.html\n\
             muster-collector inventory export --format xlsx --output machines.xlsx"
        )
    }
}

const NOT_SEEN: &str = "Not seen for 30 days or longer";

/// What is said of rows that are left out.
fn more(all: usize, shown: usize) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        more => format!("{} more are not listed here.", words::count(more)),
    }
}
