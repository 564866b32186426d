//! When somebody is away, read from a calendar that a program of theirs has written. What cannot be understood is told by
//! line, all of it at once; nothing is guessed.

use std::fmt;

use jiff::{
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use crate::domain::{
    calendar::{self, Edge, Span, at},
    time::Timestamp,
};

/// Most entries in one calendar.
const ENTRIES: usize = 1_000;
/// Longest id of an entry, in bytes.
const UID_BYTES: usize = 500;
/// Longest name of an entry, in characters; more is cut.
const SUMMARY_CHARS: usize = 200;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id in that calendar.
    pub uid: String,
    /// What it is called.
    pub summary: String,
    /// When.
    pub span: Span,
}

/// What is wrong on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// From 1.
    pub line: usize,
    /// What, with what was expected.
    pub what: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// A property: `NAME;PARAMETER=VALUE:VALUE`.
#[derive(Clone)]
struct Property {
    line: usize,
    name: String,
    parameters: Vec<(String, String)>,
    value: String,
}

impl Property {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn trouble(&self, what: impl fmt::Display) -> Trouble {
        Trouble { line: self.line, what: format!("{} {:?}: {what}", self.name, shortened(&self.value)) }
    }
}

/// The entries of a calendar; days and times without a zone of their own are those of `zone`.
///
/// # Errors
/// Everything that is wrong.
pub fn entries(text: &str, zone: &TimeZone) -> Result<Vec<Entry>, Vec<Trouble>> {
    let mut reader =
        Reader { zone, within: Vec::new(), open: None, found: Vec::new(), troubles: Vec::new(), any: false };
    for (line, content) in unfolded(text) {
        match property(line, &content) {
            Some(property) => reader.take(property),
            None => reader.troubles.push(Trouble { line, what: format!("{:?} is no NAME:VALUE", shortened(&content)) }),
        }
        if reader.troubles.len() > 20 || reader.found.len() > ENTRIES {
            break;
        }
    }
    if !reader.any && reader.troubles.is_empty() {
        reader.troubles.push(Trouble { line: 1, what: "this is no calendar: expected BEGIN:VCALENDAR".into() });
    }
    if reader.found.len() > ENTRIES {
        reader.troubles.push(Trouble { line: 1, what: format!("more than {ENTRIES} entries: export less at once") });
    }
    if reader.any && !reader.within.is_empty() && reader.troubles.is_empty() {
        let what = format!("END:{} is missing: the file is not whole", reader.within.join(", END:"));
        reader.troubles.push(Trouble { line: text.lines().count(), what });
    }
    if reader.troubles.is_empty() { Ok(reader.found) } else { Err(reader.troubles) }
}

struct Reader<'a> {
    zone: &'a TimeZone,
    within: Vec<String>,
    open: Option<Vec<Property>>,
    found: Vec<Entry>,
    troubles: Vec<Trouble>,
    any: bool,
}

impl Reader<'_> {
    fn take(&mut self, property: Property) {
        match property.name.as_str() {
            "BEGIN" => {
                let what = property.value.to_uppercase();
                self.any |= what == "VCALENDAR";
                if what == "VEVENT" {
                    self.open = Some(vec![property]);
                }
                self.within.push(what);
            }
            "END" => {
                let what = property.value.to_uppercase();
                if self.within.pop().as_ref() != Some(&what) {
                    self.troubles.push(property.trouble("there is no BEGIN to it"));
                }
                if what == "VEVENT" {
                    self.end();
                }
            }
            // What stands in an entry itself, not in its alarms.
            _ if self.within.last().is_some_and(|last| last == "VEVENT") => {
                self.open.iter_mut().for_each(|open| open.push(property.clone()));
            }
            _ => {}
        }
    }

    fn end(&mut self) {
        let Some(properties) = self.open.take() else { return };
        match entry(&properties, self.zone) {
            Ok(entry) => self.found.extend(entry),
            Err(trouble) => self.troubles.push(trouble),
        }
    }
}

