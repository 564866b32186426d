//! Devices of the configuration, as they stand there when the collector starts: made, changed, and removed.

use std::collections::BTreeMap;

use super::{Engine, audit::device_words};
use crate::domain::{
    device::{
        Device,
        declared::{self, Declared, Fleet},
        plan::is_circle,
    },
    event::{Answer, Command, Effect},
    ids::{HostId, HostNo},
    labels::Admission,
    record::{AuditRow, Row},
    severity::Severity,
    time::Timestamp,
};

impl Engine {
    /// The devices of the configuration as they stand there now; hosts of their names are known already. Says what of
    /// them cannot be and is left out. Its effects are to be carried out like those of any event; labels follow with the
    /// rules ([`Engine::rule`]).
    pub fn declare(&mut self, mut devices: Vec<Declared>, now: Timestamp) -> (Vec<Effect>, Vec<String>) {
        let mut effects = Vec::new();
        self.devices.asked.clone_from(&devices);
        let troubles = self.leave_out_wrong(&mut devices);
        let names = self.names();
        let named = devices.into_iter().filter_map(|device| Some((*names.get(&device.name)?, device)));
        self.devices.declared = named.collect();
        let is_gone = |no: &HostNo| !self.devices.declared.contains_key(no);
        let from_file = self.devices.known.iter().filter(|(_, device)| device.place.is_some()).map(|(no, _)| *no);
        let gone: Vec<HostNo> = from_file.filter(is_gone).collect();
        gone.into_iter().for_each(|no| self.undeclare(no, now, &mut effects));
        for (no, device) in self.devices.declared.clone() {
            self.declare_one(no, &device, &names, now, &mut effects);
        }
        self.declare_parents(&names, now, &mut effects);
        self.tell_troubles(&troubles, now, &mut effects);
        self.refresh(now);
        (effects, troubles)
    }

    /// What cannot be is a problem of the collector's until it can, or the file says something else.
    fn tell_troubles(&mut self, troubles: &[String], now: Timestamp, effects: &mut Vec<Effect>) {
        let trouble = troubles.first().map(|first| match troubles.len() {
            1 => (Severity::Warning, first.clone()),
            all => (Severity::Warning, format!("{first} (and {} more: muster-collector check-config)", all - 1)),
        });
        let step = self.desk.self_check("devices", trouble, now);
        self.desk_step(step, now, effects);
    }

    fn names(&self) -> BTreeMap<String, HostNo> {
        self.hosts.iter().map(|(no, host)| (host.profile.name.clone(), *no)).collect()
    }

    /// Takes away what cannot be and says what that is. Watchers that are not known may enrol yet.
    fn leave_out_wrong(&self, devices: &mut Vec<Declared>) -> Vec<String> {
        let profiles = self.hosts.values().map(|host| &host.profile);
        let fleet = Fleet::new(profiles, &self.devices.known, &self.devices.parents);
        let wrong = declared::wrong(devices, &fleet);
        let mut troubles = Vec::new();
        for wrong in &wrong {
            let Declared { name, place, .. } = &devices[wrong.which];
            troubles.push(format!(
                "{place}: device {name:?}: {} = {:?}: expected {}; until then that is left out",
                wrong.key, wrong.value, wrong.expected
            ));
            if wrong.key == "parent" {
                devices[wrong.which].parent = None;
            }
        }
        let mut at = 0..devices.len();
        devices.retain(|_| {
            let at = at.next();
            !wrong.iter().any(|wrong| wrong.key == "name" && Some(wrong.which) == at)
        });
        troubles
    }

    fn declare_one(
        &mut self,
        no: HostNo,
        said: &Declared,
        names: &BTreeMap<String, HostNo>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let device = Device {
            host: no,
            address: said.address.clone(),
            probe: said.probe.clone(),
            watchers: self.watchers_of(said, names),
            place: Some(said.place.clone()),
        };
        let Some(host) = self.hosts.get_mut(&no) else { return };
        host.set_device();
        if host.profile.admission == Admission::Retired {
            self.admit(no, Admission::Active, now, effects);
        }
        let before = self.devices.known.insert(no, device.clone());
        if before.as_ref() == Some(&device) {
            return;
        }
        // That its line has moved is no news.
        let moved = Device { place: device.place.clone(), ..before.clone().unwrap_or_else(|| device.clone()) };
        if moved != device || before.is_none_or(|before| before.place.is_none()) {
            self.say_of_file(no, "device.set", device_words(&device, None), now, effects);
        }
        effects.push(Effect::Record(Row::Device(Box::new(device))));
        self.devices.stale = true;
        self.dirty_hosts.insert(no);
    }

