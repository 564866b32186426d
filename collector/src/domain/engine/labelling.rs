//! Who says what of which host, brought up to date where it changes: at a session (address, system, its own word), at an
//! enrolment (the asset that waited for it), at the start (rules of a changed file), and when people say so.

use std::collections::BTreeMap;

use super::{Engine, audit::origin};
use crate::domain::{
    assets::{Asset, Assets},
    changed::{Changed, Kind},
    event::{Answer, Effect, Principal},
    ids::{HostId, HostNo},
    labels::{MOST_LABELS, label_trouble},
    layers::{Layer, Layers, Says, measured, ruled},
    record::{AuditRow, Row},
    time::Timestamp,
};

/// Who is named where nobody but the collector changed a label, and why.
struct Because<'a> {
    who: &'a str,
    from: String,
}

const COLLECTOR: &str = "collector";

impl Engine {
    /// The rules of the configuration as they stand now, for hosts that may have been labelled by older ones.
    pub(super) fn rule_all(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let all: Vec<HostNo> = self.hosts.keys().copied().collect();
        for no in all {
            let Some(host) = self.hosts.get(&no) else { continue };
            let mut says = ruled(&host.profile, &self.rules, host.peer());
            // What the file says of one device it says of it alone.
            let own = self.devices.declared.get(&no).map(|device| device.says.clone());
            says.extend(own.unwrap_or_default());
            let layers = host.profile.layers.with(Layer::Rule, &says);
            let because = Because { who: COLLECTOR, from: "collector.toml".into() };
            self.relabel(no, layers, &because, now, effects);
        }
    }

    /// A session began: what follows from the machine is what it is now.
    pub(super) fn seen(&mut self, no: HostNo, own: &[(String, String)], now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(host) = self.hosts.get(&no) else { return };
        let layers = measured(&host.profile, own, &self.rules, host.peer());
        let from = host.peer().map_or_else(|| "session".to_owned(), |peer| format!("session {}", peer.to_canonical()));
        self.relabel(no, layers, &Because { who: COLLECTOR, from }, now, effects);
    }

    /// A host enrolled: the list of assets may have been waiting for it.
    pub(super) fn awaited(&mut self, no: HostNo, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(host) = self.hosts.get(&no) else { return };
        let layers = host.profile.layers.with(Layer::Asset, &self.assets.of(&host.profile));
        self.relabel(no, layers, &Because { who: COLLECTOR, from: "assets".into() }, now, effects);
    }

    /// What a person says of some hosts: all of it or nothing.
    pub(super) fn label(
        &mut self,
        by: &Principal,
        hosts: &[HostId],
        says: &Says,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        if let Some(trouble) = says.iter().find_map(|(name, value)| trouble_of(name, value)) {
            return Answer::Refused(trouble);
        }
        let mut changes: BTreeMap<HostNo, Layers> = BTreeMap::new();
        for id in hosts {
            let Some(host) = self.by_id.get(id).and_then(|no| self.hosts.get(no)) else {
                return Answer::NotFound(format!("host {id}"));
            };
            let layers = host.profile.layers.changed(Layer::Person, says);
            if layers.free_labels() > MOST_LABELS.max(host.profile.layers.free_labels()) {
                let name = &host.profile.name;
                return Answer::Refused(format!("{name}: a host has at most {MOST_LABELS} labels: remove one first"));
            }
            changes.insert(host.profile.no, layers);
        }
        let because = Because { who: &by.name, from: origin(by) };
        for (no, layers) in changes {
            self.relabel(no, layers, &because, now, effects);
        }
        Answer::Done
    }

    /// A new list of assets in the place of the one before.
    pub(super) fn import(
        &mut self,
        by: &Principal,
        rows: &[Asset],
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Answer {
        let because = Because { who: &by.name, from: origin(by) };
        effects.push(Effect::Record(Row::Assets(rows.to_vec())));
        effects.push(Effect::Record(Row::Audit(because.line("asset.import", format!("{} rows", rows.len()), "", now))));
        self.assets = Assets::new(rows.to_vec());
        let all: Vec<HostNo> = self.hosts.keys().copied().collect();
        for no in all {
            let Some(host) = self.hosts.get(&no) else { continue };
            let layers = host.profile.layers.with(Layer::Asset, &self.assets.of(&host.profile));
            self.relabel(no, layers, &because, now, effects);
        }
        effects.push(Effect::Publish);
        Answer::Done
    }

    /// Takes over layers, and tells everybody who has to know; nothing where they are as before.
    fn relabel(
        &mut self,
        no: HostNo,
        layers: Layers,
        because: &Because<'_>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let Some(host) = self.hosts.get_mut(&no).filter(|host| host.profile.layers != layers) else { return };
        let words = layers.difference(&host.profile.layers);
        host.profile.relabel(layers);
        effects.push(Effect::Record(Row::Host(Box::new(host.profile.clone()))));
        let line = because.line("host.label", host.profile.id.to_string(), &words, now);
        effects.push(Effect::Record(Row::Audit(line)));
        let session = host.session();
        let changed = Changed::new(now, Kind::Label, &words, Some(because.who.to_owned()));
        self.desk.note_change(no, changed, effects);
        self.devices.stale = true;
        self.desk.know(&host.profile, host.state(), now);
        self.dirty_hosts.insert(no);
        // A label may make it more urgent.
        self.dirty_incidents.extend(self.desk.incident_of(no));
        effects.push(Effect::Publish);
        // What it is given goes by its labels, as they are then published.
        effects.extend(session.map(Effect::Settings));
    }
}

impl Because<'_> {
    fn line(&self, action: &str, subject: String, detail: &str, now: Timestamp) -> AuditRow {
        AuditRow {
            at: now,
            who: self.who.to_owned(),
            from: self.from.clone(),
            action: action.to_owned(),
            subject,
            detail: detail.to_owned(),
        }
    }
}

/// What keeps a value from being said; an empty one withdraws and needs only a name.
fn trouble_of(name: &str, value: &str) -> Option<String> {
    if value.is_empty() && matches!(name, "class" | "watch") { None } else { label_trouble(name, value) }
}
