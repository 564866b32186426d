//! One part: everything that an engineer needs to order its like and to swap the right one, on a page that prints.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, State as Given},
};

use super::super::{Badge, Frame, Shown, When, show};
use crate::{
    domain::{
        finding::FindingRow,
        hardware::assembly::State,
        rules::hardware::{
            Confidence, Evidence, Finding, Verdict, Weight,
            catalogue::{Rule, all},
            named as rule_named,
            sheet::{Course, InArray, Past, Sheet, named},
        },
        severity::Severity,
        snapshot::{HostView, Snapshot},
        time::Timestamp,
    },
    store::lives::Place,
    web::{Shared, Web, access::Caller, api::hosts::find, parts::findings_of, problem::Problem, words},
};

/// A picture's width and height in its own units.
const PICTURE: (f64, f64) = (96.0, 20.0);
/// Rows of a counter's past that are printed; the API has all.
const ROWS: usize = 12;

/// A finding with its rule.
struct FindingLine {
    badge: Badge,
    says: String,
    since: Option<When>,
    /// What there is to say where it has no time of its own.
    note: &'static str,
    rule: String,
    judged_by: &'static str,
    values: Vec<Evidence>,
    confidence: Option<String>,
    action: String,
    /// What people were told of it.
    told: String,
}

struct CourseLine {
    name: String,
    first: String,
    latest: String,
    moved: String,
    told: String,
    path: String,
    /// When, and what it was then; the latest first.
    rows: Vec<(String, String)>,
}

struct ArrayLine {
    badge: Badge,
    name: String,
    words: String,
    member: String,
    left: String,
}

