//! Who is connected: one live session per host, and the lines by which others reach it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, oneshot};

use crate::domain::{
    event::{CloseReason, Ending},
    ids::{HostNo, SessionId},
    time::Timestamp,
};

/// Orders waiting on one session's line; when full the order is dropped and its giver told (ends have as many again).
pub const ORDERS_WAITING: usize = 16;

/// What a session can be told to do.
#[derive(Debug)]
pub(crate) enum ToAgent {
    /// Give it its settings, if they are others than it was given.
    Settings,
    /// Ask the agent whether it is there; its next message answers.
    AreYouThere(oneshot::Sender<()>),
    /// Ask the agent to move to a new stream within this long.
    Drain(u32),
    /// End the stream.
    Close(CloseReason),
    /// The collector stops.
    Stop,
}

/// The line to one session.
#[derive(Debug, Default)]
pub(crate) struct Line {
    orders: Mutex<VecDeque<ToAgent>>,
    wake: Notify,
}

impl Line {
    /// Gives an order. False when the line is full.
    pub(crate) fn give(&self, order: ToAgent) -> bool {
        let mut orders = locked(&self.orders);
        let ends = matches!(order, ToAgent::Close(_) | ToAgent::Stop);
        let fits = orders.len() < if ends { 2 * ORDERS_WAITING } else { ORDERS_WAITING };
        if fits {
            orders.push_back(order);
            self.wake.notify_one();
        }
        fits
    }

    /// The next order. Safe to drop while it waits.
    pub(crate) async fn next(&self) -> ToAgent {
        loop {
            if let Some(order) = locked(&self.orders).pop_front() {
                return order;
            }
            self.wake.notified().await;
        }
    }
}

/// A live session as others see it.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) session: SessionId,
    pub(crate) boot_id: [u8; 16],
    pub(crate) line: Arc<Line>,
}

#[derive(Debug, Default)]
struct Seats {
    by_host: HashMap<HostNo, Seat>,
    hosts: HashMap<SessionId, HostNo>,
    /// Takeovers by one boot id: since when, how many. One entry a host that ever had one.
    fights: HashMap<HostNo, (Timestamp, u32)>,
}

/// So many takeovers of a live seat by the same boot id within [`FIGHT_WITHIN_MS`] are a move, a restart, a bad network.
const TAKEOVERS: u32 = 5;
/// See [`TAKEOVERS`], in milliseconds.
const FIGHT_WITHIN_MS: i64 = 60_000;

/// All live sessions. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    seats: Arc<Mutex<Seats>>,
}

impl Sessions {
    /// How many agents are connected.
    #[must_use]
    pub fn len(&self) -> usize {
        locked(&self.seats).by_host.len()
    }

    /// Whether nobody is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends a session (`Effect::Close`). False when it is not there any more.
    pub fn close(&self, session: SessionId, reason: CloseReason) -> bool {
        self.order(session, ToAgent::Close(reason))
    }

    /// Ends a host's session, if it has one: a revoked host is off within a moment.
    pub fn close_host(&self, host: HostNo, reason: CloseReason) -> bool {
        let seat = locked(&self.seats).by_host.get(&host).cloned();
        seat.is_some_and(|seat| seat.line.give(ToAgent::Close(reason)))
    }

    /// Has a host's settings given to its agent and to our end of its connection (`Effect::Settings`).
    pub fn push_settings(&self, session: SessionId) -> bool {
        self.order(session, ToAgent::Settings)
    }

    /// Asks all agents to open a new stream within this many milliseconds and to close the one they have.
    pub fn drain_all(&self, within_ms: u32) {
        self.all(|| ToAgent::Drain(within_ms));
    }

    /// Ends all streams because the collector stops.
    pub(crate) fn stop_all(&self) {
        self.all(|| ToAgent::Stop);
    }

    fn all(&self, order: impl Fn() -> ToAgent) {
        let seats: Vec<Seat> = locked(&self.seats).by_host.values().cloned().collect();
        for seat in seats {
            seat.line.give(order());
        }
    }

    fn order(&self, session: SessionId, order: ToAgent) -> bool {
        let seats = locked(&self.seats);
        let seat = seats.hosts.get(&session).and_then(|host| seats.by_host.get(host)).cloned();
        drop(seats);
        seat.is_some_and(|seat| seat.session == session && seat.line.give(order))
    }

    /// Whether machines with one boot id (copies on one kernel: containers, a copied state directory) fight for a seat.
    /// One takeover is a restart or a move; several within a minute are two that throw each other out.
    pub(crate) fn contested(&self, host: HostNo, seat: &Seat, now: Timestamp) -> bool {
        let mut seats = locked(&self.seats);
        if seats.by_host.get(&host).is_none_or(|present| present.boot_id != seat.boot_id) {
            return false;
        }
        let fight = seats.fights.entry(host).or_insert((now, 0));
        if now.since_ms(fight.0) > FIGHT_WITHIN_MS {
            *fight = (now, 0);
        }
        fight.1 += 1;
        fight.1 > TAKEOVERS
    }

