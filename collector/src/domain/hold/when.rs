//! When a hold lasts.

use serde::{Deserialize, Serialize};

use crate::domain::{
    calendar::{Recurring, Span, dates, zone},
    time::Timestamp,
};

/// When a hold lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// From here to there.
    Once(Span),
    /// Again and again, by the clocks of a zone.
    Recurring(Recurring),
    /// For so long after the first trouble within a time.
    Flexible {
        /// When the trouble may come.
        within: Span,
        /// How long it lasts, in milliseconds.
        lasts_ms: i64,
        /// When the trouble came.
        began: Option<Timestamp>,
    },
}

impl When {
    /// The occurrence that an instant lies in.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Option<Span> {
        match self {
            Self::Once(span) => Some(*span).filter(|span| span.holds(now)),
            Self::Recurring(recurring) => recurring.at(now),
            Self::Flexible { lasts_ms, began, .. } => {
                let began = (*began)?;
                Some(Span { from: began, until: began.plus_ms(*lasts_ms) }).filter(|span| span.holds(now))
            }
        }
    }

    /// Occurrences that begin after an instant. A flexible one may begin as long as its time is not over.
    pub fn following(&self, now: Timestamp) -> Box<dyn Iterator<Item = Span> + '_> {
        match self {
            Self::Once(span) => Box::new(Some(*span).filter(|span| span.from > now).into_iter()),
            Self::Recurring(recurring) => Box::new(recurring.following(now.plus_ms(1))),
            Self::Flexible { within, began, .. } => {
                Box::new(Some(*within).filter(|span| began.is_none() && span.until > now).into_iter())
            }
        }
    }

    /// Its occurrences that touch a stretch of time, whole.
    #[must_use]
    pub fn within(&self, within: Span) -> Vec<Span> {
        let all = match self {
            Self::Once(span) => vec![*span],
            Self::Recurring(recurring) => {
                let Some(zone) = zone(&recurring.zone) else { return Vec::new() };
                dates(within, &zone).filter_map(|date| recurring.on(date, &zone)).collect()
            }
            Self::Flexible { lasts_ms, began, .. } => {
                began.iter().map(|began| Span { from: *began, until: began.plus_ms(*lasts_ms) }).collect()
            }
        };
        all.into_iter().filter(|span| span.from < within.until && span.until > within.from).collect()
    }

    /// In words, times in UTC unless the zone is said.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Once(span) => format!("{} to {}", span.from, span.until),
            Self::Recurring(recurring) => recurring.words(),
            Self::Flexible { within, lasts_ms, .. } => {
                format!("{} min after trouble between {} and {}", lasts_ms / 60_000, within.from, within.until)
            }
        }
    }

    /// A flexible one begins with this trouble; true when it did.
    pub fn begin(&mut self, now: Timestamp) -> bool {
        match self {
            Self::Flexible { within, began, .. } if began.is_none() && within.holds(now) => {
                *began = Some(now);
                true
            }
            _ => false,
        }
    }

    /// Whether trouble now would begin it.
    #[must_use]
    pub fn waits_for_trouble(&self, now: Timestamp) -> bool {
        matches!(self, Self::Flexible { within, began: None, .. } if within.holds(now))
    }
}
