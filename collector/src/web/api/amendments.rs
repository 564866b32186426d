//! What people say of service levels afterwards: corrections, windows that do not count, words about outages. Each names
//! who, why and a ticket; none edits what was measured.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answered, done,
    holds::{checked_reason, one_line},
    hosts::find,
    list as page_of, time_of,
};
use crate::{
    domain::{
        calendar::Span,
        hold::Kind,
        host::checks::CheckRow,
        ids::{AmendmentNo, HoldNo},
        sla::{
            amendment::{Amendment, Category, LONGEST_MS, Says, Was, Withdrawn},
            report::Declared,
            subject::Subject,
        },
        snapshot::{HostView, Snapshot},
    },
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
    },
};

/// Most subjects of one correction.
const SUBJECTS: usize = 200;

/// All of them, newest first, withdrawn ones too.
pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let amendments = web.context.store.amendments().await?;
    Ok(page_of(amendments.iter().rev().map(|one| to_json(&web, one)).collect(), None))
}

fn to_json(web: &Web, one: &Amendment) -> Value {
    let (mut subjects, mut window) = (Vec::new(), None);
    match &one.says {
        Says::Was { subjects: keys, .. } => subjects.extend(keys.iter().map(|key| name_of(web, key))),
        Says::Note { subject, .. } => subjects.push(name_of(web, subject)),
        Says::Disregard { window: no } => window = Some(no),
    }
    let about = match window {
        Some(no) => format!("maintenance {no}"),
        None => subjects.join(", "),
    };
    json!({
        "number": one.no, "about": about, "says": one.words(), "subjects": subjects, "window": window, "reason": one.reason,
        "ticket": one.ticket, "by": one.by, "made": one.made.to_string(), "holds": one.holds(),
        "withdrawn": one.withdrawn.as_ref().map(|Withdrawn { at, by, reason }| {
            json!({ "at": at.to_string(), "by": by, "reason": reason })
        }),
    })
}

/// The subject of a key as people know it.
fn name_of(web: &Web, key: &str) -> String {
    let snapshot = web.snapshot();
    let host = |id: &str| Some(find(&snapshot, id).ok()?.profile.name.clone());
    let known = match key.split_once('/') {
        Some(("host", id)) => host(id),
        Some(("check", rest)) => rest.split_once('/').and_then(|(id, check)| Some(format!("{}/{check}", host(id)?))),
        _ => None,
    };
    known.unwrap_or_else(|| key.to_owned())
}

/// Who is named, and the host that it is or is on.
type Named = (Subject, Option<Arc<HostView>>);

/// A host, a check of a host as `HOST/CHECK`, or a service that is promised as `service/NAME`.
fn subject_named(web: &Web, name: &str) -> Result<Named, Problem> {
    let service = name.strip_prefix("service/").filter(|_| find(&web.snapshot(), "service").is_err());
    if let Some(name) = service {
        let promised = web.promised();
        let mut services = promised.iter().flat_map(Declared::whole_services);
        let service = services.find(|service| service.name == name);
        let service = service.ok_or_else(|| {
            Problem::not_found(&format!("service {name:?} in any agreement (muster-collector sla list)"))
        })?;
        return Ok((Subject::Service { name: name.to_owned(), needs: service.needs, of: 0 }, None));
    }
    on_host(&web.snapshot(), name)
}

fn on_host(snapshot: &Snapshot, name: &str) -> Result<Named, Problem> {
    let no_host = match find(snapshot, name) {
        Ok(host) => {
            let (no, id, name) = (host.profile.no, host.profile.id, host.profile.name.clone());
            return Ok((Subject::Host { no, id, name }, Some(host)));
        }
        Err(problem) => problem,
    };
    let Some((host, check)) = name.split_once('/').filter(|(_, check)| !check.is_empty()) else { return Err(no_host) };
    let host = find(snapshot, host)?;
    let known = |row: &CheckRow| row.check == check;
    if !host.checks.iter().any(known) {
        let names: Vec<&str> = host.checks.iter().map(|row| row.check.as_str()).collect();
        let names = if names.is_empty() { "it has none".to_owned() } else { format!("it has {}", names.join(", ")) };
        return Err(Problem::not_found(&format!("check {check:?} of {}: {names}", host.profile.name)));
    }
    let (no, id, name) = (host.profile.no, host.profile.id, host.profile.name.clone());
    Ok((Subject::Check { no, id, host: name, check: check.to_owned() }, Some(host)))
}

