//! Who is away: listed, said, read from a calendar, taken back.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, command, list as page_of, time_of};
use crate::{
    domain::{
        calendar::{self, Span},
        desk::standins::Away,
        event::{Answer, Command},
        ids::AbsenceNo,
        oncall::{
            absence::Absence,
            ical::{Entry, entries},
        },
        time::Timestamp,
    },
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem, settled},
    },
};

/// The largest calendar that is read, in bytes; one of years is some hundred kilobytes.
pub(in crate::web) const BODY_BYTES: usize = 2 << 20;
/// Longest absence, in milliseconds: two years.
const LONGEST_MS: i64 = 732 * 86_400_000;
/// What is wrong with a calendar is told so often.
const TOLD: usize = 10;

/// Who is away, what is over left out.
pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let (snapshot, now) = (web.snapshot(), web.now());
    let absences = &snapshot.exceptions.absences;
    let mut alive: Vec<&Absence> =
        absences.iter().filter(|known| known.withdrawn.is_none() && known.span.until > now).collect();
    alive.sort_by_key(|known| (known.span.from, known.no));
    let item = |known: &&Absence| {
        json!({
            "number": known.no, "person": known.person, "from": known.span.from.to_string(),
            "until": known.span.until.to_string(), "summary": known.summary, "by": known.by,
            "made": known.made.to_string(),
        })
    };
    Ok(page_of(alive.iter().map(item).collect(), None))
}

/// A time, or a calendar (iCalendar) whose entries are times.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewAbsence {
    pub(in crate::web) person: String,
    pub(in crate::web) from: Option<String>,
    pub(in crate::web) until: Option<String>,
    #[serde(default)]
    pub(in crate::web) summary: String,
    pub(in crate::web) calendar: Option<String>,
    #[serde(default)]
    pub(in crate::web) confirm_gaps: bool,
}

impl NewAbsence {
    /// As the engine takes it: entries to come, and how many are over.
    pub(in crate::web) fn checked(self, web: &Web) -> Result<(Away, usize), Problem> {
        let now = web.now();
        let given = match (&self.calendar, &self.from, &self.until) {
            (Some(text), None, None) => self.read(web, text)?,
            (None, Some(from), Some(until)) => {
                let span = Span { from: time_of("from", from)?, until: time_of("until", until)? };
                let summary: String = self.summary.chars().filter(|c| !c.is_control()).take(200).collect();
                vec![Entry { uid: String::new(), summary, span }]
            }
            _ => return Err(Problem::invalid("from", "", "from and until, or a calendar")),
        };
        if let Some(wrong) = given.iter().find(|entry| !is_right(entry.span)) {
            let said = format!("{} to {}", wrong.span.from, wrong.span.until);
            return Err(Problem::invalid("until", &said, "later than its beginning, by two years at most"));
        }
        let all = given.len();
        let entries: Vec<Entry> = given.into_iter().filter(|entry| entry.span.until > now).collect();
        let over = all - entries.len();
        Ok((Away { person: self.person, entries, gaps_confirmed: self.confirm_gaps }, over))
    }

    /// Days and times without a zone are those of the person.
    fn read(&self, web: &Web, text: &str) -> Result<Vec<Entry>, Problem> {
        let zone = web.context.config.roster.zone_of(&self.person).and_then(calendar::zone);
        let zone: TimeZone = zone.unwrap_or_else(|| web.zone.clone());
        entries(text, &zone).map_err(|troubles| {
            let told: Vec<String> = troubles.iter().take(TOLD).map(ToString::to_string).collect();
            let more = troubles.len().saturating_sub(TOLD);
            let tail = if more > 0 { format!("; and {more} more") } else { String::new() };
            let why = format!("the calendar cannot be read: {}{tail}", told.join("; "));
            Problem::new(StatusCode::BAD_REQUEST, why)
        })
    }
}

fn is_right(span: Span) -> bool {
    span.until > span.from && span.until.since_ms(span.from) <= LONGEST_MS
}

pub(in crate::web) async fn add(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewAbsence>,
) -> Answered {
    let (away, over) = asked.checked(&web)?;
    let entries: Vec<Value> = away.entries.iter().map(entry_json).collect();
    let made = web.context.mailbox.command(caller.principal(), Command::AddAbsences(Box::new(away))).await?;
    let added = if let Answer::Made(added) = made { added } else { 0 };
    settled(made)?;
    let known = i64::try_from(entries.len()).unwrap_or(i64::MAX) - added;
    Ok(Json(json!({ "done": true, "added": added, "known": known, "over": over, "entries": entries })))
}

fn entry_json(entry: &Entry) -> Value {
    let (from, until): (Timestamp, Timestamp) = (entry.span.from, entry.span.until);
    json!({ "from": from.to_string(), "until": until.to_string(), "summary": entry.summary })
}

pub(in crate::web) async fn end(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
) -> Answered {
    let no = number.parse().map_err(|_| Problem::invalid("number", &number, "a number, such as 3"))?;
    command(&web, &caller, Command::EndAbsence(AbsenceNo(no))).await
}