#[derive(Template)]
#[template(path = "hardware_part.html")]
struct PartPage {
    frame: Frame,
    part: String,
    badge: Badge,
    verdict: String,
    host: String,
    host_id: String,
    /// Site, owner, as far as anybody said.
    whose: String,
    observed: Badge,
    incident: Option<i64>,
    /// What became of asking last, where it was not read.
    unread: Option<String>,
    at: Option<When>,
    description: Vec<(&'static str, String)>,
    place: Vec<(&'static str, String)>,
    ways: Vec<(String, String)>,
    groups: Vec<ArrayLine>,
    alone: bool,
    findings: Vec<FindingLine>,
    courses: Vec<CourseLine>,
    /// How much of its rated life is used, and when all of it will be.
    wear: Option<(String, String)>,
    /// Of a drive, since when it is watched, whatever host it was in.
    watched: Option<When>,
    /// Hosts and devices that it was before, with since when.
    places: Vec<(String, When)>,
    evidence: Option<String>,
    api: String,
}

/// The view.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path((host, part)): Path<(String, String)>,
) -> Shown {
    let snapshot = web.snapshot();
    let host = find(&snapshot, &host)?;
    let sheet = named(web.sheets(&host).await?, &part).or_else(|| remembered(&host, &part));
    let Some(mut sheet) = sheet else {
        let shown: String = part.chars().take(80).collect();
        let none = Problem::not_found(&format!("part {shown:?} on this host: its evidence names no such part"));
        return Err(none.into());
    };
    let history = web.past_of(&host, &mut sheet).await?;
    let (serial, model) = (sheet.part.serial.clone(), sheet.part.model.clone());
    let lives = web.context.store.lives_around(host.profile.no, vec![serial.clone()]).await?;
    let life = lives.into_iter().find(|life| life.serial == serial && life.model == model);
    let places = if life.is_some() { web.context.store.places(serial, model).await? } else { Vec::new() };
    let mut page = page(&web, &caller, &host, sheet, &history);
    page.watched = life.map(|life| When::new(life.entered, web.now(), &web.zone));
    // The first is where it is now.
    page.places = places.iter().skip(1).map(|place| past(place, &snapshot, &web)).collect();
    show(&page)
}

/// Where a drive was, and since when.
fn past(place: &Place, snapshot: &Snapshot, web: &Web) -> (String, When) {
    let host = snapshot.hosts.get(&place.host).map_or("a host that is gone", |host| host.profile.name.as_str());
    (format!("{host}, {}", place.device), When::new(place.at, web.now(), &web.zone))
}

/// A part of which only the findings are left.
fn remembered(host: &HostView, part: &str) -> Option<Sheet> {
    let is_its = |row: &&FindingRow| row.open && row.part == part && rule_named(&row.rule).is_some();
    let row = host.findings.iter().find(is_its)?;
    Some(Sheet { component: row.part.clone(), ..Sheet::default() })
}

fn page(web: &Web, caller: &Caller, host: &HostView, sheet: Sheet, past: &Past) -> PartPage {
    let when = |at| When::new(at, web.now(), &web.zone);
    let profile = &host.profile;
    let open = findings_of(host, &sheet);
    let worst = open.iter().map(|row| row.severity).max();
    let (verdict, why) = sheet.verdict();
    let id = profile.id.to_string();
    let said = ["owner", "department", "environment"].iter().filter_map(|label| {
        let value = profile.labels.get(*label)?;
        Some(format!("{label} {value}"))
    });
    let site = profile.site.iter().map(|site| format!("site {site}"));
    let (source, device) = &sheet.evidence;
    let evidence = (!source.is_empty()).then(|| {
        let (source, device) = (words::encode_part(source), words::encode_part(device));
        format!("/api/v1/hosts/{id}/evidence?source={source}&part={device}&payload=true")
    });
    let encoded = words::encode_part(&sheet.component);
    PartPage {
        frame: Frame::new(web, caller, "hardware", format!("{} of {}", sheet.component, profile.name)),
        badge: worst.map_or_else(|| of_verdict(verdict), Badge::severity),
        verdict: why.unwrap_or_else(|| verdict_words(verdict).to_owned()),
        host: profile.name.clone(),
        whose: site.chain(said).collect::<Vec<_>>().join(", "),
        observed: Badge::state(host.state),
        incident: host.incident.map(|no| no.0).filter(|_| worst.is_some()),
        unread: (!matches!(sheet.outcome.as_str(), "read" | "")).then(|| sheet.outcome.replace('_', " ")),
        at: (sheet.at != Timestamp::default()).then(|| when(sheet.at)),
        ways: sheet.ways.iter().map(|way| (way.devices.join(" › "), way.mounts.join(", "))).collect(),
        alone: sheet.arrays.is_empty() && !sheet.ways.is_empty(),
        groups: sheet.arrays.iter().map(array).collect(),
        findings: findings(&open, &sheet.findings, when),
        courses: past.courses.iter().map(|course| course_line(course, web)).collect(),
        wear: past.worn.map(|worn| (format!("{} %", worn.used_percent), worn.words())),
        api: format!("/api/v1/hosts/{id}/parts/{encoded}"),
        watched: None,
        places: Vec::new(),
        evidence,
        host_id: id,
        part: sheet.component,
        description: sheet.description,
        place: sheet.place,
    }
}

fn of_verdict(verdict: Verdict) -> Badge {
    let (class, sign) = match verdict {
        Verdict::Healthy => ("good", "✓"),
        Verdict::Failing => ("warning", words::severity_sign(Severity::Warning)),
        Verdict::Failed => ("critical", words::severity_sign(Severity::Critical)),
        Verdict::Unknown => ("quiet", "?"),
    };
    Badge { class, sign, word: verdict.word().into() }
}

const fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "everything that was looked at is as it should be",
        Verdict::Failing => "it works, and it is going",
        Verdict::Failed => "it says that it has failed, or it is gone",
        Verdict::Unknown => "nothing could be judged",
    }
}

/// What is left if this member goes, in a sentence.
fn array(array: &InArray) -> ArrayLine {
    let (class, sign) = match (array.state, array.spare_members) {
        (State::Good | State::Syncing, left) if left != Some(0) => ("good", "✓"),
        (State::Failed | State::Missing, _) | (State::Degraded, Some(0)) => ("critical", "✕"),
        (State::Unsaid | State::NotPresent, _) => ("quiet", "?"),
        _ => ("warning", "▲"),
    };
    let word = match array.state {
        State::Unsaid | State::NotPresent => "unknown",
        State::Good => "whole",
        State::Syncing => "synchronising",
        State::Predicted => "going",
        State::Rebuilding => "rebuilding",
        State::Degraded => "degraded",
        State::Missing => "missing",
        State::Failed => "failed",
    };
    let left = match array.spare_members {
        Some(0) => "no redundancy is left: without one member more the data is lost".to_owned(),
        Some(1) => "it can lose one more member without losing data".to_owned(),
        Some(more) => format!("it can lose {more} more members without losing data"),
        None => "its tool does not say what more it could lose".to_owned(),
    };
    let name = [array.name.as_str(), &array.level].into_iter().filter(|text| !text.is_empty());
    ArrayLine {
        badge: Badge { class, sign, word: word.into() },
        name: name.collect::<Vec<_>>().join(", "),
        words: array.words.clone(),
        member: array.member.clone(),
        left,
    }
}

