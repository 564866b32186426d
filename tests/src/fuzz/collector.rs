//! What the collector reads: messages of agents down to the page of metrics, enrolments, its configuration, headers of
//! who scrapes it and of whom it tells.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use muster_collector::{
    config,
    domain::{
        host::{
            slot::{SOURCES, Slot},
            slots::Slots,
        },
        ids::{HostNo, SessionId},
        readings::dictionary::text::Format,
        time::Timestamp,
        watch::Watch,
    },
    exposition, identity,
    ingest::decode::{self, Heard},
    notify,
};
use muster_proto::v1::{self, agent_message::Body, record};
use prost::Message as _;
use rcgen::{CertificateParams, KeyPair};

use super::{
    Parser, Read, Row, agent,
    damage::{Rng, damaged, damaged_text},
    page, promise,
};

const ACCEPT: [&str; 2] =
    ["application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "gzip;q=1.0, *;q=0"];
const RETRY_AFTER: [&str; 4] =
    ["120", "Wed, 21 Oct 2015 07:28:00 GMT", "Wednesday, 21-Oct-15 07:28:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359"];
/// Longest that a receiver may have us wait, seconds (collector/src/notify/client.rs).
const PATIENCE_S: u64 = 600;

pub(crate) fn rows() -> Vec<Row> {
    let example = agent::uncommented(include_str!("../../../deploy/collector.example.toml"));
    vec![
        Row::new("messages of a session", Session::new),
        Row::bytes("enrolment", vec![enrolment().encode_to_vec()], |bytes| {
            let Ok(request) = v1::EnrolRequest::decode(bytes) else { return Ok(()) };
            let Ok(facts) = decode::enrolment(request, IpAddr::V4(Ipv4Addr::LOCALHOST)) else { return Ok(()) };
            let short = facts.facts.name.len() <= decode::STRING_BYTES && facts.labels.len() <= decode::LABELS;
            promise(short && facts.csr.len() <= 4096, || "more than the limits allow".to_owned())
        }),
        Row::bytes("signing request", vec![request()], |der| {
            // Only one that was signed is accepted, and no damage signs itself.
            let accepted = identity::accepts_request(der);
            promise(!accepted || der.len() <= 4096, || "a request that is too long".to_owned())
        }),
        Row::text("presented token", &[&agent::token()], |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let length = agent::token().len();
            promise(!identity::is_token(&text) || text.trim().len() == length, || {
                "a token of another length".to_owned()
            })
        }),
        Row::text("collector.toml", &[&example, "[http]\nlisten = \"127.0.0.1:0\"\nnames = [\"a\"]\n"], collector_toml),
        Row::text("Accept (collector)", &ACCEPT, |bytes| {
            let wanted = |near| exposition::negotiated(&agent::headers(bytes), near);
            promise(wanted(false).0 == wanted(true).0, || "the format depends on how near the client is".to_owned())
        }),
        Row::text("Retry-After", &RETRY_AFTER, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let wait = notify::retry_after_from(&text, Timestamp::from_ms(1_445_412_480_000));
            promise(wait.is_none_or(|wait| wait.as_secs() <= PATIENCE_S), || format!("{wait:?}"))
        }),
    ]
}

fn collector_toml(bytes: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(bytes);
    let Err(errors) = config::parse(&text, Path::new("collector.toml")) else { return Ok(()) };
    let lines = text.lines().count() + 1;
    let placed = |mistake: &config::Mistake| mistake.line.is_none_or(|line| (1..=lines).contains(&line));
    promise(!errors.mistakes.is_empty() && errors.mistakes.iter().all(placed), || format!("misplaced: {errors}"))
}

fn request() -> Vec<u8> {
    let key = KeyPair::generate().expect("a key");
    CertificateParams::default().serialize_request(&key).expect("a request").der().to_vec()
}

fn enrolment() -> v1::EnrolRequest {
    v1::EnrolRequest {
        token: agent::token(),
        csr: request(),
        nonce: vec![7; 16],
        fingerprint: Some(v1::Fingerprint {
            machine_id: vec![1; 16],
            macs: vec![vec![2; 16]; 2],
            ..Default::default()
        }),
        facts: Some(facts()),
        wall_ms: 1_700_000_000_000,
    }
}

