//! `maintenance ...` and `silence ...`: when nobody is paged.

use jiff::{Zoned, civil, tz::TimeZone};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CliError,
    arguments::{Covered, MaintenanceTask, NewWindow, SilenceTask},
    commands::{Desk, object},
    print::{self, Column},
};

const HOLDS: [Column; 8] = [
    ("no", "number"),
    ("state", "state"),
    ("covers", "covers"),
    ("when", "when"),
    ("change", "change"),
    ("reason", "reason"),
    ("by", "by"),
    ("not back", "not_back"),
];

impl Desk {
    pub(super) async fn maintenance(&self, task: MaintenanceTask) -> Result<(), CliError> {
        match task {
            MaintenanceTask::Add(window) => self.add_hold("/maintenance", window_body(*window)?).await,
            MaintenanceTask::List => self.list("/maintenance", "", &HOLDS).await,
            MaintenanceTask::Cancel { number } => {
                self.done(Method::DELETE, &format!("/maintenance/{number}"), None).await
            }
        }
    }

    pub(super) async fn silence(&self, task: SilenceTask) -> Result<(), CliError> {
        match task {
            SilenceTask::Add(silence) => self.add_hold("/silences", body(silence.covered)?).await,
            SilenceTask::List => self.list("/silences", "", &HOLDS).await,
            SilenceTask::Expire { number } => self.done(Method::DELETE, &format!("/silences/{number}"), None).await,
        }
    }

    async fn add_hold(&self, path: &str, body: Value) -> Result<(), CliError> {
        let answer = self.client.post(path, body).await?;
        if self.json { print::json(&answer) } else { print::thing(&answer) }
    }
}

fn window_body(window: NewWindow) -> Result<Value, CliError> {
    let mut asked = body(window.covered)?;
    asked["change"] = window.change.into();
    if let Some(seconds) = window.flexible {
        asked["flexible_seconds"] = seconds.into();
    }
    if let Some(at) = window.at {
        asked["every"] = recurring(window.every, &window.month_days, &at, window.zone)?;
    }
    Ok(asked)
}

/// When something recurs: `--every`, `--month-days`, `--at`, `--zone`.
pub(super) fn recurring(
    every: Option<String>,
    month_days: &[i8],
    at: &str,
    zone: Option<String>,
) -> Result<Value, CliError> {
    let (start, end) = at.split_once('-').ok_or_else(|| wrong("--at", at, "two times such as 22:00-04:00"))?;
    let every = every.unwrap_or_default();
    let days: Vec<&str> = every.split(',').map(str::trim).filter(|day| !day.is_empty() && *day != "day").collect();
    let zone = match zone {
        Some(zone) => zone,
        None => own_zone()?,
    };
    Ok(json!({ "days": days, "month_days": month_days, "start": start.trim(), "end": end.trim(), "zone": zone }))
}

fn body(covered: Covered) -> Result<Value, CliError> {
    let mut body = json!({
        "hosts": covered.hosts, "sites": covered.sites, "labels": object(covered.labels), "all": covered.all,
        "reason": covered.reason, "dry_run": covered.dry_run,
    });
    let times = [("from", covered.from), ("until", covered.until)];
    for (field, text) in times.into_iter().filter_map(|(field, text)| Some((field, text?))) {
        body[field] = time(field, &text)?.into();
    }
    let more = [
        ("class", covered.class.map(Value::from)),
        ("what", covered.what.map(Value::from)),
        ("for_seconds", covered.lasts.map(Value::from)),
    ];
    for (field, value) in more.into_iter().filter_map(|(field, value)| Some((field, value?))) {
        body[field] = value;
    }
    Ok(body)
}

/// A time as people write it - `22:00` (the next one), `2026-12-05 22:00`, or with an offset - in RFC 3339.
pub(super) fn time(field: &str, text: &str) -> Result<String, CliError> {
    let expected = "22:00, 2026-12-05 22:00, or 2026-12-05T22:00:00+01:00";
    let wrong_time = || wrong(&format!("--{field}"), text, expected);
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(instant.to_string());
    }
    let zone = TimeZone::system();
    if let Ok(day_time) = text.parse::<civil::DateTime>() {
        return day_time.to_zoned(zone).map(|at| at.timestamp().to_string()).map_err(|_| wrong_time());
    }
    let clock = text.parse::<civil::Time>().map_err(|_| wrong_time())?;
    let now = Zoned::now().with_time_zone(zone.clone());
    let on = |date: civil::Date| date.to_datetime(clock).to_zoned(zone.clone()).map_err(|_| wrong_time());
    let today = on(now.date())?;
    let next = if today > now { today } else { on(now.date().tomorrow().map_err(|_| wrong_time())?)? };
    Ok(next.timestamp().to_string())
}

fn own_zone() -> Result<String, CliError> {
    let zone = TimeZone::system();
    zone.iana_name()
        .map(str::to_owned)
        .ok_or_else(|| wrong("--zone", "none", "the name of a zone such as Europe/Berlin"))
}

fn wrong(option: &str, value: &str, expected: &str) -> CliError {
    CliError::Usage(format!("{option} {value:?} is not understood: expected {expected}"))
}
