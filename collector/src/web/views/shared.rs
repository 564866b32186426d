//! What a link shows a department: its own agreements, their outages, reports and planned maintenance, and nothing else.
//!
//! It stands outside of all other views: no navigation, no address, no evidence. Whoever has the link sees it without signing
//! in, so every answer, also one that refuses, says no more than it must and asks not to be kept, indexed or passed on.

use std::collections::BTreeSet;

use askama::Template;
use axum::{
    extract::{Path, Query, State as Given},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{
    Badge,
    service_level_report::{Audience, Made, STYLE, dressed, in_words, period_words},
    service_levels::{percent, verdict},
};
use crate::{
    domain::{
        calendar::{Span, zone},
        hold::{Hold, Kind, confirmed_labels},
        sla::{
            outages::Outage,
            period::Period,
            report::{Declared, Line, Report},
            share::{Share, Standing, periods},
            subjects::{subject, subjects},
        },
        snapshot::HostView,
        time::Timestamp,
    },
    web::{Shared, Web, problem::Problem, words},
};

/// Outages listed of the present period; its report has all.
const OUTAGES: usize = 50;
/// Occurrences told of a window that recurs.
const TIMES: usize = 3;
/// Hosts named of a window.
const NAMES: usize = 20;

/// An agreement.
struct Promised {
    name: String,
    verdict: Badge,
    sentence: String,
    availability: String,
    target: String,
    zone: String,
    period: String,
    each: &'static str,
    outages: Vec<OutageRow>,
    more: usize,
    windows: Vec<Window>,
    /// Reports, newest first: what the period is called, and where it is.
    reports: Vec<(String, String)>,
}

/// An outage.
struct OutageRow {
    subject: String,
    from: String,
    until: String,
    open: bool,
    length: String,
    kind: String,
}

/// Planned maintenance.
struct Window {
    name: String,
    reason: String,
    hosts: String,
    lasts: bool,
    times: Vec<String>,
}

#[derive(Template)]
#[template(path = "shared.html")]
struct SharedPage {
    style: &'static str,
    audience: String,
    ends: String,
    made: String,
    promised: Vec<Promised>,
    /// Agreements that are not promised any more.
    gone: Vec<String>,
}

#[derive(Template)]
#[template(path = "shared_problem.html")]
struct ProblemPage {
    style: &'static str,
    says: &'static str,
    remedy: &'static str,
}

/// Why a link shows nothing.
struct Refused(StatusCode);

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        tracing::warn!("what a link of agreements shows cannot be made: {}", problem.detail);
        Self(StatusCode::SERVICE_UNAVAILABLE)
    }
}

impl Refused {
    /// A page that says what to do, and nothing of what is behind it.
    fn page(self) -> Response {
        let (says, remedy) = match self.0 {
            StatusCode::GONE => ("This link does not work any more.", "Ask whoever gave it to you for a new one."),
            StatusCode::NOT_FOUND => {
                ("There is nothing here.", "Check that the whole address was copied, or ask whoever gave it to you.")
            }
            _ => ("This cannot be shown now.", "Try again in a minute."),
        };
        let page = ProblemPage { style: STYLE, says, remedy }.render();
        (self.0, dressed(page.unwrap_or_else(|_| says.to_owned()))).into_response()
    }
}

/// Neither kept nor found, and its address is told to nobody.
fn discreet(shown: Result<String, Refused>) -> Response {
    let mut response = shown.map_or_else(Refused::page, dressed);
    let mut set = |name, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CACHE_CONTROL, "no-store");
    set(header::HeaderName::from_static("x-robots-tag"), "noindex, nofollow, noarchive");
    response
}

/// All that a link shows.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Path(link): Path<String>) -> Response {
    discreet(overview(&web, &link).await)
}

/// Which report.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    agreement: String,
    period: String,
}

/// A report of one of its agreements.
pub(in crate::web) async fn report(
    Given(web): Given<Shared>,
    Path(link): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    discreet(document(&web, &link, &asked).await)
}

/// The link, if it works.
async fn opened(web: &Web, link: &str) -> Result<Share, Refused> {
    let no = web.context.links.read_share(link).ok_or(Refused(StatusCode::NOT_FOUND))?;
    let share = web.context.store.share(no).await.map_err(Problem::from)?.ok_or(Refused(StatusCode::NOT_FOUND))?;
    match share.at(web.now()) {
        Standing::Works => Ok(share),
        Standing::Ended | Standing::Revoked => Err(Refused(StatusCode::GONE)),
    }
}

async fn overview(web: &Web, link: &str) -> Result<String, Refused> {
    let share = opened(web, link).await?;
    let (mut promised, mut gone) = (Vec::new(), Vec::new());
    for name in &share.agreements {
        match of(web, link, name).await? {
            Some(one) => promised.push(one),
            None => gone.push(name.clone()),
        }
    }
    let page = SharedPage {
        style: STYLE,
        audience: share.audience,
        ends: words::clock_time(share.ends, &web.zone),
        made: words::clock_time(web.now(), &web.zone),
        promised,
        gone,
    };
    Ok(page.render().map_err(|_| Problem::internal("the page cannot be drawn"))?)
}

