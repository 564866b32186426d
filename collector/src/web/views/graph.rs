//! Graphs as SVG, drawn here: no script, light and dark by the style sheet. What is not known is left out and shaded.

use jiff::{ToSpan, Zoned, tz::TimeZone};

use crate::{
    domain::{
        time::Timestamp,
        trend::{History, Hour, Series, Unit, forecast::Filling},
    },
    web::words,
};

/// The picture's size, in its own units; a phone shows it about one to one.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 150.0;
/// Room for the words of the axes.
const LEFT: f64 = 58.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 20.0;
const RIGHT: f64 = 6.0;
/// Columns: what lies within one is drawn as its mean, with a band from the least to the most.
const COLUMNS: usize = 240;

/// How far a graph looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// Two days of minutes.
    Days,
    /// Thirteen months of hours.
    Months,
}

impl Span {
    pub(super) const fn ms(self) -> i64 {
        match self {
            Self::Days => 48 * 3_600_000,
            Self::Months => 396 * 86_400_000,
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Days => "the last 48 hours",
            Self::Months => "the last 13 months",
        }
    }
}

/// A mark on an axis.
#[derive(Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: String,
    pub(super) text: String,
}

/// A graph, ready to be written out.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) id: String,
    pub(super) title: String,
    /// Which part of the host, if it has several.
    pub(super) part: String,
    /// The latest value.
    pub(super) latest: String,
    /// The whole in a sentence, for who does not see it.
    pub(super) told: String,
    /// What is to come.
    pub(super) note: Option<String>,
    pub(super) line: String,
    pub(super) band: String,
    /// Where nothing is known: left edge and width.
    pub(super) gaps: Vec<(String, String)>,
    pub(super) rows: Vec<Tick>,
    pub(super) columns: Vec<Tick>,
}

/// When and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) span: Span,
    pub(super) now: Timestamp,
    pub(super) zone: &'a TimeZone,
}

/// The graph of a series; `None` when nothing is known of it in this time.
pub(super) fn draw(history: &History, series: &Series, filling: &[Filling], frame: Frame<'_>) -> Option<Graph> {
    let columns = columns_of(history, series, frame);
    let known: Vec<Hour> = columns.iter().flatten().copied().collect();
    let all = Hour {
        min: known.iter().map(|hour| hour.min).reduce(f64::min)?,
        mean: known.iter().map(|hour| hour.mean).sum::<f64>() / known.len() as f64,
        max: known.iter().map(|hour| hour.max).reduce(f64::max)?,
    };
    let reading = series.reading();
    let axis = Axis::of(reading.unit, all);
    let latest = latest(history, series, frame).unwrap_or_else(|| known[known.len() - 1].mean);
    let shown = |value| figure(reading.unit, value);
    let gaps = gaps(&columns);
    let silent = if gaps.is_empty() { "" } else { ", with gaps" };
    let told = format!(
        "{} from {} to {}, mean {}, at last {}{silent}",
        frame.span.words(),
        shown(all.min),
        shown(all.max),
        shown(all.mean),
        shown(latest),
    );
    let about = |filling: &&Filling| reading.name == "filesystem_avail_bytes" && filling.mount_point == series.part;
    Some(Graph {
        id: id_of(series),
        title: reading.title.to_owned(),
        part: series.part.to_string(),
        latest: shown(latest),
        told,
        note: filling.iter().find(about).map(|filling| full_in(filling, frame.now)),
        line: line(&columns, axis),
        band: band(&columns, axis),
        gaps,
        rows: axis.ticks(reading.unit),
        columns: time_ticks(frame),
    })
}

/// `full in 9 d (6 d to 14 d), 1.2 GiB less an hour`: no more figures than are known.
pub(super) fn full_in(filling: &Filling, now: Timestamp) -> String {
    let gone = now.since_ms(filling.at).max(0) as f64 / 3_600_000.0;
    let words = |hours: f64| match (hours - gone).max(0.0) {
        left if left < 1.0 => "less than an hour".to_owned(),
        left if left < 48.0 => format!("{left:.0} h"),
        left if left < 24.0 * 365.0 => format!("{:.0} d", left / 24.0),
        _ => "more than a year".to_owned(),
    };
    let forecast = &filling.forecast;
    let [soonest, middle, latest] = [forecast.low, forecast.hours, forecast.high].map(words);
    let rate = words::bytes(forecast.bytes_per_hour);
    if soonest == latest {
        return format!("full in {middle}, {rate} less an hour");
    }
    format!("full in {middle} ({soonest} to {latest}), {rate} less an hour")
}

