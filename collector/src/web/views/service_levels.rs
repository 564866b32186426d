//! Service levels: what was promised, what came of it, and why each figure is what it is.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State as Given},
};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{
    Badge, Frame, Shown,
    error_budget::{ErrorBudget, error_budget},
    outage,
    promises::{self, Other},
    report_plans::{ReportPlan, report_plans},
    service_level_report::{Piece, timeline},
    show,
};
use crate::{
    domain::{
        calendar::{Span, zone},
        sla::{
            self,
            agreement::Policy,
            buckets::Buckets,
            figures::{Figures, Verdict},
            force,
            handling::{Handling, Incident, of_span},
            lattice::Bucket,
            period::Length,
            report::{Declared, Known, Line, Report, Total},
            subject::Subject as Whom,
            target::Ratio,
        },
    },
    web::{Shared, access::Caller, problem::Problem, words},
};

/// Decimals of a percentage, as the field's tools show them.
const DECIMALS: usize = 4;
/// Outages listed for one subject; all are in the API.
const SHOWN: usize = 100;
/// Width of a timeline, in its own units.
const WIDTH: i64 = 1000;

/// An agreement over a period, in words.
struct Agreement {
    name: String,
    path: String,
    target: String,
    allowed: Option<String>,
    force: Option<String>,
    applies_to: String,
    each: &'static str,
    hours: String,
    period: String,
    length: String,
    zone: String,
    availability: String,
    verdict: Badge,
    bounds: String,
    coverage: String,
    budget: String,
    overdrawn: bool,
    at_best: String,
    /// With what people said afterwards: verdict, availability, budget.
    agreed: Option<(Badge, String, String)>,
    complete: bool,
    subjects: usize,
}

/// A subject's row.
struct Subject {
    name: String,
    path: Option<String>,
    /// How many members a service needs.
    needs: Option<String>,
    availability: String,
    verdict: Badge,
    /// With what people said afterwards: verdict and availability.
    agreed: Option<(Badge, String)>,
    down: String,
    unproven: String,
    maintenance: String,
    outages: String,
    /// Whether there were few enough, where their number is limited.
    counted: Option<Badge>,
    /// Whether the target was reached.
    reached: Badge,
    mtrs: String,
    mttd: String,
    mtta: String,
    pieces: Vec<Piece>,
    /// What a service is made of.
    members: Vec<Member>,
}

/// What a service is made of.
struct Member {
    name: String,
    path: Option<String>,
    /// How deep it lies: 1 for a member of the service, 2 for one of a service that is its member.
    depth: usize,
    says: String,
    pieces: Vec<Piece>,
}

/// An outage's row.
struct OutageRow {
    subject: String,
    /// Where more is said of it.
    path: String,
    from: String,
    to: String,
    length: String,
    open: bool,
    cause: String,
    evidence: String,
    notes: Vec<String>,
    disputed: bool,
    incidents: Vec<Told>,
}

/// An incident that told of an outage.
pub(super) struct Told {
    pub(super) number: String,
    /// Who took it.
    pub(super) by: Option<String>,
}

/// What somebody said afterwards.
pub(super) struct Said {
    pub(super) subject: String,
    pub(super) what: String,
    pub(super) source: String,
    pub(super) reason: String,
}

#[derive(Template)]
#[template(path = "service_levels.html")]
struct ListPage {
    frame: Frame,
    agreements: Vec<Agreement>,
    plans: Vec<ReportPlan>,
}

#[derive(Template)]
#[template(path = "service_level.html")]
struct ReportPage {
    frame: Frame,
    a: Agreement,
    policies: Vec<(&'static str, &'static str)>,
    parts: Vec<(&'static str, String)>,
    subjects: Vec<Subject>,
    outages: Vec<OutageRow>,
    more: usize,
    said: Vec<Said>,
    before: Option<String>,
    /// Where the same stands for printing.
    report: String,
    budget: Option<ErrorBudget>,
    others: Vec<Other>,
    /// Whether the number of outages is limited.
    counts: bool,
    version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    period: Option<String>,
    on: Option<String>,
}

impl Asked {
    /// A date on which the declaration is in force that is meant.
    pub(super) fn on(&self) -> Option<&str> {
        self.on.as_deref().filter(|on| !on.is_empty())
    }

