//! Findings that somebody answers for: a silence covers them, with a reason and an end.

use crate::domain::{
    desk::problem::finding_key,
    finding::FindingRow,
    hold::{Hold, Kind, Labels, Subject, confirmed_labels, what_of},
    labels::Profile,
    time::Timestamp,
};

/// The silence that lasts longest of those that cover a finding now, and until when.
pub(super) fn accepted<'a>(
    holds: &'a [Hold],
    profile: &Profile,
    finding: &FindingRow,
    now: Timestamp,
) -> Option<(&'a Hold, Timestamp)> {
    let labels = confirmed_labels(profile);
    let site = profile.site.as_deref();
    let host = Subject { name: &profile.name, site, class: Some(profile.class), labels: Labels(&labels) };
    let what = what_of(&finding_key(profile, finding));
    let covers =
        |hold: &&Hold| hold.kind == Kind::Silence && hold.scope.fits_host(&host) && hold.scope.fits_what(&what);
    let lasting = holds.iter().filter(covers).filter_map(|hold| Some((hold, hold.at(now)?.until)));
    lasting.max_by_key(|(_, until)| *until)
}
