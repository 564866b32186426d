use super::*;
use crate::domain::trend::{Minutes, forecast::Forecast};

const NOW: Timestamp = Timestamp::from_ms(1_795_000_020_000);

/// A history of one series: the value of each minute so long before now.
fn history(series: &Series, value: impl Fn(i64) -> f64) -> History {
    let last = NOW.ms() / 60_000;
    let mut rows = Vec::new();
    for from in (0..48).rev().map(|hour| last - hour * 60 - 59) {
        let mut row = Minutes::new(from);
        (from..from + 60).for_each(|minute| row.set(minute, series, value(last - minute)));
        rows.push(row);
    }
    History { minutes: rows, hours: Vec::new() }
}

fn drawn(series: &Series, value: impl Fn(i64) -> f64) -> Option<Graph> {
    draw(&history(series, value), series, &[], Frame { span: Span::Days, now: NOW, zone: &TimeZone::UTC })
}

#[test]
fn a_gap_breaks_the_line_and_is_shaded() {
    let load = Series::new("load1", "").unwrap();
    let whole = drawn(&load, |ago| (ago / 60) as f64).unwrap();
    assert_eq!((whole.line.matches('M').count(), whole.gaps.len()), (1, 0), "{whole:?}");
    let broken = drawn(&load, |ago| if (600..1200).contains(&ago) { f64::NAN } else { 1.0 }).unwrap();
    assert_eq!((broken.line.matches('M').count(), broken.gaps.len()), (2, 1));
    // Ten hours of 48, in a picture of 296 units.
    let width: f64 = broken.gaps[0].1.parse().unwrap();
    assert!((width - 296.0 * 10.0 / 48.0).abs() < 3.0, "{width}");
    assert!(broken.told.contains("with gaps") && !whole.told.contains("gaps"), "{}", broken.told);
    assert!(drawn(&load, |_| f64::NAN).is_none());
}

#[test]
fn a_lone_point_is_seen_and_nothing_leaves_the_picture() {
    let load = Series::new("load1", "").unwrap();
    let lone = drawn(&load, |ago| if ago == 700 { 3.0 } else { f64::NAN }).unwrap();
    assert!(lone.line.ends_with("h1.5"), "{}", lone.line);
    for most in [0.0, 1e-9, 0.03, 1.0, 7.7, 1e6, 1e18] {
        let graph = drawn(&load, |ago| if ago % 2 == 0 { most } else { 0.0 }).unwrap();
        let ys =
            graph.line.split(['M', 'L']).filter(|pair| !pair.is_empty()).map(|pair| pair.split(' ').nth(1).unwrap());
        assert!(ys.clone().count() > 200 && ys.map(|y| y.parse::<f64>().unwrap()).all(|y| (8.0..=130.0).contains(&y)));
        assert!((2..=8).contains(&graph.rows.len()), "{most}: {:?}", graph.rows);
    }
}

#[test]
fn axes_have_round_marks_in_the_units_of_the_trade() {
    let texts = |unit, min, max| {
        let axis = Axis::of(unit, Hour { min, mean: max, max });
        axis.ticks(unit).into_iter().map(|tick| tick.text).collect::<Vec<_>>()
    };
    assert_eq!(texts(Unit::Ratio, 0.1, 0.93), ["0 %", "50 %", "100 %"]);
    assert_eq!(texts(Unit::Bytes, 1e9, 14.0 * 1_073_741_824.0), ["0 B", "5.0 GiB", "10.0 GiB", "15.0 GiB"]);
    assert_eq!(texts(Unit::Celsius, 41.0, 52.0), ["40 °C", "45 °C", "50 °C", "55 °C"]);
    assert_eq!(texts(Unit::Seconds, 0.0, 0.0042), ["0.0 s", "2.0 ms", "4.0 ms", "6.0 ms"]);
}

#[test]
fn times_are_marked_at_midnight_and_noon_of_the_zone() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let ticks = time_ticks(Frame { span: Span::Days, now: NOW, zone: &zone });
    // 2026-11-18 11:07 UTC is 12:07 in Berlin: the two days before it begin on Monday the 16th, after noon.
    let texts: Vec<_> = ticks.iter().map(|tick| tick.text.as_str()).collect();
    assert_eq!(texts, ["Tue 17", "12:00", "Wed 18"]);
    let months = time_ticks(Frame { span: Span::Months, now: NOW, zone: &zone });
    assert!(months.iter().any(|tick| tick.text == "Feb 2026"), "{months:?}");
}

#[test]
fn what_is_to_come_is_said_with_its_uncertainty_and_counts_down() {
    let forecast = Forecast { hours: 219.0, low: 144.0, high: f64::INFINITY, bytes_per_hour: 1.5e9, of_hours: 48 };
    let filling = Filling { mount_point: "/var".into(), at: NOW.plus_ms(-3 * 3_600_000), forecast };
    assert_eq!(full_in(&filling, NOW), "full in 9 d (6 d to more than a year), 1.4 GiB less an hour");
}
