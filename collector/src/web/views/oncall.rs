//! Who is on call now and next, what happens when nobody takes an incident, and who was called.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Extension, Form,
    extract::State as Given,
    response::{IntoResponse, Redirect},
};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Frame, Shown, show, trends::zone_words};
use crate::{
    domain::{
        calendar,
        event::Command,
        ids::OverrideNo,
        oncall::{Roster, policy::Policy, rotation::Rotation},
        record::PageKind,
        snapshot::Snapshot,
        time::Timestamp,
    },
    web::{
        Shared,
        access::Caller,
        api::oncall::{NewOverride, shifts},
        problem::{Problem, settled},
        words,
    },
};

/// Shifts shown of each rotation.
const SHOWN: usize = 8;
/// The night, by the clock: from this hour on, and before that one.
const NIGHT: (i8, i8) = (22, 7);

struct ShiftLine {
    who: Option<String>,
    from: String,
    until: String,
    override_no: Option<i64>,
}

struct RotationLines {
    name: String,
    zone: String,
    now: Option<String>,
    stands_in: bool,
    until: Option<String>,
    next: Option<String>,
    shifts: Vec<ShiftLine>,
}

struct PolicyLines {
    name: String,
    steps: Vec<String>,
    repeat: u32,
    pause: String,
}

#[derive(Template)]
#[template(path = "on_call.html")]
struct OnCallPage {
    frame: Frame,
    rotations: Vec<RotationLines>,
    people: Vec<String>,
    policies: Vec<PolicyLines>,
    /// Person, pages, pages at night.
    counts: Vec<(String, usize, usize)>,
    zone: String,
}

/// The view.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    let (snapshot, now) = (web.snapshot(), web.now());
    let roster: &Roster = &web.context.config.roster;
    show(&OnCallPage {
        frame: Frame::new(&web, &caller, "on-call", "On call"),
        rotations: roster.rotations.values().map(|rotation| lines(rotation, &snapshot, now)).collect(),
        people: roster.people.keys().cloned().collect(),
        policies: roster.policies.values().map(policy_lines).collect(),
        counts: counts(&snapshot, &web.zone),
        zone: zone_words(&web, now),
    })
}

fn lines(rotation: &Rotation, snapshot: &Snapshot, now: Timestamp) -> RotationLines {
    let zone = calendar::zone(&rotation.zone).unwrap_or(TimeZone::UTC);
    let all = shifts(rotation, snapshot, now);
    let first = all.first();
    let shown = all.iter().take(SHOWN).enumerate().map(|(n, shift)| ShiftLine {
        who: shift.person.clone(),
        from: if n == 0 { "now".into() } else { words::clock_time(shift.span.from, &zone) },
        until: words::clock_time(shift.span.until, &zone),
        override_no: shift.override_no.map(|no| no.0),
    });
    RotationLines {
        name: rotation.name.clone(),
        zone: rotation.zone.clone(),
        now: first.and_then(|shift| shift.person.clone()),
        stands_in: first.is_some_and(|shift| shift.override_no.is_some()),
        until: all.get(1).map(|shift| words::clock_time(shift.span.from, &zone)),
        next: all.get(1).map(|shift| shift.person.clone().unwrap_or_else(|| "nobody".into())),
        shifts: shown.collect(),
    }
}

fn policy_lines(policy: &Policy) -> PolicyLines {
    let steps = policy.steps.iter().map(|step| {
        let targets: Vec<String> = step.targets.iter().map(|target| target.words()).collect();
        let when =
            if step.after_ms == 0 { "at once".into() } else { format!("after {}", words::duration(step.after_ms)) };
        format!("{when}: {}", targets.join(", "))
    });
    PolicyLines {
        name: policy.name.clone(),
        steps: steps.collect(),
        repeat: policy.repeat,
        pause: words::duration(policy.pause_ms),
    }
}

/// Calls to each person: pages of a problem or of its going on, not of its end.
fn counts(snapshot: &Snapshot, zone: &TimeZone) -> Vec<(String, usize, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let pages = snapshot.incidents.values().flat_map(|view| &view.pages);
    for page in pages.filter(|page| matches!(page.kind, PageKind::Opened | PageKind::Updated)) {
        let Some(person) = &page.person else { continue };
        let hour = calendar::instant(page.decided).to_zoned(zone.clone()).hour();
        let count = counts.entry(person.clone()).or_default();
        count.0 += 1;
        count.1 += usize::from(hour >= NIGHT.0 || hour < NIGHT.1);
    }
    counts.into_iter().map(|(person, (all, night))| (person, all, night)).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Act {
    action: String,
    rotation: String,
    person: String,
    from: String,
    until: String,
    number: i64,
}

impl Act {
    /// A form's time by the clocks of the rotation, in RFC 3339.
    fn time(&self, roster: &Roster, field: &str, text: &str) -> Result<Option<String>, Problem> {
        if text.is_empty() {
            return Ok(None);
        }
        let zone = roster.rotations.get(&self.rotation).and_then(|rotation| calendar::zone(&rotation.zone));
        let wrong = || Problem::invalid(field, text, "a day and a time");
        let wall: jiff::civil::DateTime = text.parse().map_err(|_| wrong())?;
        let at = wall.to_zoned(zone.unwrap_or(TimeZone::UTC)).map_err(|_| wrong())?;
        Ok(Some(at.timestamp().to_string()))
    }
}

/// Saves who stands in, or withdraws that.
pub(in crate::web) async fn act(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Form(asked): Form<Act>,
) -> Shown {
    let roster = &web.context.config.roster;
    let command = match asked.action.as_str() {
        "override" => {
            let new = NewOverride {
                from: asked.time(roster, "from", &asked.from)?,
                until: asked.time(roster, "until", &asked.until)?,
                rotation: asked.rotation,
                person: asked.person,
                instead_of: None,
                for_seconds: None,
            };
            Command::AddOverride(Box::new(new.checked(web.now())?))
        }
        "withdraw" => Command::EndOverride(OverrideNo(asked.number)),
        other => return Err(Problem::invalid("action", other, "override or withdraw").into()),
    };
    settled(web.context.mailbox.command(caller.principal(), command).await.map_err(Problem::from)?)?;
    Ok(Redirect::to("/on-call").into_response())
}
