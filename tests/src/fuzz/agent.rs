//! What else the agent reads: its configuration, files of its state, the kernel's netlink, tokens, replies, headers.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use muster_agent::alive::{AliveLog, End, SPANS_MAX, Span};
use muster_agent::clock::Moment;
use muster_agent::config::Config;
use muster_agent::dial::{ProxyAnswer, read_proxy_answer};
use muster_agent::exporter;
use muster_agent::host::count_in_netlink;
use muster_agent::identity::{CURRENT, Identity, Token, certificates_in};
use muster_agent::state::StateDir;
use muster_agent::uplink::settings_in;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tempfile::TempDir;

use super::damage::{Rng, damaged, damaged_text};
use super::{Parser, Read, Row, promise};

/// Headers of one name that a client sends.
const HEADER_LINES: usize = 8;
const ACCEPT: [&str; 3] = [
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
    "text/html, application/xhtml+xml;q=0.9, \"a\\\"b\";q=\"0.5\"",
    "gzip;q=1.0, identity; q=0.5, *;q=0",
];
const SETTINGS: [&str; 3] = [
    "watch = \"fast\"\nreport_ms = 15000\nbeat_ms = 5000\n",
    "watch = \"relaxed\"\n[new]\nkey = [1]\n",
    "watch = \"normal\"\n[[check]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://a/\"\nstatus = \"200-299\"\n\
     [[check]]\nname = \"b\"\nkind = \"plugin\"\nplugin = \"c\"\ninterval = \"30s\"\n",
];

/// As proxies answer `CONNECT`.
const ANSWERS: [&str; 4] = [
    "HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n",
    "HTTP/1.0 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate, Basic realm=\"a, b\"\r\n\r\n<html>",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: http://portal.example/\r\n\r\n",
    "HTTP/1.1 200\n\n",
];

pub(crate) fn rows() -> Vec<Row> {
    let example = include_str!("../../../deploy/agent.example.toml");
    let all_set = uncommented(example);
    vec![
        Row::text("agent.toml", &[&all_set, "interval = \"15s\"\n[labels]\nsite = \"a\"\n"], agent_toml),
        Row::text("settings document", &SETTINGS, |bytes| {
            let Some(settings) = settings_in(bytes) else { return Ok(()) };
            let sane = settings.report.as_millis() >= 1000 && settings.beat.as_millis() >= 100;
            promise(sane, || "an interval that is none".to_owned())
        }),
        Row::text("join token", &[&token()], |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let Ok(token) = Token::parse(&text) else { return Ok(()) };
            promise(token.reveal() == text.trim() && token.id().len() == 8, || "a token that was not given".to_owned())
        }),
        Row::bytes("netlink", vec![links(), sockets()], |bytes| {
            let messages = count_in_netlink(bytes);
            // A message is at least its header of 16 bytes and can be understood in two ways.
            promise(messages <= bytes.len() / 8, || format!("{messages} things in {} bytes", bytes.len()))
        }),
        Row::bytes("certificate chain", vec![reply_chain()], |bytes| {
            promise(certificates_in(bytes).is_none_or(|count| count <= 8), || "a chain without end".to_owned())
        }),
        Row::text("Accept (agent)", &ACCEPT, |bytes| {
            let wanted = exporter::negotiated(&headers(bytes), false);
            promise(wanted == exporter::negotiated(&headers(bytes), false), || "two minds".to_owned())
        }),
        Row::text("proxy's answer", &ANSWERS, |bytes| match read_proxy_answer(bytes) {
            Ok(Some(ProxyAnswer::Open { end })) => {
                promise(end <= bytes.len() && end <= 16 * 1024, || format!("a head of {end} bytes in {}", bytes.len()))
            }
            Ok(Some(ProxyAnswer::Refused(refusal))) => {
                let words = [&refusal.reason, &refusal.elsewhere];
                let plain = words.into_iter().chain(&refusal.schemes).all(|word| !word.contains(char::is_control));
                promise(plain && !(200..300).contains(&refusal.code), || format!("{refusal:?}"))
            }
            Ok(None) | Err(_) => Ok(()),
        }),
        Row::new("alive log", Alive::new),
        Row::new("identity.json", Stored::new),
    ]
}

