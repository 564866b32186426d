//! What a proxy answers to `CONNECT`: the head of an HTTP/1 response, in pieces. PURE.

use httparse::{EMPTY_HEADER, Error, Header, ParserConfig, Response, Status};

/// A proxy's answer is a few hundred bytes; a page of an error begins after the head.
pub(super) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Lines of a head, `Via`s and cookies included.
const LINES_MAX: usize = 100;
/// Of what a stranger says, so much is shown.
const SHOWN_BYTES: usize = 80;

/// What the head says, once it is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The way is open: what follows after so many bytes comes from the other end.
    Open {
        /// Bytes of this head and of all interim ones before it.
        end: usize,
    },
    /// It is not.
    Refused(Refusal),
}

/// A proxy's no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status code, 101 or 300 to 999.
    pub code: u16,
    /// The words behind it; may be empty. No control characters.
    pub reason: String,
    /// `Proxy-Authenticate`, or `WWW-Authenticate` as some say: the schemes by which it would believe who asks, such as `Basic`.
    pub schemes: Vec<String>,
    /// `Location`: where it sends a browser instead; empty where it does not.
    pub elsewhere: String,
}

/// What is no answer of a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Strange {
    /// No HTTP; how it begins.
    NotHttp(String),
    /// More than [`HEAD_BYTES_MAX`], or more than a hundred lines.
    TooLong,
}

/// Reads what has come so far; `None` while the head is not whole. Interim answers (1xx) before the answer are passed over.
///
/// # Errors
/// [`Strange`]: no more bytes would make an answer of it.
pub fn read(bytes: &[u8]) -> Result<Option<Answer>, Strange> {
    let mut from = 0;
    loop {
        let mut lines = [EMPTY_HEADER; LINES_MAX];
        let mut response = Response::new(&mut lines);
        let rest = bytes.get(from..).unwrap_or_default();
        // What a proxy says of itself besides may be ill-formed without harm.
        let read =
            ParserConfig::default().ignore_invalid_headers_in_responses(true).parse_response(&mut response, rest);
        let head = match read {
            Ok(Status::Complete(head)) => head,
            Ok(Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
            Ok(Status::Partial) | Err(Error::TooManyHeaders) => return Err(Strange::TooLong),
            Err(_) => return Err(Strange::NotHttp(shown(bytes))),
        };
        let end = from + head;
        if end > HEAD_BYTES_MAX {
            return Err(Strange::TooLong);
        }
        match response.code.unwrap_or_default() {
            // A switch of protocols is none that was asked for.
            100 | 102..=199 => from = end,
            200..=299 => return Ok(Some(Answer::Open { end })),
            code => return Ok(Some(Answer::Refused(refusal(code, &response)))),
        }
    }
}

fn refusal(code: u16, response: &Response<'_, '_>) -> Refusal {
    let named = |names: &'static [&'static str]| {
        let is_one = move |line: &&Header<'_>| names.iter().any(|name| line.name.eq_ignore_ascii_case(name));
        response.headers.iter().filter(is_one)
    };
    // Each challenge begins with its scheme; what follows in it are parameters (RFC 9110, 11.6.1).
    let challenges =
        named(&["proxy-authenticate", "www-authenticate"]).flat_map(|line| line.value.split(|byte| *byte == b','));
    let scheme = |challenge: &[u8]| {
        let word = challenge.trim_ascii().split(|byte| *byte == b' ').next().unwrap_or_default();
        let is_scheme = !word.is_empty() && !word.contains(&b'=');
        is_scheme.then(|| shown(word))
    };
    Refusal {
        code,
        reason: shown(response.reason.unwrap_or_default().as_bytes()),
        schemes: challenges.filter_map(scheme).collect(),
        elsewhere: named(&["location"]).next().map(|line| shown(line.value)).unwrap_or_default(),
    }
}

/// The beginning of a stranger's words, fit for a log line.
pub(super) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
