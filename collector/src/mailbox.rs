//! The engine's letter box: how edges tell it things and ask it for changes.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{mpsc, oneshot};

use crate::domain::event::{Answer, Command, Event, Principal, ReplyId};

/// Events waiting for the engine; when full, senders wait (the wire's flow control then reaches the agents).
pub const EVENTS_QUEUED: usize = 16_384;

/// A handle to the engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Mailbox {
    events: mpsc::Sender<Event>,
    waiting: Arc<Mutex<HashMap<ReplyId, oneshot::Sender<Answer>>>>,
    next_reply: Arc<AtomicU64>,
}

/// The engine is gone: the collector is shutting down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the collector is shutting down")]
pub struct Closed;

impl Mailbox {
    /// The mailbox and the end that the engine reads.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(EVENTS_QUEUED);
        (Self { events, waiting: Arc::default(), next_reply: Arc::default() }, receiver)
    }

    /// Hands over an event; waits while the engine is behind.
    ///
    /// # Errors
    /// [`Closed`] when the engine has ended.
    pub async fn send(&self, event: Event) -> Result<(), Closed> {
        self.events.send(event).await.map_err(|_| Closed)
    }

    /// Gives a command and waits until it is done and durable, or refused.
    ///
    /// # Errors
    /// [`Closed`] when the engine has ended.
    pub async fn command(&self, by: Principal, command: Command) -> Result<Answer, Closed> {
        let reply = ReplyId(self.next_reply.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(reply, sender);
        if let Err(closed) = self.send(Event::Operator { by, command, reply }).await {
            self.answer_nobody();
            return Err(closed);
        }
        receiver.await.map_err(|_| Closed)
    }

    /// The engine has ended: whoever still waits is told so.
    pub fn answer_nobody(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Delivers the engine's answer to whoever waits for it.
    pub fn answer(&self, reply: ReplyId, answer: Answer) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&reply);
        if let Some(sender) = waiting {
            // The asker may have gone away; the command is done all the same.
            let _ = sender.send(answer);
        }
    }
}