/// That hosts or checks were up or down after all.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewCorrection {
    pub(in crate::web) subjects: Vec<String>,
    pub(in crate::web) state: String,
    pub(in crate::web) from: String,
    pub(in crate::web) until: String,
    #[serde(default)]
    pub(in crate::web) reason: String,
    #[serde(default)]
    pub(in crate::web) ticket: String,
    #[serde(default)]
    pub(in crate::web) dry_run: bool,
}

/// Corrects a stretch of time, or with `dry_run` only says which agreements that would touch.
pub(in crate::web) async fn correct(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewCorrection>,
) -> Answered {
    put_correction(&web, &caller, asked).await.map(Json)
}

/// The same, asked for in a view.
pub(in crate::web) async fn put_correction(web: &Web, caller: &Caller, asked: NewCorrection) -> Result<Value, Problem> {
    let state = Was::parse(&asked.state).ok_or_else(|| Problem::invalid("state", &asked.state, Was::EXPECTED))?;
    let span = Span { from: time_of("from", &asked.from)?, until: time_of("until", &asked.until)? };
    if span.until <= span.from {
        return Err(Problem::invalid("until", &asked.until, "later than its beginning"));
    }
    if span.until > web.now() {
        return Err(Problem::invalid("until", &asked.until, "a time that is over: nothing is known of the future"));
    }
    if span.until.since_ms(span.from) > LONGEST_MS {
        return Err(Problem::invalid("until", &asked.until, "at most a year after the beginning"));
    }
    if asked.subjects.is_empty() || asked.subjects.len() > SUBJECTS {
        return Err(Problem::invalid(
            "subjects",
            "",
            "the names of 1 to 200 hosts, of checks as HOST/CHECK, or of services as service/NAME",
        ));
    }
    let named: Result<Vec<_>, Problem> = asked.subjects.iter().map(|name| subject_named(web, name)).collect();
    let named = named?;
    let touched = web.agreements_of(|declared, host| {
        let is_on = |on: &Option<Arc<HostView>>| on.as_ref().is_none_or(|on| on.profile.no == host.profile.no);
        named.iter().any(|(subject, on)| is_on(on) && declared.depends_on(subject))
    });
    let subjects = named.iter().map(|(subject, _)| subject.key()).collect();
    let said = Said { reason: asked.reason, ticket: asked.ticket, about: asked.subjects.join(", ") };
    let mut answer = said.save(web, caller, Says::Was { subjects, span, state }, asked.dry_run).await?;
    answer["agreements"] = json!(touched);
    Ok(answer)
}

/// That a maintenance window counts for nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewDisregard {
    window: i64,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    dry_run: bool,
}

/// Takes a maintenance window out of the agreed figures.
pub(in crate::web) async fn disregard(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewDisregard>,
) -> Answered {
    let windows = web.context.store.maintenance_windows().await?;
    let known = windows.iter().find(|hold| hold.no == HoldNo(asked.window) && hold.kind == Kind::Maintenance);
    let known = known.ok_or_else(|| {
        Problem::not_found(&format!("maintenance window {} (muster-collector maintenance list)", asked.window))
    })?;
    let says = Says::Disregard { window: known.no };
    let again = |one: &Amendment| one.holds() && one.says == says;
    if let Some(one) = web.context.store.amendments().await?.into_iter().find(again) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("{} has said so already: amendment {}", one.by, one.no),
        ));
    }
    let touched = web.agreements_of(|_, host| super::holds::covers(known, &host.profile));
    let said = Said { reason: asked.reason, ticket: asked.ticket, about: known.name() };
    let mut answer = said.save(&web, &caller, says, asked.dry_run).await?;
    answer["agreements"] = json!(touched);
    Ok(Json(answer))
}

