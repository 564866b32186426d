//! Who of one receiver's recipients has taken which page, so that a page that is tried again reaches the others only.
//!
//! Kept in memory: after a restart all are told again, which is better than none.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::receiver::Sent;
use crate::domain::ids::PageId;

/// Pages with recipients that are still to be told, remembered at most.
const REMEMBERED: usize = 1_000;

/// The recipients told so far.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<BTreeMap<PageId, BTreeSet<usize>>>);

/// One round through the recipients of a page.
#[derive(Debug)]
pub(super) struct Round {
    page: PageId,
    told: BTreeSet<usize>,
    later: Option<(String, Option<Duration>)>,
    never: Vec<String>,
    id: Option<String>,
}

impl Told {
    /// Begins a round.
    pub(super) fn begin(&self, page: PageId) -> Round {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&page).cloned().unwrap_or_default();
        Round { page, told, later: None, never: Vec::new(), id: None }
    }

    /// Ends a round and says what it means for the page.
    pub(super) fn end(&self, round: Round, recipients: usize) -> Sent {
        let Round { page, told, later, mut never, id } = round;
        if let Some((error, after)) = later {
            self.remember(page, Some(told));
            return Sent::Retry { error, after };
        }
        self.remember(page, None);
        if told.is_empty() {
            return Sent::Refused { error: never.join("; ") };
        }
        if never.is_empty() {
            return Sent::Accepted { provider_id: id };
        }
        tracing::warn!("{} of {recipients} recipients of page {page} were refused", never.len());
        never.extend(id);
        Sent::Accepted { provider_id: Some(format!("not taken for {}", never.join("; "))) }
    }

    /// Remembers who has taken a page that is still owed to others; nobody owed means that it is done.
    fn remember(&self, page: PageId, told: Option<BTreeSet<usize>>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match told {
            Some(told) => drop(all.insert(page, told)),
            None => drop(all.remove(&page)),
        }
        while all.len() > REMEMBERED {
            all.pop_first();
        }
    }
}

impl Round {
    /// Whether the recipient is still to be told.
    pub(super) fn owes(&self, recipient: usize) -> bool {
        !self.told.contains(&recipient)
    }

    /// The recipient was told; `id` is what the server calls it.
    pub(super) fn taken(&mut self, recipient: usize, id: Option<String>) {
        self.told.insert(recipient);
        self.id = id.or_else(|| self.id.take());
    }

    /// The recipient cannot be told of this page.
    pub(super) fn never(&mut self, error: String) {
        self.never.push(error);
    }

    /// The recipient is to be told later.
    pub(super) fn later(&mut self, error: String, after: Option<Duration>) {
        let longest = self.later.take().and_then(|(_, after)| after).max(after);
        self.later = Some((error, longest));
    }
}
