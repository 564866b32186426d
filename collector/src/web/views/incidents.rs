//! Incidents: the list, and one with its timeline, pages and what can be done.

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, Query, State as Given},
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;

use super::{
    Badge, Frame, Shown, When,
    chain::{Chain, chain},
    graph::{Graph, Span},
    hardware::part_url,
    not_a_problem::{Said, said_of},
    page_words, processes, show,
    trends::{Past, zone_words},
};
use crate::{
    config::Config,
    domain::{
        changed::Changed,
        desk::recent,
        event::Command,
        hold::what_of,
        priority::Priority,
        record::{Delivery, IncidentEventRow, IncidentRow, IncidentState, Page},
        rules::hardware::named as is_hardware,
        snapshot::{IncidentView, Snapshot},
        time::Timestamp,
        trend::concerned,
    },
    store::attempts::Attempts,
    web::{
        Shared, Web,
        access::Caller,
        api::incidents::{acknowledged_ms, answer_of, checked_note, checked_priority, number_of},
        problem::{Problem, settled},
        processes::rule_of,
        words,
    },
};

const PER_PAGE: usize = 100;

struct Line {
    number: i64,
    state: Badge,
    severity: Badge,
    title: String,
    host: String,
    priority: &'static str,
    flaps: bool,
    since: When,
    /// How long it was, once it is over.
    lasted: Option<String>,
    who: String,
}

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    page: String,
}

#[derive(Template)]
#[template(path = "incidents.html")]
struct IncidentsPage {
    frame: Frame,
    open: Vec<Line>,
    resolved: Vec<Line>,
    page: usize,
    pages: usize,
    has_receivers: bool,
    /// Maintenance windows and silences that last now.
    lasting: usize,
    /// How many of the resolved are listed at most, where there may have been more.
    most: Option<usize>,
}

/// The list: what is open first, then what was resolved within the last day.
pub(in crate::web) async fn list(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Shown {
    let snapshot = web.snapshot();
    let now = web.now();
    let mut views: Vec<&IncidentView> = snapshot.incidents.values().map(AsRef::as_ref).collect();
    views.sort_by_key(|view| {
        let resolved = view.row.state == IncidentState::Resolved;
        (resolved, view.priority, std::cmp::Reverse(view.row.severity), std::cmp::Reverse(view.row.no))
    });
    let over = views.iter().filter(|view| view.row.state == IncidentState::Resolved).count();
    let pages = views.len().div_ceil(PER_PAGE).max(1);
    let page = asked.page.parse::<usize>().unwrap_or(1).clamp(1, pages);
    let shown = views.into_iter().skip((page - 1) * PER_PAGE).take(PER_PAGE);
    let (open, resolved): (Vec<_>, Vec<_>) = shown.partition(|view| view.row.state != IncidentState::Resolved);
    let line = |view: &&IncidentView| Line {
        number: view.row.no.0,
        state: Badge::incident(view.row.state),
        severity: Badge::severity(view.row.severity),
        priority: view.priority.word(),
        flaps: view.row.swings.flapping.is_some(),
        title: view.row.title.clone(),
        host: view.host_name.clone(),
        since: When::new(view.row.since, now, &web.zone),
        lasted: view.row.resolved.map(|at| words::duration(at.since_ms(view.row.since).max(0))),
        who: view.row.acknowledged_by.clone().unwrap_or_default(),
    };
    show(&IncidentsPage {
        frame: Frame::new(&web, &caller, "incidents", "Incidents"),
        open: open.iter().map(line).collect(),
        resolved: resolved.iter().map(line).collect(),
        page,
        pages,
        lasting: snapshot.holds.iter().filter(|hold| hold.at(now).is_some()).count(),
        most: Some(recent::MOST).filter(|most| over >= *most),
        has_receivers: !web.context.config.receivers.is_empty(),
    })
}

struct EventLine {
    when: When,
    kind: String,
    text: String,
    by: Option<String>,
}

struct ChangeLine {
    when: When,
    kind: &'static str,
    text: String,
    by: Option<String>,
}

struct PageLine {
    receiver: String,
    person: Option<String>,
    told: &'static str,
    delivery: Badge,
    chain: Chain,
    tries: Option<Tries>,
}

/// How often a page was tried and what was answered last.
struct Tries {
    made: i64,
    last: When,
    answer: String,
}

/// The host an incident is about, as it is now.
struct HostNow {
    url: String,
    name: String,
    state: Badge,
    since: When,
    why: String,
}

#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage {
    frame: Frame,
    number: i64,
    title: String,
    state: Badge,
    severity: Badge,
    priority: &'static str,
    /// Whether a person said so.
    priority_said: bool,
    priorities: [&'static str; 5],
    is_open: bool,
    is_resolved: bool,
    /// Whether something can still be said of it.
    is_recent: bool,
    /// Whoever looks has it.
    is_mine: bool,
    since: When,
    opened: When,
    resolved: Option<When>,
    acknowledged_by: Option<String>,
    acknowledged_until: Option<When>,
    page_at: Option<When>,
    /// What holds its pages back, and until when.
    held: Option<(String, When)>,
    /// That it flaps, in words, since when, until when nobody is told of each change, and how many minutes that is.
    flapping: Option<(String, When, When, i64)>,
    /// What a silence of it would be about: host and the rest of its key.
    silence: Option<(String, String)>,
    part_of: Option<i64>,
    host: Option<HostNow>,
    component: String,
    /// The page of the part, where the component is one of the hardware.
    part_url: Option<String>,
    /// What is left of the redundancy groups that it touches.
    redundancy: Vec<String>,
    /// Where whoever said it shows more: what it is called, and its address.
    links: Vec<(String, String)>,
    key: String,
    hosts: Vec<String>,
    /// The past of what it is about.
    graph: Option<Graph>,
    /// The processes that took the host when it began, and last.
    processes: Vec<processes::Seen>,
    zone: String,
    events: Vec<EventLine>,
    pages: Vec<PageLine>,
    /// What changed on its host in the day before.
    changes: Vec<ChangeLine>,
    /// What people said of it that makes it no problem.
    said: Vec<Said>,
    /// Who is called next if nobody takes it: when, and whom.
    next: Option<(When, String)>,
}

/// One incident.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
) -> Shown {
    let snapshot = web.snapshot();
    let no = number_of(&number)?;
    let view = &web.incident(no).await?;
    let now = web.now();
    let frame = Frame::new(&web, &caller, "incidents", format!("#{no}"));
    let attempts = web.context.store.attempts(no).await.map_err(Problem::from)?;
    let graph = if ended_before_graphs(&view.row, now) { None } else { graph_of(&web, &view.row).await? };
    let mut page =
        page(frame, &snapshot, &web.context.config, view, &attempts, |at| When::new(at, now, &web.zone), now);
    (page.graph, page.zone) = (graph, zone_words(&web, now));
    let told = web.processes_of(&view.row).await?;
    page.processes = told.map(|told| processes::seen(&told, now, &web.zone)).unwrap_or_default();
    show(&page)
}

