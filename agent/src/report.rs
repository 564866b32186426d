//! The only agent file (with those below it) that knows what is inside the wire's messages.
//!
//! [`StreamEncoder`] turns collections into dictionary and readings; [`host_facts`] and [`fingerprint`] say which
//! machine this is; [`gap_record`], [`clock_step_record`] and [`rollup_record`] make records of plain values. Nothing
//! here reads a file but through `Host`, and nothing decides what to send when.

mod checks;
mod evidence;
mod facts;
mod hardware;
mod inventory;
mod rollup;
mod show;
mod unit;

use std::collections::{BTreeMap, HashMap};

use muster_proto::v1::agent_message::Body;
use muster_proto::v1::{self, record};
use prost::Message as _;
use ring::digest;

use crate::clock::Moment;
use crate::gather::{Gathered, SourceState, SourceStatus};
use crate::probe::{Family, Kind, Section, Series};

use unit::Unit;

pub use checks::check_records;
pub use evidence::evidence_record;
pub use facts::{fingerprint, host_facts};
pub use hardware::hardware_record;
pub use inventory::{inventory_messages, inventory_record};
pub use rollup::{Minute, Reading, RollupMinute};
pub use show::{shown_hello, shown_record, shown_report};

/// Longest text on the wire, in bytes (muster.proto).
const TEXT_MAX: usize = 256;
/// Largest dictionary message, in bytes.
const DICTIONARY_MAX: usize = 2048;
/// Most bytes that protobuf adds to one family or series: tags, lengths and numbers of at most 5 bytes each.
const ENTRY_OVERHEAD: usize = 32;
/// Most bytes of tag and length of one label part (at most 256 bytes long).
const PART_OVERHEAD: usize = 3;
/// Most bytes of one retired id.
const ID_BYTES: usize = 5;

/// What this stream knows of one series.
#[derive(Debug, Clone)]
struct Known {
    id: u32,
    source: &'static str,
    /// Section and place in it; `None` while its source is late.
    place: Option<(usize, usize)>,
    /// What its whole numbers count.
    unit: Unit,
    /// The last value sent.
    sent: Option<f64>,
}

/// Encodes the readings of one stream: what it has said is what the other end knows.
#[derive(Debug, Default)]
pub struct StreamEncoder {
    begun: bool,
    /// Family ids of this stream, from 1, by name.
    families: HashMap<Box<str>, u32>,
    /// By ascending id.
    known: Vec<Known>,
    /// Which sections, in which version, `known` was made from.
    layout: Vec<(&'static str, u64)>,
    states: Vec<SourceStatus>,
    /// The hash of all dictionaries said, as muster.proto defines it; empty before the first.
    dictionary_hash: Vec<u8>,
    /// How many `Readings` were made.
    readings: u64,
    /// What was said of the dictionary and is not known to be heard, oldest first.
    unheard: Vec<Unheard>,
}

/// One change of the dictionary, to be taken back if the other end never heard of it.
#[derive(Debug)]
struct Unheard {
    /// The `Readings` that followed it.
    readings: u64,
    /// The hash before.
    hash: Vec<u8>,
    /// Families and series up to here were there before.
    families: u32,
    added: Vec<u32>,
    retired: Vec<Known>,
}

impl StreamEncoder {
    /// The encoder of a new stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The encoder of a stream whose other end knows already how `gathered` would be described.
    #[must_use]
    pub fn describing(gathered: &Gathered) -> Self {
        let mut encoder = Self::new();
        encoder.learn(gathered);
        encoder.heard(u64::MAX);
        encoder.anew()
    }

    /// The other end has applied this many `Readings` of the stream, and all that was said before them.
    pub fn heard(&mut self, readings: u64) {
        self.unheard.retain(|change| change.readings > readings);
    }

    /// The encoder of a new stream whose other end still knows what it has heard on this one.
    #[must_use]
    pub fn anew(&self) -> Self {
        let unsaid = |known: &Known| Known { place: None, sent: None, ..known.clone() };
        let mut known: BTreeMap<u32, Known> = self.known.iter().map(|known| (known.id, unsaid(known))).collect();
        for change in self.unheard.iter().rev() {
            known.retain(|id, _| change.added.binary_search(id).is_err());
            known.extend(change.retired.iter().map(|known| (known.id, unsaid(known))));
        }
        let first = self.unheard.first();
        let last_family = first.map_or(u32::MAX, |change| change.families);
        let heard = self.families.iter().filter(|(_, id)| **id <= last_family);
        Self {
            families: heard.map(|(name, id)| (name.clone(), *id)).collect(),
            known: known.into_values().collect(),
            dictionary_hash: first.map_or(&self.dictionary_hash, |change| &change.hash).clone(),
            ..Self::default()
        }
    }

