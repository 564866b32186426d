//! Fingerprints: parts of a machine, hashed by its agent. They match machines, they never let one in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::hex;

/// More parts than any agent sends (six kinds, some network cards) are left out.
const MOST_PARTS: usize = 64;

/// The parts of a machine by kind: `machine_id`, `product_uuid`, `serial`, `mac` (several), `root_fs_uuid`, `instance_id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Fingerprint(BTreeMap<String, BTreeSet<String>>);

impl Fingerprint {
    /// From the parts as sent; empty ones say nothing.
    pub(super) fn new(parts: &[(String, Vec<u8>)]) -> Self {
        let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (kind, value) in parts.iter().filter(|(_, value)| !value.is_empty()).take(MOST_PARTS) {
            kinds.entry(kind.clone()).or_default().insert(hex(value));
        }
        Self(kinds)
    }

    /// From what the store keeps; what it cannot read says nothing.
    pub(super) fn from_stored(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Whether both are of one machine: what stays with a machine through swaps of parts is equal, and at most one
    /// part differs. Parts that one of them lacks say nothing.
    pub(super) fn is_same_machine(&self, other: &Self) -> bool {
        // A copy of a disk in another machine keeps all but these.
        if self.differs(other, "product_uuid") || self.differs(other, "instance_id") {
            return false;
        }
        self.0.keys().filter(|kind| self.differs(other, kind)).count() < 2
    }

    /// Whether a machine that was turned away is the one that asks again: its machine id, and its product uuid where both have one.
    pub(super) fn is_banned_by(&self, banned: &Self) -> bool {
        self.shares(banned, "machine_id") && !self.differs(banned, "product_uuid")
    }

    fn shares(&self, other: &Self, kind: &str) -> bool {
        matches!((self.0.get(kind), other.0.get(kind)), (Some(mine), Some(theirs)) if !mine.is_disjoint(theirs))
    }

    fn differs(&self, other: &Self, kind: &str) -> bool {
        matches!((self.0.get(kind), other.0.get(kind)), (Some(mine), Some(theirs)) if mine.is_disjoint(theirs))
    }
}