/// Whether it was over before the two days that graphs show.
fn ended_before_graphs(row: &IncidentRow, now: Timestamp) -> bool {
    row.resolved.is_some_and(|at| now.since_ms(at) > Span::Days.ms())
}

/// The last two days of the reading that an incident began with.
async fn graph_of(web: &Web, row: &IncidentRow) -> Result<Option<Graph>, Problem> {
    let Some((host, rule)) = row.host.zip(rule_of(&row.key)) else { return Ok(None) };
    let Some(series) = concerned(rule, &row.component) else { return Ok(None) };
    Ok(Past::of(web, host, Span::Days).await?.graph(web, &series))
}

/// Where the part of an incident about the hardware has its page.
fn page_of_part(snapshot: &Snapshot, row: &IncidentRow) -> Option<String> {
    rule_of(&row.key).and_then(is_hardware)?;
    let host = snapshot.hosts.get(&row.host?)?;
    Some(part_url(&host.profile.id.to_string(), &row.component))
}

fn page(
    frame: Frame,
    snapshot: &Snapshot,
    config: &Config,
    view: &IncidentView,
    attempts: &[Attempts],
    when: impl Fn(Timestamp) -> When,
    now: Timestamp,
) -> IncidentPage {
    let row = &view.row;
    let host = row.host.and_then(|no| snapshot.hosts.get(&no));
    let waits = row.state == IncidentState::Open && !row.paged && row.page_at.since_ms(now) > 0;
    let held = view.held.and_then(|held| {
        let hold = snapshot.holds.iter().find(|hold| hold.no == held.hold)?;
        Some((hold.name(), when(held.until)))
    });
    let host = host.map(|host| HostNow {
        url: format!("/hosts/{}", host.profile.id),
        name: host.profile.name.clone(),
        state: Badge::state(host.state),
        since: when(host.since),
        why: host.cause.words(),
    });
    IncidentPage {
        number: row.no.0,
        title: row.title.clone(),
        state: Badge::incident(row.state),
        severity: Badge::severity(row.severity),
        priority: view.priority.word(),
        priority_said: row.priority.is_some(),
        priorities: Priority::ALL.map(Priority::word),
        is_open: row.state == IncidentState::Open,
        is_resolved: row.state == IncidentState::Resolved,
        is_recent: snapshot.incidents.contains_key(&row.no),
        is_mine: row.acknowledged_by.is_some() && row.acknowledged_by == frame.who,
        since: when(row.since),
        opened: when(row.opened),
        resolved: row.resolved.map(&when),
        acknowledged_by: row.acknowledged_by.clone(),
        acknowledged_until: row.acknowledged_until.map(&when),
        page_at: (waits && held.is_none()).then(|| when(row.page_at)),
        held,
        flapping: flapping(row, &when),
        silence: host.as_ref().map(|host| (host.name.clone(), what_of(&row.key))),
        part_of: row.part_of.map(|no| no.0),
        host,
        component: row.component.clone(),
        part_url: page_of_part(snapshot, row),
        redundancy: view.redundancy.clone(),
        links: row.alert.as_ref().map(|alert| alert.links.clone()).unwrap_or_default(),
        key: row.key.clone(),
        hosts: view.hosts.clone(),
        events: event_lines(view, &when),
        pages: page_lines(view, config, attempts, &when),
        changes: change_lines(row, &when),
        said: said_of(snapshot, view, &when),
        next: next(row).map(|(at, words)| (when(at), words)),
        graph: None,
        processes: Vec::new(),
        zone: String::new(),
        frame,
    }
}

