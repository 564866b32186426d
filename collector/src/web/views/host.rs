//! One host: its four axes, what it is, what it last said, what is wrong and what happened.

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, State as Given},
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;

use super::{
    Badge, Frame, Shown, When,
    evidence::{Evidence, evidence},
    graph::{Graph, Span},
    hardware::part_url,
    inventory::host::{Brief, brief},
    processes, show,
    status::admission_word,
    trends::{Past, zone_words},
};
use crate::{
    domain::{
        device::obstacle::Obstacle,
        event::Command,
        finding::FindingRow,
        host::{State, checks::CheckRow},
        ids::HostNo,
        labels::{Admission, Profile},
        layers::{Layer, Says},
        record::IncidentState,
        rules::{Rule, hardware::named as is_hardware},
        settings::shelf::Standing,
        snapshot::{DeviceView, HostView, Snapshot},
        trend::concerned,
    },
    store::hardware::{Found, Of},
    web::{
        Shared, Web,
        access::Caller,
        api::{
            devices::obstacle_of,
            holds,
            hosts::{check_says, find, last_heard},
            rules::quieten,
            settings::{OWN_FILE, OfHost},
        },
        problem::{Problem, settled},
        processes::Told,
        readings::{self, HostReadings},
        words,
    },
};

/// Lines of the timeline shown.
const TIMELINE: usize = 50;

