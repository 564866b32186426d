//! What people see. Every view is a pure function of the snapshot, the slot and who looks; all works without script.

pub(super) mod act;
pub(super) mod add;
mod chain;
pub(super) mod confirm;
pub(super) mod deliveries;
pub(super) mod drive_models;
mod error_budget;
mod evidence;
mod graph;
pub(super) mod hardware;
pub(super) mod heartbeats;
pub(crate) mod help;
pub(super) mod holds;
pub(super) mod host;
pub(super) mod incidents;
pub(super) mod inventory;
pub(super) mod labelling;
pub(super) mod not_a_problem;
pub(super) mod oncall;
pub(super) mod outage;
mod processes;
mod promises;
mod report_plans;
pub(super) mod service_level_report;
pub(super) mod service_levels;
pub(super) mod settings;
pub(super) mod shared;
mod spark;
pub(super) mod status;
pub(super) mod trends;

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use jiff::tz::TimeZone;

use super::{
    Web,
    access::Caller,
    problem::{PageProblem, Problem},
    words,
};
use crate::{
    domain::{
        host::{State, checks::Status},
        record::{IncidentState, PageKind},
        severity::Severity,
        snapshot::Snapshot,
        time::Timestamp,
    },
    store::people::Role,
};

type Shown = Result<Response, PageProblem>;

/// What frames every view.
struct Frame {
    /// Which entry of the navigation is present.
    here: &'static str,
    title: String,
    who: Option<String>,
    csrf: String,
    may_operate: bool,
    may_administer: bool,
    now: String,
    banners: Vec<String>,
    open_incidents: usize,
}

impl Frame {
    fn new(web: &Web, caller: &Caller, here: &'static str, title: impl Into<String>) -> Self {
        let snapshot = web.snapshot();
        let unresolved = |view: &&std::sync::Arc<crate::domain::snapshot::IncidentView>| {
            view.row.state != IncidentState::Resolved && view.row.part_of.is_none()
        };
        Self {
            here,
            title: title.into(),
            who: caller.signed_in().map(str::to_owned),
            csrf: caller.csrf(),
            may_operate: caller.role >= Role::Operator,
            may_administer: caller.role >= Role::Admin,
            now: words::clock_time(web.now(), &web.zone),
            banners: banners(&snapshot, web.now(), &web.zone),
            open_incidents: snapshot.incidents.values().filter(unresolved).count(),
        }
    }

    /// The page of help that fits.
    fn help(&self) -> &'static str {
        match self.here {
            "status" => "/help/states",
            "incidents" | "on-call" => "/help/on-call",
            "service-levels" => "/help/sla-report",
            "add" => "/help/install",
            "hardware" => "/help/hardware",
            "settings" => "/help/checks",
            _ => "/help",
        }
    }

    /// `aria-current` for an entry of the navigation.
    fn current(&self, entry: &str) -> &'static str {
        if self.here == entry { "page" } else { "false" }
    }
}

/// What everybody must know before they believe a figure.
fn banners(snapshot: &Snapshot, now: Timestamp, zone: &TimeZone) -> Vec<String> {
    let cuts = snapshot.cuts.iter().map(|(scope, since)| {
        let since = When::new(*since, now, zone);
        format!("{scope} is cut off from here since {} ({}): its hosts are unreachable, not down.", since.at, since.ago)
    });
    let settling = snapshot.settling_until.filter(|until| until.since_ms(now) > 0).map(|until| {
        let left = words::duration(until.since_ms(now));
        format!("The collector has just started: hosts have {left} more to report before any is called silent.")
    });
    cuts.chain(settling).collect()
}

/// An instant as shown: absolute with offset, and how long ago.
struct When {
    at: String,
    ago: String,
    /// How long it has lasted.
    length: String,
}

impl When {
    fn new(at: Timestamp, now: Timestamp, zone: &TimeZone) -> Self {
        Self {
            at: words::clock_time(at, zone),
            ago: words::ago(at, now),
            length: words::duration(now.since_ms(at).max(0)),
        }
    }
}

/// A sign with a word and a colour class: a state is never shown by colour alone.
struct Badge {
    class: &'static str,
    sign: &'static str,
    word: String,
}

impl Badge {
    fn state(state: State) -> Self {
        let class = match state {
            State::Up => "good",
            State::Down => "critical",
            State::AgentLost | State::Unreachable | State::Suspect => "warning",
            State::Unknown | State::Rebooting | State::Shutdown | State::Asleep => "quiet",
        };
        Self { class, sign: words::state_sign(state), word: words::state_words(state).into() }
    }

    fn severity(severity: Severity) -> Self {
        let class = match severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
            Severity::Info => "quiet",
        };
        Self { class, sign: words::severity_sign(severity), word: severity.word().into() }
    }

    fn check(status: Status) -> Self {
        let (class, sign) = match status {
            Status::Ok => ("good", "✓"),
            Status::Warning => ("warning", words::severity_sign(Severity::Warning)),
            Status::Critical => ("critical", words::severity_sign(Severity::Critical)),
            Status::Unknown => ("quiet", "?"),
        };
        Self { class, sign, word: status.word().into() }
    }

    fn incident(state: IncidentState) -> Self {
        let (class, sign) = match state {
            IncidentState::Open => ("critical", "✕"),
            IncidentState::Acknowledged => ("warning", "◐"),
            IncidentState::Resolved => ("good", "✓"),
        };
        Self { class, sign, word: state.word().into() }
    }
}

/// What a page told, in people's words.
const fn page_words(kind: PageKind) -> &'static str {
    match kind {
        PageKind::Opened => "opened",
        PageKind::Updated => "updated",
        PageKind::Acknowledged => "acknowledged",
        PageKind::Resolved => "resolved",
        PageKind::Test => "test",
        PageKind::Notice => "notice",
    }
}

fn show(view: &impl Template) -> Shown {
    let html = view.render().map_err(|_| Problem::internal("the view cannot be drawn"))?;
    Ok(Html(html).into_response())
}
