//! A host's ledger as reckonings read it: what was observed, why, and what proves it.

use super::lattice::{Bucket, Stretch};
use crate::domain::{
    calendar::Span,
    event::Why,
    hold::{Hold, Kind, Subject},
    host::{Cause, ledger::OpenSpan},
    record::{Observed, SpanRow},
    time::Timestamp,
};

/// What a hold has to fit to be about a host's being there at all.
const LIVENESS: &str = "liveness/host";

/// An entry, or the open end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// When, and what it counts as before maintenance and hours are laid over it.
    pub stretch: Stretch,
    /// Why, in words.
    pub cause: String,
    /// What proves it.
    pub evidence: String,
    /// When it was learned.
    pub learned: Timestamp,
}

/// What an observation counts as. A host that was never heard of yet, or may not report, is not in service.
#[must_use]
pub fn bucket(state: Observed, cause: &Cause) -> Bucket {
    let clean = matches!(cause, Cause::Goodbye(Why::Shutdown | Why::Reboot | Why::Sleep));
    match state {
        Observed::Up => Bucket::Up,
        Observed::Down if clean => Bucket::CleanStop,
        Observed::Down => Bucket::Down,
        Observed::Unreachable => Bucket::Unreachable,
        Observed::CollectorDown => Bucket::CollectorDown,
        Observed::Unknown if matches!(cause, Cause::NotAdmitted | Cause::Enrolled) => Bucket::OutsideHours,
        Observed::Unknown => Bucket::Unknown,
    }
}

/// What a ledger says of a window: its entries, without those that others have replaced, and the open end up to `now`.
/// Before its first entry the host was not there.
#[must_use]
pub fn observations(
    rows: &[SpanRow],
    open: &OpenSpan,
    begun: Timestamp,
    window: Span,
    now: Timestamp,
) -> Vec<Observation> {
    let replaced: Vec<i64> = rows.iter().filter_map(|row| row.replaces).collect();
    let standing = rows.iter().filter(|row| !replaced.contains(&row.n));
    let entry = |row: &SpanRow| Observation {
        stretch: Stretch::new(row.from, row.to, bucket(row.state, &row.cause)),
        cause: row.cause.words(),
        evidence: row.evidence.clone(),
        learned: row.learned,
    };
    let mut found: Vec<Observation> = standing.map(entry).collect();
    found.push(Observation {
        stretch: Stretch::new(open.from, now, bucket(open.state, &open.cause)),
        cause: open.cause.words(),
        evidence: open.cause.words(),
        learned: now,
    });
    found.push(Observation {
        stretch: Stretch::new(window.from, begun, Bucket::OutsideHours),
        cause: "not enrolled yet".into(),
        evidence: format!("its ledger begins at {begun}"),
        learned: begun,
    });
    let within = |span: &Span| span.from < span.until && span.from < window.until && span.until > window.from;
    found.retain(|observation| within(&observation.stretch.span));
    found
}

/// Planned work on a host in a window. What lay in the past when the window was entered is not planned.
#[must_use]
pub fn maintenance(holds: &[Hold], host: &Subject<'_>, window: Span) -> Vec<(Span, String)> {
    let covers =
        |hold: &&Hold| hold.kind == Kind::Maintenance && hold.scope.fits_what(LIVENESS) && hold.scope.fits_host(host);
    let planned = |hold: &Hold, span: Span| Span { from: span.from.max(hold.made), ..span };
    let occurrences = |hold: &Hold| {
        let spans = hold.within(window).into_iter().map(|span| planned(hold, span));
        spans.filter(|span| span.from < span.until).map(|span| (span, hold.name())).collect::<Vec<_>>()
    };
    holds.iter().filter(covers).flat_map(occurrences).collect()
}
