//! What is durable before anybody hears of it: the rows of `state.db` that the engine owns.

mod calls;
mod trouble;

use serde::{Deserialize, Serialize};

pub use super::page::PageFacts;
use super::{
    assets::{Asset, Assets},
    changed::{Changed, ChangedRow},
    desk::handoffs::HandoffRow,
    device::Device,
    dismissal::Dismissal,
    finding::FindingRow,
    flapping::Changes,
    heartbeat::HeartbeatRow,
    hold::Hold,
    host::{Cause, State, check_ledger::CheckSpanRow, checks::CheckRow},
    ids::{HostNo, IncidentNo, PageId},
    labels::Profile,
    oncall::{Destination, absence::Absence, rotation::Override, test_page::TestPageRow},
    priority::Priority,
    proof::Proof,
    severity::Severity,
    time::Timestamp,
};

pub use self::{
    calls::{Call, Escalation},
    trouble::ProblemRow,
};

/// One row to write. Upserts replace by key; appends never change what is there.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// Upsert by `no`.
    Host(Box<Profile>),
    /// Upsert by host.
    Liveness(LivenessRow),
    /// Append; entry `n` of a subject.
    Span(SpanRow),
    /// Upsert by (host, part, rule).
    Finding(FindingRow),
    /// Upsert by (host, check).
    Check(CheckRow),
    /// The host has no check of this name any more.
    CheckGone(HostNo, String),
    /// Append; the next entry of a check's ledger.
    CheckSpan(CheckSpanRow),
    /// Upsert by host: what is known of a device.
    Device(Box<Device>),
    /// Upsert by host: what it is behind, or nothing.
    Parent(HostNo, Option<HostNo>),
    /// Upsert by key; gone when cleared.
    Problem(ProblemRow),
    /// The problem with this key is over.
    ProblemCleared(String),
    /// Upsert by number.
    Incident(Box<IncidentRow>),
    /// Append.
    IncidentEvent(IncidentEventRow),
    /// Upsert by id.
    Page(Box<Page>),
    /// Upsert by number: somebody else is on call for a time.
    Override(Box<Override>),
    /// Upsert by number: somebody is away for a time.
    Absence(Box<Absence>),
    /// Upsert by rotation: what was told of its hand-overs.
    Handoff(Box<HandoffRow>),
    /// Upsert by name: what is known of another's job.
    Heartbeat(Box<HeartbeatRow>),
    /// Upsert by person: test pages to them.
    TestPage(Box<TestPageRow>),
    /// Append; version n of a maintenance window or a silence.
    Hold(Box<Hold>),
    /// Append; version n of what was said to be no problem.
    Dismissal(Box<Dismissal>),
    /// Append: what changed on a host.
    Changed(Box<ChangedRow>),
    /// Append.
    Attempt(AttemptRow),
    /// Append to the audit log.
    Audit(AuditRow),
    /// The list of assets, whole.
    Assets(Vec<Asset>),
}

/// Where a host's liveness stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivenessRow {
    /// Which host.
    pub host: HostNo,
    /// Its state.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub cause: Cause,
    /// Boot id of the machine at its last proof of life.
    pub boot_id: Option<[u8; 16]>,
    /// Last proof of life.
    pub proof: Timestamp,
    /// The address of its last session.
    pub peer: Option<String>,
    /// When its machine last answered after that proof, its agent being gone.
    pub answered: Option<Timestamp>,
}

/// One entry of a subject's ledger: what was observed from `from` to `to` (half-open), learned at `learned`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanRow {
    /// Which host.
    pub host: HostNo,
    /// Entry number of this subject: 1, 2, 3...
    pub n: i64,
    /// Begins.
    pub from: Timestamp,
    /// Ends.
    pub to: Timestamp,
    /// What was observed: `up`, `down`, `unreachable`, `collector_down`, `unknown`.
    pub state: Observed,
    /// Why.
    pub cause: Cause,
    /// What proves it.
    pub evidence: String,
    /// When it was learned.
    pub learned: Timestamp,
    /// The entry that this one corrects, if any.
    pub replaces: Option<i64>,
}

