//! The stories of the product, one per promise, told with the programs as processes.
//!
//! `tests/run` builds the programs, leaves out the modules whose servers or rights are missing here and says so; run by
//! hand (`cargo test --workspace --test e2e`, after `deploy/build --dev`) a missing one fails with the remedy.

mod agent;
mod alertmanager;
mod alerts;
mod answers;
mod backup;
mod bad_input;
mod balancer;
mod bill_of_materials;
mod browser;
mod burn;
mod calendar;
mod captured;
mod checks;
mod crowd;
mod cut;
mod declared;
mod delivery;
mod deploy;
mod devices;
mod disk;
mod evidence;
mod exporter;
mod exposition;
mod forwarded;
mod grafana;
mod hardware;
mod hardware_faces;
mod hardware_findings;
mod heartbeats;
mod help;
mod hostile;
mod icmp;
mod identities;
mod installing;
mod inventory;
mod inventory_agent;
mod inventory_corpora;
mod inventory_smbios;
mod labels;
mod ledger;
mod liveness;
mod mail;
mod maintenance;
mod migration;
mod mount;
mod node_exporter;
mod on_call;
mod oom;
mod os_support;
mod packages;
mod parity;
mod paths;
mod power;
mod prometheus;
mod promised;
mod proxy;
mod quickstart;
mod receivers;
mod recorded;
mod redundancy;
mod report_delivery;
mod restart;
mod retention;
mod roaming;
mod roll_out;
mod rota;
mod rules;
mod scope;
mod service_level_report;
mod services;
mod settings;
mod shared;
mod showing;
mod sla;
mod sla_services;
mod trends;
mod upgrade;
mod verify;
mod watchdog;
mod wrong_clock;

use std::time::Duration;

/// Whole seconds.
const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