/// An entry of its properties; none where it was cancelled.
fn entry(properties: &[Property], zone: &TimeZone) -> Result<Option<Entry>, Trouble> {
    let find = |name: &str| properties.iter().find(|property| property.name == name);
    let begin = properties.first();
    if find("STATUS").is_some_and(|status| status.value.eq_ignore_ascii_case("CANCELLED")) {
        return Ok(None);
    }
    if let Some(recurs) = ["RRULE", "RDATE", "RECURRENCE-ID"].into_iter().find_map(find) {
        let what = "an entry that recurs is not understood; write each of its times as an entry of its own";
        return Err(recurs.trouble(what));
    }
    let missing =
        |what: &str| Trouble { line: begin.map_or(1, |begin| begin.line), what: format!("this entry has no {what}") };
    let start = find("DTSTART").ok_or_else(|| missing("DTSTART"))?;
    let from = moment(start, zone)?;
    let until = match (find("DTEND"), find("DURATION")) {
        (Some(end), _) => {
            let until = moment(end, zone)?;
            if matches!(from, Moment::Day(_)) != matches!(until, Moment::Day(_)) {
                return Err(end.trouble("a day and a time do not go together"));
            }
            until.instant(zone, Edge::End)
        }
        (None, Some(lasts)) => {
            from.plus(&lasts.value, zone).ok_or_else(|| lasts.trouble("expected such as P3D or PT8H"))?
        }
        (None, None) => {
            from.plus("P1D", zone).filter(|_| matches!(from, Moment::Day(_))).ok_or_else(|| missing("DTEND"))?
        }
    };
    let span = Span { from: from.instant(zone, Edge::Start), until };
    if span.until <= span.from {
        return Err(find("DTEND").unwrap_or(start).trouble("it ends before it begins"));
    }
    let summary = find("SUMMARY").map_or_else(String::new, |summary| unescaped(&summary.value));
    let uid = find("UID").map_or_else(|| format!("{}-{}", span.from.ms(), span.until.ms()), |uid| uid.value.clone());
    if uid.len() > UID_BYTES {
        return Err(missing(&format!("UID of at most {UID_BYTES} bytes")));
    }
    Ok(Some(Entry { uid, summary, span }))
}

/// A point in a calendar.
#[derive(Debug, Clone)]
enum Moment {
    Day(Date),
    Wall(DateTime, Option<TimeZone>),
    Utc(jiff::Timestamp),
}

impl Moment {
    fn instant(&self, zone: &TimeZone, edge: Edge) -> Timestamp {
        match self {
            Self::Day(date) => at(*date, Time::midnight(), zone, Edge::Start),
            Self::Wall(wall, own) => at(wall.date(), wall.time(), own.as_ref().unwrap_or(zone), edge),
            Self::Utc(at) => Timestamp::from_ms(at.as_millisecond()),
        }
    }

    /// So much later; days by the clock, hours as they pass.
    fn plus(&self, duration: &str, zone: &TimeZone) -> Option<Timestamp> {
        let span: jiff::Span = duration.parse().ok()?;
        let zone = match self {
            Self::Wall(_, Some(own)) => own,
            _ => zone,
        };
        let from = calendar::instant(self.instant(zone, Edge::Start)).to_zoned(zone.clone());
        from.checked_add(span).ok().map(|until| Timestamp::from_ms(until.timestamp().as_millisecond()))
    }
}

