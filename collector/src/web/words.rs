//! Figures and times in words: with units, offsets and tabular shapes. The only place that formats for people.

use jiff::tz::TimeZone;

use crate::domain::{host::State, severity::Severity, time::Timestamp};

/// `2026-11-21 10:14:03 +01:00`
pub(super) fn clock_time(at: Timestamp, zone: &TimeZone) -> String {
    match jiff::Timestamp::from_millisecond(at.ms()) {
        Ok(instant) => instant.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
        Err(_) => "-".into(),
    }
}

/// How long ago: `just now`, `4 min ago`, `in 20 s`.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    let ms = now.since_ms(at);
    if (0..1000).contains(&ms) {
        "just now".into()
    } else if ms < 0 {
        format!("in {}", duration(ms.saturating_neg()))
    } else {
        format!("{} ago", duration(ms))
    }
}

/// The two largest units of a duration: `3 d 4 h`, `12 min`, `8 s`.
pub(super) fn duration(ms: i64) -> String {
    let seconds = ms / 1000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, 1..10) => format!("{minutes} min {} s", seconds % 60),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// All of a duration, in seconds that add up: `4 320.250 s`, with narrow no-break spaces.
pub(super) fn seconds(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let whole = usize::try_from(ms.unsigned_abs() / 1000).unwrap_or(usize::MAX);
    format!("{sign}{}.{:03}\u{202f}s", count(whole), ms.unsigned_abs() % 1000)
}

/// `512 B`, `3.1 GiB`, `118 GiB`.
pub(super) fn bytes(value: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = value.max(0.0);
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 100.0);
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// `1 host fits`, `3 hosts fit`.
pub(super) fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// `10000` -> `10 000`, with a narrow no-break space.
pub(super) fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + 4);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// The state in people's words.
pub(super) const fn state_words(state: State) -> &'static str {
    match state {
        State::AgentLost => "agent lost",
        other => other.word(),
    }
}

/// A sign beside the state's word, so that it is told apart without colour.
pub(super) const fn state_sign(state: State) -> &'static str {
    match state {
        State::Up => "✓",
        State::Suspect => "?",
        State::Down => "✕",
        State::AgentLost => "◐",
        State::Unreachable => "⊘",
        State::Unknown => "–",
        State::Rebooting => "↻",
        State::Shutdown => "■",
        State::Asleep => "☾",
    }
}

/// A sign beside the severity's word.
pub(super) const fn severity_sign(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "✕",
        Severity::Warning => "▲",
        Severity::Info => "i",
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986) and `/`.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The same for one part of a path: a slash in a name does not begin the next part.
pub(super) fn encode_part(text: &str) -> String {
    encode(text).replace('/', "%2F")
}

/// A word as a shell takes it.
pub(super) fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        let shown = [0, 999, 59_999, 60_000, 599_000, 600_000, 3_600_000, 90_061_000].map(duration);
        assert_eq!(shown, ["0 s", "0 s", "59 s", "1 min 0 s", "9 min 59 s", "10 min", "1 h 0 min", "1 d 1 h"]);
    }

    #[test]
    fn times_carry_their_offset() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(clock_time(Timestamp::from_ms(0), &zone), "1970-01-01 01:00:00 +01:00");
    }

    #[test]
    fn seconds_keep_their_milliseconds() {
        let shown = [0, 7, 4_320_250, -61_000].map(seconds);
        assert_eq!(shown, ["0.000\u{202f}s", "0.007\u{202f}s", "4\u{202f}320.250\u{202f}s", "-61.000\u{202f}s"]);
    }

    #[test]
    fn bytes_carry_their_unit() {
        let shown = [0.0, 1023.0, 1024.0, 3.3e9, 1.2e11, -1.0].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "3.1 GiB", "112 GiB", "0 B"]);
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
    }

    #[test]
    fn encoding_leaves_nothing_that_a_url_or_html_could_misread() {
        assert_eq!(encode("/a b?<\"'&ä"), "/a%20b%3F%3C%22%27%26%C3%A4");
        assert_eq!(encode_part("web/mail"), "web%2Fmail");
    }
}
