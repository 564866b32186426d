//! Bytes as text. Firmware is the usual author of bytes that are none, e.g. in the name of a battery.

/// The text; each run of bytes that are not UTF-8 becomes one `U+FFFD`, as with Go's `strings.ToValidUTF8` and so in
/// `node_exporter`.
pub(super) fn of(bytes: &[u8]) -> String {
    const BROKEN: char = '\u{fffd}';
    let mut text = String::with_capacity(bytes.len());
    let mut broken = false;
    for chunk in bytes.utf8_chunks() {
        if broken && !chunk.valid().is_empty() {
            text.push(BROKEN);
            broken = false;
        }
        text.push_str(chunk.valid());
        broken |= !chunk.invalid().is_empty();
    }
    if broken {
        text.push(BROKEN);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_run_of_bytes_that_are_no_text_becomes_one_character() {
        for (bytes, expected) in [
            (&b"\xff\xfe\xfd"[..], "\u{fffd}"),
            (b"45N1\xff\xffA\xe2\x82", "45N1\u{fffd}A\u{fffd}"),
            ("\u{fffd}\u{fffd}x".as_bytes(), "\u{fffd}\u{fffd}x"),
            (b"plain", "plain"),
            (b"", ""),
        ] {
            assert_eq!(super::of(bytes), expected);
        }
    }
}
