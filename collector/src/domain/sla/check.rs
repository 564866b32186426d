//! A check's ledger as reckonings read it: what it said, where its host was there to say it, and else what the host's own
//! ledger says.

use super::{
    agreement::Policy,
    history::Observation,
    lattice::{Bucket, Stretch},
};
use crate::domain::{
    calendar::Span,
    host::{
        check_ledger::{CheckSpanRow, Counted},
        checks::Status,
    },
    time::Timestamp,
};

/// What proves what a check said.
const EVIDENCE: &str = "as its agent reported it";

/// The ledger of a check, as far as it touches a window.
#[derive(Debug, Clone, Copy)]
pub struct CheckHistory<'a> {
    /// Whether it begins with the first of `rows`; without rows it begins with what is open.
    pub from_its_beginning: bool,
    /// Its entries, by number.
    pub rows: &'a [CheckSpanRow],
    /// How it stands now; none where there is no such check now, or nothing has counted.
    pub open: Option<&'a Counted>,
}

impl CheckHistory<'_> {
    /// Whether there was such a check in a window.
    #[must_use]
    pub fn touches(&self, window: Span) -> bool {
        let rows = self.rows.iter().any(|row| row.from < window.until && row.to > window.from);
        rows || self.open.is_some_and(|open| open.from < window.until)
    }

    /// What is known of it in a window. `host` is what is known of its host then; `warning` is what a warning counts as.
    /// Time in which it was not defined is not in service.
    #[must_use]
    pub fn observations(
        &self,
        host: &[Observation],
        warning: Policy,
        window: Span,
        now: Timestamp,
    ) -> Vec<Observation> {
        let heard = heard(host);
        let mut found: Vec<Observation> = host.iter().filter_map(of_host).collect();
        found.extend(self.undefined(window, now));
        for said in self.said(warning, now) {
            let span = said.stretch.span;
            let first = heard.partition_point(|heard| heard.until <= span.from);
            found.extend(heard[first..].iter().take_while(|heard| heard.from < span.until).map(|heard| {
                let (from, until) = (heard.from.max(span.from), heard.until.min(span.until));
                Observation { stretch: Stretch::new(from, until, said.stretch.bucket), ..said.clone() }
            }));
        }
        found.retain(|entry| {
            let span = entry.stretch.span;
            span.from < span.until && span.from < window.until && span.until > window.from
        });
        found
    }

    /// What it said itself, in order.
    fn said(&self, warning: Policy, now: Timestamp) -> impl Iterator<Item = Observation> {
        let entry = move |status: Status, from, until, said: &str, learned| Observation {
            stretch: Stretch::new(from, until, bucket(status, warning)),
            cause: if said.is_empty() { status.word().to_owned() } else { format!("{}: {said}", status.word()) },
            evidence: EVIDENCE.to_owned(),
            learned,
            unattended: false,
        };
        let rows = self.rows.iter().map(move |row| entry(row.status, row.from, row.to, &row.said, row.learned));
        rows.chain(self.open.map(|open| entry(open.status, open.from, now, &open.said, now)))
    }

    /// When there was no such check.
    fn undefined(&self, window: Span, now: Timestamp) -> Vec<Observation> {
        let open_from = self.open.map(|open| open.from);
        let first = self.rows.first().map(|row| row.from).or(open_from);
        let is_beginning = self.from_its_beginning || self.rows.is_empty();
        let before = is_beginning.then(|| (window.from, first.unwrap_or(now), "not defined yet"));
        let gone = self.rows.iter().enumerate().filter(|(_, row)| row.gone).map(|(at, row)| {
            let next = self.rows.get(at + 1).map(|next| next.from).or(open_from);
            (row.to, next.unwrap_or(now), "not defined any more")
        });
        let entry = |(from, until, cause): (Timestamp, Timestamp, &str)| Observation {
            stretch: Stretch::new(from, until, Bucket::OutsideHours),
            cause: cause.to_owned(),
            evidence: EVIDENCE.to_owned(),
            learned: until,
            unattended: false,
        };
        before.into_iter().chain(gone).map(entry).collect()
    }
}

/// What an outcome counts as.
const fn bucket(status: Status, warning: Policy) -> Bucket {
    match (status, warning) {
        (Status::Ok, _) => Bucket::Up,
        (Status::Warning, Policy::AsDown) | (Status::Critical, _) => Bucket::Down,
        (Status::Warning, _) => Bucket::Up,
        (Status::Unknown, _) => Bucket::Unknown,
    }
}

/// What a check is while its host is not there to run it. On a machine that answers without its agent nobody can say.
fn of_host(entry: &Observation) -> Option<Observation> {
    let (bucket, cause) = match entry.stretch.bucket {
        Bucket::Up if entry.unattended => (Bucket::Unknown, format!("nobody ran it: {}", entry.cause)),
        Bucket::Up => return None,
        Bucket::Down => (Bucket::Down, format!("its host was down: {}", entry.cause)),
        Bucket::CleanStop => (Bucket::CleanStop, format!("its host was stopped: {}", entry.cause)),
        other => (other, format!("its host: {}", entry.cause)),
    };
    let span = entry.stretch.span;
    Some(Observation { stretch: Stretch { span, bucket }, cause, unattended: false, ..entry.clone() })
}

/// When its host's agent was there, in order and without overlap.
fn heard(host: &[Observation]) -> Vec<Span> {
    let up = host.iter().filter(|entry| entry.stretch.bucket == Bucket::Up && !entry.unattended);
    let mut spans: Vec<Span> = up.map(|entry| entry.stretch.span).collect();
    spans.sort_unstable_by_key(|span| span.from);
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
            _ => merged.push(span),
        }
    }
    merged
}
