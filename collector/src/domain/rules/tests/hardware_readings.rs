//! Heat, fans and slow disks, by what the machine's own readings say.

use super::bench::Bench;

const NOTHING: [&str; 0] = [];

fn short(told: &[String]) -> Vec<&str> {
    told.iter().map(|line| line.split(':').next().unwrap()).collect()
}

const CHIP: &str = "node_hwmon_chip_names{chip=isa_0,chip_name=coretemp}";
const LABEL: &str = "node_hwmon_sensor_label{chip=isa_0,sensor=temp1,label=Package id 0}";
const TEMP: &str = "node_hwmon_temp_celsius{chip=isa_0,sensor=temp1}";
const HIGH: &str = "node_hwmon_temp_max_celsius{chip=isa_0,sensor=temp1}";
const CRITICAL: &str = "node_hwmon_temp_crit_celsius{chip=isa_0,sensor=temp1}";

#[test]
fn a_part_is_too_hot_by_its_own_limits_and_for_a_while() {
    let bench = Bench::new(&[CHIP, LABEL, TEMP, HIGH, CRITICAL]);
    let at = |seconds: u64, celsius: f64| {
        bench.hold(seconds, &[(CHIP, 1.0), (LABEL, 1.0), (TEMP, celsius), (HIGH, 80.0), (CRITICAL, 100.0)])
    };
    assert_eq!(at(3_600, 79.9), NOTHING);
    assert_eq!(at(300, 85.0), NOTHING, "a build");
    assert_eq!(at(60, 60.0), NOTHING);
    let told = at(900, 85.0);
    assert_eq!(told, ["warning temperature_high: coretemp Package id 0: 85 °C, high 80, critical 100"]);
    let told = at(300, 100.0);
    assert_eq!(short(&told), ["critical temperature_high"]);
    assert_eq!(short(&at(600, 85.0)), ["warning temperature_high"]);
    assert_eq!(at(600, 78.0), NOTHING, "within the hysteresis");
    assert_eq!(short(&at(60, 70.0)), ["cleared temperature_high"]);
}

#[test]
fn what_no_silicon_bears_and_limits_that_are_none_are_not_believed() {
    let bench = Bench::new(&[CHIP, TEMP, HIGH, CRITICAL]);
    let said = |celsius: f64, high: f64, critical: f64| {
        bench.hold(1_800, &[(CHIP, 1.0), (TEMP, celsius), (HIGH, high), (CRITICAL, critical)])
    };
    assert_eq!(said(3_892_314.0, 80.0, 100.0), NOTHING);
    assert_eq!(said(40.0, 0.0, 0.0), NOTHING, "no limits set");
    assert_eq!(said(90.0, 65_261.8, 200.0), NOTHING);
    // A chip whose "high" lies above its critical means the latter.
    assert_eq!(said(90.0, 127.0, 95.0), NOTHING);
    assert_eq!(short(&said(96.0, 127.0, 95.0)), ["critical temperature_high"]);
}

const FANS: [&str; 2] = ["node_hwmon_fan_rpm{chip=io_0,sensor=fan1}", "node_hwmon_fan_rpm{chip=io_0,sensor=fan2}"];

#[test]
fn a_fan_that_turned_and_stands_beside_others_that_turn_has_stopped() {
    let bench = Bench::new(&FANS);
    let turn = |seconds: u64, one: f64, other: f64| bench.hold(seconds, &[(FANS[0], one), (FANS[1], other)]);
    assert_eq!(turn(7_200, 900.0, 0.0), NOTHING, "a connector without a fan");
    assert_eq!(turn(600, 0.0, 0.0), NOTHING, "both are switched off");
    assert_eq!(turn(3_700, 900.0, 1_200.0), NOTHING);
    let told = turn(600, 0.0, 1_200.0);
    assert_eq!(told, ["warning fan_stopped: io_0 fan1: stands still, 1 other fans of its chip turn"]);
    assert_eq!(short(&turn(60, 800.0, 1_200.0)), ["cleared fan_stopped"]);
}

/// Disks with time and number of reads; writes stay at nothing.
struct Disks {
    bench: Bench,
    names: Vec<[String; 4]>,
    values: Vec<(f64, f64)>,
}

impl Disks {
    fn new(devices: &[&str]) -> Self {
        let metrics =
            ["read_time_seconds_total", "reads_completed_total", "write_time_seconds_total", "writes_completed_total"];
        let names: Vec<[String; 4]> = devices
            .iter()
            .map(|device| metrics.map(|metric| format!("node_disk_{metric}{{device={device}}}")))
            .collect();
        let all: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
        let bench = Bench::new(&all);
        Self { bench, values: vec![(0.0, 0.0); names.len()], names }
    }

    /// Each disk does so many reads a second, each of so many milliseconds.
    fn work(&mut self, seconds: u64, each: &[(f64, f64)]) -> Vec<String> {
        let mut told = Vec::new();
        for _ in 0..seconds / 15 {
            for (value, (count, ms)) in self.values.iter_mut().zip(each) {
                *value = (value.0 + 15.0 * count * ms / 1_000.0, value.1 + 15.0 * count);
            }
            let mut all: Vec<(&str, f64)> = Vec::new();
            for (names, (seconds, count)) in self.names.iter().zip(&self.values) {
                let values = [*seconds, *count, 0.0, 0.0];
                all.extend(names.iter().map(String::as_str).zip(values));
            }
            told.extend(self.bench.report(&all));
        }
        told
    }
}

#[test]
fn a_disk_is_slow_beside_siblings_that_do_as_much_and_not_by_itself() {
    let mut disks = Disks::new(&["sda", "sdb", "sdc", "sdd"]);
    let well = (20.0, 9.0);
    assert_eq!(disks.work(3_600, &[well; 4]), NOTHING);
    assert_eq!(disks.work(3_600, &[(20.0, 90.0); 4]), NOTHING, "all are slow: a scrub");
    assert_eq!(disks.work(3_600, &[(0.1, 90.0), well, well, well]), NOTHING, "it does next to nothing");
    assert_eq!(disks.work(3_600, &[(200.0, 90.0), well, well, well]), NOTHING, "it does ten times as much");
    assert_eq!(disks.work(1_200, &[(20.0, 40.0), well, well, well]), NOTHING, "not for long enough");
    let told = disks.work(2_400, &[(20.0, 40.0), well, well, well]);
    let expected =
        "warning disk_slow: sda: 40 ms for each read or write, its siblings 9 ms with as much work; limit 3.0 times";
    assert_eq!(told, [expected]);
    assert_eq!(short(&disks.work(900, &[well; 4])), ["cleared disk_slow"]);
    let mut fast = Disks::new(&["nvme0n1", "nvme1n1", "nvme2n1"]);
    assert_eq!(fast.work(7_200, &[(900.0, 1.0), (900.0, 0.1), (900.0, 0.1)]), NOTHING, "a millisecond is not slow");
    let mut two = Disks::new(&["sda", "sdb"]);
    assert_eq!(two.work(7_200, &[(20.0, 400.0), well]), NOTHING, "of two nobody knows which is right");
}
