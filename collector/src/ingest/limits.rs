//! PURE. How much of anything the door lets through. Every table here is bounded; `now` is always an argument.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
};

use crate::domain::time::Timestamp;

/// Addresses remembered at once; beyond it the idle ones are forgotten, and if none is idle the newcomer waits.
pub const ADDRESSES_REMEMBERED: usize = 4_096;
/// Failed tokens after which an address is not listened to (spec: 10).
pub const TOKEN_FAILURES: u32 = 10;
/// For how long, in milliseconds (spec: 15 min).
pub const BLOCKED_MS: i64 = 15 * 60 * 1000;

/// A rate with a burst: the generic cell rate algorithm (ITU-T I.371), one instant of state.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    micros_each: i64,
    burst_micros: i64,
    /// Theoretical arrival time of the next one, microseconds.
    due: i64,
}

impl Rate {
    /// `per_second` sustained, `burst` at once.
    #[must_use]
    pub const fn new(per_second: i64, burst: i64) -> Self {
        let micros_each = 1_000_000 / per_second;
        Self { micros_each, burst_micros: micros_each * burst, due: 0 }
    }

    /// Takes `count`; `Err` names the milliseconds to wait, and then nothing is taken.
    ///
    /// # Errors
    /// The wait in milliseconds when the rate is used up.
    pub fn take(&mut self, count: i64, now: Timestamp) -> Result<(), i64> {
        let now_micros = now.ms().saturating_mul(1000);
        let due = self.due.max(now_micros).saturating_add(self.micros_each.saturating_mul(count));
        let over = due.saturating_sub(now_micros).saturating_sub(self.burst_micros);
        if over > 0 {
            return Err(over / 1000 + 1);
        }
        self.due = due;
        Ok(())
    }

    /// Whether it has recovered its whole burst.
    #[must_use]
    pub const fn is_idle(&self, now: Timestamp) -> bool {
        self.due <= now.ms().saturating_mul(1000)
    }
}

/// Sustained rate of one host with a tenfold burst: messages and bytes.
#[derive(Debug, Clone, Copy)]
pub struct HostRate {
    tenths: Rate,
    kibibytes: Rate,
}

impl Default for HostRate {
    fn default() -> Self {
        Self { tenths: Rate::new(500, 5_000), kibibytes: Rate::new(1_024, 10_240) }
    }
}

impl HostRate {
    /// Messages per second that are told to agents.
    pub const PER_SECOND: u32 = 50;

    /// Takes one message that weighs `tenths` of one (a dictionary part 1, everything else 10) and `bytes`.
    ///
    /// # Errors
    /// The wait in milliseconds when the host is over its rate.
    pub fn take(&mut self, tenths: i64, bytes: u64, now: Timestamp) -> Result<(), i64> {
        self.tenths.take(tenths, now)?;
        self.kibibytes.take(i64::try_from(bytes / 1024).unwrap_or(i64::MAX / 2_000), now)
    }
}

/// Which addresses count as one: an IPv6 customer has a /64.
#[must_use]
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) if !six.is_loopback() => IpAddr::V6(Ipv6Addr::from(u128::from(six) & (!0u128 << 64))),
        other => other,
    }
}

/// What may be asked without a certificate, per address and in all.
#[derive(Debug)]
pub struct EnrolLimits {
    all: Rate,
    addresses: HashMap<IpAddr, Caller>,
}

#[derive(Debug)]
struct Caller {
    rate: Rate,
    failures: u32,
    blocked_until: Option<Timestamp>,
}

/// Why an enrolment is not even looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    /// This address asks too often.
    #[error("too many enrolments from this address (1 per second): try again in {0} ms")]
    Address(i64),
    /// Everybody together asks too often.
    #[error("too many enrolments at this collector (20 per second): try again in {0} ms")]
    Everybody(i64),
    /// Too many wrong tokens.
    #[error("{TOKEN_FAILURES} wrong tokens from this address: it is not listened to for {0} ms")]
    Blocked(i64),
}

impl TooMuch {
    /// When to try again, in milliseconds.
    #[must_use]
    pub const fn wait_ms(self) -> i64 {
        match self {
            Self::Address(wait) | Self::Everybody(wait) | Self::Blocked(wait) => wait,
        }
    }

    /// The counter's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Address(_) => "address_rate",
            Self::Everybody(_) => "rate",
            Self::Blocked(_) => "blocked",
        }
    }
}

impl Default for EnrolLimits {
    fn default() -> Self {
        Self { all: Rate::new(20, 20), addresses: HashMap::new() }
    }
}

