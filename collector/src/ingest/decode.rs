//! What is inside the wire's messages, turned into words of the domain. The only file of the collector (with its part
//! [`records`]) that knows. Everything is limited here; past this line nobody checks
//! sizes again. (Metric names and labels are the dictionary's business: a bad one is left out there, the rest stays.)

pub mod records;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use muster_proto::v1::{self, agent_message::Body};
use prost::Message as _;

use crate::{
    domain::{
        event::Why,
        hold::{self, own::OwnWindow},
        host::slot::ReadingsUpdate,
        ids::HostNo,
        labels::Facts,
        readings::dictionary::{DictionaryUpdate, FamilyEntry, FamilyType, SeriesEntry, unit::Unit},
    },
    identity::{EnrolFacts, LateRequest},
};

/// Strings of the wire, in bytes, unless said otherwise.
pub const STRING_BYTES: usize = 256;
/// Labels in one agent.toml (as of one series).
pub const LABELS: usize = 30;
/// Help text of a family, in bytes; longer ones are cut.
pub const HELP_BYTES: usize = 1_024;
/// Values in one readings message: the cap of 20 000 series and what it leaves out.
pub const VALUES: usize = 65_536;
/// Source states in one readings message.
pub const SOURCES: usize = 1_024;
/// Entries of one dictionary message: 2 KiB are agreed, some slack is given.
pub const DICTIONARY_ENTRIES: usize = 4_096;
/// Spans of an alive log in one Hello.
pub const ALIVE_SPANS: usize = 1_024;
/// Physical addresses in a fingerprint.
pub const MACS: usize = 16;
/// Keys in one answer to settings: one for each check that may be defined, and a few.
pub const SETTINGS_KEYS: usize = 300;
/// A certificate or a request for one, in bytes; those of P-256 have some 250 to 600.
pub const CERTIFICATE_BYTES: usize = 4_096;
/// A signature in ASN.1, in bytes; those of P-256 have at most 72.
pub const SIGNATURE_BYTES: usize = 128;
/// Highest sequence: keeps every sum and every store's integer whole.
pub const SEQUENCE_MAX: u64 = 1 << 53;

/// Why a message cannot be read: a bounded kind and the limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A record without content, or with one of a newer protocol.
    #[error("a record without known content: is this agent newer than its collector?")]
    Empty,
    /// Longer than allowed.
    #[error("{what} is {size} long, the limit is {limit}: send less")]
    TooLong {
        /// Which field.
        what: &'static str,
        /// Its size.
        size: usize,
        /// Its limit.
        limit: usize,
    },
    /// Not of the form that was agreed.
    #[error("{0}")]
    Malformed(&'static str),
}

impl DecodeError {
    /// The counter's word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty_message",
            Self::TooLong { .. } => "over_limit",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// One message of an agent.
#[derive(Debug)]
pub enum Heard {
    /// The first one.
    Greeting(Box<Greeting>),
    /// Being heard is the message.
    Beat,
    /// What numbers mean.
    Dictionary(DictionaryUpdate),
    /// Values.
    Readings(ReadingsUpdate),
    /// A fact to keep.
    Record(records::Recorded),
    /// The settings of this version are in force, or why not.
    SettingsApplied {
        /// Which version.
        version: u64,
        /// Empty when applied.
        error: String,
        /// What the machine's own file says otherwise.
        local: Vec<String>,
        /// The keys that the agent knows.
        keys: Vec<String>,
    },
    /// Answer to a question.
    Answer,
    /// The agent leaves.
    Goodbye(Why),
    /// Nothing, or what only newer agents say: it is passed over.
    Unknown,
}

impl Heard {
    /// The counter's word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Greeting(_) => "hello",
            Self::Beat => "beat",
            Self::Dictionary(_) => "dictionary",
            Self::Readings(_) => "readings",
            Self::Record(_) => "record",
            Self::SettingsApplied { .. } => "settings_applied",
            Self::Answer => "answer",
            Self::Goodbye(_) => "goodbye",
            Self::Unknown => "unknown",
        }
    }
}

