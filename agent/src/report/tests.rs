//! The other end in little: a decoder written from the comments of muster.proto alone.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::probe::{Names, ProbeError, Scratch, Sink, Table};

#[derive(Default)]
struct Decoder {
    families: BTreeMap<u32, String>,
    series: BTreeMap<u32, (u32, Vec<String>)>,
    values: BTreeMap<u32, f64>,
    states: BTreeMap<String, u32>,
    changed: usize,
}

impl Decoder {
    fn apply(&mut self, messages: Vec<Body>) {
        for message in messages {
            match message {
                Body::Dictionary(dictionary) => self.learn(dictionary),
                Body::Readings(readings) => self.read(readings),
                other => panic!("not a reading: {other:?}"),
            }
        }
    }

    fn learn(&mut self, dictionary: v1::Dictionary) {
        for family in dictionary.families {
            assert!(self.families.insert(family.id, family.name).is_none(), "a family is told once");
        }
        for id in dictionary.retired {
            assert!(self.series.remove(&id).is_some(), "only what is known retires");
            self.values.remove(&id);
        }
        for series in dictionary.series {
            assert!(self.families.contains_key(&series.family), "a family comes before its series");
            assert!(self.series.insert(series.id, (series.family, series.labels)).is_none());
        }
    }

    fn read(&mut self, readings: v1::Readings) {
        self.changed = readings.whole_diffs.len() + readings.reals.len();
        let mut id = 0;
        for (gap, diff) in readings.whole_gaps.iter().zip(&readings.whole_diffs) {
            id += gap;
            let before = self.values.get(&id).copied().filter(|value| is_whole(*value)).unwrap_or(0.0);
            self.values.insert(id, (before as i64 + diff) as f64);
        }
        id = 0;
        for (gap, real) in readings.real_gaps.iter().zip(&readings.reals) {
            id += gap;
            self.values.insert(id, *real);
        }
        for state in readings.sources {
            self.states.insert(state.source, state.state);
        }
    }

    /// What is known, by family and labels, values as bits.
    fn shown(&self) -> BTreeMap<(String, Vec<String>), u64> {
        let value = |id: &u32| self.values[id].to_bits();
        self.series
            .iter()
            .map(|(id, (family, labels))| ((self.families[family].clone(), labels.clone()), value(id)))
            .collect()
    }
}

/// From 2^53 on not every whole number is a double; minus zero is none of them.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

fn is_whole(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() < EXACT_BELOW && value.to_bits() != (-0.0_f64).to_bits()
}

struct Machine {
    sections: Vec<Arc<Section>>,
    names: [&'static str; 2],
}

impl Machine {
    fn new() -> Self {
        let shared: Arc<Names> = Arc::new(Names::starting_at(1));
        let names = ["one", "two"];
        Self { sections: names.map(|name| Arc::new(Section::new(name, Arc::clone(&shared)))).to_vec(), names }
    }

    fn say(&mut self, which: usize, values: &[(u8, f64)]) {
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(Arc::make_mut(&mut self.sections[which]), &mut scratch, Moment::default());
        sink.family(self.names[which], Kind::Gauge, "help");
        for (device, value) in values {
            sink.sample(&[("device", &device.to_string())], *value);
        }
        sink.finish(Ok::<(), ProbeError>(())).1.unwrap();
    }

    fn gathered(&self, sources: Vec<SourceStatus>) -> Gathered {
        Gathered { table: Table { sections: self.sections.clone() }, at: Moment::default(), sources }
    }
}

fn truth(gathered: &Gathered) -> BTreeMap<(String, Vec<String>), u64> {
    let labels = |series: &Series| series.labels().flat_map(|(n, v)| [n.to_owned(), v.to_owned()]).collect();
    gathered.table.samples().map(|(f, s, v)| ((f.name.to_string(), labels(s)), v.to_bits())).collect()
}

fn status(source: &'static str, state: SourceState) -> SourceStatus {
    SourceStatus { source: Cow::Borrowed(source), state, reason: String::new() }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        (-5_i64..5).prop_map(|whole| whole as f64),
        Just(-0.0),
        Just(f64::NAN),
        Just(EXACT_BELOW),
        Just(EXACT_BELOW - 1.0),
        Just(1.5),
    ]
}

proptest! {
    #[test]
    fn the_other_end_knows_exactly_what_was_read_after_every_report(
        rounds in prop::collection::vec(
            (0_usize..2, prop::collection::btree_map(0_u8..6, value(), 0..6)), 1..20)
    ) {
        let (mut machine, mut encoder, mut decoder) = (Machine::new(), StreamEncoder::new(), Decoder::default());
        for (which, values) in rounds {
            machine.say(which, &values.into_iter().collect::<Vec<_>>());
            let gathered = machine.gathered(Vec::new());
            decoder.apply(encoder.encode(&gathered));
            prop_assert_eq!(decoder.shown(), truth(&gathered));
        }
    }
}

