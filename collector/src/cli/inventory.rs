//! `inventory ...`: what hosts consist of, which have something, what changed, and why.

mod export;
mod glpi;
mod neighbours;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CliError,
    commands::{Desk, encode, query},
    print::{self, Column},
};
use crate::workbook;

const HITS: [Column; 6] =
    [("host", "host"), ("key", "key"), ("version", "version"), ("fields", "said"), ("from", "from"), ("to", "to")];
const CHANGES: [Column; 7] = [
    ("id", "id"),
    ("at", "at"),
    ("host", "host"),
    ("kind", "kind"),
    ("change", "change"),
    ("what", "title"),
    ("reason", "said"),
];

/// `inventory ...`
#[derive(Debug, Subcommand)]
pub(super) enum InventoryTask {
    /// Everything that hosts consist of, as JSON, as a table (CSV) or as a workbook; or the hosts alone, for Ansible
    #[command(after_help = "\
Examples:
  muster-collector inventory export --format json --host web-3 > web-3.json
  muster-collector inventory export --format csv --section packages > packages.csv
  muster-collector inventory export --format csv --host web-3 --at 2026-10-31    as it was then
  muster-collector inventory export --format xlsx --output fleet.xlsx            a sheet for each section
  muster-collector inventory export --format ansible > hosts.yml                 in groups by class, site and labels
  muster-collector inventory export --format glpi --output glpi/                 a file for each machine, for GLPI's injector

A cell of the table that a spreadsheet would take for a formula begins with an apostrophe; in a workbook it is a text, and for
Ansible all that hosts say is marked !unsafe.")]
    Export {
        /// json: one object with all hosts; csv: one line for each row; xlsx: a sheet for each section; ansible: hosts.yml;
        /// glpi: GLPI's inventory format, a line for each machine
        #[arg(long, value_parser = ["json", "csv", "xlsx", "ansible", "glpi"])]
        format: String,
        /// Into this file instead of to standard output; for glpi a directory, with a file for each machine
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Only this host, by name or id
        #[arg(long)]
        host: Option<String>,
        /// Only this section, such as packages
        #[arg(long)]
        section: Option<String>,
        /// As it was on a day or at an instant (RFC 3339)
        #[arg(long, value_name = "DATE")]
        at: Option<String>,
    },
    /// A document for reading and printing, which needs nothing else: of a host, of a site, or of all machines
    #[command(after_help = "\
Examples:
  muster-collector inventory document --host web-3 --output web-3.html
  muster-collector inventory document --host web-3 --at 2026-10-31 --output web-3.html    as it was then
  muster-collector inventory document --site Ulm --output ulm.html
  muster-collector inventory document > machines.html

It says what there is, until when it is supported, who may do what, what changed in 30 days and whether that was planned, and
what could not be read. A browser prints it on A4.")]
    Document {
        /// Of this host, by name or id
        #[arg(long, conflicts_with = "site")]
        host: Option<String>,
        /// Of the machines at this site
        #[arg(long)]
        site: Option<String>,
        /// As the host was on a day or at an instant (RFC 3339)
        #[arg(long, value_name = "DATE", requires = "host")]
        at: Option<String>,
        /// How it is written
        #[arg(long, default_value = "html", value_parser = ["html"])]
        format: String,
        /// Into this file instead of to standard output
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Which hosts have something, or had it
    #[command(after_help = "\
Examples:
  muster-collector inventory search --name openssl --version '3.0.*'
  muster-collector inventory search --name openssl --version '3.0.*' --from 2026-09-01 --to 2026-09-30
  muster-collector inventory search --section disks --field 'model=X*'")]
    Search(SearchFor),
    /// What changed, newest first
    #[command(after_help = "Example:\n  muster-collector inventory changes --kind unplanned --from 2026-11-01")]
    Changes(ChangesOf),
    /// What agents have met on their networks that is neither a host nor a device
    #[command(after_help = "\
Examples:
  muster-collector inventory neighbours
  muster-collector inventory neighbours --foreign       those that somebody said to be somebody else's")]
    Neighbours {
        /// Those that are somebody else's
        #[arg(long)]
        foreign: bool,
    },
    /// Say that something which agents have met is somebody else's; the audit log has who said so
    #[command(
        after_help = "Example:\n  muster-collector inventory foreign 00:1b:21:00:00:07 'the printer of the tenants'"
    )]
    Foreign {
        /// The address of its hardware
        mac: String,
        /// Why, in at most 200 characters
        reason: String,
        /// It is ours after all
        #[arg(long)]
        ours: bool,
    },
    /// Say why something was changed
    #[command(after_help = "Example:\n  muster-collector inventory explain 1795000000000-7-1 'CHG42, by hand'")]
    Explain {
        /// The change's id, as `inventory changes` lists it
        id: String,
        /// Why, in at most 200 characters
        reason: String,
    },
}

