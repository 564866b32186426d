//! A machine that moves to another network: a connection from an address that is gone is given up at once, and the wait before
//! the next try is cut short.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::Uplink;
use super::backoff::{Backoff, Ending};
use crate::host::{Changes, Host};
use crate::identity::random_ratio;

/// However often links come and go, it is looked once in so long.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// An address is followed by its routes.
const SETTLE: Duration = Duration::from_millis(300);

/// Where this machine is reached, as far as it decides whether a collector can be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Place {
    /// All addresses but those of loopback, of links and of privacy, sorted.
    addresses: Vec<IpAddr>,
    /// From where it speaks to the world.
    speaks_from: [Option<IpAddr>; 2],
}

impl Place {
    /// `None` where it cannot be told.
    fn look(host: &Host) -> Option<Self> {
        let all = host.addresses().ok()?;
        let lasting = all.iter().filter(|one| !one.temporary && !is_of_a_link(one.address));
        let mut addresses: Vec<IpAddr> = lasting.map(|one| one.address).collect();
        addresses.sort();
        Some(Self { addresses, speaks_from: host.speaks_from() })
    }
}

/// Each virtual interface has one of these, and comes and goes.
fn is_of_a_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    }
}

/// What is known of the network.
#[derive(Debug, Default)]
pub(super) struct Moving {
    changes: Changes,
    place: Option<Place>,
    looked: Option<Instant>,
    look_at: Option<Instant>,
}

impl Moving {
    /// Listens from now on. Needs a runtime.
    pub(super) fn listening(host: &Host) -> Self {
        Self { changes: host.network_changes(), place: Place::look(host), ..Self::default() }
    }

    /// Waits until it has to be looked what has changed. While it waits for that, nothing that changes wakes anybody.
    pub(super) async fn due(&mut self) {
        let at = match self.look_at {
            Some(at) => at,
            None => {
                self.changes.next().await;
                *self.look_at.insert(next_look(Instant::now(), self.looked))
            }
        };
        tokio::time::sleep_until(at).await;
    }

    /// As if the machine had been elsewhere before.
    #[cfg(test)]
    pub(super) fn forget_place(&mut self) {
        let elsewhere = IpAddr::from([192, 0, 2, 77]);
        self.place = Some(Place { addresses: vec![elsewhere], speaks_from: [None; 2] });
    }

    /// Whether the place is another one than when it was looked last.
    fn look(&mut self, host: &Host) -> bool {
        (self.looked, self.look_at) = (Some(Instant::now()), None);
        let place = Place::look(host);
        let moved = place.is_some() && place != self.place;
        self.place = place.or(self.place.take());
        moved
    }
}

/// When it is looked after a change.
fn next_look(now: Instant, looked: Option<Instant>) -> Instant {
    let soon = now + SETTLE;
    looked.map_or(soon, |looked| soon.max(looked + LOOK_EVERY))
}

impl Uplink {
    /// Links, addresses or routes have changed.
    pub(super) fn network_changed(&mut self) {
        let moved = self.moving.look(&self.parts.host);
        let from = self.session.as_ref().and_then(|session| {
            let local = socket2::SockRef::from(&session.socket).local_addr().ok()?.as_socket()?.ip();
            Some(local.to_canonical())
        });
        match from {
            Some(from) if !from.is_loopback() && self.has_lost(from) => {
                tracing::info!(%from, "the address of the connection is gone: it is given up and a new one tried");
                self.end_session(Ending::Vanished);
                self.hurry();
            }
            None if moved => self.hurry(),
            _ => {}
        }
    }

    /// Whether no interface has the address any more; privacy addresses are looked at, too.
    fn has_lost(&self, address: IpAddr) -> bool {
        self.parts.host.addresses().is_ok_and(|all| all.iter().all(|one| one.address != address))
    }

    /// Whatever kept the collector from being reached may be over: no wait, and what was dialled before is dialled anew. A collector
    /// that does not want this host is left its time.
    pub(super) fn hurry(&mut self) {
        if self.session.is_some() || self.backoff.is_refused() {
            return;
        }
        self.backoff.forgive();
        (self.opening, self.narrow) = (None, false);
        self.open_at = Some(Instant::now() + Backoff::first(random_ratio()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_due_until_something_changes_and_then_at_its_time() {
        let (mut moving, moment) = (Moving::default(), Duration::from_millis(50));
        assert!(tokio::time::timeout(moment, moving.due()).await.is_err());
        let at = Instant::now() + moment;
        moving.look_at = Some(at);
        moving.due().await;
        assert!(Instant::now() >= at);
    }

    #[test]
    fn it_is_looked_a_moment_after_a_change_and_once_in_five_seconds() {
        let (now, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(next_look(now, None), now + Duration::from_millis(300));
        assert_eq!(next_look(now, Some(now - second)), now + 4 * second);
        assert_eq!(next_look(now, Some(now - 60 * second)), now + Duration::from_millis(300));
    }

    #[test]
    fn addresses_of_loopback_and_of_links_tell_no_place() {
        for address in ["127.0.0.1", "::1", "fe80::1"] {
            assert!(is_of_a_link(address.parse().unwrap()), "{address}");
        }
        for address in ["10.0.0.1", "169.254.1.1", "2001:db8::1", "fd00::1"] {
            assert!(!is_of_a_link(address.parse().unwrap()), "{address}");
        }
    }
}
