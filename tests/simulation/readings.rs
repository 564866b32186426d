//! Readings from end to end without a network: what the agent's encoder says, put into bytes and taken in by the
//! collector, shows exactly what the agent read, whatever the values did and however often the stream began anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_agent::clock::Moment;
use muster_agent::gather::Gathered;
use muster_agent::probe::{Kind, Names, ProbeError, Scratch, Section, Sink, Table};
use muster_agent::report::StreamEncoder;
use muster_collector::domain::host::slot::Slot;
use muster_collector::domain::host::slots::Slots;
use muster_collector::domain::ids::{HostNo, SessionId};
use muster_collector::domain::time::Timestamp;
use muster_collector::domain::watch::Watch;
use muster_collector::ingest::decode::{self, Heard};
use muster_proto::v1;
use proptest::prelude::*;
use prost::Message as _;

const HOST: HostNo = HostNo(1);
/// Families as the probes make them: whole numbers, hundredths, thousandths, millionths, anything.
const FAMILIES: [&str; 5] = [
    "node_context_switches_total",
    "node_cpu_seconds_total",
    "node_disk_io_time_seconds_total",
    "node_pressure_cpu_waiting_seconds_total",
    "node_hwmon_temp_celsius",
];

/// A machine whose sources say what they are told.
struct Machine {
    sections: Vec<Arc<Section>>,
}

impl Machine {
    fn new() -> Self {
        let names = Arc::new(Names::starting_at(1));
        Self { sections: FAMILIES.map(|family| Arc::new(Section::new(family, Arc::clone(&names)))).to_vec() }
    }

    fn read(&mut self, which: usize, values: &BTreeMap<u8, f64>) {
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(Arc::make_mut(&mut self.sections[which]), &mut scratch, Moment::default());
        sink.family(FAMILIES[which], Kind::Gauge, "help");
        for (device, value) in values {
            sink.sample(&[("device", &device.to_string())], *value);
        }
        sink.finish(Ok::<(), ProbeError>(())).1.unwrap();
    }

    fn gathered(&self) -> Gathered {
        Gathered { table: Table { sections: self.sections.clone() }, at: Moment::default(), sources: Vec::new() }
    }
}

/// The collector's end of one stream.
struct Stream {
    slot: Arc<Slot>,
    session: SessionId,
}

impl Stream {
    fn open(slots: &Slots, session: i64) -> Self {
        let session = SessionId(session);
        Self { slot: slots.open(HOST, session, Watch::Normal, Timestamp::from_ms(session.0)), session }
    }

    /// The agent comes back: it says what it said before, and goes on from there where the collector still knows it.
    fn back(&mut self, slots: &Slots, encoder: &StreamEncoder) -> Option<StreamEncoder> {
        *self = Self::open(slots, self.session.0 + 1);
        let (now, anew) = (Timestamp::from_ms(self.session.0), encoder.anew());
        let known = self.slot.resume(self.session, anew.dictionary_hash(), now);
        known.then_some(anew)
    }

    /// What went over the wire is bytes.
    fn take(&self, body: v1::agent_message::Body) {
        let bytes = v1::AgentMessage { body: Some(body) }.encode_to_vec();
        let now = Timestamp::from_ms(self.session.0);
        match decode::message(v1::AgentMessage::decode(&bytes[..]).unwrap()).unwrap() {
            Heard::Dictionary(update) => self.slot.grow(self.session, update, now).unwrap(),
            Heard::Readings(update) => drop(self.slot.apply(self.session, &update, now).unwrap()),
            _ => panic!("neither dictionary nor readings"),
        }
    }

    fn shown(&self) -> BTreeMap<(&'static str, String), u64> {
        let mut shown = BTreeMap::new();
        for family in FAMILIES {
            self.slot.for_each(family, &mut |labels, value| {
                shown.insert((family, labels[0].1.clone()), value.to_bits());
            });
        }
        shown
    }
}

fn truth(gathered: &Gathered) -> BTreeMap<(&'static str, String), u64> {
    let name = |name: &str| FAMILIES.into_iter().find(|family| *family == name).unwrap();
    let key = |family: &str, device: Option<&str>| (name(family), device.unwrap_or_default().to_owned());
    gathered.table.samples().map(|(f, s, v)| (key(&f.name, s.label("device")), v.to_bits())).collect()
}

/// Values as counters and gauges have them: whole ones and fractions of one step, by turns.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-300_i64..300).prop_map(|count| count as f64 / 100.0),
        2 => (0_i64..3_000_000).prop_map(|count| count as f64 / 1000.0 / 1000.0),
        2 => (0_i64..3_000).prop_map(|count| count as f64 * (1.0 / 1000.0)),
        2 => (-5_i64..5).prop_map(|count| count as f64),
        1 => any::<f64>(),
    ]
}

