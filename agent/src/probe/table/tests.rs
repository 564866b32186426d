use super::super::{ProbeError, Scratch, Sink, parse_number};
use super::*;
use crate::clock::Moment;

fn say(section: &mut Section, devices: &[&str], value: f64) -> Result<(), ProbeError> {
    let mut scratch = Scratch::default();
    let mut sink = Sink::new(section, &mut scratch, Moment::default());
    for name in ["reads", "writes"] {
        sink.family(name, Kind::Counter, "help");
        for device in devices {
            sink.sample(&[("device", device)], value);
        }
    }
    sink.finish(Ok(())).1
}

fn said(section: &Section) -> Vec<(u32, String)> {
    let name = |family: &Family, series: &Series| format!("{}/{}", family.name, series.label("device").unwrap());
    section.samples().map(|(family, series, _)| (series.id, name(family, series))).collect()
}

#[test]
fn the_same_series_keep_their_ids_and_version_while_values_change() {
    let mut section = Section::new("disk", Arc::default());
    say(&mut section, &["a", "b"], 1.0).unwrap();
    let (before, version) = (said(&section), section.version());
    say(&mut section, &["a", "b"], 2.0).unwrap();
    assert_eq!((said(&section), section.version()), (before, version));
    assert!(section.samples().all(|(_, _, value)| value == 2.0));
}

#[test]
fn what_vanishes_is_retired_and_what_returns_gets_a_new_id() {
    let mut section = Section::new("disk", Arc::default());
    say(&mut section, &["a", "b"], 1.0).unwrap();
    say(&mut section, &["b"], 1.0).unwrap();
    assert_eq!(said(&section), [(1, "reads/b".to_owned()), (3, "writes/b".to_owned())]);
    say(&mut section, &["a", "b"], 1.0).unwrap();
    let ids: Vec<u32> = said(&section).iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [1, 3, 4, 5], "ascending, none used twice");
}

#[test]
fn another_order_of_the_same_series_changes_nothing_but_the_order() {
    let mut section = Section::new("disk", Arc::default());
    say(&mut section, &["a", "b", "c"], 1.0).unwrap();
    let (before, version) = (said(&section), section.version());
    say(&mut section, &["c", "a", "b"], 5.0).unwrap();
    say(&mut section, &["b", "c", "a"], 6.0).unwrap();
    assert_eq!((said(&section), section.version()), (before, version));
    assert!(section.samples().all(|(_, _, value)| value == 6.0));
}

#[test]
fn a_failed_source_says_nothing() {
    let mut section = Section::new("disk", Arc::default());
    say(&mut section, &["a"], 1.0).unwrap();
    let mut scratch = Scratch::default();
    let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
    sink.single("x", Kind::Gauge, "", 1.0);
    sink.finish(Err(ProbeError::Failed("broken".to_owned()))).1.unwrap_err();
    assert_eq!(section.samples().count(), 0);
}

#[test]
fn a_family_beyond_what_a_source_may_say_is_left_out_whole_and_counted() {
    let mut section = Section::new("disk", Arc::default());
    let names: Vec<String> = (0..SERIES_MAX - 10).map(|number| format!("d{number}")).collect();
    let devices: Vec<&str> = names.iter().map(String::as_str).collect();
    say(&mut section, &devices, 1.0).unwrap();
    let left: Vec<(&str, usize)> = section.left_out().iter().map(|left| (&*left.family, left.wanted)).collect();
    assert_eq!(left, [("writes", SERIES_MAX - 10)]);
    assert_eq!(section.samples().count(), SERIES_MAX - 10);
    assert!(section.samples().all(|(family, _, _)| &*family.name == "reads"));
    let version = section.version();
    say(&mut section, &devices, 2.0).unwrap();
    assert_eq!((section.version(), section.left_out()[0].wanted), (version, SERIES_MAX - 10));
}

