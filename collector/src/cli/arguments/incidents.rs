//! `incident ...`.

use clap::{Args, Subcommand};

use super::{pair, seconds};

/// `incident ...`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum IncidentTask {
    /// Incidents, newest first
    List {
        /// Only in this state
        #[arg(long, value_parser = ["open", "acknowledged", "resolved"])]
        only: Option<String>,
    },
    /// One incident with its timeline and pages
    Show {
        /// Its number
        number: String,
    },
    /// You have it
    Ack {
        /// Its number
        number: String,
        /// What you see or do
        #[arg(long, default_value = "")]
        note: String,
        /// For so long, such as 2h; then everybody is told again
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        lasts: Option<i64>,
    },
    /// Say when somebody must act, apart from how bad it is
    #[command(
        after_help = "Critical is P2, a warning P4; the label priority=P1 of a host takes the place of P2. A cut or a broken\n\
        redundancy group is one step more urgent, workstations one less. Routes may ask for it: priority = \"P2\".\n\
        Who is told of more urgent things only is told now.\n\n\
        Examples:\n  muster-collector incident priority 1042 P1 --note 'the shop is closed'\n  muster-collector incident priority 1042 derived"
    )]
    Priority {
        /// Its number
        number: String,
        /// P1, P2, P3, P4, P5, or derived: as its rules say
        #[arg(value_parser = ["P1", "P2", "P3", "P4", "P5", "derived"], ignore_case = true)]
        priority: String,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Close it by hand
    Resolve {
        /// Its number
        number: String,
        /// Why
        #[arg(long, default_value = "")]
        note: String,
    },
    /// It was no problem: say so once, and it calls nobody again
    #[command(after_help = "\
Each choice says how many pages of the last 90 days it would have spared, and how many of those were about something real:
their incident was taken or closed by hand, or it lasted for more than an hour. --dry-run only says that. Each can be taken
back, and what was made with it (override, window, silence) ends then.

Examples:
  muster-collector incident not-a-problem 1042 threshold --reason 'backups fill it' --dry-run
  muster-collector incident not-a-problem 1042 threshold --set warning='3 %' --label role=backup --reason 'small by design'
  muster-collector incident not-a-problem 1042 expected --every sun --at 02:00-04:00 --zone Europe/Berlin --reason backups
  muster-collector incident not-a-problem 1042 never --owner ana --for 90d --reason 'test machine'
  muster-collector incident not-a-problem 1042 false-alarm --reason 'the sensor is broken'
  muster-collector incident not-a-problem 1042 take-back 3")]
    NotAProblem {
        /// Its number
        number: String,
        #[command(subcommand)]
        choice: NotAProblem,
    },
}

/// `incident not-a-problem NUMBER ...`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum NotAProblem {
    /// Other limits for this host or label; without --set those that would have been needed
    Threshold {
        #[command(flatten)]
        said: Said,
        /// A limit, such as warning='3 %'; may be repeated
        #[arg(long = "set", value_name = "LIMIT=AMOUNT", value_parser = pair)]
        limits: Vec<(String, String)>,
        /// Never worse than info: seen, and paging nobody
        #[arg(long)]
        info: bool,
    },
    /// It is expected at this time: a recurring maintenance window, by default around when it happened
    Expected {
        #[command(flatten)]
        said: Said,
        /// On these days: sun, or mon,thu, or day
        #[arg(long, value_name = "DAYS", requires = "at")]
        every: Option<String>,
        /// From when to when: 02:00-04:00
        #[arg(long, value_name = "FROM-UNTIL")]
        at: Option<String>,
        /// The zone whose clocks count, such as Europe/Berlin [default: this machine's]
        #[arg(long, requires = "at")]
        zone: Option<String>,
    },
    /// Never page for this here: a silence that somebody answers for
    Never {
        #[command(flatten)]
        said: Said,
        /// Who answers for it
        #[arg(long)]
        owner: String,
        /// For so long, at most 366d
        #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
        lasts: i64,
    },
    /// The monitor was wrong: closes it, and its time counts as one in which nothing was wrong
    FalseAlarm {
        #[command(flatten)]
        said: Said,
    },
    /// Take back what was said
    TakeBack {
        /// The number of what was said
        said: i64,
    },
}

/// What every choice takes.
#[derive(Debug, Args)]
pub(in crate::cli) struct Said {
    /// Why
    #[arg(long)]
    pub(in crate::cli) reason: String,
    /// For all hosts with this label of its host, name=value, instead of this host
    #[arg(long, value_name = "NAME=VALUE")]
    pub(in crate::cli) label: Option<String>,
    /// Only say what it would have meant
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}
