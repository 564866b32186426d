//! What each part of a host's hardware said last, and a week before that: what a sheet of the part is written from.

use std::collections::HashMap;

use super::{
    Store, StoreError,
    hardware::{EVENTS, Found, Mark, NOT_PRESENT, Of, READ},
};
use crate::domain::{
    ids::HostNo,
    rules::hardware::{growth::WINDOW_DAYS, sheet::Told, standing::is_since_first},
    time::Timestamp,
};

/// Of one part: the rows that it said last in, what became of asking it, and the row of a week before.
struct Rows {
    last: Vec<Mark>,
    outcome: String,
    before: Option<Mark>,
}

impl Store {
    /// What the part of a row said last: that very row, or the latest before it that could be read.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn last_read(&self, host: HostNo, found: &Found) -> Result<Option<Found>, StoreError> {
        if found.outcome == READ {
            return Ok(Some(found.clone()));
        }
        let of = Of::Part { source: found.source.clone(), part: found.part.clone() };
        Ok(self.hardware(host, of).await?.into_iter().find(|found| found.outcome == READ))
    }

    /// What each part of a host that is there said last; the kernel's log from an instant on is one text.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn told(&self, host: HostNo, log_from: Timestamp) -> Result<Vec<Told>, StoreError> {
        let marks = self.hardware_marks(host).await?;
        let of_parts = marks.chunk_by(|one, other| (&one.source, &one.part) == (&other.source, &other.part));
        let rows: Vec<Rows> = of_parts.filter_map(|marks| rows(marks, log_from)).collect();
        let wanted = rows.iter().flat_map(|rows| rows.last.iter().chain(&rows.before)).cloned().collect();
        let key = |source: &str, part: &str, at: Timestamp| (source.to_owned(), part.to_owned(), at);
        let read = self.hardware(host, Of::Marked(wanted)).await?;
        let said: HashMap<_, Vec<u8>> =
            read.iter().map(|found| (key(&found.source, &found.part, found.at), found.payload())).collect();
        let of = |mark: &Mark| said.get(&key(&mark.source, &mark.part, mark.at)).cloned();
        let told = rows.iter().filter_map(|Rows { last, outcome, before }| {
            let latest = last.last()?;
            Some(Told {
                source: latest.source.clone(),
                device: latest.part.clone(),
                outcome: outcome.clone(),
                at: latest.at,
                payload: last.iter().filter_map(of).collect::<Vec<_>>().join(&b'\n'),
                before: before.as_ref().and_then(of),
            })
        });
        Ok(told.collect())
    }
}

/// Of the rows of one part, the latest first; `None` where there is no such part or it never said anything.
fn rows(marks: &[Mark], log_from: Timestamp) -> Option<Rows> {
    let latest = marks.first().filter(|mark| mark.outcome != NOT_PRESENT)?;
    let read: Vec<&Mark> = marks.iter().filter(|mark| mark.outcome == READ).collect();
    if latest.source == EVENTS {
        let recent: Vec<Mark> = read.into_iter().filter(|mark| mark.at >= log_from).rev().cloned().collect();
        return (!recent.is_empty()).then(|| Rows { last: recent, outcome: READ.to_owned(), before: None });
    }
    let last = *read.first()?;
    let then = last.at.plus_ms(-WINDOW_DAYS * 86_400_000);
    let earlier = &read[1..];
    let week_before = earlier.iter().find(|mark| mark.at <= then).filter(|_| !is_since_first(&last.source));
    let before = week_before.or(earlier.last());
    Some(Rows { last: vec![last.clone()], outcome: latest.outcome.clone(), before: before.map(|mark| (*mark).clone()) })
}
