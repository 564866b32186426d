//! What a host's readings are: what their numbers mean, and what their sources say of themselves.

pub mod dictionary;
pub mod source;
