//! Agreements and what came of them.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, list as page_of};
use crate::{
    domain::{
        sla::{
            agreement::Agreement,
            handling::{Handling, Incident, Reaction, of_span},
            history::Planned,
            outages::{Means, Outage},
            report::{Declared, Line, Report, Total},
            result::{Computed, Told},
            target::Ratio,
        },
        time::Timestamp,
    },
    web::{Shared, problem::Problem},
};

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    period: Option<String>,
}

/// All of them, over their present period.
pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let mut items = Vec::new();
    for declared in &web.context.config.agreements {
        let report = web.report(declared, None).await?;
        items.push(item(declared, &report)?);
    }
    Ok(page_of(items, None))
}

/// One over a period: every subject with its buckets, bounds, verdict and outages.
pub(in crate::web) async fn report(
    State(web): State<Shared>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Answered {
    let declared = web.agreement(&name)?;
    let report = web.report(declared, asked.period.as_deref()).await?;
    let handling = web.handling(&report).await?;
    let mut whole = item(declared, &report)?;
    let outages: Vec<Outage> = report.lines.iter().flat_map(|line| line.outages.iter().cloned()).collect();
    whole["means"] = means(&Means::of(&outages, &report.total.figures), &handling.reaction(&report.lines));
    let subjects: Result<Vec<Value>, Problem> =
        report.lines.iter().map(|line| subject(&declared.agreement, &report, line, &handling)).collect();
    whole["subjects"] = Value::Array(subjects?);
    Ok(Json(whole))
}

fn item(declared: &Declared, report: &Report) -> Result<Value, Problem> {
    let agreement = &declared.agreement;
    let mut item = json!({
        "name": agreement.name, "target": agreement.target.percent().parse::<f64>().unwrap_or_default(),
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
        "agreed": report.agreed.as_ref().map(total).transpose()?,
    });
    extend(&mut item, total(&report.total)?);
    Ok(item)
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

fn extend(item: &mut Value, more: Value) {
    if let (Value::Object(item), Value::Object(more)) = (item, more) {
        item.extend(more);
    }
}

fn written(figures: &impl serde::Serialize) -> Result<Value, Problem> {
    serde_json::to_value(figures).map_err(|_| Problem::internal("the figures cannot be written"))
}

fn subject(agreement: &Agreement, report: &Report, line: &Line, handling: &Handling) -> Result<Value, Problem> {
    let (known, of) = (&line.known, &line.known.subject);
    let mut item = written(&Computed::of(Some(&of.name()), agreement, report.window, &line.reckoning))?;
    item["kind"] = of.kind().into();
    item["host"] = of.host().to_string().into();
    let incidents = handling.of(known);
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