    /// Whose seat this host's is, unless it is free or held by `instead_of`: then it is taken. The one that loses its
    /// seat is told to end.
    pub(crate) fn sit(&self, host: HostNo, seat: Seat, instead_of: Option<SessionId>) -> Result<(), Seat> {
        let mut seats = locked(&self.seats);
        if let Some(present) = seats.by_host.get(&host) {
            if present.boot_id != seat.boot_id && Some(present.session) != instead_of {
                return Err(present.clone());
            }
            // A full line still takes this order.
            present.line.give(ToAgent::Close(CloseReason::Superseded));
            let gone = present.session;
            seats.hosts.remove(&gone);
        }
        seats.hosts.insert(seat.session, host);
        seats.by_host.insert(host, seat);
        Ok(())
    }

    /// Frees the seat, if this session still has it.
    pub(crate) fn leave(&self, host: HostNo, session: SessionId) {
        let mut seats = locked(&self.seats);
        seats.hosts.remove(&session);
        if seats.by_host.get(&host).is_some_and(|seat| seat.session == session) {
            seats.by_host.remove(&host);
        }
    }
}

/// A session's last word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Departure {
    pub(crate) host: HostNo,
    pub(crate) session: SessionId,
    pub(crate) how: Ending,
    pub(crate) proof: Timestamp,
}

/// Last words on their way to the engine. A session is often dropped rather than finished (its connection died), and
/// then cannot wait; at most one entry per session, so their number is bounded by that of the sessions.
#[derive(Debug, Default)]
pub(crate) struct Departures {
    waiting: Mutex<Vec<Departure>>,
    wake: Notify,
}

impl Departures {
    /// Leaves the last word.
    pub(crate) fn leave(&self, departure: Departure) {
        locked(&self.waiting).push(departure);
        self.wake.notify_one();
    }

    /// What is there now.
    pub(crate) fn take(&self) -> Vec<Departure> {
        std::mem::take(&mut *locked(&self.waiting))
    }

    /// Waits until there may be something.
    pub(crate) async fn wait(&self) {
        self.wake.notified().await;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(session: i64, boot: u8) -> Seat {
        Seat { session: SessionId(session), boot_id: [boot; 16], line: Arc::default() }
    }

    #[tokio::test]
    async fn the_same_machine_takes_its_seat_over_at_once() {
        let (sessions, old, host) = (Sessions::default(), seat(1, 7), HostNo(1));
        sessions.sit(host, old.clone(), None).unwrap();
        sessions.sit(host, seat(2, 7), None).unwrap();
        assert!(matches!(old.line.next().await, ToAgent::Close(CloseReason::Superseded)));
        sessions.leave(host, SessionId(1));
        assert_eq!(sessions.len(), 1, "the old one frees nothing but itself");
        assert!(!sessions.close(SessionId(1), CloseReason::NotAdmitted));
        assert!(sessions.close(SessionId(2), CloseReason::NotAdmitted));
    }

    #[test]
    fn another_machine_gets_the_seat_only_from_the_one_it_asked() {
        let (sessions, host) = (Sessions::default(), HostNo(1));
        sessions.sit(host, seat(1, 7), None).unwrap();
        assert_eq!(sessions.sit(host, seat(2, 8), None).unwrap_err().session, SessionId(1));
        assert!(sessions.sit(host, seat(2, 8), Some(SessionId(9))).is_err());
        assert!(sessions.sit(host, seat(2, 8), Some(SessionId(1))).is_ok());
        sessions.leave(host, SessionId(2));
        assert!(sessions.is_empty());
    }

    #[test]
    fn a_line_is_bounded_but_always_takes_the_end() {
        let line = Line::default();
        let given = (0..40).filter(|_| line.give(ToAgent::Drain(1))).count();
        assert_eq!(given, ORDERS_WAITING);
        assert!(line.give(ToAgent::Close(CloseReason::NotAdmitted)));
    }

    #[test]
    fn one_boot_id_that_takes_its_seat_again_and_again_is_two_machines() {
        let sessions = Sessions::default();
        let seat = |n| Seat { session: SessionId(n), boot_id: [7; 16], line: Arc::default() };
        let at = |ms| Timestamp::from_ms(ms);
        assert!(!sessions.contested(HostNo(1), &seat(1), at(0)), "a free seat is nobody's");
        sessions.sit(HostNo(1), seat(1), None).unwrap();
        for n in 1..=5 {
            assert!(!sessions.contested(HostNo(1), &seat(1 + n), at(n)), "{n}");
        }
        assert!(sessions.contested(HostNo(1), &seat(9), at(60_000)));
        assert!(!sessions.contested(HostNo(1), &seat(10), at(60_002)), "a minute later it begins anew");
    }
}
