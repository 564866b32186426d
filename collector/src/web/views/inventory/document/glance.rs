//! What is asked first of a host, each in a line. What could not be read is not known; it is never none.

use super::{
    lacking,
    tables::{Held, SOON_DAYS, days_until, is_administrator},
};
use crate::{
    domain::{inventory::Status, snapshot::HostView, time::Timestamp},
    store::inventory::{changes::Noted, read::HeldRow},
    web::{views::inventory::host::cell, words},
};

/// Names that are told one by one.
const NAMED: usize = 6;

/// The lines.
pub(super) fn glance(held: &Held, now: Timestamp) -> Vec<(String, String)> {
    let line =
        |name: &str, section: &str, says: &dyn Fn(&[HeldRow]) -> String| (name.to_owned(), known(held, section, says));
    vec![
        line("Packages", "packages", &|rows| words::count(rows.len())),
        line("Pending updates", "updates", &updates),
        ("Restart needed".into(), known(held, "update_state", &|rows| restart(rows))),
        line("Not encrypted", "volumes", &not_encrypted),
        line("May become root", "users", &|rows| names(rows.iter().filter(|row| is_administrator(row)), "name")),
        line("Ports the network may reach", "listening_ports", &|rows| {
            words::count(rows.iter().filter(|row| cell(row, "scope") != "loopback").count())
        }),
        line("Certificates", "certificates", &|rows| certificates(rows, now)),
        line("Sources of packages without encryption", "repositories", &|rows| {
            let plain = rows.iter().filter(|row| cell(row, "encrypted") == "no").count();
            format!("{plain} of {}", rows.len())
        }),
        ("Sections that could not be read, or not all of".into(), unread(held)),
    ]
}

/// What a section says, and that it is not all, or why it says nothing.
fn known(held: &Held, section: &str, says: &dyn Fn(&[HeldRow]) -> String) -> String {
    let Some(found) = held.section(section) else { return "not known: it was not told".into() };
    let (status, reason) = (found.head.status, found.head.reason.as_str());
    match status {
        Status::Complete => says(held.rows(section)),
        Status::Partial => format!("{} ({})", says(held.rows(section)), lacking(status, reason)),
        Status::Absent | Status::Unreadable | Status::SwitchedOff => format!("not known: {}", lacking(status, reason)),
    }
}

fn names<'a>(rows: impl Iterator<Item = &'a HeldRow>, field: &str) -> String {
    let all: Vec<String> = rows.map(|row| cell(row, field)).collect();
    if all.is_empty() {
        return "none".into();
    }
    let named = all[..all.len().min(NAMED)].join(", ");
    let more = all.len().saturating_sub(NAMED);
    if more == 0 { named } else { format!("{named} and {more} more") }
}

fn updates(rows: &[HeldRow]) -> String {
    let count = |word: &str| rows.iter().filter(|row| cell(row, "security") == word).count();
    let (security, unknown) = (count("yes"), count(""));
    let unknown = if unknown == 0 { String::new() } else { format!("; of {unknown} it is not known") };
    if rows.is_empty() { "none".into() } else { format!("{}, {security} of them for security{unknown}", rows.len()) }
}

fn restart(rows: &[HeldRow]) -> String {
    let said = |field: &str| rows.first().map_or_else(String::new, |row| cell(row, field));
    match said("reboot_required").as_str() {
        "" => "not known".into(),
        "yes" if said("reboot_for").is_empty() => "yes".into(),
        "yes" => format!("yes, for {}", said("reboot_for").replace(',', ", ")),
        other => other.to_owned(),
    }
}

fn not_encrypted(rows: &[HeldRow]) -> String {
    let told = rows.iter().filter(|row| !cell(row, "encrypted").is_empty()).count();
    if told == 0 {
        return "not known: no file system says on which device it is".into();
    }
    let plain = rows.iter().filter(|row| cell(row, "encrypted") == "no");
    let field = |row: &HeldRow| if cell(row, "mount_point").is_empty() { "device" } else { "mount_point" };
    let named: Vec<String> = plain.map(|row| cell(row, field(row))).collect();
    match named.len() {
        0 => format!("none of {told}"),
        count => format!("{count} of {told}: {}", named[..count.min(NAMED)].join(", ")),
    }
}

fn certificates(rows: &[HeldRow], now: Timestamp) -> String {
    let left: Vec<i64> = rows.iter().filter_map(|row| days_until(&cell(row, "not_after"), now)).collect();
    let ended = left.iter().filter(|days| **days < 0).count();
    let soon = left.iter().filter(|days| (0..=SOON_DAYS).contains(*days)).count();
    format!("{}; {ended} ended, {soon} end within {SOON_DAYS} days", rows.len())
}

fn unread(held: &Held) -> String {
    let lacks = |status: Status| matches!(status, Status::Partial | Status::Unreadable | Status::SwitchedOff);
    let some = held.sections.iter().filter(|section| lacks(section.head.status)).count();
    format!("{some} of {}; each with its reason below", held.sections.len())
}

/// Changes, planned and not.
pub(super) fn changes(rows: &[Noted], is_all: bool) -> String {
    let planned = rows.iter().filter(|noted| noted.planned.is_some()).count();
    let unplanned: Vec<&Noted> = rows.iter().filter(|noted| noted.planned.is_none() && noted.judged).collect();
    let silent = unplanned.iter().filter(|noted| noted.reason.is_none()).count();
    let more = if is_all { "" } else { " or more" };
    format!(
        "{}{more}: {planned} planned, {} unplanned, {silent} of those without a reason",
        rows.len(),
        unplanned.len()
    )
}

/// Findings and checks that are not well.
pub(super) fn findings(host: &HostView) -> String {
    match host.troubles().count() {
        0 => "none".into(),
        count => count.to_string(),
    }
}
