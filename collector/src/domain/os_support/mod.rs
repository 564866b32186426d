//! Until when an operating system is supported: what a machine runs, to the product and cycle of its maker, to dates in
//! three tiers.
//!
//! The table is part of the program and carries its own date; a file may take its place. What it does not know is unknown,
//! never supported.

mod release;
mod table;
#[cfg(test)]
mod tests;
mod windows;

use jiff::civil::Date;

pub use self::{
    release::Release,
    table::{Cycle, Table, TableError},
};
use super::time::Timestamp;

/// An end within so many days is worth a look.
pub const SOON_DAYS: i64 = 180;

/// How an operating system is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Its maker mends everything.
    Active,
    /// Its maker mends holes.
    SecurityOnly,
    /// Holes are mended for those who have a contract, or by volunteers.
    Extended,
    /// Nobody mends anything.
    Ended,
    /// It has no end: each update is the next release.
    Rolling,
    /// Nothing is known of it here.
    Unknown,
}

impl Tier {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Active, Self::SecurityOnly, Self::Extended, Self::Ended, Self::Rolling, Self::Unknown];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::SecurityOnly => "security_only",
            Self::Extended => "extended",
            Self::Ended => "ended",
            Self::Rolling => "rolling",
            Self::Unknown => "unknown",
        }
    }

    /// As people read it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Active => "supported",
            Self::SecurityOnly => "security updates only",
            Self::Extended => "extended support only",
            Self::Ended => "not supported any more",
            Self::Rolling => "rolling",
            Self::Unknown => "support unknown",
        }
    }
}

/// What is known of the support of a machine's operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// The product as the table calls it; empty: none.
    pub product: String,
    /// Its cycle; empty: none.
    pub cycle: String,
    /// It is made from this product, and is another one itself.
    pub is_base: bool,
    /// How it is supported now.
    pub tier: Tier,
    /// The last day of the support that everybody has.
    pub ends: Option<Date>,
    /// The last day of the support that is bought or done by volunteers, and its name.
    pub extended: Option<(Date, String)>,
    /// The extended support was bought.
    pub has_contract: bool,
}

impl Support {
    /// Nothing is known, or there is nothing to know.
    const fn without(product: String, tier: Tier) -> Self {
        Self { product, cycle: String::new(), is_base: false, tier, ends: None, extended: None, has_contract: false }
    }

    /// The last day on which holes are mended for everybody, or where that is over, for those who have a contract.
    #[must_use]
    pub fn last_day(&self) -> Option<Date> {
        match (self.tier, &self.extended) {
            (Tier::Extended, Some((until, _))) => Some(*until),
            _ => self.ends,
        }
    }

    /// Days until that; negative after it.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> Option<i64> {
        let today = day(now)?;
        Some(i64::from(self.last_day()?.since(today).ok()?.get_days()))
    }

    /// Whether it ends within so many days.
    #[must_use]
    pub fn ends_within(&self, now: Timestamp, days: i64) -> bool {
        self.days_left(now).is_some_and(|left| left <= days)
    }

    /// `debian 12: not since 2026-07-11; LTS until 2028-06-30`
    #[must_use]
    pub fn words(&self, now: Timestamp) -> String {
        let base = if self.is_base { "its base " } else { "" };
        let name = format!("{base}{} {}", self.product, self.cycle);
        let contract = if self.has_contract { ", which was bought" } else { "" };
        let extended = || {
            let named = self.extended.as_ref();
            named.map_or_else(String::new, |(until, name)| format!("; {name} until {until}{contract}"))
        };
        match (self.tier, self.ends) {
            (Tier::Unknown, _) if self.product.is_empty() => "this operating system is not in the table".into(),
            (Tier::Unknown, _) => format!("{}: this release is not in the table", name.trim_end()),
            (Tier::Rolling, _) => format!("{}: each update is the next release, there is no end", name.trim_end()),
            (Tier::Ended, None) => format!("{name}: older than anything that was supported lately"),
            (Tier::Ended, Some(ends)) => match &self.extended {
                Some((until, named)) => format!("{name}: ended {ends}, {named} {until}"),
                None => format!("{name}: ended {ends}"),
            },
            (Tier::Extended, Some(ends)) => format!("{name}: ended {ends}{}", extended()),
            (_, Some(ends)) => {
                let left = self.days_left(now).map_or_else(String::new, |days| format!(", {days} days"));
                format!("{name}: until {ends}{left}{}", extended())
            }
            (_, None) => format!("{name}: no end is announced"),
        }
    }
}

fn day(now: Timestamp) -> Option<Date> {
    let instant = jiff::Timestamp::from_millisecond(now.ms()).ok()?;
    Some(instant.to_zoned(jiff::tz::TimeZone::UTC).date())
}