/// A name with its value and where the value came from.
struct Labelled {
    name: String,
    value: String,
    source: &'static str,
    /// What those before it say.
    below: Vec<(&'static str, String)>,
    /// A person said it, and may withdraw it.
    is_persons: bool,
}

struct FindingLine {
    badge: Badge,
    part: String,
    /// The part's own page.
    url: Option<String>,
    rule: String,
    since: When,
    evidence: String,
    /// The past of what it is about.
    graph: Option<Graph>,
    /// The processes that took the host when it began, and last.
    processes: Vec<processes::Seen>,
    /// What keeps it from waking anybody: a line of the configuration, and a command.
    quieten: Option<(String, String)>,
    remedy: &'static str,
}

struct CheckLine {
    badge: Badge,
    name: String,
    since: When,
    /// "attempt 2 of 3" while it is still tried, "cannot tell" while its host is not there.
    note: String,
    output: String,
}

struct TimelineLine {
    when: When,
    kind: String,
    text: String,
    by: Option<String>,
    incident: i64,
}

#[derive(Template)]
#[template(path = "host.html")]
struct HostPage {
    frame: Frame,
    id: String,
    name: String,
    observed: Badge,
    since: When,
    why: String,
    heard: When,
    address: Option<String>,
    health: Option<Badge>,
    /// Checks that count as not ok.
    failing: usize,
    human: String,
    /// Maintenance windows and silences that last now or come next: name and until when.
    planned: Vec<(String, String)>,
    /// Where maintenance of it is planned.
    plan: String,
    incident: Option<i64>,
    admission: Option<&'static str>,
    labels: Vec<Labelled>,
    facts: Vec<(&'static str, String)>,
    readings: Option<HostReadings>,
    graphs: Vec<Graph>,
    zone: String,
    findings: Vec<FindingLine>,
    checks: Vec<CheckLine>,
    evidence: Evidence,
    inventory: Brief,
    timeline: Vec<TimelineLine>,
    class: &'static str,
    site: String,
    watch: &'static str,
    settings: SettingsLines,
    device: Option<DeviceLines>,
    /// The device that it is behind: name and address of its view.
    parent: Option<(String, String)>,
}

/// What is known of a host without an agent.
struct DeviceLines {
    address: String,
    probe: String,
    /// Where it stands in the configuration.
    file: Option<String>,
    /// Whether its watchers were chosen, not named.
    chosen: bool,
    watchers: Vec<WatcherLine>,
    /// What is behind it: state, name and address of its view.
    behind: Vec<(Badge, String, String)>,
}

struct WatcherLine {
    name: String,
    url: String,
    badge: Badge,
    since: Option<When>,
    words: String,
    /// What keeps it from watching, and the remedy.
    cannot: Option<String>,
}

/// What it is told, and what it makes of it.
struct SettingsLines {
    badge: Badge,
    words: String,
    /// Key and where it comes from.
    keys: Vec<(String, String)>,
}

/// The host's view.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
) -> Shown {
    let snapshot = web.snapshot();
    let host = find(&snapshot, &host)?;
    let past = Past::of(&web, host.profile.no, Span::Days).await?;
    let mut told = Vec::with_capacity(host.findings.len());
    for finding in &host.findings {
        told.push(web.processes_for(finding).await?);
    }
    let found = web.context.store.hardware(host.profile.no, Of::AllParts).await?;
    let inventory = brief(&web, &host).await?;
    show(&page(&web, &caller, &snapshot, &host, Known { past, told, found, inventory }))
}

/// What the store knows of a host.
struct Known {
    past: Past,
    told: Vec<Option<Told>>,
    found: Vec<Found>,
    inventory: Brief,
}

fn page(web: &Web, caller: &Caller, snapshot: &Snapshot, host: &HostView, known: Known) -> HostPage {
    let Known { past, told, found, inventory } = known;
    let now = web.now();
    let when = |at| When::new(at, now, &web.zone);
    let profile = &host.profile;
    let incident = host.incident.and_then(|no| snapshot.incidents.get(&no));
    let findings = host.findings.iter().zip(&told).map(|(finding, told)| FindingLine {
        badge: Badge::severity(finding.severity),
        url: is_hardware(&finding.rule).map(|_| part_url(&profile.id.to_string(), &finding.part)),
        part: finding.part.clone(),
        rule: finding.rule.clone(),
        since: when(finding.since),
        evidence: finding.evidence.clone(),
        graph: graph_of(web, &past, finding),
        processes: told.as_ref().map(|told| processes::seen(told, now, &web.zone)).unwrap_or_default(),
        quieten: quieten(&profile.name, &finding.rule, &finding.part),
        remedy: Rule::named(&finding.rule).map_or("", |rule| rule.remedy),
    });
    HostPage {
        frame: Frame::new(web, caller, "status", profile.name.clone()),
        id: profile.id.to_string(),
        name: profile.name.clone(),
        observed: Badge::state(host.state),
        since: when(host.since),
        why: host.cause.words(),
        heard: when(last_heard(web, host)),
        address: host.peer.map(|peer| peer.to_canonical().to_string()),
        health: host.troubles().max().map(Badge::severity),
        failing: host.troubles().count() - host.findings.len(),
        human: match incident.map(|view| (view.row.state, view.row.acknowledged_by.clone())) {
            Some((IncidentState::Acknowledged, Some(who))) => format!("acknowledged by {who}"),
            Some((IncidentState::Open, _)) => "nobody has it yet".into(),
            _ => "nothing to do".into(),
        },
        planned: planned(snapshot, profile, web),
        plan: format!("/maintenance?host={}", crate::web::encode(&profile.name)),
        incident: host.incident.map(|no| no.0),
        admission: (profile.admission != Admission::Active).then(|| admission_word(profile.admission)),
        labels: labels(host),
        facts: facts(host),
        readings: web.context.slots.find(profile.no).map(|slot| readings::readings(&slot, now)),
        graphs: past.key_graphs(web),
        zone: zone_words(web, now),
        findings: findings.collect(),
        checks: host.checks.iter().map(|check| check_line(check, host.state, when(check.since))).collect(),
        evidence: evidence(&profile.id.to_string(), found, when),
        inventory,
        timeline: timeline(snapshot, profile.no, when),
        class: profile.class.word(),
        site: profile.site.clone().unwrap_or_default(),
        watch: profile.watch.word(),
        settings: settings_lines(&OfHost::new(web, host)),
        device: host.device.as_ref().map(|device| device_lines(snapshot, profile.no, device, when)),
        parent: host.parent.and_then(|no| snapshot.hosts.get(&no)).map(|parent| link(&parent.profile)),
    }
}

/// Windows and silences that cover a host and are not over, and until when they last or when they begin.
fn planned(snapshot: &Snapshot, profile: &Profile, web: &Web) -> Vec<(String, String)> {
    let now = web.now();
    let covering = snapshot.holds.iter().filter(|hold| holds::covers(hold, profile));
    let words = covering.filter_map(|hold| {
        let said = match hold.at(now) {
            Some(span) => format!("until {}: {}", words::clock_time(span.until, &web.zone), hold.reason),
            None => format!("from {}: {}", words::clock_time(hold.following(now).next()?.from, &web.zone), hold.reason),
        };
        Some((hold.name(), said))
    });
    words.collect()
}

fn link(profile: &Profile) -> (String, String) {
    (profile.name.clone(), format!("/hosts/{}", profile.id))
}

fn device_lines(
    snapshot: &Snapshot,
    no: HostNo,
    view: &DeviceView,
    when: impl Fn(crate::domain::time::Timestamp) -> When,
) -> DeviceLines {
    let watchers = view.watchers.iter().map(|watcher| {
        let said = watcher.said.as_ref();
        let badge = said.map(|said| Badge::check(said.status)).unwrap_or(Badge {
            class: "quiet",
            sign: "–",
            word: "nothing yet".into(),
        });
        let told = said.map(|said| said.headline().to_owned()).unwrap_or_else(|| "it has said nothing yet".into());
        let words = if watcher.heard { told } else { format!("{told} (it is not heard now, so this does not count)") };
        let url = snapshot.hosts.get(&watcher.host).map_or_else(String::new, |host| link(&host.profile).1);
        let cannot = obstacle_of(snapshot, watcher).map(Obstacle::words);
        let since = said.map(|said| when(said.since));
        WatcherLine { name: watcher.name.clone(), url, badge, since, words, cannot }
    });
    let behind = snapshot.hosts.values().filter(|host| host.parent == Some(no)).map(|host| {
        let (name, url) = link(&host.profile);
        (Badge::state(host.state), name, url)
    });
    DeviceLines {
        address: view.device.address.clone(),
        probe: view.device.probe.words(),
        file: view.device.place.clone(),
        chosen: view.device.watchers.is_empty(),
        watchers: watchers.collect(),
        behind: behind.collect(),
    }
}

fn settings_lines(settings: &OfHost) -> SettingsLines {
    let (class, sign) = match settings.standing {
        Standing::Applied => ("good", "✓"),
        Standing::Refused(_) | Standing::TooOld => ("warning", "▲"),
        Standing::Unanswered | Standing::Sent => ("quiet", "–"),
    };
    let word = settings.standing.word().replace('_', " ");
    let keys = settings.merged.origins.iter().map(|(key, from)| {
        let from = if settings.is_local(key) { OWN_FILE } else { from };
        (key.clone(), from.to_owned())
    });
    SettingsLines { badge: Badge { class, sign, word }, words: settings.words(), keys: keys.collect() }
}

fn check_line(check: &CheckRow, state: State, since: When) -> CheckLine {
    let note = match (state.counts_as_up(), check.hard) {
        (false, _) => "cannot tell while the host is not heard; this was its last outcome".into(),
        (true, true) => String::new(),
        (true, false) => format!("attempt {} of {}", check.attempt, check.attempts),
    };
    CheckLine {
        badge: Badge::check(check.status),
        name: check.check.clone(),
        since,
        note,
        output: check.output.clone(),
    }
}

/// The past of what a finding is about.
fn graph_of(web: &Web, past: &Past, finding: &FindingRow) -> Option<Graph> {
    let mut graph = past.graph(web, &concerned(&finding.rule, &finding.part)?)?;
    // The same graph may stand below too, and ids are unique.
    graph.id.insert_str(0, &format!("finding-{}-", finding.rule));
    Some(graph)
}

fn labels(host: &HostView) -> Vec<Labelled> {
    let profile = &host.profile;
    let fixed = [
        ("class", profile.class.word().to_owned()),
        ("site", profile.site.clone().unwrap_or_else(|| "unsorted".into())),
        ("watch", profile.watch.word().to_owned()),
    ];
    let free = profile.labels.iter().map(|(name, value)| (name.as_str(), value.clone()));
    fixed
        .into_iter()
        .chain(free)
        .map(|(name, value)| {
            let mut said = profile.layers.about(name).rev().map(|(layer, value)| (layer.word(), value.to_owned()));
            let source = said.next().map_or("default", |(word, _)| word);
            let is_persons = source == Layer::Person.word();
            Labelled { name: name.to_owned(), value, source, below: said.collect(), is_persons }
        })
        .collect()
}

fn facts(host: &HostView) -> Vec<(&'static str, String)> {
    let facts = &host.profile.facts;
    let all = [
        ("calls itself", &facts.name),
        ("system", &facts.os_release),
        ("kernel", &facts.kernel),
        ("architecture", &facts.architecture),
        ("chassis", &facts.chassis),
        ("agent", &facts.agent_version),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, value.clone())).collect()
}

