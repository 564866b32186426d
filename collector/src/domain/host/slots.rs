//! All slots: found by host, swept for silence.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use super::{
    sealed::Sealed,
    slot::{Shared, Slot},
};
use crate::domain::{
    finding::FindingRow,
    ids::{HostNo, SessionId},
    labels::Profile,
    readings::dictionary::Dictionary,
    rules::Settings,
    time::Timestamp,
    watch::Watch,
};

/// One silence, told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Which host.
    pub host: HostNo,
    /// On which session.
    pub session: SessionId,
    /// Its last message.
    pub proof: Timestamp,
}

/// All slots of this collector.
#[derive(Debug)]
pub struct Slots {
    shared: Arc<Shared>,
    settings: RwLock<Settings>,
    empty: Arc<Sealed>,
    // Written when a host reports for the first time; everything else reads.
    slots: RwLock<HashMap<HostNo, Arc<Slot>>>,
}

impl Default for Slots {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Slots {
    /// No slots yet; readings will be judged by `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            shared: Arc::default(),
            settings: RwLock::new(settings),
            empty: Arc::new(Dictionary::empty().into()),
            slots: RwLock::default(),
        }
    }

    /// A new session has this host's slot; its readings start anew. Until they come, the last ones stay for views.
    pub fn open(&self, host: HostNo, session: SessionId, watch: Watch, now: Timestamp) -> Arc<Slot> {
        let slot = self.slot(host);
        slot.begin(session, watch, now);
        slot
    }

    fn slot(&self, host: HostNo) -> Arc<Slot> {
        self.find(host).unwrap_or_else(|| {
            let thresholds = self.settings().for_anybody();
            let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
            let (shared, empty) = (Arc::clone(&self.shared), Arc::clone(&self.empty));
            let new = || Arc::new(Slot::new(shared, empty, thresholds, host));
            Arc::clone(slots.entry(host).or_insert_with(new))
        })
    }

    /// What the host is called and how it is classed decides by which limits it is judged.
    pub fn know(&self, profile: &Profile) {
        if let Some(slot) = self.find(profile.no) {
            slot.judge_by(self.settings().of(profile));
        }
    }

    /// Other settings, and whom they may be about.
    pub fn set_rules<'a>(&self, settings: Settings, hosts: impl Iterator<Item = &'a Profile>) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        hosts.for_each(|profile| self.know(profile));
    }

    /// The settings that readings are judged by.
    pub fn settings(&self) -> RwLockReadGuard<'_, Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watch level changed.
    pub fn set_watch(&self, host: HostNo, watch: Watch) {
        if let Some(slot) = self.find(host) {
            slot.set_watch(watch);
        }
    }

    /// The session ended; nothing more is swept for it. The last values stay for views.
    pub fn close(&self, host: HostNo, session: SessionId) {
        if let Some(slot) = self.find(host) {
            slot.end(session);
        }
    }

    /// Forgets a host that is gone for good.
    pub fn forget(&self, host: HostNo) {
        self.slots.write().unwrap_or_else(PoisonError::into_inner).remove(&host);
    }

    /// Hosts that have been silent for their level's `suspect` time, each told once per silence, by host number.
    pub fn sweep(&self, now: Timestamp) -> Vec<Silence> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let mut silences: Vec<_> = slots.iter().filter_map(|(host, slot)| slot.silence(*host, now)).collect();
        silences.sort_unstable_by_key(|silence| silence.host);
        silences
    }

    /// The collector itself was away: every host's next message is told, whether or not it was silent.
    pub fn ask_again(&self) {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).values().for_each(|slot| slot.ask_again());
    }

    /// The collector's clock was set by this much.
    pub fn step(&self, by_ms: i64) {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).values().for_each(|slot| slot.step(by_ms));
    }

    /// Tells a host's slot, before its first session here, which findings are open.
    pub fn adopt(&self, host: HostNo, open: &[FindingRow]) {
        self.slot(host).adopt(open);
    }

    /// The slot of a host, if it ever reported to this collector.
    pub fn find(&self, host: HostNo) -> Option<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).get(&host).cloned()
    }

    /// The slots of the hosts that `wanted` names.
    pub fn of(&self, wanted: impl Fn(HostNo) -> bool) -> Vec<(HostNo, Arc<Slot>)> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        let slots = slots.iter().filter(|(host, _)| wanted(**host));
        slots.map(|(host, slot)| (*host, Arc::clone(slot))).collect()
    }

    /// How many distinct dictionaries and families all hosts together use.
    #[must_use]
    pub fn distinct(&self) -> (usize, usize) {
        self.shared.interner.sizes()
    }
}
