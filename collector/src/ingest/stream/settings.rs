//! EDGE. Settings on their way to an agent, and its answer.
//!
//! They are numbered per host, the number is durable before the agent hears of it, and the same settings are not sent
//! twice in one session. A refusal becomes a finding in the agent's own words.

use muster_proto::v1::{self, collector_message::Body};

use super::Running;
use crate::{
    domain::{
        device::obstacle::Reply,
        event::HostEvent,
        finding::{FindingRow, Judgement, Verdict},
        ids::HostNo,
        labels::{Class, Profile, remote_checks::RemoteChecks},
        settings::shelf::Answer,
        severity::Severity,
        watch::Watch,
    },
    ingest::Context,
    store::StoreError,
};

/// The finding that a refusal is.
const RULE: &str = "settings_refused";
const PART: &str = "settings";

/// How a session stands to the settings of its host.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Course {
    /// The version that it was given last.
    version: u64,
    /// Whether checks of devices are among them.
    with_devices: bool,
    /// The agent has refused those that it answered for last.
    refused: bool,
}

/// The settings of a host as they are now.
pub(crate) struct Due {
    /// As they are sent.
    pub(crate) settings: v1::Settings,
    /// Whether it was given others last.
    is_new: bool,
    /// Whether checks of devices are among them.
    with_devices: bool,
}

impl Due {
    /// The course of a session that begins with these; `refused`: the agent's last answer was a refusal.
    pub(crate) const fn course(&self, refused: bool) -> Course {
        Course { version: self.settings.version, with_devices: self.with_devices, refused }
    }
}

/// The settings of a host as they are now, numbered.
pub(crate) async fn of(context: &Context, profile: &Profile) -> Result<Due, StoreError> {
    let shelf = &context.rooms.settings;
    let watches = {
        let snapshot = context.rooms.snapshot.borrow();
        snapshot.hosts.get(&profile.no).map(|view| view.watches.clone()).unwrap_or_default()
    };
    let document = shelf.of(profile, &watches).document(profile);
    let (given, is_new) = shelf.number(profile.no, &document);
    if is_new {
        context.rooms.store.put_given(profile.no, given).await?;
        shelf.gave(profile.no, given);
    }
    let settings = v1::Settings { version: given.version, document: document.into_bytes() };
    Ok(Due { settings, is_new, with_devices: !watches.is_empty() })
}

/// The host as last published; as the door knows it where it is not published yet.
pub(crate) fn published(context: &Context, known: Profile) -> Profile {
    let snapshot = context.rooms.snapshot.borrow();
    snapshot.hosts.get(&known.no).map_or(known, |view| view.profile.clone())
}

/// Whether a refusal of its settings stands.
pub(crate) fn stands_refused(findings: &[FindingRow]) -> bool {
    findings.iter().any(|finding| finding.rule == RULE)
}

fn severity(profile: &Profile) -> Severity {
    let wakes_nobody = profile.class == Class::Workstation || profile.watch == Watch::None;
    if wakes_nobody { Severity::Info } else { Severity::Warning }
}

impl Running {
    /// Gives the agent its settings, if they are others than it was given, and watches it as they say.
    pub(super) async fn give_settings(&mut self) {
        let profile = published(&self.context, self.profile.clone());
        match of(&self.context, &profile).await {
            Ok(due) => {
                let watch = profile.watch;
                self.settings = due.course(self.settings.refused);
                self.context.rooms.slots.set_watch(profile.no, watch);
                self.presence.info().control.set_level(watch);
                if due.is_new {
                    self.outbox.put(Body::Settings(due.settings));
                }
                self.profile = profile;
            }
            Err(error) => {
                tracing::error!("settings of host {:?} cannot be numbered and are not sent: {error}", profile.name);
            }
        }
    }

    /// Keeps its answer; what the engine must hear of it.
    pub(super) fn on_settings_applied(&mut self, answer: Answer) -> impl Iterator<Item = HostEvent> + use<> {
        let (no, refused): (HostNo, bool) = (self.profile.no, !answer.error.is_empty());
        let verdict = if refused {
            self.metrics().refuse("settings");
            let (name, version, error) = (&self.profile.name, answer.version, &answer.error);
            tracing::warn!(host.id = %self.profile.id, version, ?error, "host {name:?} did not take its settings");
            let evidence = format!("the host does not take its settings (version {version}): {error}");
            Some(Verdict::Holds { severity: severity(&self.profile), evidence })
        } else {
            let evidence = format!("the host has taken its settings (version {})", answer.version);
            self.settings.refused.then_some(Verdict::Cleared { evidence })
        };
        self.settings.refused = refused;
        // An answer to older settings says nothing of those that are on their way.
        let reply = (answer.version == self.settings.version).then(|| self.reply(&answer));
        self.context.rooms.settings.answered(no, answer);
        let judgement = |verdict| Judgement { part: PART.into(), rule: RULE, verdict, cause: None };
        let judged = verdict.map(|verdict| HostEvent::Judged { through: None, judgements: vec![judgement(verdict)] });
        reply.map(HostEvent::Answered).into_iter().chain(judged)
    }

    fn reply(&self, answer: &Answer) -> Reply {
        Reply {
            remote_checks: RemoteChecks::said(&answer.keys, &answer.local),
            refused: (!answer.error.is_empty()).then(|| answer.error.clone()),
            with_devices: self.settings.with_devices,
        }
    }
}