/// The example with all its settings set.
pub(crate) fn uncommented(example: &str) -> String {
    let setting = |line: &str| {
        let set = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line);
        format!("{set}\n")
    };
    example.lines().map(setting).collect()
}

fn agent_toml(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    let Err(error) = Config::parse(Path::new("agent.toml"), &text) else { return Ok(()) };
    let lines = text.lines().count() + 1;
    let placed = error.mistakes.iter().all(|mistake| (1..=lines).contains(&mistake.line));
    promise(placed && !error.mistakes.is_empty(), || format!("a mistake without its place: {error}"))
}

/// Both headers with this value, and one of several lines.
pub(crate) fn headers(bytes: &[u8]) -> axum::http::HeaderMap {
    use axum::http::{HeaderMap, HeaderValue, header};
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(HEADER_LINES) {
        // What is no value of a header at all never gets past the HTTP library.
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(header::ACCEPT, value.clone());
            headers.append(header::ACCEPT_ENCODING, value);
        }
    }
    headers
}

pub(crate) fn token() -> String {
    format!("mu1_abcd1234_{}_{}", "s".repeat(43), "0a".repeat(16))
}

/// A message of netlink (include/uapi/linux/netlink.h).
fn netlink(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = ((16 + body.len()) as u32).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Two interfaces: struct ifinfomsg and some attributes (include/uapi/linux/if_link.h).
fn links() -> Vec<u8> {
    let link = |index: u32, name: &[u8]| {
        let mut body = vec![0, 0];
        body.extend(1_u16.to_ne_bytes());
        body.extend(index.to_ne_bytes());
        body.extend(0x1043_u32.to_ne_bytes());
        body.extend([0; 4]);
        let counters = [0x55; 200];
        let attributes: [(u16, &[u8]); 7] = [
            (3, name),
            (1, &[2, 0, 0, 0, 0, 1]),
            (4, &1500_u32.to_ne_bytes()),
            (16, &[6]),
            (20, b"an alias\0"),
            (23, &counters),
            (35, &3_u32.to_ne_bytes()),
        ];
        for (kind, value) in attributes {
            body.extend(((4 + value.len()) as u16).to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        netlink(16, &body)
    };
    [link(1, b"lo\0"), link(2, b"eth0\0"), netlink(3, &[0; 4])].concat()
}

/// Sockets of struct inet_diag_msg (include/uapi/linux/inet_diag.h), an error and the end.
fn sockets() -> Vec<u8> {
    let socket = |state: u8| {
        let mut body = [7; 72];
        body[1] = state;
        netlink(20, &body)
    };
    [socket(1), socket(10), netlink(2, &(-13_i32).to_ne_bytes()), netlink(3, &[0; 4])].concat()
}

/// A root, a certificate by it, and the key of that.
fn certified() -> ([Vec<u8>; 2], String) {
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().expect("a key");
    let root_certificate = root.self_signed(&root_key).expect("a certificate");
    let key = KeyPair::generate().expect("a key");
    let issuer = rcgen::Issuer::from_params(&root, &root_key);
    let leaf = CertificateParams::default().signed_by(&key, &issuer).expect("a certificate");
    ([leaf.der().to_vec(), root_certificate.der().to_vec()], key.serialize_pem())
}

fn reply_chain() -> Vec<u8> {
    let (chain, _) = certified();
    chain.iter().flat_map(|der| [(der.len() as u32).to_be_bytes().to_vec(), der.clone()].concat()).collect()
}

/// The alive log: what is damaged counts for nothing, and nobody has lived who did not say so.
struct Alive {
    text: String,
    spans: Vec<Span>,
}

impl Alive {
    fn new() -> Self {
        let mut log = AliveLog::default();
        let mut text = String::new();
        for (boot, from) in [(1_u8, 5_000_u64), (1, 900_000), (2, 7_000), (3, 1)] {
            for step in 0..3 {
                let boottime_ms = from + step * 10_000;
                let now = Moment { boottime_ms, wall_ms: 1_700_000_000_000 + boottime_ms as i64 };
                text += &log.note([boot; 16], now, false);
            }
            let end = Moment { boottime_ms: from + 25_000, wall_ms: 1_700_000_100_000 };
            text += &log.finish([boot; 16], end);
        }
        // Each line says by itself since when and until when: of every line alone a span may come back.
        let spans = text.lines().flat_map(|line| AliveLog::parse(line).spans().copied().collect::<Vec<_>>()).collect();
        Self { text, spans }
    }
}

impl Parser for Alive {
    fn begin(&mut self) {}

    fn case(&mut self, rng: &mut Rng) -> Result<Read, String> {
        let text = damaged_text(&self.text, &self.text, rng);
        let log = AliveLog::parse(&text);
        let known = |span: &Span| self.spans.contains(span);
        promise(log.spans().all(known), || format!("a life that nobody told of: {text:?}"))?;
        promise(log.spans().count() <= SPANS_MAX, || "more spans than are kept".to_owned())?;
        let again = AliveLog::parse(&log.render());
        let closed = |log: &AliveLog| log.spans().filter(|span| span.end == End::Clean).count();
        promise(closed(&again) <= closed(&log), || "an end that nobody told of".to_owned())?;
        Ok(Read::of(text.len()))
    }
}

/// `identity.json`: what does not hold together is refused, and the rest can be used.
struct Stored {
    _home: TempDir,
    state: StateDir,
    text: String,
}

impl Stored {
    fn new() -> Self {
        let home = tempfile::Builder::new().prefix("muster-fuzz").tempdir_in("/dev/shm").expect("memory for files");
        let state = StateDir::open(home.path()).expect("a directory of our own");
        let (chain, key) = certified();
        let chain = chain.map(|der| format!("\"{}\"", BASE64.encode(der)));
        let text = format!(
            "{{\n  \"host_id\": \"{0}\",\n  \"collector_id\": \"{0}\",\n  \"name\": \"web-1\",\n  \"addresses\": [\"c.example.org:7460\"],\n  \
             \"fingerprint\": \"0a03010203\",\n  \"key\": {1:?},\n  \"chain\": [{2}]\n}}\n",
            "ab".repeat(16),
            key,
            chain.join(", ")
        );
        state.write(CURRENT, text.as_bytes()).expect("memory for files");
        assert!(Identity::load(&state, CURRENT).is_ok_and(|found| found.is_some()), "the undamaged identity is good");
        Self { _home: home, state, text }
    }
}

impl Parser for Stored {
    fn begin(&mut self) {}

    fn case(&mut self, rng: &mut Rng) -> Result<Read, String> {
        let bytes = damaged(self.text.as_bytes(), self.text.as_bytes(), rng);
        let path = self.state.file(CURRENT);
        std::fs::write(&path, &bytes).map_err(|error| error.to_string())?;
        if rng.once_in(4096) {
            // Now and then it is not private any more, which is said and not repaired.
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
                .map_err(|error| error.to_string())?;
            let refused = Identity::load(&self.state, CURRENT).is_err();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
                .map_err(|error| error.to_string())?;
            promise(refused, || "a key that others may read is used".to_owned())?;
        }
        if let Ok(Some(identity)) = Identity::load(&self.state, CURRENT) {
            let (name, validity) = (identity.server_name(), identity.validity());
            promise(name.to_str().starts_with("collector."), || "another name".to_owned())?;
            promise(validity.to_ms >= validity.from_ms || validity.to_ms == 0, || format!("{validity:?}"))?;
        }
        Ok(Read::of(bytes.len()))
    }
}