    /// Which one; none for the present one, which an empty field asks for too.
    pub(super) fn period(&self) -> Option<&str> {
        self.period.as_deref().filter(|period| !period.is_empty())
    }
}

/// All agreements over their present periods.
pub(in crate::web) async fn list(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    let mut agreements = Vec::new();
    for declared in force::present(&web.promised(), web.now()) {
        agreements.push(agreement(declared, &web.report(declared).await?));
    }
    let plans = report_plans(&web, &caller).await?;
    show(&ListPage { frame: Frame::new(&web, &caller, "service-levels", "Service levels"), agreements, plans })
}

/// One agreement over a period.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    let promised = web.promised();
    let chosen = web.agreement(&promised, &name, asked.period(), asked.on())?;
    let declared = chosen.declared;
    let report = web.report_over(declared, chosen.period).await?;
    let handling = web.handling(&report).await?;
    let zone = zone(&declared.agreement.zone).ok_or_else(|| Problem::internal("a zone is not known any more"))?;
    let just_before = report.period.span.from.plus_ms(-1);
    let is_rolling = matches!(declared.period, Length::Rolling(_));
    let path = format!("/service-levels/{}/report", words::encode_part(&name));
    let before = (report.period.span.from < report.period.span.until)
        .then(|| declared.period.at(just_before, &zone).name)
        .filter(|_| !is_rolling);
    let on = asked.on().map_or_else(String::new, |on| format!("&on={}", words::encode(on)));
    let shown = report.lines.iter().map(|line| line.outages.len()).sum::<usize>();
    let title = format!("{name}, {}", report.period.name);
    show(&ReportPage {
        frame: Frame::new(&web, &caller, "service-levels", title),
        a: agreement(declared, &report),
        policies: policies(declared),
        parts: parts(&report.total.buckets),
        subjects: report
            .lines
            .iter()
            .map(|line| subject(&declared.agreement, line, &handling, report.window, &zone))
            .collect(),
        outages: report.lines.iter().flat_map(|line| outages(line, &handling, &zone)).take(SHOWN).collect(),
        more: shown.saturating_sub(SHOWN),
        said: report.lines.iter().flat_map(|line| said(line, &zone)).collect(),
        before,
        // What rolls on has no name to ask for.
        report: if is_rolling { path } else { format!("{path}?period={}{on}", words::encode(&report.period.name)) },
        others: chosen.others.iter().map(|other| Other::of(other, &report)).collect(),
        counts: declared.agreement.outages.is_some(),
        version: web
            .version(&name)
            .await?
            .map(|kept| format!("version {} since {}", kept.version, words::clock_time(kept.at, &zone))),
        budget: error_budget(&web, declared, &report, &zone),
    })
}

/// What counts as what.
fn policies(declared: &Declared) -> Vec<(&'static str, &'static str)> {
    let agreement = &declared.agreement;
    let mut all = vec![
        ("Maintenance", agreement.maintenance),
        ("Unreachable", agreement.unreachable),
        ("Collector down", agreement.collector_down),
        ("Unknown", agreement.unknown),
        ("Stopped on purpose", agreement.clean_stop),
    ];
    if declared.has_checks() {
        all.push(("A check's warning", agreement.warning));
    }
    let words = |policy: Policy| match policy {
        Policy::Exclude => "left out",
        Policy::AsUp => "counts as up",
        Policy::AsDown => "counts as an outage",
    };
    all.into_iter().map(|(name, policy)| (name, words(policy))).collect()
}

