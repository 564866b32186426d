//! One outage of an agreement's subject: what was measured of it, and what people say of it afterwards.

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, Query, State as Given},
    http::StatusCode,
    response::{IntoResponse, Redirect},
};
use jiff::{civil::DateTime, tz::TimeZone};
use serde::Deserialize;

use super::{
    Badge, Frame, Shown,
    service_levels::{Said, Told, percent, said, told, verdict},
    show,
};
use crate::{
    domain::{
        calendar::zone,
        sla::{
            amendment::Category,
            handling::of_span,
            outages::Outage,
            report::{Declared, Line, Report},
            subject::Subject,
        },
        time::Timestamp,
    },
    store::people::Role,
    web::{
        Shared, Web,
        access::Caller,
        api::{
            amendments::{NewCorrection, NewNote, put_correction, put_note},
            time_of,
        },
        problem::Problem,
        words,
    },
};

/// As forms write a day and a time.
const LOCAL: &str = "%Y-%m-%dT%H:%M:%S%.f";

/// Which outage, and what is said of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    /// The subject's key.
    subject: String,
    /// An instant of the outage.
    at: String,
    action: String,
    text: String,
    cause: String,
    disputed: String,
    ticket: String,
    state: String,
    from: String,
    until: String,
    reason: String,
}

/// The part of an address that names an outage.
pub(super) fn query(subject: &Subject, at: Timestamp) -> String {
    format!("subject={}&at={}", words::encode(&subject.key()), words::encode(&at.to_string()))
}

#[derive(Template)]
#[template(path = "outage.html")]
struct OutagePage {
    frame: Frame,
    agreement: String,
    /// The agreement's view of that period.
    back: String,
    /// This view.
    here: String,
    key: String,
    at: String,
    subject: String,
    from: String,
    to: String,
    open: bool,
    length: String,
    cause: String,
    category: Option<String>,
    evidence: String,
    disputed: bool,
    notes: Vec<String>,
    incidents: Vec<Told>,
    /// Verdict and availability of the subject, measured and, where that differs, agreed.
    measured: (Badge, String),
    agreed: Option<(Badge, String)>,
    said: Vec<Said>,
    /// Kinds of causes: the word, and how it is read.
    categories: [(&'static str, String); Category::ALL.len()],
    zone: String,
    local_from: String,
    local_until: String,
}

/// An outage where it stands in a report.
struct Found<'a> {
    declared: &'a Declared,
    report: Report,
    line: usize,
    outage: Outage,
    zone: TimeZone,
}

impl Found<'_> {
    fn line(&self) -> &Line {
        &self.report.lines[self.line]
    }

    fn name(&self) -> String {
        self.line().known.subject.name()
    }
}

async fn find<'a>(web: &Web, promised: &'a [Declared], name: &str, asked: &Asked) -> Result<Found<'a>, Problem> {
    let at = time_of("at", &asked.at)?;
    let of = |declared: &Declared| {
        zone(&declared.agreement.zone).ok_or_else(|| Problem::internal("a zone is not known any more"))
    };
    // Whose calendar that day is in is the agreement's to say; which of its declarations, the day's.
    let any = of(web.agreement(promised, name, None, None)?.declared)?;
    let day = local(at, &any).split('T').next().unwrap_or_default().to_owned();
    let declared = web.agreement(promised, name, None, Some(&day))?.declared;
    let zone = of(declared)?;
    let period = declared.period.at(at, &zone);
    let report = web.report_over(declared, period).await?;
    let line = report.lines.iter().position(|line| line.known.subject.key() == asked.subject);
    let line = line.ok_or_else(|| Problem::not_found(&format!("subject {:?} of this agreement", asked.subject)))?;
    let outage = report.lines[line].outages.iter().find(|outage| outage.span.holds(at)).cloned();
    let outage =
        outage.ok_or_else(|| Problem::not_found(&format!("outage at {at}: what was known of it has changed")))?;
    Ok(Found { declared, report, line, outage, zone })
}

