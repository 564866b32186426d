//! `Hello`: who is there, and what it did while nobody listened.

use std::net::IpAddr;

use muster_proto::v1;

use super::Uplink;
use crate::alive::AliveLog;
use crate::clock::Moment;
use crate::host::Host;
use crate::platform::Socket;
use crate::report;
use crate::withheld::{Family, Withheld};

/// A `Hello` whose clocks are read when there is somebody to hear it. Dialling takes seconds where packets are lost, and
/// the collector lays all that this machine tells of its past beside the moment at which it hears this.
pub(super) struct Hello {
    words: v1::Hello,
    lives: AliveLog,
    boot_id: [u8; 16],
    now: fn() -> Moment,
    withheld: Withheld,
}

impl Hello {
    /// As it is said now, on this connection.
    pub(super) fn said(self, socket: &Socket) -> v1::Hello {
        let Self { words, mut lives, boot_id, now, withheld } = self;
        let clock = |at: Moment| Some(v1::Clock { wall_ms: at.wall_ms, boottime_ms: at.boottime_ms });
        let now = now();
        // It lives now, too; in the file that stands with the next entry.
        lives.reach(boot_id, now);
        let alive = lives.spans().map(|span| v1::AliveSpan {
            boot_id: span.boot_id.to_vec(),
            from: clock(span.from),
            to: clock(span.to),
            end: span.end as u32,
            resumed: span.resumed,
        });
        let own_address = if withheld.holds(Family::Addresses) { Vec::new() } else { own_address(socket) };
        v1::Hello { clock: clock(now), alive: alive.collect(), own_address, ..words }
    }
}

/// What this end of a connection is called here. Where the collector hears another address, a proxy or a translation is between, and
/// what answers there is not this machine.
fn own_address(socket: &Socket) -> Vec<u8> {
    let own = socket2::SockRef::from(socket).local_addr().ok().and_then(|address| address.as_socket());
    match own.map(|own| own.ip().to_canonical()) {
        Some(IpAddr::V4(own)) => own.octets().to_vec(),
        Some(IpAddr::V6(own)) => own.octets().to_vec(),
        None => Vec::new(),
    }
}

/// What this machine says of itself before anything else, as an agent that has just been installed would say it now.
#[must_use]
pub fn introduction(host: &Host, labels: &[(String, String)], now: Moment) -> v1::Hello {
    let clock = v1::Clock { wall_ms: now.wall_ms, boottime_ms: now.boottime_ms };
    v1::Hello { clock: Some(clock), ..of_machine(host, labels, report::fingerprint(host)) }
}

fn of_machine(host: &Host, labels: &[(String, String)], fingerprint: v1::Fingerprint) -> v1::Hello {
    v1::Hello {
        protocol: muster_proto::PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        boot_id: host.boot_id().to_vec(),
        fingerprint: Some(fingerprint),
        facts: Some(report::host_facts(host, labels)),
        ..v1::Hello::default()
    }
}

impl Uplink {
    pub(super) fn hello(&self) -> Hello {
        let spool = &self.parts.spool;
        let boot_id = self.parts.host.boot_id();
        let words = v1::Hello {
            starts: self.memory.starts,
            generation: self.memory.generation,
            epoch: spool.epoch().to_vec(),
            first_kept: spool.first_kept(),
            last_record: spool.last(),
            inventory_hash: self.telling.hash(),
            settings_version: self.memory.settings_version,
            dictionary_hash: self.described.as_ref().map_or_else(Vec::new, |said| said.dictionary_hash().to_vec()),
            ..of_machine(&self.parts.host, &self.parts.labels, self.fingerprint.clone())
        };
        let withheld = self.parts.host.withheld();
        Hello { words, lives: self.alive.clone(), boot_id, now: self.parts.now, withheld }
    }
}
