//! The words about labels.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::pair;

/// `host label ...`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  muster-collector host label web-3 --site Berlin owner=ann
  muster-collector host label web-3 owner=             what people said of it is withdrawn; the asset list, a rule,
                                                       the token or the host itself is heard again
  muster-collector host label --where unsorted --where 'name=db-*' --set site=berlin --dry-run

What a person says wins over the asset list, that over [[host_rule]]s, those over the token, that over the host's own
[labels]. `host show HOST` tells who says what.")]
pub(in crate::cli) struct LabelHosts {
    /// Its name or id
    #[arg(required_unless_present_any = ["conditions", "all"], conflicts_with_all = ["conditions", "all"])]
    pub(in crate::cli) host: Option<String>,
    /// All hosts that fit: state=, site=, class=, label:NAME=, name= (with * and ?), search= or unsorted; may be repeated
    #[arg(long = "where", value_name = "CONDITION", conflicts_with = "all")]
    pub(in crate::cli) conditions: Vec<String>,
    /// Every host
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// server, workstation or device; empty withdraws
    #[arg(long)]
    pub(in crate::cli) class: Option<String>,
    /// Where it stands; empty withdraws
    #[arg(long)]
    pub(in crate::cli) site: Option<String>,
    /// fast, normal, relaxed or none; empty withdraws
    #[arg(long)]
    pub(in crate::cli) watch: Option<String>,
    /// Say this, name=value; an empty value withdraws; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = pair)]
    pub(in crate::cli) set: Vec<(String, String)>,
    /// The same, after the host's name
    #[arg(value_name = "NAME=VALUE", value_parser = pair)]
    pub(in crate::cli) labels: Vec<(String, String)>,
    /// Show what would change and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

/// `asset ...`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AssetTask {
    /// Import a list in the place of the one before
    #[command(after_help = "Example:
  muster-collector asset import assets.csv --dry-run

The first line names the columns: name (a host's name or id), site, class, watch, department, owner, environment, and
label:NAME for any other. Commas, semicolons or tabs, as Excel and LibreOffice save them (UTF-8). Hosts that are no
longer in the list lose what it said; rows of hosts that have not enrolled yet wait for them.")]
    Import {
        /// The list
        file: PathBuf,
        /// Show what would change and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// The rows of the list imported last, and which host each is about or that it waits
    #[command(after_help = "\
Example: to change a row of the list by hand,
  muster-collector asset list --format csv > assets.csv
  muster-collector asset import assets.csv --dry-run

`waits`: no host is called so yet; what the row says is heard once it enrols.")]
    List {
        /// text for people; csv as `asset import` takes it again; json
        #[arg(long, value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
    },
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum ListFormat {
    /// A table for people.
    Text,
    /// What `asset import` takes.
    Csv,
    /// What the API answers.
    Json,
}
