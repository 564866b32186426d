//! Status: the whole fleet, worst first. Fast with 10 000 hosts: one pass, one sort of references, one page of rows.

use std::{cmp::Ordering, sync::Arc};

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State as Given},
    response::Redirect,
};
use serde::Deserialize;

use super::{Badge, Frame, Shown, When, show, spark::Spark};
use crate::{
    domain::{
        host::State,
        labels::Admission,
        record::IncidentState,
        selection::Selection,
        severity::Severity,
        snapshot::{HostView, Snapshot},
        trend::sketch::Line,
    },
    web::{
        Shared,
        access::Caller,
        api::hosts::selection_of,
        problem::Problem,
        words::{self, encode},
    },
};

/// Rows of a page.
const PER_PAGE: usize = 100;
/// What stands for the site of hosts without one.
const UNSORTED: &str = "unsorted";
/// Findings named in a row; the host's view has them all.
const FINDINGS_SHOWN: usize = 3;

/// What the URL may say. All of it is optional and hostile.
#[derive(Debug, Default, Clone, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(flatten)]
    pub(super) filter: Filter,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    page: String,
}

/// Which hosts are listed.
#[derive(Debug, Default, Clone, Deserialize)]
pub(in crate::web) struct Filter {
    #[serde(default)]
    state: String,
    #[serde(default)]
    site: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    search: String,
    #[serde(default)]
    agent: String,
}

impl Filter {
    /// Its fields, as they stand in addresses and forms.
    pub(super) fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("state", &self.state),
            ("site", &self.site),
            ("class", &self.class),
            ("label", &self.label),
            ("search", &self.search),
            ("agent", &self.agent),
        ]
    }

    /// Whether it asks for more than a name and a state.
    fn is_narrow(&self) -> bool {
        [&self.site, &self.class, &self.label, &self.agent].iter().any(|field| !field.is_empty())
    }

    /// The hosts that are meant.
    pub(super) fn selection(&self) -> Result<Selection, Problem> {
        selection_of(self.fields().into_iter().map(|field| match field {
            ("site", UNSORTED) => ("unsorted", ""),
            other => other,
        }))
    }

    /// This list's address.
    pub(super) fn url(&self) -> String {
        address(self.fields().into_iter())
    }
}

impl Asked {
    /// This list's address with another page, sort or state.
    fn url(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut asked = Self { page: String::new(), ..self.clone() };
        change(&mut asked);
        let further = [("sort", asked.sort.as_str()), ("page", asked.page.as_str())];
        address(asked.filter.fields().into_iter().chain(further))
    }
}

fn address<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let set = fields.filter(|(_, value)| !value.is_empty());
    let query: Vec<String> = set.map(|(name, value)| format!("{name}={}", encode(value))).collect();
    if query.is_empty() { "/".into() } else { format!("/?{}", query.join("&")) }
}

struct Count {
    badge: Badge,
    hosts: String,
    url: String,
    chosen: bool,
}

struct Row {
    url: String,
    name: String,
    site: String,
    class: &'static str,
    badge: Badge,
    since: When,
    why: String,
    /// The last two days of its main readings, if they have been read.
    sparks: Option<Vec<Spark>>,
    findings: Vec<(Badge, String)>,
    more_findings: usize,
    incident: Option<(i64, &'static str)>,
    admission: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "status.html")]
struct StatusView {
    frame: Frame,
    asked: Asked,
    counts: Vec<Count>,
    all: String,
    all_url: String,
    is_all: bool,
    sites: Vec<String>,
    rows: Vec<Row>,
    found: usize,
    found_words: String,
    sorts: [(&'static str, String, bool); 3],
    page: usize,
    pages: usize,
    before_url: Option<String>,
    after_url: Option<String>,
    is_empty_fleet: bool,
}

/// `/hosts` is where people expect the list: it is the status view.
pub(in crate::web) async fn moved() -> Redirect {
    Redirect::to("/")
}

/// The status view.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Shown {
    let snapshot = web.snapshot();
    let selection = asked.filter.selection()?;
    let mut hosts: Vec<&Arc<HostView>> = snapshot.hosts.values().filter(|host| selection.fits(host)).collect();
    hosts.sort_by(|a, b| order(&asked.sort, a, b));
    let pages = hosts.len().div_ceil(PER_PAGE).max(1);
    let page = asked.page.parse::<usize>().unwrap_or(1).clamp(1, pages);
    let shown: Vec<_> = hosts.iter().skip((page - 1) * PER_PAGE).take(PER_PAGE).collect();
    let now = web.now();
    // What is not on the page is not read.
    let mut lines = web.sparks(&shown.iter().map(|host| host.profile.no).collect::<Vec<_>>()).await?;
    let rows = shown
        .into_iter()
        .map(|host| row(host, &snapshot, lines.remove(&host.profile.no), |at| When::new(at, now, &web.zone)));
    let to_page = |page: usize| asked.url(|asked| asked.page = page.to_string());
    let sort_entry = |word: &'static str, key: &str| {
        (
            word,
            asked.url(|asked| asked.sort = key.to_owned()),
            asked.sort == key || (key.is_empty() && !is_sort(&asked.sort)),
        )
    };
    show(&StatusView {
        frame: Frame::new(&web, &caller, "status", "Status"),
        counts: counts(&snapshot, &asked),
        all: words::count(snapshot.hosts.len()),
        all_url: asked.url(|asked| {
            asked.filter.state.clear();
            if asked.filter.site == UNSORTED {
                asked.filter.site.clear();
            }
        }),
        is_all: asked.filter.state.is_empty() && asked.filter.site != UNSORTED,
        sites: sites(&snapshot),
        rows: rows.collect(),
        found: hosts.len(),
        found_words: words::count(hosts.len()),
        sorts: [sort_entry("worst first", ""), sort_entry("name", "name"), sort_entry("latest change", "since")],
        page,
        pages,
        before_url: (page > 1).then(|| to_page(page - 1)),
        after_url: (page < pages).then(|| to_page(page + 1)),
        is_empty_fleet: snapshot.hosts.is_empty(),
        asked,
    })
}