    fn watchers_of(&self, said: &Declared, names: &BTreeMap<String, HostNo>) -> Vec<HostId> {
        let known = said.watchers.iter().filter_map(|name| names.get(name));
        let able = known.filter(|no| !self.devices.is_one(**no) && !self.devices.declared.contains_key(no));
        able.filter_map(|no| Some(self.hosts.get(no)?.profile.id)).collect()
    }

    /// A host enrolled that the file names as a watcher.
    pub(super) fn watcher_enrolled(&mut self, no: HostNo, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(name) = self.hosts.get(&no).map(|host| host.profile.name.clone()) else { return };
        let waiting = self.devices.declared.iter().filter(|(_, device)| device.watchers.contains(&name));
        let waiting: Vec<(HostNo, Declared)> = waiting.map(|(no, device)| (*no, device.clone())).collect();
        if waiting.is_empty() {
            return;
        }
        let names = self.names();
        for (no, device) in waiting {
            self.declare_one(no, &device, &names, now, effects);
        }
        let troubles = self.leave_out_wrong(&mut self.devices.asked.clone());
        self.tell_troubles(&troubles, now, effects);
    }

    /// Parents as the file says them, whatever they were before.
    fn declare_parents(&mut self, names: &BTreeMap<String, HostNo>, now: Timestamp, effects: &mut Vec<Effect>) {
        let before = self.devices.parents.clone();
        self.devices.parents.retain(|no, _| !self.devices.declared.contains_key(no));
        for (no, device) in &self.devices.declared {
            let parent = device.parent.as_ref().and_then(|name| names.get(name));
            let fits = |parent: &&HostNo| {
                self.devices.known.contains_key(parent) && !is_circle(*no, **parent, &self.devices.parents)
            };
            if let Some(parent) = parent.filter(fits) {
                self.devices.parents.insert(*no, *parent);
            }
        }
        let nos: Vec<HostNo> = self.devices.declared.keys().copied().collect();
        for no in nos {
            let parent = self.devices.parents.get(&no).copied();
            if before.get(&no).copied() == parent {
                continue;
            }
            let words = parent.and_then(|parent| self.hosts.get(&parent)).map(|host| host.profile.id.to_string());
            self.say_of_file(no, "host.parent", words.unwrap_or_else(|| "none".into()), now, effects);
            effects.push(Effect::Record(Row::Parent(no, parent)));
            self.devices.stale = true;
            self.dirty_hosts.insert(no);
        }
    }

    /// It stands in the file no more.
    fn undeclare(&mut self, no: HostNo, now: Timestamp, effects: &mut Vec<Effect>) {
        let Some(device) = self.devices.known.get_mut(&no) else { return };
        let place = device.place.take().unwrap_or_default();
        effects.push(Effect::Record(Row::Device(Box::new(device.clone()))));
        self.say_of_file(no, "device.remove", format!("it stood in {place}"), now, effects);
        self.admit(no, Admission::Retired, now, effects);
    }

    /// What the file says nobody else changes.
    pub(super) fn said_by_file(&self, no: HostNo, command: &Command) -> Option<Answer> {
        let place = self.devices.known.get(&no)?.place.as_ref()?;
        let verb = match command {
            Command::Admit { admission: Admission::Retired | Admission::Revoked, .. } => "remove it there",
            Command::Device { .. } | Command::Parent { .. } => "change it there",
            _ => return None,
        };
        let name = self.name_of(no);
        Some(Answer::Refused(format!("{name} stands in {place}: {verb} and start the collector anew")))
    }

    fn say_of_file(&self, no: HostNo, action: &str, detail: String, now: Timestamp, effects: &mut Vec<Effect>) {
        let place = self.devices.known.get(&no).and_then(|device| device.place.clone());
        effects.push(Effect::Record(Row::Audit(AuditRow {
            at: now,
            who: "collector".into(),
            from: place.unwrap_or_else(|| "collector.toml".into()),
            action: action.into(),
            subject: self.hosts.get(&no).map_or_else(String::new, |host| host.profile.id.to_string()),
            detail,
        })));
    }
}