/// What the ledger can say of an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// Proven alive.
    Up,
    /// Proven or taken as not alive.
    Down,
    /// Cut off from here, no proof either way.
    Unreachable,
    /// The collector did not run.
    CollectorDown,
    /// Nobody can say.
    Unknown,
}

/// What is kept of an alert from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRow {
    /// It is over then, unless it is said again.
    pub until: Timestamp,
    /// Its name: the label `alertname`.
    pub name: String,
    /// Its labels, as words.
    pub labels: Vec<(String, String)>,
    /// Where to look: what it is called, and an http(s) address.
    pub links: Vec<(String, String)>,
}

/// The state of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentState {
    /// Nobody has it.
    Open,
    /// Somebody has it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl IncidentState {
    /// The state's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// One cause's problems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRow {
    /// `#1042`.
    pub no: IncidentNo,
    /// UUID v7 outside.
    pub id: String,
    /// The dedup key, the same from opened to resolved: the key of its first problem or scope.
    pub key: String,
    /// Open, acknowledged, resolved.
    pub state: IncidentState,
    /// The worst severity it has had.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Which host, unless it is about several.
    pub host: Option<HostNo>,
    /// Which component.
    pub component: String,
    /// When the trouble began.
    pub since: Timestamp,
    /// When the incident was opened.
    pub opened: Timestamp,
    /// When it was resolved.
    pub resolved: Option<Timestamp>,
    /// Who closed it by hand and why, if it did not end by itself.
    #[serde(default)]
    pub closed: Option<String>,
    /// Who has it.
    pub acknowledged_by: Option<String>,
    /// Until when; then everybody is told again. Without it until the trouble is over.
    #[serde(default)]
    pub acknowledged_until: Option<Timestamp>,
    /// When pages go out if it is still open (page_after).
    pub page_at: Timestamp,
    /// Whether pages have gone out, so that its end is told to the same receivers.
    pub paged: bool,
    /// Whether it was taken over by a scope's incident, whose number this is.
    pub part_of: Option<IncidentNo>,
    /// Policies that it follows since it was opened, or opened again.
    #[serde(default)]
    pub followed: Vec<String>,
    /// The next step of each of them.
    #[serde(default)]
    pub escalations: Vec<Escalation>,
    /// Ways to people that are tried later.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// The alert from elsewhere that opened it.
    #[serde(default)]
    pub alert: Option<Box<AlertRow>>,
    /// What changed on its host in the 24 hours before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Changed>,
    /// When what it is about began and ended lately, and whether it flaps.
    #[serde(default)]
    pub swings: Changes,
    /// Its priority, where a person said so.
    #[serde(default)]
    pub priority: Option<Priority>,
}

/// One line of an incident's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentEventRow {
    /// Which incident.
    pub incident: IncidentNo,
    /// Its number: 1, 2, 3...
    pub n: i64,
    /// When.
    pub at: Timestamp,
    /// `opened`, `problem`, `cleared`, `paged`, `acknowledged`, `resolved`, `joined`.
    pub kind: String,
    /// In words.
    pub text: String,
    /// Who, if a person.
    pub by: Option<String>,
}

/// What a page tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageKind {
    /// The incident was opened.
    Opened,
    /// It grew or changed.
    Updated,
    /// Somebody has it.
    Acknowledged,
    /// It is over.
    Resolved,
    /// A test.
    Test,
    /// A word to a person that is about no incident and needs no hurry.
    Notice,
}

impl PageKind {
    /// The generic webhook's `type`: `incident.opened` and so on.
    #[must_use]
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Opened => "incident.opened",
            Self::Updated => "incident.updated",
            Self::Acknowledged => "incident.acknowledged",
            Self::Resolved => "incident.resolved",
            Self::Test => "test",
            Self::Notice => "notice",
        }
    }
}

