//! The collector: decides what the reports of a fleet mean.
//!
//! Reading order: [`domain`] is the glossary and every decision, without IO or clock; [`ingest`] is the door for agents,
//! [`identity`] says who may come in; [`store`] remembers; [`notify`] tells people; [`exposition`] tells Prometheus;
//! [`web`] shows and takes commands; [`cli`] is what an operator types; [`app`] wires them.
//!
//! Imports run `main -> app -> edges -> domain`; the edges do not know each other. Only `ingest/decode.rs` knows what is
//! inside the wire's messages. Nothing in `domain` reads a clock, a file or a socket.

pub mod app;
pub mod bell;
pub mod board;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod exposition;
pub mod identity;
pub mod ingest;
pub mod links;
pub mod mailbox;
pub mod notify;
pub mod stock;
pub mod store;
pub mod telemetry;
pub mod web;
pub mod workbook;
