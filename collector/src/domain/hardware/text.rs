//! Reading what tools print: numbers with separators, keys and values, bytes that are no text.

use serde_json::Value;

/// Longest text that is taken over from a tool, in characters; the rest is cut off.
const TEXT_CHARS: usize = 256;

/// The text of these bytes: what is no UTF-8 is replaced, UTF-16 with a mark is understood, carriage returns go.
pub(super) fn text_of(bytes: &[u8]) -> String {
    let units = |order: fn([u8; 2]) -> u16| -> String {
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| order(*pair)).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match bytes {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    };
    text.trim_start_matches('\u{feff}').replace('\r', "")
}

/// The number that a text begins with; separators of thousands are passed over where three digits follow.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = text.trim_start();
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let digits: String = hex.chars().take_while(char::is_ascii_hexdigit).collect();
        return u64::from_str_radix(&digits, 16).ok();
    }
    let mut digits = String::new();
    let mut rest = text;
    loop {
        let run: &str = &rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())];
        digits.push_str(run);
        rest = &rest[run.len()..];
        let mut after = rest.chars();
        let separator = after.next().filter(|c| matches!(c, ',' | '\'' | '.' | '\u{a0}' | '\u{202f}' | ' '));
        let group = after.as_str().as_bytes();
        let three = group.len() >= 3
            && group[..3].iter().all(u8::is_ascii_digit)
            && !group.get(3).is_some_and(u8::is_ascii_digit);
        if run.is_empty() || separator.is_none() || !three {
            break;
        }
        // 38280,029 has a decimal comma, and so has 1.234: points are never taken for separators of thousands.
        if separator == Some('.') || run.len() > 3 {
            break;
        }
        rest = after.as_str();
    }
    digits.parse().ok()
}

/// The digits that a text begins with, as a number.
pub(super) fn digits(text: &str) -> Option<u64> {
    let text = text.trim_start();
    text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())].parse().ok()
}

/// The number anywhere in a word such as `c0`, `#12` or `85%`.
pub(super) fn number_in(text: &str) -> Option<u64> {
    number(text.trim_start_matches(|c: char| !c.is_ascii_digit()))
}

/// Key and value of a line `key: value`, both trimmed.
pub(super) fn pair(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    Some((key.trim(), value.trim()))
}

/// A text of an acceptable length, without control characters.
pub(super) fn short(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(TEXT_CHARS).collect()
}

/// A text of a JSON document; empty where there is none.
pub(super) fn string(value: &Value) -> String {
    match value {
        Value::String(text) => short(text),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// A whole number of a JSON document, also where a tool writes it as text or with a fraction.
pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            // Counters of NVMe have 128 bits and come as floating-point numbers where they are large.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as it should")]
            number.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64)
        }),
        Value::String(text) => number(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_tools_write_them() {
        for (text, expected) in [
            ("12", Some(12)),
            ("1,234,567 [634 GB]", Some(1_234_567)),
            ("12 000 138 bytes", Some(12_000_138)),
            ("0x1f", Some(31)),
            ("35 (Min/Max 20/40)", Some(35)),
            ("1 1 1", Some(1)),
            ("2 100 abc", Some(2_100)),
            ("38280,029", Some(38280)),
            ("1.234", Some(1)),
            ("97%", Some(97)),
            ("", None),
            ("-", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
        assert_eq!(number_in("c12"), Some(12));
    }

    #[test]
    fn any_bytes_are_text() {
        assert_eq!(text_of(b"\xff\xfea\0b\0"), "ab");
        assert_eq!(text_of(b"a\r\nb\xff"), "a\nb\u{fffd}");
    }
}
