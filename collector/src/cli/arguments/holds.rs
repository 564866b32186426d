//! `maintenance ...` and `silence ...`.

use clap::{Args, Subcommand};

use super::{pair, seconds};

/// `maintenance ...`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum MaintenanceTask {
    /// Plan work, or begin it now: what it covers pages nobody meanwhile
    #[command(after_help = "\
What is wrong stays visible meanwhile, and pages when the window ends with it still there. --dry-run says which hosts are
covered, when, and who is on call then. Times are those of this machine's zone unless they carry another.

Examples:
  muster-collector maintenance add --now --for 2h --host web-1 --change CHG123 --reason 'new disks'
  muster-collector maintenance add --from '2026-12-05 22:00' --until '2026-12-06 02:00' --site Berlin --reason 'power'
  muster-collector maintenance add --every sun --at 02:00-04:00 --zone Europe/Berlin --label role=backup --reason backups
  muster-collector maintenance add --from 20:00 --until 23:00 --flexible 30m --host db-1 --reason 'failover some time'")]
    Add(Box<NewWindow>),
    /// Windows that are to come, last, or ended within 40 days
    List,
    /// End one now, or call it off
    Cancel {
        /// Its number
        number: i64,
    },
}

/// `silence ...`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SilenceTask {
    /// Page nobody for some incidents for a time
    #[command(after_help = "\
Examples:
  muster-collector silence add --for 4h --host 'test-*' --reason 'load test'
  muster-collector silence add --for 7d --host db-1 --what 'finding/filesystem_space:/var' --reason 'disk is ordered'")]
    Add(Box<NewSilence>),
    /// Silences that last or ended within 40 days
    List,
    /// End one now
    Expire {
        /// Its number
        number: i64,
    },
}

/// What is covered, and why.
#[derive(Debug, Args)]
pub(in crate::cli) struct Covered {
    /// Hosts of this name, with * and ?; may be repeated
    #[arg(long = "host", value_name = "NAME")]
    pub(in crate::cli) hosts: Vec<String>,
    /// Hosts of this site; may be repeated
    #[arg(long = "site", value_name = "SITE")]
    pub(in crate::cli) sites: Vec<String>,
    /// Hosts of this class
    #[arg(long, value_parser = ["server", "workstation", "device"])]
    pub(in crate::cli) class: Option<String>,
    /// Hosts with this label, name=value with * and ?; may be repeated
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    pub(in crate::cli) labels: Vec<(String, String)>,
    /// Only this about them, with * and ?: liveness/host, check/NAME, finding/RULE:PART
    #[arg(long)]
    pub(in crate::cli) what: Option<String>,
    /// Everything, the collector's own troubles too
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Why
    #[arg(long)]
    pub(in crate::cli) reason: String,
    /// Begin at this time [default: now]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) from: Option<String>,
    /// End at this time
    #[arg(long, value_name = "TIME", conflicts_with = "lasts")]
    pub(in crate::cli) until: Option<String>,
    /// Last so long: 30m, 2h, 1d
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    pub(in crate::cli) lasts: Option<i64>,
    /// Only say what it would cover, when, and who is on call then
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

/// A maintenance window.
#[derive(Debug, Args)]
pub(in crate::cli) struct NewWindow {
    #[command(flatten)]
    pub(in crate::cli) covered: Covered,
    /// Begin now, which is also the default
    #[arg(long, conflicts_with = "from")]
    now: bool,
    /// The change it belongs to, such as CHG123
    #[arg(long, default_value = "")]
    pub(in crate::cli) change: String,
    /// Recur on these days: mon,thu, or every day
    #[arg(long, value_name = "DAYS", requires = "at", conflicts_with_all = ["from", "until", "lasts", "now"])]
    pub(in crate::cli) every: Option<String>,
    /// Recur on these days of the month; -1 is the last
    #[arg(long, value_name = "DAYS", requires = "at", value_delimiter = ',', allow_negative_numbers = true)]
    pub(in crate::cli) month_days: Vec<i8>,
    /// When it begins and ends on such a day: 22:00-04:00
    #[arg(long, value_name = "FROM-UNTIL")]
    pub(in crate::cli) at: Option<String>,
    /// The zone whose clocks count, such as Europe/Berlin [default: this machine's]
    #[arg(long)]
    pub(in crate::cli) zone: Option<String>,
    /// Begin with the first trouble between its beginning and end, and last so long
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(in crate::cli) flexible: Option<i64>,
}

/// A silence.
#[derive(Debug, Args)]
pub(in crate::cli) struct NewSilence {
    #[command(flatten)]
    pub(in crate::cli) covered: Covered,
}