/// The outage with its forms.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    let promised = web.promised();
    let found = find(&web, &promised, &name, &asked).await?;
    let handling = web.handling(&found.report).await?;
    let (line, outage, zone) = (found.line(), &found.outage, &found.zone);
    let path = format!("/service-levels/{}", words::encode_part(&name));
    let clock = |at| words::clock_time(at, zone);
    let incidents = handling.of(&line.known);
    show(&OutagePage {
        frame: Frame::new(&web, &caller, "service-levels", format!("Outage of {}", found.name())),
        back: format!("{path}?period={}", words::encode(&found.report.period.name)),
        here: format!("{path}/outage"),
        agreement: name,
        key: asked.subject,
        at: outage.span.from.to_string(),
        subject: found.name(),
        from: clock(outage.span.from),
        to: clock(outage.span.until),
        open: outage.open,
        length: words::duration(outage.span.until.since_ms(outage.span.from)),
        cause: outage.cause.clone(),
        category: outage.category.map(readable),
        evidence: if outage.evidence == outage.cause { String::new() } else { outage.evidence.clone() },
        disputed: outage.disputed,
        notes: outage.notes.clone(),
        incidents: of_span(outage.span, &incidents).map(told).collect(),
        measured: (verdict(&line.reckoning.figures), percent(line.reckoning.figures.availability)),
        agreed: line
            .agreed
            .as_ref()
            .map(|agreed| (verdict(&agreed.reckoning.figures), percent(agreed.reckoning.figures.availability))),
        said: said(line, zone),
        categories: Category::ALL.map(|category| (category.word(), readable(category))),
        zone: found.declared.agreement.zone.clone(),
        local_from: local(outage.span.from, zone),
        local_until: local(outage.span.until, zone),
    })
}

/// Saves a word or a correction.
pub(in crate::web) async fn act(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Form(asked): Form<Asked>,
) -> Shown {
    let promised = web.promised();
    let found = find(&web, &promised, &name, &asked).await?;
    let of = &found.line().known.subject;
    // A host may be called as a service is.
    let subject = if matches!(of, Subject::Service { .. }) { of.key() } else { of.name() };
    let ticket = asked.ticket.trim().to_owned();
    match asked.action.as_str() {
        "note" => {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let disputed = if asked.disputed.is_empty() { found.outage.disputed.then_some(false) } else { Some(true) };
            let (at, text) = (asked.at.clone(), asked.text.trim().to_owned());
            put_note(&web, &caller, NewNote { subject, at, text, cause: some(&asked.cause), disputed, ticket }).await?;
        }
        "correct" if caller.role < Role::Admin => {
            let why = "correcting what was measured needs an admin: sign in as one, or add a note";
            return Err(Problem::new(StatusCode::FORBIDDEN, why).into());
        }
        "correct" => {
            let span = found.outage.span;
            let from = instant("from", &asked.from, span.from, &found.zone)?;
            let until = instant("until", &asked.until, span.until, &found.zone)?;
            let asked = NewCorrection {
                subjects: vec![subject],
                state: asked.state.clone(),
                from: from.to_string(),
                until: until.to_string(),
                reason: asked.reason.trim().to_owned(),
                ticket,
                dry_run: false,
            };
            put_correction(&web, &caller, asked).await?;
        }
        other => return Err(Problem::invalid("action", other, "note or correct").into()),
    }
    let here = format!("/service-levels/{}/outage", words::encode_part(&name));
    let at = query(&found.line().known.subject, found.outage.span.from);
    Ok(Redirect::to(&format!("{here}?{at}")).into_response())
}

fn readable(category: Category) -> String {
    category.word().replace('_', " ")
}

fn local(at: Timestamp, zone: &TimeZone) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.ms());
    instant.map_or_else(|_| String::new(), |at| at.to_zoned(zone.clone()).strftime(LOCAL).to_string())
}

/// A day and a time as they stand in a form; what was not touched is the very instant, also in the hour that comes twice.
fn instant(field: &str, text: &str, shown: Timestamp, zone: &TimeZone) -> Result<Timestamp, Problem> {
    let wrong = || Problem::invalid(field, text, "a day and a time, such as 2026-10-05T09:10:00");
    let read: DateTime = text.trim().parse().map_err(|_| wrong())?;
    if local(shown, zone).parse::<DateTime>().is_ok_and(|shown| shown == read) {
        return Ok(shown);
    }
    let at = read.to_zoned(zone.clone()).map_err(|_| wrong())?;
    Ok(Timestamp::from_ms(at.timestamp().as_millisecond()))
}
