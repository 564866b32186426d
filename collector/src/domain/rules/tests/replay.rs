//! A machine that was busy and well, recorded while it built and tested: no finding opens on it, however often it
//! reports, wherever its minutes begin, and were it smaller or larger. How it was recorded: `tests/fixtures/busy/record`.

use super::bench::{Bench, profile, said};
use crate::domain::{labels::Class, rules::Settings};

const RECORDING: &str = include_str!("../../../../../tests/fixtures/busy/readings.tsv");
/// Reports after which the host comes back on another stream.
const SESSION: usize = 97;

/// The recorder's disk did run low for some minutes, and was rightly told; the replay gives it 64 GiB more.
const ROOM: f64 = 64.0 * 1_073_741_824.0;
/// A story that was told meanwhile had a process killed for want of memory, which is rightly told too; the replay leaves it
/// out.
const KILLED: &str = "node_vmstat_oom_kill";

/// The recording: names as the bench takes them, and the values of each reading.
fn recording() -> (Vec<String>, Vec<Vec<f64>>) {
    let mut lines = RECORDING.lines();
    let names: Vec<String> = lines.next().unwrap().split('\t').map(|name| name.replace('"', "")).collect();
    let mut last = vec![f64::NAN; names.len()];
    let rows = lines.map(|line| {
        for (value, cell) in last.iter_mut().zip(line.split('\t')) {
            if !cell.is_empty() {
                *value = cell.parse().unwrap();
            }
        }
        last.clone()
    });
    let rows = rows.collect();
    (names, rows)
}

fn column(names: &[String], name: &str) -> usize {
    names.iter().position(|known| known == name).unwrap()
}

fn is_space(name: &str) -> bool {
    ["node_filesystem_size", "node_filesystem_avail"].iter().any(|start| name.starts_with(start))
}

/// Whether a figure is so many of something of which a larger machine has more.
fn is_size(name: &str) -> bool {
    ["node_filesystem_files", "node_memory_", "node_filefd", "node_nf"].iter().any(|start| name.starts_with(start))
}

#[test]
fn a_busy_healthy_machine_opens_no_finding_at_any_scale_and_phase() {
    let (names, rows) = recording();
    let (time, boot) = (column(&names, "node_time_seconds"), column(&names, "node_boot_time_seconds"));
    let series: Vec<&str> = names.iter().map(String::as_str).collect();
    for (every, size, phase_s) in [1, 2, 4].into_iter().flat_map(|every| {
        [0.2, 1.0, 40.0].into_iter().flat_map(move |size| [0, 17, 31, 44].map(|phase| (every, size, phase)))
    }) {
        let bench = Bench::with(Settings::default(), &profile("build-1", Class::Server, &[]), &series);
        for (n, row) in rows.iter().skip(phase_s % every).step_by(every).enumerate() {
            if n % SESSION == SESSION - 1 {
                bench.reconnect();
            }
            let uptime_ms = (row[time] - row[boot]) * 1_000.0;
            bench.uptime_ms.set(uptime_ms as u64 + phase_s as u64 * 1_000);
            bench.now_ms.set((row[time] - rows[0][time]) as i64 * 1_000);
            let scaled = |(name, value): (&&str, &f64)| match **name {
                ref name if name == KILLED => 0.0,
                ref name if is_space(name) => (value + ROOM) * size,
                ref name if is_size(name) => value * size,
                _ => *value,
            };
            let values: Vec<(&str, f64)> =
                series.iter().zip(row).map(|(name, value)| (*name, scaled((name, value)))).collect();
            let told = said(&bench.judge(&values));
            assert!(told.is_empty(), "report {n}, each {every}th, size {size}, phase {phase_s} s: {told:?}");
        }
    }
}

#[test]
fn the_recorded_machine_was_busy_and_long_enough() {
    let (names, rows) = recording();
    let (first, last) = (&rows[0], &rows[rows.len() - 1]);
    let grown = |name: &str| last[column(&names, name)] - first[column(&names, name)];
    let seconds = grown("node_time_seconds");
    assert!(seconds > 7_100.0, "{seconds} s");
    let waited = grown("node_pressure_cpu_waiting_seconds_total") / seconds;
    assert!(waited > 0.7, "some task waited for a processor {waited} of the time");
    let load = rows.iter().map(|row| row[column(&names, "node_load5")]).fold(0.0, f64::max);
    assert!(load > 5.0, "load {load} on two processors");
    assert!(grown(KILLED) <= 2.0, "and it was well but for the story's own: {}", grown(KILLED));
}
