//! Reports that are delivered on a schedule: when the next one is due, what became of those before, and one now.

use std::time::Duration;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, cursor_of, limit_of, list as page_of};
use crate::{
    domain::{
        calendar::zone,
        sla::{
            delivery::{Delivery, Issue, Plan, State as How, Way, stem},
            force::present,
        },
    },
    web::{
        Shared, Web,
        access::Caller,
        documents::{Asked, Issued, names},
        problem::{Body, Problem},
        recipients,
    },
};

/// Whoever asks for a delivery is told so far what came of it after this; it goes on.
const PATIENCE: Duration = Duration::from_secs(25);

/// Those that are configured.
pub(in crate::web) async fn list(State(web): State<Shared>, Extension(caller): Extension<Caller>) -> Answered {
    let shown = recipients::are_shown_to(&caller);
    let items = web.context.config.reports.iter().map(|plan| item(&web, plan, shown)).collect();
    Ok(page_of(items, None))
}

fn item(web: &Web, plan: &Plan, shown: bool) -> Value {
    let (now, promised) = (web.now(), web.promised());
    let agreements = present(&promised, now);
    let about = plan.about(&names(&promised));
    let next = about.iter().filter_map(|name| {
        let declared = agreements.iter().find(|declared| declared.agreement.name == **name)?;
        let next = plan.next(now, &zone(&declared.agreement.zone)?);
        Some(json!({ "agreement": name, "period": next.period.name, "due": next.due.to_string() }))
    });
    let places = plan.destinations();
    let mails = places.iter().filter(|place| place.way == Way::Mail);
    json!({
        "name": plan.name, "agreements": about, "every": plan.every.word(), "at": plan.at.strftime("%H:%M").to_string(),
        "formats": plan.formats.iter().map(|format| format.word()).collect::<Vec<_>>(), "directory": plan.directory,
        "receiver": plan.mail.as_ref().map(|post| &post.receiver),
        "to": mails.map(|mail| recipients::place(mail, shown)).collect::<Vec<_>>(), "next": next.collect::<Vec<_>>(),
    })
}

/// Where a list goes on.
#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

/// What became of them, newest first.
pub(in crate::web) async fn deliveries(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Query(page): Query<Page>,
) -> Answered {
    let (before, limit) = (cursor_of(page.after.as_deref())?.unwrap_or(i64::MAX), limit_of(page.limit));
    let mut issues = web.context.store.issues_before(before, limit + 1).await?;
    let more = issues.len() > limit;
    issues.truncate(limit);
    let next = issues.last().filter(|_| more).map(|issue| issue.no.to_string());
    let shown = recipients::are_shown_to(&caller);
    Ok(page_of(issues.iter().map(|issue| issued(issue, shown)).collect(), next))
}

/// An issue as the API writes it.
fn issued(issue: &Issue, shown: bool) -> Value {
    let made = issue.made.as_ref();
    json!({
        "number": issue.no, "report": issue.report, "agreement": issue.agreement, "period": issue.period,
        "due": issue.due.to_string(), "asked_by": issue.asked_by, "at": issue.at.to_string(),
        "state": if made.is_some() { "issued" } else { "left_out" }, "why": issue.why,
        "version": made.map(|made| made.version), "digest": made.map(|made| &made.digest),
        "verdict": made.map(|made| &made.verdict), "title": made.map(|made| &made.title),
        "deliveries": issue.deliveries.iter().map(|one| delivery(one, shown)).collect::<Vec<_>>(),
    })
}

fn delivery(delivery: &Delivery, shown: bool) -> Value {
    let place = &delivery.destination;
    json!({
        "way": place.way, "to": recipients::place(place, shown), "state": delivery.state.word(),
        "tries": delivery.tries, "at": delivery.at.to_string(), "next": delivery.next.map(|at| at.to_string()),
        "said": recipients::without(&delivery.said, [place], shown),
    })
}

/// What is to be delivered now.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Now {
    period: Option<String>,
    agreement: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