/// What changed on its host before it began.
fn change_lines(row: &IncidentRow, when: &impl Fn(Timestamp) -> When) -> Vec<ChangeLine> {
    let line = |change: &Changed| ChangeLine {
        when: when(change.at),
        kind: change.kind.word(),
        text: change.text.clone(),
        by: change.by.clone(),
    };
    row.changes.iter().map(line).collect()
}

/// The timeline, newest first.
fn event_lines(view: &IncidentView, when: &impl Fn(Timestamp) -> When) -> Vec<EventLine> {
    let line = |event: &IncidentEventRow| EventLine {
        when: when(event.at),
        kind: event.kind.clone(),
        text: event.text.clone(),
        by: event.by.clone(),
    };
    view.events.iter().rev().map(line).collect()
}

fn page_lines(
    view: &IncidentView,
    config: &Config,
    attempts: &[Attempts],
    when: &impl Fn(Timestamp) -> When,
) -> Vec<PageLine> {
    let line = |page: &Page| PageLine {
        receiver: page.receiver.clone(),
        person: page.person.clone(),
        told: page_words(page.kind),
        delivery: delivery(page.delivery),
        chain: chain(page, &view.events, config, when),
        tries: attempts.iter().find(|attempts| attempts.last.page == page.id).map(|attempts| Tries {
            made: attempts.made,
            last: when(attempts.last.at),
            answer: answer_of(&attempts.last),
        }),
    };
    view.pages.iter().map(line).collect()
}

fn flapping(row: &IncidentRow, when: impl Fn(Timestamp) -> When) -> Option<(String, When, When, i64)> {
    let (changes, flapping) = (&row.swings, row.swings.flapping?);
    Some((flapping.words(), when(flapping.since), when(changes.stable_at()?), changes.stable_minutes()))
}

/// What comes next if nobody takes it.
fn next(row: &IncidentRow) -> Option<(Timestamp, String)> {
    let calls = row.calls.iter().map(|call| (call.due, format!("{} through {}", call.person, call.receiver)));
    let step = |one: &crate::domain::record::Escalation| format!("step {} of policy {}", one.step + 1, one.policy);
    let steps = row.escalations.iter().map(|one| (one.due, step(one)));
    calls.chain(steps).min_by_key(|(at, _)| *at)
}

pub(super) fn delivery(delivery: Delivery) -> Badge {
    let (class, sign, word) = match delivery {
        Delivery::Queued => ("warning", "↻", "being sent"),
        Delivery::Accepted => ("good", "✓", "accepted"),
        Delivery::Failed => ("critical", "✕", "given up"),
    };
    Badge { class, sign, word: word.into() }
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct Act {
    action: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    priority: String,
    /// How long they have it, in seconds; 0: until it is over.
    #[serde(default)]
    lasts: i64,
}

/// Acknowledges or resolves.
pub(in crate::web) async fn act(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
    Form(asked): Form<Act>,
) -> Shown {
    let incident = number_of(&number)?;
    let note = checked_note(asked.note)?;
    let command = match asked.action.as_str() {
        "acknowledge" => {
            Command::Acknowledge { incident, note, for_ms: acknowledged_ms(Some(asked.lasts).filter(|s| *s != 0))? }
        }
        "resolve" => Command::Resolve { incident, note },
        "priority" => Command::Prioritise { incident, priority: checked_priority(&asked.priority)?, note },
        other => return Err(Problem::invalid("action", other, "acknowledge, resolve or priority").into()),
    };
    settled(web.context.mailbox.command(caller.principal(), command).await.map_err(Problem::from)?)?;
    Ok(Redirect::to(&format!("/incidents/{incident}")).into_response())
}
