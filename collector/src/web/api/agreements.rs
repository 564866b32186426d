//! Agreements and what came of them.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, done, holds::checked_reason, list as page_of};
use crate::{
    domain::{
        sla::{
            Reckoning,
            agreement::Agreement,
            burn::{Burn, WINDOWS},
            force::{self, Chosen},
            forecast::Forecast,
            handling::{Handling, Incident, Reaction, of_span},
            history::Planned,
            outages::{Means, Outage},
            reckon,
            report::{Declared, Known, Line, Report, Total},
            result::{Computed, Told},
            subject::Subject,
            target::Ratio,
        },
        time::Timestamp,
    },
    store::agreements::AgreementVersion,
    web::{
        Shared,
        access::Caller,
        declared::NewAgreement,
        problem::{Body, Problem},
    },
};

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    period: Option<String>,
    on: Option<String>,
}

/// All of them, over their present period.
pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let mut items = Vec::new();
    let kept = web.context.store.agreements().await?;
    for declared in force::present(&web.promised(), web.now()) {
        let report = web.report(declared).await?;
        let mut item = item(declared, &report, web.burn(declared).as_ref())?;
        extend(&mut item, since(&kept, &declared.agreement.name));
        items.push(item);
    }
    Ok(page_of(items, None))
}

/// Declares one or changes it; those of the configuration are changed there.
pub(in crate::web) async fn declare(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Body(asked): Body<NewAgreement>,
) -> Answered {
    web.declare(&caller, &name, &asked).await.map(Json)
}

/// Why it ends.
#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Why {
    #[serde(default)]
    reason: String,
}

/// Ends one that was declared here; its versions are kept.
pub(in crate::web) async fn end(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(why): Query<Why>,
) -> Answered {
    checked_reason(&why.reason)?;
    web.end_agreement(&caller, &name, &why.reason).await?;
    Ok(done())
}

