//! `device ...`: hosts without an agent.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CliError,
    arguments::pair,
    commands::{Desk, encode, object},
    print::{self, Column},
    sheet,
};

const IMPORTED: [Column; 3] = [("line", "line"), ("name", "name"), ("does", "does")];

const DEVICES: [Column; 9] = [
    ("name", "name"),
    ("state", "state"),
    ("since", "since"),
    ("why", "why"),
    ("address", "address"),
    ("check", "check"),
    ("site", "site"),
    ("parent", "parent"),
    ("from file", "file"),
];

/// `device ...`
#[derive(Debug, Subcommand)]
pub(super) enum DeviceTask {
    /// Add a device, or make the one with this name as asked
    #[command(after_help = "\
One or two agents ask it whether it is there, its watchers: those that are named, else two of its site. It is up when any
of them says so, down when all that can be heard say that it does not answer, unknown when none can be heard.
Hosts that are behind a device that dies belong to its incident: see --parent, and host parent.

Examples:
  muster-collector device add switch-1 --address 10.0.0.2 --site Berlin
  muster-collector device add printer-3 --address 10.0.0.40 --check tcp:9100 --parent switch-1 --watch relaxed
  muster-collector device add intranet --address intranet.example --check https://intranet.example/health")]
    Add(NewDevice),
    /// All devices
    List,
    /// One device, and what its watchers said last
    Show {
        /// Its name or id
        device: String,
    },
    /// Add or change all devices of a table
    #[command(after_help = "\
The first line names the columns: name and address, and any of check, site, watch, parent, watchers (separated by ;) and
labels (name=value; name=value). Everything wrong is told with its line and nothing is done then. At most 60 KB at a time.

Example:
  name,address,check,site,parent
  switch-1,10.0.0.2,,Berlin,
  printer-3,10.0.0.40,tcp:9100,Berlin,switch-1

  muster-collector device import devices.csv --dry-run")]
    Import {
        /// The table, comma-separated values
        file: std::path::PathBuf,
        /// Only say what it would do
        #[arg(long)]
        dry_run: bool,
    },
    /// It is gone for good; its records stay. One that stands in collector.toml is removed there
    Remove {
        /// Its name or id
        device: String,
    },
}

/// A device.
#[derive(Debug, Args)]
pub(super) struct NewDevice {
    /// A name that no other host has
    name: String,
    /// Its address, or a name that its watchers can look up
    #[arg(long)]
    address: String,
    /// How it is asked: icmp, tcp:PORT or a URL [default: icmp]
    #[arg(long)]
    check: Option<String>,
    /// Where it stands
    #[arg(long)]
    site: Option<String>,
    /// How closely it is watched
    #[arg(long, value_parser = ["fast", "normal", "relaxed", "none"])]
    watch: Option<String>,
    /// The device that it is behind
    #[arg(long, value_name = "DEVICE")]
    parent: Option<String>,
    /// A host whose agent watches it; may be repeated [default: two of its site]
    #[arg(long = "watcher", value_name = "HOST")]
    watchers: Vec<String>,
    /// A label, name=value; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
}

impl Desk {
    async fn set_device(&self, body: Value) -> Result<(), CliError> {
        let answer = self.client.post("/devices", body).await?;
        if self.json {
            return print::json(&answer);
        }
        print::line("done")?;
        let warnings = answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        warnings.for_each(print::warning);
        Ok(())
    }

    pub(super) async fn device(&self, task: DeviceTask) -> Result<(), CliError> {
        match task {
            DeviceTask::Add(new) => {
                let mut body = json!({ "name": new.name, "address": new.address, "labels": object(new.labels), "watchers": new.watchers });
                let given = [("check", new.check), ("site", new.site), ("watch", new.watch), ("parent", new.parent)];
                for (key, value) in given.into_iter().filter_map(|(key, value)| Some((key, value?))) {
                    body[key] = value.into();
                }
                self.set_device(body).await
            }
            DeviceTask::List => self.list("/devices", "", &DEVICES).await,
            DeviceTask::Show { device } => self.one(&format!("/devices/{}", encode(&device))).await,
            DeviceTask::Import { file, dry_run } => {
                let body = json!({ "csv": sheet::text(&file)?, "dry_run": dry_run });
                let answer = self.client.post("/devices/import", body).await?;
                if self.json { print::json(&answer) } else { print::table(&IMPORTED, &answer["rows"]) }
            }
            DeviceTask::Remove { device } => {
                self.done(Method::DELETE, &format!("/devices/{}", encode(&device)), None).await
            }
        }
    }
}
