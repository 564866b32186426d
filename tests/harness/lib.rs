//! What the stories stand on: the two programs as processes, and the real servers that they talk to.
//!
//! A test starts everything it needs, on ports and in directories of its own, and everything is killed when it is
//! dropped. [`wait::eventually`] and [`wait::never`] are the only sleepers. A program that is not installed fails the
//! test with the remedy; `tests/run` leaves such tests out and says so.

pub mod agent;
pub mod balancer;
pub mod browser;
pub mod collector;
pub mod container;
pub mod faketime;
pub mod http;
pub mod machine;
#[path = "../src/measure/mod.rs"]
pub mod measure;
pub mod network;
pub mod ntfy;
pub mod path;
pub mod power;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod servers;
pub mod service;
pub mod siege;
pub mod smtp;
pub mod visitor;
pub mod wait;
pub mod webhook;
pub mod wire;

pub use agent::Agent;
pub use collector::Collector;
pub use machine::Machine;
pub use service::Service;
pub use wait::{eventually, never};
pub use webhook::Webhook;