fn facts() -> v1::HostFacts {
    v1::HostFacts {
        name: "web-1".to_owned(),
        os: "linux".to_owned(),
        labels: vec!["site".to_owned(), "berlin".to_owned()],
        ..Default::default()
    }
}

/// One session from its greeting on: dictionaries, readings, records, each damaged in its bytes or in what it says.
struct Session {
    slots: Slots,
    slot: Arc<Slot>,
    now: Timestamp,
    samples: Vec<v1::AgentMessage>,
}

const SESSION: SessionId = SessionId(1);

impl Session {
    fn new() -> Self {
        let slots = Slots::default();
        let now = Timestamp::from_ms(1_700_000_000_000);
        let slot = slots.open(HostNo(1), SESSION, Watch::Normal, now);
        Self { slots, slot, now, samples: samples() }
    }

    fn hear(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.now = self.now.plus_ms(1000);
        let Ok(envelope) = v1::AgentMessage::decode(bytes) else { return Ok(()) };
        match decode::message(envelope) {
            Ok(Heard::Dictionary(update)) => drop(self.slot.grow(SESSION, update, self.now)),
            Ok(Heard::Readings(update)) => drop(self.slot.apply(SESSION, &update, self.now)),
            Ok(Heard::Record(recorded)) => {
                promise((1..=decode::SEQUENCE_MAX).contains(&recorded.sequence), || {
                    "a record without place".to_owned()
                })?;
                if let Ok(content) = recorded.content {
                    let json = serde_json::from_str::<serde_json::Value>(&content.body).is_ok();
                    promise(json && content.body.len() <= decode::records::BODY_BYTES, || content.body.clone())?;
                }
            }
            Ok(Heard::Greeting(greeting)) => {
                let facts = &greeting.facts;
                let texts = [&facts.name, &facts.os, &facts.kernel, &greeting.version];
                let short = texts.iter().all(|text| text.len() <= decode::STRING_BYTES);
                promise(short && greeting.alive.len() <= decode::ALIVE_SPANS, || "a long greeting".to_owned())?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The page of the host can be read, whatever it said.
    fn check_page(&self, format: Format) -> Result<(), String> {
        let mut out = Vec::new();
        self.slot.render(format, &mut out);
        let text = String::from_utf8(out).map_err(|error| error.to_string())?;
        page::check_text(&text)?;
        promise(self.slot.sources().len() <= SOURCES, || "more sources than are kept".to_owned())
    }
}

impl Parser for Session {
    fn begin(&mut self) {
        *self = Self::new();
        let (dictionary, readings) = (self.samples[1].clone(), self.samples[2].clone());
        for whole in [dictionary, readings] {
            // Undamaged: damage to what comes after it reaches deeper.
            self.hear(&whole.encode_to_vec()).unwrap_or_default();
        }
    }

    fn case(&mut self, rng: &mut Rng) -> Result<Read, String> {
        let mut message = self.samples[rng.below(self.samples.len())].clone();
        let other = self.samples[rng.below(self.samples.len())].encode_to_vec();
        let mut bytes = if rng.once_in(3) {
            damaged(&message.encode_to_vec(), &other, rng)
        } else {
            for _ in 0..1 + rng.below(3) {
                upset(&mut message, rng);
            }
            message.encode_to_vec()
        };
        if rng.once_in(16) {
            bytes = damaged(&bytes, &other, rng);
        }
        self.hear(&bytes)?;
        if rng.once_in(4) {
            self.check_page(if rng.once_in(2) { Format::Text } else { Format::OpenMetrics })?;
            promise(self.slots.distinct().0 <= 2, || "dictionaries that nobody uses are kept".to_owned())?;
        }
        Ok(Read::of(bytes.len()))
    }
}

/// Upsets what a message says, within its form.
fn upset(message: &mut v1::AgentMessage, rng: &mut Rng) {
    match &mut message.body {
        Some(Body::Dictionary(dictionary)) => upset_dictionary(dictionary, rng),
        Some(Body::Readings(readings)) => upset_readings(readings, rng),
        Some(Body::Record(record)) => upset_record(record, rng),
        Some(Body::Hello(hello)) => {
            hello.last_record = rng.extreme();
            hello.protocol = rng.extreme() as u32;
            hello.version = damaged_text("1.2.3", &hello.version, rng);
            let span = v1::AliveSpan { boot_id: vec![1; 16], ..Default::default() };
            hello.alive = vec![span; rng.below(2000)];
        }
        _ => {}
    }
}

fn upset_dictionary(dictionary: &mut v1::Dictionary, rng: &mut Rng) {
    let (family, series) = (rng.below(dictionary.families.len()), rng.below(dictionary.series.len()));
    let (Some(family), Some(one)) = (dictionary.families.get_mut(family), dictionary.series.get_mut(series)) else {
        return;
    };
    match rng.below(9) {
        0 => family.id = rng.extreme() as u32,
        1 => family.name = damaged_text(&family.name, "node_load1", rng),
        2 => family.help = damaged_text(&family.help, &family.name, rng),
        3 => one.id = rng.extreme() as u32,
        4 => one.family = rng.below(6) as u32,
        5 => one.suffix = ["_bucket", "_sum", "_count", "_total", "{", "\n", "_created"][rng.below(7)].to_owned(),
        6 => {
            let at = rng.below(one.labels.len());
            if let Some(label) = one.labels.get_mut(at) {
                *label = damaged_text(label, "le", rng);
            }
        }
        7 => one.labels = vec!["a".to_owned(); rng.below(70)],
        _ => dictionary.retired = (0..rng.below(40)).map(|_| rng.below(20) as u32).collect(),
    }
    // The numbers go on from message to message in a real session: every other time those of this one are new.
    if rng.once_in(2) {
        let ahead = 10 * rng.below(50) as u32;
        dictionary.families.iter_mut().for_each(|family| family.id = family.id.wrapping_add(ahead));
        for series in &mut dictionary.series {
            (series.id, series.family) = (series.id.wrapping_add(ahead), series.family.wrapping_add(ahead));
        }
    }
}

fn upset_readings(readings: &mut v1::Readings, rng: &mut Rng) {
    let draw = |rng: &mut Rng| if rng.once_in(3) { rng.extreme() } else { rng.below(6) as u64 };
    match rng.below(7) {
        0 => readings.full = !readings.full,
        1 => {
            let count = rng.below(12);
            readings.whole_gaps = (0..count).map(|_| draw(rng) as u32).collect();
            readings.whole_diffs = (0..count).map(|_| draw(rng) as i64).collect();
        }
        2 => {
            let count = rng.below(12);
            readings.real_gaps = (0..count).map(|_| draw(rng) as u32).collect();
            readings.reals = (0..count).map(|_| f64::from_bits(rng.next())).collect();
        }
        3 => readings.reals.iter_mut().for_each(|real| *real = [f64::NAN, f64::INFINITY, -0.0, 5e-324][rng.below(4)]),
        4 => readings.whole_diffs.iter_mut().for_each(|diff| *diff = rng.extreme() as i64),
        5 => drop(readings.whole_gaps.pop()),
        _ => {
            let state = |rng: &mut Rng| v1::SourceState {
                source: damaged_text("filesystem", "disk", rng),
                state: rng.below(8) as u32,
                reason: damaged_text("a mount hangs", "\u{202e}", rng),
            };
            readings.sources = (0..rng.below(4)).map(|_| state(rng)).collect();
        }
    }
}

fn upset_record(record: &mut v1::Record, rng: &mut Rng) {
    match (rng.below(3), &mut record.body) {
        (0, _) => record.sequence = rng.extreme(),
        (1, _) => record.clock = Some(v1::Clock { wall_ms: rng.extreme() as i64, boottime_ms: rng.extreme() }),
        (_, Some(record::Body::Gap(gap))) => {
            gap.reason = damaged_text(&gap.reason, "\u{0}\"\\", rng);
            gap.lost = rng.extreme();
        }
        (_, Some(record::Body::Rollup(rollup))) => {
            for series in &mut rollup.series {
                (series.min, series.mean) = (f64::from_bits(rng.next()), f64::NAN);
                series.name = damaged_text(&series.name, "x", rng);
            }
        }
        (_, Some(record::Body::Evidence(evidence))) => {
            evidence.payload = damaged(&evidence.payload, b"{\"a\":1}", rng);
            evidence.outcome = rng.below(7) as u32;
        }
        _ => {}
    }
}

fn samples() -> Vec<v1::AgentMessage> {
    let hello = v1::Hello {
        protocol: 1,
        version: "0.1.0".to_owned(),
        boot_id: vec![1; 16],
        epoch: vec![2; 16],
        fingerprint: Some(v1::Fingerprint { machine_id: vec![3; 16], ..Default::default() }),
        facts: Some(facts()),
        alive: vec![v1::AliveSpan { boot_id: vec![1; 16], ..Default::default() }],
        ..Default::default()
    };
    let gap = v1::Gap { what: "readings".to_owned(), lost: 3, reason: "a full disk".to_owned(), ..Default::default() };
    let series = v1::RollupSeries {
        name: "node_load1".to_owned(),
        count: 4,
        min: 0.5,
        mean: 1.0,
        max: 2.0,
        ..Default::default()
    };
    let rollup = v1::Rollup { series: vec![series; 3], ..Default::default() };
    let evidence =
        v1::Evidence { source: "smart".to_owned(), payload: b"{\"ok\":true}".to_vec(), ..Default::default() };
    let bodies = [record::Body::Gap(gap), record::Body::Rollup(rollup), record::Body::Evidence(evidence)];
    let records = (1..).zip(bodies).map(|(sequence, body)| {
        Body::Record(v1::Record { sequence, boot_id: vec![1; 16], clock: None, body: Some(body) })
    });
    let lively = [
        Body::Hello(hello),
        Body::Dictionary(dictionary()),
        Body::Readings(readings(true)),
        Body::Readings(readings(false)),
    ];
    lively.into_iter().chain(records).map(|body| v1::AgentMessage { body: Some(body) }).collect()
}

fn dictionary() -> v1::Dictionary {
    let family = |id, name: &str, kind, help: &str| v1::Family {
        id,
        name: name.to_owned(),
        r#type: kind,
        help: help.to_owned(),
        unit: 0,
    };
    let series = |id, family, suffix: &str, labels: &[&str]| v1::Series {
        id,
        family,
        suffix: suffix.to_owned(),
        labels: labels.iter().map(|&label| label.to_owned()).collect(),
    };
    v1::Dictionary {
        families: vec![
            family(1, "node_load1", 2, "1m load average."),
            family(2, "node_cpu_seconds_total", 1, "Seconds the CPUs spent in each mode."),
            family(3, "request_seconds", 3, "How long requests take."),
            family(4, "node_filesystem_avail_bytes", 2, "Filesystem space available."),
        ],
        series: vec![
            series(1, 1, "", &[]),
            series(2, 2, "", &["cpu", "0", "mode", "idle"]),
            series(3, 2, "", &["cpu", "0", "mode", "user"]),
            series(4, 3, "_bucket", &["le", "0.5"]),
            series(5, 3, "_bucket", &["le", "+Inf"]),
            series(6, 3, "_sum", &[]),
            series(7, 3, "_count", &[]),
            series(8, 4, "", &["device", "/dev/vda", "fstype", "ext4", "mountpoint", "/"]),
        ],
        retired: Vec::new(),
    }
}

fn readings(full: bool) -> v1::Readings {
    v1::Readings {
        clock: Some(v1::Clock { wall_ms: 1_700_000_000_000, boottime_ms: 5_000 }),
        full,
        whole_gaps: vec![4, 1, 2, 1],
        whole_diffs: vec![3, 4, 4, 1 << 40],
        real_gaps: vec![1, 1, 1, 3],
        reals: vec![0.25, 1234.5, 99.75, 1.5],
        sources: vec![v1::SourceState { source: "filesystem".to_owned(), state: 0, reason: String::new() }],
    }
}
