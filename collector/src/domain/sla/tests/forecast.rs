//! What an error budget still covers.

use super::{
    report::{declared, known, row},
    *,
};
use crate::domain::{
    calendar::Span,
    host::Cause,
    ids::HostNo,
    record::{Observed, SpanRow},
    sla::{
        budget::Budget,
        burn::{Burn, BurnAlerts, Lately, Pace},
        forecast::Forecast,
        period::Period,
        report::{Known, Report},
    },
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A host that was down at these minutes for so many.
fn subject(no: i64, outages: &[(i64, i64)], over: Span) -> Known {
    let mut rows: Vec<SpanRow> = Vec::new();
    let mut at = over.from.ms();
    for (from, length) in outages {
        let n = i64::try_from(rows.len()).unwrap();
        let (from, until) = (from * MINUTE, (from + length) * MINUTE);
        rows.push(row(n + 1, at, from, Observed::Up, Cause::Reporting));
        rows.push(row(n + 2, from, until, Observed::Down, Cause::Silence));
        at = until;
    }
    let known = known(&format!("web-{no}"), &rows, at, over, over.until.ms());
    let (id, name) = (known.subject.host().unwrap(), known.subject.name());
    Known { subject: subject::Subject::Host { no: HostNo(no), id, name }, ..known }
}

fn report(length: i64, over: Span, subjects: Vec<Known>) -> Report {
    let period = Period { name: "x".into(), span: window(0, length) };
    Report::of(&declared("99"), period, over, subjects, over.until)
}

fn burn(no: i64, bad: Span) -> Burn {
    Burn {
        agreement: "test".into(),
        alerts: BurnAlerts::Off,
        pace: Pace::of(&agreement("99"), window(0, 30 * DAY)),
        at: bad.until,
        subjects: vec![Lately::of_host(HostNo(no), format!("web-{no}"), 0, vec![bad])],
        left: None,
    }
}

#[test]
fn the_budget_covers_so_many_more_outages_like_the_middle_one() {
    // 1 % of 30 days are 432 minutes.
    let over = window(0, 15 * DAY);
    let subjects = vec![
        subject(1, &[(100, 10), (600, 30)], over),
        subject(2, &[(300, 100), (900, 20), (2_000, 80)], over),
        subject(3, &[], over),
    ];
    let forecast = Forecast::of(target("99"), &report(30 * DAY, over, subjects), None).unwrap();
    assert_eq!(forecast.subject, "web-2");
    assert_eq!(forecast.budget, Budget { whole_ms: 432 * MINUTE, left_ms: 232 * MINUTE });
    // Of 10, 20, 30, 80 and 100 minutes.
    assert_eq!((forecast.median_ms, forecast.outages_left), (Some(30 * MINUTE), Some(7)));
    assert_eq!(forecast.gone, None);
}

#[test]
fn what_is_overdrawn_covers_nothing_and_without_an_outage_nobody_can_say() {
    let over = window(0, 15 * DAY);
    let of = |subjects| Forecast::of(target("99"), &report(30 * DAY, over, subjects), None);
    let overdrawn = of(vec![subject(1, &[(100, 500)], over)]).unwrap();
    assert_eq!((overdrawn.budget.left_ms, overdrawn.outages_left), (-68 * MINUTE, Some(0)));
    let calm = of(vec![subject(1, &[], over)]).unwrap();
    assert_eq!((calm.median_ms, calm.outages_left), (None, None));
    assert_eq!(of(Vec::new()), None, "an agreement without subjects");
    let whole = report(30 * DAY, over, vec![subject(1, &[], over)]);
    assert_eq!(Forecast::of(Target::WHOLE, &whole, None), None, "there is no budget");
    let past = Report { as_of: over.until.plus_ms(1), ..whole };
    assert_eq!(Forecast::of(target("99"), &past, None), None, "what is over has no future");
}

#[test]
fn it_is_gone_when_the_last_hour_goes_on() {
    let over = window(0, 29 * DAY);
    // 432 minutes, of which 6 are left; 12 were lost in the last hour: half an hour more.
    let outages = [(100, 414), (29 * 24 * 60 - 30, 12)];
    let host = || subject(1, &outages, over);
    let last = window(29 * DAY - 30 * MINUTE, 29 * DAY - 18 * MINUTE);
    let burning = Burn { at: over.until, ..burn(1, last) };
    let gone = |length: i64, burn: &Burn| {
        let report = report(length, over, vec![host(), subject(2, &[], over)]);
        Forecast::of(target("99"), &report, Some(burn)).unwrap().gone
    };
    assert_eq!(gone(30 * DAY, &burning), Some(over.until.plus_ms(30 * MINUTE)));
    let of_another = Burn { at: over.until, ..burn(2, last) };
    assert_eq!(gone(30 * DAY, &of_another), None, "432 minutes last for 36 hours, and the period for 24");
    let long_ago = Burn { at: over.until, ..burn(1, window(0, MINUTE)) };
    assert_eq!(gone(30 * DAY, &long_ago), None, "nothing is being spent");
    // One that rolls has no end that it could reach.
    let rolling = report(29 * DAY, over, vec![subject(2, &[], over)]);
    assert!(Forecast::of(target("99"), &rolling, Some(&of_another)).unwrap().gone.is_some());
}
