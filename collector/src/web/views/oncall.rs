//! Who is on call now and next, what happens when nobody takes an incident, and who was called.

use askama::Template;
use axum::{
    Extension, Form,
    extract::State as Given,
    response::{IntoResponse, Redirect},
};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{Frame, Shown, show};
use crate::{
    domain::{
        calendar::{self, Span},
        event::Command,
        ids::{AbsenceNo, OverrideNo},
        oncall::{
            Roster,
            absence::Absence,
            figures::{Answers, Load, Per},
            policy::Policy,
            rotation::Rotation,
            test_page::TestPageRow,
        },
        snapshot::Snapshot,
        time::Timestamp,
    },
    links::Whose,
    web::{
        Shared, Web,
        access::Caller,
        api::{
            absences::NewAbsence,
            calendars,
            figures::{self, USUAL_MS, ratio},
            oncall::{NewOverride, NewSwap, shifts},
        },
        problem::{Problem, settled},
        words,
    },
};

/// Absences shown.
const SHOWN_AWAY: usize = 50;
/// Shifts shown of each rotation.
const SHOWN: usize = 8;

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
    /// Where a calendar subscribes.
    calendar: String,
}

/// Somebody who is away.
struct AbsenceLine {
    number: i64,
    who: String,
    from: String,
    until: String,
    summary: String,
}

struct PolicyLines {
    name: String,
    steps: Vec<String>,
    repeat: u32,
    pause: String,
}

struct TestLine {
    person: String,
    confirmed: Option<String>,
    through: String,
    waits: Option<String>,
    is_missed: bool,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "on_call.html")]
struct OnCallPage {
    frame: Frame,
    rotations: Vec<RotationLines>,
    people: Vec<String>,
    absences: Vec<AbsenceLine>,
    tests: Vec<TestLine>,
    policies: Vec<PolicyLines>,
    loads: Vec<Load>,
    answers: Vec<String>,
}

/// The view.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    let (snapshot, now) = (web.snapshot(), web.now());
    let roster: &Roster = &web.context.config.roster;
    let span = Span { from: now.plus_ms(-USUAL_MS), until: now };
    let (loads, answers) = figures::of(&web, span, Per::Whole).await?;
    show(&OnCallPage {
        frame: Frame::new(&web, &caller, "on-call", "On call"),
        rotations: roster.rotations.values().map(|rotation| lines(rotation, &snapshot, &web, now)).collect(),
        people: roster.people.keys().cloned().collect(),
        absences: absences(&web, now),
        tests: snapshot.test_pages.iter().map(|row| test_line(row, &web.zone, now)).collect(),
        policies: roster.policies.values().map(policy_lines).collect(),
        loads,
        answers: answers_lines(&answers),
    })
}

/// Who is away, now or to come, by their own clocks.
fn absences(web: &Web, now: Timestamp) -> Vec<AbsenceLine> {
    let snapshot = web.snapshot();
    let mut alive: Vec<_> = snapshot.exceptions.absences.iter().filter(|one| one.withdrawn.is_none()).collect();
    alive.retain(|one| one.span.until > now);
    alive.sort_by_key(|one| (one.span.from, one.no));
    let line = |one: &&Absence| {
        let zone = web.context.config.roster.zone_of(&one.person).and_then(calendar::zone).unwrap_or(TimeZone::UTC);
        AbsenceLine {
            number: one.no.0,
            who: one.person.clone(),
            from: words::clock_time(one.span.from, &zone),
            until: words::clock_time(one.span.until, &zone),
            summary: one.summary.clone(),
        }
    };
    alive.iter().take(SHOWN_AWAY).map(line).collect()
}

fn lines(rotation: &Rotation, snapshot: &Snapshot, web: &Web, now: Timestamp) -> RotationLines {
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
        calendar: calendars::url(web, &Whose { rotation: Some(rotation.name.clone()), person: None }),
    }
}

fn test_line(row: &TestPageRow, zone: &TimeZone, now: Timestamp) -> TestLine {
    let waits = row.waits_until();
    TestLine {
        person: row.person.clone(),
        confirmed: row.confirmed.map(|at| words::clock_time(at, zone)),
        through: row.through.clone(),
        waits: waits.map(|until| words::clock_time(until, zone)),
        is_missed: waits.is_some_and(|until| until <= now),
        next: row.due.map(|at| words::clock_time(at, zone)),
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

/// How many somebody had and how soon, and how many nobody had.
fn answers_lines(answers: &Answers) -> Vec<String> {
    let of = |part: usize| {
        let share = ratio(part, answers.incidents).unwrap_or(0.0) * 100.0;
        format!("{part} of {} ({share:.0} %)", answers.incidents)
    };
    let taken = answers.median_ms.zip(answers.p90_ms).map(|(median, p90)| {
        let (count, median, p90) = (of(answers.acknowledged), words::duration(median), words::duration(p90));
        format!("Somebody had it: {count}, half of these within {median} of the first page, nine of ten within {p90}.")
    });
    let nobody = (answers.nobody > 0).then(|| {
        let (count, soon) = (of(answers.nobody), answers.by_itself);
        format!("Over without anybody: {count}, {soon} of these within 10 minutes of the first page.")
    });
    taken.into_iter().chain(nobody).collect()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Act {
    action: String,
    rotation: String,
    person: String,
    with: String,
    from: String,
    until: String,
    summary: String,
    confirm_gaps: String,
    number: i64,
}

impl Act {
    /// A form's time by the clocks of the rotation, or of the person where there is none, in RFC 3339.
    fn time(&self, roster: &Roster, field: &str, text: &str) -> Result<Option<String>, Problem> {
        if text.is_empty() {
            return Ok(None);
        }
        let named = roster.rotations.get(&self.rotation).map(|rotation| rotation.zone.as_str());
        let zone = named.or_else(|| roster.zone_of(&self.person)).and_then(calendar::zone);
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
        "swap" => {
            let (rotation, person, with) = (asked.rotation, asked.person, asked.with);
            NewSwap { rotation, person, with, turn: None, for_turn: None }.checked()?
        }
        "away" => {
            let (from, until) = (asked.time(roster, "from", &asked.from)?, asked.time(roster, "until", &asked.until)?);
            let confirm_gaps = !asked.confirm_gaps.is_empty();
            let (person, summary) = (asked.person, asked.summary);
            let away = NewAbsence { person, from, until, summary, confirm_gaps, ..NewAbsence::default() };
            Command::AddAbsences(Box::new(away.checked(&web)?.0))
        }
        "back" => Command::EndAbsence(AbsenceNo(asked.number)),
        "withdraw" => Command::EndOverride(OverrideNo(asked.number)),
        other => return Err(Problem::invalid("action", other, "override, swap, away, back or withdraw").into()),
    };
    settled(web.context.mailbox.command(caller.principal(), command).await.map_err(Problem::from)?)?;
    Ok(Redirect::to("/on-call").into_response())
}
