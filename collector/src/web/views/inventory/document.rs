//! What there is and what changed, for whoever has to prove it: a document of a host, of a site or of the fleet, on paper,
//! in a browser, or as a file that needs nothing else. What is not known is said, and is never a nought.

pub(in crate::web) mod fleet;
mod glance;
pub(in crate::web) mod host;
mod tables;

use askama::Template;
use jiff::tz::TimeZone;

use super::Event;
use crate::{
    domain::{inventory::Status, time::Timestamp},
    store::inventory::changes::{Of, Page},
    web::{
        Web,
        access::Caller,
        problem::Problem,
        views::{Badge, When},
        words,
    },
};

/// Changes are told of so many days.
const DAYS: i64 = 30;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Changes that are told one by one; the list in the view and the API have all.
const EVENTS: usize = 300;
/// What happened to which row, of one change.
const ROWS_OF_EVENT: usize = 12;
/// From here a word is broken where a line ends.
const LONG: usize = 24;

/// A document.
#[derive(Template)]
#[template(path = "inventory_document.html")]
struct Document {
    style: &'static str,
    kind: &'static str,
    name: String,
    as_of: String,
    verdict: Option<Badge>,
    sentence: String,
    facts: Vec<(String, String)>,
    /// What is asked first.
    glance: Vec<(String, String)>,
    tables: Vec<Table>,
    /// Commands that say the same, and what else there is to know of where it is from.
    provenance: Vec<String>,
    commands: String,
    made: String,
}

impl Document {
    fn render_to_text(&self) -> Result<String, Problem> {
        self.render().map_err(|_| Problem::internal("the document cannot be drawn"))
    }
}

/// A table with its title.
#[derive(Default)]
struct Table {
    /// A heading above its own.
    group: Option<&'static str>,
    title: String,
    /// Where it was read, and what of it is not known.
    lead: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// What is said in place of rows, or of those that are left out.
    note: String,
}

/// What stands in a table.
#[derive(Default)]
struct Cell {
    text: String,
    badge: Option<Badge>,
    /// Said in small below it.
    small: String,
    /// Holds a word that may be broken.
    is_long: bool,
}

impl Cell {
    fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        let is_long = text.split_whitespace().any(|word| word.chars().count() > LONG);
        Self { text, is_long, ..Self::default() }
    }

    fn badge(badge: Badge) -> Self {
        Self { badge: Some(badge), ..Self::default() }
    }

    /// The same once more.
    fn again(&self) -> Self {
        let badge = self.badge.as_ref().map(|badge| Badge { word: badge.word.clone(), ..*badge });
        Self { text: self.text.clone(), badge, small: self.small.clone(), is_long: self.is_long }
    }

    fn with_small(self, small: String) -> Self {
        let is_long = self.is_long || small.split_whitespace().any(|word| word.chars().count() > LONG);
        Self { small, is_long, ..self }
    }
}

/// By whom and when a document was made.
fn made(caller: &Caller, now: Timestamp, zone: &TimeZone) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("by Muster {version} for {} on {}", caller.in_words(), words::clock_time(now, zone))
}

/// The changes of the days before `until`, the newest first.
async fn changes(web: &Web, of: Of, until: Timestamp) -> Result<Page, Problem> {
    let of = Of { from: Some(until.plus_ms(-DAYS * DAY_MS)), to: Some(until.plus_ms(1)), ..of };
    Ok(web.context.store.inventory_changes(of, EVENTS).await?)
}

/// What is said of changes that are not told one by one.
fn left_out(page: &Page) -> String {
    if page.next.is_none() {
        return String::new();
    }
    format!("The newest {EVENTS} of them; `muster-collector inventory changes` has all.")
}

/// One change as a row: when, which host where there are several, what, and why.
fn change_row(event: Event, with_host: bool) -> Vec<Cell> {
    let Event { when, host, class, title, kind, change, reason, rows, left_out, .. } = event;
    let mut details: Vec<String> = rows.iter().take(ROWS_OF_EVENT).map(|(key, said)| format!("{key} {said}")).collect();
    let more = rows.len().saturating_sub(ROWS_OF_EVENT) + left_out;
    details.extend((more > 0).then(|| format!("and {more} more")));
    let declared = change.unwrap_or_default();
    let because = match reason {
        Some((text, by)) => Cell::text(text).with_small(by),
        None if declared.is_empty() => Cell::text("no reason is given"),
        None => Cell::default(),
    };
    let mut row = vec![Cell::text(when.at)];
    row.extend(with_host.then(|| Cell::text(host)));
    row.extend([
        Cell::text(format!("{title} ({class})")).with_small(details.join("; ")),
        Cell { small: declared, ..Cell::badge(kind) },
        because,
    ]);
    row
}

/// The columns of [`change_row`].
fn change_columns(with_host: bool) -> Vec<&'static str> {
    let host = with_host.then_some("Host");
    ["Seen"].into_iter().chain(host).chain(["What", "Kind", "Reason"]).collect()
}

/// How a change of now is shown.
fn event_of<'a>(now: Timestamp, zone: &'a TimeZone) -> impl Fn(Timestamp) -> When + Copy + 'a {
    move |at| When::new(at, now, zone)
}

/// What a status that is not complete means, in words.
fn lacking(status: Status, reason: &str) -> String {
    let word = match status {
        Status::Complete => return String::new(),
        Status::Partial => "not all of it could be read",
        Status::Unreadable => "it could not be read",
        Status::Absent => "this machine has none",
        Status::SwitchedOff => "its own configuration says not to look",
    };
    if reason.is_empty() { word.to_owned() } else { format!("{word}: {reason}") }
}

/// A value as people read it: bytes with a unit, instants in the collector's zone.
fn shown(name: &str, value: &str, zone: &TimeZone) -> String {
    if name.ends_with("_bytes") {
        #[expect(clippy::cast_precision_loss, reason = "shown with three figures")]
        return value.parse::<u64>().map_or_else(|_| value.to_owned(), |bytes| words::bytes(bytes as f64));
    }
    let is_instant = value.len() >= 20 && value.ends_with('Z');
    let instant = is_instant.then(|| value.parse::<jiff::Timestamp>().ok()).flatten();
    instant.map_or_else(
        || value.to_owned(),
        |instant| words::clock_time(Timestamp::from_ms(instant.as_millisecond()), zone),
    )
}
