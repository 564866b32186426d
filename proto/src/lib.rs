//! The wire contract between agent and collector: messages and services generated from `muster/v1/muster.proto`.
//!
//! No logic lives here. Only the agent's `report.rs` and the collector's `ingest/decode.rs` know what is inside the
//! messages; `uplink.rs`, `identity.rs` and `ingest/` name the services and the two envelopes.

pub mod codec;

/// `muster.v1`, as generated.
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated; the .proto file documents it"
)]
pub mod v1 {
    tonic::include_proto!("muster.v1");
}

/// The wire protocol's number, sent in `Hello`. The collector refuses what it cannot read, naming this number.
pub const PROTOCOL: u32 = 1;
