//! Maintenance windows and silences: what lasts and is to come, and one looked at before it is saved.

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Query, State as Given},
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;

use super::{Badge, Frame, Shown, show, trends::zone_words};
use crate::{
    domain::{
        calendar::Span,
        event::Command,
        hold::{Hold, Kind},
        ids::HoldNo,
        oncall::{during::OnDuty, rotation::Shift},
        time::Timestamp,
    },
    web::{
        Shared, Web,
        access::Caller,
        api::holds::{NewHold, hosts_of, stands},
        problem::{Problem, settled},
        words,
    },
};

/// Names shown beforehand, and of those that were not back.
const NAMES: usize = 20;
/// Occurrences shown beforehand.
const TIMES: usize = 5;
/// Hand-overs of a rotation told for each of them.
const HAND_OVERS: usize = 4;
/// How long it may last, in seconds, with words.
const LASTS: [(i64, &str); 9] = [
    (1_800, "30 minutes"),
    (3_600, "1 hour"),
    (7_200, "2 hours"),
    (14_400, "4 hours"),
    (28_800, "8 hours"),
    (43_200, "12 hours"),
    (86_400, "1 day"),
    (259_200, "3 days"),
    (604_800, "1 week"),
];

/// The form's fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    kind: String,
    host: String,
    site: String,
    what: String,
    from: String,
    lasts: i64,
    reason: String,
    change: String,
    look: String,
    action: String,
    number: i64,
    back: String,
}

impl Asked {
    fn is_silence(&self) -> bool {
        self.kind == "silence"
    }

    fn kind(&self) -> Kind {
        if self.is_silence() { Kind::Silence } else { Kind::Maintenance }
    }

    fn hold(&self, web: &Web) -> Result<Hold, Problem> {
        let listed = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let from = match self.from.as_str() {
            "" => None,
            text => {
                let wrong = |_| Problem::invalid("from", text, "a day and a time");
                let begins = text.parse::<jiff::civil::DateTime>().and_then(|at| at.to_zoned(web.zone.clone()));
                Some(begins.map_err(wrong)?.timestamp().to_string())
            }
        };
        let what = Some(self.what.trim().to_owned()).filter(|what| !what.is_empty());
        let mut asked = NewHold::once(listed(&self.host), listed(&self.site), what, from, self.lasts.max(1));
        (asked.reason, asked.change) = (self.reason.trim().into(), self.change.trim().into());
        asked.checked(self.kind(), web.now())
    }

    fn hidden(&self) -> Vec<(&'static str, String)> {
        let fields = [
            ("kind", self.kind().word().to_owned()),
            ("host", self.host.clone()),
            ("site", self.site.clone()),
            ("what", self.what.clone()),
            ("from", self.from.clone()),
            ("lasts", self.lasts.to_string()),
            ("reason", self.reason.clone()),
            ("change", self.change.clone()),
        ];
        fields.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}

struct Line {
    number: HoldNo,
    name: String,
    state: Badge,
    covers: String,
    when: String,
    /// The present or next occurrence, where that is not all there is.
    next: Option<String>,
    reason: String,
    by: String,
    not_back: String,
    is_over: bool,
}

struct Preview {
    title: String,
    covers: String,
    count: String,
    hosts: String,
    /// Each occurrence, and who has each rotation then.
    times: Vec<(String, Vec<String>)>,
    hidden: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "maintenance.html")]
