//! How the error budget of a period was spent: what was left of it at each of many instants, from the very stretches that
//! the figures are made of.

use super::{
    agreement::{Agreement, Policy},
    report::Report,
};
use crate::domain::time::Timestamp;

/// What was left of the budget at an instant, in milliseconds; negative: overdrawn.
pub type Point = (Timestamp, i64);

/// What was left, as measured, at `columns` + 1 instants, evenly over what of the period is over: exact at each of them.
#[must_use]
pub fn burn_down(agreement: &Agreement, report: &Report, columns: usize) -> Vec<Point> {
    let columns = columns.max(1);
    let window = report.window;
    let length = window.until.since_ms(window.from).max(1);
    let whole = i64::try_from(columns).unwrap_or(1);
    let edge = |column: usize| {
        let column = i64::try_from(column).unwrap_or(whole);
        window.from.plus_ms(share(length, column, whole))
    };
    let mut missing = vec![0_i64; columns];
    let stretches = report.lines.iter().flat_map(|line| &line.reckoning.stretches);
    for stretch in stretches.filter(|stretch| agreement.policy(stretch.bucket) == Policy::AsDown) {
        let (from, until) = (stretch.span.from, stretch.span.until);
        // Edges are cut off to whole milliseconds: the column before may be the first one.
        let guess = usize::try_from(share(whole, from.since_ms(window.from), length)).unwrap_or(0);
        for column in (guess.saturating_sub(1)..columns).take_while(|column| edge(*column) < until) {
            missing[column] += until.min(edge(column + 1)).since_ms(from.max(edge(column))).max(0);
        }
    }
    let mut left = report.total.budget_ms;
    let mut points = vec![(edge(0), left)];
    points.extend(missing.iter().enumerate().map(|(column, gone)| {
        left -= gone;
        (edge(column + 1), left)
    }));
    points
}

/// `whole` times `part` of `of`, cut off.
fn share(whole: i64, part: i64, of: i64) -> i64 {
    i64::try_from(i128::from(whole) * i128::from(part) / i128::from(of)).unwrap_or(0)
}
