//! How much people are called, and what comes of it: pages by person, day and night; how long until somebody has it.
//!
//! A day of a person begins when their night ends, at 7 by their clocks, so that a night belongs to the evening on which it
//! began, also when the clock is changed in it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{ToSpan, civil::Date, tz::TimeZone};

use crate::domain::{
    calendar::{self, Edge, NIGHT, Span, date_at},
    time::Timestamp,
};

/// What is over by itself within this time need not have called anybody, in milliseconds.
pub const BY_ITSELF_MS: i64 = 10 * 60_000;

/// A page that called a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Whom.
    pub person: String,
    /// When.
    pub at: Timestamp,
}

/// How an incident that paged went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// When it paged first.
    pub paged: Timestamp,
    /// When somebody first had it.
    pub acknowledged: Option<Timestamp>,
    /// When it was over.
    pub resolved: Option<Timestamp>,
}

/// What days are put together to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// All of them.
    Whole,
    /// From Monday on.
    Week,
    /// The calendar's.
    Month,
}

impl Per {
    /// The first day of what a day belongs to.
    fn first(self, day: Date, begin: Date) -> Date {
        match self {
            Self::Whole => begin,
            Self::Week => day.saturating_sub(i64::from(day.weekday().to_monday_zero_offset()).days()),
            Self::Month => day.first_of_month(),
        }
    }

    fn next(self, first: Date, end: Date) -> Date {
        match self {
            Self::Whole => end,
            Self::Week => first.saturating_add(7.days()),
            Self::Month => first.saturating_add(1.month()),
        }
    }
}

/// How much a person was called in a stretch of days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// Whom.
    pub person: String,
    /// The first day, and the first one after it, as far as they were asked about.
    pub days: (Date, Date),
    /// Pages.
    pub pages: usize,
    /// Those of them at night.
    pub at_night: usize,
    /// Nights with at least one.
    pub nights: usize,
}

impl Load {
    /// How many days it is about.
    #[must_use]
    pub fn length(&self) -> i32 {
        self.days.0.until(self.days.1).map_or(0, |span| span.get_days()).max(1)
    }

    /// Pages a day.
    #[must_use]
    pub fn per_day(&self) -> f64 {
        as_f64(self.pages) / f64::from(self.length())
    }

    /// Pages a night.
    #[must_use]
    pub fn per_night(&self) -> f64 {
        as_f64(self.at_night) / f64::from(self.length())
    }
}

/// How much each person was called, by the clocks of `zone_of` them; who was not called has no line.
#[must_use]
pub fn loads(called: &[Called], span: Span, per: Per, zone_of: impl Fn(&str) -> TimeZone) -> Vec<Load> {
    let mut found: BTreeMap<(String, Date), (Load, BTreeSet<Date>)> = BTreeMap::new();
    for one in called.iter().filter(|one| span.holds(one.at)) {
        let zone = zone_of(&one.person);
        let (begin, end) = (day_of(span.from, &zone), day_of(span.until.plus_ms(-1), &zone).saturating_add(1.day()));
        let day = day_of(one.at, &zone);
        let first = per.first(day, begin);
        let days = (first.max(begin), per.next(first, end).min(end));
        let fresh = || (Load { person: one.person.clone(), days, pages: 0, at_night: 0, nights: 0 }, BTreeSet::new());
        let (load, nights) = found.entry((one.person.clone(), first)).or_insert_with(fresh);
        load.pages += 1;
        if calendar::is_night(one.at, &zone) {
            load.at_night += 1;
            nights.insert(day);
            load.nights = nights.len();
        }
    }
    found.into_values().map(|(load, _)| load).collect()
}

/// The day of a person that an instant belongs to.
fn day_of(at: Timestamp, zone: &TimeZone) -> Date {
    let date = date_at(at, zone);
    let morning = calendar::at(date, calendar::hour(NIGHT.1), zone, Edge::Start);
    if at < morning { date.yesterday().unwrap_or(date) } else { date }
}

/// What came of the incidents that paged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    /// How many there were.
    pub incidents: usize,
    /// Those that somebody had.
    pub acknowledged: usize,
    /// Those that are over and that nobody had.
    pub nobody: usize,
    /// Those of them that were over within ten minutes of their first page.
    pub by_itself: usize,
    /// Until somebody had it: half of those that somebody had took no longer, in milliseconds.
    pub median_ms: Option<i64>,
    /// And nine of ten.
    pub p90_ms: Option<i64>,
}

/// Counts them.
#[must_use]
pub fn answers(courses: &[Course]) -> Answers {
    let mut taken: Vec<i64> =
        courses.iter().filter_map(|one| Some(one.acknowledged?.since_ms(one.paged).max(0))).collect();
    taken.sort_unstable();
    let nobody = courses.iter().filter(|one| one.acknowledged.is_none() && one.resolved.is_some());
    let soon = |one: &&Course| one.resolved.is_some_and(|at| at.since_ms(one.paged) <= BY_ITSELF_MS);
    Answers {
        incidents: courses.len(),
        acknowledged: taken.len(),
        nobody: nobody.clone().count(),
        by_itself: nobody.filter(soon).count(),
        median_ms: nearest_rank(&taken, 50),
        p90_ms: nearest_rank(&taken, 90),
    }
}

/// The least value that so many of a hundred do not exceed.
fn nearest_rank(sorted: &[i64], percent: usize) -> Option<i64> {
    sorted.get((sorted.len() * percent).div_ceil(100).checked_sub(1)?).copied()
}