/// One call to one receiver about one incident, complete: edges need nothing else to send it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Its number.
    pub id: PageId,
    /// Stable over retries and restarts: `webhook-id`, `Message-ID`.
    pub message_id: String,
    /// Which receiver.
    pub receiver: String,
    /// Whose address or number there, where the receiver serves several people.
    #[serde(default)]
    pub to: Option<String>,
    /// Which person is called, unless the receiver is told as such.
    #[serde(default)]
    pub person: Option<String>,
    /// Which incident; `None` for a test.
    pub incident: Option<IncidentNo>,
    /// Counts the pages of this incident to this receiver: 1, 2, 3... sent in this order.
    pub n: i64,
    /// What it tells.
    pub kind: PageKind,
    /// The dedup key.
    pub key: String,
    /// The incident's state.
    pub state: IncidentState,
    /// How bad.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Display name of the host, empty when about several.
    pub host: String,
    /// Which component.
    pub component: String,
    /// When the trouble began.
    pub since: Timestamp,
    /// When this page was decided.
    pub decided: Timestamp,
    /// More words: evidence, list of hosts; lines separated by `\n`.
    pub details: String,
    /// Path of the incident's view, such as `/incidents/1042`.
    pub path: String,
    /// Path of the link by which its person takes it; made when it is sent, never kept.
    #[serde(skip)]
    pub act: Option<String>,
    /// Whether it is still to be sent.
    pub delivery: Delivery,
    /// What it says besides.
    #[serde(default)]
    pub facts: PageFacts,
    /// How far it has come.
    #[serde(default)]
    pub proof: Proof,
}

impl Page {
    /// Where it goes.
    #[must_use]
    pub fn destination(&self) -> Destination {
        Destination { receiver: self.receiver.clone(), to: self.to.clone(), person: self.person.clone() }
    }
}

/// Where a page stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// To be sent.
    Queued,
    /// Taken by the receiver.
    Accepted,
    /// Given up.
    Failed,
}

/// One try to deliver a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Which page.
    pub page: PageId,
    /// Ascends; the milliseconds of its end unless two fall into one.
    pub n: i64,
    /// When it ended.
    pub at: Timestamp,
    /// `accepted`, `retrying`, `failed`.
    pub outcome: String,
    /// Error or provider id.
    pub detail: String,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// From where: `socket`, `web 10.0.0.7`.
    pub from: String,
    /// What, such as `host.label`.
    pub action: String,
    /// On what.
    pub subject: String,
    /// Old and new, in words; never a secret.
    pub detail: String,
}

/// What a starting engine is given back.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// All hosts.
    pub hosts: Vec<Profile>,
    /// Their liveness.
    pub liveness: Vec<LivenessRow>,
    /// Ledger entries of each host since it was last proven up, that proof first; by host and number.
    pub last_spans: Vec<SpanRow>,
    /// The list of assets.
    pub assets: Assets,
    /// Open findings.
    pub findings: Vec<FindingRow>,
    /// Check states.
    pub checks: Vec<CheckRow>,
    /// Devices.
    pub devices: Vec<Device>,
    /// What hosts are behind: child and parent.
    pub parents: Vec<(HostNo, HostNo)>,
    /// Open problems.
    pub problems: Vec<ProblemRow>,
    /// Incidents that are open or were [resolved of late](super::desk::recent), with their timelines.
    pub incidents: Vec<(IncidentRow, Vec<IncidentEventRow>)>,
    /// Incidents that are over, the latest of the last 13 months, newest first.
    pub past: Vec<IncidentRow>,
    /// Pages not yet accepted or failed, and those of the incidents above.
    pub pages: Vec<Page>,
    /// Maintenance windows and silences, each as it is now.
    pub holds: Vec<Hold>,
    /// Highest number of these ever given.
    pub last_hold: i64,
    /// What was said to be no problem, each as it is now.
    pub dismissals: Vec<Dismissal>,
    /// What changed on hosts in the last 24 h, oldest first.
    pub changes: Vec<ChangedRow>,
    /// Who is on call out of turn.
    pub overrides: Vec<Override>,
    /// Who is away.
    pub absences: Vec<Absence>,
    /// What was told of hand-overs.
    pub handoffs: Vec<HandoffRow>,
    /// What is known of other people's jobs.
    pub heartbeats: Vec<HeartbeatRow>,
    /// Test pages to people.
    pub test_pages: Vec<TestPageRow>,
    /// Highest incident number ever given.
    pub last_incident: i64,
    /// Highest page number ever given.
    pub last_page: i64,
    /// Last instant at which a collector is known to have run on this store.
    pub last_ran: Option<Timestamp>,
}
