//! The words of the command line.

mod holds;
mod incidents;
mod labels;
mod oncall;

use std::path::PathBuf;

pub(super) use self::{
    holds::{Covered, MaintenanceTask, NewWindow, SilenceTask},
    incidents::{IncidentTask, NotAProblem, Said},
    labels::{AssetTask, LabelHosts, ListFormat},
    oncall::{AbsenceTask, FiguresOf, OnCallTask, RouteTask, Tried},
};
use clap::{Args, Parser, Subcommand};

use super::{
    backup::{NewBackup, Restore},
    devices::DeviceTask,
    hardware::HardwareTask,
    heartbeats::HeartbeatTask,
    inventory::InventoryTask,
    settings::SettingsTask,
    sla::SlaTask,
};

/// Decides what the reports of a fleet mean: who is up, what is failing, who has to be woken.
#[derive(Debug, Parser)]
#[command(
    name = "muster-collector",
    version,
    after_help = "\
Examples:
  muster-collector serve --config /etc/muster/collector.toml
  muster-collector token create --kind single          a token that lets one machine join
  muster-collector host list --only down
  muster-collector person add ann --role operator < password.txt
  muster-collector --url https://muster.example:7461 --token-file token --ca root.der incident list
  muster-collector hardware judge sda.json             what a captured output of smartctl says of the drive
  muster-collector backup /srv/muster-2026-11-21.tar.gz.age --passphrase-file /root/muster-backup

Commands other than serve, check-config, openapi, hardware, restore, completions and man ask the running collector over the unix socket in its state
directory (root, its owner and group muster may), or over --url with an API token."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) place: Place,
    /// Print JSON instead of tables
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) task: Task,
}

/// Where the collector is.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// Configuration file [default: /etc/muster/collector.toml where it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// State directory; its unix socket leads to the collector
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
    /// Ask a collector elsewhere, such as https://muster.example:7461
    #[arg(long, global = true, value_name = "URL", conflicts_with = "state", requires = "token_file")]
    pub(super) url: Option<String>,
    /// File with the API token for --url
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Certificates (PEM or DER) to trust for --url instead of the system's; for a collector that uses its own
    /// authority: a copy of STATE/authority/root.der from its machine
    #[arg(long, global = true, value_name = "FILE", requires = "url")]
    pub(super) ca: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Run the collector
    Serve,
    /// Check the configuration, name every mistake, and end
    #[command(after_help = "\
Devices are compared with the hosts and devices that are known in the state directory, if there is one: names that are
taken, parents and watchers that are not there, circles. A collector that starts leaves only that out and says so. Directories
of reports have to be there and writable for whoever checks; a collector that starts goes on without and tries again later.")]
    CheckConfig {
        /// Look at the file alone, whatever is known of the fleet
        #[arg(long)]
        file_only: bool,
    },
    /// Join tokens: what lets a machine enrol
    #[command(subcommand)]
    Token(TokenTask),
    /// API tokens: what lets a program in
    #[command(subcommand)]
    ApiToken(ApiTokenTask),
    /// People with local accounts
    #[command(subcommand)]
    Person(PersonTask),
    /// Hosts
    #[command(subcommand)]
    Host(HostTask),
    /// The list of assets: sites, owners and labels from a spreadsheet
    #[command(subcommand)]
    Asset(AssetTask),
    /// Hosts without an agent: switches, printers, web services
    #[command(subcommand)]
    Device(DeviceTask),
    /// Incidents
    #[command(subcommand)]
    Incident(IncidentTask),
    /// Maintenance windows: planned work pages nobody
    #[command(subcommand)]
    Maintenance(MaintenanceTask),
    /// Silences: nobody wants to be told for now
    #[command(subcommand)]
    Silence(SilenceTask),
    /// What is judged, and by which limits
    #[command(subcommand)]
    Rules(RulesTask),
    /// What agents are told: how often to report, and checks to run
    #[command(subcommand)]
    Settings(SettingsTask),
    /// Who is on call
    #[command(subcommand)]
    OnCall(OnCallTask),
    /// Other people's jobs that say when they have run
    #[command(subcommand)]
    Heartbeat(HeartbeatTask),
    /// Who is told
    #[command(subcommand)]
    Route(RouteTask),
    /// Service levels: what was promised of uptime, and kept
    #[command(subcommand)]
    Sla(SlaTask),
    /// The inventory: what hosts consist of, and what changed
    #[command(subcommand)]
    Inventory(InventoryTask),
    /// Hardware: what is judged of it, from captured output of tools
    #[command(subcommand)]
    Hardware(HardwareTask),
    /// How the collector and the fleet do
    Status,
    /// What each kind of record takes on disk, and how long it is kept
    Store,
    /// Who did what, from where, newest first; nothing in it is ever changed
    #[command(after_help = "Examples:\n  muster-collector audit --who ana\n  \
        muster-collector audit --subject '#1042'\n  muster-collector audit --action incident.not_a_problem --last 1000")]
    Audit {
        /// Only of this person or program
        #[arg(long)]
        who: Option<String>,
        /// Only this, such as incident.acknowledge
        #[arg(long)]
        action: Option<String>,
        /// Only about this, such as '#1042'
        #[arg(long)]
        subject: Option<String>,
        /// So many lines, at most 1000 [default: 100]
        #[arg(long, value_name = "N")]
        last: Option<u32>,
    },
    /// Copy everything into one sealed file while the collector runs
    #[command(
        after_help = "Example:\n  muster-collector backup /srv/muster.tar.gz.age --passphrase-file /root/muster-backup\n\n\
        Records, authority, keys, and the configuration with the files that it names. Without --passphrase-file the one of\n\
        [backup] in the configuration is used. The file is an age file of a gzip of a tar: age --decrypt opens it too."
    )]
    Backup(NewBackup),
    /// Put a backup in the place of a state directory that is empty or not there
    #[command(
        after_help = "Example:\n  muster-collector restore /srv/muster.tar.gz.age --passphrase-file /root/muster-backup\n\n\
        --state and --config say where to, otherwise it goes where it was. What is there of the configuration already is\n\
        left alone. Nothing is changed before the whole file was read and its seal fits."
    )]
    Restore(Restore),
    /// Print what a shell needs to complete these commands
    #[command(
        after_help = "Example:\n  muster-collector completions bash > /usr/share/bash-completion/completions/muster-collector"
    )]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual's page, or write one for each command
    #[command(after_help = "Examples:\n  muster-collector man | man -l -\n  muster-collector man /usr/share/man/man8")]
    Man {
        /// A directory for all of them
        directory: Option<PathBuf>,
    },
    /// Print the API's description (OpenAPI 3.1)
    Openapi,
}