/// What is searched for.
#[derive(Debug, Args)]
pub(super) struct SearchFor {
    /// In which section
    #[arg(long, default_value = "packages")]
    section: String,
    /// Its name; * stands for anything
    #[arg(long)]
    name: Option<String>,
    /// Its version; * stands for anything
    #[arg(long)]
    version: Option<String>,
    /// Another field, NAME=VALUE; * stands for anything
    #[arg(long, value_name = "NAME=VALUE")]
    field: Option<String>,
    /// Had at some time from this day or instant on
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Had at some time until this day or instant
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
}

/// Which changes.
#[derive(Debug, Args)]
pub(super) struct ChangesOf {
    /// Only of this host
    #[arg(long)]
    host: Option<String>,
    /// Only at this site
    #[arg(long)]
    site: Option<String>,
    /// Only of this class, such as user_gained_sudo
    #[arg(long)]
    class: Option<String>,
    /// Only of this section, such as packages
    #[arg(long)]
    section: Option<String>,
    /// expected: made in a maintenance window of the host; unplanned: all others
    #[arg(long, value_parser = ["expected", "unplanned"])]
    kind: Option<String>,
    /// Only those with a reason, or without one
    #[arg(long, value_parser = ["yes", "no"])]
    explained: Option<String>,
    /// Seen on this day or at this instant or later
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Seen until this day or instant
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
}

impl Desk {
    pub(super) async fn inventory(&self, task: InventoryTask) -> Result<(), CliError> {
        match task {
            InventoryTask::Export { format, output, host, section, at } => {
                if format == "xlsx" && output.is_none() {
                    let why = "a workbook is no text: say where it goes with --output FILE.xlsx";
                    return Err(CliError::Usage(why.into()));
                }
                if format == "ansible" && (section.is_some() || at.is_some()) {
                    let why = "for Ansible hosts are listed as they are now: leave --section and --at out";
                    return Err(CliError::Usage(why.into()));
                }
                if format == "glpi" {
                    if section.is_some() {
                        let why = "for GLPI a machine is told as a whole: leave --section out";
                        return Err(CliError::Usage(why.into()));
                    }
                    return self.for_glpi(output.as_deref(), host, at).await;
                }
                let bytes = self.export(&format, host, section, at).await?;
                match output {
                    None => print::text(&String::from_utf8_lossy(&bytes)),
                    Some(file) => print::file(&file, &bytes),
                }
            }
            InventoryTask::Document { host, site, at, format: _, output } => {
                let asked = query(&[("site", site), ("at", at)]);
                let of = host.map_or_else(|| "/inventory".to_owned(), |host| format!("/hosts/{}", encode(&host)));
                let path = format!("{of}/document?{}", asked.trim_start_matches('&'));
                let text = self.client.text(&path).await?;
                match output {
                    None => print::text(&text),
                    Some(file) => print::file(&file, text.as_bytes()),
                }
            }
            InventoryTask::Search(search) => self.search(search).await,
            InventoryTask::Changes(of) => {
                let asked = query(&[
                    ("host", of.host),
                    ("site", of.site),
                    ("class", of.class),
                    ("section", of.section),
                    ("kind", of.kind),
                    ("explained", of.explained),
                    ("from", of.from),
                    ("to", of.to),
                ]);
                let items = self.client.all("/inventory/changes", &asked).await?;
                if self.json { print::json(&items) } else { print::table(&CHANGES, &each(items, with_reason)) }
            }
            InventoryTask::Neighbours { foreign } => self.neighbours(foreign).await,
            InventoryTask::Foreign { mac, reason, ours } => self.mark(&mac, reason, ours).await,
            InventoryTask::Explain { id, reason } => {
                let path = format!("/inventory/changes/{}/reason", encode(&id));
                self.done(Method::POST, &path, Some(json!({ "reason": reason }))).await
            }
        }
    }

