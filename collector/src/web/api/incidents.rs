//! Incidents: list, show, acknowledge, resolve.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, command, cursor_of, limit_of, list as page_of};
use crate::{
    domain::{
        changed::Changed,
        event::Command,
        ids::IncidentNo,
        priority::Priority,
        proof::acknowledged,
        record::{AttemptRow, IncidentEventRow, Page},
        snapshot::IncidentView,
        time::Timestamp,
    },
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
        processes::Told,
    },
};

/// What people write beside an action.
const MAX_NOTE_BYTES: usize = 2_000;

#[derive(Debug, Deserialize)]
pub(in crate::web) struct Filter {
    state: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

pub(in crate::web) async fn list(State(web): State<Shared>, Query(filter): Query<Filter>) -> Answered {
    let snapshot = web.snapshot();
    let before = IncidentNo(cursor_of(filter.after.as_deref())?.unwrap_or(i64::MAX));
    let fits = |view: &IncidentView| filter.state.as_deref().is_none_or(|state| view.row.state.word() == state);
    let mut fitting = snapshot.incidents.range(..before).rev().filter(|(_, view)| fits(view));
    let mut items = Vec::new();
    let mut last = before;
    for (no, view) in fitting.by_ref().take(limit_of(filter.limit)) {
        items.push(brief(view));
        last = *no;
    }
    let next = fitting.next().map(|_| last.to_string());
    Ok(page_of(items, next))
}

fn brief(view: &IncidentView) -> Value {
    let row = &view.row;
    json!({
        "number": row.no, "id": row.id, "key": row.key, "state": row.state, "severity": row.severity,
        "title": row.title, "host": view.host_name, "component": row.component, "since": row.since.to_string(),
        "opened": row.opened.to_string(), "resolved": row.resolved.map(|at| at.to_string()),
        "acknowledged_by": row.acknowledged_by,
        "acknowledged_until": row.acknowledged_until.map(|at| at.to_string()),
        "held_by": view.held.map(|held| held.hold), "held_until": view.held.map(|held| held.until.to_string()), "paged": row.paged, "part_of": row.part_of,
        "priority": view.priority, "priority_said": row.priority, "redundancy": view.redundancy,
        "flapping": row.swings.flapping.map(|flapping| json!({
            "since": flapping.since.to_string(), "changes": flapping.changes,
            "well_since": flapping.well.map(|at| at.to_string()),
            "quiet_until": row.swings.stable_at().map(|at| at.to_string()),
        })),
        "links": row.alert.iter().flat_map(|alert| &alert.links).map(|(name, url)| json!({ "name": name, "url": url })).collect::<Vec<_>>(),
    })
}

pub(in crate::web) async fn show(State(web): State<Shared>, Path(number): Path<String>) -> Answered {
    let snapshot = web.snapshot();
    let no = number_of(&number)?;
    let view = web.incident(no).await?;
    let events: Vec<Value> = view
        .events
        .iter()
        .map(|event| {
            json!({ "n": event.n, "at": event.at.to_string(), "kind": event.kind, "text": event.text, "by": event.by })
        })
        .collect();
    let attempts = web.context.store.attempts(no).await?;
    let pages: Vec<Value> = view
        .pages
        .iter()
        .map(|page| {
            let tried = attempts.iter().find(|attempts| attempts.last.page == page.id);
            json!({
                "id": page.id, "receiver": page.receiver, "person": page.person, "n": page.n, "type": page.kind.event_type(),
                "decided": page.decided.to_string(), "delivery": page.delivery,
                "attempts": tried.map_or(0, |tried| tried.made),
                "last_attempt": tried.map(|tried| tried.last.at.to_string()),
                "last_answer": tried.map(|tried| answer_of(&tried.last)),
                "chain": chain(page, &view.events, &web),
            })
        })
        .collect();
    let mut answer = brief(&view);
    answer["hosts"] = json!(view.hosts);
    answer["timeline"] = Value::from(events);
    answer["pages"] = Value::from(pages);
    let changed = |change: &Changed| json!({ "at": change.at.to_string(), "kind": change.kind, "text": change.text, "by": change.by });
    answer["changes"] = view.row.changes.iter().map(changed).collect();
    answer["not_a_problem"] = Value::from(super::not_a_problem::said_of(&snapshot, no));
    answer["processes"] = Told::json(web.processes_of(&view.row).await?.as_ref());
    Ok(Json(answer))
}

/// How far a page has come; what is not known is null, and `tells` says what its receiver tells beyond *accepted*.
fn chain(page: &Page, events: &[IncidentEventRow], web: &Web) -> Value {
    let (proof, acknowledged) = (&page.proof, acknowledged(page, events));
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let receiver = web.context.config.receivers.iter().find(|receiver| receiver.name == page.receiver);
    json!({
        "queued": page.decided.to_string(), "not_before": time(proof.not_before), "accepted": time(proof.accepted),
        "provider_id": proof.provider_id, "awaited": proof.awaited, "delivered": time(proof.delivered),
        "receipt": proof.receipt, "missed": proof.missed,
        "acknowledged": time(acknowledged.map(|(at, _)| at)), "acknowledged_by": acknowledged.map(|(_, who)| who),
        "tells": receiver.map(|receiver| receiver.kind.tells()),
    })
}

/// What came of an attempt, in words.
pub(in crate::web) fn answer_of(attempt: &AttemptRow) -> String {
    if attempt.detail.is_empty() { attempt.outcome.clone() } else { attempt.detail.clone() }
}

/// The number in a path; `#` before it is taken too.
pub(in crate::web) fn number_of(text: &str) -> Result<IncidentNo, Problem> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map(IncidentNo).map_err(|_| Problem::invalid("number", text, "an incident's number, such as 1042"))
}

