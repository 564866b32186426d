//! What changed, event by event: what it was, whether it was planned, and what somebody said of it.

use rusqlite::{Connection, params};

use super::{failed, past};
use crate::{
    domain::{
        ids::HostNo,
        inventory::change::{Change, Class, RowChange},
        time::Timestamp,
    },
    store::{Store, StoreError},
};

/// Events that are judged at once.
const AT_ONCE: i64 = 500;
/// Events that are looked at for one answer: some tenths of a second of the reader.
const READ_AT_ONCE: usize = 50_000;

/// What names an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeId {
    /// When it was seen.
    pub at: Timestamp,
    /// On which host.
    pub host: HostNo,
    /// Its number among those that were seen then.
    pub n: i64,
}

impl std::fmt::Display for ChangeId {
    /// As programs give it back: `1795000000000-7-1`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{}", self.at.ms(), self.host.0, self.n)
    }
}

impl std::str::FromStr for ChangeId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Option<Vec<i64>> = text.split('-').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            Some([at, host, n]) => Ok(Self { at: Timestamp::from_ms(*at), host: HostNo(*host), n: *n }),
            _ => Err(()),
        }
    }
}

/// Why somebody says that it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// In their words.
    pub text: String,
    /// Who says so.
    pub by: String,
    /// When they said so.
    pub at: Timestamp,
}

/// An event as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// What names it.
    pub id: ChangeId,
    /// The look before the one that saw it.
    pub since: Timestamp,
    /// What changed.
    pub change: Change,
    /// Whether it was looked whether it was planned.
    pub judged: bool,
    /// The maintenance window it was made in, by its change or name.
    pub planned: Option<String>,
    /// Why it was done.
    pub reason: Option<Reason>,
}

/// Which events; what is not said fits all.
#[derive(Debug, Clone, Default)]
pub struct Of {
    /// Of these hosts; none: of all.
    pub hosts: Option<Vec<HostNo>>,
    /// Of this class.
    pub class: Option<Class>,
    /// Of this section.
    pub section: Option<String>,
    /// Seen at this instant or later.
    pub from: Option<Timestamp>,
    /// Seen before this instant.
    pub to: Option<Timestamp>,
    /// Made in a maintenance window, or not.
    pub planned: Option<bool>,
    /// With a reason, or without one.
    pub explained: Option<bool>,
    /// Those before this one.
    pub after: Option<ChangeId>,
}

/// Some of the events that fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The newest first.
    pub rows: Vec<Noted>,
    /// The event after which to go on; none: that was all.
    pub next: Option<ChangeId>,
}

impl Store {
    /// Events that fit, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn inventory_changes(&self, of: Of, limit: usize) -> Result<Page, StoreError> {
        self.facts_reader().read(move |connection| find(connection, &of, limit)).await
    }

    /// Events of which nobody has looked yet whether they were planned, the oldest of each host first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn inventory_unjudged(&self) -> Result<Vec<Noted>, StoreError> {
        self.facts_reader()
            .read(|connection| {
                let sql = format!("{COLUMNS} WHERE judged = 0 ORDER BY host, at_ms, n LIMIT ?1");
                let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
                statement.query_map([AT_ONCE], noted).and_then(Iterator::collect).map_err(failed)
            })
            .await
    }

    /// Notes of events in which maintenance window they were made.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn judge_inventory(&self, judged: Vec<(ChangeId, Option<String>)>) -> Result<(), StoreError> {
        let write = move |connection: &Connection| {
            let mut statement = connection
                .prepare_cached(
                    "UPDATE inventory_change SET judged = 1, planned = ?4 WHERE host = ?1 AND at_ms = ?2 AND n = ?3",
                )
                .map_err(failed)?;
            judged.iter().try_for_each(|(id, window)| {
                let planned = window.as_deref().unwrap_or_default();
                statement.execute(params![id.host.0, id.at.ms(), id.n, planned]).map(drop).map_err(failed)
            })
        };
        self.facts().write(write, |()| {}).await
    }

    /// Notes why an event was; what was said before is replaced. False: there is no such event.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn explain_inventory(&self, id: ChangeId, reason: Reason) -> Result<bool, StoreError> {
        let write = move |connection: &Connection| {
            connection
                .execute(
                    "UPDATE inventory_change SET reason = ?4, reason_by = ?5, reason_ms = ?6
                     WHERE host = ?1 AND at_ms = ?2 AND n = ?3",
                    params![id.host.0, id.at.ms(), id.n, reason.text, reason.by, reason.at.ms()],
                )
                .map(|rows| rows == 1)
                .map_err(failed)
        };
        self.facts().write(write, |_| {}).await
    }

    /// One event.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn inventory_change(&self, id: ChangeId) -> Result<Option<Noted>, StoreError> {
        self.facts_reader()
            .read(move |connection| {
                let sql = format!("{COLUMNS} WHERE host = ?1 AND at_ms = ?2 AND n = ?3");
                let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
                let mut rows = statement.query_map(params![id.host.0, id.at.ms(), id.n], noted).map_err(failed)?;
                rows.next().transpose().map_err(failed)
            })
            .await
    }
}