/// The open ones first, each with what convinced its rule; then what else is seen of it, and what is only told.
fn findings(open: &[&FindingRow], now: &[Finding], when: impl Fn(Timestamp) -> When) -> Vec<FindingLine> {
    let rule = |name: &str| all().iter().find(|rule| rule.name == name).copied();
    let line = |found: Option<&Finding>, name: &str, severity, since, evidence: &str| {
        let rule: Option<&Rule> = rule(name);
        let action = found.map(|found| found.action).filter(|action| !action.is_empty());
        FindingLine {
            badge: Badge::severity(severity),
            says: found.map_or_else(|| evidence.to_owned(), |found| found.summary.clone()),
            since,
            note: match found.map(|found| found.weight) {
                Some(Weight::Told) => "only told: it opens nothing",
                _ => "seen of it too",
            },
            rule: name.to_owned(),
            judged_by: rule.map_or("", |rule| rule.judged_by),
            values: found.map(|found| found.evidence.clone()).unwrap_or_default(),
            confidence: found.and_then(|found| found.confidence).map(confidence),
            action: action.or(rule.map(|rule| rule.remedy)).unwrap_or_default().to_owned(),
            told: if found.is_some() { evidence.to_owned() } else { String::new() },
        }
    };
    let opened = open.iter().map(|row| {
        let found = now.iter().find(|found| found.rule == row.rule);
        line(found, &row.rule, row.severity, Some(when(row.since)), &row.evidence)
    });
    let others = now.iter().filter(|found| !open.iter().any(|row| row.rule == found.rule));
    opened.chain(others.map(|found| line(Some(found), found.rule, found.severity, None, ""))).collect()
}

fn confidence(Confidence { failed_ratio, within_days, of, source }: Confidence) -> String {
    let failed = failed_ratio * 100.0;
    format!("of 100 such drives about {failed:.0} failed within {within_days} days (n = {of}, {source})")
}

fn course_line(course: &Course, web: &Web) -> CourseLine {
    let shown = |value: u64| format!("{value} {}", course.unit).trim_end().to_owned();
    let values = || course.points.iter().map(|(_, value)| *value);
    let (least, most) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
    let (first, latest) = (course.points.first(), course.points.last());
    let (first_value, latest_value) = (first.map_or(0, |point| point.1), latest.map_or(0, |point| point.1));
    let moved = match latest_value.cmp(&first_value) {
        std::cmp::Ordering::Equal if least == most => "unchanged".to_owned(),
        std::cmp::Ordering::Equal => format!("between {} and {}", shown(least), shown(most)),
        std::cmp::Ordering::Greater => format!("+{}", shown(latest_value - first_value)),
        std::cmp::Ordering::Less => format!("−{}", shown(first_value - latest_value)),
    };
    let at =
        |point: Option<&(Timestamp, u64)>| point.map_or_else(String::new, |(at, _)| words::clock_time(*at, &web.zone));
    // A row for each change, so that a counter that stands still is one row.
    let changes = course.points.iter().enumerate().filter(|(number, (_, value))| {
        *number == 0 || course.points.get(number - 1).is_none_or(|(_, before)| before != value)
    });
    let mut rows: Vec<(String, String)> =
        changes.map(|(_, (at, value))| (words::clock_time(*at, &web.zone), shown(*value))).collect();
    rows.reverse();
    rows.truncate(ROWS);
    CourseLine {
        told: format!("{}, {} to {}: {} to {}", course.name, at(first), at(latest), shown(least), shown(most)),
        name: course.name.clone(),
        first: shown(first_value),
        latest: shown(latest_value),
        moved,
        path: path(&course.points),
        rows,
    }
}

/// Steps from zero to the most, over the time that is known.
#[expect(clippy::cast_precision_loss, reason = "drawn on a hundred units")]
fn path(points: &[(Timestamp, u64)]) -> String {
    let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else { return String::new() };
    let (width, height) = PICTURE;
    let length = last.since_ms(*first).max(1) as f64;
    let most = points.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1) as f64;
    let mut path = String::new();
    for (at, value) in points {
        let x = width * at.since_ms(*first) as f64 / length;
        let y = 1.0 + (height - 2.0) * (1.0 - *value as f64 / most);
        path.push_str(&if path.is_empty() { format!("M{x:.0} {y:.0}") } else { format!("H{x:.0}V{y:.0}") });
    }
    if points.len() == 1 {
        path.push_str("h2");
    }
    path
}
