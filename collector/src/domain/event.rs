//! What happens to the engine, and what it wants done.

mod outcome;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use self::outcome::Outcome;
use super::{
    alert::{Alert, Tally},
    assets::Asset,
    changed::{Changed, Kind},
    desk::standins::Away,
    device::{Device, obstacle::Reply},
    dismissal,
    finding::Judgement,
    heartbeat::Ping,
    hold::{Hold, own::OwnWindow},
    ids::{AbsenceNo, DismissalNo, HoldNo, HostId, HostNo, IncidentNo, OverrideNo, PageId, SessionId},
    labels::{Admission, Profile},
    layers::Says,
    oncall::{rotation::Override, swap::Swap},
    priority::Priority,
    record::{Page, Row},
    reliability::Batch,
    severity::Severity,
    sla::burn::Burn,
    time::Timestamp,
};

/// Everything that reaches the engine.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something about one host.
    Host(HostNo, HostEvent),
    /// A host enrolled or its profile was changed by the identity side (already durable).
    Enrolled(Box<Profile>),
    /// A person's or a program's command.
    Operator {
        /// Who.
        by: Principal,
        /// What.
        command: Command,
        /// Where the answer goes.
        reply: ReplyId,
    },
    /// A page was tried.
    Delivered {
        /// Which page.
        page: PageId,
        /// How it went.
        outcome: Outcome,
    },
    /// The settings of these hosts are others now (already durable).
    Settings(Vec<HostNo>),
    /// Something that was set for these hosts is other than before (already durable).
    Changed {
        /// Which hosts.
        hosts: Vec<HostNo>,
        /// What, by whom.
        changed: Changed,
    },
    /// Time passes; due things are looked at.
    Tick,
    /// The collector itself was suspended or starved for this time.
    Stalled {
        /// Last instant at which it ran.
        from: Timestamp,
        /// First instant at which it runs again.
        to: Timestamp,
    },
    /// The wall clock was set by this much, and ours with it: what was due then is due as much later or earlier.
    Stepped {
        /// Milliseconds; negative when it was set back.
        by_ms: i64,
    },
    /// How fast error budgets are spent, of all agreements of which that is told.
    Burn(Vec<Burn>),
    /// All batches of drives that fail together.
    Batches(Vec<Batch>),
    /// Something about the collector itself: disk low, certificate expiring. `None` clears it.
    SelfCheck {
        /// Which check, such as `state_disk`.
        what: String,
        /// What is wrong, with severity.
        trouble: Option<(Severity, String)>,
    },
}

/// What happens to a host.
#[derive(Debug, Clone)]
pub enum HostEvent {
    /// A session was accepted.
    Opened {
        /// Its number.
        session: SessionId,
        /// Boot id of the machine.
        boot_id: [u8; 16],
        /// Address it came from.
        peer: IpAddr,
        /// The last message of the session before, where this run of the collector had one.
        heard_before: Option<Timestamp>,
        /// Proofs of life from the time nobody listened, converted to collector time.
        alive: Vec<AliveProof>,
        /// What it said of itself.
        facts: Box<super::labels::Facts>,
        /// Labels of its agent.toml.
        labels: Vec<(String, String)>,
    },
    /// First Readings of the session, or any message after `Silent`: it is up.
    Heard {
        /// On which session.
        session: SessionId,
    },
    /// No message for the level's `suspect` time. Sent once per silence.
    Silent {
        /// On which session.
        session: SessionId,
        /// The last message heard.
        proof: Timestamp,
    },
    /// The stream ended.
    Ended {
        /// Which session.
        session: SessionId,
        /// How.
        how: Ending,
        /// The last message heard.
        proof: Timestamp,
    },
    /// Answer of a look.
    Looked {
        /// Which look this answers.
        look: i64,
        /// What was seen.
        answer: Look,
    },
    /// Judgements that changed, from the slot or from records.
    Judged {
        /// The last record judged, if these come from records.
        through: Option<Position>,
        /// What changed.
        judgements: Vec<Judgement>,
    },
    /// Its readings name other parts than before, or services that were restarted.
    Changed(Vec<(Kind, String)>),
    /// Checks turned out so (already durable).
    Checked {
        /// The last outcome of each.
        outcomes: Vec<super::host::checks::Outcome>,
    },
    /// It answered to the settings that it was given last.
    Answered(Reply),
    /// Its admission changed (already durable).
    Admitted(Admission),
    /// Its scope (site or the collector's own network) is cut, as the desk sees it.
    Cut {
        /// The scope's name.
        scope: String,
    },
    /// Its scope healed.
    Healed,
}

