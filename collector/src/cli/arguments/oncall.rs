//! `on-call ...` and `route ...`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::seconds;

/// `on-call ...`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OnCallTask {
    /// Who is on call now, until when, and who is next
    Show {
        /// Only this rotation, with its shifts of the next four weeks
        rotation: Option<String>,
    },
    /// Somebody else is on call for a time
    #[command(after_help = "\
Times are those of this machine's zone unless they carry another.

Examples:
  muster-collector on-call override ops bob --from '2026-12-24 09:00' --until '2026-12-26 09:00'
  muster-collector on-call override ops bob --for 8h --instead-of ann")]
    Override(StandIn),
    /// How often people were called, by day and night, and how long until somebody had it
    #[command(after_help = "\
A day begins at 7:00 by the clocks of each person (zone of [[person]], else of their rotation), when their night ends. Nights
are those with at least one page. The last four weeks unless said.

Examples:
  muster-collector on-call figures --per week
  muster-collector on-call figures --from '2026-10-01 00:00' --until '2026-11-01 00:00'")]
    Figures(FiguresOf),
    /// Who stands in for whom, now or to come
    Overrides,
    /// Two people exchange turns, and both are told
    #[command(after_help = "\
Of a turn that has begun the rest is exchanged. It is two overrides: on-call withdraw takes each back.

Examples:
  muster-collector on-call swap ops ann bob              ann's present or next turn for bob's next one after it
  muster-collector on-call swap ops ann bob --turn '2026-12-21 12:00' --for-turn '2027-01-04 12:00'")]
    Swap(SwapOf),
    /// Who is away and cannot be called: their turns are the next one's
    #[command(subcommand)]
    Absences(AbsenceTask),
    /// The address under which a calendar subscribes to turns
    #[command(after_help = "\
Whoever has the address sees who is on call, without signing in. Without links.key in the state directory all are void.

Examples:
  muster-collector on-call calendar --rotation ops
  muster-collector on-call calendar --person ann")]
    Calendar {
        /// The turns of this rotation
        #[arg(long, required_unless_present = "person")]
        rotation: Option<String>,
        /// Only those of this person; without a rotation, of all rotations
        #[arg(long)]
        person: Option<String>,
    },
    /// Test pages to people: when they were sent, and whether they were confirmed
    Tests,
    /// Send a person a test page by all of their ways; they say with the link in it that it came
    #[command(after_help = "\
Within 24 hours they say that it came, or an incident tells others. As often as the person's test_page in
collector.toml says it is sent without this.

Example:
  muster-collector on-call test ann")]
    Test {
        /// Who
        person: String,
    },
    /// Whoever has it by the rotation has it again
    Withdraw {
        /// The override's number
        number: i64,
    },
}

/// Who exchanges turns.
#[derive(Debug, Args)]
pub(in crate::cli) struct SwapOf {
    /// In which rotation
    pub(in crate::cli) rotation: String,
    /// One of the two
    pub(in crate::cli) person: String,
    /// The other
    pub(in crate::cli) with: String,
    /// The turn that the first gives away holds this time [default: their present or next one]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) turn: Option<String>,
    /// The turn that they take holds this time [default: the other's next one after it]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) for_turn: Option<String>,
}

/// `on-call absences ...`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AbsenceTask {
    /// Those of now and to come
    List,
    /// Somebody is away from here to there
    #[command(after_help = "\
Example:
  muster-collector on-call absences add ann --from '2026-12-21 00:00' --until '2027-01-04 00:00' --summary holiday")]
    Add {
        /// Who
        person: String,
        /// From this time on
        #[arg(long, value_name = "TIME")]
        from: String,
        /// Until this time
        #[arg(long, value_name = "TIME")]
        until: String,
        /// What it is
        #[arg(long, default_value = "")]
        summary: String,
        /// Nobody need be on call then
        #[arg(long)]
        confirm_gaps: bool,
    },
    /// Read them from a calendar (iCalendar, RFC 5545)
    #[command(after_help = "\
Whole days and times without a zone are those of the person's zone. Entries that recur are refused: write each time as an entry
of its own. Read again, an entry that has moved moves, and what is known stays; what is over is passed over.

Examples:
  muster-collector on-call absences import holidays.ics --person ann
  khal export ... | muster-collector on-call absences import - --person ann --confirm-gaps")]
    Import {
        /// The calendar, - for standard input
        #[arg(value_name = "FILE|-")]
        file: PathBuf,
        /// Who
        #[arg(long)]
        person: String,
        /// Nobody need be on call then
        #[arg(long)]
        confirm_gaps: bool,
    },
    /// They are there after all
    Remove {
        /// The absence's number
        number: i64,
    },
}

/// About when.
#[derive(Debug, Args)]
pub(in crate::cli) struct FiguresOf {
    /// From this time on [default: four weeks before the end]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) from: Option<String>,
    /// Until this time [default: now]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
    /// Each week or month by itself
    #[arg(long, value_parser = ["week", "month"])]
    pub(in crate::cli) per: Option<String>,
}

/// Who stands in.
#[derive(Debug, Args)]
pub(in crate::cli) struct StandIn {
    /// In which rotation
    pub(in crate::cli) rotation: String,
    /// Who has it
    pub(in crate::cli) person: String,
    /// From this time on [default: now]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) from: Option<String>,
    /// Until this time
    #[arg(long, value_name = "TIME", conflicts_with = "lasts")]
    pub(in crate::cli) until: Option<String>,
    /// For so long: 8h, 2d
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    pub(in crate::cli) lasts: Option<i64>,
    /// Only where this person would have it
    #[arg(long, value_name = "PERSON")]
    pub(in crate::cli) instead_of: Option<String>,
}

/// `route ...`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RouteTask {
    /// Say who would be told, when and why; or send a test page to a receiver
    #[command(after_help = "\
Without anything it lists the receivers; with the name of one it sends a test page there.

Examples:
  muster-collector route test --host web-3
  muster-collector route test --host web-3 --what 'check/http' --severity warning --at '2026-12-24 03:00'
  muster-collector route test --incident 1042
  muster-collector route test on-call                     a real page that says that it is a test")]
    Test(Tried),
}

/// What routes are tried with.
#[derive(Debug, Args)]
pub(in crate::cli) struct Tried {
    /// Send a test page to this receiver
    #[arg(conflicts_with_all = ["host", "incident", "what", "severity", "at"])]
    pub(in crate::cli) receiver: Option<String>,
    /// As if something were wrong with this host
    #[arg(long)]
    pub(in crate::cli) host: Option<String>,
    /// As this incident is
    #[arg(long, conflicts_with = "host")]
    pub(in crate::cli) incident: Option<String>,
    /// What is wrong: liveness/host, check/NAME, finding/RULE:PART [default: liveness/host]
    #[arg(long)]
    pub(in crate::cli) what: Option<String>,
    /// How bad it is [default: critical, or as the incident is]
    #[arg(long, value_parser = ["info", "warning", "critical"])]
    pub(in crate::cli) severity: Option<String>,
    /// At this time [default: now]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<String>,
}
