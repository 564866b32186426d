//! Telling people: the outbox and the receivers. (to come)
pub mod receiver;