/// What happened to it, newest first, from the incidents of the last day and those still open.
fn timeline(
    snapshot: &Snapshot,
    host: HostNo,
    when: impl Fn(crate::domain::time::Timestamp) -> When,
) -> Vec<TimelineLine> {
    let about = snapshot.incidents.values().filter(|view| view.row.host == Some(host));
    let mut events: Vec<_> = about.flat_map(|view| &view.events).collect();
    events.sort_by_key(|event| std::cmp::Reverse((event.at, event.n)));
    let line = |event: &&crate::domain::record::IncidentEventRow| TimelineLine {
        when: when(event.at),
        kind: event.kind.clone(),
        text: event.text.clone(),
        by: event.by.clone(),
        incident: event.incident.0,
    };
    events.iter().take(TIMELINE).map(line).collect()
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct LabelForm {
    #[serde(default)]
    class: String,
    #[serde(default)]
    site: String,
    #[serde(default)]
    watch: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    value: String,
    /// The label that a person takes back; nothing else is looked at then.
    #[serde(default)]
    withdraw: String,
}

impl LabelForm {
    /// What is said anew: fields that were left as they were say nothing.
    fn says(&self, profile: &Profile) -> Says {
        if !self.withdraw.is_empty() {
            return [(self.withdraw.clone(), String::new())].into();
        }
        let (site, label) = (self.site.trim(), self.label.trim());
        let fixed = [
            ("class", self.class.as_str(), profile.class.word()),
            ("site", site, profile.site.as_deref().unwrap_or("")),
            ("watch", self.watch.as_str(), profile.watch.word()),
        ];
        let changed = fixed.into_iter().filter(|(_, given, present)| given != present);
        let mut says: Says = changed.map(|(name, given, _)| (name.to_owned(), given.to_owned())).collect();
        if !label.is_empty() {
            says.insert(label.to_owned(), self.value.trim().to_owned());
        }
        says
    }
}

/// Takes the labels form.
pub(in crate::web) async fn label(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Form(form): Form<LabelForm>,
) -> Shown {
    let host = find(&web.snapshot(), &host)?;
    let (id, says) = (host.profile.id, form.says(&host.profile));
    check_says(&says)?;
    let command = Command::Label { hosts: vec![id], says };
    settled(web.context.mailbox.command(caller.principal(), command).await.map_err(Problem::from)?)?;
    Ok(Redirect::to(&format!("/hosts/{}", words::encode(&id.to_string()))).into_response())
}
