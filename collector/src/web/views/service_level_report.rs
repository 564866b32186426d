//! A report of an agreement over a period for whoever has to answer for it: on paper, in a browser, or as a file that needs
//! nothing else. Pictures, tables and sums are drawn from the same stretches.

mod axis;
mod heat_map;
mod pictures;
mod provenance;
mod rows;
mod sentence;

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State as Given},
    http::header,
    response::{Html, IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::tz::TimeZone;
use ring::digest;
use serde_json::Value;

use self::{
    heat_map::Month,
    pictures::{Burn, Timeline, WIDTH},
    provenance::Provenance,
    rows::{Account, BucketRow, Fact, Subject},
    sentence::{length, percent, period, policy},
};
pub(super) use self::{
    pictures::{Piece, timeline},
    sentence::{period as period_words, verdict as in_words},
};
use super::{
    Badge, Shown, promises,
    service_levels::{Asked, verdict},
};
use crate::{
    domain::{
        calendar::zone,
        sla::{
            agreement::{Agreement, Policy},
            handling::{Delays, Handling},
            outages::{Means, Outage},
            report::{Declared, Line, Report, Total},
        },
        time::Timestamp,
    },
    web::{Shared, Web, access::Caller, problem::Problem, words},
};

/// The style of the document, which carries it.
pub(super) const STYLE: &str = include_str!("../../../assets/report.css");

/// All of a document.
#[derive(Template)]
#[template(path = "service_level_report.html")]
struct Document {
    style: &'static str,
    name: String,
    period: String,
    verdict: Badge,
    sentence: String,
    facts: Vec<Fact>,
    policies: Vec<Fact>,
    figures: Vec<Fact>,
    buckets: Vec<BucketRow>,
    window: String,
    means: Vec<(&'static str, String, &'static str)>,
    burn: Option<Burn>,
    /// What came of each day.
    months: Vec<Month>,
    subjects: Vec<Subject>,
    perfect: Vec<(String, String)>,
    not_told: usize,
    left_out: usize,
    accounts: Vec<Account>,
    /// What the subjects are, in the singular.
    each: &'static str,
    width: i64,
    made: String,
    provenance: Provenance,
}

/// What a document is made of.
pub(in crate::web) struct Made<'a> {
    /// The agreement.
    pub(in crate::web) declared: &'a Declared,
    /// What came of it.
    pub(in crate::web) report: &'a Report,
    /// The same as it is issued: with what it was reckoned from, and its digest.
    pub(in crate::web) whole: &'a Value,
    /// Who had its outages.
    pub(in crate::web) handling: &'a Handling,
    /// Who asked for it, in words.
    pub(in crate::web) by: String,
    /// When.
    pub(in crate::web) now: Timestamp,
    /// The collector's address, for links to incidents; without it there are none.
    pub(in crate::web) address: Option<&'a str>,
    /// Who reads it.
    pub(in crate::web) audience: Audience,
}

/// Who reads a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Audience {
    /// Whoever may see all that the collector knows.
    Staff,
    /// A department that was given a link: no causes and evidence, which may name addresses, no incidents, nobody's words.
    Department,
}

