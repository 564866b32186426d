//! What people's commands are called in the audit log.

use crate::domain::{
    device::Device,
    event::{Command, Principal},
    hold::Kind,
    ids::HostId,
    priority::Priority,
    record::AuditRow,
    time::Timestamp,
};

/// A command as the audit log says it.
pub(super) fn audit(by: &Principal, command: &Command, now: Timestamp) -> AuditRow {
    let (action, subject, detail) = match command {
        Command::Label { .. } | Command::Assets { .. } | Command::Alerts(_) | Command::AreYouThere => {
            ("host.label", String::new(), String::new())
        }
        Command::Admit { host, admission } => ("host.admit", host.to_string(), format!("{admission:?}").to_lowercase()),
        Command::Device { host, device, parent } => ("device.set", host.to_string(), device_words(device, *parent)),
        Command::Parent { host, parent } => {
            ("host.parent", host.to_string(), parent.map_or_else(|| "none".into(), |parent| parent.to_string()))
        }
        Command::Acknowledge { incident, note, for_ms } => {
            let lasts = for_ms.map_or_else(String::new, |ms| format!("for {} min: ", ms / 60_000));
            ("incident.acknowledge", format!("#{incident}"), lasts + note)
        }
        Command::Answer { incident, .. } => ("incident.acknowledge", format!("#{incident}"), String::new()),
        Command::AddHold(hold) => {
            let action = if hold.kind == Kind::Silence { "silence.add" } else { "maintenance.add" };
            (action, hold.scope.words(), format!("{}: {}", hold.when.words(), hold.reason))
        }
        Command::AddOverride(asked) => {
            let detail = format!("{} from {} to {}", asked.person, asked.span.from, asked.span.until);
            ("on_call.override", asked.rotation.clone(), detail)
        }
        Command::Swap(asked) => ("on_call.swap", asked.rotation.clone(), asked.words()),
        Command::AddAbsences(asked) => ("on_call.away", asked.person.clone(), asked.words()),
        Command::EndAbsence(no) => ("on_call.back", no.to_string(), String::new()),
        Command::EndOverride(no) => ("on_call.withdraw", no.to_string(), String::new()),
        Command::BeginOwn(asked) => {
            let detail = format!("for {} s: {} {}", asked.lasts_ms / 1_000, asked.reason, asked.change);
            ("maintenance.own", asked.host.to_string(), detail.trim_end().to_owned())
        }
        Command::EndOwn(host) => ("maintenance.own_end", host.to_string(), String::new()),
        Command::EndHold(no) => ("hold.end", no.to_string(), String::new()),
        Command::Resolve { incident, note } => ("incident.resolve", format!("#{incident}"), note.clone()),
        Command::Dismiss(asked) => asked.audit(),
        Command::TakeBack { incident, dismissal } => {
            ("incident.take_back", format!("#{incident}"), format!("what was said, number {dismissal}"))
        }
        Command::Prioritise { incident, priority, note } => {
            let said = priority.map_or("derived", Priority::word);
            ("incident.prioritise", format!("#{incident}"), format!("{said} {note}").trim().to_owned())
        }
        Command::Ping(ping) => ("heartbeat.ping", ping.name.clone(), String::new()),
        Command::TestPerson(name) => ("on_call.test", name.clone(), String::new()),
        Command::ConfirmTest(page) => ("on_call.confirm_test", page.to_string(), String::new()),
        Command::TestPage { receiver } => ("receiver.test", receiver.clone(), String::new()),
    };
    AuditRow { at: now, who: by.name.clone(), from: origin(by), action: action.into(), subject, detail }
}

/// A device as the audit log says it.
pub(super) fn device_words(device: &Device, parent: Option<HostId>) -> String {
    let parent = parent.map_or_else(String::new, |parent| format!(" parent={parent}"));
    let watchers: Vec<String> = device.watchers.iter().map(|id| format!(" watcher={id}")).collect();
    format!("address={} check={}{parent}{}", device.address, device.probe.words(), watchers.concat())
}

/// Through which door and from where, as the audit log says it.
pub(super) fn origin(by: &Principal) -> String {
    by.address.map_or_else(|| by.via.clone(), |address| format!("{} {address}", by.via))
}
