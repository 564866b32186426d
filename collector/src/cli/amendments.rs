//! `sla correct`, `sla disregard`, `sla note`, `sla amendments`, `sla withdraw`: what people say afterwards.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CliError,
    commands::{Desk, encode},
    holds,
    print::{self, Column},
};

const AMENDMENTS: [Column; 8] = [
    ("no", "number"),
    ("says", "says"),
    ("about", "about"),
    ("reason", "reason"),
    ("ticket", "ticket"),
    ("by", "by"),
    ("made", "made"),
    ("holds", "holds"),
];

/// What is said afterwards.
#[derive(Debug, Subcommand)]
pub(super) enum Amend {
    /// Hosts or checks were up or down after all, whatever was measured
    #[command(after_help = "\
What was measured stays. Reports show the figure with what people said beside it, with who, why and the ticket.

Examples:
  muster-collector sla correct shop-1 --was down --from '2026-10-05 09:10' --until '2026-10-05 09:40' \\
      --reason 'customers saw errors, the host answered' --ticket INC4711
  muster-collector sla correct db-1 --was up --from 2026-10-05T07:00:00Z --until 2026-10-05T07:20:00Z \\
      --reason 'the probe was wrong' --dry-run          only says which agreements that touches
  muster-collector sla correct web-1/http --was up --from '2026-10-05 09:10' --until '2026-10-05 09:40' \\
      --reason 'its certificate was looked for in the wrong place'          a check: HOST/CHECK")]
    Correct {
        /// Names or ids of hosts, or of checks as HOST/CHECK, or of services as service/NAME
        #[arg(required = true, value_name = "SUBJECT")]
        subjects: Vec<String>,
        /// How they were
        #[arg(long, value_name = "STATE", value_parser = ["up", "down"])]
        was: String,
        /// Begins: 2026-12-05 22:00, or with an offset
        #[arg(long, value_name = "TIME")]
        from: String,
        /// Ends before: the same
        #[arg(long, value_name = "TIME")]
        until: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// The ticket that says more
        #[arg(long, default_value = "")]
        ticket: String,
        /// Say what it would touch, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// A maintenance window counts for nothing
    #[command(after_help = "\
Example:
  muster-collector sla disregard 12 --reason 'the change was not approved' --ticket CHG123")]
    Disregard {
        /// Its number, as in `maintenance list`
        #[arg(value_name = "WINDOW")]
        window: i64,
        /// Why
        #[arg(long)]
        reason: String,
        /// The ticket that says more
        #[arg(long, default_value = "")]
        ticket: String,
        /// Say what it would touch, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// A word about an outage: comment, kind of cause, whether it is disputed
    #[command(after_help = "\
Example:
  muster-collector sla note shop-1 --at '2026-10-05 09:15' --text 'switch 4 lost its power supply' --cause power")]
    Note {
        /// Name or id of the host, or of a check as HOST/CHECK, or of a service as service/NAME
        subject: String,
        /// An instant of the outage: 2026-12-05 22:00, or with an offset
        #[arg(long, value_name = "TIME")]
        at: String,
        /// What is to be known of it
        #[arg(long)]
        text: String,
        /// Kind of cause: hardware, software, network, power, capacity, change, human_error, security, third_party, other
        #[arg(long)]
        cause: Option<String>,
        /// The parties disagree on it
        #[arg(long, conflicts_with = "settled")]
        disputed: bool,
        /// They do not any more
        #[arg(long)]
        settled: bool,
        /// The ticket that says more
        #[arg(long, default_value = "")]
        ticket: String,
    },
    /// All that was said afterwards, newest first
    Amendments,
    /// Withdraw what was said; both versions are kept
    Withdraw {
        /// Its number, as in `sla amendments`
        number: i64,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

impl Desk {
    pub(super) async fn amend(&self, task: Amend) -> Result<(), CliError> {
        match task {
            Amend::Correct { subjects, was, from, until, reason, ticket, dry_run } => {
                let (from, until) = (holds::time("from", &from)?, holds::time("until", &until)?);
                let body = json!({
                    "subjects": subjects, "state": was, "from": from, "until": until, "reason": reason, "ticket": ticket,
                    "dry_run": dry_run,
                });
                self.said("/amendments/corrections", body).await
            }
            Amend::Disregard { window, reason, ticket, dry_run } => {
                let body = json!({ "window": window, "reason": reason, "ticket": ticket, "dry_run": dry_run });
                self.said("/amendments/disregards", body).await
            }
            Amend::Note { subject, at, text, cause, disputed, settled, ticket } => {
                let at = holds::time("at", &at)?;
                let disputed = (disputed || settled).then_some(disputed);
                let mut body =
                    json!({ "subject": subject, "at": at, "text": text, "disputed": disputed, "ticket": ticket });
                if let Some(cause) = cause {
                    body["cause"] = cause.into();
                }
                self.said("/amendments/notes", body).await
            }
            Amend::Amendments => self.list("/amendments", "", &AMENDMENTS).await,
            Amend::Withdraw { number, reason } => {
                let path = format!("/amendments/{number}?reason={}", encode(&reason));
                self.done(Method::DELETE, &path, None).await
            }
        }
    }

    async fn said(&self, path: &str, body: Value) -> Result<(), CliError> {
        let answer = self.client.post(path, body).await?;
        if self.json { print::json(&answer) } else { print::thing(&answer) }
    }
}