/// A word about an outage.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewNote {
    pub(in crate::web) subject: String,
    pub(in crate::web) at: String,
    #[serde(default)]
    pub(in crate::web) text: String,
    pub(in crate::web) cause: Option<String>,
    pub(in crate::web) disputed: Option<bool>,
    #[serde(default)]
    pub(in crate::web) ticket: String,
}

/// Adds it.
pub(in crate::web) async fn note(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewNote>,
) -> Answered {
    put_note(&web, &caller, asked).await.map(Json)
}

/// The same, asked for in a view.
pub(in crate::web) async fn put_note(web: &Web, caller: &Caller, asked: NewNote) -> Result<Value, Problem> {
    let read = |word: &str| Category::parse(word).ok_or_else(|| Problem::invalid("cause", word, Category::EXPECTED));
    let cause = asked.cause.as_deref().map(read).transpose()?;
    let at = time_of("at", &asked.at)?;
    if at > web.now() {
        return Err(Problem::invalid("at", &asked.at, "an instant of an outage, not one to come"));
    }
    let (subject, _) = subject_named(web, &asked.subject)?;
    let said = Said { reason: asked.text, ticket: asked.ticket, about: subject.name() };
    let subject = subject.key();
    said.save(web, caller, Says::Note { subject, at, cause, disputed: asked.disputed }, false).await
}

/// What every amendment has.
struct Said {
    reason: String,
    ticket: String,
    about: String,
}

impl Said {
    async fn save(self, web: &Web, caller: &Caller, says: Says, dry_run: bool) -> Result<Value, Problem> {
        one_line("ticket", &self.ticket)?;
        checked_reason(&self.reason)?;
        let now = web.now();
        let (reason, ticket) = (self.reason, self.ticket);
        let by = caller.principal().name;
        let mut amendment =
            Amendment { no: AmendmentNo(0), version: 1, says, reason, ticket, by, made: now, withdrawn: None };
        if !dry_run {
            let detail = format!("{}: {}", amendment.words(), amendment.reason);
            let audit = caller.audit(now, "sla.amend", &self.about, detail);
            amendment.no = web.context.store.put_amendment(amendment.clone(), audit).await?;
        }
        let mut answer = to_json(web, &amendment);
        if dry_run {
            answer["number"] = Value::Null;
        }
        Ok(answer)
    }
}

/// Why it is withdrawn.
#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Why {
    #[serde(default)]
    reason: String,
}

/// Withdraws one; both versions are kept.
pub(in crate::web) async fn withdraw(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    Query(why): Query<Why>,
) -> Answered {
    let no = number.parse().map_err(|_| Problem::invalid("number", &number, "a number, such as 3"))?;
    checked_reason(&why.reason)?;
    let known = web.context.store.amendments().await?.into_iter().find(|one| one.no == AmendmentNo(no));
    let mut known = known
        .ok_or_else(|| Problem::not_found(&format!("amendment {no} (muster-collector sla amendments lists them)")))?;
    if let Some(Withdrawn { at, by, .. }) = &known.withdrawn {
        return Err(Problem::new(StatusCode::CONFLICT, format!("{by} withdrew it at {at} already")));
    }
    let now = web.now();
    known.version += 1;
    known.withdrawn = Some(Withdrawn { at: now, by: caller.principal().name, reason: why.reason });
    let detail = format!("{}: {}", known.words(), known.withdrawn.as_ref().map_or("", |withdrawn| &withdrawn.reason));
    let audit = caller.audit(now, "sla.withdraw", &format!("amendment {no}"), detail);
    web.context.store.put_amendment(known, audit).await?;
    Ok(done())
}
