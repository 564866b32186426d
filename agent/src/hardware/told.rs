//! What the collector was told of the hardware last, so that only what differs is told; kept over restarts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Batch, Found, Outcome, Position, Why};
use crate::state::StateDir;

const FILE: &str = "hardware.json";
/// Parts remembered; what is told of others is told at each look.
const PARTS_MAX: usize = 1024;
/// `Evidence.outcome`: there is no such thing. What is greater is there and could not be read.
const NOT_PRESENT: u32 = 1;

/// Digests of what was told last.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The life of the spool in which it was told: what an earlier one held may never have arrived.
    epoch: String,
    /// By `look/source/part`.
    parts: BTreeMap<String, String>,
    /// Up to where the kernel's log was told.
    position: Option<Position>,
}

impl Told {
    /// What the last run left. Where it cannot be read, all is told again.
    #[must_use]
    pub fn load(state: &StateDir) -> Self {
        let bytes = state.read(FILE).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps it for the next start. Call it when the records are on the disk: a crash in between tells twice, not never.
    pub fn save(&self, state: &StateDir) {
        let bytes = serde_json::to_vec(self).expect("texts: nothing in it can fail to serialise");
        if let Err(error) = state.write(FILE, &bytes) {
            tracing::warn!(%error, "what was told of the hardware could not be kept: it is told again after the next start");
        }
    }

    /// Up to where the kernel's log was told.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Everything but the kernel's log is told again, for whatever was told is lost.
    pub fn forget(&mut self) {
        self.parts.clear();
    }

    /// What of a look differs from what was told in this life of the spool; a part that is no more is said to be gone.
    pub fn news(&mut self, batch: Batch, epoch: [u8; 16]) -> Vec<Found> {
        let epoch = hex(&epoch);
        if self.epoch != epoch {
            *self = Self { epoch, position: self.position, ..Self::default() };
        }
        self.position = batch.position.or(self.position);
        let look = format!("{}/", batch.source.name);
        let key = |found: &Found| format!("{look}{}/{}", found.source, found.part);
        let here: BTreeSet<String> = batch.found.iter().map(key).collect();
        // Where a source itself fails, that says nothing of its parts.
        let fails = |found: &Found| {
            found.part.is_empty()
                && matches!(found.outcome, Outcome::Unseen { why, .. } if why.outcome().0 > NOT_PRESENT)
        };
        let failed: Vec<String> =
            batch.found.iter().filter(|found| fails(found)).map(|found| format!("{look}{}/", found.source)).collect();
        let is_gone = |known: &String| {
            let is_failed = failed.iter().any(|source| known.starts_with(source));
            batch.source.whole && known.starts_with(&look) && !here.contains(known) && !is_failed
        };
        let gone: Vec<String> = self.parts.keys().filter(|known| is_gone(known)).cloned().collect();
        let mut news: Vec<Found> = batch.found.into_iter().filter(|found| self.is_news(key(found), found)).collect();
        for known in gone {
            self.parts.remove(&known);
            let Some((source, part)) = known[look.len()..].split_once('/') else { continue };
            let reason = if part.is_empty() { "what was told holds no more" } else { "it was here before" };
            news.push(Found::unseen(source.to_owned(), part, Why::Gone, reason));
        }
        news
    }

    fn is_news(&mut self, key: String, found: &Found) -> bool {
        let Some(digest) = found.digest().map(|digest| hex(&digest)) else { return false };
        if self.parts.get(&key) == Some(&digest) {
            return false;
        }
        if self.parts.len() < PARTS_MAX || self.parts.contains_key(&key) {
            self.parts.insert(key, digest);
        }
        true
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::SOURCES;

    fn read(part: &str, payload: &str) -> Found {
        Found::read("smartctl-json", part, payload.into(), String::new())
    }

    fn news(told: &mut Told, found: Vec<Found>, epoch: u8) -> Vec<(String, String)> {
        let of = |found: &Found| match &found.outcome {
            Outcome::Read { payload, .. } => String::from_utf8_lossy(payload).into_owned(),
            Outcome::Unseen { why, .. } => why.word().to_owned(),
            Outcome::Unasked { .. } => panic!("it is no news"),
        };
        let source = SOURCES.iter().find(|source| source.name == "drives").unwrap();
        let batch = Batch { source, found, position: None };
        told.news(batch, [epoch; 16]).iter().map(|found| (found.part.clone(), of(found))).collect()
    }

    fn said(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|(part, what)| ((*part).to_owned(), (*what).to_owned())).collect()
    }

    #[test]
    fn only_what_differs_is_told_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let mut told = Told::load(&state);
        assert_eq!(news(&mut told, vec![read("sda", "1"), read("sdb", "1")], 1), said(&[("sda", "1"), ("sdb", "1")]));
        told.save(&state);
        let mut told = Told::load(&state);
        assert_eq!(news(&mut told, vec![read("sda", "1"), read("sdb", "2")], 1), said(&[("sdb", "2")]));
        let unasked = Found { outcome: Outcome::Unasked { reason: String::new() }, ..read("sda", "") };
        assert_eq!(news(&mut told, vec![unasked, read("sdb", "2")], 1), said(&[]));
        assert_eq!(
            news(&mut told, vec![read("sda", "1"), read("sdb", "2")], 1),
            said(&[]),
            "what was told still holds"
        );
        assert_eq!(news(&mut told, vec![read("sda", "1"), read("sdb", "2")], 2).len(), 2, "another life of the spool");
        told.forget();
        assert_eq!(news(&mut told, vec![read("sda", "1")], 2), said(&[("sda", "1")]));
    }

    #[test]
    fn a_part_that_is_no_more_is_gone_once_unless_the_source_itself_fails() {
        let mut told = Told::default();
        news(&mut told, vec![read("sda", "1"), read("sdb", "1")], 1);
        let failed = Found::unseen("smartctl-json", "", Why::NotInstalled, "smartctl is not installed");
        assert_eq!(news(&mut told, vec![failed], 1), said(&[("", "not_installed")]));
        assert_eq!(news(&mut told, vec![read("sda", "1")], 1), said(&[("", "gone"), ("sdb", "gone")]));
        assert_eq!(news(&mut told, vec![read("sda", "1")], 1), said(&[]));
    }
}