impl Made<'_> {
    /// What it is and what came of it, in a line: `office, October 2026: met`.
    pub(in crate::web) fn title(&self) -> String {
        let (agreement, report) = (&self.declared.agreement, self.report);
        format!("{}, {}: {}", agreement.name, period(&report.period.name), verdict(&report.total.figures).word)
    }

    /// The same in some sentences.
    pub(in crate::web) fn sentence(&self) -> String {
        sentence::verdict(self.declared, self.report)
    }

    /// The whole document.
    pub(in crate::web) fn document(&self) -> Result<String, Problem> {
        let zone =
            zone(&self.declared.agreement.zone).ok_or_else(|| Problem::internal("a zone is not known any more"))?;
        let (report, agreement) = (self.report, &self.declared.agreement);
        let hosts = Hosts::of(self, &zone);
        let document = Document {
            style: STYLE,
            name: agreement.name.clone(),
            period: period(&report.period.name),
            verdict: verdict(&report.total.figures),
            sentence: sentence::verdict(self.declared, report),
            facts: self.facts(&zone),
            policies: policies(agreement),
            figures: figures(report, agreement.target.percent()),
            buckets: rows::buckets(agreement, report),
            window: words::seconds(report.total.buckets.window_ms()),
            means: self.means(),
            burn: Burn::of(agreement, report, &zone),
            months: heat_map::months(agreement, report, &zone),
            subjects: hosts.subjects,
            perfect: hosts.perfect,
            not_told: hosts.not_told,
            left_out: hosts.left_out,
            accounts: hosts.accounts,
            each: self.declared.each(),
            width: WIDTH,
            made: format!(
                "by Muster {} for {} on {}",
                env!("CARGO_PKG_VERSION"),
                self.by,
                words::clock_time(self.now, &zone)
            ),
            provenance: Provenance::of(self.whole, self.audience)?,
        };
        document.render().map_err(|_| Problem::internal("the report cannot be drawn"))
    }

    /// What was agreed, and what this is about.
    fn facts(&self, zone: &TimeZone) -> Vec<Fact> {
        let (report, agreement) = (self.report, &self.declared.agreement);
        let hours: Vec<String> = agreement.service_hours.iter().map(|hours| hours.words()).collect();
        let holidays: Vec<String> = agreement.holidays.iter().map(ToString::to_string).collect();
        let or = |list: Vec<String>, none: &str| if list.is_empty() { none.to_owned() } else { list.join("; ") };
        let span = |from, until| format!("{} to {}", words::clock_time(from, zone), words::clock_time(until, zone));
        let mut facts = vec![
            Fact::new(
                "Promised",
                format!("{} % of the agreed time, by each {}", agreement.target.percent(), self.declared.each()),
            ),
            Fact::new("Applies to", self.declared.applies_to()),
            Fact::new("Of these there are", words::count(report.lines.len())),
            Fact::new("Service hours", or(hours, "around the clock")),
            Fact::new("No service on", or(holidays, "no holidays are agreed")),
            Fact::new("Calendar of", agreement.zone.clone()),
            Fact::new("Period", span(report.period.span.from, report.period.span.until)),
        ];
        facts.extend(promises::allowed(agreement).map(|outages| Fact::new("Besides", outages)));
        facts.extend(promises::in_force(agreement).map(|force| Fact::new("In force", force)));
        if report.window != report.period.span {
            facts.push(Fact::new("Of which is over", span(report.window.from, report.window.until)));
        }
        facts
    }

    /// What is usually asked, each with the rule by which it is counted.
    fn means(&self) -> Vec<(&'static str, String, &'static str)> {
        let report = self.report;
        let outages: Vec<Outage> = report.lines.iter().flat_map(|line| line.outages.iter().cloned()).collect();
        let (means, open) =
            (Means::of(&outages, &report.total.figures), outages.iter().filter(|outage| outage.open).count());
        let reaction = self.handling.reaction(&report.lines);
        let time = |ms: Option<i64>| ms.map_or_else(|| "–".into(), words::duration);
        let spread = |delays: &Delays| match delays.count {
            0 => "–".to_owned(),
            count => format!(
                "{} (median {}, nine of ten {}; {})",
                time(delays.mean_ms),
                time(delays.median_ms),
                time(delays.p90_ms),
                words::counted(usize::try_from(count).unwrap_or(0), "incident", "incidents"),
            ),
        };
        let count = words::count(outages.len());
        vec![
            (
                "Outages",
                if open == 0 { count } else { format!("{count}, {open} of them not over") },
                "unbroken stretches in agreed time that are proven not to be served, outside of maintenance; each begins at \
                 the last proof of life",
            ),
            ("Longest", words::duration(means.longest_ms), "the longest of them, also if it is not over"),
            ("MTRS", time(means.mtrs_ms), "mean time to restore service: of those that are over, from begin to end"),
            ("Median", time(means.median_ms), "half of those that are over took no longer"),
            ("Nine of ten", time(means.p90_ms), "nine of ten of those that are over took no longer"),
            ("MTBF", time(means.mtbf_ms), "mean time between failures: time served, divided by outages"),
            ("MTBSI", time(means.mtbsi_ms), "mean time between service incidents: agreed time, divided by outages"),
            (
                "MTTD",
                spread(&reaction.detected),
                "mean time to detect: from the last proof of life until the incident was opened",
            ),
            (
                "MTTA",
                spread(&reaction.acknowledged),
                "mean time to acknowledge: from when the first page to a person was taken by what delivers it until \
                 somebody had the incident; what called nobody by name, or was taken before, is not counted",
            ),
        ]
    }
}

/// Subjects that are told minute by minute, those with the most time missing first: a document for reading has its bounds,
/// the same report in JSON has all.
const ACCOUNTS: usize = 200;
/// Subjects that have a row.
const SUBJECTS: usize = 1_000;

/// The subjects of a report: those with something to tell, by how much was missing, and those that were simply up.
#[derive(Default)]
struct Hosts {
    subjects: Vec<Subject>,
    accounts: Vec<Account>,
    /// Names, each with its agreed time.
    perfect: Vec<(String, String)>,
    /// How many have something to tell that is not here.
    not_told: usize,
    /// How many have no row.
    left_out: usize,
}

