//! "Not a problem": what can be chosen for an incident, a choice looked at or saved, and taken back.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answered, done,
    holds::Every,
    incidents::{number_of, unknown},
    time_of,
};
use crate::{
    domain::{
        calendar::{Recurring, WEEKDAYS},
        dismissal::Dismissal,
        ids::{DismissalNo, IncidentNo},
        snapshot::{IncidentView, Snapshot},
        time::Timestamp,
    },
    web::{
        Shared,
        access::Caller,
        not_a_problem::{OfferedLimit, Plan, Wish, Wished},
        problem::{Body, Problem},
    },
};

/// A choice as asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewDismissal {
    choice: String,
    #[serde(default)]
    reason: String,
    /// `name=value`: for all hosts with this label.
    label: Option<String>,
    #[serde(default)]
    limits: BTreeMap<String, String>,
    severity: Option<String>,
    every: Option<Every>,
    owner: Option<String>,
    until: Option<String>,
    for_seconds: Option<i64>,
    #[serde(default)]
    dry_run: bool,
}

impl NewDismissal {
    fn wish(self, suggested: impl FnOnce() -> Result<Recurring, Problem>, now: Timestamp) -> Result<Wish, Problem> {
        let choice = match self.choice.as_str() {
            "threshold" => {
                let is_info = |word: &String| word == "info";
                if let Some(word) = self.severity.as_ref().filter(|word| !is_info(word)) {
                    return Err(Problem::invalid("severity", word, "info: seen, and paging nobody"));
                }
                Wished::Threshold { limits: self.limits.into_iter().collect(), severity: self.severity }
            }
            "expected" => Wished::Expected(match &self.every {
                Some(every) => every.checked()?,
                None => suggested()?,
            }),
            "never" => {
                let until = match (&self.until, self.for_seconds) {
                    (Some(text), None) => time_of("until", text)?,
                    (None, Some(seconds)) => now.plus_ms(seconds.saturating_mul(1_000)),
                    _ => return Err(Problem::invalid("until", "", "an end: until or for_seconds")),
                };
                Wished::Never { owner: self.owner.unwrap_or_default(), until }
            }
            "false_alarm" => Wished::FalseAlarm,
            other => return Err(Problem::invalid("choice", other, "threshold, expected, never or false_alarm")),
        };
        Ok(Wish { choice, label: self.label.as_deref().map(label_of).transpose()?, reason: self.reason })
    }
}

/// `name=value`
pub(in crate::web) fn label_of(text: &str) -> Result<(String, String), Problem> {
    let pair = text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| Problem::invalid("label", text, "a label such as environment=dev"))
}

/// The incident of a path.
pub(in crate::web) fn incident(snapshot: &Snapshot, number: &str) -> Result<Arc<IncidentView>, Problem> {
    let no = number_of(number)?;
    snapshot.incidents.get(&no).cloned().ok_or_else(|| unknown(no))
}

/// What was said of an incident, newest last.
pub(in crate::web) fn said_of(snapshot: &Snapshot, no: IncidentNo) -> Vec<Value> {
    snapshot.dismissals.iter().filter(|said| said.incident == no).map(said_json).collect()
}

fn said_json(said: &Dismissal) -> Value {
    json!({
        "number": said.no, "choice": said.choice.word(), "does": said.choice.words(), "reason": said.reason,
        "by": said.by, "via": said.via, "made": said.made.to_string(), "from": said.from.to_string(),
        "until": said.until.to_string(), "says": said.tally.words(),
        "taken_back": said.withdrawn.as_ref().map(|(at, _)| at.to_string()),
        "taken_back_by": said.withdrawn.as_ref().map(|(_, by)| by),
    })
}

/// What can be chosen.
pub(in crate::web) async fn show(State(web): State<Shared>, Path(number): Path<String>) -> Answered {
    let view = incident(&web.snapshot(), &number)?;
    let offer = web.offer(&view).await?;
    let limit = |limit: &OfferedLimit| json!({ "key": limit.key, "says": limit.says, "value": limit.present, "needed": limit.needed });
    let every = |recurring: &Recurring| {
        let days: Vec<&str> =
            recurring.weekdays.iter().filter_map(|day| WEEKDAYS.get(usize::try_from(day - 1).ok()?).copied()).collect();
        json!({
            "days": days, "start": recurring.start.strftime("%H:%M").to_string(),
            "end": recurring.end.strftime("%H:%M").to_string(), "zone": recurring.zone })
    };
    Ok(Json(json!({
        "limits": offer.limits.as_ref().map(|limits| limits.iter().map(limit).collect::<Vec<_>>()).unwrap_or_default(),
        "every": offer.window.as_ref().ok().map(every),
        "labels": offer.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>(),
        "said": said_of(&web.snapshot(), view.row.no),
    })))
}

/// Looks at a choice, or saves it.
pub(in crate::web) async fn add(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    Body(asked): Body<NewDismissal>,
) -> Answered {
    let view = incident(&web.snapshot(), &number)?;
    let dry_run = asked.dry_run;
    let window = web.offer(&view).await?.window;
    let suggested = || window.map_err(|why| Problem::invalid("choice", "expected", &why));
    let plan = web.plan(&view, asked.wish(suggested, web.now())?).await?;
    let mut answer = planned(&plan);
    if !dry_run {
        answer["number"] = web.dismiss(&caller, plan).await?.into();
    }
    Ok(Json(answer))
}

fn planned(plan: &Plan) -> Value {
    let tally = &plan.tally;
    json!({
        "number": null, "choice": plan.word(), "does": plan.does, "notes": plan.notes, "says": plan.says(),
        "pages": tally.pages, "spared": tally.spared, "missed": tally.missed, "cannot_tell": tally.cannot_tell,
        "missed_incidents": tally.missed_incidents,
    })
}

/// Takes back what was said.
pub(in crate::web) async fn take_back(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path((number, said)): Path<(String, String)>,
) -> Answered {
    let no = said.parse().map_err(|_| Problem::invalid("said", &said, "the number of what was said, such as 3"))?;
    web.take_back(&caller, number_of(&number)?, DismissalNo(no)).await?;
    Ok(done())
}
