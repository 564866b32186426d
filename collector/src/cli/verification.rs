//! `sla verify` and its neighbours: whether a report that somebody shows is what the records say, and what they say else.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::Value;

use super::{
    CliError,
    beside::WhatIf,
    commands::{Desk, encode},
    given, print,
};

/// Largest report, in bytes; the collector takes no larger one either.
const REPORT_BYTES: u64 = 32 << 20;

/// What is asked of reports that were issued, and of what was promised.
#[derive(Debug, Subcommand)]
pub(super) enum Proof {
    /// Whether a report is what the records say: it is reckoned again from exactly what it names, and compared byte for byte
    #[command(after_help = "\
A report in JSON names what it was reckoned from: for each host the last entry of its ledger with that entry's hash, what was
being observed then, and the versions of the windows laid over it; the version of the agreement, of the time zones and of the
program, and when. Its digest is SHA-256 over the rest of it: JSON with members sorted by name, without white space.

Verified is said only if the chain of hashes holds up to those entries and the figures come out the same. Else the first
difference is named, or why there is none to name: entries that are changed or gone, or another collector's. What was learned
after the report changes nothing here.

Exits with 0 if it is verified, else with 1.

Example:
  muster-collector sla report --agreement \"web shop\" --period 2026-10 --format json > october.json
  muster-collector sla verify october.json")]
    Verify {
        /// The report; - for standard input
        #[arg(value_name = "REPORT.json")]
        report: PathBuf,
    },
    /// A report that was issued beside what would be issued now, and what has changed since: entries of ledgers, windows,
    /// the agreement
    #[command(after_help = "\
Example:
  muster-collector sla compare october.json")]
    Compare {
        /// The report in JSON; - for standard input
        #[arg(value_name = "REPORT.json")]
        report: PathBuf,
    },
    /// What would have come of a period by another agreement or with other windows; changes nothing
    #[command(after_help = "\
The period is reckoned by the very function of the reports from the same ledgers, once as it was and once as it might have
been. A window that is added counts as planned in time. A definition has the keys of an [[agreement]] of collector.toml, at
the top of a file of its own; without hosts, sites, class, labels and services it is about those of the present one. A
[[service]] in it takes the place of the one of its name: that is how another rule is tried.

Examples:
  muster-collector sla what-if --agreement \"web shop\" --period 2026-10 --target 99.95
  muster-collector sla what-if --agreement \"web shop\" --period 2026-Q3 --definition proposed.toml
  muster-collector sla what-if --agreement \"web shop\" --period 2026-10 --without-window 7
  muster-collector sla what-if --agreement \"web shop\" --period 2026-10 \\
    --add-window 2026-10-03T22:00:00Z..2026-10-04T02:00:00Z --host 'web-*'")]
    WhatIf(Box<WhatIf>),
    /// What was declared under a name, and since when: each change of collector.toml that the collector has found at a start
    Versions {
        /// Its name, as in collector.toml
        name: String,
    },
}

impl Desk {
    /// Asks it.
    pub(super) async fn prove(&self, task: Proof) -> Result<(), CliError> {
        match task {
            Proof::Verify { report } => self.verify(&report).await,
            Proof::Compare { report } => self.compare(&report).await,
            Proof::WhatIf(asked) => self.what_if(*asked).await,
            Proof::Versions { name } => {
                let versions = self.client.all(&format!("/agreements/{}/versions", encode(&name)), "").await?;
                if self.json { print::json(&versions) } else { versions_of(&versions) }
            }
        }
    }

    /// Shows the collector a report. What is not verified is an error.
    async fn verify(&self, file: &Path) -> Result<(), CliError> {
        let report = report(file)?;
        let answer = self.client.post("/agreements/verify", report).await?;
        let name = file.display();
        if self.json {
            print::json(&answer)?;
        }
        for note in answer["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            print::warning(note);
        }
        let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
        let value = |key: &str| match &answer[key] {
            Value::Null => "nothing".to_owned(),
            value => value.to_string(),
        };
        match answer["outcome"].as_str() {
            Some("verified") if self.json => Ok(()),
            Some("verified") => {
                print::line(&format!("{name}: verified: the records give the same report, byte for byte"))
            }
            Some("differs") => Err(CliError::Failed(format!(
                "{name} is not what the records say: {} is {} there, and {} by the records",
                text("path"),
                value("stated"),
                value("recomputed")
            ))),
            _ => Err(CliError::Failed(format!("{name} cannot be verified: {}", text("why")))),
        }
    }
}

/// The report in a file.
pub(super) fn report(file: &Path) -> Result<Value, CliError> {
    let bytes = given::bytes(file, REPORT_BYTES, "the collector takes none larger")?;
    let wrong = |why: String| {
        CliError::Usage(format!("{}: expected a report as `sla report --format json` writes it: {why}", file.display()))
    };
    let report: Value = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if report["inputs"].is_null() {
        return Err(wrong("it has no \"inputs\", which say what it was reckoned from".into()));
    }
    Ok(report)
}

/// Each version with its text.
fn versions_of(versions: &Value) -> Result<(), CliError> {
    let told = versions.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(|version| {
        let definition = version["definition"].as_str().unwrap_or_default();
        let definition = if version["withdrawn"] == true { "withdrawn\n" } else { definition };
        format!(
            "# version {} since {}\n{definition}",
            version["version"],
            version["since"].as_str().unwrap_or_default()
        )
    });
    print::text(&told.collect::<Vec<_>>().join("\n"))
}