/// What is shown of an agreement, if it is still promised.
async fn of(web: &Web, link: &str, name: &str) -> Result<Option<Promised>, Refused> {
    let promised = web.promised();
    let Ok(chosen) = web.agreement(&promised, name, None, None) else { return Ok(None) };
    let declared = chosen.declared;
    let zone = zone_of(declared)?;
    let report = web.report_over(declared, chosen.period.clone()).await?;
    let (outages, more) = outages(&report, &zone);
    let path = |period: &Period| {
        let (name, period) = (words::encode_part(name), words::encode_part(&period.name));
        format!("/shared/{link}/report?agreement={name}&period={period}")
    };
    let shown = shown(&report, declared, web.now());
    Ok(Some(Promised {
        name: name.to_owned(),
        verdict: verdict(&report.total.figures),
        sentence: in_words(declared, &report),
        availability: percent(report.total.figures.availability),
        target: format!("{}\u{a0}%", declared.agreement.target.percent()),
        zone: declared.agreement.zone.clone(),
        period: period_words(&report.period.name),
        each: declared.each(),
        outages,
        more,
        windows: windows(web, declared, &zone),
        reports: shown.iter().map(|period| (period_words(&period.name), path(period))).collect(),
    }))
}

/// The periods of which reports are shown.
fn shown(present: &Report, declared: &Declared, now: Timestamp) -> Vec<Period> {
    let leaves = present.lines.iter().flat_map(|line| line.known.leaves());
    let begun = leaves.filter_map(|leaf| leaf.basis.ledger.as_ref()).map(|ledger| ledger.begun).min();
    periods(declared, begun.unwrap_or(now), now)
}

/// Outages of the present period, newest first, and how many more there are.
fn outages(report: &Report, zone: &TimeZone) -> (Vec<OutageRow>, usize) {
    let of = report.lines.iter().flat_map(|line| line.outages.iter().map(move |outage| (line, outage)));
    let mut all: Vec<_> = of.collect();
    all.sort_by_key(|(_, outage)| std::cmp::Reverse(outage.span.from));
    let more = all.len().saturating_sub(OUTAGES);
    let row = |(line, outage): &(&Line, &Outage)| OutageRow {
        subject: line.known.subject.name(),
        from: words::clock_time(outage.span.from, zone),
        until: words::clock_time(outage.span.until, zone),
        open: outage.open,
        length: words::duration(outage.span.until.since_ms(outage.span.from)),
        kind: outage.category.map_or_else(String::new, |cause| cause.word().replace('_', " ")),
    };
    (all.iter().take(OUTAGES).map(row).collect(), more)
}

/// Planned maintenance of its hosts that lasts or is to come.
fn windows(web: &Web, declared: &Declared, zone: &TimeZone) -> Vec<Window> {
    let (snapshot, now) = (web.snapshot(), web.now());
    let hosts = subjects(declared, &snapshot);
    let planned = snapshot.holds.iter().filter(|hold| hold.kind == Kind::Maintenance && !hold.is_over(now));
    let mut windows: Vec<(Timestamp, Window)> = planned
        .filter_map(|hold| {
            let names: BTreeSet<&str> =
                hosts.iter().filter(|host| covers(hold, host)).map(|host| host.profile.name.as_str()).collect();
            let spans: Vec<Span> = hold.at(now).into_iter().chain(hold.following(now)).take(TIMES).collect();
            let first = spans.first().filter(|_| !names.is_empty())?.from;
            Some((first, window(hold, &names, &spans, (now, zone))))
        })
        .collect();
    windows.sort_by_key(|(first, _)| *first);
    windows.into_iter().map(|(_, window)| window).collect()
}

fn covers(hold: &Hold, host: &HostView) -> bool {
    let labels = confirmed_labels(&host.profile);
    hold.scope.fits_host(&subject(host, &labels))
}

fn window(hold: &Hold, names: &BTreeSet<&str>, spans: &[Span], (now, zone): (Timestamp, &TimeZone)) -> Window {
    let more = names.len().saturating_sub(NAMES);
    let mut told: Vec<String> = names.iter().take(NAMES).map(|name| (*name).to_owned()).collect();
    told.extend((more > 0).then(|| format!("{} more", words::count(more))));
    let time =
        |span: &Span| format!("{} to {}", words::clock_time(span.from, zone), words::clock_time(span.until, zone));
    Window {
        name: hold.name(),
        reason: hold.reason.clone(),
        hosts: told.join(", "),
        lasts: hold.at(now).is_some(),
        times: spans.iter().map(time).collect(),
    }
}

async fn document(web: &Web, link: &str, asked: &Asked) -> Result<String, Refused> {
    let share = opened(web, link).await?;
    if !share.agreements.contains(&asked.agreement) {
        return Err(Refused(StatusCode::NOT_FOUND));
    }
    let promised = web.promised();
    let none = |_| Refused(StatusCode::NOT_FOUND);
    let present = web.agreement(&promised, &asked.agreement, None, None).map_err(none)?;
    let known = web.report_over(present.declared, present.period.clone()).await?;
    if !shown(&known, present.declared, web.now()).iter().any(|period| period.name == asked.period) {
        return Err(Refused(StatusCode::NOT_FOUND));
    }
    let chosen = web.agreement(&promised, &asked.agreement, Some(&asked.period), None).map_err(none)?;
    let report = web.report_over(chosen.declared, chosen.period.clone()).await?;
    let whole = web.issue(&chosen, &report).await?;
    let handling = web.handling(&report).await?;
    let made = Made {
        declared: chosen.declared,
        report: &report,
        whole: &whole,
        handling: &handling,
        by: if share.audience.is_empty() { "whoever has the link".to_owned() } else { share.audience },
        now: web.now(),
        address: None,
        audience: Audience::Department,
    };
    Ok(made.document()?)
}

fn zone_of(declared: &Declared) -> Result<TimeZone, Problem> {
    zone(&declared.agreement.zone).ok_or_else(|| Problem::internal("a zone is not known any more"))
}
