//! Listening to services: what a task that hears answers needs, and telling the engine when it is deaf.
//!
//! Not hearing for a moment loses nothing, since services are asked for what was said meanwhile. Who is deaf for longer
//! may miss that somebody has an incident, and others are called for nothing: that is a problem of its own.

use std::{collections::BTreeMap, time::Duration};

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::watch;

use super::outbox::{Patience, until_stopped};
use crate::{
    clock::Clock,
    domain::{event::Event, severity::Severity, time::Timestamp},
    links::Links,
    mailbox::Mailbox,
};

/// So long nothing was heard before that is a problem, in milliseconds.
const PATIENCE_MS: i64 = 60_000;
/// Between two questions to one service at least this much time passes, in milliseconds.
const PACE_MS: i64 = if cfg!(test) { 10 } else { 500 };
/// Longest wait for a turn; the clock may be set meanwhile, and things to ask about come and go.
const TURN_MS: i64 = 1_000;

/// What a task that listens to one receiver's service needs.
#[derive(Clone)]
pub(super) struct Ear {
    pub(super) receiver: String,
    pub(super) mailbox: Mailbox,
    pub(super) clock: Clock,
    pub(super) links: Links,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Ear {
    /// Tells the engine, if there is something to tell; whether it is still there.
    pub(super) async fn tell(&self, news: Option<Event>) -> bool {
        match news {
            Some(event) => self.mailbox.send(event).await.is_ok(),
            None => true,
        }
    }

    /// Waits after so many failures in a row, or as long as the service asks for; false when it is to stop.
    pub(super) async fn wait(&mut self, failures: u32, asked: Option<Duration>) -> bool {
        let mut byte = [128_u8];
        // Without randomness all wait equally long, which is harmless.
        let _ = SystemRandom::new().fill(&mut byte);
        let usual = Patience::default().wait_ms(failures, f64::from(byte[0]) / 255.0).unsigned_abs();
        self.pause(Duration::from_millis(usual).max(asked.unwrap_or_default())).await
    }

    /// Waits; false when it is to stop.
    pub(super) async fn pause(&mut self, wait: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(wait) => true,
            () = until_stopped(&mut self.stopped) => false,
        }
    }
}

/// Whether a service's answers are heard, and when the engine hears that this has changed. Pure.
#[derive(Debug)]
pub(super) struct Hearing {
    receiver: String,
    what: &'static str,
    deaf_since: Option<Timestamp>,
    /// What the engine was told last; nothing since the start, and the record may hold a trouble from before.
    told_deaf: Option<bool>,
    /// Failures in a row.
    pub(super) failures: u32,
}

impl Hearing {
    /// `what` is heard, in words: `acknowledgements`.
    pub(super) fn new(receiver: &str, what: &'static str) -> Self {
        Self { receiver: receiver.to_owned(), what, deaf_since: None, told_deaf: None, failures: 0 }
    }

    /// The service answers.
    pub(super) fn heard(&mut self) -> Option<Event> {
        (self.deaf_since, self.failures) = (None, 0);
        (self.told_deaf != Some(false)).then(|| self.event(None))
    }

    /// It does not.
    pub(super) fn failed(&mut self, error: &str, now: Timestamp) -> Option<Event> {
        self.failures = self.failures.saturating_add(1);
        let since = *self.deaf_since.get_or_insert(now);
        tracing::debug!("receiver {}: {} are not heard: {error}", self.receiver, self.what);
        if self.told_deaf == Some(true) || now.since_ms(since) < PATIENCE_MS {
            return None;
        }
        let text = format!("{} at receiver {} are not heard since {since}: {error}", self.what, self.receiver);
        tracing::warn!("{text}");
        Some(self.event(Some((Severity::Warning, text))))
    }

    fn event(&mut self, trouble: Option<(Severity, String)>) -> Event {
        self.told_deaf = Some(trouble.is_some());
        Event::SelfCheck { what: format!("answers/{}", self.receiver), trouble }
    }
}