/// A proof of life kept by the agent, in collector time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AliveProof {
    /// Boot id of the time it proves.
    pub boot_id: [u8; 16],
    /// Alive from here.
    pub from: Timestamp,
    /// Until here.
    pub to: Timestamp,
    /// Whether it ended with a clean shutdown.
    pub clean_end: bool,
    /// Whether the same run of the agent lived before it and stood still in between, as on a machine that slept.
    pub resumed: bool,
}

/// A record's place in the life of a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The spool's life.
    pub epoch: [u8; 16],
    /// The record's number in it.
    pub sequence: u64,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The peer's kernel closed it.
    Fin,
    /// The peer's kernel reset it.
    Reset,
    /// Nothing came back: keep-alive or user time-out.
    TimedOut,
    /// We asked the agent to move, or a newer session took over.
    Drained,
    /// The agent said goodbye.
    Goodbye(Why),
}

/// Why an agent said goodbye.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The machine is shutting down.
    Shutdown,
    /// The machine is rebooting.
    Reboot,
    /// The machine goes to sleep.
    Sleep,
    /// The agent was stopped.
    AgentStop,
    /// The agent restarts.
    AgentRestart,
    /// The agent is being removed.
    Uninstall,
    /// It did not say.
    Unknown,
}

/// What a look at a silent host saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// Something answered, a refusal included.
    Answers,
    /// Nothing answered.
    Silent,
    /// Shared address, filtered since ever, or no right to look.
    CannotTell,
}

/// Services through which people may answer, as [`Principal::via`] names them.
const SERVICES: [&str; 2] = ["ntfy", "PagerDuty"];

/// Who commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// A person's or token's name, or `uid:0` on the unix socket.
    pub name: String,
    /// Through which door: `socket`, `web`, `api`.
    pub via: String,
    /// The address it came from, if any.
    pub address: Option<IpAddr>,
}

impl Principal {
    /// Through which service of others they speak, in words behind their name: ` (ntfy)`. Our own doors are not named.
    #[must_use]
    pub fn through(&self) -> String {
        let is_service = SERVICES.contains(&self.via.as_str());
        if is_service { format!(" ({})", self.via) } else { String::new() }
    }
}

