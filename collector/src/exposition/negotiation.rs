//! What a client asked for: the format by `Accept`, the coding by `Accept-Encoding` (RFC 9110, section 12.5).
//!
//! A header that nobody can read is as good as none: a scrape is never refused for what it accepts.

use std::{cmp::Reverse, convert::Infallible};

use axum::{
    extract::FromRequestParts,
    http::{
        HeaderMap, HeaderName,
        header::{ACCEPT, ACCEPT_ENCODING},
        request::Parts,
    },
};

use super::ExpositionContext;
use crate::domain::readings::dictionary::text::Format;

/// How a body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is.
    Identity,
    /// Compressed.
    Gzip,
}

/// What the client of a metrics page asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) format: Format,
    pub(super) coding: Coding,
}

impl FromRequestParts<ExpositionContext> for Wanted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, context: &ExpositionContext) -> Result<Self, Infallible> {
        let is_near = (context.is_near)(&parts.extensions) && !is_passed_on(&parts.headers);
        Ok(Self { format: format(&parts.headers), coding: coding(&parts.headers, is_near) })
    }
}

/// Whether a proxy asks for somebody else, who may be anywhere.
fn is_passed_on(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name))
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

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, line.parse().unwrap());
        }
        headers
    }

    fn format_for(lines: &[&str]) -> Format {
        format(&headers(&ACCEPT, lines))
    }

    fn coding_for(line: &str, is_near: bool) -> Coding {
        coding(&headers(&ACCEPT_ENCODING, &[line]), is_near)
    }

    #[test]
    fn what_prometheus_asks_for_first_is_what_it_gets() {
        // As Prometheus 2.42, 2.53 and 3.1 ask; the last with and without native histograms.
        for line in [
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        ] {
            assert_eq!(format_for(&[line]), Format::OpenMetrics, "{line}");
        }
        assert_eq!(format_for(&["text/plain;version=0.0.4;q=1,*/*;q=0.1"]), Format::Text);
    }

    #[test]
    fn the_highest_quality_that_we_can_write_wins_wherever_it_stands() {
        for (lines, expected) in [
            (&["text/plain;q=0.5, application/openmetrics-text;q=0.6"][..], Format::OpenMetrics),
            (&["text/plain;q=0.5", "application/openmetrics-text;q=0.6"], Format::OpenMetrics),
            (&["application/openmetrics-text;q=0.499, text/plain;q=0.5"], Format::Text),
            (&["application/openmetrics-text; version=\"1.0.0\"; charset=utf-8"], Format::OpenMetrics),
            (&["APPLICATION/OpenMetrics-Text ;Q=1.000"], Format::OpenMetrics),
            (&["application/*, text/*;q=0.9"], Format::OpenMetrics),
            // Of equal ones, the one that is named, then the one that is named first.
            (&["*/*, application/openmetrics-text"], Format::OpenMetrics),
            (&["application/openmetrics-text, text/plain"], Format::OpenMetrics),
            (&["text/plain, application/openmetrics-text"], Format::Text),
            // The more exact range has the word, also to refuse.
            (&["application/openmetrics-text;q=0, */*"], Format::Text),
            (&["text/plain;q=0, */*;q=0.1"], Format::OpenMetrics),
            (
                &["application/openmetrics-text;version=1.0.0;q=0.1, application/openmetrics-text, text/plain;q=0.5"],
                Format::Text,
            ),
            (&["text/plain;q=0.2;comment=\"a, application/openmetrics-text;b\""], Format::Text),
        ] {
            assert_eq!(format_for(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn without_anything_that_we_can_write_it_is_text() {
        for line in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/json",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=x",
            "application/openmetrics-text;q=1.5",
            "application/openmetrics-text;q=-1",
            "openmetrics-text",
            "*/plain",
            ";;,,;q=",
            "\"",
            "text/plain;q=0",
        ] {
            assert_eq!(format_for(&[line]), Format::Text, "{line}");
        }
        assert_eq!(format_for(&[]), Format::Text);
        let mut broken = HeaderMap::new();
        broken.insert(ACCEPT, axum::http::HeaderValue::from_bytes(b"application/openmetrics-text\xff").unwrap());
        assert_eq!(format(&broken), Format::Text);
    }

    #[test]
    fn gzip_is_sent_to_who_asks_for_it_from_afar() {
        for line in [
            "gzip",
            "GZIP",
            "x-gzip",
            "deflate, gzip;q=0.5, br",
            "*",
            "*;q=0.5, identity;q=0.2",
            "gzip;q=0.001",
            "br;q=0,*",
        ] {
            assert_eq!((coding_for(line, false), coding_for(line, true)), (Coding::Gzip, Coding::Identity), "{line}");
        }
        for line in [
            "",
            "identity",
            "deflate, br",
            "gzip;q=0",
            "gzip;q=0.0, *",
            "*;q=0",
            "gzip;q=0.5, identity",
            "gzip;q=2",
            "gzip;q=0,identity;q=0",
        ] {
            assert_eq!(
                (coding_for(line, false), coding_for(line, true)),
                (Coding::Identity, Coding::Identity),
                "{line}"
            );
        }
        assert_eq!(coding(&HeaderMap::new(), false), Coding::Identity);
    }

    #[test]
    fn who_refuses_plain_bytes_gets_gzip_wherever_they_are() {
        for line in ["gzip, identity;q=0", "gzip;q=0.1, *;q=0", "*, identity;q=0"] {
            assert_eq!((coding_for(line, false), coding_for(line, true)), (Coding::Gzip, Coding::Gzip), "{line}");
        }
    }
}