    /// Tells the dictionary of this stream from any other; empty when there is none.
    #[must_use]
    pub fn dictionary_hash(&self) -> &[u8] {
        &self.dictionary_hash
    }

    /// Messages that tell the other end what is new: dictionaries of at most 2 KiB when series came or went, then one
    /// `Readings`. The first of a stream is a full set.
    pub fn encode(&mut self, gathered: &Gathered) -> Vec<Body> {
        let full = !std::mem::replace(&mut self.begun, true);
        self.readings += 1;
        let layout = || gathered.table.sections.iter().map(|section| (section.source(), section.version()));
        let mut messages = Vec::new();
        if !layout().eq(self.layout.iter().copied()) {
            self.layout = layout().collect();
            messages = self.learn(gathered).into_iter().map(Body::Dictionary).collect();
        }
        let mut readings = self.readings(gathered, full);
        readings.sources = self.changed_states(&gathered.sources, full);
        messages.push(Body::Readings(readings));
        messages
    }

    /// Merges what is there now into what is known; both ascend by id.
    fn learn(&mut self, gathered: &Gathered) -> Vec<v1::Dictionary> {
        let mut present: Vec<(u32, usize, usize)> = Vec::new();
        for (place, section) in gathered.table.sections.iter().enumerate() {
            present.extend(section.samples().enumerate().map(|(index, (_, series, _))| (series.id, place, index)));
        }
        present.sort_unstable();
        let mut change = Unheard {
            readings: self.readings,
            hash: self.dictionary_hash.clone(),
            families: self.last_family(),
            added: Vec::new(),
            retired: Vec::new(),
        };
        let mut dictionary = Chunks::default();
        let mut earlier = std::mem::take(&mut self.known).into_iter().peekable();
        for (id, place, index) in present {
            while let Some(gone) = earlier.next_if(|known| known.id < id) {
                change.retired.extend(self.keep_or_retire(gone, gathered, &mut dictionary));
            }
            if let Some(known) = earlier.next_if(|known| known.id == id) {
                self.known.push(Known { place: Some((place, index)), ..known });
                continue;
            }
            let section = &gathered.table.sections[place];
            let unit = self.describe(section, index, &mut dictionary);
            let source = section.source();
            self.known.push(Known { id, source, place: Some((place, index)), unit, sent: None });
            change.added.push(id);
        }
        for gone in earlier {
            change.retired.extend(self.keep_or_retire(gone, gathered, &mut dictionary));
        }
        let said = dictionary.finish();
        if !said.is_empty() {
            self.unheard.push(change);
        }
        for message in &said {
            self.dictionary_hash.extend(message.encode_to_vec());
            self.dictionary_hash = digest::digest(&digest::SHA256, &self.dictionary_hash).as_ref().to_vec();
        }
        said
    }

    fn last_family(&self) -> u32 {
        u32::try_from(self.families.len()).unwrap_or(u32::MAX)
    }

    /// A series whose source is only late is still there; any other has gone, and is returned.
    fn keep_or_retire(&mut self, gone: Known, gathered: &Gathered, dictionary: &mut Chunks) -> Option<Known> {
        if gathered.is_late(gone.source) {
            self.known.push(Known { place: None, ..gone });
            return None;
        }
        dictionary.retire(gone.id);
        Some(gone)
    }

    fn describe(&mut self, section: &Section, index: usize, dictionary: &mut Chunks) -> Unit {
        let Some((family, series)) = section.series(index) else { return Unit::One };
        let unit = Unit::of(&family.name);
        let next = self.last_family().saturating_add(1);
        let family_id = *self.families.entry(family.name.clone()).or_insert(next);
        if family_id == next {
            dictionary.family(family_of(family_id, family, unit));
        }
        dictionary.series(series_of(family_id, series));
        unit
    }

    fn readings(&mut self, gathered: &Gathered, full: bool) -> v1::Readings {
        let mut readings = v1::Readings { clock: Some(clock_of(gathered.at)), full, ..v1::Readings::default() };
        let (mut last_whole_id, mut last_real_id) = (0, 0);
        for known in &mut self.known {
            let Some((place, index)) = known.place else { continue };
            let value = gathered.table.sections[place].values()[index];
            let before = known.sent.replace(value).filter(|_| !full);
            if before.map(f64::to_bits) == Some(value.to_bits()) {
                continue;
            }
            if let Some(count) = known.unit.count(value) {
                let base = before.and_then(|before| known.unit.count(before)).unwrap_or(0);
                readings.whole_gaps.push(known.id - last_whole_id);
                readings.whole_diffs.push(count - base);
                last_whole_id = known.id;
            } else {
                readings.real_gaps.push(known.id - last_real_id);
                readings.reals.push(value);
                last_real_id = known.id;
            }
        }
        readings
    }