#[expect(clippy::cast_precision_loss, reason = "a number of pages")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn ms(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn called(person: &str, at: &str) -> Called {
        Called { person: person.into(), at: ms(at) }
    }

    fn span(from: &str, until: &str) -> Span {
        Span { from: ms(from), until: ms(until) }
    }

    fn zone(person: &str) -> TimeZone {
        calendar::zone(if person == "dora" { "Asia/Tokyo" } else { "Europe/Berlin" }).unwrap()
    }

    fn shown(loads: &[Load]) -> Vec<String> {
        let line = |load: &Load| {
            let (from, until) = load.days;
            format!("{} {from}..{until} {} {} {}", load.person, load.pages, load.at_night, load.nights)
        };
        loads.iter().map(line).collect()
    }

    #[test]
    fn nights_go_by_each_persons_clock_and_over_a_change_of_it() {
        // The clock is set back on 2026-10-25 at 3:00 in Berlin: that night has ten hours, from 20:00 to 6:00 UTC.
        let pages = [
            called("ann", "2026-10-24T19:59:59Z"),  // 21:59:59, still day
            called("ann", "2026-10-24T20:00:00Z"),  // 22:00
            called("ann", "2026-10-25T05:59:59Z"),  // 6:59:59 in winter, the same night
            called("ann", "2026-10-25T06:00:00Z"),  // 7:00
            called("ann", "2026-10-25T21:30:00Z"),  // 22:30 the next night
            called("dora", "2026-10-25T21:30:00Z"), // 6:30 on the 26th in Tokyo
        ];
        let all = span("2026-10-19T05:00:00Z", "2026-10-27T06:00:00Z");
        let found = loads(&pages, all, Per::Whole, zone);
        assert_eq!(shown(&found), ["ann 2026-10-19..2026-10-27 5 3 2", "dora 2026-10-19..2026-10-28 1 1 1"]);
        assert_eq!((found[0].length(), found[0].per_day(), found[0].per_night()), (8, 0.625, 0.375));
    }

    #[test]
    fn weeks_begin_on_monday_at_seven_and_months_as_the_calendars_and_what_was_not_asked_about_is_not_counted() {
        let pages = [
            called("ann", "2026-10-18T22:00:00Z"), // before it
            called("ann", "2026-10-26T05:30:00Z"), // Monday at 6:30 is still Sunday's night
            called("ann", "2026-10-26T06:00:00Z"),
            called("ann", "2026-11-01T05:30:00Z"), // the night of 31 October
            called("ann", "2026-11-01T06:30:00Z"),
        ];
        let all = span("2026-10-20T05:00:00Z", "2026-11-05T11:00:00Z");
        let weeks = loads(&pages, all, Per::Week, zone);
        assert_eq!(shown(&weeks), ["ann 2026-10-20..2026-10-26 1 1 1", "ann 2026-10-26..2026-11-02 3 1 1"]);
        let months = loads(&pages, all, Per::Month, zone);
        assert_eq!(shown(&months), ["ann 2026-10-20..2026-11-01 3 2 2", "ann 2026-11-01..2026-11-06 1 0 0"]);
    }

    #[test]
    fn answers_are_counted_from_the_first_page() {
        let course = |acknowledged: Option<i64>, resolved: Option<i64>| {
            let at = |minutes: i64| Timestamp::from_ms(minutes * MINUTE);
            Course {
                paged: at(100),
                acknowledged: acknowledged.map(|m| at(100 + m)),
                resolved: resolved.map(|m| at(100 + m)),
            }
        };
        assert_eq!(answers(&[]), Answers::default());
        let mut courses: Vec<Course> = (1..=10).map(|minutes| course(Some(minutes), Some(60))).collect();
        courses.push(course(None, Some(10))); // by itself, at the last moment
        courses.push(course(None, Some(11)));
        courses.push(course(None, None)); // still open
        let found = answers(&courses);
        assert_eq!((found.incidents, found.acknowledged, found.nobody, found.by_itself), (13, 10, 2, 1));
        assert_eq!((found.median_ms, found.p90_ms), (Some(5 * MINUTE), Some(9 * MINUTE)));
        assert_eq!(answers(&[course(Some(7), None)]).p90_ms, Some(7 * MINUTE));
    }

    proptest::proptest! {
        #[test]
        fn however_days_are_put_together_no_page_is_lost_or_counted_twice(
            hours in proptest::collection::vec(0_i64..24 * 400, 0..60), from in 0_i64..200, days in 1_i64..200,
            name in proptest::sample::select(vec!["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo"]),
        ) {
            let start = ms("2026-01-01T00:00:00Z");
            let pages: Vec<Called> =
                hours.iter().map(|hour| Called { person: "ann".into(), at: start.plus_ms(hour * 3_600_000) }).collect();
            let span = Span { from: start.plus_ms(from * 86_400_000), until: start.plus_ms((from + days) * 86_400_000) };
            let within = pages.iter().filter(|page| span.holds(page.at)).count();
            let zone = |_: &str| calendar::zone(name).unwrap();
            let total = |per| {
                let all = loads(&pages, span, per, zone);
                (all.iter().map(|one| one.pages).sum::<usize>(), all.iter().map(|one| one.nights).sum::<usize>(),
                    all.iter().map(|one| one.at_night).sum::<usize>())
            };
            let whole = total(Per::Whole);
            proptest::prop_assert_eq!(whole.0, within);
            proptest::prop_assert_eq!(total(Per::Week), whole);
            proptest::prop_assert_eq!(total(Per::Month), whole);
        }
    }
}
