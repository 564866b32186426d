//! The calendar of a report: what came of each day, told by a number or a sign, with a shade that only repeats it.

use jiff::{civil::Date, tz::TimeZone};

use super::sentence::percent;
use crate::{
    domain::sla::{
        agreement::Agreement,
        days::{Day, days},
        lattice::Bucket,
        report::Report,
    },
    web::{views::service_levels::name, words},
};

/// Size of a day, and of the row of weekdays above them, in the picture's own units.
const ACROSS: i64 = 48;
const DOWN: i64 = 34;
const HEAD: i64 = 18;
/// Decimals of a day's availability: what fits.
const DECIMALS: usize = 2;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A month of days.
pub(super) struct Month {
    pub(super) name: String,
    pub(super) width: i64,
    pub(super) height: i64,
    /// Weekdays: where each stands in the middle, and its name.
    pub(super) heads: Vec<(i64, &'static str)>,
    pub(super) cells: Vec<Cell>,
}

/// A day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) class: &'static str,
    /// Of the month.
    pub(super) day: String,
    /// Its availability, or a sign.
    pub(super) text: String,
    /// All of it, in words.
    pub(super) says: String,
}

impl Cell {
    /// Longer than `99.95`, which fills it.
    pub(super) fn is_long(&self) -> bool {
        self.text.len() > 5
    }
}

/// The months of a period, from Monday to Sunday; none of a period within one day.
pub(super) fn months(agreement: &Agreement, report: &Report, zone: &TimeZone) -> Vec<Month> {
    let days = days(agreement, report, zone);
    if days.len() < 2 || report.lines.is_empty() {
        return Vec::new();
    }
    let of_month = |one: &Day, other: &Day| one.date.first_of_month() == other.date.first_of_month();
    days.chunk_by(of_month).filter_map(|days| month(agreement, days)).collect()
}

fn month(agreement: &Agreement, days: &[Day]) -> Option<Month> {
    let first = days.first()?.date;
    let begin = offset(first);
    let cells: Vec<Cell> = days
        .iter()
        .zip(begin..)
        .map(|(day, at)| {
            let (class, text) = told(agreement, day);
            let (x, y) = (at % 7 * ACROSS, HEAD + at / 7 * DOWN);
            Cell { x, y, class, day: day.date.day().to_string(), text, says: says(day) }
        })
        .collect();
    let height = cells.last()?.y + DOWN + 1;
    let heads = WEEKDAYS.into_iter().zip((0..).map(|column| column * ACROSS + ACROSS / 2));
    Some(Month {
        name: first.strftime("%B %Y").to_string(),
        width: 7 * ACROSS + 1,
        height,
        heads: heads.map(|(name, x)| (x, name)).collect(),
        cells,
    })
}

/// Days since Monday.
fn offset(date: Date) -> i64 {
    i64::from(date.weekday().to_monday_zero_offset())
}

/// How a day is drawn, and what stands in it.
fn told(agreement: &Agreement, day: &Day) -> (&'static str, String) {
    let (buckets, figures) = (&day.buckets, &day.figures);
    let Some(availability) = figures.availability else {
        return match () {
            () if buckets.window_ms() == 0 => ("to-come", String::new()),
            () if buckets.unproven_ms() > 0 => ("unproven", "?".to_owned()),
            () if buckets.ms(Bucket::Maintenance) > 0 => ("planned", "M".to_owned()),
            () => ("closed", "–".to_owned()),
        };
    };
    let doubt = if buckets.unproven_ms() > 0 { "?" } else { "" };
    if figures.served_ms == figures.agreed_ms {
        return ("kept", format!("100{doubt}"));
    }
    let class = if availability.reaches(agreement.target) { "kept" } else { "broken" };
    (class, format!("{}{doubt}", availability.percent(DECIMALS)))
}

/// All of a day: `2026-10-05: 99.8611 %; up 23 h 58 min, down 2 min 0 s`.
fn says(day: &Day) -> String {
    let some = Bucket::ALL.into_iter().filter(|bucket| day.buckets.ms(*bucket) > 0);
    let parts: Vec<String> = some
        .map(|bucket| format!("{} {}", name(bucket).to_lowercase(), words::duration(day.buckets.ms(bucket))))
        .collect();
    match day.figures.availability {
        _ if parts.is_empty() => format!("{}: to come", day.date),
        None => format!("{}: no agreed time; {}", day.date, parts.join(", ")),
        Some(availability) => format!("{}: {}; {}", day.date, percent(Some(availability)), parts.join(", ")),
    }
}