/// An id that is no other graph's: letters, digits and the bytes of all else.
fn id_of(series: &Series) -> String {
    let mut id = series.reading().name.to_owned();
    for byte in series.part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => id.push(char::from(byte)),
            _ => id.push_str(&format!("-{byte:02x}")),
        }
    }
    id
}

/// The values, gathered into columns of the picture.
fn columns_of(history: &History, series: &Series, frame: Frame<'_>) -> Vec<Option<Hour>> {
    let from = frame.now.plus_ms(-frame.span.ms()).ms();
    let fine: Vec<Option<Hour>> = match frame.span {
        Span::Days => {
            let from = from.div_euclid(60_000);
            let point = |value: f64| value.is_finite().then_some(Hour { min: value, mean: value, max: value });
            history.minutes(series, from, from + 48 * 60).into_iter().map(point).collect()
        }
        Span::Months => {
            let from = from.div_euclid(3_600_000);
            history.hours(series, from, from + 396 * 24 + 1)
        }
    };
    let of_column = |column: usize| {
        let (first, end) = (column * fine.len() / COLUMNS, (column + 1) * fine.len() / COLUMNS);
        let known: Vec<Hour> = fine.get(first..end)?.iter().flatten().copied().collect();
        let mean = Hour::of(known.iter().map(|hour| hour.mean))?;
        let (min, max) = (known.iter().map(|hour| hour.min), known.iter().map(|hour| hour.max));
        Some(Hour { min: min.fold(mean.min, f64::min), mean: mean.mean, max: max.fold(mean.max, f64::max) })
    };
    (0..COLUMNS).map(of_column).collect()
}

fn latest(history: &History, series: &Series, frame: Frame<'_>) -> Option<f64> {
    let end = frame.now.ms().div_euclid(60_000) + 1;
    history.minutes(series, end - 120, end).into_iter().rev().find(|value| value.is_finite())
}

fn x_of(column: usize) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * (column as f64 + 0.5) / COLUMNS as f64
}

/// Runs of columns that are known, each as (column, value).
fn runs(columns: &[Option<Hour>]) -> Vec<Vec<(usize, Hour)>> {
    let mut runs: Vec<Vec<(usize, Hour)>> = vec![Vec::new()];
    for (n, hour) in columns.iter().enumerate() {
        match (hour, runs.last_mut()) {
            (Some(hour), Some(run)) => run.push((n, *hour)),
            (None, Some(run)) if !run.is_empty() => runs.push(Vec::new()),
            _ => {}
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

fn line(columns: &[Option<Hour>], axis: Axis) -> String {
    let mut path = String::new();
    for run in runs(columns) {
        for (n, (column, hour)) in run.iter().enumerate() {
            let sign = if n == 0 { 'M' } else { 'L' };
            path.push_str(&format!("{sign}{:.1} {:.1}", x_of(*column), axis.y_of(hour.mean)));
        }
        if run.len() == 1 {
            // A lone point has no length: it would not be seen.
            path.push_str("h1.5");
        }
    }
    path
}

fn band(columns: &[Option<Hour>], axis: Axis) -> String {
    let mut path = String::new();
    for run in runs(columns).iter().filter(|run| run.iter().any(|(_, hour)| hour.min < hour.max)) {
        let upper = run.iter().map(|(column, hour)| (*column, hour.max));
        let lower = run.iter().rev().map(|(column, hour)| (*column, hour.min));
        for (n, (column, value)) in upper.chain(lower).enumerate() {
            let sign = if n == 0 { 'M' } else { 'L' };
            path.push_str(&format!("{sign}{:.1} {:.1}", x_of(column), axis.y_of(value)));
        }
        path.push('Z');
    }
    path
}

fn gaps(columns: &[Option<Hour>]) -> Vec<(String, String)> {
    let mut gaps = Vec::new();
    let width = (WIDTH - LEFT - RIGHT) / COLUMNS as f64;
    let mut from = None;
    for (n, hour) in
        columns.iter().map(Option::as_ref).chain([Some(&Hour { min: 0.0, mean: 0.0, max: 0.0 })]).enumerate()
    {
        match (hour, from) {
            (None, None) => from = Some(n),
            (Some(_), Some(first)) => {
                let left = LEFT + width * first as f64;
                gaps.push((format!("{left:.1}"), format!("{:.1}", width * (n - first) as f64)));
                from = None;
            }
            _ => {}
        }
    }
    gaps
}

/// The upright axis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// From zero, but for temperatures; up to the next mark above the most.
    fn of(unit: Unit, all: Hour) -> Self {
        let low = if unit == Unit::Celsius || all.min < 0.0 { all.min } else { 0.0 };
        // A flat line on the ground still needs a height.
        let least = match unit {
            Unit::Ratio => 0.05,
            Unit::Bytes | Unit::BytesPerSecond => 1024.0,
            Unit::Seconds => 0.001,
            Unit::Celsius => 4.0,
            Unit::Number => 1.0,
        };
        let reach = (all.max - low).max(least);
        let step = step(unit, reach / 3.0);
        let low = (low / step).floor() * step;
        let mut high = (all.max / step).ceil() * step;
        if high - low < reach {
            high = low + (reach / step).ceil() * step;
        }
        if unit == Unit::Ratio && all.max <= 1.0 {
            high = high.min(1.0);
        }
        Self { low, high, step }
    }

    fn y_of(self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share)
    }

    fn ticks(self, unit: Unit) -> Vec<Tick> {
        let mut ticks = Vec::new();
        let mut value = self.low;
        while value <= self.high + self.step / 100.0 && ticks.len() < 8 {
            ticks.push(Tick { at: format!("{:.1}", self.y_of(value)), text: figure(unit, value) });
            value += self.step;
        }
        ticks
    }
}

/// The next round number: 1, 2 or 5 times a power of ten; of bytes, of a power of 1024.
fn step(unit: Unit, least: f64) -> f64 {
    let unit = match unit {
        Unit::Bytes | Unit::BytesPerSecond => {
            let mut size = 1.0;
            while least >= size * 1024.0 {
                size *= 1024.0;
            }
            size
        }
        _ => 1.0,
    };
    let mut power = 1e-6;
    while power * 10.0 < least / unit {
        power *= 10.0;
    }
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * power * unit >= least).unwrap_or(10.0);
    round * power * unit
}

