//! Whether one receiver takes pages, and when the engine hears that this has changed. Pure: no clock, no IO.

use std::time::Duration;

use crate::domain::{event::Event, severity::Severity, time::Timestamp};

/// A receiver that has failed for this long is a problem of its own; shorter failures end by themselves.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the engine was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing since the start; the record may still hold a trouble from before.
    Nothing,
    Trouble,
    Fine,
}

/// How the latest tries went.
#[derive(Debug, Default)]
enum State {
    /// Nothing was tried since the start.
    #[default]
    Unknown,
    /// The latest page was taken.
    Taking,
    /// None was taken since then.
    Failing { since: Timestamp, error: String, given_up: bool },
}

/// How one receiver does.
#[derive(Debug)]
pub(super) struct Standing {
    receiver: String,
    state: State,
    told: Told,
}

impl Standing {
    pub(super) fn new(receiver: String) -> Self {
        Self { receiver, state: State::default(), told: Told::Nothing }
    }

    /// A page was taken.
    pub(super) fn accepted(&mut self) {
        self.state = State::Taking;
    }

    /// A page was not taken and is tried again.
    pub(super) fn failed(&mut self, error: &str, now: Timestamp) {
        let (since, given_up) = match self.state {
            State::Failing { since, given_up, .. } => (since, given_up),
            State::Unknown | State::Taking => (now, false),
        };
        self.state = State::Failing { since, error: error.to_owned(), given_up };
    }

    /// A page was not taken and never will be.
    pub(super) fn gave_up(&mut self, error: &str, now: Timestamp) {
        self.failed(error, now);
        if let State::Failing { given_up, .. } = &mut self.state {
            *given_up = true;
        }
    }

    /// When [`Standing::news`] has a trouble, if only time has to pass.
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Failing { since, given_up, .. } if self.told != Told::Trouble => {
                Some(if given_up { since } else { since.plus_ms(PATIENCE.as_millis() as i64) })
            }
            _ => None,
        }
    }

    /// What the engine is to be told now, once per change; `waiting` pages wait for this receiver.
    pub(super) fn news(&mut self, waiting: usize, now: Timestamp) -> Option<Event> {
        let receiver = &self.receiver;
        let trouble = match &self.state {
            State::Taking if self.told != Told::Fine => None,
            State::Failing { since, error, .. } if self.due().is_some_and(|due| due <= now) => {
                let text = format!("receiver {receiver} does not take pages since {since}: {error}; {waiting} wait");
                Some((Severity::Warning, text))
            }
            _ => return None,
        };
        self.told = if trouble.is_some() { Told::Trouble } else { Told::Fine };
        Some(event(receiver, trouble))
    }
}

/// Says that `receiver` is in no trouble.
pub(super) fn over(receiver: &str) -> Event {
    event(receiver, None)
}

fn event(receiver: &str, trouble: Option<(Severity, String)>) -> Event {
    Event::SelfCheck { what: format!("delivery/{receiver}"), trouble }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(1_795_252_440_000 + seconds * 1_000)
    }

    fn text(event: Option<Event>) -> Option<String> {
        match event? {
            Event::SelfCheck { trouble, .. } => Some(trouble.map_or_else(String::new, |(_, text)| text)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_failure_is_told_after_a_minute_with_its_beginning_and_its_latest_error_and_once() {
        let mut standing = Standing::new("hook".into());
        standing.failed("it answered 404", at(0));
        standing.failed("it answered 503", at(30));
        assert_eq!((standing.due(), text(standing.news(1, at(59)))), (Some(at(60)), None));
        let told = text(standing.news(2, at(60))).unwrap();
        assert_eq!(told, "receiver hook does not take pages since 2026-11-21T09:14:00.000Z: it answered 503; 2 wait");
        standing.gave_up("given up after 24 h", at(86_400));
        assert_eq!((standing.due(), text(standing.news(2, at(86_400)))), (None, None));
        standing.accepted();
        assert_eq!(text(standing.news(0, at(90_000))), Some(String::new()));
        assert_eq!(text(standing.news(0, at(90_000))), None);
    }

    #[test]
    fn a_failure_that_ends_within_a_minute_is_not_told() {
        let mut standing = Standing::new("hook".into());
        standing.accepted();
        assert_eq!(text(standing.news(0, at(0))), Some(String::new()));
        standing.failed("it answered 404", at(1));
        assert_eq!(text(standing.news(1, at(60))), None);
        standing.accepted();
        assert_eq!((standing.due(), text(standing.news(0, at(3_600)))), (None, None));
    }

    #[test]
    fn a_page_that_is_given_up_is_told_at_once() {
        let mut standing = Standing::new("hook".into());
        standing.gave_up("it answered 422", at(5));
        assert!(text(standing.news(0, at(5))).unwrap().contains("it answered 422; 0 wait"));
    }
}