/// Delivers now, or with `dry_run` says what would be delivered. Answers when each place was tried once.
pub(in crate::web) async fn deliver(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(asked): Body<Now>,
) -> Answered {
    let plan = web.context.config.reports.iter().find(|plan| plan.name == name);
    let plan = plan.ok_or_else(|| Problem::not_found(&format!("report {name:?} in collector.toml")))?;
    let chosen = chosen(&web, plan, &asked)?;
    if asked.dry_run {
        let would = chosen.iter().map(|(agreement, period)| would(&web, plan, agreement, period));
        return Ok(Json(json!({ "dry_run": true, "items": would.collect::<Vec<_>>() })));
    }
    // All are made before the first is recorded: one that cannot be made keeps all of them.
    let (now, mut made) = (web.now(), Vec::with_capacity(chosen.len()));
    for (agreement, period) in &chosen {
        let asked = Asked { plan, agreement, period, due: now, by: Some(&caller.name) };
        made.push(web.issue_for(asked).await?);
    }
    let numbers = record(&web, &caller, made).await?;
    let issues = tried(&web, numbers).await?;
    Ok(Json(json!({ "dry_run": false, "items": issues.iter().map(|issue| issued(issue, true)).collect::<Vec<_>>() })))
}

/// Which agreements over which periods.
fn chosen(web: &Web, plan: &Plan, asked: &Now) -> Result<Vec<(String, String)>, Problem> {
    let promised = web.promised();
    let about = plan.about(&names(&promised)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    if let Some(agreement) = asked.agreement.as_ref().filter(|name| !about.contains(name)) {
        let expected = format!("one that report {} is about: {}", plan.name, about.join(", "));
        return Err(Problem::invalid("agreement", agreement, &expected));
    }
    let is_asked = |name: &&String| asked.agreement.as_ref().is_none_or(|asked| asked == *name);
    let mut chosen = Vec::new();
    let mut refused = None;
    for agreement in about.iter().filter(is_asked) {
        let period = asked.period.clone().or_else(|| {
            let declared =
                present(&promised, web.now()).into_iter().find(|declared| declared.agreement.name == *agreement)?;
            Some(plan.newest(web.now(), &zone(&declared.agreement.zone)?).period.name)
        });
        let period = period.ok_or_else(|| Problem::internal("a zone is not known any more"))?;
        match web.over(&promised, agreement, &period) {
            Ok(_) => chosen.push((agreement.clone(), period)),
            Err(problem) => refused = Some(problem),
        }
    }
    // Of several some may not have been in force.
    match refused {
        Some(problem) if chosen.is_empty() => Err(problem),
        None if chosen.is_empty() => {
            Err(Problem::not_found("agreement that this report is about (muster-collector sla list)"))
        }
        _ => Ok(chosen),
    }
}

fn would(web: &Web, plan: &Plan, agreement: &str, period: &str) -> Value {
    let stem = stem(agreement, period, &names(&web.promised()));
    let files = plan.formats.iter().map(|format| format!("{stem}.{}", format.word())).collect::<Vec<_>>();
    let to: Vec<Value> = plan.destinations().iter().map(|place| json!({ "way": place.way, "to": place.to })).collect();
    json!({ "report": plan.name, "agreement": agreement, "period": period, "files": files, "deliveries": to })
}

async fn record(web: &Web, caller: &Caller, made: Vec<Issued>) -> Result<Vec<i64>, Problem> {
    let mut numbers = Vec::with_capacity(made.len());
    for Issued { issue, documents } in made {
        let detail = format!("{} {}", issue.agreement, issue.period);
        let by = caller.audit(web.now(), "report.deliver", &issue.report, detail);
        numbers.extend(web.context.store.put_issue(issue, documents, Some(by)).await?.map(|issue| issue.no));
    }
    Ok(numbers)
}

/// These issues, once each of their deliveries was tried or [`PATIENCE`] is over.
async fn tried(web: &Web, numbers: Vec<i64>) -> Result<Vec<Issue>, Problem> {
    let carrier = &web.context.carrier;
    let mut rounds = carrier.rounds.clone();
    rounds.mark_unchanged();
    carrier.bell.notify_one();
    let is_open = |delivery: &Delivery| delivery.state == How::UnderWay || delivery.tries == 0;
    let all_tried = async {
        loop {
            // The carrier is gone only when the collector stops.
            let gone = rounds.changed().await.is_err();
            let issues = web.context.store.issues_numbered(numbers.clone()).await?;
            if gone || !issues.iter().flat_map(|issue| &issue.deliveries).any(is_open) {
                return Ok::<_, Problem>(issues);
            }
        }
    };
    match tokio::time::timeout(PATIENCE, all_tried).await {
        Ok(issues) => issues,
        Err(_) => Ok(web.context.store.issues_numbered(numbers.clone()).await?),
    }
}
