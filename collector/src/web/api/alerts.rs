//! Alerts from elsewhere: posted as to an Alertmanager, or forwarded by one, or by Grafana.
//!
//! Status codes are Alertmanager's (seen with 0.25), and like there the good alerts of a post are taken although others
//! in it are refused. Unlike there that is so for every kind of fault: one wrong date loses no page.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{StatusCode, header},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::Answered;
use crate::{
    domain::{
        alert::{Alert, Said, Source, Tally},
        event::{Answer, Command},
        time::Timestamp,
    },
    web::{
        Shared, Web,
        access::Caller,
        problem::{Problem, settled},
    },
};

/// The largest body: a thousand alerts with long annotations.
pub(in crate::web) const BODY_BYTES: usize = 4 << 20;
/// Most alerts of one post. Prometheus sends at most 256 at a time.
const ALERTS: usize = 2_000;
/// Faults that are named in an answer.
const FAULTS_NAMED: usize = 5;

/// One alert on the wire. What is unknown is passed over: newer senders and Grafana say more.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OnWire {
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    #[serde(rename = "generatorURL")]
    generator_url: Option<String>,
    /// Of a webhook: `firing` or `resolved`.
    status: Option<String>,
    /// Grafana's own dashboard of it.
    #[serde(rename = "dashboardURL")]
    dashboard_url: Option<String>,
}

/// Why one alert was not taken.
struct Refused(StatusCode, String);

impl From<String> for Refused {
    fn from(why: String) -> Self {
        Self(StatusCode::BAD_REQUEST, why)
    }
}

impl OnWire {
    fn parse(alert: &Value) -> Result<Self, Refused> {
        Self::deserialize(alert).map_err(|error| format!("it is not what is expected: {error}").into())
    }

    fn said(self) -> Result<Said, Refused> {
        let missing = || Refused(StatusCode::UNPROCESSABLE_ENTITY, "labels is missing, expected an object".into());
        let url = self.generator_url.unwrap_or_default();
        if !(url.is_empty() || url.starts_with('/') || reqwest::Url::parse(&url).is_ok()) {
            let shown: String = url.chars().take(80).collect();
            let why = format!("generatorURL is {shown:?}, expected an address such as http://prometheus:9090/graph");
            return Err(Refused(StatusCode::UNPROCESSABLE_ENTITY, why));
        }
        let mut annotations = self.annotations.unwrap_or_default();
        if let Some(dashboard) = self.dashboard_url.filter(|url| !url.is_empty()) {
            annotations.entry("dashboard_url".into()).or_insert(dashboard);
        }
        Ok(Said {
            labels: self.labels.ok_or_else(missing)?,
            annotations,
            starts: time("startsAt", self.starts_at)?,
            ends: time("endsAt", self.ends_at)?,
            url,
        })
    }
}

/// A time; the year 1 is Go's way of saying none.
fn time(field: &str, text: Option<String>) -> Result<Option<Timestamp>, Refused> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let at: jiff::Timestamp = text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        format!("{field} is {shown:?}, expected a time such as 2026-11-30T22:00:00Z")
    })?;
    let at = Timestamp::from_ms(at.as_millisecond());
    Ok((at > Timestamp::default()).then_some(at))
}

/// `POST /api/v2/alerts`
pub(in crate::web) async fn posted(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    let now = web.now();
    let body = json_of(&web, request).await?;
    let Value::Array(alerts) = body else {
        return Err(refuse(&web, StatusCode::BAD_REQUEST, "the body is no array of alerts"));
    };
    let read = |alert: &Value| {
        let said = OnWire::parse(alert)?.said()?;
        Alert::posted(said, now).map_err(|fault| Refused::from(fault.to_string()))
    };
    take(&web, &caller, &alerts, read).await
}

/// What a webhook forwards.
#[derive(Debug, Deserialize)]
struct Hook {
    version: Option<Value>,
    alerts: Vec<Value>,
    /// Only Grafana has organisations.
    #[serde(rename = "orgId")]
    org_id: Option<Value>,
}