    async fn search(&self, search: SearchFor) -> Result<(), CliError> {
        let asked = query(&[
            ("section", Some(search.section)),
            ("name", search.name),
            ("version", search.version),
            ("field", search.field),
            ("from", search.from),
            ("to", search.to),
        ]);
        let items = self.client.all("/inventory/search", &asked).await?;
        if self.json { print::json(&items) } else { print::table(&HITS, &each(items, with_fields)) }
    }

    async fn export(
        &self,
        format: &str,
        host: Option<String>,
        section: Option<String>,
        at: Option<String>,
    ) -> Result<Vec<u8>, CliError> {
        if format == "ansible" {
            let hosts = match host {
                Some(host) => vec![self.client.get(&format!("/hosts/{}", encode(&host))).await?],
                None => self.client.all("/hosts", "").await?.as_array().cloned().unwrap_or_default(),
            };
            return Ok(export::ansible(&hosts).into_bytes());
        }
        let mut documents = Vec::new();
        for host in self.hosts(host).await? {
            let mut document = self.inventory_of(&host, at.as_deref()).await?;
            if let (Some(wanted), Some(sections)) = (&section, document["sections"].as_object_mut()) {
                sections.retain(|name, _| name == wanted);
            }
            documents.push(document);
        }
        Ok(match format {
            "csv" => export::csv(&documents).into_bytes(),
            "xlsx" => workbook::xlsx(&export::book(&documents)).map_err(CliError::Failed)?,
            _ => format!("{:#}\n", json!({ "schema": 1, "hosts": documents })).into_bytes(),
        })
    }
}

impl Desk {
    /// This host, or the ids of all.
    async fn hosts(&self, host: Option<String>) -> Result<Vec<String>, CliError> {
        if let Some(host) = host {
            return Ok(vec![host]);
        }
        let all = self.client.all("/hosts", "").await?;
        let ids = all.as_array().into_iter().flatten();
        Ok(ids.filter_map(|host| host["id"].as_str().map(str::to_owned)).collect())
    }

    async fn inventory_of(&self, host: &str, at: Option<&str>) -> Result<Value, CliError> {
        let at = at.map_or_else(String::new, |at| format!("?at={}", encode(at)));
        self.client.get(&format!("/hosts/{}/inventory{at}", encode(host))).await
    }

    /// Machine by machine: a fleet's need not be held at once.
    async fn for_glpi(&self, into: Option<&Path>, host: Option<String>, at: Option<String>) -> Result<(), CliError> {
        let mut places = glpi::Places::new(into, host.is_some())?;
        for host in self.hosts(host).await? {
            places.put(&self.inventory_of(&host, at.as_deref()).await?)?;
        }
        places.end()
    }
}

fn each(items: Value, shown: fn(&Value) -> Value) -> Value {
    items.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(shown).collect()
}

fn with_reason(change: &Value) -> Value {
    let mut row = change.clone();
    if let (Some(text), Some(by)) = (change["reason"]["text"].as_str(), change["reason"]["by"].as_str()) {
        row["said"] = format!("{text} ({by})").into();
    }
    row
}

fn with_fields(hit: &Value) -> Value {
    let mut row = hit.clone();
    row["version"] = hit["fields"]["version"].clone();
    let others = hit["fields"].as_object().into_iter().flatten();
    let said = others
        .filter(|(name, _)| !matches!(name.as_str(), "name" | "version"))
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()));
    row["said"] = said.collect::<Vec<_>>().join(" ").into();
    row
}
