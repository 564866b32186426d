//! For each rule a fault that opens its finding and a recovery that closes it, once each.

use super::{
    super::{Index, Inputs, Memory, Thresholds},
    bench::{Bench, DAY_MS, STEP_S, rows, said},
};
use crate::domain::{
    readings::dictionary::{
        Dictionary, DictionaryUpdate, FamilyEntry, FamilyType, Interner, SeriesEntry,
        draft::{Allowance, Draft, Omissions},
        unit::Unit,
    },
    time::Timestamp,
    trend::forecast::{Filling, Forecast},
};

const NOTHING: [&str; 0] = [];
const GIB: f64 = 1_073_741_824.0;

/// What was said, without the words.
fn short(told: &[String]) -> Vec<&str> {
    told.iter().map(|line| line.split(':').next().unwrap()).collect()
}

const INODES: [&str; 5] = [
    "node_filesystem_size_bytes{mountpoint=/srv,device=/dev/sdb1,fstype=ext4}",
    "node_filesystem_avail_bytes{mountpoint=/srv,device=/dev/sdb1,fstype=ext4}",
    "node_filesystem_readonly{mountpoint=/srv,device=/dev/sdb1,fstype=ext4}",
    "node_filesystem_files{mountpoint=/srv,device=/dev/sdb1,fstype=ext4}",
    "node_filesystem_files_free{mountpoint=/srv,device=/dev/sdb1,fstype=ext4}",
];