/// What happens to the stream before a report.
#[derive(Debug, Clone, Copy)]
enum Back {
    No,
    SaysAll,
    GoesOn,
    /// What was said last got lost, and the collector hears of it only on the next stream.
    LosesTheLast,
}

fn coming_back() -> impl Strategy<Value = Back> {
    prop_oneof![8 => Just(Back::No), 1 => Just(Back::SaysAll), 2 => Just(Back::GoesOn), 2 => Just(Back::LosesTheLast)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_collector_shows_exactly_what_the_agent_read(
        rounds in prop::collection::vec(
            (0..FAMILIES.len(), prop::collection::btree_map(0_u8..6, value(), 0..6), coming_back()), 1..30)
    ) {
        let (mut machine, mut encoder, slots) = (Machine::new(), StreamEncoder::new(), Slots::default());
        let mut stream = Stream::open(&slots, 1);
        let mut heard = 0;
        for (which, values, back) in rounds {
            let before = encoder.dictionary_hash().to_vec();
            machine.read(which, &values);
            let gathered = machine.gathered();
            match back {
                Back::No => {}
                Back::SaysAll => {
                    stream = Stream::open(&slots, stream.session.0 + 1);
                    (encoder, heard) = (StreamEncoder::new(), 0);
                }
                Back::GoesOn | Back::LosesTheLast => {
                    if matches!(back, Back::LosesTheLast) {
                        encoder.encode(&gathered);
                    }
                    let anew = stream.back(&slots, &encoder);
                    prop_assert!(anew.is_some() || heard == 0 || before.is_empty(), "what was heard is known");
                    (encoder, heard) = (anew.unwrap_or_default(), 0);
                }
            }
            encoder.encode(&gathered).into_iter().for_each(|body| stream.take(body));
            heard += 1;
            encoder.heard(heard);
            prop_assert_eq!(stream.shown(), truth(&gathered));
        }
    }
}

#[test]
fn a_stream_that_is_resumed_says_values_only_and_one_with_another_dictionary_is_not() {
    let (mut machine, mut encoder, slots) = (Machine::new(), StreamEncoder::new(), Slots::default());
    machine.read(1, &BTreeMap::from([(0, 10.25), (1, 7.0)]));
    let mut stream = Stream::open(&slots, 1);
    encoder.encode(&machine.gathered()).into_iter().for_each(|body| stream.take(body));
    let unsaid = {
        machine.read(1, &BTreeMap::from([(0, 11.5), (1, 7.0), (2, 0.25)]));
        StreamEncoder::describing(&machine.gathered())
    };
    assert!(stream.back(&slots, &unsaid).is_none(), "the collector has never heard of device 2");
    assert!(stream.back(&slots, &encoder).is_none(), "nobody said that it was heard");
    assert!(stream.back(&slots, &StreamEncoder::new()).is_none(), "nothing was said");

    encoder.heard(1);
    let mut resumed = stream.back(&slots, &encoder).expect("said before, and nothing since");
    let bodies = resumed.encode(&machine.gathered());
    let kinds: Vec<_> = bodies.iter().map(|body| matches!(body, v1::agent_message::Body::Dictionary(_))).collect();
    assert_eq!(kinds, [true, false], "only device 2 is new");
    bodies.into_iter().for_each(|body| stream.take(body));
    assert_eq!(stream.shown(), truth(&machine.gathered()));

    resumed.heard(1);
    let mut again = stream.back(&slots, &resumed).expect("both dictionaries were heard");
    let bodies = again.encode(&machine.gathered());
    assert_eq!(bodies.len(), 1, "values alone: {bodies:?}");
    bodies.into_iter().for_each(|body| stream.take(body));
    assert_eq!(stream.shown(), truth(&machine.gathered()));
}

#[test]
fn what_counts_in_ticks_travels_as_ticks() {
    let (mut machine, mut encoder) = (Machine::new(), StreamEncoder::new());
    let steps: [(usize, f64, f64); 3] = [(1, 7444.43, 7459.02), (2, 14431.339, 14431.34), (3, 9008.436664, 9008.5)];
    for (which, before, _) in steps {
        machine.read(which, &BTreeMap::from([(0, before)]));
    }
    encoder.encode(&machine.gathered());
    for (which, _, after) in steps {
        machine.read(which, &BTreeMap::from([(0, after)]));
    }
    let bodies = encoder.encode(&machine.gathered());
    let [v1::agent_message::Body::Readings(readings)] = &bodies[..] else { panic!("{bodies:?}") };
    assert_eq!(readings.whole_diffs, [1459, 1, 63_336], "hundredths, thousandths, millionths");
    assert!(readings.reals.is_empty(), "{readings:?}");
}
