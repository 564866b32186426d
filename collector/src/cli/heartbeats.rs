//! `heartbeat ...`: other people's jobs.

use clap::Subcommand;
use serde_json::json;

use super::{
    CliError,
    commands::{Desk, encode},
    print::{self, Column},
};

const HEARTBEATS: [Column; 7] = [
    ("name", "name"),
    ("state", "state"),
    ("expected", "expected"),
    ("last", "last_signal"),
    ("last success", "last_success"),
    ("due", "due"),
    ("next run", "next_run"),
];

/// `heartbeat ...`
#[derive(Debug, Subcommand)]
pub(super) enum HeartbeatTask {
    /// How each job stands
    List,
    /// One job, and the URL under which it says that it has run
    #[command(after_help = "\
Examples:
  0 2 * * * /usr/local/bin/backup && curl -fsS -m 10 --retry 5 URL      a crontab line
  curl -fsS URL/start; backup; curl -fsS URL/$?                         with how long it takes and how it ended
  backup 2>&1 | curl -fsS --data-binary @- URL                          the end of what it said is kept

Jobs are defined as [[heartbeat]] in collector.toml.")]
    Show {
        /// The job's name
        name: String,
    },
    /// Gives a job another URL, because somebody knows the old one who should not; that leads nowhere from now on
    Renew {
        /// The job's name
        name: String,
    },
}

impl Desk {
    pub(super) async fn heartbeat(&self, task: HeartbeatTask) -> Result<(), CliError> {
        match task {
            HeartbeatTask::List => self.list("/heartbeats", "", &HEARTBEATS).await,
            HeartbeatTask::Renew { name } => {
                let answer = self.client.post(&format!("/heartbeats/{}/renew", encode(&name)), json!({})).await?;
                if self.json { print::json(&answer) } else { print::line(answer["url"].as_str().unwrap_or_default()) }
            }
            HeartbeatTask::Show { name } => self.one(&format!("/heartbeats/{}", encode(&name))).await,
        }
    }
}