/// A pair of clocks read at one instant on the host, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HostClock {
    /// Its wall clock.
    pub wall_ms: i64,
    /// Since it was booted.
    pub boottime_ms: u64,
}

/// Proof of life as the agent kept it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AliveSpan {
    /// Boot id of the time it proves.
    pub boot_id: [u8; 16],
    /// From here.
    pub from: HostClock,
    /// To here.
    pub to: HostClock,
    /// Whether it ended with a clean shutdown.
    pub clean_end: bool,
    /// Whether the same run of the agent lived before it.
    pub resumed: bool,
}

/// How an agent greets.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The protocol it speaks.
    pub protocol: u32,
    /// The program's version.
    pub version: String,
    /// The machine's boot.
    pub boot_id: [u8; 16],
    /// The generation it echoes.
    pub generation: u64,
    /// Its spool's life.
    pub epoch: [u8; 16],
    /// The newest record it has.
    pub last_record: u64,
    /// Its clocks as it said so.
    pub clock: HostClock,
    /// Fingerprint parts: name and HMAC.
    pub fingerprint: Vec<(String, Vec<u8>)>,
    /// What it says of itself.
    pub facts: Facts,
    /// Labels of its agent.toml.
    pub labels: Vec<(String, String)>,
    /// When it was alive while nobody listened.
    pub alive: Vec<AliveSpan>,
    /// The dictionary that it would go on with, or nothing.
    pub dictionary_hash: Vec<u8>,
}

/// Reads one message.
///
/// # Errors
/// [`DecodeError`].
pub fn message(envelope: v1::AgentMessage) -> Result<Heard, DecodeError> {
    let Some(body) = envelope.body else { return Ok(Heard::Unknown) };
    Ok(match body {
        Body::Hello(hello) => Heard::Greeting(Box::new(greeting(hello)?)),
        Body::Beat(_) => Heard::Beat,
        Body::Dictionary(dictionary) => Heard::Dictionary(dictionary_update(dictionary)?),
        Body::Readings(readings) => Heard::Readings(readings_update(readings)?),
        Body::Record(record) => Heard::Record(records::recorded(record)?),
        Body::SettingsApplied(applied) => {
            let few = |names: Vec<String>| {
                names.into_iter().take(SETTINGS_KEYS).map(|name| cut(name, STRING_BYTES)).collect()
            };
            Heard::SettingsApplied {
                version: applied.version,
                error: cut(applied.error, HELP_BYTES),
                local: few(applied.local),
                keys: few(applied.keys),
            }
        }
        Body::Answer(_) => Heard::Answer,
        Body::Goodbye(goodbye) => Heard::Goodbye(why(goodbye.why)),
    })
}

/// Reads a request to enrol.
///
/// # Errors
/// [`DecodeError`].
pub fn enrolment(request: v1::EnrolRequest, peer: IpAddr) -> Result<EnrolFacts, DecodeError> {
    limit("token", request.token.len(), STRING_BYTES)?;
    limit("csr", request.csr.len(), CERTIFICATE_BYTES)?;
    bytes16(&request.nonce, "nonce must be 16 bytes")?;
    let facts = request.facts.unwrap_or_default();
    let labels = pairs(&facts.labels)?;
    Ok(EnrolFacts {
        token: request.token,
        csr: request.csr,
        nonce: request.nonce,
        fingerprint: fingerprint(request.fingerprint.unwrap_or_default())?,
        facts: host_facts(facts, String::new())?,
        labels,
        peer,
    })
}

/// Reads the request of a host whose certificate has ended.
///
/// # Errors
/// [`DecodeError`].
pub fn late(request: v1::RecoverRequest) -> Result<LateRequest, DecodeError> {
    limit("csr", request.csr.len(), CERTIFICATE_BYTES)?;
    limit("certificate", request.certificate.len(), CERTIFICATE_BYTES)?;
    limit("signature", request.signature.len(), SIGNATURE_BYTES)?;
    Ok(LateRequest {
        host: bytes16(&request.host_id, "host_id must be 16 bytes")?,
        certificate: request.certificate,
        csr: request.csr,
        nonce: bytes16(&request.nonce, "nonce must be 16 bytes")?,
        signature: request.signature,
    })
}