#[test]
fn only_the_first_set_is_full_and_then_only_changes_travel() {
    let (mut machine, mut encoder, mut decoder) = (Machine::new(), StreamEncoder::new(), Decoder::default());
    machine.say(0, &[(1, 10.0), (2, 2.5), (3, f64::NAN)]);
    let mut fullness = Vec::new();
    for expected in [3, 0, 1] {
        if expected == 1 {
            machine.say(0, &[(1, 10.0), (2, 2.75), (3, f64::NAN)]);
        }
        let messages = encoder.encode(&machine.gathered(Vec::new()));
        let Some(Body::Readings(readings)) = messages.last() else { panic!("no readings") };
        fullness.push(readings.full);
        decoder.apply(messages);
        assert_eq!(decoder.changed, expected);
    }
    assert_eq!(fullness, [true, false, false]);
}

#[test]
fn dictionaries_stay_small_however_many_series_there_are() {
    let mut machine = Machine::new();
    let values: Vec<(u8, f64)> = (0..=255).map(|device| (device, 1.0)).collect();
    machine.say(0, &values);
    let messages = StreamEncoder::new().encode(&machine.gathered(Vec::new()));
    let mut total = 0;
    for message in &messages[..messages.len() - 1] {
        let Body::Dictionary(dictionary) = message else { panic!("a dictionary is due") };
        // Written by hand from the protobuf encoding: a tag and a length of at most 2 bytes per entry and text.
        let series = |one: &v1::Series| 3 + 6 + 6 + one.labels.iter().map(|text| 3 + text.len()).sum::<usize>();
        let bytes: usize = dictionary.series.iter().map(series).sum::<usize>()
            + dictionary.families.iter().map(|one| 3 + 6 + 2 + 3 + one.name.len() + 3 + one.help.len()).sum::<usize>();
        assert!(bytes <= DICTIONARY_MAX, "{bytes}");
        total += dictionary.series.len();
    }
    assert_eq!(total, 256);
    assert!(messages.len() > 3);
}

#[test]
fn a_late_source_keeps_its_series_and_a_stuck_one_loses_them() {
    let (mut machine, mut encoder, mut decoder) = (Machine::new(), StreamEncoder::new(), Decoder::default());
    machine.say(0, &[(1, 1.0)]);
    machine.say(1, &[(2, 2.0)]);
    decoder.apply(encoder.encode(&machine.gathered(Vec::new())));
    let away = machine.sections.remove(1);
    decoder.apply(encoder.encode(&machine.gathered(vec![status("two", SourceState::Late)])));
    assert_eq!((decoder.shown().len(), decoder.states["two"]), (2, 4));
    machine.sections.push(Arc::clone(&away));
    decoder.apply(encoder.encode(&machine.gathered(vec![status("two", SourceState::Ok)])));
    assert_eq!((decoder.shown().len(), decoder.states["two"]), (2, 0));
    machine.sections.remove(1);
    decoder.apply(encoder.encode(&machine.gathered(vec![status("two", SourceState::Stuck)])));
    assert_eq!((decoder.shown().len(), decoder.states["two"]), (1, 5));
}

#[test]
fn a_part_that_is_no_longer_mentioned_is_well_again() {
    let (machine, mut encoder, mut decoder) = (Machine::new(), StreamEncoder::new(), Decoder::default());
    decoder.apply(encoder.encode(&machine.gathered(vec![status("filesystem/mnt", SourceState::Stuck)])));
    assert_eq!(decoder.states["filesystem/mnt"], 5);
    decoder.apply(encoder.encode(&machine.gathered(Vec::new())));
    assert_eq!(decoder.states["filesystem/mnt"], 0);
}

#[test]
fn a_minute_keeps_the_smallest_the_mean_and_the_largest() {
    let mut rollup = RollupMinute::new();
    assert_eq!(rollup.finish(), None);
    let mut section = Section::new("x", Arc::default());
    for (second, load, idle) in [(0_u64, 1.0, 100.0), (15, 4.0, 107.5), (30, 1.0, 122.5)] {
        let at = Moment { wall_ms: 0, boottime_ms: second * 1000 };
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, at);
        sink.single("node_load1", Kind::Gauge, "", load);
        sink.family("node_cpu_seconds_total", Kind::Counter, "");
        sink.sample(&[("cpu", "0"), ("mode", "idle")], idle);
        // What is not idle is busy: 7.5 of the first 15 seconds, none of the second.
        sink.sample(&[("cpu", "0"), ("mode", "user")], if second == 0 { 0.0 } else { 7.5 });
        sink.finish(Ok(())).1.unwrap();
        let table = Table { sections: vec![Arc::new(section.clone())] };
        rollup.fold(&Gathered { table, at, sources: Vec::new() });
    }
    let minute = rollup.finish().unwrap();
    assert_eq!((minute.from.boottime_ms, minute.to.boottime_ms), (0, 30_000));
    let figures: Vec<_> = minute.readings.iter().map(|r| (r.name, r.count, r.min, r.mean, r.max)).collect();
    assert_eq!(figures, [("cpu_busy_ratio", 2, 0.0, 0.25, 0.5), ("load1", 3, 1.0, 2.0, 4.0)]);
    let record::Body::Rollup(record) = rollup_record(&minute) else { panic!("not a roll-up") };
    assert_eq!(record.series.len(), 2);
}

