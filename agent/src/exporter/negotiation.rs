//! What a client asked for: the format by `Accept`, the coding by `Accept-Encoding` (RFC 9110, section 12.5).
//!
//! A header that nobody can read is as good as none: a scrape is never refused for what it accepts.

use std::cmp::Reverse;

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

use crate::exposition::Format;

/// How a body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is.
    Identity,
    /// Compressed.
    Gzip,
}

/// A quality value in thousandths (RFC 9110, section 12.4.2); 0 refuses.
type Quality = u16;
const FULL: Quality = 1_000;

/// The best format that the client takes; text when it takes none of ours, or does not care.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let ranges: Vec<Element> = elements(headers, &ACCEPT).collect();
    let (text, open) = (rank(Format::Text, &ranges), rank(Format::OpenMetrics, &ranges));
    if open > text { Format::OpenMetrics } else { Format::Text }
}

/// Media type, its subtype and the version that we write.
fn identity_of(format: Format) -> (&'static str, &'static str, &'static str) {
    match format {
        Format::Text => ("text", "plain", "0.0.4"),
        Format::OpenMetrics => ("application", "openmetrics-text", "1.0.0"),
    }
}

/// How much a format is wanted: by the quality of the range that fits it most exactly, then by how exactly, then by
/// which was named first. `None`: not at all.
fn rank(format: Format, ranges: &[Element]) -> Option<(Quality, u8, Reverse<usize>)> {
    let fitting =
        ranges.iter().enumerate().filter_map(|(n, range)| Some((exactness(format, range)?, Reverse(n), range)));
    let (exactness, place, range) = fitting.max_by_key(|(exactness, place, _)| (*exactness, *place))?;
    (range.quality > 0).then_some((range.quality, exactness, place))
}

/// How exactly a media range names the format; `None` when it names another.
fn exactness(format: Format, range: &Element) -> Option<u8> {
    let (kind, subtype, version) = identity_of(format);
    let (range_kind, range_subtype) = range.name.split_once('/')?;
    if range_kind == "*" {
        return (range_subtype == "*").then_some(0);
    }
    if !range_kind.eq_ignore_ascii_case(kind) {
        return None;
    }
    if range_subtype == "*" {
        return Some(1);
    }
    match range.version {
        _ if !range_subtype.eq_ignore_ascii_case(subtype) => None,
        None => Some(2),
        Some(asked) => (asked == version).then_some(3),
    }
}

/// The coding: gzip when it is asked for, unless the client is near, where sending plain bytes is cheaper than
/// compressing them. Near or not, who refuses plain bytes gets gzip.
pub(super) fn coding(headers: &HeaderMap, is_near: bool) -> Coding {
    let (mut gzip, mut identity, mut others) = (None, None, None);
    for element in elements(headers, &ACCEPT_ENCODING) {
        let named = match element.name {
            "*" => &mut others,
            name if name.eq_ignore_ascii_case("identity") => &mut identity,
            // The old name means the same (RFC 9110, section 8.4.1.3).
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => &mut gzip,
            _ => continue,
        };
        *named = Some(element.quality.max(named.unwrap_or(0)));
    }
    let gzip = gzip.or(others).unwrap_or(0);
    // `*` refuses plain bytes too, but does not prefer them.
    let identity = identity.or(others.filter(|quality| *quality == 0));
    let asked = match identity {
        Some(0) => gzip > 0,
        _ if is_near => false,
        Some(quality) => gzip > 0 && gzip >= quality,
        None => gzip > 0,
    };
    if asked { Coding::Gzip } else { Coding::Identity }
}

/// One element of a list: its name and the parameters that matter here.
struct Element<'a> {
    name: &'a str,
    version: Option<&'a str>,
    quality: Quality,
}

fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = Element<'a>> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| split(line, ',')).filter_map(element)
}

/// `None` for an empty element and for one whose quality is none.
fn element(text: &str) -> Option<Element<'_>> {
    let mut parts = split(text, ';');
    let name = parts.next().map(str::trim).filter(|name| !name.is_empty())?;
    let mut element = Element { name, version: None, quality: FULL };
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        match key.trim() {
            key if key.eq_ignore_ascii_case("q") => element.quality = quality(value)?,
            key if key.eq_ignore_ascii_case("version") => element.version = Some(value),
            _ => {}
        }
    }
    Some(element)
}

/// `0`, `1`, `0.5`, `1.000`; digits beyond the third say nothing.
fn quality(text: &str) -> Option<Quality> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut places = digits.bytes().map(|byte| Quality::from(byte - b'0')).chain(std::iter::repeat(0));
    let thousandths = (0..3).fold(0, |sum, _| 10 * sum + places.next().unwrap_or(0));
    match whole {
        "0" => Some(thousandths),
        "1" => (thousandths == 0).then_some(FULL),
        _ => None,
    }
}

/// Splits at `separator`, but not within quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        c == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, line: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.clone(), line.parse().unwrap())])
    }

    #[test]
    fn the_highest_quality_that_we_can_write_wins_and_text_where_nothing_does() {
        let open = [
            // As Prometheus 2.42 asks.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            // As Prometheus 3.1 asks.
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "text/plain;q=0.5, Application/OpenMetrics-Text ;Q=0.501",
            "application/openmetrics-text, text/plain",
            "*/*, application/openmetrics-text; version=\"1.0.0\"",
            "text/plain;q=0, */*;q=0.1",
        ];
        for line in open {
            assert_eq!(format(&headers(&ACCEPT, line)), Format::OpenMetrics, "{line}");
        }
        let text = [
            "",
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/plain, application/openmetrics-text",
            "application/openmetrics-text;q=0, */*",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=1.5",
            "application/openmetrics-text;q=x",
            "text/plain;q=0.2;comment=\"a, application/openmetrics-text;b\"",
            "application/json",
            ";;,,;q=",
        ];
        for line in text {
            assert_eq!(format(&headers(&ACCEPT, line)), Format::Text, "{line}");
        }
        assert_eq!(format(&HeaderMap::new()), Format::Text);
    }

    #[test]
    fn gzip_is_sent_to_who_asks_for_it_from_afar_or_takes_nothing_else() {
        use Coding::{Gzip, Identity};
        for (line, far, near) in [
            ("gzip", Gzip, Identity),
            ("deflate, X-GZIP;q=0.001", Gzip, Identity),
            ("*", Gzip, Identity),
            ("gzip, identity;q=0", Gzip, Gzip),
            ("gzip;q=0.1, *;q=0", Gzip, Gzip),
            ("gzip;q=0.5, identity", Identity, Identity),
            ("gzip;q=0, *", Identity, Identity),
            ("gzip;q=0, identity;q=0", Identity, Identity),
            ("*;q=0", Identity, Identity),
            ("deflate, br", Identity, Identity),
            ("", Identity, Identity),
        ] {
            let headers = headers(&ACCEPT_ENCODING, line);
            assert_eq!((coding(&headers, false), coding(&headers, true)), (far, near), "{line}");
        }
        assert_eq!(coding(&HeaderMap::new(), false), Identity);
    }
}
