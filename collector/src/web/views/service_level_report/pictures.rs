//! The pictures of a report: when a subject served, and how the budget was spent. SVG, told apart without colour.

use jiff::tz::TimeZone;

use super::axis::{Scale, Tick};
use crate::{
    domain::{
        calendar::Span,
        sla::{
            agreement::Agreement,
            burn_down::burn_down,
            lattice::{Bucket, Stretch},
            report::Report,
        },
        time::Timestamp,
    },
    web::{views::service_levels::name, words},
};

/// Width of a picture in its own units; about one to one on A4.
pub(super) const WIDTH: i64 = 720;
/// Room for the words of the upright axis.
const LEFT: i64 = 86;
const RIGHT: i64 = 6;
/// Edges of the burn-down's ground.
const TOP: i64 = 10;
const BOTTOM: i64 = 160;
/// Instants at which the rest of a budget is drawn.
const COLUMNS: usize = 300;

/// A piece of a timeline.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web::views) struct Piece {
    pub(in crate::web::views) class: &'static str,
    pub(in crate::web::views) x: i64,
    pub(in crate::web::views) width: i64,
    pub(in crate::web::views) says: String,
}

/// When a subject served.
pub(super) struct Timeline {
    pub(super) pieces: Vec<Piece>,
    /// How far the period has come.
    pub(super) now: i64,
    pub(super) ticks: Vec<Tick>,
}

impl Timeline {
    pub(super) fn of(stretches: &[Stretch], report: &Report, zone: &TimeZone) -> Self {
        let scale = Scale { span: report.period.span, left: 0, width: WIDTH };
        Self { pieces: pieces(stretches, scale, zone), now: scale.x(report.window.until), ticks: scale.ticks(zone) }
    }
}

/// What is not up, over so many units of a window.
pub(in crate::web::views) fn timeline(stretches: &[Stretch], span: Span, width: i64, zone: &TimeZone) -> Vec<Piece> {
    pieces(stretches, Scale { span, left: 0, width }, zone)
}

/// What is not up, drawn over a ground that is; each at least a unit wide, so that no outage is too short to be seen.
fn pieces(stretches: &[Stretch], scale: Scale, zone: &TimeZone) -> Vec<Piece> {
    let piece = |stretch: &Stretch| {
        let (x, until) = (scale.x(stretch.span.from).min(scale.width - 1), scale.x(stretch.span.until));
        let lasted = words::duration(stretch.span.until.since_ms(stretch.span.from));
        let from = words::clock_time(stretch.span.from, zone);
        let says = format!("{} from {from} for {lasted}", name(stretch.bucket));
        Piece { class: stretch.bucket.word(), x, width: (until - x).max(1), says }
    };
    let mut pieces: Vec<Piece> = Vec::new();
    for stretch in stretches.iter().filter(|stretch| stretch.bucket != Bucket::Up) {
        let next = piece(stretch);
        // What shares its place with one before is not drawn a second time.
        if pieces.last().is_none_or(|last| last.class != next.class || next.x + next.width > last.x + last.width) {
            pieces.push(next);
        }
    }
    pieces
}

/// A mark of the upright axis.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) y: i64,
    pub(super) text: String,
    /// Where nothing is left.
    pub(super) is_zero: bool,
}

/// How the budget was spent.
#[derive(Debug)]
pub(super) struct Burn {
    pub(super) told: String,
    pub(super) line: String,
    /// From now to the end, if nothing more happens.
    pub(super) rest: String,
    /// As if it were spent evenly.
    pub(super) even: String,
    pub(super) left: i64,
    pub(super) right: i64,
    pub(super) bottom: i64,
    pub(super) levels: Vec<Level>,
    pub(super) ticks: Vec<Tick>,
}

