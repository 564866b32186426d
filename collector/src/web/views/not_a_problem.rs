//! "Not a problem": the choices for an incident, one looked at before it is saved, and what was said so far.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, Query, State as Given},
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;

use super::{Badge, Frame, Shown, When, show, trends::zone_words};
use crate::{
    domain::{
        calendar::{Recurring, WEEKDAYS},
        ids::DismissalNo,
        snapshot::{IncidentView, Snapshot},
        time::Timestamp,
    },
    web::{
        Shared, Web,
        access::Caller,
        api::{
            holds::Every,
            incidents::number_of,
            not_a_problem::{incident, label_of},
        },
        not_a_problem::{OfferedLimit, Plan, Wish, Wished},
        problem::Problem,
    },
};

/// For how long nobody is paged, in days, with words.
const LASTS: [(i64, &str); 5] =
    [(7, "1 week"), (30, "30 days"), (90, "90 days"), (182, "half a year"), (366, "a year: then look again")];

/// The forms' fields; limits are called `limit_` and their key.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    choice: String,
    reason: String,
    on: String,
    severity: String,
    day: String,
    start: String,
    end: String,
    zone: String,
    owner: String,
    lasts: String,
    look: String,
    action: String,
    number: String,
    #[serde(flatten)]
    more: BTreeMap<String, String>,
}

impl Asked {
    fn limits(&self) -> Vec<(String, String)> {
        let of = |(name, text): (&String, &String)| {
            let text = text.trim();
            Some((name.strip_prefix("limit_")?.to_owned(), text.to_owned())).filter(|_| !text.is_empty())
        };
        self.more.iter().filter_map(of).collect()
    }

    fn wish(&self, now: Timestamp) -> Result<Wish, Problem> {
        let choice = match self.choice.as_str() {
            "threshold" => {
                let severity = Some(self.severity.clone()).filter(|word| word == "info");
                Wished::Threshold { limits: self.limits(), severity }
            }
            "expected" => Wished::Expected(self.every().checked()?),
            "never" => {
                let days: i64 = self.lasts.parse().map_err(|_| Problem::invalid("lasts", &self.lasts, "days"))?;
                Wished::Never { owner: self.owner.clone(), until: now.plus_ms(days.saturating_mul(86_400_000)) }
            }
            "false_alarm" => Wished::FalseAlarm,
            other => return Err(Problem::invalid("choice", other, "threshold, expected, never or false_alarm")),
        };
        let label = Some(&self.on).filter(|on| !on.is_empty()).map(|on| label_of(on)).transpose()?;
        Ok(Wish { choice, label, reason: self.reason.clone() })
    }

    fn every(&self) -> Every {
        let days = if self.day.is_empty() { Vec::new() } else { vec![self.day.clone()] };
        let time = |text: &String| text.trim().to_owned();
        Every { days, month_days: Vec::new(), start: time(&self.start), end: time(&self.end), zone: time(&self.zone) }
    }

    fn hidden(&self) -> Vec<(String, String)> {
        let fixed = [
            ("choice", &self.choice),
            ("reason", &self.reason),
            ("on", &self.on),
            ("severity", &self.severity),
            ("day", &self.day),
            ("start", &self.start),
            ("end", &self.end),
            ("zone", &self.zone),
            ("owner", &self.owner),
            ("lasts", &self.lasts),
        ];
        let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value.clone()));
        let limits = self.limits().into_iter().map(|(key, text)| (format!("limit_{key}"), text));
        fixed.chain(limits).filter(|(_, value)| !value.is_empty()).collect()
    }
}

struct Limit {
    key: &'static str,
    says: &'static str,
    present: String,
    filled: String,
}

/// What was said of an incident.
pub(super) struct Said {
    pub(super) number: i64,
    pub(super) words: String,
    pub(super) reason: String,
    pub(super) by: String,
    pub(super) made: When,
    pub(super) taken_back: Option<(String, When)>,
}