#[test]
fn kernel_numbers_are_decimal_or_hexadecimal() {
    assert_eq!(parse_number("0x1003"), Some(4099.0));
    assert_eq!(parse_number("1e999"), None);
    assert_eq!(parse_number("0"), Some(0.0));
    assert_eq!(parse_number("999999999999999"), Some(999_999_999_999_999.0));
    assert_eq!(parse_number("18446744073709551615"), Some(18_446_744_073_709_551_615.0));
    assert_eq!(parse_number("0.25"), Some(0.25));
    assert_eq!(parse_number("12x"), None);
    assert_eq!(parse_number("-1"), Some(-1.0));
    assert_eq!(parse_number("nan"), None);
    assert_eq!((parse_number("-inf"), parse_number(&"9".repeat(400)), parse_number("1e300")), (None, None, None));
    assert_eq!(parse_number(""), None);
    for endless in ["1e999", "-inf", "-infinity", &"9".repeat(400)] {
        assert_eq!(parse_number(endless), None, "{endless}");
    }
}

#[test]
fn families_that_nobody_says_any_more_are_forgotten() {
    let mut section = Section::new("script", Arc::default());
    for round in 0..100 {
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
        for number in 0..3 {
            sink.single(&format!("x{round}_{number}"), Kind::Gauge, "help", 1.0);
        }
        sink.finish(Ok(())).1.unwrap();
    }
    assert_eq!((section.families.len(), section.series.len()), (3, 3));
    assert!(section.samples().zip(0..).all(|((family, ..), number)| *family.name == *format!("x99_{number}")));
}

#[test]
fn a_name_in_pieces_is_the_same_family_and_no_other() {
    let mut section = Section::new("pieces", Arc::default());
    for value in [1.0, 2.0] {
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
        for (name, help) in [(["node_", "a", "b"], ["Of ", "ab"]), (["node_", "a", ""], ["Of ", "a"])] {
            sink.spelled(&name, Kind::Gauge, &help);
            sink.sample(&[], value);
        }
        sink.finish(Ok(())).1.unwrap();
    }
    let said: Vec<(&str, &str, f64)> =
        section.samples().map(|(family, _, value)| (&*family.name, &*family.help, value)).collect();
    assert_eq!(said, [("node_ab", "Of ab", 2.0), ("node_a", "Of a", 2.0)]);
}

#[test]
fn parts_of_a_family_are_series_of_their_own() {
    let mut section = Section::new("parts", Arc::default());
    for value in [1.0, 2.0] {
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
        sink.family("h", Kind::Histogram, "");
        let mut parts = [(Part::Sum, value), (Part::Count, value * 10.0)];
        // In another order each finds its own series.
        if value > 1.0 {
            parts.reverse();
        }
        parts.iter().for_each(|(part, value)| sink.part(*part, &[], *value));
        sink.finish(Ok(())).1.unwrap();
    }
    let said: Vec<(u32, &str, f64)> =
        section.samples().map(|(_, series, value)| (series.id, series.part.suffix(), value)).collect();
    assert_eq!(said, [(0, "_sum", 2.0), (1, "_count", 20.0)]);
}

#[test]
fn what_is_remembered_by_its_stamp_need_not_be_said_again() {
    let mut section = Section::new("stamped", Arc::default());
    let mut collect = |stamp: u64, help: &str| {
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(&mut section, &mut scratch, Moment::default());
        let unchanged = sink.is_unchanged(stamp);
        if !unchanged {
            sink.single("x", Kind::Gauge, help, 1.0);
            sink.remember(stamp);
        }
        sink.finish(Ok(())).1.unwrap();
        let help = section.samples().next().unwrap().0.help.to_string();
        (unchanged, help, section.version())
    };
    assert_eq!(collect(7, "a"), (false, "a".to_owned(), 1));
    assert_eq!(collect(7, "never said"), (true, "a".to_owned(), 1));
    let (unchanged, help, version) = collect(8, "b");
    assert_eq!((unchanged, &*help, version > 1), (false, "b", true));
}