fn moment(property: &Property, zone: &TimeZone) -> Result<Moment, Trouble> {
    let value = property.value.trim();
    let wrong = || property.trouble("expected such as 20261224, 20261224T080000 or 20261224T080000Z");
    if property.parameter("VALUE") == Some("DATE") || value.len() == 8 {
        return Date::strptime("%Y%m%d", value).map(Moment::Day).map_err(|_| wrong());
    }
    let (wall, is_utc) = value.strip_suffix('Z').map_or((value, false), |wall| (wall, true));
    let wall = DateTime::strptime("%Y%m%dT%H%M%S", wall).map_err(|_| wrong())?;
    if is_utc {
        return wall.to_zoned(TimeZone::UTC).map(|at| Moment::Utc(at.timestamp())).map_err(|_| wrong());
    }
    let Some(name) = property.parameter("TZID") else { return Ok(Moment::Wall(wall, None)) };
    // Some programs set a path before the name of the zone.
    let known = calendar::zone(name).or_else(|| {
        let parts: Vec<&str> = name.rsplitn(3, '/').collect();
        calendar::zone(&format!("{}/{}", parts.get(1)?, parts.first()?))
    });
    let own = known.ok_or_else(|| {
        let usual = zone.iana_name().unwrap_or("UTC");
        property.trouble(format!(
            "TZID {name:?} is no zone of the IANA database such as {usual}; export it with such a zone, or in UTC"
        ))
    })?;
    Ok(Moment::Wall(wall, Some(own)))
}

/// Lines with those that go on below put together, and the number of their first.
fn unfolded(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (n, line) in text.lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some((_, before))) => before.push_str(more),
            _ if line.trim().is_empty() => {}
            _ => lines.push((n + 1, line.to_owned())),
        }
    }
    lines
}

fn property(line: usize, content: &str) -> Option<Property> {
    let mut quoted = false;
    let colon = content.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == ':' && !quoted
    })?;
    let (head, value) = (&content[..colon.0], &content[colon.0 + 1..]);
    let mut quoted = false;
    let mut parts = head.split(|c: char| {
        quoted ^= c == '"';
        c == ';' && !quoted
    });
    let name = parts.next()?.trim().to_uppercase();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return None;
    }
    let parameters = parts.filter_map(|part| part.split_once('='));
    let parameters =
        parameters.map(|(name, value)| (name.to_uppercase(), value.trim_matches('"').to_owned())).collect();
    Some(Property { line, name, parameters, value: value.to_owned() })
}

/// A text without its escapes, in one line.
fn unescaped(value: &str) -> String {
    let mut text = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next() {
                Some('n' | 'N') | None => ' ',
                Some(other) => other,
            },
            c if c.is_control() => ' ',
            c => c,
        });
    }
    text.chars().take(SUMMARY_CHARS).collect::<String>().trim().to_owned()
}

fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        calendar::zone("Europe/Berlin").unwrap()
    }

    fn of(event: &str) -> Result<Vec<Entry>, Vec<Trouble>> {
        entries(
            &format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n{event}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"),
            &berlin(),
        )
    }

    /// From and until of the only entry.
    fn times(event: &str) -> (String, String) {
        let all = of(event).unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        (all[0].span.from.to_string(), all[0].span.until.to_string())
    }

    fn trouble(event: &str) -> String {
        of(event).unwrap_err()[0].to_string()
    }

    #[test]
    fn whole_days_are_days_by_the_clock_of_the_person_over_a_change_of_it() {
        // Saturday to Monday in Berlin: the clock is set back on Sunday.
        let two = ("2026-10-23T22:00:00.000Z".to_owned(), "2026-10-25T23:00:00.000Z".to_owned());
        assert_eq!(times("DTSTART;VALUE=DATE:20261024\r\nDTEND;VALUE=DATE:20261026"), two);
        assert_eq!(times("DTSTART;VALUE=DATE:20261024\r\nDURATION:P2D"), two);
        assert_eq!(times("DTSTART;VALUE=DATE:20261224").1, "2026-12-24T23:00:00.000Z", "one day without an end");
    }

    #[test]
    fn times_go_by_utc_by_their_zone_or_by_the_persons() {
        let at = |event: &str| times(&format!("{event}\r\nDURATION:PT1H")).0;
        assert_eq!(at("DTSTART:20261224T080000Z"), "2026-12-24T08:00:00.000Z");
        assert_eq!(at("DTSTART;TZID=America/New_York:20261224T080000"), "2026-12-24T13:00:00.000Z");
        assert_eq!(
            at("DTSTART;TZID=\"/freeassociation.sourceforge.net/Europe/Lisbon\":20261224T080000"),
            "2026-12-24T08:00:00.000Z"
        );
        assert_eq!(at("DTSTART:20261224T080000"), "2026-12-24T07:00:00.000Z");
        assert_eq!(times("DTSTART;TZID=Europe/Berlin:20261024T120000\r\nDURATION:P1D").1, "2026-10-25T11:00:00.000Z");
        assert_eq!(times("DTSTART;TZID=Europe/Berlin:20261024T120000\r\nDURATION:PT24H").1, "2026-10-25T10:00:00.000Z");
    }

    #[test]
    fn folded_lines_alarms_zones_and_what_was_cancelled_are_read_as_they_are_meant() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:STANDARD\nDTSTART:19701025T030000\n\
            RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nEND:STANDARD\nEND:VTIMEZONE\n\
            BEGIN:VEVENT\nUID:a;b:c\nSUMMARY;LANGUAGE=\"x:y;z\":Hol\n iday\\, at\\nsea\nDTSTART;VALUE=DATE:2026\n\t1224\n\
            BEGIN:VALARM\nTRIGGER:-PT1H\nSUMMARY:alarm\nEND:VALARM\nEND:VEVENT\n\
            BEGIN:VEVENT\nUID:2\nSTATUS:CANCELLED\nRRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR\n";
        let all = entries(text, &berlin()).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].uid.as_str(), all[0].summary.as_str()), ("a;b:c", "Holiday, at sea"));
    }

    #[test]
    fn what_is_not_understood_is_told_by_its_line_and_all_of_it_at_once() {
        assert_eq!(
            trouble("DTSTART;VALUE=DATE:20261224\r\nRRULE:FREQ=WEEKLY"),
            "line 5: RRULE \"FREQ=WEEKLY\": an entry that recurs is not understood; write each of its times as an entry of its own"
        );
        assert!(
            trouble("DTSTART;TZID=W. Europe Standard Time:20261224T080000\r\nDURATION:PT1H")
                .contains("is no zone of the IANA database")
        );
        assert!(trouble("DTSTART:tomorrow").starts_with("line 4: DTSTART \"tomorrow\": expected such as 20261224"));
        assert!(trouble("DTSTART:20261224T080000Z").contains("this entry has no DTEND"));
        assert!(trouble("SUMMARY:x").starts_with("line 2: this entry has no DTSTART"));
        assert!(trouble("DTSTART:20261224T080000Z\r\nDTEND:20261224T080000Z").contains("it ends before it begins"));
        assert!(trouble("DTSTART:20261224T080000Z\r\nDTEND;VALUE=DATE:20261225").contains("a day and a time"));
        assert!(entries("name,from,until\n", &berlin()).unwrap_err()[0].to_string().contains("is no NAME:VALUE"));
        assert!(entries("", &berlin()).unwrap_err()[0].to_string().contains("no calendar"));
        assert!(
            entries("BEGIN:VCALENDAR\nBEGIN:VEVENT\n", &berlin()).unwrap_err()[0].to_string().contains("not whole")
        );
        let two = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR\n";
        assert_eq!(entries(two, &berlin()).unwrap_err().len(), 2);
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_anybody_sends_is_a_panic(text in "(BEGIN:VEVENT|DTSTART|DURATION|[:;=\"\\\\\r\n P0-9TZ\u{e4}]|VALUE=DATE|END:VEVENT){0,40}") {
            let found = entries(&format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{text}\nEND:VEVENT\nEND:VCALENDAR\n"), &berlin());
            let whole = |all: &Vec<Entry>| all.iter().all(|entry| entry.span.until > entry.span.from);
            proptest::prop_assert!(found.as_ref().map_or_else(|troubles| !troubles.is_empty(), whole), "{:?}", found);
        }
    }
}