/// A value with its unit.
pub(super) fn figure(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Ratio if value.abs() < 0.0995 && (value * 100.0).fract().abs() > 0.05 => {
            format!("{:.1} %", value * 100.0)
        }
        Unit::Ratio => format!("{:.0} %", value * 100.0),
        Unit::Bytes => words::bytes(value),
        Unit::BytesPerSecond => format!("{}/s", words::bytes(value)),
        Unit::Seconds if value.abs() < 0.000_999_5 && value != 0.0 => format!("{:.0} µs", value * 1e6),
        Unit::Seconds if value.abs() < 0.009_95 && value != 0.0 => format!("{:.1} ms", value * 1e3),
        Unit::Seconds if value.abs() < 0.9995 && value != 0.0 => format!("{:.0} ms", value * 1e3),
        Unit::Seconds => format!("{value:.1} s"),
        Unit::Celsius => format!("{value:.0} °C"),
        Unit::Number if value.abs() < 9.95 && value.fract().abs() > 0.005 => format!("{value:.2}"),
        Unit::Number => format!("{value:.0}"),
    }
}

/// Midnights and noons, or beginnings of months.
fn time_ticks(frame: Frame<'_>) -> Vec<Tick> {
    let from = frame.now.plus_ms(-frame.span.ms());
    let Ok(first) = jiff::Timestamp::from_millisecond(from.ms()) else { return Vec::new() };
    let begin = first.to_zoned(frame.zone.clone());
    let mut ticks = Vec::new();
    let mut mark = |at: &Zoned, text: String| {
        let share = (at.timestamp().as_millisecond() - from.ms()) as f64 / frame.span.ms() as f64;
        // At the very edges a word would be cut off.
        if (0.03..=0.97).contains(&share) {
            ticks.push(Tick { at: format!("{:.1}", LEFT + (WIDTH - LEFT - RIGHT) * share), text });
        }
    };
    match frame.span {
        Span::Days => {
            let Ok(midnight) = begin.start_of_day() else { return ticks };
            for halves in 0..6_i64 {
                let Ok(at) = midnight.checked_add((halves / 2).days().hours(halves % 2 * 12)) else { continue };
                let text = if halves % 2 == 0 { at.strftime("%a %-d").to_string() } else { "12:00".to_owned() };
                mark(&at, text);
            }
        }
        Span::Months => {
            let Ok(month) = begin.first_of_month().and_then(|day| day.start_of_day()) else { return ticks };
            for n in (1..=13_i64).filter(|n| n % 2 == 0) {
                let Ok(at) = month.checked_add(n.months()) else { continue };
                let text = if at.month() <= 2 { at.strftime("%b %Y") } else { at.strftime("%b") };
                mark(&at, text.to_string());
            }
        }
    }
    ticks
}

#[cfg(test)]
mod tests;
