use super::*;

fn series(name: &str) -> Series {
    Series::new(name, "").unwrap()
}

/// An index of a gauge at place 0, a counter at 1 and processors at 2 (busy) and 3 (idle).
fn index() -> Index {
    let sources = [
        ("cpu_busy_ratio", Source::Busy([2].into(), [3].into(), Growth(2))),
        ("load1", Source::Gauge(0, 1.0)),
        ("network_receive_bytes_per_second", Source::Rate([1].into(), Growth(1))),
    ];
    let (series, sources): (Vec<_>, Vec<_>) = sources.into_iter().map(|(name, source)| (series(name), source)).unzip();
    Index { series: series.into(), sources: sources.into() }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(seconds * 1000)
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= expected.abs() * 0.01 + 0.01
}

#[test]
fn the_first_report_of_a_minute_counts_and_counters_become_rates() {
    let (index, mut sampler) = (index(), Sampler::new(0));
    sampler.sample(&index, &[1.0, 1000.0, 10.0, 50.0], 5_000, at(5));
    sampler.sample(&index, &[7.0, 9000.0, 30.0, 50.0], 35_000, at(35));
    // The agent says that 60.5 s have gone by; we heard it after 62.
    sampler.sample(&index, &[2.0, 1000.0 + 605_000.0, 10.0 + 12.1, 98.4], 65_500, at(67));
    let held = sampler.held();
    assert_eq!(held.len(), 1);
    let column = |name| &held[0].columns[&series(name)];
    assert_eq!(column("load1")[..2], [1.0, 2.0]);
    let rates = column("network_receive_bytes_per_second");
    assert!(rates[0].is_nan() && close(rates[1], 10_000.0), "{rates:?}");
    assert!(close(column("cpu_busy_ratio")[1], 0.2));
}

#[test]
fn a_counter_that_fell_or_was_not_seen_for_long_has_no_rate() {
    let (index, mut sampler) = (index(), Sampler::new(0));
    let mut report =
        |seconds: i64, total: f64| sampler.sample(&index, &[1.0, total, 0.0, 0.0], seconds * 1000, at(seconds));
    report(0, 600.0);
    report(60, 1200.0);
    report(120, 60.0);
    report(180, 660.0);
    report(600, 9000.0);
    let held = sampler.held().remove(0);
    let rates = held.columns[&series("network_receive_bytes_per_second")];
    let known: Vec<usize> = (0..60).filter(|minute| rates[*minute].is_finite()).collect();
    assert_eq!(known, [1, 3]);
    assert!(close(rates[1], 10.0) && close(rates[3], 10.0));
}

#[test]
fn a_counter_whose_series_changed_has_no_rate_until_the_next_minute() {
    let (index, mut sampler) = (index(), Sampler::new(0));
    sampler.sample(&index, &[1.0, 100.0, 0.0, 0.0], 0, at(0));
    let sources = vec![Source::Rate([1].into(), Growth(77))];
    let other = Index { series: [series("network_receive_bytes_per_second")].into(), sources: sources.into() };
    sampler.sample(&other, &[1.0, 1_000_100.0, 0.0, 0.0], 60_000, at(60));
    sampler.sample(&other, &[1.0, 1_000_700.0, 0.0, 0.0], 120_000, at(120));
    let rates = sampler.held()[0].columns[&series("network_receive_bytes_per_second")];
    assert!(rates[1].is_nan() && close(rates[2], 10.0));
}

#[test]
fn a_clock_that_was_set_is_not_taken_for_time_gone_by() {
    let (index, mut sampler) = (index(), Sampler::new(0));
    sampler.sample(&index, &[1.0, 0.0, 0.0, 0.0], 0, at(0));
    sampler.sample(&index, &[1.0, 600.0, 0.0, 0.0], 3_600_000, at(60));
    assert!(close(sampler.held()[0].columns[&series("network_receive_bytes_per_second")][1], 10.0));
    sampler.clock_set();
    sampler.sample(&index, &[1.0, 1200.0, 0.0, 0.0], 3_660_000, at(120));
    assert!(sampler.held()[0].columns[&series("network_receive_bytes_per_second")][2].is_nan());
}

#[test]
fn an_hour_is_given_once_when_it_is_over() {
    let (index, mut sampler) = (index(), Sampler::new(7));
    let minute = |n: i64| at((7 + n) * 60);
    for n in 0..60 {
        sampler.sample(&index, &[n as f64, 0.0, 0.0, 0.0], (7 + n) * 60_000, minute(n));
        assert!(sampler.take_finished(minute(n)).is_empty());
    }
    sampler.sample(&index, &[60.0, 0.0, 0.0, 0.0], 67 * 60_000, minute(60));
    let rows = sampler.take_finished(minute(60));
    assert_eq!(rows.iter().map(|row| row.from).collect::<Vec<_>>(), [7]);
    assert_eq!(rows[0].columns[&series("load1")][..3], [0.0, 1.0, 2.0]);
    assert!(close(rows[0].columns[&series("load1")][59], 59.0));
    assert!(sampler.take_finished(minute(60)).is_empty());
    // A host that fell silent gives its last hour all the same.
    assert_eq!(sampler.take_finished(minute(130))[0].from, 67);
    assert!(sampler.held().is_empty());
}

#[test]
fn what_cannot_be_written_is_bounded_and_the_end_takes_everything() {
    let (index, mut sampler) = (index(), Sampler::new(0));
    for n in 0..600 {
        sampler.sample(&index, &[1.0, 0.0, 0.0, 0.0], n * 60_000, at(n * 60));
    }
    let rows = sampler.take_all();
    assert_eq!(rows.iter().map(|row| row.from).collect::<Vec<_>>(), [480, 540]);
    assert!(sampler.take_all().is_empty());
}