impl EnrolLimits {
    /// Lets one enrolment of `peer` through, or says how long to wait.
    ///
    /// # Errors
    /// [`TooMuch`].
    pub fn admit(&mut self, peer: IpAddr, now: Timestamp) -> Result<(), TooMuch> {
        let address = neighbourhood(peer);
        if !self.addresses.contains_key(&address) && self.addresses.len() >= ADDRESSES_REMEMBERED {
            self.addresses.retain(|_, caller| !caller.is_forgettable(now));
            if self.addresses.len() >= ADDRESSES_REMEMBERED {
                return Err(TooMuch::Everybody(1_000));
            }
        }
        let caller = self.addresses.entry(address).or_insert_with(|| Caller::new(address));
        if let Some(until) = caller.blocked_until {
            if until > now {
                return Err(TooMuch::Blocked(until.since_ms(now)));
            }
            caller.blocked_until = None;
            caller.failures = 0;
        }
        caller.rate.take(1, now).map_err(TooMuch::Address)?;
        if address.is_loopback() { Ok(()) } else { self.all.take(1, now).map_err(TooMuch::Everybody) }
    }

    /// A token was wrong. The machine itself (loopback) is never blocked.
    pub fn token_failed(&mut self, peer: IpAddr, now: Timestamp) {
        let address = neighbourhood(peer);
        let Some(caller) = self.addresses.get_mut(&address).filter(|_| !address.is_loopback()) else { return };
        caller.failures += 1;
        if caller.failures >= TOKEN_FAILURES {
            caller.blocked_until = Some(now.plus_ms(BLOCKED_MS));
        }
    }

    /// A token was right: earlier mistakes are forgiven.
    pub fn token_worked(&mut self, peer: IpAddr) {
        if let Some(caller) = self.addresses.get_mut(&neighbourhood(peer)) {
            caller.failures = 0;
        }
    }
}

impl Caller {
    fn new(address: IpAddr) -> Self {
        let rate = if address.is_loopback() { Rate::new(50, 250) } else { Rate::new(1, 5) };
        Self { rate, failures: 0, blocked_until: None }
    }

    fn is_forgettable(&self, now: Timestamp) -> bool {
        let blocked = self.blocked_until.is_some_and(|until| until > now);
        !blocked && self.failures == 0 && self.rate.is_idle(now)
    }
}

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

/// Who is at the door: pending handshakes and connections without certificate.
#[derive(Debug)]
pub struct AtTheDoor {
    limits: ConnectionLimits,
    rate: Rate,
    pending: usize,
    addresses: HashMap<IpAddr, (usize, usize)>,
}