    /// States that differ from what was said; a part that is no longer mentioned is well again.
    fn changed_states(&mut self, now: &[SourceStatus], full: bool) -> Vec<v1::SourceState> {
        if !full && self.states == now {
            return Vec::new();
        }
        let fresh = now.iter().filter(|status| full || !self.states.contains(status));
        let mut changed: Vec<v1::SourceState> = fresh.map(state_of).collect();
        let healed = self.states.iter().filter(|old| now.iter().all(|status| status.source != old.source));
        changed.extend(healed.map(|old| v1::SourceState { source: text(&old.source), ..v1::SourceState::default() }));
        self.states = now.to_vec();
        changed
    }
}

/// Something that should be there is not: `what`, from when to when, how many, and why.
#[must_use]
pub fn gap_record(what: &str, from: Moment, to: Moment, lost: u64, reason: &str) -> record::Body {
    record::Body::Gap(v1::Gap {
        what: text(what),
        from: Some(clock_of(from)),
        to: Some(clock_of(to)),
        lost,
        reason: text(reason),
    })
}

/// The wall clock left the monotonic one.
#[must_use]
pub fn clock_step_record(before: Moment, after: Moment) -> record::Body {
    record::Body::ClockStep(v1::ClockStep { before: Some(clock_of(before)), after: Some(clock_of(after)) })
}

/// What became of the readings of one minute while nobody listened.
#[must_use]
pub fn rollup_record(minute: &Minute) -> record::Body {
    let series = |reading: &Reading| v1::RollupSeries {
        name: text(reading.name),
        labels: reading.labels.iter().flat_map(|(name, value)| [text(name), text(value)]).collect(),
        count: reading.count,
        min: reading.min,
        mean: reading.mean,
        max: reading.max,
    };
    record::Body::Rollup(v1::Rollup {
        from: Some(clock_of(minute.from)),
        to: Some(clock_of(minute.to)),
        series: minute.readings.iter().map(series).collect(),
    })
}

/// Dictionary messages in the making; each ends before it would pass [`DICTIONARY_MAX`].
#[derive(Default)]
struct Chunks {
    ended: Vec<v1::Dictionary>,
    open: v1::Dictionary,
    bytes: usize,
}

impl Chunks {
    fn family(&mut self, family: v1::Family) {
        self.make_room(ENTRY_OVERHEAD + family.name.len() + family.help.len());
        self.open.families.push(family);
    }

    fn series(&mut self, series: v1::Series) {
        let labels: usize = series.labels.iter().map(|part| part.len() + PART_OVERHEAD).sum();
        self.make_room(ENTRY_OVERHEAD + series.suffix.len() + labels);
        self.open.series.push(series);
    }

    fn retire(&mut self, id: u32) {
        self.make_room(ID_BYTES);
        self.open.retired.push(id);
    }

    fn make_room(&mut self, bytes: usize) {
        // The packed list of retired ids has a head of its own.
        let head = ENTRY_OVERHEAD;
        if self.bytes + bytes + head > DICTIONARY_MAX && self.bytes > 0 {
            self.ended.push(std::mem::take(&mut self.open));
            self.bytes = 0;
        }
        self.bytes += bytes;
    }

    fn finish(mut self) -> Vec<v1::Dictionary> {
        if self.bytes > 0 {
            self.ended.push(self.open);
        }
        self.ended
    }
}

fn family_of(id: u32, family: &Family, unit: Unit) -> v1::Family {
    let kind = match family.kind {
        Kind::Untyped => 0,
        Kind::Counter => 1,
        Kind::Gauge => 2,
        Kind::Histogram => 3,
        Kind::Summary => 4,
    };
    v1::Family { id, name: text(&family.name), r#type: kind, help: text(&family.help), unit: unit as u32 }
}

fn series_of(family: u32, series: &Series) -> v1::Series {
    let labels = series.labels().flat_map(|(name, value)| [text(name), text(value)]).collect();
    v1::Series { id: series.id, family, suffix: series.part.suffix().to_owned(), labels }
}

fn state_of(status: &SourceStatus) -> v1::SourceState {
    let state = match status.state {
        SourceState::Ok => 0,
        SourceState::Absent => 1,
        SourceState::Unreadable => 2,
        SourceState::Failed => 3,
        SourceState::Late => 4,
        SourceState::Stuck => 5,
    };
    v1::SourceState { source: text(&status.source), state, reason: text(&status.reason) }
}

fn clock_of(moment: Moment) -> v1::Clock {
    v1::Clock { wall_ms: moment.wall_ms, boottime_ms: moment.boottime_ms }
}

/// At most 256 bytes of a text, cut between characters.
fn text(value: &str) -> String {
    value[..value.floor_char_boundary(TEXT_MAX)].to_owned()
}

#[cfg(test)]
mod tests;