/// What a machine asks for itself; whose host it is and how much it may are filled in.
pub fn own_maintenance(request: v1::BeginMaintenance) -> Result<OwnWindow, DecodeError> {
    let v1::BeginMaintenance { lasts_ms, reason, change } = request;
    for (what, text) in [("reason", &reason), ("change", &change)] {
        limit(what, text.len(), STRING_BYTES)?;
        if text.chars().any(char::is_control) {
            return Err(DecodeError::Malformed("reason and change are one line each"));
        }
    }
    let lasts_ms = lasts_ms.clamp(0, hold::LONGEST_WINDOW_MS);
    Ok(OwnWindow { host: HostNo(0), lasts_ms, reason, change, most_ms: 0 })
}

fn greeting(hello: v1::Hello) -> Result<Greeting, DecodeError> {
    limit("version", hello.version.len(), STRING_BYTES)?;
    limit("alive", hello.alive.len(), ALIVE_SPANS)?;
    if hello.last_record > SEQUENCE_MAX {
        return Err(DecodeError::Malformed("last_record is beyond 2^53"));
    }
    let facts = hello.facts.unwrap_or_default();
    Ok(Greeting {
        protocol: hello.protocol,
        boot_id: bytes16(&hello.boot_id, "boot_id must be 16 bytes")?,
        generation: hello.generation,
        epoch: bytes16(&hello.epoch, "epoch must be 16 bytes")?,
        last_record: hello.last_record,
        clock: clock(hello.clock),
        fingerprint: fingerprint(hello.fingerprint.unwrap_or_default())?,
        labels: pairs(&facts.labels)?,
        facts: Facts { own_address: address(&hello.own_address), ..host_facts(facts, hello.version.clone())? },
        version: hello.version,
        alive: hello.alive.into_iter().map(alive_span).collect::<Result<_, _>>()?,
        dictionary_hash: hello.dictionary_hash,
    })
}

fn alive_span(span: v1::AliveSpan) -> Result<AliveSpan, DecodeError> {
    Ok(AliveSpan {
        boot_id: bytes16(&span.boot_id, "boot_id of an alive span must be 16 bytes")?,
        from: clock(span.from),
        to: clock(span.to),
        clean_end: span.end == 1,
        resumed: span.resumed,
    })
}

/// An address as its 4 or 16 bytes; what is neither is none.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let version_4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = version_4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.ok().map(|address| address.to_canonical())
}

fn clock(clock: Option<v1::Clock>) -> HostClock {
    let clock = clock.unwrap_or_default();
    HostClock { wall_ms: clock.wall_ms, boottime_ms: clock.boottime_ms }
}

fn host_facts(facts: v1::HostFacts, agent_version: String) -> Result<Facts, DecodeError> {
    let texts = [&facts.name, &facts.os, &facts.os_release, &facts.kernel, &facts.architecture, &facts.chassis];
    for text in texts {
        limit("a fact of the host", text.len(), STRING_BYTES)?;
    }
    Ok(Facts {
        name: facts.name,
        os: facts.os,
        os_release: facts.os_release,
        kernel: facts.kernel,
        architecture: facts.architecture,
        chassis: facts.chassis,
        agent_version,
        ..Facts::default()
    })
}

fn fingerprint(print: v1::Fingerprint) -> Result<Vec<(String, Vec<u8>)>, DecodeError> {
    limit("macs", print.macs.len(), MACS)?;
    let single = [
        ("machine_id", print.machine_id),
        ("product_uuid", print.product_uuid),
        ("serial", print.serial),
        ("root_fs_uuid", print.root_fs_uuid),
        ("instance_id", print.instance_id),
    ];
    let macs = print.macs.into_iter().map(|mac| ("mac", mac));
    let parts: Vec<_> = single.into_iter().chain(macs).filter(|(_, hash)| !hash.is_empty()).collect();
    for (_, hash) in &parts {
        limit("a fingerprint part", hash.len(), 32)?;
    }
    Ok(parts.into_iter().map(|(name, hash)| (name.to_owned(), hash)).collect())
}

