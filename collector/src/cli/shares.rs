//! `sla link` and its neighbours: what a department may look at without signing in.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CliError,
    arguments::seconds,
    commands::Desk,
    print::{self, Column},
};

const LINKS: [Column; 7] = [
    ("no", "number"),
    ("state", "state"),
    ("for", "for"),
    ("agreements", "agreements"),
    ("made", "made"),
    ("by", "by"),
    ("expires", "expires"),
];

/// What is asked of links.
#[derive(Debug, Subcommand)]
pub(super) enum Shares {
    /// Make a link that shows some agreements to whoever has it, without signing in; its address is printed once
    #[command(after_help = "\
It shows these agreements with their verdicts, their outages, the planned maintenance of their hosts, and their reports for
reading and printing of the present and up to twelve earlier periods. It changes nothing and leads nowhere else: no other view,
no address of a host, no cause, evidence, comment or incident of an outage. Whoever has it can pass it on, so it ends, and can be
revoked.

Examples:
  muster-collector sla link --agreement \"web shop\" --for \"Sales, Ms Weber\"
  muster-collector sla link --agreement office --agreement mail --expires 30d")]
    Link {
        /// Which agreement it shows; may be repeated
        #[arg(long = "agreement", value_name = "NAME", required = true)]
        agreements: Vec<String>,
        /// How long it works: 12h, 90d; at most 730d [default: 90d]
        #[arg(long, value_name = "TIME", value_parser = seconds)]
        expires: Option<i64>,
        /// For whom it is; shown to them, and in the list
        #[arg(long = "for", value_name = "TEXT", default_value = "")]
        audience: String,
    },
    /// Links that were made, newest first: for whom, what they show, and whether they work
    Links,
    /// Revoke a link at once
    Unlink {
        /// Its number, as in `sla links`
        number: i64,
    },
}

impl Desk {
    /// Asks it.
    pub(super) async fn shares(&self, task: Shares) -> Result<(), CliError> {
        match task {
            Shares::Link { agreements, expires, audience } => {
                let body = json!({ "agreements": agreements, "ttl_seconds": expires, "for": audience });
                self.secret("/agreement-links", body, "url").await
            }
            Shares::Links => {
                let items = self.client.all("/agreement-links", "").await?;
                if self.json {
                    return print::json(&items);
                }
                let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
                print::table(&LINKS, &Value::Array(items.iter().map(row).collect()))
            }
            Shares::Unlink { number } => self.done(Method::DELETE, &format!("/agreement-links/{number}"), None).await,
        }
    }
}

/// Its agreements in one cell.
fn row(link: &Value) -> Value {
    let names = link["agreements"].as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    let mut row = link.clone();
    row["agreements"] = json!(names.join(", "));
    row
}
