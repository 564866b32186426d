//! What judging one report costs: every rule over a recorded busy machine with fifty mounts and two hundred units
//!
//! `rules [--reports N]`

use std::sync::Arc;

use muster_collector::domain::{
    readings::dictionary::{
        Dictionary, DictionaryUpdate, FamilyEntry, FamilyType, Interner, SeriesEntry,
        draft::{Allowance, Draft, Omissions},
        unit::Unit,
    },
    rules::{Index, Inputs, Memory, Thresholds},
    time::Timestamp,
};

/// As recorded by `tests/fixtures/busy/record`: names, then a line for each reading, an empty cell repeats the one above.
const RECORDING: &str = include_str!("../../fixtures/busy/readings.tsv");
const MOUNTS: usize = 50;
const UNITS: usize = 200;

/// Name and labels of each series, and the values of each reading.
struct Machine {
    series: Vec<(String, Vec<String>)>,
    readings: Vec<Vec<f64>>,
}

impl Machine {
    fn recorded() -> Self {
        let mut lines = RECORDING.lines();
        let mut series: Vec<_> = lines.next().unwrap_or_default().split('\t').map(named).collect();
        let mut last = vec![f64::NAN; series.len()];
        let mut readings = Vec::new();
        for line in lines {
            for (value, cell) in last.iter_mut().zip(line.split('\t')) {
                *value = cell.parse().unwrap_or(*value);
            }
            readings.push(last.clone());
        }
        let mut also = |name: &str, labels: &[&str], value: f64| {
            series.push((name.to_owned(), labels.iter().map(|text| (*text).to_owned()).collect()));
            readings.iter_mut().for_each(|reading| reading.push(value));
        };
        for n in 0..MOUNTS {
            let (mount, device) = (format!("/srv/{n}"), format!("/dev/sd{n}"));
            let labels = ["mountpoint", &mount, "device", &device, "fstype", "ext4"];
            for (name, value) in
                [("size_bytes", 1e12), ("avail_bytes", 4e11), ("readonly", 0.0), ("files", 1e7), ("files_free", 5e6)]
            {
                also(&format!("node_filesystem_{name}"), &labels, value);
            }
        }
        for n in 0..UNITS {
            let unit = format!("unit-{n}.service");
            for state in ["active", "activating", "deactivating", "failed", "inactive"] {
                also(
                    "node_systemd_unit_state",
                    &["name", &unit, "state", state],
                    f64::from(u8::from(state == "active")),
                );
            }
            also("node_systemd_service_restart_total", &["name", &unit], f64::from(u8::from(n % 20 == 0)));
        }
        Self { series, readings }
    }
}

/// `name{label="value",...}`
fn named(text: &str) -> (String, Vec<String>) {
    let (name, labels) = text.split_once('{').unwrap_or((text, ""));
    let pairs = labels.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
    (name.to_owned(), pairs.flat_map(|(name, value)| [name.to_owned(), value.replace('"', "")]).collect())
}

/// What the machine declares, and its readings as a slot keeps them.
fn applied(machine: &Machine) -> (Arc<Dictionary>, Vec<Vec<f64>>, Omissions) {
    let (mut families, mut series) = (Vec::<FamilyEntry>::new(), Vec::new());
    for (id, (name, labels)) in (1_u32..).zip(&machine.series) {
        let known = families.iter().find(|family| family.name == *name).map(|family| family.id);
        let family = known.unwrap_or(id);
        if known.is_none() {
            let (kind, help) = (FamilyType::Gauge, String::new());
            families.push(FamilyEntry { id, name: name.clone(), kind, help, unit: Unit::One });
        }
        series.push(SeriesEntry { id, family, suffix: String::new(), labels: labels.clone() });
    }
    let (mut draft, mut omissions) = (Draft::default(), Omissions::default());
    let update = DictionaryUpdate { families, series, retired: vec![], bytes: vec![] };
    draft.grow(update, &mut Allowance::default(), &mut omissions, Timestamp::from_ms(0));
    let (dictionary, _) = draft.seal(&Interner::<Dictionary>::default());
    let in_place = |reading: &Vec<f64>| {
        let mut values = vec![f64::NAN; dictionary.size()];
        for (id, value) in (1_u32..).zip(reading) {
            if let Some(slot) = dictionary.place(id).and_then(|place| values.get_mut(place as usize)) {
                *slot = *value;
            }
        }
        values
    };
    let readings = machine.readings.iter().map(in_place).collect();
    (dictionary, readings, omissions)
}

/// CPU time of this thread, in microseconds.
fn cpu_us() -> f64 {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let us = spent.tv_sec as f64 * 1e6 + spent.tv_nsec as f64 / 1e3;
    us
}

#[expect(clippy::print_stdout, reason = "a measurement's table is its output")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given =
        arguments.iter().position(|word| word == "--reports").and_then(|at| arguments.get(at + 1)?.parse().ok());
    let reports: u32 = given.unwrap_or(20_000);
    let (dictionary, readings, omissions) = applied(&Machine::recorded());
    let (mut memory, thresholds, mut told) = (Memory::default(), Thresholds::default(), 0);
    let index = Index::of(&dictionary);
    let begun = cpu_us();
    for (n, values) in (0..u64::from(reports)).zip(readings.iter().cycle()) {
        let inputs = Inputs {
            dictionary: &dictionary,
            index: &index,
            values,
            sources: &[],
            omissions: &omissions,
            thresholds: &thresholds,
            now: Timestamp::from_ms(0),
            uptime_ms: n * 15_000,
            clock_ahead_ms: 40,
            growth: None,
        };
        told += memory.judge(&inputs).len();
    }
    let each = (cpu_us() - begun) / f64::from(reports);
    println!(
        "reports {reports}, {} series, {} bytes kept for the rules of a host",
        dictionary.size(),
        size_of::<Memory>()
    );
    println!("CPU per report, all rules (goal 10 us)  {each:.2} us");
    println!("judgements told                         {told}");
}
