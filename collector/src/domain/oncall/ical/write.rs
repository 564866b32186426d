//! A calendar as text: times in UTC, ids that stay, lines of at most 75 octets.

use crate::domain::{
    calendar::{self, Span},
    time::Timestamp,
};

/// Octets in a line, its end apart (RFC 5545, 3.1).
const LINE_OCTETS: usize = 75;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The same whenever it is written.
    pub uid: String,
    /// When.
    pub span: Span,
    /// One line.
    pub summary: String,
    /// More of them.
    pub description: String,
}

/// A calendar of this name as it stands at an instant.
#[must_use]
pub fn calendar(name: &str, events: &[Event], now: Timestamp) -> String {
    let mut text = String::new();
    let stamp = utc(now);
    let head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Muster//on call//EN", "CALSCALE:GREGORIAN"];
    head.iter().for_each(|line| push(&mut text, line));
    push(&mut text, &format!("X-WR-CALNAME:{}", escaped(name)));
    push(&mut text, "REFRESH-INTERVAL;VALUE=DURATION:PT1H");
    push(&mut text, "X-PUBLISHED-TTL:PT1H");
    for event in events {
        push(&mut text, "BEGIN:VEVENT");
        push(&mut text, &format!("UID:{}", escaped(&event.uid)));
        push(&mut text, &format!("DTSTAMP:{stamp}"));
        push(&mut text, &format!("DTSTART:{}", utc(event.span.from)));
        push(&mut text, &format!("DTEND:{}", utc(event.span.until)));
        push(&mut text, &format!("SUMMARY:{}", escaped(&event.summary)));
        if !event.description.is_empty() {
            push(&mut text, &format!("DESCRIPTION:{}", escaped(&event.description)));
        }
        // Being on call does not make somebody busy.
        push(&mut text, "TRANSP:TRANSPARENT");
        push(&mut text, "END:VEVENT");
    }
    push(&mut text, "END:VCALENDAR");
    text
}

/// `20261130T080000Z`; calendars know no milliseconds.
fn utc(at: Timestamp) -> String {
    calendar::instant(at).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// A text as a value (RFC 5545, 3.3.11); other control characters have no place in one.
fn escaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => value.extend(['\\', c]),
            '\n' => value.push_str("\\n"),
            c if c.is_control() => value.push(' '),
            c => value.push(c),
        }
    }
    value
}

/// Adds a line, folded between characters where it is too long.
fn push(text: &mut String, line: &str) {
    let mut room = LINE_OCTETS;
    for c in line.chars() {
        if c.len_utf8() > room {
            text.push_str("\r\n ");
            room = LINE_OCTETS - 1;
        }
        text.push(c);
        room -= c.len_utf8();
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_written_in_utc_escaped_and_folded_between_characters() {
        let event = Event {
            uid: "ops-1@x".into(),
            span: Span { from: Timestamp::from_ms(1_795_507_200_000), until: Timestamp::from_ms(1_796_112_000_000) },
            summary: "ann; bob, c\\d on call".into(),
            description: format!("first\nsecond {}", "ü".repeat(60)),
        };
        let text = calendar("ops", &[event], Timestamp::from_ms(0));
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert!(lines.iter().all(|line| line.len() <= 75), "{text}");
        assert!(lines.contains(&"DTSTART:20261124T080000Z") && lines.contains(&"DTEND:20261201T080000Z"), "{text}");
        assert!(lines.contains(&"SUMMARY:ann\\; bob\\, c\\\\d on call"), "{text}");
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains(&format!("DESCRIPTION:first\\nsecond {}\r\n", "ü".repeat(60))), "{text}");
        assert!(text.ends_with("END:VCALENDAR\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']));
    }
}