fn srv(readonly: f64, files: f64, free: f64) -> [(&'static str, f64); 5] {
    let values = [100.0 * GIB, 60.0 * GIB, readonly, files, free];
    std::array::from_fn(|n| (INODES[n], values[n]))
}

#[test]
fn a_file_system_without_inodes_is_a_trouble_when_it_holds_for_a_minute() {
    let bench = Bench::new(&INODES);
    assert_eq!(bench.hold(600, &srv(0.0, 6_553_600.0, 400_000.0)), NOTHING, "6.1 % are free");
    assert_eq!(bench.hold(60, &srv(0.0, 6_553_600.0, 300_000.0)), NOTHING, "not long enough");
    let told = bench.hold(600, &srv(0.0, 6_553_600.0, 300_000.0));
    assert_eq!(told, ["warning filesystem_inodes: /srv: 300000 of 6553600 files free (4.6 %), below 5 %"]);
    assert_eq!(short(&bench.hold(120, &srv(0.0, 6_553_600.0, 90_000.0))), ["critical filesystem_inodes"]);
    assert_eq!(short(&bench.hold(120, &srv(0.0, 6_553_600.0, 600_000.0))), ["cleared filesystem_inodes"]);
    assert_eq!(bench.hold(600, &srv(0.0, 1e9, 4e6)), NOTHING, "0.4 % of a billion are enough");
    assert_eq!(bench.hold(600, &srv(0.0, 0.0, 0.0)), NOTHING, "btrfs counts none");
}

#[test]
fn a_file_system_that_turns_read_only_is_told_and_one_that_always_was_is_not() {
    let bench = Bench::new(&INODES);
    assert_eq!(bench.hold(600, &srv(1.0, 1e6, 9e5)), NOTHING, "an image");
    assert_eq!(bench.hold(60, &srv(0.0, 1e6, 9e5)), NOTHING);
    let told = bench.hold(600, &srv(1.0, 1e6, 9e5));
    assert_eq!(told, ["critical filesystem_read_only: /srv: turned read-only; nothing can be written"]);
    bench.reconnect();
    assert_eq!(bench.hold(60, &srv(1.0, 1e6, 9e5)), NOTHING, "told once, over sessions too");
    let told = bench.hold(60, &srv(0.0, 1e6, 9e5));
    assert_eq!(told, ["cleared filesystem_read_only: /srv: can be written to again"]);
}

const MEMORY: [&str; 6] = [
    "node_memory_MemTotal_bytes",
    "node_memory_MemAvailable_bytes",
    "node_pressure_memory_stalled_seconds_total",
    "node_vmstat_oom_kill",
    "node_vmstat_pswpin",
    "node_vmstat_pswpout",
];
const STALLED: &str = MEMORY[2];

fn memory(available: f64) -> [(&'static str, f64); 2] {
    [(MEMORY[0], 16.0 * GIB), (MEMORY[1], available * GIB)]
}

#[test]
fn memory_is_exhausted_when_little_is_available_and_tasks_wait_for_it() {
    let bench = Bench::new(&MEMORY);
    let mut stalled = 100.0;
    assert_eq!(bench.grow(600, (STALLED, &mut stalled, 0.0), &memory(0.4)), NOTHING, "used is not missing");
    assert_eq!(bench.grow(600, (STALLED, &mut stalled, 0.3), &memory(8.0)), NOTHING, "waiting within a limit");
    let told = bench.grow(600, (STALLED, &mut stalled, 0.3), &memory(1.2));
    assert_eq!(
        told,
        [
            "warning memory_exhausted: memory: 1.2 GiB of 16 GiB available (7.5 %), all tasks waited 30 % of the last 2 min"
        ]
    );
    assert_eq!(short(&bench.grow(60, (STALLED, &mut stalled, 0.3), &memory(0.4))), ["critical memory_exhausted"]);
    assert_eq!(bench.grow(600, (STALLED, &mut stalled, 0.06), &memory(0.4)), NOTHING, "less, but not over");
    assert_eq!(short(&bench.grow(600, (STALLED, &mut stalled, 0.0), &memory(0.4))), ["cleared memory_exhausted"]);
}

#[test]
fn a_kernel_that_does_not_measure_waiting_warns_at_the_lower_limit_only() {
    let bench = Bench::new(&MEMORY[..2]);
    assert_eq!(bench.hold(900, &memory(1.2)), NOTHING);
    assert_eq!(short(&bench.hold(900, &memory(0.4))), ["warning memory_exhausted"]);
    assert_eq!(short(&bench.hold(900, &memory(1.2))), ["cleared memory_exhausted"]);
}

#[test]
fn a_killed_process_is_told_at_once_and_over_after_a_quiet_quarter_of_an_hour() {
    let bench = Bench::new(&MEMORY);
    let killed = |count: f64| [(MEMORY[3], count)];
    assert_eq!(bench.hold(600, &killed(3.0)), NOTHING, "before we watched");
    let told = bench.report(&killed(5.0));
    assert_eq!(told, ["warning oom_kill: memory: the kernel killed 2 for want of it, 5 since boot (oom_kill)"]);
    assert_eq!(bench.hold(600, &killed(5.0)), NOTHING);
    assert_eq!(bench.hold(600, &killed(6.0)), NOTHING, "the same trouble goes on");
    let told = bench.hold(600, &killed(6.0));
    assert_eq!(told, ["cleared oom_kill: memory: no process killed for 15 min"]);
    bench.reconnect();
    assert_eq!(short(&bench.report(&killed(7.0))), ["warning oom_kill"], "while nobody listened");
    bench.reboot(60);
    assert_eq!(short(&bench.hold(1_200, &killed(0.0))), ["cleared oom_kill"]);
}

#[test]
fn a_swap_storm_goes_both_ways_and_costs_time() {
    let bench = Bench::new(&MEMORY);
    let (mut read, mut written, mut stalled) = (0.0, 0.0, 0.0);
    let mut run = |seconds: u64, rates: [f64; 3]| {
        let mut told = Vec::new();
        for _ in 0..seconds / STEP_S {
            read += rates[0] * 15.0;
            written += rates[1] * 15.0;
            stalled += rates[2] * 15.0;
            told.extend(bench.report(&[(MEMORY[4], read), (MEMORY[5], written), (STALLED, stalled)]));
        }
        told
    };
    assert_eq!(run(900, [0.0, 5_000.0, 0.2]), NOTHING, "housekeeping");
    run(600, [0.0, 0.0, 0.0]);
    assert_eq!(run(900, [5_000.0, 5_000.0, 0.01]), NOTHING, "swap in memory");
    let told = run(900, [2_000.0, 2_000.0, 0.2]);
    assert_eq!(short(&told), ["warning swap_storm"]);
    assert!(told[0].ends_with("; limit 500 both ways"), "{told:?}");
    assert_eq!(short(&run(900, [0.0, 0.0, 0.0])), ["cleared swap_storm"]);
}

#[test]
fn processors_are_wanted_when_tasks_wait_and_the_queue_is_long() {
    let series = [
        "node_pressure_cpu_waiting_seconds_total",
        "node_load5",
        "node_cpu_seconds_total{cpu=0,mode=idle}",
        "node_cpu_seconds_total{cpu=1,mode=idle}",
    ];
    let bench = Bench::new(&series);
    let mut waited = 0.0;
    let mut run = |seconds: u64, share: f64, load: f64| {
        let others = [(series[1], load), (series[2], 1.0), (series[3], 1.0)];
        bench.grow(seconds, (series[0], &mut waited, share), &others)
    };
    assert_eq!(run(3_600, 0.95, 12.0), NOTHING, "a build on both");
    run(900, 0.3, 2.0);
    assert_eq!(run(3_600, 0.3, 60.0), NOTHING, "a load of tasks that wait for something else");
    assert_eq!(run(600, 0.95, 40.0), NOTHING, "not long enough");
    let told = run(900, 0.95, 40.0);
    assert_eq!(short(&told), ["warning cpu_pressure"]);
    assert!(told[0].ends_with("load 20.0 for each of 2; limits 80 % and 10"), "{told:?}");
    assert_eq!(short(&run(1_800, 0.4, 2.0)), ["cleared cpu_pressure"]);
}

#[test]
fn disks_are_wanted_when_all_tasks_wait_for_long() {
    let counter = "node_pressure_io_stalled_seconds_total";
    let bench = Bench::new(&[counter]);
    let mut waited = 0.0;
    let mut run = |seconds: u64, share: f64| bench.grow(seconds, (counter, &mut waited, share), &[]);
    assert_eq!(run(3_600, 0.3), NOTHING, "a backup");
    assert_eq!(run(120, 0.95), NOTHING, "a burst");
    assert_eq!(short(&run(900, 0.95)), ["warning io_pressure"]);
    assert_eq!(run(900, 0.4), NOTHING, "not below the band");
    assert_eq!(short(&run(900, 0.1)), ["cleared io_pressure"]);
}

#[test]
fn a_unit_that_restarts_for_ever_is_told_and_one_that_restarts_now_and_then_is_not() {
    let counter = "node_systemd_service_restart_total{name=app.service}";
    let bench = Bench::new(&[counter]);
    let mut count = 40.0;
    let mut run = |seconds: u64, every_s: f64| -> Vec<String> {
        let each = (0..seconds / STEP_S).flat_map(|_| {
            count += 15.0 / every_s;
            bench.report(&[(counter, count.floor())])
        });
        each.collect()
    };
    assert_eq!(run(3_600, 300.0), NOTHING);
    let told = run(600, 60.0);
    assert_eq!(short(&told), ["warning systemd_unit_restarting"]);
    assert!(told[0].contains("app.service: restarted 5 times in 10 min"), "{told:?}");
    assert_eq!(short(&run(900, 1e9)), ["cleared systemd_unit_restarting"]);
}

#[test]
fn a_clock_is_off_when_every_report_of_five_minutes_says_so() {
    let series = ["node_timex_offset_seconds", "node_timex_sync_status"];
    let bench = Bench::new(&series);
    let run = |ahead_ms: i64, offset: f64, synchronised: f64| {
        bench.ahead_ms.set(ahead_ms);
        bench.hold(420, &[(series[0], offset), (series[1], synchronised)])
    };
    assert_eq!(run(-1_500, 0.001, 1.0), NOTHING);
    assert_eq!(run(100, 0.0, 0.0), NOTHING, "nothing disciplines it, but it is right");
    let told = run(-7_200_000, 0.0, 0.0);
    let words = "clock: 7200.0 s behind the collector's, no time source disciplines it";
    assert_eq!(told, [format!("warning clock_off: {words}")]);
    assert_eq!(short(&run(0, 0.0, 1.0)), ["cleared clock_off"]);
    assert_eq!(short(&run(0, -0.2, 1.0)), ["warning clock_off"]);
    assert_eq!(short(&run(0, -0.001, 1.0)), ["cleared clock_off"]);
    bench.ahead_ms.set(9_000);
    assert_eq!(bench.hold(240, &[]), NOTHING);
    bench.ahead_ms.set(100);
    assert_eq!(bench.report(&[]), NOTHING, "one report that came through quickly proves the others slow");
    bench.ahead_ms.set(9_000);
    assert_eq!(bench.hold(240, &[]), NOTHING);
}

#[test]
fn three_boots_in_an_hour_are_a_loop() {
    let bench = Bench::new(&["node_load5"]);
    let boot = || {
        bench.reboot(120);
        bench.hold(60, &[])
    };
    bench.report(&[]);
    assert_eq!([boot(), boot()], [NOTHING, NOTHING]);
    assert_eq!(boot(), ["warning reboot_loop: boot: 3 boots within 60 min"]);
    assert_eq!(boot(), NOTHING);
    assert_eq!(short(&bench.hold(3_600, &[])), ["cleared reboot_loop"]);
}

#[test]
fn tables_that_fill_are_told_before_they_are_full() {
    let series = [
        "node_nf_conntrack_entries",
        "node_nf_conntrack_entries_limit",
        "node_filefd_allocated",
        "node_filefd_maximum",
    ];
    let bench = Bench::new(&series);
    let run = |entries: f64, open: f64| {
        bench.hold(120, &[(series[0], entries), (series[1], 1_000.0), (series[2], open), (series[3], 1_000.0)])
    };
    assert_eq!(run(790.0, 790.0), NOTHING);
    assert_eq!(run(810.0, 1.0), ["warning conntrack: connections: 810 of 1000 in use (81 %)"]);
    assert_eq!(short(&run(910.0, 1.0)), ["critical conntrack"]);
    assert_eq!(short(&run(700.0, 960.0)), ["cleared conntrack", "critical file_descriptors"]);
    assert_eq!(short(&run(0.0, 0.0)), ["cleared file_descriptors"]);
    assert_eq!(bench.hold(120, &[(series[0], 5.0), (series[1], 0.0)]), NOTHING, "a limit of 0 is no limit");
}

#[test]
fn a_certificate_is_told_three_weeks_and_again_one_week_before_its_end() {
    let series = "muster_check_certificate_expiry_timestamp_seconds{check=shop}";
    let bench = Bench::new(&[series]);
    let run = |days: f64| {
        let now_s = (DAY_MS + bench.now_ms.get()) as f64 / 1_000.0;
        bench.report(&[(series, now_s + days * 86_400.0)])
    };
    assert_eq!(run(22.0), NOTHING);
    assert_eq!(run(20.5), ["warning certificate_expiry: shop: the certificate ends in 20.5 days"]);
    assert_eq!(short(&run(6.0)), ["critical certificate_expiry"]);
    assert_eq!(short(&run(89.0)), ["cleared certificate_expiry"]);
}

#[test]
fn what_a_host_could_not_report_is_told_in_its_words_and_over_after_an_hour() {
    let bench = Bench::new(&["node_load5"]);
    bench.report(&[]);
    bench.slot.unreported("records: 12 lost: the disk was full".into());
    assert_eq!(bench.report(&[]), ["info unreported: records: 12 lost: the disk was full"]);
    assert_eq!(bench.hold(3_000, &[]), NOTHING);
    assert_eq!(bench.hold(900, &[]), ["cleared unreported: no more of it for 60 min"]);
}

#[test]
fn readings_that_stop_for_long_start_everything_anew() {
    let counter = "node_pressure_io_stalled_seconds_total";
    let bench = Bench::new(&[counter]);
    let mut waited = 0.0;
    bench.grow(540, (counter, &mut waited, 0.95), &[]);
    bench.wait(3_600);
    waited += 3_600.0;
    assert_eq!(bench.grow(540, (counter, &mut waited, 0.95), &[]), NOTHING, "nobody saw that hour");
    assert_eq!(short(&bench.grow(180, (counter, &mut waited, 0.95), &[])), ["warning io_pressure"]);
}

#[test]
fn a_finding_that_stands_is_not_told_again_after_a_restart() {
    let counter = "node_pressure_io_stalled_seconds_total";
    let (steady, restarted) = (Bench::new(&[counter]), Bench::new(&[counter]));
    let mut waited = 0.0;
    steady.grow(540, (counter, &mut waited, 0.95), &[]);
    let opening: Vec<_> = (0..40)
        .flat_map(|_| {
            waited += 14.0;
            steady.wait(STEP_S);
            steady.judge(&[(counter, waited)])
        })
        .collect();
    assert_eq!(opening.len(), 1);
    restarted.slot.adopt(&rows(&opening));
    assert_eq!(restarted.grow(1_200, (counter, &mut waited, 0.95), &[]), NOTHING);
    assert_eq!(short(&restarted.grow(1_200, (counter, &mut waited, 0.0), &[])), ["cleared io_pressure"]);
}

/// Judged without a slot, which has no trends to give yet.
#[test]
fn a_file_system_that_its_trend_fills_within_a_day_is_told_by_the_slow_end_of_the_range() {
    let mut draft = Draft::default();
    let labels = ["mountpoint", "/srv", "device", "/dev/sdb1", "fstype", "ext4"].map(str::to_owned);
    let names = ["node_filesystem_size_bytes", "node_filesystem_avail_bytes"];
    let family = |(id, name): (u32, &str)| FamilyEntry {
        id,
        name: name.into(),
        kind: FamilyType::Gauge,
        help: String::new(),
        unit: Unit::One,
    };
    let series = |id: u32| SeriesEntry { id, family: id, suffix: String::new(), labels: labels.to_vec() };
    let update = DictionaryUpdate {
        families: (1..).zip(names).map(family).collect(),
        series: [1, 2].map(series).into(),
        retired: vec![],
        bytes: vec![],
    };
    let mut omissions = Omissions::default();
    draft.grow(update, &mut Allowance::default(), &mut omissions, Timestamp::from_ms(0));
    let (dictionary, _) = draft.seal(&Interner::<Dictionary>::default());
    let index = Index::of(&dictionary);
    let mut values = [0.0; 2];
    for (id, value) in [(1, 1e12), (2, 4e11)] {
        values[dictionary.place(id).unwrap() as usize] = value;
    }
    let (mut memory, thresholds, mut uptime_ms) = (Memory::default(), Thresholds::default(), 0);
    let mut run = |hours: Option<(f64, f64)>| {
        // Its last figure is an hour old.
        let growth = hours.map(|(soonest, latest)| Filling {
            mount_point: "/srv".into(),
            at: Timestamp::from_ms(DAY_MS - 3_600_000),
            forecast: Forecast {
                hours: latest,
                low: soonest + 1.0,
                high: latest + 1.0,
                bytes_per_hour: 1e9,
                of_hours: 48,
            },
        });
        let growth: Vec<Filling> = growth.into_iter().collect();
        let mut told = Vec::new();
        for _ in 0..40 {
            uptime_ms += 60_000;
            told.extend(memory.judge(&Inputs {
                dictionary: &dictionary,
                index: &index,
                values: &values,
                sources: &[],
                omissions: &omissions,
                thresholds: &thresholds,
                now: Timestamp::from_ms(DAY_MS),
                uptime_ms,
                clock_ahead_ms: 0,
                growth: Some(&growth),
            }));
        }
        said(&told)
    };
    assert_eq!(run(Some((2.0, 90.0))), NOTHING, "it may be soon, or not");
    assert_eq!(
        run(Some((9.0, 23.0))),
        ["warning filesystem_filling: /srv: full in 9.0 to 23.0 h if it goes on growing"]
    );
    assert_eq!(short(&run(Some((1.0, 3.0)))), ["critical filesystem_filling"]);
    assert_eq!(short(&run(None)), ["cleared filesystem_filling"]);
}