/// Whose turn it is to be asked about, so that a service is asked gently: about each thing in its own time, about all of
/// them at one pace. Pure.
#[derive(Debug)]
pub(super) struct Rounds<K> {
    asked: BTreeMap<K, Timestamp>,
    last: Timestamp,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn<K> {
    /// Ask about this.
    Ask(K),
    /// Nothing yet.
    Wait(Duration),
    /// There is nothing to ask about.
    Nothing,
}

impl<K> Default for Rounds<K> {
    fn default() -> Self {
        Self { asked: BTreeMap::new(), last: Timestamp::default() }
    }
}

impl<K: Ord + Copy> Rounds<K> {
    /// Whose turn it is of these, each of which is asked about so often, in milliseconds. New ones come first.
    pub(super) fn next(&mut self, every: &BTreeMap<K, i64>, now: Timestamp) -> Turn<K> {
        self.asked.retain(|key, _| every.contains_key(key));
        let due = |(key, every_ms): (&K, &i64)| {
            (self.asked.get(key).map_or(Timestamp::default(), |at| at.plus_ms(*every_ms)), *key)
        };
        let Some((due, key)) = every.iter().map(due).min() else { return Turn::Nothing };
        let wait_ms = due.max(self.last.plus_ms(PACE_MS)).since_ms(now);
        if wait_ms > 0 {
            return Turn::Wait(Duration::from_millis(wait_ms.min(TURN_MS).unsigned_abs()));
        }
        self.asked.insert(key, now);
        self.last = now;
        Turn::Ask(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_deaf_for_a_minute_is_told_once_and_so_is_that_it_hears_again() {
        let at = |seconds: i64| Timestamp::from_ms(1_795_252_440_000 + seconds * 1_000);
        let mut hearing = Hearing::new("phone", "acknowledgements");
        let is_over = |news: Option<Event>| matches!(news, Some(Event::SelfCheck { trouble: None, .. }));
        assert!(is_over(hearing.heard()), "a trouble from before the start is over");
        assert!(hearing.heard().is_none());
        for seconds in [0, 30, 59] {
            assert!(hearing.failed("refused", at(seconds)).is_none());
        }
        let Some(Event::SelfCheck { what, trouble: Some((Severity::Warning, text)) }) =
            hearing.failed("refused", at(60))
        else {
            panic!("a minute has passed")
        };
        assert_eq!(what, "answers/phone");
        let expected = "acknowledgements at receiver phone are not heard since 2026-11-21T09:14:00.000Z: refused";
        assert_eq!(text, expected);
        assert!(hearing.failed("refused", at(120)).is_none(), "told once");
        assert_eq!(hearing.failures, 5);
        assert!(is_over(hearing.heard()));
        assert_eq!(hearing.failures, 0);
        assert!(hearing.failed("refused", at(200)).is_none(), "counted anew");
    }

    #[test]
    fn each_thing_is_asked_about_in_its_time_and_all_at_one_pace_new_ones_first() {
        let at = |ms: i64| Timestamp::from_ms(1_795_252_440_000 + ms);
        let mut rounds = Rounds::default();
        assert_eq!(rounds.next(&BTreeMap::new(), at(0)), Turn::Nothing);
        let mut every = BTreeMap::from([(1, 300), (2, 300)]);
        assert_eq!(rounds.next(&every, at(0)), Turn::Ask(1));
        let wait = |ms| Turn::Wait(Duration::from_millis(ms));
        assert_eq!(rounds.next(&every, at(4)), wait(6));
        assert_eq!(rounds.next(&every, at(10)), Turn::Ask(2));
        assert_eq!(rounds.next(&every, at(20)), wait(280));
        every.insert(3, 5_000);
        assert_eq!(rounds.next(&every, at(290)), Turn::Ask(3), "a new one");
        assert_eq!(rounds.next(&every, at(300)), Turn::Ask(1));
        every.remove(&2);
        assert_eq!(rounds.next(&every, at(310)), wait(290));
        every.insert(2, 300);
        assert_eq!(rounds.next(&every, at(311)), Turn::Ask(2), "gone and back is new");
        every = BTreeMap::from([(3, 5_000)]);
        assert_eq!(rounds.next(&every, at(400)), wait(1_000), "looked again, whatever the clock does");
    }
}
