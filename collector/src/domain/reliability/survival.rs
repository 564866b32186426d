//! Which share of drives reaches an age: Kaplan and Meier (1958), with drives that were not watched from their first hour on
//! (they count from the age at which they were first seen) and such as are still alive.

use super::{YEAR_HOURS, share::Share};

/// A drive's age, in hours of being on, when it came into sight and when it left it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) from_hours: f64,
    pub(super) to_hours: f64,
    /// It left because it failed.
    pub(super) has_failed: bool,
}

/// 95 % of a normal distribution lie within so many standard deviations.
const DEVIATIONS: f64 = 1.96;

/// The share that is alive at these ages, in years: as far as at least `least` drives were watched at that age.
pub(super) fn alive(spans: &[Span], years: &[u32], least: usize) -> Vec<(u32, Share)> {
    let mut failures: Vec<f64> = spans.iter().filter(|span| span.has_failed).map(|span| span.to_hours).collect();
    failures.sort_by(f64::total_cmp);
    failures.dedup();
    // Watched just before that age and not yet gone at it.
    let watched = |hours: f64| spans.iter().filter(|span| span.from_hours < hours && span.to_hours >= hours).count();
    let mut points = Vec::new();
    for year in years {
        let age = f64::from(*year) * YEAR_HOURS;
        if watched(age) < least {
            continue;
        }
        let (mut share, mut greenwood) = (1.0_f64, 0.0_f64);
        for hours in failures.iter().filter(|hours| **hours <= age) {
            let ended = |span: &&Span| span.has_failed && span.to_hours.total_cmp(hours).is_eq();
            #[expect(clippy::cast_precision_loss, reason = "counts of drives")]
            let (at_risk, failed) = (watched(*hours) as f64, spans.iter().filter(ended).count() as f64);
            share *= 1.0 - failed / at_risk;
            greenwood += failed / (at_risk * (at_risk - failed)).max(f64::MIN_POSITIVE);
        }
        points.push((*year, interval(share, greenwood)));
    }
    points
}

/// On the scale of log(-log), which keeps it between 0 and 1 (Kalbfleisch and Prentice 1980).
fn interval(share: f64, greenwood: f64) -> Share {
    if share <= 0.0 || share >= 1.0 {
        return Share { ratio: share, low: share, high: share };
    }
    let half = DEVIATIONS * greenwood.sqrt() / share.ln();
    let bound = |sign: f64| share.powf((sign * half).exp());
    let (one, other) = (bound(1.0), bound(-1.0));
    Share { ratio: share, low: one.min(other), high: one.max(other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: f64, to: f64, has_failed: bool) -> Span {
        Span { from_hours: from * YEAR_HOURS, to_hours: to * YEAR_HOURS, has_failed }
    }

    #[test]
    fn the_estimate_is_that_of_a_worked_example() {
        // Remission in weeks of 21 patients under 6-MP (Freireich 1963; in every textbook): at 10 weeks 0.753, at 23 weeks
        // 0.448. Weeks stand for years.
        let ended = [(6, 3), (7, 1), (10, 1), (13, 1), (16, 1), (22, 1), (23, 1)];
        let censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35];
        let mut spans = Vec::new();
        for (week, times) in ended {
            spans.extend((0..times).map(|_| span(0.0, f64::from(week), true)));
        }
        spans.extend(censored.map(|week| span(0.0, f64::from(week), false)));
        let points = alive(&spans, &[10, 23, 40], 1);
        assert_eq!(points.len(), 2, "nobody was watched for forty");
        assert!((points[0].1.ratio - 0.7529).abs() < 5e-4 && (points[1].1.ratio - 0.4482).abs() < 5e-4, "{points:?}");
        assert!(points[0].1.low < 0.7529 && points[0].1.high < 1.0, "{points:?}");
    }

    #[test]
    fn a_drive_counts_from_the_age_at_which_it_came_into_sight() {
        // Ten drives from their first hour, of which one fails at one year; ninety that came at four years and live.
        let mut spans: Vec<Span> = (0..9).map(|_| span(0.0, 5.0, false)).collect();
        spans.push(span(0.0, 1.0, true));
        let first = alive(&spans, &[2], 5)[0].1.ratio;
        spans.extend((0..90).map(|_| span(4.0, 6.0, false)));
        assert!((first - 0.9).abs() < 1e-9 && (alive(&spans, &[2], 5)[0].1.ratio - 0.9).abs() < 1e-9);
        assert_eq!(alive(&spans, &[2], 10), [], "nine were watched at two years");
    }
}