/// One over a period: every subject with its buckets, bounds, verdict and outages, and what all that was reckoned from.
pub(in crate::web) async fn report(
    State(web): State<Shared>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Answered {
    let promised = web.promised();
    let chosen = web.agreement(&promised, &name, asked.period.as_deref(), asked.on.as_deref())?;
    let report = web.report_over(chosen.declared, chosen.period.clone()).await?;
    let mut whole = web.issue(&chosen, &report).await?;
    // Of now, whatever the period: no part of what can be reckoned again.
    let (declared, burn) = (chosen.declared, web.burn(chosen.declared));
    whole["burn"] = burn.as_ref().map_or(Value::Null, burning);
    whole["forecast"] = Forecast::of(declared.agreement.target, &report, burn.as_ref())
        .map_or(Value::Null, |forecast| foretold(&forecast));
    Ok(Json(whole))
}

/// A report as the API writes it, without what it was reckoned from.
pub(in crate::web) fn document(
    chosen: &Chosen<'_>,
    report: &Report,
    version: &AgreementVersion,
    handling: &Handling,
) -> Result<Value, Problem> {
    let Chosen { declared, others, .. } = chosen;
    let mut whole = item(declared, report, None)?;
    extend(&mut whole, since(std::slice::from_ref(version), &declared.agreement.name));
    whole["others_in_force"] = others.iter().map(|other| promise(&other.agreement)).collect();
    let outages: Vec<Outage> = report.lines.iter().flat_map(|line| line.outages.iter().cloned()).collect();
    whole["means"] = means(&Means::of(&outages, &report.total.figures), &handling.reaction(&report.lines));
    let subjects: Result<Vec<Value>, Problem> =
        report.lines.iter().map(|line| subject(&declared.agreement, report, line, handling)).collect();
    whole["subjects"] = Value::Array(subjects?);
    Ok(whole)
}

pub(in crate::web) fn item(declared: &Declared, report: &Report, burn: Option<&Burn>) -> Result<Value, Problem> {
    let agreement = &declared.agreement;
    let mut item = json!({
        "name": agreement.name,
        "applies_to": declared.applies_to(), "length": declared.period.word(), "zone": agreement.zone,
        "service_hours": agreement.service_hours.iter().map(|hours| hours.words()).collect::<Vec<_>>(),
        "holidays": agreement.holidays.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "policies": {
            "maintenance": agreement.maintenance.word(), "unreachable": agreement.unreachable.word(),
            "collector_down": agreement.collector_down.word(), "unknown": agreement.unknown.word(),
            "clean_stop": agreement.clean_stop.word(), "warning": agreement.warning.word(),
        },
        "period": report.period.name,
        "period_from": report.period.span.from.to_string(), "period_to": report.period.span.until.to_string(),
        "from": report.window.from.to_string(), "to": report.window.until.to_string(),
        "complete": report.window == report.period.span,
        "subject_count": report.lines.len(),
        "burn_alerts": declared.burn_alerts.word(), "burn": burn.map(burning),
        "forecast": Forecast::of(agreement.target, report, burn).map(|forecast| foretold(&forecast)),
        "agreed": report.agreed.as_ref().map(total).transpose()?,
    });
    extend(&mut item, promise(agreement));
    extend(&mut item, total(&report.total)?);
    let reached = report.verdict_of(|line| Some(line.reckoning.figures.of_the_target(agreement.target)));
    item["availability_verdict"] = json!(reached);
    if let Some(limit) = agreement.outages {
        let counted = |line: &Line| Some(limit.count(agreement, &line.reckoning.stretches).verdict());
        item["outage_count_verdict"] = json!(report.verdict_of(counted));
    }
    Ok(item)
}

/// What is asked, and from when until when.
fn promise(agreement: &Agreement) -> Value {
    json!({
        "target": agreement.target.percent().parse::<f64>().unwrap_or_default(),
        "max_outages": agreement.outages.map(|limit| limit.most),
        "min_outage_ms": agreement.outages.map(|limit| limit.shortest_ms),
        "in_force_from": agreement.force.from.map(|date| date.to_string()),
        "in_force_until": agreement.force.until.map(|date| date.to_string()),
    })
}

/// Which version of its definition it is, and since when.
fn since(kept: &[AgreementVersion], name: &str) -> Value {
    let version = kept.iter().find(|version| version.name == name);
    json!({
        "version": version.map(|kept| kept.version), "since": version.map(|kept| kept.at.to_string()),
        "declared_in": version.map(|kept| kept.declared_in),
    })
}

/// All subjects together.
fn total(total: &Total) -> Result<Value, Problem> {
    let mut item = json!({
        "budget_ms": total.budget_ms, "budget_left_ms": total.budget_left_ms,
        "if_nothing_more_happens": {
            "availability_ratio": value(total.at_best.availability), "verdict": total.at_best.verdict,
        },
    });
    extend(&mut item, written(&Told::of(&total.buckets, &total.figures))?);
    Ok(item)
}

/// Adds members.
pub(super) fn extend(item: &mut Value, more: Value) {
    if let (Value::Object(item), Value::Object(more)) = (item, more) {
        item.extend(more);
    }
}

/// Rates of the worst subject as of now, whatever period was asked for, and the rules.
fn burning(burn: &Burn) -> Value {
    let rates = WINDOWS.iter().map(|window| json!({ "window": window.word, "rate": burn.rate(*window) }));
    let rules = burn.pace.rules().map(|rule| {
        json!({
            "percent": rule.percent, "window": rule.long.word, "short_window": rule.short.word,
            "severity": rule.severity.word(), "limit": burn.pace.factor(&rule), "broken": burn.breaks(&rule),
        })
    });
    json!({ "at": burn.at.to_string(), "rates": rates.collect::<Vec<_>>(), "rules": rules.collect::<Vec<_>>() })
}

fn foretold(forecast: &Forecast) -> Value {
    json!({
        "subject": forecast.subject, "budget_ms": forecast.budget.whole_ms, "budget_left_ms": forecast.budget.left_ms,
        "median_outage_ms": forecast.median_ms, "outages_left": forecast.outages_left,
        "budget_gone": forecast.gone.map(|at| at.to_string()),
    })
}

fn written(figures: &impl serde::Serialize) -> Result<Value, Problem> {
    serde_json::to_value(figures).map_err(|_| Problem::internal("the figures cannot be written"))
}

fn subject(agreement: &Agreement, report: &Report, line: &Line, handling: &Handling) -> Result<Value, Problem> {
    let (known, of) = (&line.known, &line.known.subject);
    let mut item = written(&Computed::of(Some(&of.name()), agreement, report.window, &line.reckoning))?;
    item["kind"] = of.kind().into();
    item["host"] = of.host().map(|id| id.to_string()).into();
    if let Subject::Service { needs, .. } = of {
        item["needs"] = needs.words().into();
        item["members"] = members(agreement, report, known)?;
    }
    item["availability_verdict"] = json!(line.reckoning.figures.of_the_target(agreement.target));
    let incidents = handling.of(known);
    let incidents = incidents.as_slice();
    let counted = |item: &mut Value, outages: &[Outage], measured: &Means| {
        item["outages"] = outages.iter().map(|one| outage(one, incidents)).collect();
        item["means"] = means(measured, &Reaction::of(std::iter::once((outages, incidents))));
    };
    counted(&mut item, &line.outages, &line.means);
    item["maintenance"] = known.maintenance.iter().map(planned).collect();
    let corrections = known.amended.corrections.iter().map(|correction| {
        let span = correction.stretch.span;
        json!({
            "from": span.from.to_string(), "to": span.until.to_string(), "state": correction.stretch.bucket.word(),
            "source": correction.source, "reason": correction.reason, "made": correction.made.to_string(),
        })
    });
    item["corrections"] = corrections.collect();
    item["agreed"] = Value::Null;
    if let Some(agreed) = &line.agreed {
        let mut side = written(&Told::of(&agreed.reckoning.buckets, &agreed.reckoning.figures))?;
        counted(&mut side, &agreed.outages, &agreed.means);
        item["agreed"] = side;
    }
    Ok(item)
}

/// What a service is made of: each as if it were promised alone, as it was measured.
fn members(agreement: &Agreement, report: &Report, known: &Known) -> Result<Value, Problem> {
    let member = |known: &Known| {
        let of = &known.subject;
        let Reckoning { buckets, figures, .. } = reckon(agreement, &known.as_measured(), report.window);
        let mut item = written(&Told::of(&buckets, &figures))?;
        extend(
            &mut item,
            json!({ "subject": of.name(), "kind": of.kind(), "host": of.host().map(|id| id.to_string()) }),
        );
        if let Subject::Service { needs, .. } = of {
            item["needs"] = needs.words().into();
            item["members"] = members(agreement, report, known)?;
        }
        Ok(item)
    };
    Ok(Value::Array(known.members.iter().map(member).collect::<Result<_, Problem>>()?))
}

fn outage(outage: &Outage, incidents: &[Incident]) -> Value {
    json!({
        "from": outage.span.from.to_string(), "to": outage.span.until.to_string(), "open": outage.open,
        "length_ms": outage.span.until.since_ms(outage.span.from), "cause": outage.cause,
        "evidence": outage.evidence, "notes": outage.notes, "category": outage.category.map(|cause| cause.word()),
        "disputed": outage.disputed, "incidents": of_span(outage.span, incidents).map(incident).collect::<Vec<_>>(),
    })
}

fn planned(planned: &Planned) -> Value {
    json!({
        "from": planned.span.from.to_string(), "to": planned.span.until.to_string(), "window": planned.window,
        "reason": planned.reason, "entered_afterwards": planned.late.map(|at| at.to_string()),
        "disregarded": planned.disregarded,
    })
}

/// An incident that told of an outage, and who had it.
fn incident(incident: &Incident) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let taken = incident.acknowledged.as_ref();
    json!({
        "number": incident.no, "since": incident.since.to_string(), "opened": incident.opened.to_string(),
        "resolved": time(incident.resolved), "paged": time(incident.paged),
        "acknowledged": time(taken.map(|(at, _)| *at)), "acknowledged_by": taken.map(|(_, who)| who),
    })
}

fn means(means: &Means, reaction: &Reaction) -> Value {
    let (detected, acknowledged) = (&reaction.detected, &reaction.acknowledged);
    json!({
        "outages": means.outages, "longest_ms": means.longest_ms, "mtrs_ms": means.mtrs_ms,
        "median_ms": means.median_ms, "p90_ms": means.p90_ms, "mtbf_ms": means.mtbf_ms, "mtbsi_ms": means.mtbsi_ms,
        "incidents": reaction.incidents, "detected": detected.count, "mttd_ms": detected.mean_ms,
        "mttd_median_ms": detected.median_ms, "mttd_p90_ms": detected.p90_ms, "acknowledged": acknowledged.count,
        "mtta_ms": acknowledged.mean_ms, "mtta_median_ms": acknowledged.median_ms, "mtta_p90_ms": acknowledged.p90_ms,
    })
}

fn value(ratio: Option<Ratio>) -> Option<f64> {
    ratio.map(Ratio::value)
}