impl Hosts {
    fn of(made: &Made<'_>, zone: &TimeZone) -> Self {
        let mut lines: Vec<&Line> = made.report.lines.iter().collect();
        let missing = |line: &&Line| line.reckoning.figures.agreed_ms - line.reckoning.figures.served_ms;
        lines.sort_by_key(|line| std::cmp::Reverse(missing(line)));
        let mut hosts = Self::default();
        for line in lines {
            let is_full = hosts.accounts.len() >= ACCOUNTS;
            let account = if is_full { None } else { Account::of(line, made, zone) };
            let agreed = line.reckoning.figures.agreed_ms;
            let has_more = is_full && !rows::was_up(line);
            if account.is_none() && agreed > 0 && !has_more {
                hosts.perfect.push((line.known.subject.name(), words::duration(agreed)));
                continue;
            }
            hosts.not_told += usize::from(has_more);
            if hosts.subjects.len() >= SUBJECTS {
                hosts.left_out += 1;
                continue;
            }
            hosts.subjects.push(Subject::of(line, account.is_some()));
            hosts.accounts.extend(account);
        }
        hosts
    }
}

/// What each kind of time does to the figure.
fn policies(agreement: &Agreement) -> Vec<Fact> {
    let kinds = [
        ("Planned maintenance", agreement.maintenance),
        ("Stopped on purpose", agreement.clean_stop),
        ("Cut off from the collector", agreement.unreachable),
        ("While the collector did not run", agreement.collector_down),
        ("What nobody can say", agreement.unknown),
        ("Proven not to serve", Policy::AsDown),
    ];
    kinds.into_iter().map(|(name, counts)| Fact::new(name, policy(counts).to_owned())).collect()
}

fn figures(report: &Report, target: String) -> Vec<Fact> {
    let (total, figures) = (&report.total, &report.total.figures);
    let complete = report.window == report.period.span;
    let left = |total: &Total| {
        let overdrawn = if total.budget_left_ms < 0 { "overdrawn by " } else { "" };
        format!("{overdrawn}{}", length(total.budget_left_ms.abs()))
    };
    let mut facts = vec![
        Fact::new(if complete { "Availability" } else { "Availability to date" }, percent(figures.availability)),
        Fact::new("Promised", format!("{target}\u{a0}%")),
        Fact::new("Agreed time", length(figures.agreed_ms)),
        Fact::new("Served of it", length(figures.served_ms)),
        Fact::new("Missing of it", length(figures.agreed_ms - figures.served_ms)),
        Fact::new("May be missing in the whole period", length(total.budget_ms)),
        Fact::new("Left of that", left(total)),
        Fact::new("Proven one way or the other", percent(figures.coverage)),
        Fact::new("If all that is not proven was an outage", percent(figures.pessimistic)),
        Fact::new("If all that is not proven was up", percent(figures.optimistic)),
    ];
    if !complete {
        let later = format!("{}: {}", percent(total.at_best.availability), verdict(&total.at_best).word);
        facts.insert(1, Fact::new("At the end, if nothing more happens", later));
    }
    if let Some(agreed) = &report.agreed {
        let says = format!("{}: {}", percent(agreed.figures.availability), verdict(&agreed.figures).word);
        facts.push(Fact::new("With what people said afterwards", says));
        facts.push(Fact::new("Left to be missing then", left(agreed)));
    }
    facts
}

/// The report for reading and printing.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Shown {
    Ok(answer(&web, &caller, &name, &asked).await?)
}

/// The same for programs.
pub(in crate::web) async fn file(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    answer(&web, &caller, &name, &asked).await
}

async fn answer(web: &Web, caller: &Caller, name: &str, asked: &Asked) -> Result<Response, Problem> {
    let promised = web.promised();
    let chosen = web.agreement(&promised, name, asked.period(), asked.on())?;
    let declared = chosen.declared;
    let report = web.report_over(declared, chosen.period.clone()).await?;
    let whole = web.issue(&chosen, &report).await?;
    let handling = web.handling(&report).await?;
    let address = Some(web.context.config.http.url.as_str());
    let made = Made {
        declared,
        report: &report,
        whole: &whole,
        handling: &handling,
        by: caller.in_words(),
        now: web.now(),
        address,
        audience: Audience::Staff,
    };
    Ok(dressed(made.document()?))
}

/// The document may use its own style, and nothing else.
pub(super) fn dressed(document: String) -> Response {
    let digest = digest::digest(&digest::SHA256, STYLE.as_bytes());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        STANDARD.encode(digest)
    );
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(document)).into_response()
}

#[cfg(test)]
mod tests;