fn agreement(declared: &Declared, report: &Report) -> Agreement {
    let agreement = &declared.agreement;
    let hours: Vec<String> = agreement.service_hours.iter().map(|hours| hours.words()).collect();
    let (total, figures) = (&report.total, &report.total.figures);
    Agreement {
        name: agreement.name.clone(),
        path: format!("/service-levels/{}", words::encode_part(&agreement.name)),
        target: format!("{} %", agreement.target.percent()),
        allowed: promises::allowed(agreement),
        force: promises::in_force(agreement),
        applies_to: declared.applies_to(),
        each: declared.each(),
        hours: if hours.is_empty() { "around the clock".into() } else { hours.join("; ") },
        period: report.period.name.clone(),
        length: declared.period.word(),
        zone: agreement.zone.clone(),
        availability: percent(figures.availability),
        verdict: verdict(figures),
        bounds: format!("{} and {}", percent(figures.pessimistic), percent(figures.optimistic)),
        coverage: percent(figures.coverage),
        budget: budget(total),
        overdrawn: total.budget_left_ms < 0,
        at_best: percent(total.at_best.availability),
        agreed: report
            .agreed
            .as_ref()
            .map(|agreed| (verdict(&agreed.figures), percent(agreed.figures.availability), budget(agreed))),
        complete: report.window == report.period.span,
        subjects: report.lines.len(),
    }
}

fn budget(total: &Total) -> String {
    let overdrawn = if total.budget_left_ms < 0 { "overdrawn by " } else { "" };
    let left = words::duration(total.budget_left_ms.abs());
    format!("{overdrawn}{left} of {}", words::duration(total.budget_ms))
}

pub(super) fn percent(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(|| "–".into(), |ratio| format!("{}\u{a0}%", ratio.percent(DECIMALS)))
}

pub(super) fn verdict(figures: &Figures) -> Badge {
    badge(figures.verdict)
}

pub(super) fn badge(verdict: Verdict) -> Badge {
    let (class, sign, word) = match verdict {
        Verdict::Met => ("good", "✓", "met"),
        Verdict::Missed => ("critical", "✕", "missed"),
        Verdict::Undetermined => ("quiet", "?", "undetermined"),
    };
    Badge { class, sign, word: word.into() }
}

fn parts(buckets: &Buckets) -> Vec<(&'static str, String)> {
    let some = Bucket::ALL.into_iter().filter(|bucket| buckets.ms(*bucket) > 0);
    some.map(|bucket| (name(bucket), words::duration(buckets.ms(bucket)))).collect()
}

pub(super) const fn name(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::OutsideHours => "Not in service",
        Bucket::Maintenance => "Maintenance",
        Bucket::Down => "Down",
        Bucket::CleanStop => "Stopped on purpose",
        Bucket::Up => "Up",
        Bucket::Unreachable => "Unreachable",
        Bucket::CollectorDown => "Collector down",
        Bucket::Unknown => "Unknown",
    }
}

fn subject(
    agreement: &sla::agreement::Agreement,
    line: &Line,
    handling: &Handling,
    window: Span,
    zone: &TimeZone,
) -> Subject {
    let (outages, counted) = promises::counted(agreement, line);
    let (buckets, figures) = (&line.reckoning.buckets, &line.reckoning.figures);
    let reaction = handling.reaction(std::slice::from_ref(line));
    let time = |ms: Option<i64>| ms.map_or_else(|| "–".into(), words::duration);
    let or_none = |ms: i64| if ms == 0 { "–".to_owned() } else { words::duration(ms) };
    Subject {
        name: line.known.subject.name(),
        path: path(&line.known.subject),
        needs: needs(&line.known.subject),
        availability: percent(figures.availability),
        verdict: verdict(figures),
        agreed: line.agreed.as_ref().map(|agreed| {
            let figures = &agreed.reckoning.figures;
            (verdict(figures), percent(figures.availability))
        }),
        down: or_none(buckets.ms(Bucket::Down) + buckets.ms(Bucket::CleanStop)),
        unproven: or_none(buckets.unproven_ms()),
        maintenance: or_none(buckets.ms(Bucket::Maintenance)),
        outages,
        counted,
        reached: badge(figures.of_the_target(agreement.target)),
        mtrs: time(line.means.mtrs_ms),
        mttd: time(reaction.detected.mean_ms),
        mtta: time(reaction.acknowledged.mean_ms),
        pieces: timeline(&line.reckoning.stretches, window, WIDTH, zone),
        members: members(agreement, &line.known, window, zone, 1),
    }
}

