//! Service levels: what a contract may say of uptime, and what came of it.
//!
//! [`lattice`] decides what an instant counts as where observations, maintenance and service hours meet; [`buckets`] adds
//! the instants up; [`agreement`] says how much is promised, when and what counts; [`figures`] compares the two. Each is a
//! function of its arguments: the same spans, agreement and window give the same figures, whoever asks and when. An
//! agreement may have dates ([`force`]) and a limit on the number of outages besides ([`outage_limit`]).
//!
//! [`history`] reads a host's ledger and its maintenance windows for that and [`check`] lays it over what a check said; each
//! of them is a [`subject`], and so is a [`service`] of several; [`subjects`] are those that an agreement applies to. [`period`] names stretches of a
//! calendar, [`outages`] are what counts against a subject, and a [`report`] is an agreement over a period for all its
//! subjects. What people say afterwards is an [`amendment`]: laid over what was observed, and told beside it. For whoever
//! reads a report, [`account`] lists all that was not simply up, [`handling`] says who had it and how soon, and
//! [`burn_down`] how the budget was spent, [`days`] what came of each day, and a [`table`] sums it up. A report names its [`inputs`] - of checks in
//! [`check_basis`] - so that [`verification`] can tell whether it stands, and [`as_it_was`] what to reckon again from; its
//! [`delivery`] says when it is due where, a [`share`] shows it to a department, and what it [`cited`] stays while it is kept. A [`standing`] is what metrics say of an agreement, [`burn`] how fast its
//! [`budget`] is spent, and [`forecast`] how long it lasts.

pub mod account;
pub mod agreement;
pub mod amendment;
pub mod as_it_was;
pub mod buckets;
pub mod budget;
pub mod burn;
pub mod burn_down;
pub mod check;
pub mod check_basis;
pub mod cited;
pub mod comparison;
pub mod days;
pub mod delivery;
pub mod figures;
pub mod force;
pub mod forecast;
pub mod handling;
pub mod history;
pub mod import;
pub mod inputs;
pub mod lattice;
pub mod outage_limit;
pub mod outages;
pub mod period;
pub mod report;
pub mod result;
pub mod service;
pub mod share;
pub mod standing;
pub mod subject;
pub mod subjects;
pub mod table;
pub mod target;
#[cfg(test)]
mod tests;
pub mod verification;

use self::{agreement::Agreement, buckets::Buckets, figures::Figures, lattice::Stretch};
use super::calendar::Span;

/// A window of one subject, reckoned by an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reckoning {
    /// The window without gaps, in order, each instant in one bucket.
    pub stretches: Vec<Stretch>,
    /// How long each bucket was.
    pub buckets: Buckets,
    /// What that means.
    pub figures: Figures,
}

/// Reckons a window of one subject. `observed` may overlap, lie outside of the window and come in any order.
#[must_use]
pub fn reckon(agreement: &Agreement, observed: &[Stretch], window: Span) -> Reckoning {
    reckon_within(agreement, observed, window, &agreement.closed(window))
}

/// The same where many subjects share an agreement and a window: `closed` is what [`Agreement::closed`] said of them.
#[must_use]
pub fn reckon_within(agreement: &Agreement, observed: &[Stretch], window: Span, closed: &[Stretch]) -> Reckoning {
    let stretches = lattice::lay(observed.iter().chain(closed).copied(), window);
    let buckets = Buckets::of(&stretches);
    let figures = Figures::of(&buckets, agreement);
    Reckoning { stretches, buckets, figures }
}
