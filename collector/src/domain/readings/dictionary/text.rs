//! Text that no host can break: names checked, values cleaned and escaped, numbers as Prometheus spells them.
//!
//! The limits keep one host from drowning the others: Prometheus has the same ones, but off by default.

use std::io::Write;

use super::FamilyType;

/// Longest metric or label name, bytes.
pub const NAME_BYTES: usize = 128;
/// Longest label value or help text, bytes; longer ones are cut.
pub const VALUE_BYTES: usize = 256;
/// Most labels of one series.
pub const LABELS: usize = 30;
/// Whole numbers below this are exact in an f64 (2^53).
pub const EXACT: f64 = 9_007_199_254_740_992.0;

/// How a page of metrics is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus' text format 0.0.4, which everything reads.
    Text,
    /// OpenMetrics 1.0.0, which Prometheus asks for first.
    OpenMetrics,
}

impl Format {
    /// Name and type under which a family is headed.
    ///
    /// OpenMetrics calls a counter by its name without `_total`, which only the samples carry. A counter whose samples
    /// have no `_total` (the exporters of the field have some) is of unknown type there, so that its name stays.
    #[must_use]
    pub fn heading(self, name: &str, kind: FamilyType) -> (&str, &'static str) {
        match (self, kind) {
            (Self::Text, _) => (name, kind.word()),
            (Self::OpenMetrics, FamilyType::Counter) => match counter_base(name) {
                Some(base) => (base, "counter"),
                None => (name, "unknown"),
            },
            (Self::OpenMetrics, FamilyType::Untyped) => (name, "unknown"),
            (Self::OpenMetrics, _) => (name, kind.word()),
        }
    }

    /// What the last line of a page says.
    #[must_use]
    pub const fn end(self) -> &'static [u8] {
        match self {
            Self::Text => b"",
            Self::OpenMetrics => b"# EOF\n",
        }
    }
}

/// What OpenMetrics calls the counter of this name; `None` when it knows no counter of such a name.
#[must_use]
pub fn counter_base(name: &str) -> Option<&str> {
    name.strip_suffix("_total").filter(|base| !base.is_empty())
}

/// Whether `name` is a metric name: `[a-zA-Z_:][a-zA-Z0-9_:]*`, at most [`NAME_BYTES`].
#[must_use]
pub fn is_metric_name(name: &str) -> bool {
    is_name(name, |byte| byte == b':')
}

/// Whether `name` is a label name: `[a-zA-Z_][a-zA-Z0-9_]*`, at most [`NAME_BYTES`].
#[must_use]
pub fn is_label_name(name: &str) -> bool {
    is_name(name, |_| false)
}

fn is_name(name: &str, also: impl Fn(u8) -> bool) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || also(byte);
    name.len() <= NAME_BYTES
        && name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// Whether Prometheus or Muster gives this label itself, so that a host may not.
#[must_use]
pub fn is_reserved_label(name: &str) -> bool {
    name.starts_with("__") || matches!(name, "host" | "instance" | "job")
}

/// Cuts to [`VALUE_BYTES`] and replaces control characters (newlines stay) and bidirectional overrides by U+FFFD.
#[must_use]
pub fn clean(text: &str) -> String {
    let cut = &text[..text.floor_char_boundary(VALUE_BYTES)];
    cut.chars().map(|c| if is_harmful(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Appends a label value as it stands between quotes in the exposition format.
pub fn push_label_value(out: &mut Vec<u8>, value: &str) {
    for byte in value.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'"' => out.extend_from_slice(b"\\\""),
            b'\n' => out.extend_from_slice(b"\\n"),
            other => out.push(other),
        }
    }
}

/// Appends `# HELP` (unless empty) and `# TYPE` lines.
pub fn push_header(out: &mut Vec<u8>, format: Format, name: &str, kind: FamilyType, help: &str) {
    let (name, kind) = format.heading(name, kind);
    if !help.is_empty() {
        out.extend_from_slice(b"# HELP ");
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        for byte in help.bytes() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'"' if format == Format::OpenMetrics => out.extend_from_slice(b"\\\""),
                other => out.push(other),
            }
        }
        out.push(b'\n');
    }
    for part in ["# TYPE ", name, " ", kind, "\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends `name{label="value",...} `, ready for the number. The names must have been checked.
pub fn push_series<N: AsRef<str>, V: AsRef<str>>(out: &mut Vec<u8>, name: &str, suffix: &str, labels: &[(N, V)]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(suffix.as_bytes());
    for (n, (label, value)) in labels.iter().enumerate() {
        out.push(if n == 0 { b'{' } else { b',' });
        out.extend_from_slice(label.as_ref().as_bytes());
        out.extend_from_slice(b"=\"");
        push_label_value(out, value.as_ref());
        out.push(b'"');
    }
    if !labels.is_empty() {
        out.push(b'}');
    }
    out.push(b' ');
}

/// Appends a number: whole ones as digits, others in the shortest form that reads back equal, `NaN`, `+Inf`, `-Inf`.
pub fn push_number(out: &mut Vec<u8>, value: f64) {
    if value.abs() < EXACT {
        let whole = value as i64;
        if whole as f64 == value {
            return push_whole(out, whole);
        }
    }
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{value:?}");
    }
}

fn push_whole(out: &mut Vec<u8>, whole: i64) {
    // 2^53 has 16 digits, and one place for the sign.
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = whole.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if whole < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: f64) -> String {
        let mut out = Vec::new();
        push_number(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_spelled_as_prometheus_wants_them() {
        let spelled = [0.0, -0.0, 1.0, -17.0, 0.25, 1e300, 1e-9, 9_007_199_254_740_991.0].map(number);
        assert_eq!(spelled, ["0", "0", "1", "-17", "0.25", "1e300", "1e-9", "9007199254740991"]);
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(number), ["NaN", "+Inf", "-Inf"]);
    }

    #[test]
    fn every_number_reads_back_equal() {
        proptest::proptest!(|(value: f64)| {
            let back: f64 = number(value).replace("+Inf", "inf").parse().unwrap();
            proptest::prop_assert!(back == value || (back.is_nan() && value.is_nan()));
        });
    }

    #[test]
    fn names_outside_the_alphabet_are_refused() {
        assert!(is_metric_name("node_load1") && is_metric_name("a:b") && is_label_name("_x9"));
        for bad in ["", "9a", "a-b", "a b", "a\n", "é", &"x".repeat(129)] {
            assert!(!is_metric_name(bad) && !is_label_name(bad), "{bad:?}");
        }
        assert!(!is_label_name("a:b"));
        assert!(is_reserved_label("__name__") && is_reserved_label("job") && !is_reserved_label("device"));
    }

    #[test]
    fn values_are_cut_at_a_character_and_lose_control_and_direction() {
        assert_eq!(clean("a\0b\u{202e}c\nd\r"), "a\u{fffd}b\u{fffd}c\nd\u{fffd}");
        let cut = clean(&"é".repeat(40_000));
        assert_eq!(cut.len(), VALUE_BYTES);
    }
}
