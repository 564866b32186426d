//! What the operating system calls itself, from `os-release`.

use std::collections::BTreeMap;

use super::{Kind, ProbeError, Sink, parse_number, strange};
use crate::host::Host;

/// os-release(5): the administrator's file, and the vendor's.
const PATHS: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];
/// Label and key.
const LABELS: [(&str, &str); 12] = [
    ("build_id", "BUILD_ID"),
    ("id", "ID"),
    ("id_like", "ID_LIKE"),
    ("image_id", "IMAGE_ID"),
    ("image_version", "IMAGE_VERSION"),
    ("name", "NAME"),
    ("pretty_name", "PRETTY_NAME"),
    ("variant", "VARIANT"),
    ("variant_id", "VARIANT_ID"),
    ("version", "VERSION"),
    ("version_codename", "VERSION_CODENAME"),
    ("version_id", "VERSION_ID"),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let found = PATHS.iter().find_map(|path| Some((*path, host.fact(path)?)));
    let (path, text) = found.ok_or_else(|| ProbeError::Absent("there is no os-release".to_owned()))?;
    let values = parse(&text).map_err(|line| strange(path, &format!("line {line} is no assignment")))?;
    let value = |key: &str| values.get(key).map_or("", String::as_str);
    sink.family(
        "node_os_info",
        Kind::Gauge,
        "A metric with a constant '1' value labeled by build_id, id, id_like, image_id, image_version, name, \
         pretty_name, variant, variant_id, version, version_codename, version_id.",
    );
    sink.sample(&LABELS.map(|(label, key)| (label, value(key))), 1.0);
    if let Some(version) = major_minor(value("VERSION_ID")) {
        let help = "Metric containing the major.minor part of the OS version.";
        sink.family("node_os_version", Kind::Gauge, help);
        sink.sample(&[("id", value("ID")), ("id_like", value("ID_LIKE")), ("name", value("NAME"))], version);
    }
    if let Some(end_s) = midnight_of(value("SUPPORT_END")) {
        let help = "Metric containing the end-of-life date timestamp of the OS.";
        sink.single("node_os_support_end_timestamp_seconds", Kind::Gauge, help, end_s);
    }
    Ok(())
}

/// The number that a version begins with; none of a rolling release.
fn major_minor(version: &str) -> Option<f64> {
    let whole = version.bytes().take_while(u8::is_ascii_digit).count();
    let fraction = version.get(whole..)?.strip_prefix('.').map_or(0, |rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 { digits + 1 } else { 0 }
    });
    parse_number(version.get(..whole + fraction)?).filter(|version| *version > 0.0)
}

/// `2028-06-30` in seconds since the epoch.
fn midnight_of(date: &str) -> Option<f64> {
    let mut parts = date.split('-');
    let mut next = |width: usize| parts.next().filter(|part| part.len() == width)?.parse::<u16>().ok();
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && parts.next().is_none();
    #[expect(clippy::cast_precision_loss, reason = "days of four-digit years fit into 53 bits")]
    fits.then(|| super::zone::day_of(year.into(), month.into(), day.into()) as f64 * 86_400.0)
}

/// Assignments as a shell would read them; the number of the first line that is none.
fn parse(text: &str) -> Result<BTreeMap<&str, String>, usize> {
    let mut values = BTreeMap::new();
    for (line, number) in text.lines().zip(1_usize..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(number)?;
        let key = key.trim().trim_start_matches("export ").trim_start();
        values.insert(key, unquote(value.trim()).ok_or(number)?);
    }
    Ok(values)
}

/// A value without its quotes; `None` where one is left open.
fn unquote(text: &str) -> Option<String> {
    let mut value = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '#') => {
                value.truncate(value.trim_end().len());
                break;
            }
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (Some('"'), '\\') => value.push(match characters.next()? {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            _ => value.push(character),
        }
    }
    quote.is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{failure, is_absent, said};
    use super::*;

    #[test]
    fn the_administrators_file_wins_and_values_lose_their_quotes() {
        let text = "# who we are\nNAME=\"Example \\\"Linux\\\"\"\nID=example\nID_LIKE='debian fedora'\n\nVERSION_ID=\"40.1.7\"\n\
                    PRETTY_NAME=Plain # a comment\nSUPPORT_END=2028-06-30\n";
        let lines = said(read, &[("etc/os-release", text), ("usr/lib/os-release", "ID=vendor\n")]);
        assert!(lines[0].starts_with(r#"node_os_info{build_id="",id="example",id_like="debian fedora",image_id="","#));
        assert!(lines[0].contains(r#"name="Example \"Linux\"",pretty_name="Plain","#), "{}", lines[0]);
        let version = r#"node_os_version{id="example",id_like="debian fedora",name="Example \"Linux\""} 40.1"#;
        assert_eq!(lines[1..], [version, "node_os_support_end_timestamp_seconds 1845936000"]);
        assert_eq!(said(read, &[("usr/lib/os-release", "ID=rolling\n")]).len(), 1, "no version, no number");
    }

    #[test]
    fn a_line_that_is_no_assignment_fails_the_source() {
        for broken in ["ID=x\nnothing\n", "ID=x\nNAME=\"open\n", "ID=x\nNAME='open\n", "ID=x\nNAME=\"\\\n"] {
            assert_eq!(failure(read, &[("etc/os-release", broken)]), "/etc/os-release: line 2 is no assignment");
        }
        assert!(is_absent(read, &[]));
    }

    #[test]
    fn versions_are_numbers_where_they_begin_with_one() {
        for (version, expected) in [
            ("12", Some(12.0)),
            ("22.04", Some(22.04)),
            ("15.", Some(15.0)),
            ("rolling", None),
            ("", None),
            ("0", None),
        ] {
            assert_eq!(major_minor(version), expected, "{version}");
        }
        assert_eq!(midnight_of("2028-6-30"), None);
        assert_eq!(midnight_of("soon"), None);
    }
}