/// A machine with network interfaces, each by name with what it received.
fn received(section: &mut Section, second: u64, interfaces: &[(&str, f64)]) -> Gathered {
    let at = Moment { wall_ms: 0, boottime_ms: second * 1000 };
    let mut scratch = Scratch::default();
    let mut sink = Sink::new(section, &mut scratch, at);
    sink.family("node_network_receive_bytes_total", Kind::Counter, "");
    for (device, bytes) in interfaces {
        sink.sample(&[("device", device)], *bytes);
    }
    sink.finish(Ok(())).1.unwrap();
    Gathered { table: Table { sections: vec![Arc::new(section.clone())] }, at, sources: Vec::new() }
}

#[test]
fn a_counter_that_begins_again_and_an_interface_that_comes_or_is_made_anew_bring_no_spike() {
    let (mut rollup, mut section) = (RollupMinute::new(), Section::new("x", Arc::default()));
    const OLD: f64 = 1e15;
    let story: [(u64, &[(&str, f64)]); 8] = [
        (0, &[("eth0", OLD), ("lo", 0.0)]),
        (10, &[("eth0", OLD + 100.0), ("lo", OLD)]),
        // An interface appears with all that it ever received.
        (20, &[("eth0", OLD + 200.0), ("wg0", OLD), ("veth1", OLD)]),
        (30, &[("eth0", OLD + 300.0), ("wg0", OLD + 100.0), ("veth1", OLD * 2.0)]),
        (40, &[("eth0", OLD + 400.0)]),
        // The driver was loaded again.
        (50, &[("eth0", 50.0)]),
        (60, &[]),
        // Another interface of that name.
        (70, &[("eth0", OLD)]),
    ];
    for (second, interfaces) in story {
        rollup.fold(&received(&mut section, second, interfaces));
    }
    let minute = rollup.finish().unwrap();
    let figures: Vec<_> = minute.readings.iter().map(|r| (r.name, r.count, r.min, r.max)).collect();
    assert_eq!(figures, [("network_receive_bytes_per_second", 4, 10.0, 20.0)]);
    assert_eq!(rollup.totals_kept(), 1, "what is gone is forgotten");
}

#[test]
fn one_report_a_minute_is_enough_for_a_rate() {
    let (mut rollup, mut section) = (RollupMinute::new(), Section::new("x", Arc::default()));
    for minute in 0..3_u64 {
        rollup.fold(&received(&mut section, minute * 60, &[("eth0", minute as f64 * 600.0)]));
        let rates: Vec<f64> = rollup.finish().unwrap().readings.iter().map(|reading| reading.mean).collect();
        assert_eq!(rates, if minute == 0 { vec![] } else { vec![10.0] });
    }
}

#[test]
fn what_waits_is_warm_or_charged_is_kept_by_part_and_what_is_in_memory_is_not() {
    let (mut rollup, mut section) = (RollupMinute::new(), Section::new("x", Arc::default()));
    for second in [0_u64, 10] {
        let at = Moment { wall_ms: 0, boottime_ms: second * 1000 };
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, at);
        let grown = second as f64;
        for (family, per_second) in [
            ("node_disk_io_time_seconds_total", 0.5),
            ("node_disk_read_time_seconds_total", 0.1),
            ("node_disk_write_time_seconds_total", 0.3),
            ("node_disk_reads_completed_total", 20.0),
            ("node_disk_writes_completed_total", 80.0),
        ] {
            sink.family(family, Kind::Counter, "");
            sink.sample(&[("device", "sda")], 100.0 + grown * per_second);
            sink.sample(&[("device", "loop0")], grown);
        }
        sink.family("node_hwmon_temp_celsius", Kind::Gauge, "");
        sink.sample(&[("chip", "cpu"), ("sensor", "temp1")], 41.0);
        sink.sample(&[("chip", "cpu"), ("sensor", "temp2")], 52.0);
        sink.family("node_power_supply_capacity", Kind::Gauge, "");
        sink.sample(&[("power_supply", "BAT0")], 80.0);
        sink.family("node_filesystem_avail_bytes", Kind::Gauge, "");
        sink.sample(&[("mountpoint", "/run"), ("fstype", "tmpfs")], 5.0);
        sink.sample(&[("mountpoint", "/"), ("fstype", "ext4")], 7.0);
        sink.finish(Ok(())).1.unwrap();
        let table = Table { sections: vec![Arc::new(section.clone())] };
        rollup.fold(&Gathered { table, at, sources: Vec::new() });
    }
    let readings = rollup.finish().unwrap().readings;
    let found: Vec<_> =
        readings.iter().map(|r| (r.name, r.labels[0].1.as_str(), (r.mean * 1e6).round() / 1e6)).collect();
    let expected = [
        ("battery_charge_ratio", "BAT0", 0.8),
        ("disk_await_seconds", "sda", 0.004),
        ("disk_busy_ratio", "sda", 0.5),
        ("filesystem_avail_bytes", "/", 7.0),
        ("temperature_celsius", "cpu", 52.0),
    ];
    assert_eq!(found, expected);
}
