//! `settings ...`: what agents are told.

use std::{io::Read, path::Path};

use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::{
    CliError,
    commands::{Desk, encode},
    print::{self, Column},
};

/// More than any document we take.
const MAX_DOCUMENT_BYTES: u64 = 1 << 20;
const SETTINGS: [Column; 4] = [("scope", "scope"), ("by", "by"), ("at", "at"), ("bytes", "bytes")];

const KEYS: [Column; 2] = [("key", "key"), ("from", "from")];

/// `settings ...`
#[derive(Debug, Subcommand)]
pub(super) enum SettingsTask {
    /// Scopes that are set here instead of in the configuration
    List,
    /// What is set for a scope, as it was written
    Show {
        /// all, class=server, site=Berlin, label=environment=dev or host=db-*
        scope: String,
    },
    /// Set what the agents of a scope are told, instead of what was set for it here before
    #[command(after_help = "\
The document has the keys of agent.toml that may be sent: interval, and [[check]] of the kinds tcp, http, certificate,
dns, icmp, unit, and plugin (by the name that the machine itself gives it). Narrower scopes win, checks are merged by
name; enabled = false in a check takes it away for the scope. What a machine's own agent.toml states wins there.

Example:
  muster-collector settings set class=server - <<END
  [[check]]
  name = \"ssh\"
  kind = \"tcp\"
  address = \"127.0.0.1:22\"
  interval = \"30s\"
  END")]
    Set {
        /// all, class=server, site=Berlin, label=environment=dev or host=db-*
        scope: String,
        /// A file with the document, or - for standard input
        file: std::path::PathBuf,
    },
    /// End what was set for a scope here
    Remove {
        /// As `settings list` shows it
        scope: String,
    },
    /// What a host is told, where each key comes from, and what it answered
    Of {
        /// Its name or id
        host: String,
    },
}

impl Desk {
    pub(super) async fn settings(&self, task: SettingsTask) -> Result<(), CliError> {
        match task {
            SettingsTask::List => {
                let mut items = self.client.all("/settings", "").await?;
                for item in items.as_array_mut().into_iter().flatten() {
                    item["bytes"] = item["document"].as_str().map_or(0, str::len).into();
                }
                if self.json { print::json(&items) } else { print::table(&SETTINGS, &items) }
            }
            SettingsTask::Show { scope } => {
                let items = self.client.all("/settings", "").await?;
                let found =
                    items.as_array().and_then(|items| items.iter().find(|item| item["scope"] == scope.as_str()));
                let found = found.ok_or_else(|| {
                    CliError::Refused(format!("nothing is set for {scope:?} here: see muster-collector settings list"))
                })?;
                match self.json {
                    true => print::json(found),
                    false => print::line(found["document"].as_str().unwrap_or_default().trim_end()),
                }
            }
            SettingsTask::Set { scope, file } => {
                let body = json!({ "scope": scope, "document": document(&file)? });
                self.done(Method::POST, "/settings", Some(body)).await
            }
            SettingsTask::Remove { scope } => {
                self.done(Method::DELETE, &format!("/settings/{}", encode(&scope)), None).await
            }
            SettingsTask::Of { host } => self.settings_of(&host).await,
        }
    }
}

impl Desk {
    /// How the host stands, where each key comes from, and the document as it is sent.
    async fn settings_of(&self, host: &str) -> Result<(), CliError> {
        let answer = self.client.get(&format!("/hosts/{}/settings", encode(host))).await?;
        if self.json {
            return print::json(&answer);
        }
        print::line(answer["says"].as_str().unwrap_or_default())?;
        print::table(&KEYS, &answer["keys"])?;
        print::line("")?;
        print::line(answer["document"].as_str().unwrap_or_default().trim_end())
    }
}

fn document(file: &Path) -> Result<String, CliError> {
    let unread = |error| CliError::Usage(format!("{} cannot be read as settings: {error}", file.display()));
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(MAX_DOCUMENT_BYTES).read_to_string(&mut text).map_err(unread)?;
    } else {
        let opened = std::fs::File::open(file).map_err(unread)?;
        opened.take(MAX_DOCUMENT_BYTES).read_to_string(&mut text).map_err(unread)?;
    }
    Ok(text)
}