pub(in crate::web) fn unknown(no: IncidentNo) -> Problem {
    Problem::not_found(&format!("incident #{no} that is open or was resolved within the last day"))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Note {
    #[serde(default)]
    note: String,
    /// For so long; then everybody is told again.
    for_seconds: Option<i64>,
}

/// Longest that somebody has an incident without saying so again, in seconds: a week.
const LONGEST_ACKNOWLEDGED_S: i64 = 7 * 86_400;

/// Milliseconds for which somebody has an incident.
pub(in crate::web) fn acknowledged_ms(for_seconds: Option<i64>) -> Result<Option<i64>, Problem> {
    match for_seconds {
        Some(seconds) if !(1..=LONGEST_ACKNOWLEDGED_S).contains(&seconds) => {
            Err(Problem::invalid("for_seconds", &seconds.to_string(), "1 to 604800 (a week)"))
        }
        seconds => Ok(seconds.map(|seconds| seconds * 1_000)),
    }
}

/// A note of bounded length.
pub(in crate::web) fn checked_note(note: String) -> Result<String, Problem> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(Problem::invalid("note", &note, "at most 2000 bytes"));
    }
    Ok(note)
}

pub(in crate::web) async fn acknowledge(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    Body(given): Body<Note>,
) -> Answered {
    let for_ms = acknowledged_ms(given.for_seconds)?;
    let (incident, note) = (number_of(&number)?, checked_note(given.note)?);
    command(&web, &caller, Command::Acknowledge { incident, note, for_ms }).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewPriority {
    priority: String,
    #[serde(default)]
    note: String,
}

/// `P1` to `P5`, or `derived`.
pub(in crate::web) fn checked_priority(word: &str) -> Result<Option<Priority>, Problem> {
    let known = Priority::from_word(word);
    if known.is_none() && word != "derived" {
        return Err(Problem::invalid("priority", word, "P1, P2, P3, P4, P5, or derived: as its rules say"));
    }
    Ok(known)
}

pub(in crate::web) async fn prioritise(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    Body(given): Body<NewPriority>,
) -> Answered {
    let (incident, note) = (number_of(&number)?, checked_note(given.note)?);
    let priority = checked_priority(&given.priority)?;
    command(&web, &caller, Command::Prioritise { incident, priority, note }).await
}

pub(in crate::web) async fn resolve(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    Body(given): Body<Note>,
) -> Answered {
    let (incident, note) = (number_of(&number)?, checked_note(given.note)?);
    command(&web, &caller, Command::Resolve { incident, note }).await
}