/// `POST /api/v1/alerts/webhook`
pub(in crate::web) async fn webhook(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Answered {
    let now = web.now();
    let body = json_of(&web, request).await?;
    let hook = Hook::deserialize(&body).map_err(|error| {
        let why = format!("the body is no webhook of Alertmanager (version 4) or Grafana: {error}");
        refuse(&web, StatusCode::BAD_REQUEST, &why)
    })?;
    let source = if hook.org_id.is_some() { Source::Grafana } else { Source::Alertmanager };
    let is_known = hook.version.as_ref().is_none_or(|version| *version == "4");
    if source == Source::Alertmanager && !is_known {
        let why = format!("version is {}, expected \"4\"", hook.version.unwrap_or_default());
        return Err(refuse(&web, StatusCode::BAD_REQUEST, &why));
    }
    let read = |alert: &Value| {
        let alert = OnWire::parse(alert)?;
        let is_over = match alert.status.as_deref() {
            Some("firing") => false,
            Some("resolved") => true,
            other => return Err(format!("status is {other:?}, expected firing or resolved").into()),
        };
        Alert::forwarded(source, alert.said()?, is_over, now).map_err(|fault| Refused::from(fault.to_string()))
    };
    take(&web, &caller, &hook.alerts, read).await
}

async fn json_of(web: &Web, request: Request) -> Result<Value, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let shown: String = kind.chars().take(80).collect();
        let why = format!("Content-Type is {shown:?}, expected application/json");
        return Err(refuse(web, StatusCode::UNSUPPORTED_MEDIA_TYPE, &why));
    }
    let bytes = Bytes::from_request(request, &()).await.map_err(|refused| {
        refuse(web, refused.status(), &format!("the body cannot be read (4 MiB at most): {}", refused.body_text()))
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|error| refuse(web, StatusCode::BAD_REQUEST, &format!("the body is no JSON: {error}")))
}

/// A post of which nothing is taken.
fn refuse(web: &Web, status: StatusCode, why: &str) -> Problem {
    web.context.metrics.alerts.with_label_values(&["refused"]).inc();
    Problem::new(status, why)
}

/// Takes those that can be taken and says what is wrong with the others. Answers when it is durable.
async fn take(
    web: &Web,
    caller: &Caller,
    alerts: &[Value],
    read: impl Fn(&Value) -> Result<Alert, Refused>,
) -> Answered {
    if alerts.len() > ALERTS {
        let why = format!("{} alerts at once, at most {ALERTS} are taken: send them in several posts", alerts.len());
        return Err(refuse(web, StatusCode::PAYLOAD_TOO_LARGE, &why));
    }
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (index, alert) in alerts.iter().enumerate() {
        match read(alert) {
            Ok(alert) => good.push(alert),
            Err(refused) => bad.push((index, refused)),
        }
    }
    let mut tally = Tally::default();
    let taken = good.len();
    if !good.is_empty() {
        match web.context.mailbox.command(caller.principal(), Command::Alerts(good)).await? {
            Answer::Alerts(said) => tally = said,
            other => settled(other)?,
        }
    }
    count(web, &tally, bad.len());
    if tally.full > 0 {
        let why = format!("{} alerts were not taken: too many are open already", tally.full);
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, why));
    }
    if let Some((_, Refused(status, _))) = bad.first() {
        let named = bad.iter().take(FAULTS_NAMED).map(|(index, Refused(_, why))| format!("alert {index}: {why}"));
        let named = named.collect::<Vec<_>>().join("; ");
        let more = bad.len().saturating_sub(FAULTS_NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        return Err(Problem::new(*status, format!("{named}{more} ({taken} others were taken)")));
    }
    Ok(Json(json!({ "firing": tally.firing, "resolved": tally.resolved, "own": tally.own })))
}

fn count(web: &Web, tally: &Tally, refused: usize) {
    let outcomes = [
        ("firing", tally.firing),
        ("resolved", tally.resolved),
        ("own", tally.own),
        ("full", tally.full),
        ("refused", refused),
    ];
    for (outcome, count) in outcomes {
        web.context.metrics.alerts.with_label_values(&[outcome]).inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }
}
