//! `inventory ...`: what hosts consist of, which have something, what changed, and why.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CliError,
    commands::{Desk, encode, query},
    print::{self, Column},
};
use crate::domain::csv::safe_cell;

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
/// Columns of a table before the fields of its rows.
const FIXED: [&str; 3] = ["host", "section", "collected_at"];

/// `inventory ...`
#[derive(Debug, Subcommand)]
pub(super) enum InventoryTask {
    /// Everything that hosts consist of, as JSON or as a table (CSV)
    #[command(after_help = "\
Examples:
  muster-collector inventory export --format json --host web-3 > web-3.json
  muster-collector inventory export --format csv --section packages > packages.csv
  muster-collector inventory export --format csv --host web-3 --at 2026-10-31    as it was then

A cell of the table that a spreadsheet would take for a formula begins with an apostrophe.")]
    Export {
        /// json: one object with all hosts; csv: one line for each row
        #[arg(long, value_parser = ["json", "csv"])]
        format: String,
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
            InventoryTask::Export { format, host, section, at } => self.export(&format, host, section, at).await,
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
    ) -> Result<(), CliError> {
        let hosts = match host {
            Some(host) => vec![host],
            None => {
                let all = self.client.all("/hosts", "").await?;
                let ids = all.as_array().into_iter().flatten();
                ids.filter_map(|host| host["id"].as_str().map(str::to_owned)).collect()
            }
        };
        let at = at.map_or_else(String::new, |at| format!("?at={}", encode(&at)));
        let mut documents = Vec::new();
        for host in hosts {
            let mut document = self.client.get(&format!("/hosts/{}/inventory{at}", encode(&host))).await?;
            if let (Some(wanted), Some(sections)) = (&section, document["sections"].as_object_mut()) {
                sections.retain(|name, _| name == wanted);
            }
            documents.push(document);
        }
        match format {
            "csv" => print::text(&table(&documents)),
            _ => print::json(&json!({ "schema": 1, "hosts": documents })),
        }
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

/// All rows of all hosts, with a column for each field that any of them has.
fn table(documents: &[Value]) -> String {
    let rows = || {
        documents.iter().flat_map(|document| {
            let sections = document["sections"].as_object().into_iter().flatten();
            sections.flat_map(move |(name, section)| {
                let rows = section["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
                rows.iter().map(move |row| (&document["host"], name, &section["collected_at"], row))
            })
        })
    };
    let names: BTreeSet<&String> =
        rows().filter_map(|(_, _, _, row)| row.as_object()).flat_map(serde_json::Map::keys).collect();
    let cell = |value: &Value| safe_cell(value.as_str().unwrap_or_default());
    let mut text = FIXED.join(",");
    for name in &names {
        text.push(',');
        text.push_str(&safe_cell(name));
    }
    text.push('\n');
    for (host, section, collected, row) in rows() {
        let fixed = [cell(host), safe_cell(section), cell(collected)];
        let fields = names.iter().map(|name| cell(&row[name.as_str()]));
        text.push_str(&fixed.into_iter().chain(fields).collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_row_and_no_formula() {
        let document = |host: &str, name: &str| {
            json!({ "host": host, "sections": {
                "packages": { "collected_at": "2026-11-30T12:00:00Z", "rows": [{ "name": name, "version": "1, 2" }] },
                "users": { "collected_at": "2026-11-30T12:00:00Z", "rows": [{ "name": "ann", "uid": "1000" }] } } })
        };
        let text = table(&[document("web-1", "=cmd()"), document("web-2", "@x\n\"y\"")]);
        let expected = "host,section,collected_at,name,uid,version\n\
            web-1,packages,2026-11-30T12:00:00Z,'=cmd(),,\"1, 2\"\n\
            web-1,users,2026-11-30T12:00:00Z,ann,1000,\n\
            web-2,packages,2026-11-30T12:00:00Z,\"'@x\n\"\"y\"\"\",,\"1, 2\"\n\
            web-2,users,2026-11-30T12:00:00Z,ann,1000,\n";
        assert_eq!(text, expected);
    }
}
