//! Test pages to people: at times of their own somebody is paged by all of their ways, to prove that a real page would arrive,
//! and says so with the link in it.
//!
//! Each way has a link of its own; one is enough. Nobody is woken for a test that was due while no collector ran: it is made up
//! for within an hour, or left out.

use serde::{Deserialize, Serialize};

use super::{Contact, Person};
use crate::domain::{ids::PageId, time::Timestamp};

/// It is to be confirmed within this time, which is as long as its link works, in milliseconds.
pub const CONFIRMED_WITHIN_MS: i64 = 24 * 3_600_000;
/// One that is later than this is left out, in milliseconds.
const MADE_UP_WITHIN_MS: i64 = 3_600_000;

/// What is known of the test pages to a person; durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestPageRow {
    /// To whom.
    pub person: String,
    /// What `due` follows from: other words in the configuration make it anew.
    pub rule: String,
    /// When the next is due; none where only somebody's command sends one.
    pub due: Option<Timestamp>,
    /// When the last was sent.
    pub sent: Option<Timestamp>,
    /// Its pages, and through which receiver each went.
    pub pages: Vec<(PageId, String)>,
    /// Whether it was confirmed.
    pub is_confirmed: bool,
    /// When one was confirmed last.
    pub confirmed: Option<Timestamp>,
    /// Through which receiver that had come.
    pub through: String,
}

impl TestPageRow {
    /// Of somebody who has never been sent one.
    #[must_use]
    pub fn new(person: &str) -> Self {
        Self {
            person: person.to_owned(),
            rule: String::new(),
            due: None,
            sent: None,
            pages: Vec::new(),
            is_confirmed: true,
            confirmed: None,
            through: String::new(),
        }
    }

    /// The same where the configuration now says this of the person.
    #[must_use]
    pub fn reread(mut self, person: &Person, now: Timestamp) -> Self {
        let rule = person.test_page.as_ref().map(|schedule| schedule.words()).unwrap_or_default();
        if rule != self.rule {
            self.due = person.test_page.as_ref().map(|schedule| schedule.after(now));
            // Who is tested no more is not missed.
            self.is_confirmed |= rule.is_empty();
            self.rule = rule;
        }
        self
    }

    /// Its next moves on from `now`. Answers whether the one that was due is still to be sent.
    pub fn fall_due(&mut self, person: &Person, now: Timestamp) -> bool {
        let Some(due) = self.due.filter(|due| *due <= now) else { return false };
        self.due = person.test_page.as_ref().map(|schedule| schedule.after(now));
        now.since_ms(due) <= MADE_UP_WITHIN_MS
    }

    /// One is sent in these pages.
    pub fn send(&mut self, pages: Vec<(PageId, String)>, now: Timestamp) {
        (self.sent, self.pages, self.is_confirmed) = (Some(now), pages, false);
    }

    /// Its person says that this page came. Answers whether it is one of the last test.
    pub fn confirm(&mut self, page: PageId, now: Timestamp) -> bool {
        let Some((_, through)) = self.pages.iter().find(|(known, _)| *known == page) else { return false };
        (self.is_confirmed, self.confirmed) = (true, Some(now));
        self.through.clone_from(through);
        true
    }

    /// Until when the last one is to be confirmed, while it is not.
    #[must_use]
    pub fn waits_until(&self) -> Option<Timestamp> {
        self.sent.filter(|_| !self.is_confirmed).map(|sent| sent.plus_ms(CONFIRMED_WITHIN_MS))
    }
}

/// All ways to a person, each once.
#[must_use]
pub fn ways(person: &Person) -> Vec<&Contact> {
    let mut ways: Vec<&Contact> = Vec::new();
    for contact in person.contacts.iter().chain(&person.important) {
        if !ways.iter().any(|known| known.receiver == contact.receiver && known.to == contact.to) {
            ways.push(contact);
        }
    }
    ways
}
