//! PURE. Who is at the door: handshakes under way and connections without certificate, how many, from where, since when.
//!
//! Whoever begins a handshake and does not go on with it takes a place from others. Where no place is left, the oldest of the
//! address that has more than the newcomer's is given up, else whoever has been slow.

use std::{collections::HashMap, net::IpAddr};

use super::limits::{Rate, neighbourhood};
use crate::domain::time::Timestamp;

/// A handshake that is not over by then, in milliseconds, gives its place up to a newcomer: even where a round trip takes two
/// seconds it is over sooner.
const SLOW_MS: i64 = 3_000;

/// How many connections may be in which stage; the numbers can be injected by tests.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Handshakes under way in all.
    pub pending: usize,
    /// Handshakes under way from one address.
    pub pending_per_address: usize,
    /// Connections without a client certificate from one address.
    pub anonymous_per_address: usize,
    /// Both of the above for the machine itself.
    pub loopback: usize,
    /// Handshakes begun per second.
    pub handshakes_per_second: i64,
}

impl ConnectionLimits {
    /// The shipped numbers, for this many cores: a handshake costs 0.7 ms of a core (measured), so 500/s leave a share
    /// for those that are already in.
    #[must_use]
    pub fn for_cores(cores: usize) -> Self {
        Self {
            pending: 200,
            pending_per_address: 50,
            anonymous_per_address: 10,
            loopback: 1_000,
            handshakes_per_second: 500 * i64::try_from(cores.max(1)).unwrap_or(1),
        }
    }
}

/// One handshake that may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(u64);

/// A newcomer may begin its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// Its own place, until [`AtTheDoor::handshake_ended`].
    pub place: Place,
    /// Whose place it was: that handshake is to be cut. It has ended here already.
    pub instead_of: Option<Place>,
}

/// Who is at the door: pending handshakes and connections without certificate.
#[derive(Debug)]
pub struct AtTheDoor {
    limits: ConnectionLimits,
    rate: Rate,
    given: u64,
    /// Oldest first; at most [`ConnectionLimits::pending`].
    pending: Vec<Pending>,
    anonymous: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Pending {
    place: Place,
    address: IpAddr,
    since: Timestamp,
}

impl AtTheDoor {
    /// Nobody yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Self {
        let rate = Rate::new(limits.handshakes_per_second, limits.handshakes_per_second);
        Self { limits, rate, given: 0, pending: Vec::new(), anonymous: HashMap::new() }
    }