fn pairs(flat: &[String]) -> Result<Vec<(String, String)>, DecodeError> {
    limit("labels", flat.len(), 2 * LABELS)?;
    for text in flat {
        limit("a label", text.len(), STRING_BYTES)?;
    }
    if !flat.len().is_multiple_of(2) {
        return Err(DecodeError::Malformed("labels must be pairs of name and value"));
    }
    Ok(flat.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
}

fn dictionary_update(dictionary: v1::Dictionary) -> Result<DictionaryUpdate, DecodeError> {
    limit("families", dictionary.families.len(), DICTIONARY_ENTRIES)?;
    limit("series", dictionary.series.len(), DICTIONARY_ENTRIES)?;
    limit("retired", dictionary.retired.len(), VALUES)?;
    let bytes = dictionary.encode_to_vec();
    Ok(DictionaryUpdate {
        bytes,
        families: dictionary.families.into_iter().map(family).collect(),
        series: dictionary.series.into_iter().map(series).collect(),
        retired: dictionary.retired,
    })
}

fn family(family: v1::Family) -> FamilyEntry {
    let kind = match family.r#type {
        1 => FamilyType::Counter,
        2 => FamilyType::Gauge,
        3 => FamilyType::Histogram,
        4 => FamilyType::Summary,
        _ => FamilyType::Untyped,
    };
    // Numbers of a unit that only newer agents know would be shown wrong; what has no name is not shown.
    let unit = Unit::from_wire(family.unit);
    let name = if unit.is_some() { family.name } else { String::new() };
    FamilyEntry { id: family.id, name, kind, help: cut(family.help, HELP_BYTES), unit: unit.unwrap_or_default() }
}

fn series(series: v1::Series) -> SeriesEntry {
    SeriesEntry { id: series.id, family: series.family, suffix: series.suffix, labels: series.labels }
}

fn readings_update(readings: v1::Readings) -> Result<ReadingsUpdate, DecodeError> {
    let (wholes, reals) = (readings.whole_gaps.len(), readings.real_gaps.len());
    limit("readings", wholes.saturating_add(reals), VALUES)?;
    limit("sources", readings.sources.len(), SOURCES)?;
    if wholes != readings.whole_diffs.len() || reals != readings.reals.len() {
        return Err(DecodeError::Malformed("readings must have one value for each gap"));
    }
    for source in &readings.sources {
        limit("a source", source.source.len(), STRING_BYTES)?;
    }
    let state = |source: v1::SourceState| (source.source, source.state, cut(source.reason, STRING_BYTES));
    let clock = readings.clock.unwrap_or_default();
    Ok(ReadingsUpdate {
        agent_wall_ms: clock.wall_ms,
        agent_uptime_ms: clock.boottime_ms,
        full: readings.full,
        whole_gaps: readings.whole_gaps,
        whole_diffs: readings.whole_diffs,
        real_gaps: readings.real_gaps,
        reals: readings.reals,
        sources: readings.sources.into_iter().map(state).collect(),
    })
}

const fn why(why: u32) -> Why {
    match why {
        1 => Why::Shutdown,
        2 => Why::Reboot,
        3 => Why::Sleep,
        4 => Why::AgentStop,
        5 => Why::AgentRestart,
        6 => Why::Uninstall,
        _ => Why::Unknown,
    }
}

fn bytes16(bytes: &[u8], message: &'static str) -> Result<[u8; 16], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::Malformed(message))
}

fn limit(what: &'static str, size: usize, limit: usize) -> Result<(), DecodeError> {
    if size > limit { Err(DecodeError::TooLong { what, size, limit }) } else { Ok(()) }
}

/// Cuts a text to `bytes`, at a character's boundary.
fn cut(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}