impl AtTheDoor {
    /// Nobody yet.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Self {
        let rate = Rate::new(limits.handshakes_per_second, limits.handshakes_per_second);
        Self { limits, rate, pending: 0, addresses: HashMap::new() }
    }

    /// A connection arrives: may it begin its handshake?
    ///
    /// # Errors
    /// The counter's word for why it is closed at once.
    pub fn arrive(&mut self, peer: IpAddr, now: Timestamp) -> Result<(), &'static str> {
        if self.pending >= self.limits.pending {
            return Err("too_many_pending");
        }
        let address = neighbourhood(peer);
        let (pending, anonymous) = self.addresses.get(&address).copied().unwrap_or_default();
        if pending >= self.cap(address, self.limits.pending_per_address) {
            return Err("too_many_pending_from_address");
        }
        if anonymous >= self.cap(address, self.limits.anonymous_per_address) {
            return Err("too_many_anonymous_from_address");
        }
        self.rate.take(1, now).map_err(|_| "shed")?;
        self.pending += 1;
        self.addresses.entry(address).or_default().0 += 1;
        Ok(())
    }

    /// Its handshake ended, one way or the other.
    pub fn handshake_ended(&mut self, peer: IpAddr) {
        self.pending = self.pending.saturating_sub(1);
        self.change(peer, |(pending, _)| *pending = pending.saturating_sub(1));
    }

    /// It has no certificate: counted until [`Self::anonymous_left`]. False when its address has too many of these.
    pub fn anonymous_stays(&mut self, peer: IpAddr) -> bool {
        let address = neighbourhood(peer);
        let cap = self.cap(address, self.limits.anonymous_per_address);
        let entry = self.addresses.entry(address).or_default();
        let fits = entry.1 < cap;
        entry.1 += usize::from(fits);
        if *entry == (0, 0) {
            self.addresses.remove(&address);
        }
        fits
    }

    /// A connection without certificate is gone.
    pub fn anonymous_left(&mut self, peer: IpAddr) {
        self.change(peer, |(_, anonymous)| *anonymous = anonymous.saturating_sub(1));
    }

    fn cap(&self, address: IpAddr, cap: usize) -> usize {
        if address.is_loopback() { self.limits.loopback } else { cap }
    }

    fn change(&mut self, peer: IpAddr, change: impl FnOnce(&mut (usize, usize))) {
        let address = neighbourhood(peer);
        if let Some(entry) = self.addresses.get_mut(&address) {
            change(entry);
            if *entry == (0, 0) {
                self.addresses.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);
    const FAR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_rate_lets_its_burst_through_and_then_one_per_interval() {
        let mut rate = Rate::new(1, 5);
        assert_eq!((0..7).filter(|_| rate.take(1, NOW).is_ok()).count(), 5);
        assert!(rate.take(1, NOW.plus_ms(999)).is_err());
        assert!(rate.take(1, NOW.plus_ms(1_000)).is_ok());
        assert!(rate.take(1, NOW.plus_ms(1_000)).is_err());
    }

    #[test]
    fn waiting_as_long_as_told_is_enough() {
        let mut rate = Rate::new(50, 1);
        rate.take(1, NOW).unwrap();
        let wait = rate.take(1, NOW).unwrap_err();
        assert!(rate.take(1, NOW.plus_ms(wait)).is_ok());
    }

    #[test]
    fn ten_wrong_tokens_silence_an_address_for_fifteen_minutes_and_no_other() {
        let mut limits = EnrolLimits::default();
        for n in 0..10 {
            let at = NOW.plus_ms(n * 1_000);
            limits.admit(FAR, at).unwrap();
            limits.token_failed(FAR, at);
        }
        let last = NOW.plus_ms(9_000);
        assert_eq!(limits.admit(FAR, last.plus_ms(BLOCKED_MS - 1)), Err(TooMuch::Blocked(1)));
        assert!(limits.admit("192.0.2.8".parse().unwrap(), last).is_ok());
        assert!(limits.admit(FAR, last.plus_ms(BLOCKED_MS)).is_ok());
    }

    #[test]
    fn everybody_together_enrols_twenty_a_second_but_this_machine_is_not_counted() {
        let mut limits = EnrolLimits::default();
        let admitted = (0..40u8).filter(|n| limits.admit(IpAddr::from([10, 0, 0, *n]), NOW).is_ok()).count();
        assert_eq!(admitted, 20);
        assert!(limits.admit(HERE, NOW).is_ok());
    }

    #[test]
    fn the_table_of_addresses_is_bounded() {
        let mut limits = EnrolLimits::default();
        for n in 0..20_000u32 {
            let _ = limits.admit(IpAddr::from(n.to_be_bytes()), NOW);
        }
        assert!(limits.addresses.len() <= ADDRESSES_REMEMBERED);
        assert!(limits.admit(IpAddr::from([10, 1, 2, 3]), NOW.plus_ms(60_000)).is_ok());
    }

    #[test]
    fn an_ipv6_neighbourhood_is_one_address() {
        let one = neighbourhood("2001:db8::1".parse().unwrap());
        assert_eq!(one, neighbourhood("2001:db8::ffff".parse().unwrap()));
        assert_ne!(one, neighbourhood("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(neighbourhood("::ffff:192.0.2.7".parse().unwrap()), FAR);
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
        assert_eq!(door.arrive(FAR, NOW), Ok(()));
        assert_eq!(door.arrive(FAR, NOW), Ok(()));
        assert_eq!(door.arrive(FAR, NOW), Err("too_many_pending_from_address"));
        assert_eq!(door.arrive(HERE, NOW), Ok(()));
        assert_eq!(door.arrive(HERE, NOW), Ok(()));
        assert_eq!(door.arrive(HERE, NOW), Err("too_many_pending"));
        door.handshake_ended(FAR);
        assert!(door.anonymous_stays(FAR));
        assert_eq!(door.arrive(FAR, NOW), Err("too_many_anonymous_from_address"));
        door.anonymous_left(FAR);
        assert_eq!(door.arrive(FAR, NOW), Ok(()));
        door.handshake_ended(FAR);
        assert_eq!(door.arrive(FAR, NOW), Ok(()));
        door.handshake_ended(FAR);
        assert_eq!(door.arrive(FAR, NOW), Err("shed"));
        assert_eq!(door.arrive(FAR, NOW.plus_ms(200)), Ok(()));
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let mut door = AtTheDoor::new(ConnectionLimits::for_cores(2));
        door.arrive(FAR, NOW).unwrap();
        door.handshake_ended(FAR);
        assert!(door.addresses.is_empty());
    }

    #[test]
    fn a_host_may_burst_tenfold_and_dictionary_parts_weigh_little() {
        let mut rate = HostRate::default();
        assert_eq!((0..600).filter(|_| rate.take(10, 100, NOW).is_ok()).count(), 500);
        let mut rate = HostRate::default();
        assert!((0..2_000).all(|_| rate.take(1, 2_048, NOW).is_ok()), "20 000 series in parts of 2 KiB");
        let mut rate = HostRate::default();
        assert!(rate.take(10, 11 << 20, NOW).is_err(), "11 MiB at once");
    }
}