impl Burn {
    /// None where nothing is agreed.
    pub(super) fn of(agreement: &Agreement, report: &Report, zone: &TimeZone) -> Option<Self> {
        let total = &report.total;
        total.at_best.availability?;
        let points = burn_down(agreement, report, COLUMNS);
        let scale = Scale { span: report.period.span, left: LEFT, width: WIDTH - LEFT - RIGHT };
        let upright = Upright::of(total.budget_ms, points.iter().map(|(_, left)| *left).chain([total.budget_left_ms]));
        let place = |(at, left): &(Timestamp, i64)| format!("{} {}", scale.x(*at), upright.y(*left));
        let path = |points: &[(Timestamp, i64)]| {
            let places: Vec<String> = points.iter().map(place).collect();
            format!("M{}", places.join("L"))
        };
        let last = *points.last()?;
        let end = (report.period.span.until, total.budget_left_ms);
        let spent = total.budget_ms - total.budget_left_ms;
        Some(Self {
            told: format!(
                "Of {} that may be missing, {} are missing: {} {}.",
                words::duration(total.budget_ms),
                words::duration(spent),
                words::duration(total.budget_left_ms.abs()),
                if total.budget_left_ms < 0 { "more than there is" } else { "are left" },
            ),
            line: path(&points),
            rest: if last.0 < end.0 { path(&[last, end]) } else { String::new() },
            even: path(&[(report.period.span.from, total.budget_ms), (report.period.span.until, 0)]),
            left: LEFT,
            right: WIDTH - RIGHT,
            bottom: BOTTOM,
            levels: upright.levels(total.budget_ms),
            ticks: scale.ticks(zone),
        })
    }
}

/// The upright axis, from the least that was left to the whole budget.
#[derive(Debug, Clone, Copy)]
struct Upright {
    least: i64,
    most: i64,
}

impl Upright {
    fn of(budget: i64, left: impl Iterator<Item = i64>) -> Self {
        let least = left.min().unwrap_or(0).min(0);
        Self { least, most: budget.max(least + 1) }
    }

    fn y(self, left: i64) -> i64 {
        let (height, reach) = (i128::from(BOTTOM - TOP), i128::from(self.most) - i128::from(self.least));
        let below = i128::from(self.most) - i128::from(left.clamp(self.least, self.most));
        TOP + i64::try_from(below * height / reach).unwrap_or(0)
    }

    /// Whole, half, nothing, and how far it is overdrawn; those that would lie over another are left out.
    fn levels(self, budget: i64) -> Vec<Level> {
        let mut levels: Vec<Level> = Vec::new();
        for left in [0, budget, self.least, budget / 2] {
            let sign = if left < 0 { "-" } else { "" };
            let text = format!("{sign}{}", words::duration(left.abs()));
            let level = Level { y: self.y(left), text, is_zero: left == 0 };
            if levels.iter().all(|other| (other.y - level.y).abs() >= 14) {
                levels.push(level);
            }
        }
        levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_too_short_for_the_paper_is_seen_all_the_same() {
        let ms = Timestamp::from_ms;
        let span = Span { from: ms(0), until: ms(31 * 86_400_000) };
        let (before, outage) =
            (Stretch::new(ms(0), ms(86_400_000), Bucket::Up), Span { from: ms(86_400_000), until: ms(86_401_000) });
        let stretches = [
            before,
            Stretch { span: outage, bucket: Bucket::Down },
            Stretch::new(outage.until, span.until, Bucket::Up),
        ];
        let drawn = timeline(&stretches, span, 620, &TimeZone::UTC);
        let says = "Down from 1970-01-02 00:00:00 +00:00 for 1 s".to_owned();
        assert_eq!(drawn, [Piece { class: "down", x: 20, width: 1, says }]);
        let last = Stretch { span: Span { from: span.until.plus_ms(-1), until: span.until }, bucket: Bucket::Down };
        assert_eq!(timeline(&[last], span, 620, &TimeZone::UTC)[0].x, 619, "nothing lies beyond the edge");
    }

    #[test]
    fn a_budget_that_is_overdrawn_has_ground_below_nothing() {
        let upright = Upright::of(100_000, [100_000, 50_000, -100_000].into_iter());
        assert_eq!((upright.y(100_000), upright.y(0), upright.y(-100_000)), (TOP, (TOP + BOTTOM) / 2, BOTTOM));
        let texts: Vec<String> = upright.levels(100_000).into_iter().map(|level| level.text).collect();
        assert_eq!(texts, ["0 s", "1 min 40 s", "-1 min 40 s", "50 s"]);
        let none = Upright::of(0, [0].into_iter());
        assert_eq!(none.levels(0).len(), 1, "a promise of all has no budget");
    }
}
