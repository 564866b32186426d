//! The parts of a host's hardware: each on a sheet, and what cannot be seen of the fleet's.

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::{Answered, hosts::find, list as page_of};
use crate::{
    domain::{
        labels::Admission,
        rules::hardware::{
            named as is_rule,
            sheet::{Course, InArray, Past, Sheet, named},
            wear::Worn,
        },
        snapshot::HostView,
        time::Timestamp,
    },
    web::{Shared, parts::findings_of, problem::Problem, views::hardware::coverage::says},
};

pub(in crate::web) async fn list(State(web): State<Shared>, Path(host): Path<String>) -> Answered {
    let host = find(&web.snapshot(), &host)?;
    let sheets = web.sheets(&host).await?;
    Ok(page_of(sheets.iter().map(|sheet| summary(&host, sheet)).collect(), None))
}

pub(in crate::web) async fn show(State(web): State<Shared>, Path((host, part)): Path<(String, String)>) -> Answered {
    let host = find(&web.snapshot(), &host)?;
    let Some(mut sheet) = named(web.sheets(&host).await?, &part) else {
        let shown: String = part.chars().take(80).collect();
        return Err(Problem::not_found(&format!(
            "part {shown:?} on this host: GET .../parts lists those that are known"
        )));
    };
    let past = web.past_of(&host, &mut sheet).await?;
    Ok(Json(whole(&host, &sheet, &past)))
}

/// What could not be read, host by host.
pub(in crate::web) async fn coverage(State(web): State<Shared>) -> Answered {
    let snapshot = web.snapshot();
    let mut items = Vec::new();
    for host in snapshot.hosts.values().filter(|host| host.profile.admission == Admission::Active) {
        let Some(summary) = web.context.board.of(host.profile.no) else { continue };
        for ((source, outcome, why), count) in summary.asked.iter().filter(|((_, outcome, _), _)| *outcome != "read") {
            items.push(json!({
                "host": host.profile.id.to_string(), "name": host.profile.name, "source": source, "outcome": outcome,
                "reason": why, "meaning": says(why), "parts": count,
            }));
        }
    }
    Ok(page_of(items, None))
}

fn summary(host: &HostView, sheet: &Sheet) -> Value {
    let (verdict, why) = sheet.verdict();
    let worst = findings_of(host, sheet).iter().map(|row| row.severity).max();
    json!({
        "part": sheet.component, "kind": sheet.part.kind, "device": sheet.part.name, "model": sheet.part.model,
        "serial": sheet.part.serial, "firmware": sheet.part.firmware, "slot": sheet.part.slot,
        "source": sheet.evidence.0, "outcome": sheet.outcome,
        "at": (sheet.at != Timestamp::default()).then(|| sheet.at.to_string()),
        "verdict": verdict.word(), "why": why, "severity": worst.map(|severity| severity.word()),
    })
}

fn whole(host: &HostView, sheet: &Sheet, past: &Past) -> Value {
    let mut whole = summary(host, sheet);
    let named_texts = |all: &[(&'static str, String)]| -> Vec<Value> {
        all.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
    };
    let open = findings_of(host, sheet).into_iter().map(|row| {
        json!({
            "part": row.part, "rule": row.rule, "severity": row.severity.word(), "since": row.since.to_string(),
            "evidence": row.evidence, "documented": is_rule(&row.rule).map(|rule| format!("/hardware/rules#{rule}")),
        })
    });
    whole["description"] = named_texts(&sheet.description).into();
    whole["place"] = named_texts(&sheet.place).into();
    whole["carries"] =
        sheet.ways.iter().map(|way| json!({ "devices": way.devices, "mounts": way.mounts })).collect::<Vec<_>>().into();
    whole["groups"] = sheet.arrays.iter().map(array).collect::<Vec<_>>().into();
    whole["open"] = open.collect::<Vec<_>>().into();
    whole["findings"] = json!(sheet.findings);
    whole["counters"] = past.courses.iter().map(course).collect::<Vec<_>>().into();
    whole["wear"] = past.worn.as_ref().map(wear).into();
    whole
}

fn array(array: &InArray) -> Value {
    json!({
        "name": array.name, "level": array.level, "state": array.words, "member": array.member,
        "can_still_lose": array.spare_members,
    })
}

fn wear(worn: &Worn) -> Value {
    let range = worn.out.ok();
    json!({
        "used_percent": worn.used_percent, "used_up": worn.words(),
        "from": range.map(|range| range.from.to_string()), "to": range.and_then(|range| range.to).map(|to| to.to_string()),
    })
}

fn course(course: &Course) -> Value {
    let points = course.points.iter().map(|(at, value)| json!({ "at": at.to_string(), "value": value }));
    json!({ "name": course.name, "unit": course.unit, "points": points.collect::<Vec<_>>() })
}
