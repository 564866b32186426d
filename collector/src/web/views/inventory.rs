//! The living inventory as people see it: a host's sections and their past, what changed in the fleet, and the search for
//! machines that have something. Filters stay in the address.

pub(in crate::web) mod changes;
pub(in crate::web) mod document;
pub(in crate::web) mod host;
pub(in crate::web) mod machines;
pub(in crate::web) mod neighbours;

use super::{Badge, When};
use crate::{
    domain::{
        inventory::{Status, change::RowChange},
        snapshot::HostView,
        time::Timestamp,
    },
    store::inventory::changes::Noted,
    web::{api::inventory::kind_word, encode},
};

/// Rows of an event that are listed; the API lists more.
const ROWS: usize = 60;

/// One event as shown.
pub(super) struct Event {
    id: String,
    pub(super) when: When,
    host: String,
    host_url: String,
    class: String,
    pub(super) title: String,
    kind: Badge,
    /// The change it was made for, and where that stands.
    change: Option<String>,
    /// What somebody said of it, and who.
    reason: Option<(String, String)>,
    /// What happened to which row: `version 1 -> 2`.
    rows: Vec<(String, String)>,
    left_out: usize,
}

impl Event {
    fn of(host: &HostView, noted: &Noted, when: impl Fn(Timestamp) -> When) -> Self {
        let change = &noted.change;
        let rows = change.rows.iter().take(ROWS).map(|row| (row.key.clone(), fields(row)));
        // One row is said by the title.
        let rows: Vec<_> = if change.count > 1 || change.rows.iter().any(|row| row.fields.len() > 1) {
            rows.collect()
        } else {
            Vec::new()
        };
        Self {
            id: noted.id.to_string(),
            when: when(noted.id.at),
            host: host.profile.name.clone(),
            host_url: format!("/hosts/{}/inventory", host.profile.id),
            class: change.class.words(),
            title: change.title.clone(),
            kind: kind(noted),
            change: noted.planned.clone(),
            reason: noted
                .reason
                .as_ref()
                .map(|reason| (reason.text.clone(), format!("{}, {}", reason.by, when(reason.at).at))),
            left_out: if rows.is_empty() { 0 } else { change.count.saturating_sub(rows.len()) },
            rows,
        }
    }
}

fn fields(row: &RowChange) -> String {
    let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
    let said = row.fields.iter().map(|field| match (&field.before, &field.after) {
        (None, Some(after)) => format!("{} {after}", field.name.replace('_', " ")),
        _ => format!("{} {} -> {}", field.name.replace('_', " "), side(&field.before), side(&field.after)),
    });
    said.collect::<Vec<_>>().join(", ")
}

fn kind(noted: &Noted) -> Badge {
    let word = kind_word(noted);
    let (class, sign) = match (word, noted.reason.is_some()) {
        ("expected", _) | (_, true) => ("good", "✓"),
        ("unplanned", false) => ("warning", "▲"),
        _ => ("quiet", "–"),
    };
    Badge { class, sign, word: word.into() }
}

fn status(status: Status) -> Badge {
    let (class, sign) = match status {
        Status::Complete => ("good", "✓"),
        Status::Partial | Status::Unreadable => ("warning", "▲"),
        Status::Absent | Status::SwitchedOff => ("quiet", "–"),
    };
    Badge { class, sign, word: status.word().replace('_', " ") }
}

/// An address with what is asked: empty values are left out.
fn address(path: &str, query: &[(&str, &str)]) -> String {
    let asked: Vec<String> = query
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    if asked.is_empty() { path.to_owned() } else { format!("{path}?{}", asked.join("&")) }
}
