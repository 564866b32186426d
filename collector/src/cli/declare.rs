//! `sla declare` and `sla drop`: agreements that are not in the collector's configuration.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CliError,
    commands::{Desk, encode},
    given,
    print::{self, Column},
};
use crate::{
    config::{agreement_text, parse_agreements},
    domain::sla::report::Declared,
};

const DECLARED: [Column; 5] = [
    ("name", "name"),
    ("did", "did"),
    ("version", "version"),
    ("subjects", "subject_count"),
    ("applies to", "applies_to"),
];

/// What is promised.
#[derive(Debug, Subcommand)]
pub(super) enum Declare {
    /// Declare agreements of a file, or change them, without the collector's configuration and without a restart
    #[command(after_help = "\
The file has [[agreement]] tables as collector.toml has them, and the [[service]] tables that these name. What is in collector.toml is changed there; a name that appears
in both is the configuration's from the next start on. Each change is a version, kept for good (sla versions NAME).

Examples:
  muster-collector sla declare shop.toml --dry-run        says to whom each would apply, and what came of it to date
  muster-collector sla declare shop.toml")]
    Declare {
        /// The file; - for standard input
        #[arg(value_name = "FILE.toml")]
        file: PathBuf,
        /// Say what it would mean, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// End an agreement that was declared so; its versions and reports that were issued stay verifiable
    Drop {
        /// Its name
        name: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

impl Desk {
    pub(super) async fn promise(&self, task: Declare) -> Result<(), CliError> {
        match task {
            Declare::Declare { file, dry_run } => self.declare(&file, dry_run).await,
            Declare::Drop { name, reason } => {
                let path = format!("/agreements/{}?reason={}", encode(&name), encode(&reason));
                self.done(Method::DELETE, &path, None).await
            }
        }
    }

    async fn declare(&self, file: &Path, dry_run: bool) -> Result<(), CliError> {
        let text = given::definition(file)?;
        let declared = parse_agreements(&text, file).map_err(|errors| CliError::Usage(errors.to_string()))?;
        if declared.is_empty() {
            return Err(CliError::Usage(format!("{}: expected [[agreement]] tables, found none", file.display())));
        }
        let mut by_name: BTreeMap<&str, Vec<&Declared>> = BTreeMap::new();
        for one in &declared {
            by_name.entry(&one.agreement.name).or_default().push(one);
        }
        let mut answers = Vec::with_capacity(by_name.len());
        for (name, declared) in by_name {
            let body = json!({ "definition": agreement_text(&declared), "dry_run": dry_run });
            answers.push(self.client.ask(Method::PUT, &format!("/agreements/{}", encode(name)), Some(body)).await?);
        }
        let answers = Value::Array(answers);
        if self.json { print::json(&answers) } else { print::table(&DECLARED, &answers) }
    }
}