/// What a service is made of, each as it was measured in agreed time.
fn members(
    agreement: &sla::agreement::Agreement,
    known: &Known,
    window: Span,
    zone: &TimeZone,
    depth: usize,
) -> Vec<Member> {
    let one = |member: &Known| {
        let reckoning = sla::reckon(agreement, &member.as_measured(), window);
        let row = Member {
            name: member.subject.name(),
            path: path(&member.subject),
            depth,
            says: member_says(&member.subject, &reckoning.buckets),
            pieces: timeline(&reckoning.stretches, window, WIDTH, zone),
        };
        std::iter::once(row).chain(members(agreement, member, window, zone, depth + 1)).collect::<Vec<_>>()
    };
    known.members.iter().flat_map(one).collect()
}

/// What was not simply up of a member.
pub(super) fn member_says(of: &Whom, buckets: &Buckets) -> String {
    let some = Bucket::ALL.into_iter().filter(|bucket| buckets.ms(*bucket) > 0 && *bucket != Bucket::Up);
    let parts = some.map(|bucket| format!("{} {}", name(bucket).to_lowercase(), words::duration(buckets.ms(bucket))));
    let needs = needs(of);
    let told: Vec<String> = needs.into_iter().chain(parts).collect();
    if told.is_empty() { "up throughout".into() } else { told.join(", ") }
}

/// How many members a service needs.
pub(super) fn needs(of: &Whom) -> Option<String> {
    match of {
        Whom::Service { needs, of, .. } => Some(format!("{} of {of}", needs.words())),
        Whom::Host { .. } | Whom::Check { .. } => None,
    }
}

/// Where a subject is looked at; a service is here.
fn path(whom: &Whom) -> Option<String> {
    match whom {
        Whom::Host { id, .. } => Some(format!("/hosts/{id}")),
        Whom::Check { id, .. } => Some(format!("/hosts/{id}#checks")),
        Whom::Service { .. } => None,
    }
}

pub(super) fn told(one: &Incident) -> Told {
    Told { number: one.no.to_string(), by: one.acknowledged.as_ref().map(|(_, who)| who.clone()) }
}

fn outages<'a>(line: &'a Line, handling: &'a Handling, zone: &'a TimeZone) -> impl Iterator<Item = OutageRow> + 'a {
    let incidents = handling.of(&line.known);
    line.outages.iter().map(move |outage| OutageRow {
        subject: line.known.subject.name(),
        path: outage::query(&line.known.subject, outage.span.from),
        from: words::clock_time(outage.span.from, zone),
        to: words::clock_time(outage.span.until, zone),
        length: words::duration(outage.span.until.since_ms(outage.span.from)),
        open: outage.open,
        cause: outage.category.map_or_else(String::new, |cause| format!("{}: ", cause.word().replace('_', " ")))
            + &outage.cause,
        evidence: if outage.evidence == outage.cause { String::new() } else { outage.evidence.clone() },
        notes: outage.notes.clone(),
        disputed: outage.disputed,
        incidents: of_span(outage.span, &incidents).map(told).collect(),
    })
}

/// What people said of a subject afterwards, corrections and windows; of a service, of what it is made of.
pub(super) fn said(line: &Line, zone: &TimeZone) -> Vec<Said> {
    line.known.whole().into_iter().flat_map(|known| said_of(known, zone)).collect()
}

fn said_of(known: &Known, zone: &TimeZone) -> Vec<Said> {
    let from_to =
        |span: Span| format!("{} to {}", words::clock_time(span.from, zone), words::clock_time(span.until, zone));
    let subject = || known.subject.name();
    let corrections = known.amended.corrections.iter().map(|correction| Said {
        subject: subject(),
        what: format!("{}: {}", correction.stretch.bucket.word(), from_to(correction.stretch.span)),
        source: correction.source.clone(),
        reason: correction.reason.clone(),
    });
    let windows = known.maintenance.iter().filter_map(|planned| {
        let reason = match (&planned.disregarded, planned.late) {
            (Some(why), _) => format!("does not count: {why}"),
            (None, Some(at)) => format!("entered afterwards, at {}: {}", words::clock_time(at, zone), planned.reason),
            (None, None) => return None,
        };
        let what = format!("maintenance: {}", from_to(planned.span));
        Some(Said { subject: subject(), what, source: planned.window.clone(), reason })
    });
    corrections.chain(windows).collect()
}
