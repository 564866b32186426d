//! A link by which somebody sees some agreements without signing in: which, for whom, and whether it works.

use serde::{Deserialize, Serialize};

use super::{
    period::{Length, Period},
    report::Declared,
};
use crate::domain::{calendar::zone, time::Timestamp};

/// Periods that it shows of an agreement, the present one among them.
pub const PERIODS: usize = 13;
/// Most agreements in one.
pub const AGREEMENTS: usize = 50;

/// A link, as stored. It is never forgotten: what was shown to whom can be told later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Its number.
    pub no: i64,
    /// Names of the agreements that it shows.
    pub agreements: Vec<String>,
    /// For whom it is, in words; empty: not said.
    pub audience: String,
    /// When it was made.
    pub made: Timestamp,
    /// By whom.
    pub by: String,
    /// From when on it shows nothing.
    pub ends: Timestamp,
    /// When somebody revoked it, and who.
    pub revoked: Option<(Timestamp, String)>,
}

/// Whether a link works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Works,
    /// Its time is over.
    Ended,
    /// Somebody revoked it.
    Revoked,
}

impl Standing {
    /// As lists write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Ended => "ended",
            Self::Revoked => "revoked",
        }
    }
}

impl Share {
    /// Whether it works at an instant.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Standing {
        match &self.revoked {
            Some(_) => Standing::Revoked,
            None if now >= self.ends => Standing::Ended,
            None => Standing::Works,
        }
    }
}

/// Periods of an agreement that a link shows, newest first: the present one, and those before it as far back as anything is
/// known and promised. One that rolls has no others.
#[must_use]
pub fn periods(declared: &Declared, begun: Timestamp, now: Timestamp) -> Vec<Period> {
    let Some(zone) = zone(&declared.agreement.zone) else { return Vec::new() };
    let mut periods = vec![declared.period.at(now, &zone)];
    while let Some(last) = periods.last() {
        let is_all = last.span.from <= begun || periods.len() == PERIODS;
        if is_all || matches!(declared.period, Length::Rolling(_)) {
            break;
        }
        let before = declared.period.at(last.span.from.plus_ms(-1), &zone);
        periods.push(before);
    }
    periods
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        hold::Scope,
        sla::{agreement::Agreement, burn::BurnAlerts, target::Target},
    };

    fn at(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn names(period: Length, begun: &str) -> Vec<String> {
        let mut agreement = Agreement::new("office", Target::parse("99.9").unwrap());
        agreement.zone = "Europe/Berlin".to_owned();
        let (checks, services) = (Vec::new(), Vec::new());
        let declared =
            Declared { agreement, period, scope: Scope::default(), checks, services, burn_alerts: BurnAlerts::Off };
        periods(&declared, at(begun), at("2026-11-30T04:00:00Z")).into_iter().map(|period| period.name).collect()
    }

    #[test]
    fn periods_go_back_to_where_the_ledgers_begin_and_no_further_than_a_year() {
        // In Berlin it was October already.
        assert_eq!(names(Length::Month, "2026-09-30T22:00:00Z"), ["2026-11", "2026-10"]);
        assert_eq!(names(Length::Month, "2026-09-30T21:59:59Z"), ["2026-11", "2026-10", "2026-09"]);
        let long = names(Length::Month, "2001-01-01T00:00:00Z");
        assert_eq!((long.len(), long[12].as_str()), (13, "2025-11"));
        assert_eq!(names(Length::Quarter, "2026-07-02T00:00:00Z"), ["2026-Q4", "2026-Q3"]);
        assert_eq!(names(Length::Rolling(30), "2001-01-01T00:00:00Z"), ["30d"]);
    }

    #[test]
    fn a_link_works_until_its_end_unless_somebody_revokes_it() {
        let ms = Timestamp::from_ms;
        let share = Share {
            no: 1,
            agreements: vec!["office".to_owned()],
            audience: String::new(),
            made: ms(0),
            by: "ann".to_owned(),
            ends: ms(1_000),
            revoked: None,
        };
        assert_eq!((share.at(ms(999)), share.at(ms(1_000))), (Standing::Works, Standing::Ended));
        let revoked = Share { revoked: Some((ms(10), "bob".to_owned())), ..share };
        assert_eq!((revoked.at(ms(999)), revoked.at(ms(1_000))), (Standing::Revoked, Standing::Revoked));
    }
}
