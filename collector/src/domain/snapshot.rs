//! What the edges may read: an immutable picture of the engine's state after its last durable batch.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use super::{
    desk::holds::HeldBy,
    device::{Device, Said, obstacle::Obstacle},
    dismissal::Dismissal,
    heartbeat::HeartbeatView,
    hold::Hold,
    host::{Cause, State, checks::CheckRow, ledger::OpenSpan},
    ids::{HostNo, IncidentNo, SessionId},
    labels::Profile,
    oncall::{absence::Exceptions, test_page::TestPageRow},
    priority::Priority,
    record::{IncidentEventRow, IncidentRow, Page},
    settings::Part,
    time::Timestamp,
};
use crate::domain::{finding::FindingRow, severity::Severity};

/// The fleet as of `at`. Cloning is cheap: every part is shared.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Timestamp,
    /// When this collector started.
    pub started: Timestamp,
    /// Until when the one before it ran.
    pub last_ran: Option<Timestamp>,
    /// Until when hosts that were up before a restart are given time to come back.
    pub settling_until: Option<Timestamp>,
    /// All hosts.
    pub hosts: Arc<BTreeMap<HostNo, Arc<HostView>>>,
    /// Open and recently resolved incidents.
    pub incidents: Arc<BTreeMap<IncidentNo, Arc<IncidentView>>>,
    /// Scopes that are cut now: name and since.
    pub cuts: Arc<BTreeMap<String, Timestamp>>,
    /// Maintenance windows and silences that are to come, last, or ended lately.
    pub holds: Arc<Vec<Hold>>,
    /// What was said to be no problem.
    pub dismissals: Arc<Vec<Dismissal>>,
    /// Who is on call out of turn, and who is away.
    pub exceptions: Arc<Exceptions>,
    /// Test pages to people.
    pub test_pages: Arc<Vec<TestPageRow>>,
    /// Other people's jobs, in the order of the configuration.
    pub heartbeats: Arc<Vec<HeartbeatView>>,
}

/// One host.
#[derive(Debug, Clone)]
pub struct HostView {
    /// Identity and labels.
    pub profile: Profile,
    /// Observed axis.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub cause: Cause,
    /// Last proof of life known to the engine (the slot knows the last message).
    pub proof: Timestamp,
    /// Where it was last.
    pub peer: Option<IpAddr>,
    /// Its live session.
    pub session: Option<SessionId>,
    /// Health axis: open findings.
    pub findings: Vec<FindingRow>,
    /// Its checks, by name.
    pub checks: Vec<CheckRow>,
    /// The open end of its ledger.
    pub observed: OpenSpan,
    /// Its open incident.
    pub incident: Option<IncidentNo>,
    /// What is known of it, if it has no agent.
    pub device: Option<Arc<DeviceView>>,
    /// The device that it is behind.
    pub parent: Option<HostNo>,
    /// What its agent is told besides the settings of its scopes: the checks of the devices that it watches.
    pub watches: Vec<Part>,
    /// What keeps its agent from watching devices, as far as is known.
    pub cannot_watch: Option<Obstacle>,
}

/// A host without an agent.
#[derive(Debug, Clone)]
pub struct DeviceView {
    /// What is known of it.
    pub device: Device,
    /// Who watches it.
    pub watchers: Vec<WatcherView>,
}

/// One that watches a device.
#[derive(Debug, Clone)]
pub struct WatcherView {
    /// Which host.
    pub host: HostNo,
    /// Its display name.
    pub name: String,
    /// Whether it is heard now.
    pub heard: bool,
    /// What it said last.
    pub said: Option<Said>,
}

impl HostView {
    /// How bad each thing is that is wrong with it: open findings, then checks that count.
    pub fn troubles(&self) -> impl Iterator<Item = Severity> {
        let checks = self.checks.iter().filter_map(|check| check.severity(&self.profile));
        self.findings.iter().map(|finding| finding.severity).chain(checks)
    }
}

/// One incident with its timeline and pages.
#[derive(Debug, Clone)]
pub struct IncidentView {
    /// The incident.
    pub row: IncidentRow,
    /// Display name of its host, empty when about several.
    pub host_name: String,
    /// Names of all hosts it is about.
    pub hosts: Vec<String>,
    /// Its timeline.
    pub events: Vec<IncidentEventRow>,
    /// Its pages.
    pub pages: Vec<Page>,
    /// What holds its pages back, and until when.
    pub held: Option<HeldBy>,
    /// When somebody must act.
    pub priority: Priority,
    /// How the redundancy groups stand that it touches.
    pub redundancy: Vec<String>,
}