/// All that was said of an incident, newest first.
pub(super) fn said_of(snapshot: &Snapshot, view: &IncidentView, when: impl Fn(Timestamp) -> When) -> Vec<Said> {
    let about = snapshot.dismissals.iter().filter(|said| said.incident == view.row.no);
    about
        .rev()
        .map(|said| Said {
            number: said.no.0,
            words: said.choice.words(),
            reason: said.reason.clone(),
            by: said.by.clone(),
            made: when(said.made),
            taken_back: said.withdrawn.as_ref().map(|(at, who)| (who.clone(), when(*at))),
        })
        .collect()
}

struct Preview {
    does: String,
    says: String,
    notes: Vec<String>,
    reason: String,
    hidden: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "not_a_problem.html")]
struct ChoicesPage {
    frame: Frame,
    number: i64,
    title: String,
    state: Badge,
    severity: Badge,
    asked: Asked,
    preview: Option<Preview>,
    said: Vec<Said>,
    host: String,
    labels: Vec<String>,
    limits: Result<Vec<Limit>, String>,
    needs: Vec<String>,
    window: Result<Recurring, String>,
    days: [&'static str; 7],
    day: String,
    zone: String,
    lasts: [(i64, &'static str); 5],
    owner: String,
}

/// The choices, filled in, and what one of them would have meant.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    let snapshot = web.snapshot();
    let view = incident(&snapshot, &number)?;
    let preview = if asked.look.is_empty() { None } else { Some(preview(&web, &view, &asked).await?) };
    let (offer, now) = (web.offer(&view).await?, web.now());
    let limits = offer.limits.map(|limits| limits.into_iter().map(|limit| filled(&asked, limit)).collect());
    let day = offer.window.as_ref().ok().and_then(|window| window.weekdays.first().copied()).unwrap_or(1);
    let filled_limits: &[Limit] = limits.as_deref().unwrap_or_default();
    let needs = filled_limits.iter().filter(|limit| !limit.filled.is_empty());
    show(&ChoicesPage {
        frame: Frame::new(&web, &caller, "incidents", format!("Not a problem: #{number}")),
        number: view.row.no.0,
        title: view.row.title.clone(),
        state: Badge::incident(view.row.state),
        severity: Badge::severity(view.row.severity),
        preview,
        said: said_of(&snapshot, &view, |at| When::new(at, now, &web.zone)),
        host: view.host_name.clone(),
        labels: offer.labels.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        needs: needs.map(|limit| format!("{} {}", limit.key, limit.filled)).collect(),
        limits,
        window: offer.window,
        days: WEEKDAYS,
        day: crate::domain::calendar::weekday_word(day).to_owned(),
        zone: zone_words(&web, now),
        lasts: LASTS,
        owner: caller.signed_in().unwrap_or_default().to_owned(),
        asked,
    })
}

fn filled(asked: &Asked, limit: OfferedLimit) -> Limit {
    let given = asked.more.get(&format!("limit_{}", limit.key)).cloned();
    Limit {
        key: limit.key,
        says: limit.says,
        present: limit.present,
        filled: given.or(limit.needed).unwrap_or_default(),
    }
}

async fn preview(web: &Web, view: &std::sync::Arc<IncidentView>, asked: &Asked) -> Result<Preview, Problem> {
    let plan: Plan = web.plan(view, asked.wish(web.now())?).await?;
    Ok(Preview {
        says: plan.says(),
        does: plan.does,
        notes: plan.notes,
        reason: asked.reason.trim().to_owned(),
        hidden: asked.hidden(),
    })
}

/// Saves what was looked at, or takes back what was said.
pub(in crate::web) async fn act(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    Form(asked): Form<Asked>,
) -> Shown {
    let no = number_of(&number)?;
    match asked.action.as_str() {
        "save" => {
            let view = incident(&web.snapshot(), &number)?;
            let plan = web.plan(&view, asked.wish(web.now())?).await?;
            web.dismiss(&caller, plan).await?;
        }
        "take_back" => {
            let said = asked.number.parse().map_err(|_| Problem::invalid("number", &asked.number, "a number"))?;
            web.take_back(&caller, no, DismissalNo(said)).await?;
        }
        other => return Err(Problem::invalid("action", other, "save or take_back").into()),
    }
    Ok(Redirect::to(&format!("/incidents/{no}")).into_response())
}
