//! A host's ledger as reckonings read it: what was observed, why, and what proves it.

use std::collections::BTreeSet;

use super::{
    amendment::{Amendment, Says},
    lattice::{Bucket, Stretch},
};
use crate::domain::{
    calendar::Span,
    event::Why,
    hold::{Hold, Kind, Subject},
    host::{Cause, ledger::OpenSpan},
    ids::HoldNo,
    record::{Observed, SpanRow},
    time::Timestamp,
};

/// What a hold has to fit to be about a host's being there at all.
pub const LIVENESS: &str = "liveness/host";

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
    /// The host was there, but not its agent: nobody ran its checks.
    pub unattended: bool,
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

/// Whether it was up by looks alone, without its agent.
const fn is_unattended(state: Observed, cause: &Cause) -> bool {
    matches!(state, Observed::Up) && !matches!(cause, Cause::Reporting | Cause::Answers)
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
    let replaced: BTreeSet<i64> = rows.iter().filter_map(|row| row.replaces).collect();
    let standing = rows.iter().filter(|row| !replaced.contains(&row.n));
    let entry = |row: &SpanRow| Observation {
        stretch: Stretch::new(row.from, row.to, bucket(row.state, &row.cause)),
        cause: row.cause.words(),
        evidence: row.evidence.clone(),
        learned: row.learned,
        unattended: is_unattended(row.state, &row.cause),
    };
    let mut found: Vec<Observation> = standing.map(entry).collect();
    found.push(Observation {
        stretch: Stretch::new(open.from, now, bucket(open.state, &open.cause)),
        cause: open.cause.words(),
        evidence: open.cause.words(),
        learned: now,
        unattended: is_unattended(open.state, &open.cause),
    });
    found.push(Observation {
        stretch: Stretch::new(window.from, begun, Bucket::OutsideHours),
        cause: "not enrolled yet".into(),
        evidence: format!("its ledger begins at {begun}"),
        learned: begun,
        unattended: false,
    });
    let within = |span: &Span| span.from < span.until && span.from < window.until && span.until > window.from;
    found.retain(|observation| within(&observation.stretch.span));
    found
}

/// Planned work on a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// When.
    pub span: Span,
    /// By which window.
    pub hold: HoldNo,
    /// Its name, with the change that it belongs to.
    pub window: String,
    /// Why.
    pub reason: String,
    /// When that was said, if it was after the fact: the time before counts for the agreed figure alone.
    pub late: Option<Timestamp>,
    /// Why it counts for the measured figure alone, if somebody said so afterwards.
    pub disregarded: Option<String>,
}

impl Planned {
    /// Whether what was known in time leaves it out.
    #[must_use]
    pub const fn is_measured(&self) -> bool {
        self.late.is_none()
    }

    /// Whether it is left out after all.
    #[must_use]
    pub const fn is_agreed(&self) -> bool {
        self.disregarded.is_none()
    }
}

/// Windows that cover a host, as far as they are about this: [`LIVENESS`], or `check/NAME`.
pub fn covering<'a>(holds: &'a [Hold], host: &'a Subject<'a>, what: &'a str) -> impl Iterator<Item = &'a Hold> {
    holds
        .iter()
        .filter(move |hold| hold.kind == Kind::Maintenance && hold.scope.fits_what(what) && hold.scope.fits_host(host))
}

/// Planned work on a host in a window of time, as far as it is about this.
#[must_use]
pub fn maintenance(
    holds: &[Hold],
    amendments: &[Amendment],
    host: &Subject<'_>,
    what: &str,
    window: Span,
) -> Vec<Planned> {
    covering(holds, host, what).flat_map(|hold| occurrences(hold, amendments, window)).collect()
}

/// What of one window lies in a window of time. What lay in the past when it was entered is told apart.
#[must_use]
pub fn occurrences(hold: &Hold, amendments: &[Amendment], window: Span) -> Vec<Planned> {
    let disregarded = disregarded(hold.no, amendments);
    let planned = |span: Span, late| {
        (span.from < span.until).then(|| Planned {
            span,
            hold: hold.no,
            window: hold.name(),
            reason: hold.reason.clone(),
            late,
            disregarded: disregarded.clone(),
        })
    };
    let halves = |span: Span| {
        let before = Span { until: span.until.min(hold.made), ..span };
        let after = Span { from: span.from.max(hold.made), ..span };
        [planned(before, Some(hold.made)), planned(after, None)]
    };
    hold.within(window).into_iter().flat_map(halves).flatten().collect()
}

/// Why a window counts for nothing, if somebody said so.
fn disregarded(window: HoldNo, amendments: &[Amendment]) -> Option<String> {
    let mut said = amendments.iter().filter(|one| one.holds() && one.says == Says::Disregard { window });
    said.next_back().map(|one| format!("{} ({}, amendment {})", one.reason, one.by, one.no))
}
