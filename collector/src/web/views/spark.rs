//! Pictures the size of a word: the last two days of one reading, hour by hour. What is not known is not drawn.

use super::graph::figure;
use crate::domain::trend::{
    Unit,
    sketch::{HOURS, Line},
};

/// The picture's height in its own units; it is two wide for each hour.
const HEIGHT: f64 = 20.0;

/// A sparkline, ready to be written out.
#[derive(Debug)]
pub(super) struct Spark {
    /// What it is of, in a word or two.
    pub(super) name: String,
    /// The latest hour's mean; empty when that is not known.
    pub(super) latest: String,
    /// The whole in a sentence, for who does not see it.
    pub(super) told: String,
    pub(super) path: String,
}

impl Spark {
    /// The picture of a line; `None` when nothing is known of it.
    pub(super) fn of(line: &Line) -> Option<Self> {
        let reading = line.series.reading();
        let known = || line.hours.iter().flatten().copied();
        let (least, most) = (known().reduce(f64::min)?, known().reduce(f64::max)?);
        // From zero: what looks empty is empty. Shares of their whole.
        let top = if reading.unit == Unit::Ratio { most.max(1.0) } else { most.max(f64::MIN_POSITIVE) };
        let shown = |value| figure(reading.unit, value);
        let latest = line.hours[HOURS - 1].map_or_else(String::new, shown);
        let gaps = if known().count() < HOURS { ", with gaps" } else { "" };
        let title = format!("{} {}", reading.title, line.series.part);
        let title = title.trim_end();
        let name = if line.series.part.is_empty() { short(reading.name) } else { &line.series.part };
        Some(Self {
            name: name.to_owned(),
            told: format!("{title}, 48 hours: {} to {}{gaps}", shown(least), shown(most)),
            latest,
            path: path(&line.hours, top),
        })
    }
}

fn short(name: &'static str) -> &'static str {
    match name {
        "cpu_busy_ratio" => "CPU",
        "memory_available_bytes" => "memory",
        other => other,
    }
}

fn path(hours: &[Option<f64>; HOURS], top: f64) -> String {
    let mut path = String::new();
    let mut is_drawing = false;
    for (place, value) in hours.iter().enumerate() {
        let Some(value) = value else {
            is_drawing = false;
            continue;
        };
        let y = 1.0 + (HEIGHT - 2.0) * (1.0 - (value / top).clamp(0.0, 1.0));
        let sign = if is_drawing { 'L' } else { 'M' };
        path.push_str(&format!("{sign}{} {y:.0}", 2 * place));
        let is_last = hours.get(place + 1).is_none_or(Option::is_none);
        if !is_drawing && is_last {
            // A lone hour has no length: it would not be seen.
            path.push_str("h2");
        }
        is_drawing = true;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::trend::Series;

    #[test]
    fn gaps_break_the_line_and_a_lone_hour_is_seen() {
        let mut hours = [None; HOURS];
        (hours[0], hours[1], hours[4], hours[46], hours[47]) =
            (Some(0.0), Some(0.5), Some(1.0), Some(0.25), Some(0.25));
        let spark = Spark::of(&Line { series: Series::new("cpu_busy_ratio", "").unwrap(), hours }).unwrap();
        assert_eq!(spark.path, "M0 19L2 10M8 1h2M92 14L94 14");
        assert_eq!((spark.name.as_str(), spark.latest.as_str()), ("CPU", "25 %"));
        assert_eq!(spark.told, "Processors busy, 48 hours: 0 % to 100 %, with gaps");
    }

    #[test]
    fn amounts_are_drawn_from_zero_to_the_most_and_nothing_known_is_no_picture() {
        let series = Series::new("filesystem_avail_bytes", "/var").unwrap();
        let hours = std::array::from_fn(|hour| Some(if hour < 24 { 4e9 } else { 2e9 }));
        let spark = Spark::of(&Line { series: series.clone(), hours }).unwrap();
        assert!(spark.path.starts_with("M0 1L2 1") && spark.path.ends_with("L92 10L94 10"), "{}", spark.path);
        assert_eq!((spark.name.as_str(), spark.latest.as_str()), ("/var", "1.9 GiB"));
        assert!(Spark::of(&Line { series, hours: [None; HOURS] }).is_none());
    }
}