const COLUMNS: &str = "SELECT host, at_ms, n, since_ms, section, class, title, parts, body, judged, planned,
    reason, reason_by, reason_ms FROM inventory_change";

/// Notes events that were seen at one look; what they take.
pub(super) fn append(
    connection: &Connection,
    host: HostNo,
    since: Timestamp,
    at: Timestamp,
    events: &[Change],
) -> Result<past::Size, StoreError> {
    let mut size = past::Size::default();
    let mut statement = connection
        .prepare_cached(
            "INSERT INTO inventory_change
             (host, at_ms, n, since_ms, section, class, title, parts, body, judged, planned, reason, reason_by)
             VALUES (?1, ?2,
                     (SELECT coalesce(max(n), 0) + 1 FROM inventory_change WHERE host = ?1 AND at_ms = ?2),
                     ?3, ?4, ?5, ?6, ?7, ?8, 0, '', '', '')",
        )
        .map_err(failed)?;
    for event in events {
        let rows = serde_json::to_string(&event.rows).unwrap_or_default();
        let count = i64::try_from(event.count).unwrap_or(i64::MAX);
        let class = event.class.word();
        statement
            .execute(params![host.0, at.ms(), since.ms(), event.section, class, event.title, count, rows])
            .map_err(failed)?;
        size = size.plus(rows.len());
    }
    Ok(size)
}

fn noted(row: &rusqlite::Row<'_>) -> rusqlite::Result<Noted> {
    let class: String = row.get(5)?;
    let rows: Vec<RowChange> = serde_json::from_str(&row.get::<_, String>(8)?).unwrap_or_default();
    let (count, judged): (i64, i64) = (row.get(7)?, row.get(9)?);
    let planned: String = row.get(10)?;
    let said: Option<i64> = row.get(13)?;
    let reason = match said {
        Some(at) => Some(Reason { text: row.get(11)?, by: row.get(12)?, at: Timestamp::from_ms(at) }),
        None => None,
    };
    Ok(Noted {
        id: id_of(row)?,
        since: Timestamp::from_ms(row.get(3)?),
        change: Change {
            class: Class::of_word(&class).unwrap_or(Class::Changed),
            section: row.get(4)?,
            title: row.get(6)?,
            count: usize::try_from(count).unwrap_or(0),
            rows,
        },
        judged: judged != 0,
        planned: (!planned.is_empty()).then_some(planned),
        reason,
    })
}

/// Events that fit, the newest first, and the one after which to go on.
fn find(connection: &Connection, of: &Of, limit: usize) -> Result<Page, StoreError> {
    let one = of.hosts.as_deref().and_then(|hosts| if let [host] = hosts { Some(host.0) } else { None });
    let condition = if one.is_some() { "host = ?1" } else { "?1 IS NULL" };
    let sql = format!(
        "{COLUMNS} WHERE {condition} AND at_ms >= ?2 AND at_ms < ?3 AND at_ms <= ?4 ORDER BY at_ms DESC, host DESC, n DESC"
    );
    let from = of.from.map_or(i64::MIN, Timestamp::ms);
    let to = of.to.map_or(i64::MAX, Timestamp::ms);
    let after = of.after.map_or(i64::MAX, |id| id.at.ms());
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(params![one, from, to, after]).map_err(failed)?;
    let (mut page, mut read) = (Page::default(), 0);
    let mut last = None;
    while let Some(row) = rows.next().map_err(failed)? {
        let id = id_of(row).map_err(failed)?;
        if of.after.is_some_and(|after| id >= after) {
            continue;
        }
        if page.rows.len() >= limit || read >= READ_AT_ONCE {
            page.next = last;
            break;
        }
        read += 1;
        last = Some(id);
        if fits(of, id, row).map_err(failed)? {
            page.rows.push(noted(row).map_err(failed)?);
        }
    }
    Ok(page)
}

fn id_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<ChangeId> {
    Ok(ChangeId { at: Timestamp::from_ms(row.get(1)?), host: HostNo(row.get(0)?), n: row.get(2)? })
}

fn fits(of: &Of, id: ChangeId, row: &rusqlite::Row<'_>) -> rusqlite::Result<bool> {
    let (section, class, planned): (String, String, String) = (row.get(4)?, row.get(5)?, row.get(10)?);
    let said: Option<i64> = row.get(13)?;
    Ok(of.hosts.as_ref().is_none_or(|hosts| hosts.contains(&id.host))
        && of.class.is_none_or(|wanted| wanted.word() == class)
        && of.section.as_ref().is_none_or(|wanted| *wanted == section)
        && of.planned.is_none_or(|wanted| wanted != planned.is_empty())
        && of.explained.is_none_or(|wanted| wanted == said.is_some()))
}
