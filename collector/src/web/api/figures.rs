//! How much people are called, and what comes of it.

use axum::{
    Json,
    extract::{Query, State},
};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, time_of};
use crate::{
    domain::{
        calendar::{self, Span},
        oncall::figures::{Answers, Load, Per, answers, loads},
    },
    web::{Shared, Web, problem::Problem},
};

/// What is looked at where nobody says otherwise, in milliseconds: four weeks.
pub(in crate::web) const USUAL_MS: i64 = 28 * 86_400_000;
/// The longest time looked at, in milliseconds: pages are kept for 13 months.
const LONGEST_MS: i64 = 400 * 86_400_000;

/// About when.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    from: Option<String>,
    until: Option<String>,
    per: Option<String>,
}

/// By whose clocks it is night for a person.
fn zone_of(web: &Web, person: &str) -> TimeZone {
    let named = web.context.config.roster.zone_of(person).and_then(calendar::zone);
    named.unwrap_or_else(|| web.zone.clone())
}

/// The figures of a time.
pub(in crate::web) async fn of(web: &Web, span: Span, per: Per) -> Result<(Vec<Load>, Answers), Problem> {
    let calls = web.context.store.calls(span).await?;
    Ok((loads(&calls.called, span, per, |person| zone_of(web, person)), answers(&calls.courses)))
}

/// Pages by person, day and night, and how long until somebody had it.
pub(in crate::web) async fn show(State(web): State<Shared>, Query(asked): Query<Asked>) -> Answered {
    let time = |field, text: &Option<String>| text.as_deref().map(|text| time_of(field, text)).transpose();
    let until = time("until", &asked.until)?.unwrap_or_else(|| web.now());
    let from = time("from", &asked.from)?.unwrap_or_else(|| until.plus_ms(-USUAL_MS));
    if from >= until || until.since_ms(from) > LONGEST_MS {
        return Err(Problem::invalid("from", &from.to_string(), "earlier than until, by 400 days at most"));
    }
    let per = match asked.per.as_deref() {
        None => Per::Whole,
        Some("week") => Per::Week,
        Some("month") => Per::Month,
        Some(other) => return Err(Problem::invalid("per", other, "week or month; without it all of the time")),
    };
    let (loads, answers) = of(&web, Span { from, until }, per).await?;
    let people: Vec<Value> = loads.iter().map(|load| load_json(load, &web)).collect();
    Ok(Json(json!({
        "from": from.to_string(), "until": until.to_string(), "people": people, "answers": answers_json(&answers) })))
}

fn load_json(load: &Load, web: &Web) -> Value {
    let zone = zone_of(web, &load.person);
    json!({
        "person": load.person, "from": load.days.0.to_string(), "until": load.days.1.to_string(),
        "days": load.length(), "pages": load.pages, "pages_at_night": load.at_night, "nights": load.nights,
        "pages_per_day": load.per_day(), "pages_per_night": load.per_night(), "zone": zone.iana_name(),
    })
}

fn answers_json(answers: &Answers) -> Value {
    let seconds = |ms: Option<i64>| ms.map(|ms| ms / 1_000);
    json!({
        "incidents": answers.incidents, "acknowledged": answers.acknowledged, "nobody": answers.nobody,
        "by_itself": answers.by_itself, "nobody_ratio": ratio(answers.nobody, answers.incidents),
        "by_itself_ratio": ratio(answers.by_itself, answers.incidents),
        "median_seconds": seconds(answers.median_ms), "p90_seconds": seconds(answers.p90_ms),
    })
}

/// A share, where there is a whole.
#[expect(clippy::cast_precision_loss, reason = "numbers of incidents")]
pub(in crate::web) fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
