//! `sla deliver` and `sla deliveries`: reports that go somewhere by themselves.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    CliError,
    commands::{Desk, encode},
    print::{self, Column},
};

const DELIVERIES: [Column; 8] = [
    ("no", "number"),
    ("report", "report"),
    ("agreement", "agreement"),
    ("period", "period"),
    ("to", "to"),
    ("state", "state"),
    ("at", "at"),
    ("why", "why"),
];

/// What is asked of reports that are delivered.
#[derive(Debug, Subcommand)]
pub(super) enum Deliveries {
    /// Deliver a report now: to the directory and the people that it goes to by its schedule
    #[command(after_help = "\
Reports are configured as [[report]] in collector.toml. The schedule issues each once for a period; what is delivered by hand
is issued anew, with what has been learned since: files of before stay, and the new ones are called -2, -3 and so on.

Exits with 1 if anything was not delivered at the first try; it is tried again for a day, see `sla deliveries`.

Examples:
  muster-collector sla deliver                               the only report, over the last period that is over
  muster-collector sla deliver monthly --period 2026-10 --agreement \"web shop\"
  muster-collector sla deliver monthly --dry-run             what would go where")]
    Deliver {
        /// The report's name [default: the only one]
        name: Option<String>,
        /// Over which period; it must be over [default: the last of its schedule]
        #[arg(long)]
        period: Option<String>,
        /// Of this agreement alone
        #[arg(long, value_name = "NAME")]
        agreement: Option<String>,
        /// Only say what would go where
        #[arg(long)]
        dry_run: bool,
    },
    /// Reports that were issued or left out, newest first: what went where and what became of it
    #[command(after_help = "\
States of a delivery: waiting (it is tried again for a day after it was issued), under_way, delivered, failed, and unclear: the
collector stopped while a mail was being sent, so that nobody knows whether the server has it; it is not sent again by itself.
left_out: nothing was issued, and why.")]
    Deliveries {
        /// So many reports, at most 1000
        #[arg(long, value_name = "N", default_value_t = 100)]
        last: u32,
    },
}

impl Desk {
    /// Asks it.
    pub(super) async fn deliveries(&self, task: Deliveries) -> Result<(), CliError> {
        match task {
            Deliveries::Deliver { name, period, agreement, dry_run } => {
                let name = match name {
                    Some(name) => name,
                    None => self.only_report().await?,
                };
                let body = json!({ "period": period, "agreement": agreement, "dry_run": dry_run });
                let answer = self.client.post(&format!("/reports/{}/deliver", encode(&name)), body).await?;
                if self.json {
                    print::json(&answer)?;
                } else if dry_run {
                    would(&answer)?;
                } else {
                    print::table(&DELIVERIES, &rows(&answer["items"]))?;
                }
                let missing = each(&answer["items"]).filter(|(_, delivery)| delivery["state"] != "delivered").count();
                match missing {
                    0 => Ok(()),
                    _ if dry_run => Ok(()),
                    1 => Err(CliError::Failed("one delivery is missing: `sla deliveries` says how it goes on".into())),
                    n => Err(CliError::Failed(format!(
                        "{n} deliveries are missing: `sla deliveries` says how they go on"
                    ))),
                }
            }
            Deliveries::Deliveries { last } => {
                let answer = self.client.get(&format!("/report-deliveries?limit={last}")).await?;
                if self.json {
                    return print::json(&answer["items"]);
                }
                let plans = self.client.get("/reports").await?;
                for next in items(&plans["items"]).iter().flat_map(next) {
                    print::line(&next)?;
                }
                print::table(&DELIVERIES, &rows(&answer["items"]))
            }
        }
    }

    async fn only_report(&self) -> Result<String, CliError> {
        let plans = self.client.get("/reports").await?;
        let names: Vec<&str> = items(&plans["items"]).iter().filter_map(|plan| plan["name"].as_str()).collect();
        match names.as_slice() {
            [one] => Ok((*one).to_owned()),
            [] => Err(CliError::Failed("no [[report]] is configured in collector.toml".into())),
            several => Err(CliError::Usage(format!("which report? There are {}", several.join(", ")))),
        }
    }
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Each delivery, with the report that it is of.
fn each(issues: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    items(issues).iter().flat_map(|issue| items(&issue["deliveries"]).iter().map(move |delivery| (issue, delivery)))
}

/// A row for each delivery, and one for each report that was left out.
fn rows(issues: &Value) -> Value {
    let row = |issue: &Value, rest: Value| {
        let mut row = json!({
            "number": issue["number"], "report": issue["report"], "agreement": issue["agreement"],
            "period": issue["period"],
        });
        if let (Some(row), Value::Object(rest)) = (row.as_object_mut(), rest) {
            row.extend(rest);
        }
        row
    };
    let all = items(issues).iter().flat_map(|issue| {
        if issue["state"] == "left_out" {
            return vec![row(
                issue,
                json!({ "to": null, "state": "left_out", "at": issue["at"], "why": issue["why"] }),
            )];
        }
        let delivery = |one: &Value| {
            let again = one["next"].as_str().map_or_else(String::new, |next| format!("; again at {next}"));
            let why = format!("{}{again}", one["said"].as_str().unwrap_or_default());
            row(issue, json!({ "to": one["to"], "state": one["state"], "at": one["at"], "why": why }))
        };
        items(&issue["deliveries"]).iter().map(delivery).collect()
    });
    Value::Array(all.collect())
}

/// What comes next by a schedule, a line for each time.
fn next(plan: &Value) -> Vec<String> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let name = text(plan, "name");
    let line = |next: &Value| {
        format!("{name}: {} {} is due at {}", text(next, "agreement"), text(next, "period"), text(next, "due"))
    };
    items(&plan["next"]).iter().map(line).collect()
}

/// What would go where.
fn would(answer: &Value) -> Result<(), CliError> {
    for (issue, delivery) in each(&answer["items"]) {
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let files: Vec<&str> = items(&issue["files"]).iter().filter_map(Value::as_str).collect();
        let (agreement, period, to) = (text(issue, "agreement"), text(issue, "period"), text(delivery, "to"));
        print::line(&format!("{agreement} {period} would go to {to}: {}", files.join(", ")))?;
    }
    Ok(())
}