struct MaintenancePage {
    frame: Frame,
    preview: Option<Preview>,
    present: Vec<Line>,
    past: Vec<Line>,
    asked: Asked,
    open: bool,
    zone: String,
    choices: [(i64, &'static str); 9],
}

/// The list, with the form filled in by what was asked, and what that would cover.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Query(mut asked): Query<Asked>,
) -> Shown {
    let (snapshot, now) = (web.snapshot(), web.now());
    if asked.lasts == 0 {
        asked.lasts = 7_200;
    }
    let preview = if asked.look.is_empty() { None } else { Some(preview(&web, &asked)?) };
    let (past, mut present): (Vec<&Hold>, Vec<&Hold>) = snapshot.holds.iter().partition(|hold| hold.is_over(now));
    present.sort_by_key(|hold| (hold.at(now).is_none(), hold.turns_after(now)));
    let line = |hold: &&Hold| line(hold, now, &web);
    show(&MaintenancePage {
        frame: Frame::new(&web, &caller, "incidents", "Maintenance"),
        preview,
        present: present.iter().map(line).collect(),
        past: past.iter().rev().map(line).collect(),
        open: !asked.host.is_empty() || !asked.what.is_empty(),
        asked,
        zone: zone_words(&web, now),
        choices: LASTS,
    })
}

fn times(from: Timestamp, until: Timestamp, web: &Web) -> String {
    format!("{} to {}", words::clock_time(from, &web.zone), words::clock_time(until, &web.zone))
}

fn line(hold: &Hold, now: Timestamp, web: &Web) -> Line {
    let state = match stands(hold, now) {
        "lasting" => Badge { class: "warning", sign: "◐", word: "lasts".into() },
        "to_come" => Badge { class: "quiet", sign: "○", word: "to come".into() },
        _ => Badge { class: "quiet", sign: "✓", word: "over".into() },
    };
    let when = match &hold.when {
        crate::domain::hold::When::Once(span) => times(span.from, span.until, web),
        other => other.words(),
    };
    let next = hold.at(now).or_else(|| hold.following(now).next()).map(|span| times(span.from, span.until, web));
    let not_back = hold.outcome.as_ref().map_or(&[][..], |outcome| &outcome.not_back);
    Line {
        number: hold.no,
        name: hold.name(),
        state,
        covers: hold.scope.words(),
        next: next.filter(|next| *next != when),
        when,
        reason: hold.reason.clone(),
        by: hold.by.clone(),
        not_back: not_back.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", "),
        is_over: hold.is_over(now),
    }
}

fn preview(web: &Web, asked: &Asked) -> Result<Preview, Problem> {
    let hold = asked.hold(web)?;
    let now = web.now();
    let hosts = hosts_of(&web.snapshot(), &hold.scope);
    let more = hosts.len().saturating_sub(NAMES);
    let mut names: Vec<String> = hosts.iter().take(NAMES).cloned().collect();
    names.extend((more > 0).then(|| format!("{} more", words::count(more))));
    let spans = hold.at(now).into_iter().chain(hold.following(now)).take(TIMES);
    Ok(Preview {
        title: format!("{}: {}", hold.kind.word(), hold.reason),
        covers: hold.scope.words(),
        count: match hosts.len() {
            1 => "1 host".into(),
            many => format!("{} hosts", words::count(many)),
        },
        hosts: names.join(", "),
        times: spans.map(|span| (times(span.from, span.until, web), on_duty(span, web))).collect(),
        hidden: asked.hidden(),
    })
}

/// `ops: ann until Mon 09:00, then bob`, a line for each rotation.
fn on_duty(span: Span, web: &Web) -> Vec<String> {
    let mut rotations: Vec<(String, Vec<Shift>)> = Vec::new();
    for OnDuty { rotation, shift } in web.on_duty(span) {
        match rotations.last_mut().filter(|(known, _)| *known == rotation) {
            Some((_, shifts)) => shifts.push(shift),
            None => rotations.push((rotation, vec![shift])),
        }
    }
    let line = |(rotation, shifts): (String, Vec<Shift>)| {
        let who = |shift: &Shift| shift.person.clone().unwrap_or_else(|| "nobody".into());
        let until = |shift: &Shift| words::clock_time(shift.span.from, &web.zone);
        let first = shifts.first().map(who).unwrap_or_default();
        let later = shifts.iter().skip(1).take(HAND_OVERS);
        let later: String = later.map(|shift| format!(" until {}, then {}", until(shift), who(shift))).collect();
        let more = if shifts.len() > HAND_OVERS + 1 { ", and so on" } else { "" };
        format!("{rotation}: {first}{later}{more}")
    };
    rotations.into_iter().map(line).collect()
}

/// Saves what was looked at, or ends one.
pub(in crate::web) async fn act(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Form(asked): Form<Asked>,
) -> Shown {
    let command = match asked.action.as_str() {
        "add" => Command::AddHold(Box::new(asked.hold(&web)?)),
        "end" => Command::EndHold(HoldNo(asked.number)),
        other => return Err(Problem::invalid("action", other, "add or end").into()),
    };
    settled(web.context.mailbox.command(caller.principal(), command).await.map_err(Problem::from)?)?;
    // Only back to an incident of ours.
    let back = asked.back.parse::<i64>().map_or("/maintenance".to_owned(), |no| format!("/incidents/{no}"));
    Ok(Redirect::to(&back).into_response())
}
