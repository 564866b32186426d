//! Rows that come and go all day, such as a plugged keyboard or a container's interface: one of those is gone only when it
//! was away at two looks and for an hour. Until then it is held and nothing is said.

use super::{Status, field};
use crate::domain::time::Timestamp;

/// Looks at which such a row must have been away.
const LOOKS: u32 = 2;
/// For so long, in milliseconds.
pub const AWAY_MS: i64 = 3_600_000;
/// A host tells of a section only what differs. When it says nothing for so long while it is heard, in milliseconds, it
/// has looked often enough: its agent looks each hour.
pub const QUIET_MS: i64 = 2 * 3_600_000 + 600_000;

/// Sections whose rows people plug, and whom a host has met, which its kernel forgets and meets again.
const PLUGGED: [&str; 7] = ["usb", "usb_devices", "monitors", "printers", "batteries", "bluetooth", "neighbours"];
/// How interfaces begin that programs make and drop (systemd.net-naming-scheme(7) has no such prefixes for hardware).
const MADE: [&str; 12] =
    ["veth", "tun", "tap", "wg", "ppp", "vnet", "cali", "docker", "br-", "vxlan", "tailscale", "zt"];
/// Kinds of interfaces that programs make and drop.
const MADE_KINDS: [&str; 8] = ["veth", "tun", "tap", "wireguard", "ppp", "vxlan", "ipvlan", "macvlan"];
/// Places below which things are mounted for a while.
const PASSING: [&str; 2] = ["/run/", "/media/"];

/// Since when a row is not told any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Away {
    /// Since when.
    pub since: Timestamp,
    /// Looks that saw all of the section and not this row.
    pub looks: u32,
}

/// Whether a row may be away for a while.
#[must_use]
pub fn comes_and_goes(section: &str, key: &str, durable: &[(String, String)]) -> bool {
    match section {
        "interfaces" => {
            let name = field(durable, "name").unwrap_or(key);
            let kind = field(durable, "kind").or_else(|| field(durable, "type")).unwrap_or_default();
            MADE.iter().any(|prefix| name.starts_with(prefix)) || MADE_KINDS.contains(&kind)
        }
        "mounts" | "file_systems" | "filesystems" | "volumes" => {
            let places = ["mount_point", "mountpoint", "mounted_on", "path"];
            let place = places.iter().find_map(|name| field(durable, name)).unwrap_or(key);
            PASSING.iter().any(|below| place.starts_with(below))
        }
        _ => PLUGGED.contains(&section),
    }
}

/// What becomes of a row that a look did not see, which was away before or not. None: it is gone.
#[must_use]
pub fn not_seen(before: Option<Away>, status: Status, may_be_away: bool, at: Timestamp) -> Option<Away> {
    if !status.tells_all() {
        return Some(before.unwrap_or(Away { since: at, looks: 0 }));
    }
    if !may_be_away {
        return None;
    }
    // A look that could not see everything does not count, and neither does the time before.
    let before = before.filter(|away| away.looks > 0).unwrap_or(Away { since: at, looks: 0 });
    let away = Away { looks: before.looks + 1, ..before };
    let is_gone = away.looks >= LOOKS && at.since_ms(away.since) >= AWAY_MS;
    (!is_gone).then_some(away)
}

/// Whether a row that was away when the host last told of its section is gone by now. Ask only of hosts that are heard.
#[must_use]
pub fn is_gone_by(away: Away, now: Timestamp) -> bool {
    away.looks > 0 && now.since_ms(away.since) >= QUIET_MS
}