/// `token ...`
#[derive(Debug, Subcommand)]
pub(super) enum TokenTask {
    /// Make a token; its text is shown once
    #[command(after_help = "Examples:\n  muster-collector token create --kind single\n  \
        muster-collector token create --kind batch --uses 40 --ttl 2d --site Berlin --label owner=web\n  \
        muster-collector token create --kind batch --uses 500 --ttl 90d --from 10.20.0.0/16 --from 10.21.0.0/16\n  \
        muster-collector token create --kind image --uses 200 --from 10.30.0.0/16\n  \
        muster-collector token create --kind replace --host web-3")]
    Create {
        /// single: one machine; batch: many; image: lies in an image, and each machine waits to be let in; replace: a known host
        /// installed anew
        #[arg(long, value_parser = ["single", "batch", "image", "replace"])]
        kind: String,
        /// How long it works: 30m, 12h, 7d; a batch token with --from up to 90d
        #[arg(long, value_parser = seconds)]
        ttl: Option<i64>,
        /// Only for machines with an address in this range, such as 10.20.0.0/16; may be repeated
        #[arg(long, value_name = "RANGE")]
        from: Vec<String>,
        /// How many machines may use it (batch and image: at most 500)
        #[arg(long)]
        uses: Option<u32>,
        /// Give this label, name=value; may be repeated
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
        labels: Vec<(String, String)>,
        /// The host that is installed anew (replace)
        #[arg(long)]
        host: Option<String>,
        /// Give this class
        #[arg(long, value_parser = ["server", "workstation", "device"])]
        class: Option<String>,
        /// Give this site
        #[arg(long)]
        site: Option<String>,
        /// Give this watch level
        #[arg(long, value_parser = ["fast", "normal", "relaxed", "none"])]
        watch: Option<String>,
    },
    /// Tokens that still work
    List,
    /// How the roll-out goes: tokens that still work, machines that wait to be let in or were never heard, who was refused and why
    Progress,
    /// End a token at once
    Revoke {
        /// Its id
        id: String,
    },
}

/// `api-token ...`
#[derive(Debug, Subcommand)]
pub(super) enum ApiTokenTask {
    /// Make an API token; its text is shown once
    #[command(
        after_help = "Example:\n  muster-collector api-token create --role scrape --ttl 365d --note Prometheus > token"
    )]
    Create {
        /// What it may do
        #[arg(long, value_parser = ["alert", "scrape", "viewer", "operator", "admin"])]
        role: String,
        /// How long it works: 12h, 90d [default: 90d]
        #[arg(long, value_parser = seconds)]
        ttl: Option<i64>,
        /// What it is for
        #[arg(long, default_value = "")]
        note: String,
    },
    /// API tokens that still work
    List,
    /// End an API token at once
    Revoke {
        /// Its id
        id: String,
    },
}

