//! Trends: what there is of a host, and the values of a reading.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, hosts::find, list as page_of, time_of};
use crate::{
    domain::{
        ids::HostNo,
        time::Timestamp,
        trend::{
            History, Hour, READINGS, Series,
            forecast::{Filling, filling},
        },
    },
    web::{Shared, Web, problem::Problem},
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Minutes are kept for two days and to the end of a third.
const MINUTES_SPAN_MS: i64 = 3 * DAY_MS;
/// Hours are kept for thirteen months.
const HOURS_SPAN_MS: i64 = 400 * DAY_MS;

/// How fine the answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grain {
    Minute,
    Hour,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    host: Option<String>,
    reading: Option<String>,
    part: Option<String>,
    from: Option<String>,
    to: Option<String>,
    grain: Option<String>,
}

impl Asked {
    fn grain(&self) -> Result<Grain, Problem> {
        match self.grain.as_deref() {
            None | Some("minute") => Ok(Grain::Minute),
            Some("hour") => Ok(Grain::Hour),
            Some(other) => Err(Problem::invalid("grain", other, "minute or hour")),
        }
    }

    /// From and to, in milliseconds, cut to whole steps.
    fn span(&self, grain: Grain, now: Timestamp) -> Result<(i64, i64), Problem> {
        let (step, usual, most, expectation) = match grain {
            Grain::Minute => (MINUTE_MS, 2 * DAY_MS, MINUTES_SPAN_MS, "less than 3 days before `to` (or grain=hour)"),
            Grain::Hour => (HOUR_MS, 396 * DAY_MS, HOURS_SPAN_MS, "less than 400 days before `to`"),
        };
        let to = instant("to", self.to.as_deref())?.unwrap_or(now.ms());
        let from = instant("from", self.from.as_deref())?.unwrap_or(to - usual);
        let shown = self.from.as_deref().unwrap_or("");
        if from >= to {
            return Err(Problem::invalid("from", shown, "an instant before `to`"));
        }
        if to - from > most {
            return Err(Problem::invalid("from", shown, expectation));
        }
        Ok((from.div_euclid(step) * step, to.div_euclid(step) * step + step))
    }
}

/// Milliseconds of an instant, if one is given.
fn instant(field: &str, text: Option<&str>) -> Result<Option<i64>, Problem> {
    text.map(|text| time_of(field, text).map(Timestamp::ms)).transpose()
}

pub(in crate::web) async fn values(State(web): State<Shared>, Query(asked): Query<Asked>) -> Answered {
    let needed = |field: &str, value: &Option<String>| {
        value
            .clone()
            .ok_or_else(|| Problem::invalid(field, "", "to be given (GET /hosts/{host}/trends lists readings)"))
    };
    let (host, reading) = (needed("host", &asked.host)?, needed("reading", &asked.reading)?);
    if !READINGS.iter().any(|known| known.name == reading) {
        let names: Vec<_> = READINGS.iter().map(|known| known.name).collect();
        return Err(Problem::invalid("reading", &reading, &format!("one of {}", names.join(", "))));
    }
    let grain = asked.grain()?;
    let (from, to) = asked.span(grain, web.now())?;
    let host = find(&web.snapshot(), &host)?;
    let history = web.history(host.profile.no, Timestamp::from_ms(from), Timestamp::from_ms(to)).await?;
    let wanted = |series: &Series| {
        series.reading().name == reading && asked.part.as_deref().is_none_or(|part| *part == *series.part)
    };
    let items: Vec<Value> = history
        .series()
        .iter()
        .filter(|series| wanted(series))
        .map(|series| item(&history, series, grain, from, to))
        .collect();
    Ok(Json(json!({
        "host": host.profile.id, "grain": if grain == Grain::Minute { "minute" } else { "hour" },
        "from": Timestamp::from_ms(from).to_string(), "to": Timestamp::from_ms(to).to_string(),
        "step_seconds": if grain == Grain::Minute { 60 } else { 3600 }, "items": items,
    })))
}

fn item(history: &History, series: &Series, grain: Grain, from: i64, to: i64) -> Value {
    let mut item = described(series);
    // JSON knows no NaN: gaps are null.
    item["values"] = match grain {
        Grain::Minute => json!(history.minutes(series, from / MINUTE_MS, to / MINUTE_MS)),
        Grain::Hour => {
            let hour =
                |hour: Option<Hour>| hour.map(|hour| json!({ "min": hour.min, "mean": hour.mean, "max": hour.max }));
            json!(history.hours(series, from / HOUR_MS, to / HOUR_MS).into_iter().map(hour).collect::<Vec<_>>())
        }
    };
    item
}

fn described(series: &Series) -> Value {
    let reading = series.reading();
    json!({ "reading": reading.name, "part": series.part, "label": reading.label, "unit": reading.unit.word() })
}

pub(in crate::web) async fn of_host(State(web): State<Shared>, Path(host): Path<String>) -> Answered {
    let host = find(&web.snapshot(), &host)?;
    let now = web.now();
    let history = web.history(host.profile.no, now.plus_ms(-MINUTES_SPAN_MS), now).await?;
    let filling = filling(&history.minutes);
    let item = |series: &Series| {
        let mut item = described(series);
        let forecast = filling.iter().find(|filling| is_about(filling, series));
        item["full"] = forecast.map_or(Value::Null, full);
        item
    };
    Ok(page_of(history.series().iter().map(item).collect(), None))
}

fn is_about(filling: &Filling, series: &Series) -> bool {
    series.reading().name == "filesystem_avail_bytes" && series.part == filling.mount_point
}

/// When a file system will be full; a time that the figures do not bound is null.
fn full(filling: &Filling) -> Value {
    let forecast = &filling.forecast;
    json!({
        "in_hours": forecast.hours, "soonest_in_hours": forecast.low, "latest_in_hours": forecast.high,
        "bytes_per_hour": forecast.bytes_per_hour, "of_hours": forecast.of_hours, "as_of": filling.at.to_string(),
    })
}

impl Web {
    /// What is known of a host's past: stored rows, and what its slot still holds.
    pub(in crate::web) async fn history(
        &self,
        host: HostNo,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<History, Problem> {
        // The slot first: what is written in between is then seen twice, not missed.
        let held = self.context.slots.find(host).map(|slot| slot.trends()).unwrap_or_default();
        let mut history = self.context.store.trends(host, from, to).await?;
        history.minutes.extend(held);
        Ok(history)
    }
}
