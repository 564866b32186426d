//! What was found of the hardware of a host, as a small table: what cannot be seen first, with the reason.

use super::{When, hardware::part_url};
use crate::{
    store::hardware::Found,
    web::{encode, words},
};

/// Rows shown; the API lists all.
const ROWS: usize = 60;

pub(super) struct Row {
    pub(super) part: String,
    pub(super) source: String,
    /// `read`, `asleep`, ...
    pub(super) outcome: String,
    pub(super) reason: String,
    pub(super) when: When,
    /// Its own page, where it has one.
    pub(super) url: Option<String>,
    /// Where it can be read, and how long it is.
    pub(super) payload: Option<(String, String)>,
}

pub(super) struct Evidence {
    pub(super) rows: Vec<Row>,
    pub(super) left_out: usize,
}

/// The table of a host, whose id is given.
pub(super) fn evidence(
    id: &str,
    mut found: Vec<Found>,
    when: impl Fn(crate::domain::time::Timestamp) -> When,
) -> Evidence {
    // The order of the parts stays within both halves.
    found.sort_by_key(|found| found.outcome == "read");
    let left_out = found.len().saturating_sub(ROWS);
    let rows = found.into_iter().take(ROWS).map(|found| row(id, found, &when)).collect();
    Evidence { rows, left_out }
}

fn row(id: &str, found: Found, when: &impl Fn(crate::domain::time::Timestamp) -> When) -> Row {
    let url = || {
        let (source, part) = (encode(&found.source), encode(&found.part));
        format!("/api/v1/hosts/{id}/evidence?source={source}&part={part}&payload=true")
    };
    #[expect(clippy::cast_precision_loss, reason = "shown with three figures")]
    let payload = (found.size > 0).then(|| (url(), words::bytes(found.size as f64)));
    let is_drive = found.source.starts_with("smartctl") && found.outcome != "not_present";
    Row {
        url: (is_drive && !found.part.is_empty()).then(|| part_url(id, &found.part)),
        payload,
        when: when(found.at),
        outcome: found.outcome.replace('_', " "),
        // The first word is for programs.
        reason: found
            .reason
            .split_once(": ")
            .filter(|_| found.outcome != "read")
            .map_or(found.reason.clone(), |(_, why)| why.to_owned()),
        part: if found.part.is_empty() { "this host".to_owned() } else { found.part },
        source: found.source,
    }
}
