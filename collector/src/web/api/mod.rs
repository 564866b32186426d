//! `/api/v1`: what the CLI and other programs use. Answers are JSON, times RFC 3339 in UTC, lists carry a cursor.

pub(super) mod absences;
pub(super) mod agreements;
pub(super) mod alerts;
pub(super) mod amendments;
pub(super) mod api_tokens;
pub(super) mod backup;
pub(super) mod calendars;
pub(super) mod devices;
pub(super) mod drives;
pub(super) mod evidence;
pub(super) mod figures;
pub(super) mod heartbeats;
pub(super) mod holds;
pub(super) mod hosts;
pub(super) mod incidents;
pub(super) mod inventory;
pub(super) mod labels;
pub(super) mod neighbours;
pub(super) mod not_a_problem;
pub(super) mod oncall;
pub(super) mod openapi;
pub(super) mod parts;
pub(super) mod people;
pub(super) mod proofs;
pub(super) mod receivers;
pub(super) mod reports;
pub(super) mod roll_out;
pub(super) mod rules;
pub(super) mod settings;
pub(super) mod shares;
pub(super) mod sizes;
pub(super) mod status;
pub(super) mod tokens;
pub(super) mod trends;

use axum::Json;
use serde_json::{Value, json};

use super::{Web, access::Caller, problem};
use crate::domain::{event::Command, time::Timestamp};

/// A JSON answer or a problem.
type Answered = Result<Json<Value>, problem::Problem>;

/// Entries of a list answered at once by default, and at most.
const PAGE: usize = 100;
const MAX_PAGE: usize = 1_000;
/// A token lives at least a second: a script that enrols at once needs no more.
const MIN_TTL_S: i64 = 1;

/// Gives a command and answers when it is done and durable.
async fn command(web: &Web, caller: &Caller, command: Command) -> Answered {
    problem::settled(web.context.mailbox.command(caller.principal(), command).await?)?;
    Ok(done())
}

fn done() -> Json<Value> {
    Json(json!({ "done": true }))
}

/// A list with the cursor of its continuation.
fn list(items: Vec<Value>, next: Option<String>) -> Json<Value> {
    Json(json!({ "items": items, "next": next }))
}

/// An instant as the API takes it: RFC 3339.
pub(super) fn time_of(field: &str, text: &str) -> Result<Timestamp, problem::Problem> {
    let parsed = text.parse::<jiff::Timestamp>().map(|at| Timestamp::from_ms(at.as_millisecond()));
    parsed.map_err(|_| problem::Problem::invalid(field, text, "RFC 3339, such as 2026-11-21T09:14:03Z"))
}

fn limit_of(limit: Option<usize>) -> usize {
    limit.unwrap_or(PAGE).clamp(1, MAX_PAGE)
}

/// The cursor's number; a cursor that is none begins at the start's far side and so names the field.
fn cursor_of(after: Option<&str>) -> Result<Option<i64>, problem::Problem> {
    after
        .map(|text| {
            text.parse().map_err(|_| problem::Problem::invalid("after", text, "the `next` of an earlier answer"))
        })
        .transpose()
}

/// Milliseconds of a time to live in seconds within its limits.
fn ttl_ms(seconds: i64, max_s: i64) -> Result<i64, problem::Problem> {
    if (MIN_TTL_S..=max_s).contains(&seconds) {
        return Ok(seconds * 1000);
    }
    Err(problem::Problem::invalid("ttl_seconds", &seconds.to_string(), &format!("{MIN_TTL_S} to {max_s}")))
}
