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
    fn a_host_may_burst_tenfold_and_dictionary_parts_weigh_little() {
        let mut rate = HostRate::default();
        assert_eq!((0..600).filter(|_| rate.take(10, 100, NOW).is_ok()).count(), 500);
        let mut rate = HostRate::default();
        assert!((0..2_000).all(|_| rate.take(1, 2_048, NOW).is_ok()), "20 000 series in parts of 2 KiB");
        let mut rate = HostRate::default();
        assert!(rate.take(10, 11 << 20, NOW).is_err(), "11 MiB at once");
    }
}
