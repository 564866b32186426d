//! Who asked to be let in and was not, lately: for whoever rolls out and wonders what is missing.
//!
//! It is held in memory, bounded, and tells nothing that lets anybody in.

use std::{collections::VecDeque, net::IpAddr};

use super::{Denied, EnrolFacts, labels::safe_name, token::PresentedToken};
use crate::domain::time::Timestamp;

/// Refusals that are held: a screenful for each of some roll-outs. The same one again is counted, not added.
const MOST: usize = 200;

/// One that was refused, maybe again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// When the last time.
    pub at: Timestamp,
    /// Where it came from.
    pub from: IpAddr,
    /// What it calls itself, made safe to show.
    pub name: String,
    /// The id of the token that it showed; empty where it showed none at all.
    pub token: String,
    /// Why, with the remedy.
    pub why: String,
    /// How often.
    pub times: u32,
}

/// The latest of them, the newest last.
#[derive(Debug, Default)]
pub(super) struct Refusals(VecDeque<Refusal>);

impl Refusals {
    pub(super) fn add(&mut self, facts: &EnrolFacts, denied: &Denied, at: Timestamp) {
        // That the store failed is no fault of who asked.
        if matches!(denied, Denied::Store(_)) {
            return;
        }
        let token = PresentedToken::parse(&facts.token).map_or_else(String::new, |token| token.id);
        let (name, why) = (safe_name(&facts.facts.name), denied.to_string());
        let same = |one: &Refusal| (one.from, &one.name, &one.token) == (facts.peer, &name, &token);
        let before = self.0.iter().position(same).and_then(|at| self.0.remove(at));
        let times = before.map_or(0, |one| one.times).saturating_add(1);
        self.0.push_back(Refusal { at, from: facts.peer, name, token, why, times });
        if self.0.len() > MOST {
            self.0.pop_front();
        }
    }

    /// The newest first.
    pub(super) fn latest(&self) -> Vec<Refusal> {
        self.0.iter().rev().cloned().collect()
    }
}
