//! Drives day by day.

use super::Verdict;
use crate::domain::rules::hardware::{
    score::tally,
    series::{Limits, Series, judge, read},
    sum,
};

/// A drive with these counts on days in a row, the last one its end if it failed.
fn rows(serial: &str, counts: &[(u64, u64)], failed: bool) -> String {
    let row = |(number, (reallocated, pending)): (usize, &(u64, u64))| {
        let end = u8::from(failed && number + 1 == counts.len());
        format!("2026-03-{:02},{serial},ACME,{end},{reallocated},{pending}\n", number + 1)
    };
    counts.iter().enumerate().map(row).collect()
}

fn table(rows: &[String]) -> Vec<Series> {
    read(&format!("date,serial_number,model,failure,smart_5_raw,smart_197_raw\n{}", rows.concat())).expect("a table")
}

fn last(counts: &[(u64, u64)]) -> (Verdict, Vec<&'static str>) {
    let drives = table(&[rows("S", counts, false)]);
    let findings = judge(&drives[0], &drives[0].days, Limits::default());
    (sum(&findings, || None).0, findings.iter().map(|finding| finding.rule).collect())
}

#[test]
fn growth_within_a_week_counts_and_old_counts_do_not() {
    assert_eq!(last(&[(0, 0)]), (Verdict::Healthy, vec![]));
    assert_eq!(last(&[(500, 0), (500, 0)]), (Verdict::Unknown, vec!["drive-few-bad-sectors"]));
    assert_eq!(last(&[(500, 0), (519, 0)]), (Verdict::Unknown, vec!["drive-few-bad-sectors"]));
    assert_eq!(last(&[(500, 0), (520, 0)]), (Verdict::Failing, vec!["drive-defects-growing"]));
    // Twenty more, but over eight days: seventeen within seven.
    let slow = [0, 3, 3, 3, 3, 3, 3, 3, 20].map(|pending| (0, pending));
    assert_eq!(last(&slow).1, ["drive-few-bad-sectors"]);
    assert_eq!(last(&[(1_000, 0)]).1, ["drive-many-reallocated-sectors"]);
    assert_eq!(last(&[(10, 8)]).1, ["drive-pending-and-reallocated"]);
    assert_eq!(last(&[(9, 8)]).1, ["drive-few-bad-sectors"]);
}

#[test]
fn rules_are_held_against_what_became_of_the_drives() {
    let drives = table(&[
        rows("A", &[(0, 0), (30, 0), (30, 0), (30, 0)], true),
        rows("B", &[(0, 0), (0, 0)], true),
        rows("C", &[(0, 0), (40, 0)], false),
        rows("D", &[(7, 0), (7, 0)], false),
    ]);
    let [growing, many, _, any] = tally(&drives, Limits::default());
    assert_eq!((growing.failed, growing.failed_flagged, growing.survived, growing.survived_flagged), (2, 1, 2, 1));
    assert_eq!((growing.median_lead(), many.failed_flagged, any.failed_flagged), (Some(2), 0, 1));
}

#[test]
fn a_table_that_is_none_is_refused_with_line_and_column() {
    let head = "date,serial,smart_5_raw,smart_197_raw\n";
    for (text, told) in [
        ("date,serial,smart_197_raw\n".to_owned(), "line 1: no column smart_5_raw"),
        (format!("{head}2026-03-01,S,1,2\nyesterday,S,1,2\n"), "line 3: date is \"yesterday\""),
        (format!("{head}2026-03-01,S,-1,2\n"), "line 2: smart_5_raw is \"-1\""),
        (String::new(), "empty"),
    ] {
        let error = read(&text).expect_err("no table");
        assert!(error.contains(told), "{error}");
    }
}