fn is_sort(text: &str) -> bool {
    ["name", "since"].contains(&text)
}

fn order(sort: &str, a: &HostView, b: &HostView) -> Ordering {
    let by_name = || a.profile.name.cmp(&b.profile.name);
    match sort {
        "name" => by_name(),
        "since" => b.since.cmp(&a.since).then_with(by_name),
        _ => badness(b).cmp(&badness(a)).then_with(|| b.since.cmp(&a.since)).then_with(by_name),
    }
}

/// How urgently somebody should look: the observed axis first, then health.
fn badness(host: &HostView) -> u8 {
    if host.profile.admission != Admission::Active {
        return 0;
    }
    let worst = host.troubles().max();
    match (host.state, worst) {
        (State::Down, _) => 9,
        (_, Some(Severity::Critical)) => 8,
        (State::AgentLost | State::Unreachable, _) => 7,
        (_, Some(Severity::Warning)) => 6,
        (State::Suspect, _) => 5,
        (State::Unknown, _) => 4,
        (State::Rebooting, _) => 3,
        (State::Shutdown | State::Asleep, _) => 2,
        (State::Up, _) => 1,
    }
}

fn counts(snapshot: &Snapshot, asked: &Asked) -> Vec<Count> {
    let mut tally = [0_usize; State::ALL.len()];
    let (mut findings, mut retired, mut unsorted) = (0, 0, 0);
    for host in snapshot.hosts.values() {
        if host.profile.admission == Admission::Retired {
            retired += 1;
            continue;
        }
        if let Some(place) = State::ALL.iter().position(|state| *state == host.state) {
            tally[place] += 1;
        }
        unsorted += usize::from(host.profile.site.is_none());
        findings += usize::from(host.troubles().next().is_some());
    }
    let count = |badge: Badge, key: &str, hosts: usize| Count {
        badge,
        hosts: words::count(hosts),
        url: asked.url(|asked| asked.filter.state = key.to_owned()),
        chosen: asked.filter.state == key,
    };
    let states = State::ALL.iter().zip(tally).filter(|(state, n)| *n > 0 || matches!(state, State::Up | State::Down));
    let mut counts: Vec<Count> = states.map(|(state, n)| count(Badge::state(*state), state.word(), n)).collect();
    let mut further = |class, sign, key: &'static str, word: &str, n: usize| {
        if n > 0 {
            counts.push(count(Badge { class, sign, word: word.into() }, key, n));
        }
    };
    further("warning", "▲", "findings", "with findings", findings);
    further("quiet", "–", "retired", "retired", retired);
    if unsorted > 0 && unsorted < snapshot.hosts.len() {
        counts.push(Count {
            badge: Badge { class: "quiet", sign: "?", word: UNSORTED.into() },
            hosts: words::count(unsorted),
            url: asked.url(|asked| asked.filter.site = UNSORTED.into()),
            chosen: asked.filter.site == UNSORTED,
        });
    }
    counts
}

/// The sites there are, for the filter.
fn sites(snapshot: &Snapshot) -> Vec<String> {
    let sites: std::collections::BTreeSet<&str> =
        snapshot.hosts.values().map(|host| host.profile.site.as_deref().unwrap_or(UNSORTED)).collect();
    sites.into_iter().map(str::to_owned).collect()
}

fn row(
    host: &HostView,
    snapshot: &Snapshot,
    lines: Option<Vec<Line>>,
    when: impl Fn(crate::domain::time::Timestamp) -> When,
) -> Row {
    let profile = &host.profile;
    let incident = host.incident.map(|no| {
        let word = snapshot.incidents.get(&no).map_or("open", |view| match view.row.state {
            IncidentState::Acknowledged => "acknowledged",
            _ => "open",
        });
        (no.0, word)
    });
    let findings = host.findings.iter().map(|finding| (Badge::severity(finding.severity), finding.evidence.clone()));
    let checks = host.checks.iter().filter_map(|check| {
        let words = format!("check {} is {}: {}", check.check, check.status.word(), check.headline());
        Some((Badge::severity(check.severity(profile)?), words))
    });
    Row {
        url: format!("/hosts/{}", profile.id),
        name: profile.name.clone(),
        site: profile.site.clone().unwrap_or_else(|| UNSORTED.into()),
        class: profile.class.word(),
        badge: Badge::state(host.state),
        since: when(host.since),
        why: host.cause.words(),
        sparks: lines.map(|lines| lines.iter().filter_map(Spark::of).collect()),
        findings: findings.chain(checks).take(FINDINGS_SHOWN).collect(),
        more_findings: host.troubles().count().saturating_sub(FINDINGS_SHOWN),
        incident,
        admission: (profile.admission != Admission::Active).then(|| admission_word(profile.admission)),
    }
}

pub(super) const fn admission_word(admission: Admission) -> &'static str {
    match admission {
        Admission::Active => "active",
        Admission::Waiting => "waiting to be let in",
        Admission::Suspended => "suspended",
        Admission::Revoked => "revoked",
        Admission::Retired => "retired",
    }
}
