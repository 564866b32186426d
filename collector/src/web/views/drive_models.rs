//! How drives do by model and firmware: what a manager takes to a vendor, with how sure each figure is.

use askama::Template;
use axum::{Extension, extract::State as Given};

use super::{Frame, Shown, show};
use crate::{
    domain::reliability::{
        Cohort, LEAST,
        cohort::{FORETOLD_DAYS, Foretold, Interval, foretold},
        cohorts,
    },
    web::{Shared, access::Caller, problem::Problem},
};

/// Rows shown; the API lists all.
const ROWS: usize = 300;

struct Row {
    model: String,
    firmware: String,
    drives: usize,
    in_use: usize,
    failing: usize,
    failures: usize,
    retired: usize,
    years: String,
    per_year: String,
    survival: String,
    /// What to be told of it; the weightiest first.
    notes: Vec<String>,
}

#[derive(Template)]
#[template(path = "drive_models.html")]
struct ModelsPage {
    frame: Frame,
    rows: Vec<Row>,
    left_out: usize,
    least: usize,
    /// How often drives failed that were called failing, where enough are known.
    foretold: Option<String>,
}

/// The view.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
) -> Result<Shown, Problem> {
    let lives = web.context.store.lives().await?;
    let foretold = told(foretold(&lives, web.now()));
    let cohorts = tokio::task::spawn_blocking(move || cohorts(&lives)).await.unwrap_or_default();
    let left_out = cohorts.len().saturating_sub(ROWS);
    let rows = cohorts.into_iter().take(ROWS).map(row).collect();
    let frame = Frame::new(&web, &caller, "hardware", "Drives by model");
    Ok(show(&ModelsPage { frame, rows, left_out, least: LEAST, foretold }))
}

fn told(Foretold { called, failed, share }: Foretold) -> Option<String> {
    let share = percent(share?);
    Some(format!(
        "Of {called} drives of this fleet that were called failing {failed} failed within {FORETOLD_DAYS} days: {share}."
    ))
}

fn row(cohort: Cohort) -> Row {
    let mut notes = Vec::new();
    let (mut per_year, mut survival) = (String::new(), String::new());
    match &cohort.figures {
        None => notes.push(format!("too few: nothing is said of fewer than {LEAST}")),
        Some(figures) => {
            let about = if cohort.firmware.is_empty() { "this model" } else { "this model with this firmware" };
            if let Some(batch) = figures.batch {
                notes.push(format!("{batch} of {about} began to fail within 30 days: ask the vendor for the batch"));
            }
            if figures.is_worse {
                notes.push(format!(
                    "more of {about} are bad ({}) than of all others, beyond chance",
                    percent(figures.bad)
                ));
            }
            per_year = percent(figures.per_year);
            let at = |(years, share): &(u32, Interval)| format!("{years} y {}", percent(*share));
            survival = figures.survival.iter().map(at).collect::<Vec<_>>().join(", ");
        }
    }
    Row {
        model: cohort.model,
        firmware: cohort.firmware,
        drives: cohort.drives,
        in_use: cohort.in_use,
        failing: cohort.failing,
        failures: cohort.failures,
        retired: cohort.retired,
        years: format!("{:.1}", cohort.years),
        per_year,
        survival,
        notes,
    }
}

/// `3.1 % (1.2-6.4)`; a rate of which nothing is known has no upper end.
fn percent(Interval { value, low, high }: Interval) -> String {
    let high = if high > 10.0 { "?".to_owned() } else { format!("{:.1}", high * 100.0) };
    format!("{:.1} % ({:.1}-{high})", value * 100.0, low * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_how_sure_it_is() {
        assert_eq!(percent(Interval { value: 0.031, low: 0.012, high: 0.064 }), "3.1 % (1.2-6.4)");
        assert_eq!(percent(Interval { value: 0.0, low: 0.0, high: f64::MAX }), "0.0 % (0.0-?)");
    }
}
