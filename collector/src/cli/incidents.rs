//! `incident ...`: what is wrong, who has it, and what was no problem.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CliError,
    arguments::{IncidentTask, NotAProblem, Said},
    commands::{Desk, INCIDENTS, encode, object, query},
    holds::recurring,
    print,
};

impl Desk {
    pub(super) async fn incident(&self, task: IncidentTask) -> Result<(), CliError> {
        match task {
            IncidentTask::List { only } => self.list("/incidents", &query(&[("state", only)]), &INCIDENTS).await,
            IncidentTask::Show { number } => self.one(&format!("/incidents/{}", encode(&number))).await,
            IncidentTask::Ack { number, note, lasts } => {
                let path = format!("/incidents/{}/acknowledge", encode(&number));
                let mut body = json!({ "note": note });
                if let Some(seconds) = lasts {
                    body["for_seconds"] = seconds.into();
                }
                self.done(Method::POST, &path, Some(body)).await
            }
            IncidentTask::Priority { number, priority, note } => {
                let path = format!("/incidents/{}/priority", encode(&number));
                self.done(Method::POST, &path, Some(json!({ "priority": priority, "note": note }))).await
            }
            IncidentTask::Resolve { number, note } => {
                let path = format!("/incidents/{}/resolve", encode(&number));
                self.done(Method::POST, &path, Some(json!({ "note": note }))).await
            }
            IncidentTask::NotAProblem { number, choice } => {
                self.not_a_problem(&format!("/incidents/{}/not-a-problem", encode(&number)), choice).await
            }
        }
    }

    async fn not_a_problem(&self, path: &str, choice: NotAProblem) -> Result<(), CliError> {
        let body = match choice {
            NotAProblem::TakeBack { said } => return self.done(Method::DELETE, &format!("{path}/{said}"), None).await,
            NotAProblem::Threshold { said, limits, info } => {
                let limits = if limits.is_empty() && !info { self.needed(path).await? } else { object(limits) };
                let mut body = body("threshold", said);
                body["limits"] = limits;
                if info {
                    body["severity"] = "info".into();
                }
                body
            }
            NotAProblem::Expected { said, every, at, zone } => {
                let mut body = body("expected", said);
                if let Some(at) = at {
                    body["every"] = recurring(every, &[], &at, zone)?;
                }
                body
            }
            NotAProblem::Never { said, owner, lasts } => {
                let mut body = body("never", said);
                (body["owner"], body["for_seconds"]) = (owner.into(), lasts.into());
                body
            }
            NotAProblem::FalseAlarm { said } => body("false_alarm", said),
        };
        let answer = self.client.post(path, body).await?;
        if self.json { print::json(&answer) } else { print::thing(&answer) }
    }

    /// The limits that would have been needed.
    async fn needed(&self, path: &str) -> Result<Value, CliError> {
        let offer = self.client.get(path).await?;
        let limits = offer["limits"].as_array().cloned().unwrap_or_default();
        let pair = |limit: &Value| {
            let (key, needed) = (limit["key"].as_str()?, limit["needed"].as_str()?);
            Some((key.to_owned(), needed.to_owned()))
        };
        Ok(object(limits.iter().filter_map(pair).collect()))
    }
}

fn body(choice: &str, said: Said) -> Value {
    let mut body = json!({ "choice": choice, "reason": said.reason, "dry_run": said.dry_run });
    if let Some(label) = said.label {
        body["label"] = label.into();
    }
    body
}
