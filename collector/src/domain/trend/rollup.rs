//! The minutes that an agent kept while nobody listened, as its roll-up records say them.

use serde::Deserialize;

use super::reading::Series;
use crate::domain::time::Timestamp;

/// Readings of one record; an agent says some 25.
const MOST: usize = 64;

/// A roll-up record's body, as far as trends need it.
#[derive(Debug, Deserialize)]
struct Body {
    series: Vec<Said>,
}

#[derive(Debug, Deserialize)]
struct Said {
    name: String,
    #[serde(default)]
    labels: Vec<String>,
    mean: Option<f64>,
}

/// The minute and its readings of a roll-up record of that time; readings that have no trend are left out.
#[must_use]
pub fn minute_of(body: &str, at: Timestamp) -> (i64, Vec<(Series, f64)>) {
    let said = serde_json::from_str(body).map_or_else(|_| Vec::new(), |body: Body| body.series);
    let reading = |said: &Said| {
        let part = match &said.labels[..] {
            [] => "",
            [_, part] => part,
            _ => return None,
        };
        let series = Series::new(&said.name, part)?;
        let labelled = said.labels.first().is_none_or(|label| label == series.reading().label);
        Some((series, said.mean.filter(|_| labelled)?))
    };
    (at.ms().div_euclid(60_000), said.iter().take(MOST).filter_map(reading).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_readings_are_taken_and_the_rest_is_left_out() {
        let body = r#"{"from":{"wall_ms":1,"boottime_ms":1},"series":[
            {"name":"load1","labels":[],"count":4,"min":0.1,"mean":0.25,"max":0.5},
            {"name":"filesystem_avail_bytes","labels":["mountpoint","/var"],"count":4,"min":1,"mean":2,"max":3},
            {"name":"filesystem_avail_bytes","labels":["device","/var"],"mean":2},
            {"name":"filesystem_avail_bytes","labels":[],"mean":2},
            {"name":"unheard_of","labels":[],"mean":2},
            {"name":"swap_free_bytes","labels":[],"mean":null}]}"#;
        let (minute, readings) = minute_of(body, Timestamp::from_ms(119_999));
        let series = |name, part| Series::new(name, part).unwrap();
        assert_eq!(minute, 1);
        assert_eq!(readings, [(series("load1", ""), 0.25), (series("filesystem_avail_bytes", "/var"), 2.0)]);
        for broken in ["", "{}", "[]", r#"{"series":[{"name":"load1","mean":"x"}]}"#] {
            assert_eq!(minute_of(broken, Timestamp::from_ms(-1)), (-1, vec![]));
        }
    }
}
