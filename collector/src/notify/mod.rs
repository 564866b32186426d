//! Telling people. Messengers (webhook, mail) drain the outbox, which never forgets; mirrors (Alertmanager) are sent the
//! open and recently closed incidents at each change and each minute, with nothing queued.
//!
//! A page reaches this room only after it is durable, and arrives complete: nothing here asks the engine anything. How
//! each try went goes back to the engine as an event.

pub mod alertmanager;
mod client;
// For `tests/long fuzz`.
#[doc(hidden)]
pub use client::retry_after_from;
pub mod email;
pub mod guard;
pub mod metrics;
pub mod outbox;
mod queue;
pub mod receiver;
pub mod secret;
mod trouble;
pub mod webhook;
