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

const IN: &str = "node_hwmon_in_volts{chip=isa_0,sensor=in1}";
const IN_LABEL: &str = "node_hwmon_sensor_label{chip=isa_0,sensor=in1,label=+12V}";
const IN_MIN: &str = "node_hwmon_in_min_volts{chip=isa_0,sensor=in1}";
const IN_MAX: &str = "node_hwmon_in_max_volts{chip=isa_0,sensor=in1}";

#[test]
fn a_voltage_is_outside_by_the_limits_that_its_chip_was_given_and_for_a_while() {
    let bench = Bench::new(&[CHIP, IN_LABEL, IN, IN_MIN, IN_MAX]);
    let at = |seconds: u64, volts: f64, min: f64, max: f64| {
        bench.hold(seconds, &[(CHIP, 1.0), (IN_LABEL, 1.0), (IN, volts), (IN_MIN, min), (IN_MAX, max)])
    };
    assert_eq!(at(600, 11.41, 11.4, 12.6), NOTHING);
    assert_eq!(at(60, 11.3, 11.4, 12.6), NOTHING, "not for long enough");
    assert_eq!(at(180, 11.3, 11.4, 12.6), ["warning voltage_out_of_band: coretemp +12V: 11.30 V, lower limit 11.40"]);
    assert_eq!(at(60, 11.45, 11.4, 12.6), NOTHING, "within the hysteresis");
    assert_eq!(short(&at(60, 12.0, 11.4, 12.6)), ["cleared voltage_out_of_band"]);
    assert_eq!(at(180, 12.7, 11.4, 12.6), ["warning voltage_out_of_band: coretemp +12V: 12.70 V, upper limit 12.60"]);
    assert_eq!(short(&at(60, 12.0, 11.4, 12.6)), ["cleared voltage_out_of_band"]);
    // Limits that nobody set, and an input that nothing is connected to.
    assert_eq!(at(600, 12.0, 0.0, 0.0), NOTHING);
    assert_eq!(at(600, 12.0, 13.0, 3.0), NOTHING);
    assert_eq!(at(600, 0.0, 11.4, 12.6), NOTHING);
    let unnamed = Bench::new(&[CHIP, IN, IN_MIN, IN_MAX]);
    assert_eq!(
        unnamed.hold(600, &[(CHIP, 1.0), (IN, 1.0), (IN_MIN, 11.4), (IN_MAX, 12.6)]),
        NOTHING,
        "nobody names it"
    );
}

#[test]
fn an_empty_battery_and_a_small_boards_under_voltage_are_told() {
    let label = "node_hwmon_sensor_label{chip=isa_0,sensor=in1,label=Vbat}";
    let bench = Bench::new(&[CHIP, label, IN]);
    let at = |volts: f64| bench.hold(300, &[(CHIP, 1.0), (label, 1.0), (IN, volts)]);
    assert_eq!((at(3.1), at(0.0), at(2.5)), (vec![], vec![], vec![]));
    assert_eq!(at(2.49), ["warning voltage_out_of_band: coretemp Vbat: 2.49 V, a battery is empty at 2.5"]);
    assert_eq!(short(&at(3.1)), ["cleared voltage_out_of_band"]);
    let (chip, alarm) = (
        "node_hwmon_chip_names{chip=soc_0,chip_name=rpi_volt}",
        "node_hwmon_in_lcrit_alarm_volts{chip=soc_0,sensor=in0}",
    );
    let board = Bench::new(&[chip, alarm]);
    // A set bit is said as a thousandth, as node_exporter does.
    assert_eq!(board.hold(300, &[(chip, 1.0), (alarm, 0.0)]), NOTHING);
    let told = board.hold(300, &[(chip, 1.0), (alarm, 0.001)]);
    assert_eq!(told, ["warning voltage_out_of_band: rpi_volt in0: its driver says under-voltage"]);
    assert_eq!(short(&board.hold(60, &[(chip, 1.0), (alarm, 0.0)])), ["cleared voltage_out_of_band"]);
}

#[test]
fn a_processor_is_throttled_by_its_time_and_not_by_how_often() {
    const SECONDS: &str = "muster_cpu_package_throttled_seconds_total{package=0}";
    let bench = Bench::new(&[SECONDS]);
    let mut total = 1_000_000.0;
    // So many seconds of each quarter of a minute.
    let mut hours = |hours: u64, of_each: f64| {
        let mut told = Vec::new();
        for _ in 0..hours * 240 {
            total += of_each;
            told.extend(bench.report(&[(SECONDS, total)]));
        }
        told
    };
    assert_eq!(hours(3, 0.0), NOTHING);
    assert_eq!(hours(3, 1.4), NOTHING, "less than a tenth");
    let told = hours(3, 3.0);
    assert_eq!(told, ["warning cpu_throttled: package 0: slowed down for heat in 20 % of an hour; limit 10 %"]);
    assert_eq!(hours(3, 1.2), NOTHING, "within the hysteresis");
    assert_eq!(short(&hours(3, 0.1)), ["cleared cpu_throttled"]);
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