    /// A connection arrives: may it begin its handshake?
    ///
    /// # Errors
    /// The counter's word for why it is closed at once.
    pub fn arrive(&mut self, peer: IpAddr, now: Timestamp) -> Result<Admitted, &'static str> {
        let address = neighbourhood(peer);
        let of_its_address = self.pending_from(address);
        if of_its_address >= self.cap(address, self.limits.pending_per_address) {
            return Err("too_many_pending_from_address");
        }
        if self.anonymous.get(&address).copied().unwrap_or(0) >= self.cap(address, self.limits.anonymous_per_address) {
            return Err("too_many_anonymous_from_address");
        }
        let full = self.pending.len() >= self.limits.pending;
        let given_up = if full { Some(self.least(of_its_address, now).ok_or("too_many_pending")?) } else { None };
        self.rate.take(1, now).map_err(|_| "shed")?;
        let instead_of = given_up.map(|at| self.pending.remove(at).place);
        self.given += 1;
        let place = Place(self.given);
        self.pending.push(Pending { place, address, since: now });
        Ok(Admitted { place, instead_of })
    }

    /// Which handshake gives its place to a newcomer whose address has so many.
    fn least(&self, of_its_address: usize, now: Timestamp) -> Option<usize> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for one in &self.pending {
            *counts.entry(one.address).or_default() += 1;
        }
        let most = counts.values().copied().max().unwrap_or(0);
        // With the newcomer its address has no more than the other without this one.
        if most > of_its_address + 1 {
            return self.pending.iter().position(|one| counts.get(&one.address) == Some(&most));
        }
        self.pending.iter().position(|one| now.since_ms(one.since) >= SLOW_MS)
    }

    /// Its handshake ended, one way or the other.
    pub fn handshake_ended(&mut self, place: Place) {
        self.pending.retain(|one| one.place != place);
    }

    /// It has no certificate: counted until [`Self::anonymous_left`]. False when its address has too many of these.
    pub fn anonymous_stays(&mut self, peer: IpAddr) -> bool {
        let address = neighbourhood(peer);
        let has = self.anonymous.get(&address).copied().unwrap_or(0);
        let fits = has < self.cap(address, self.limits.anonymous_per_address);
        if fits {
            self.anonymous.insert(address, has + 1);
        }
        fits
    }

    /// A connection without certificate is gone.
    pub fn anonymous_left(&mut self, peer: IpAddr) {
        let address = neighbourhood(peer);
        match self.anonymous.get_mut(&address) {
            Some(has) if *has > 1 => *has -= 1,
            _ => drop(self.anonymous.remove(&address)),
        }
    }

    fn pending_from(&self, address: IpAddr) -> usize {
        self.pending.iter().filter(|one| one.address == address).count()
    }

    fn cap(&self, address: IpAddr, cap: usize) -> usize {
        if address.is_loopback() { self.limits.loopback } else { cap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);
    const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn other(n: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, n])
    }

    #[test]
    fn handshakes_are_bounded_in_all_per_address_and_per_second() {
        let limits = ConnectionLimits {
            pending: 4,
            pending_per_address: 2,
            anonymous_per_address: 1,
            loopback: 3,
            handshakes_per_second: 6,
        };
        let mut door = AtTheDoor::new(limits);
        let first = door.arrive(FAR, NOW).unwrap().place;
        let second = door.arrive(FAR, NOW).unwrap().place;
        assert_eq!(door.arrive(FAR, NOW), Err("too_many_pending_from_address"));
        assert!(door.arrive(HERE, NOW).is_ok() && door.arrive(HERE, NOW).is_ok());
        assert_eq!(door.arrive(HERE, NOW), Err("too_many_pending"));
        door.handshake_ended(first);
        assert!(door.anonymous_stays(FAR));
        assert_eq!(door.arrive(FAR, NOW), Err("too_many_anonymous_from_address"));
        door.anonymous_left(FAR);
        let third = door.arrive(FAR, NOW).unwrap().place;
        door.handshake_ended(third);
        let fourth = door.arrive(FAR, NOW).unwrap().place;
        door.handshake_ended(fourth);
        assert_eq!(door.arrive(FAR, NOW), Err("shed"));
        assert!(door.arrive(FAR, NOW.plus_ms(200)).is_ok());
        door.handshake_ended(second);
    }

    #[test]
    fn where_all_places_are_taken_the_oldest_of_whoever_has_most_is_given_up_for_one_who_has_less() {
        let mut door = AtTheDoor::new(ConnectionLimits { pending: 100, ..ConnectionLimits::for_cores(2) });
        let besiegers: Vec<Place> = (0..100_u8).map(|n| door.arrive(other(n % 2), NOW).unwrap().place).collect();
        let honest = door.arrive(FAR, NOW).unwrap();
        assert_eq!(honest.instead_of, Some(besiegers[0]));
        // The besieger itself gains nothing by coming again.
        assert_eq!(door.arrive(other(0), NOW), Err("too_many_pending"));
        assert_eq!(door.arrive(other(1), NOW), Err("too_many_pending_from_address"));
        let next = door.arrive(other(9), NOW).unwrap();
        assert_eq!(next.instead_of, Some(besiegers[1]), "now the other one has most");
        assert_eq!(door.pending.len(), 100);
        assert!(door.pending.iter().any(|one| one.place == honest.place));
    }

    #[test]
    fn among_many_who_have_one_each_those_who_are_slow_are_given_up_and_nobody_else() {
        let mut door = AtTheDoor::new(ConnectionLimits { pending: 50, ..ConnectionLimits::for_cores(2) });
        let places: Vec<Place> = (0..50_u8).map(|n| door.arrive(other(n), NOW).unwrap().place).collect();
        assert_eq!(door.arrive(FAR, NOW.plus_ms(2_999)), Err("too_many_pending"));
        assert_eq!(door.arrive(FAR, NOW.plus_ms(3_000)).unwrap().instead_of, Some(places[0]));
        door.handshake_ended(places[0]);
        assert_eq!(door.pending.len(), 50, "it had ended already");
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let mut door = AtTheDoor::new(ConnectionLimits::for_cores(2));
        let place = door.arrive(FAR, NOW).unwrap().place;
        door.handshake_ended(place);
        assert!(door.anonymous_stays(FAR));
        door.anonymous_left(FAR);
        assert!(door.pending.is_empty() && door.anonymous.is_empty());
    }
}