/// `person ...`
#[derive(Debug, Subcommand)]
pub(super) enum PersonTask {
    /// Add a person, or replace their role and password (from standard input or a file)
    Add {
        /// Their name
        name: String,
        /// What they may do
        #[arg(long, value_parser = ["viewer", "operator", "admin"])]
        role: String,
        /// Read the password from this file instead of standard input
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// All people
    List,
    /// Let a person in no more and end their sessions
    Disable {
        /// Their name
        name: String,
    },
    /// Make a link that signs in once within 15 minutes
    Link {
        /// As whom; without a name as an admin
        name: Option<String>,
    },
}

/// `host ...`
#[derive(Debug, Subcommand)]
pub(super) enum HostTask {
    /// All hosts, or those that fit
    List {
        /// Only in this state, such as down
        #[arg(long)]
        only: Option<String>,
        /// Only at this site
        #[arg(long)]
        site: Option<String>,
        /// Only with this in the name
        #[arg(long)]
        search: Option<String>,
        /// Only those without a site
        #[arg(long)]
        unsorted: bool,
        /// Only with this label, name=value
        #[arg(long)]
        label: Option<String>,
        /// Only with an agent of this version, with * and ?
        #[arg(long, value_name = "VERSION")]
        agent: Option<String>,
    },
    /// One host
    Show {
        /// Its name or id
        host: String,
    },
    /// Say class, site, watch level or labels, of one host or of all that fit
    Label(LabelHosts),
    /// Say which device it is behind: when that dies, the host's silence belongs to its incident
    #[command(after_help = "Example:\n  muster-collector host parent web-3 switch-1")]
    Parent {
        /// Its name or id
        host: String,
        /// The device; without one the host is behind none
        device: Option<String>,
    },
    /// Void its certificates; its stream closes within a second
    Revoke {
        /// Its name or id
        host: String,
    },
    /// It is gone for good; its records stay
    Retire {
        /// Its name or id
        host: String,
    },
    /// Do not hear it for now
    Suspend {
        /// Its name or id
        host: String,
    },
    /// Hear it again
    Activate {
        /// Its name or id
        host: String,
    },
}

/// `rules ...`
#[derive(Debug, Subcommand)]
pub(super) enum RulesTask {
    /// All rules
    List,
    /// By which limits a host is judged, and where each comes from
    #[command(after_help = "Example:\n  muster-collector rules explain web-3 --rule filesystem_space")]
    Explain {
        /// Its name or id
        host: String,
        /// Only this rule
        #[arg(long)]
        rule: Option<String>,
    },
    /// Other limits for some hosts, made here instead of in the configuration
    #[command(subcommand)]
    Override(OverrideTask),
}

/// `rules override ...`
#[derive(Debug, Subcommand)]
pub(super) enum OverrideTask {
    /// Add an override, or change the one with this name
    #[command(after_help = "Example:\n  muster-collector rules override add backup --rule filesystem_space \\\n      \
        --host 'db-*' --part /backup --set warning='3 %' --set critical='1 %'")]
    Add(NewOverride),
    /// Overrides made here
    List,
    /// End an override
    Remove {
        /// Its name
        name: String,
    },
}

/// An override.
#[derive(Debug, Args)]
pub(super) struct NewOverride {
    /// A name for it
    pub(super) name: String,
    /// The rule
    #[arg(long)]
    pub(super) rule: String,
    /// Only hosts with this name; * and ? stand for other characters
    #[arg(long)]
    pub(super) host: Option<String>,
    /// Only hosts with this label, name=value
    #[arg(long)]
    pub(super) label: Option<String>,
    /// Only hosts at this site
    #[arg(long)]
    pub(super) site: Option<String>,
    /// Only hosts of this class
    #[arg(long)]
    pub(super) class: Option<String>,
    /// Only this mount point, unit or certificate; * and ? stand for other characters
    #[arg(long)]
    pub(super) part: Option<String>,
    /// The worst its findings may be
    #[arg(long, value_parser = ["info", "warning", "critical"])]
    pub(super) severity: Option<String>,
    /// Do not judge by it at all
    #[arg(long)]
    pub(super) off: bool,
    /// A limit, such as warning='3 %'; may be repeated
    #[arg(long = "set", value_name = "LIMIT=AMOUNT", value_parser = pair)]
    pub(super) limits: Vec<(String, String)>,
}

pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((parts.0.to_owned(), parts.1.to_owned()))
}

pub(super) fn seconds(text: &str) -> Result<i64, String> {
    let expected = || "expected a number with s, m, h or d, such as 12h".to_owned();
    let split = text.len() - text.chars().next_back().map_or(0, char::len_utf8);
    let (number, unit) = text.split_at(split);
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(expected()),
    };
    number.parse::<i64>().ok().filter(|n| *n > 0).and_then(|n| n.checked_mul(unit_s)).ok_or_else(expected)
}