/// A command that changes what the engine owns. Who may give it is settled before.
#[derive(Debug, Clone)]
pub enum Command {
    /// What a person says of these hosts' class, site, watch level and labels; an empty value withdraws theirs.
    Label {
        /// Which hosts.
        hosts: Vec<HostId>,
        /// What is said.
        says: Says,
    },
    /// The list of assets, whole.
    Assets {
        /// Its rows.
        rows: Vec<Asset>,
    },
    /// Change whether a host may speak.
    Admit {
        /// Which host.
        host: HostId,
        /// To what.
        admission: Admission,
    },
    /// Set what is known of a host without an agent.
    Device {
        /// Which host.
        host: HostId,
        /// What is known of it; its number is filled in.
        device: Box<Device>,
        /// The device that it is behind.
        parent: Option<HostId>,
    },
    /// Set what a host is behind.
    Parent {
        /// Which host.
        host: HostId,
        /// The device that it is behind; nothing takes that away.
        parent: Option<HostId>,
    },
    /// Somebody has it.
    Acknowledge {
        /// Which incident.
        incident: IncidentNo,
        /// For so long, in milliseconds; then everybody is told again. Without it until the trouble is over.
        for_ms: Option<i64>,
        /// What they say.
        note: String,
    },
    /// The button of a page was pressed: whom the page was for has it. What was heard before changes nothing.
    Answer {
        /// Which incident.
        incident: IncidentNo,
        /// Which page.
        page: PageId,
        /// When, by the clock of the service that carries the answer: the same each time it is heard.
        at: Timestamp,
    },
    /// Close by hand.
    Resolve {
        /// Which incident.
        incident: IncidentNo,
        /// Why.
        note: String,
    },
    /// When somebody must act.
    Prioritise {
        /// Which incident.
        incident: IncidentNo,
        /// What a person says; nothing: as it is derived.
        priority: Option<Priority>,
        /// Why.
        note: String,
    },
    /// A maintenance window or a silence; its number and author are filled in. Answers with its number.
    AddHold(Box<Hold>),
    /// End a maintenance window or a silence before its time.
    EndHold(HoldNo),
    /// A machine begins maintenance over itself. Answers with its number.
    BeginOwn(OwnWindow),
    /// A machine ends what it began.
    EndOwn(HostNo),
    /// It was no problem. Answers with the number of that.
    Dismiss(Box<dismissal::Asked>),
    /// It was one, after all.
    TakeBack {
        /// Of which incident.
        incident: IncidentNo,
        /// What was said of it.
        dismissal: DismissalNo,
    },
    /// Somebody else is on call for a time; its number and author are filled in. Answers with its number.
    AddOverride(Box<Override>),
    /// Withdraw that.
    EndOverride(OverrideNo),
    /// Two people exchange turns. Answers with the number of the first of the two overrides that it is.
    Swap(Box<Swap>),
    /// Somebody is away at these times. Answers how many of them are new.
    AddAbsences(Box<Away>),
    /// They are there after all.
    EndAbsence(AbsenceNo),
    /// Another's job says that it runs, ran or failed.
    Ping(Box<Ping>),
    /// What others say is wrong. Answers what became of it.
    Alerts(Vec<Alert>),
    /// Answer: that you do says that you decide, and that what you decided is durable.
    AreYouThere,
    /// Send a person a test page by all of their ways.
    TestPerson(String),
    /// Whoever says so was reached by this page, which was a test.
    ConfirmTest(PageId),
    /// Send a test page to a receiver.
    TestPage {
        /// Which receiver.
        receiver: String,
    },
}

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplyId(pub u64);

/// Answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done (and durable).
    Done,
    /// Done (and durable); the number of what was made.
    Made(i64),
    /// What became of alerts (durable).
    Alerts(Tally),
    /// No such thing; names it.
    NotFound(String),
    /// Cannot be done; says why and the remedy.
    Refused(String),
}

/// What the engine wants done. Everything else waits until the `Record`s of its batch are durable.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Make this durable.
    Record(Row),
    /// Send this page.
    Notify(Box<Page>),
    /// Let the edges see the new state ([`super::engine::Engine::snapshot`]).
    Publish,
    /// Look at a silent host.
    Look {
        /// Which host.
        host: HostNo,
        /// Echoed in the answer.
        look: i64,
        /// Where it was last.
        peer: IpAddr,
        /// How many up hosts share that address (more than one cannot tell).
        sharing: usize,
        /// Give up after this long, in milliseconds.
        within_ms: i64,
    },
    /// This host's settings may be others now: give them to its agent.
    Settings(SessionId),
    /// End a stream.
    Close(SessionId, CloseReason),
    /// Answer a command.
    Reply(ReplyId, Answer),
}

/// Why we end a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// A newer session of the same host took over.
    Superseded,
    /// The host was revoked, suspended or retired.
    NotAdmitted,
}
