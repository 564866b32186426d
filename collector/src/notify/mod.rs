//! Telling people. Messengers (webhook, mail, chat, telephone, ...) drain the outbox, which never forgets; mirrors
//! (Alertmanager) are sent the open and recently closed incidents at each change and each minute, with nothing queued.
//!
//! A page reaches this room only after it is durable, and arrives complete: nothing here asks the engine anything. How
//! each try went goes back to the engine as an event.

pub mod alertmanager;
pub mod alertmanager_webhook;
mod client;
// For `tests/long fuzz`.
#[doc(hidden)]
pub use client::retry_after_from;
pub mod email;
pub mod folder;
pub mod guard;
mod hearing;
pub mod letter;
pub mod metrics;
pub mod ntfy;
mod ntfy_replies;
pub mod outbox;
pub mod pagerduty;
pub mod pagerduty_answers;
mod queue;
pub mod receiver;
pub mod script;
pub mod secret;
#[cfg(test)]
mod sink;
pub mod slack;
pub mod teams;
pub mod template;
mod text;
mod told;
mod trouble;
pub mod twilio;
mod twilio_receipts;
pub mod watchdog;
pub mod webhook;
