//! Turns as a calendar: of a rotation, or of a person; for who is signed in, or by a signed address that calendars keep.

use axum::{
    Json,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::Answered;
use crate::{
    domain::{calendar::Span, oncall::ical},
    links::Whose,
    web::{Shared, Web, problem::Problem},
};

/// Turns that are over stay in the calendar for so long, in milliseconds: four weeks.
const PAST_MS: i64 = 28 * 86_400_000;
/// Turns to come, in milliseconds: half a year.
const AHEAD_MS: i64 = 183 * 86_400_000;

/// Whose turns.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    person: Option<String>,
    rotation: Option<String>,
}

/// `ROTATION.ics`, all of it or one person's turns.
pub(in crate::web) async fn rotation(
    State(web): State<Shared>,
    Path(file): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let name =
        file.strip_suffix(".ics").ok_or_else(|| Problem::not_found("such a page; a calendar is ROTATION.ics"))?;
    calendar(&web, &Whose { rotation: Some(name.to_owned()), person: asked.person })
}

/// The address of a calendar that needs no sign-in.
pub(in crate::web) async fn address(State(web): State<Shared>, Query(asked): Query<Asked>) -> Answered {
    let whose = Whose { rotation: asked.rotation, person: asked.person };
    known(&web, &whose)?;
    Ok(Json(json!({ "url": url(&web, &whose) })))
}

/// Where a calendar subscribes.
pub(in crate::web) fn url(web: &Web, whose: &Whose) -> String {
    format!("{}/calendar/{}.ics", web.context.config.http.url, web.context.links.calendar(whose))
}

/// What a signed address leads to.
pub(in crate::web) async fn subscribed(
    State(web): State<Shared>,
    Path(link): Path<String>,
) -> Result<Response, Problem> {
    let link = link.strip_suffix(".ics").unwrap_or(&link);
    let whose = web.context.links.read_calendar(link);
    let whose = whose.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "this address is not one of this collector's: get a new one from the On call view",
        )
    })?;
    calendar(&web, &whose)
}

fn known(web: &Web, whose: &Whose) -> Result<(), Problem> {
    let roster = &web.context.config.roster;
    match (&whose.rotation, &whose.person) {
        (Some(name), _) if !roster.rotations.contains_key(name) => {
            Err(Problem::not_found(&format!("rotation {name:?}")))
        }
        (_, Some(name)) if !roster.people.contains_key(name) => Err(Problem::not_found(&format!("person {name:?}"))),
        (None, None) => Err(Problem::invalid("rotation", "", "a rotation, a person, or both")),
        _ => Ok(()),
    }
}

fn calendar(web: &Web, whose: &Whose) -> Result<Response, Problem> {
    known(web, whose)?;
    let (snapshot, now) = (web.snapshot(), web.now());
    let span = Span { from: now.plus_ms(-PAST_MS), until: now.plus_ms(AHEAD_MS) };
    let (rotation, person) = (whose.rotation.as_deref(), whose.person.as_deref());
    let id = web.context.identity.collector_id().to_string();
    let events = web.context.config.roster.turns(rotation, person, span, &snapshot.exceptions, &id);
    let name = match (rotation, person) {
        (Some(rotation), Some(person)) => format!("On call: {rotation}, {person}"),
        (Some(one), None) | (None, Some(one)) => format!("On call: {one}"),
        (None, None) => "On call".to_owned(),
    };
    let text = ical::calendar(&name, &events, now);
    Ok(([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], text).into_response())
}
