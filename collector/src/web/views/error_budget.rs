//! What is left of an error budget, what that is enough for, and how fast it is spent.

use jiff::tz::TimeZone;

use super::Badge;
use crate::{
    domain::sla::{
        burn::{Burn, BurnAlerts, Rule, Window},
        forecast::Forecast,
        report::{Declared, Report},
    },
    web::{Shared, words},
};

/// That, in words.
pub(super) struct ErrorBudget {
    pub(super) says: String,
    pub(super) rules: Vec<RuleRow>,
}

/// A rule by which burning is told.
pub(super) struct RuleRow {
    pub(super) says: String,
    pub(super) long: String,
    pub(super) short: String,
    pub(super) limit: String,
    pub(super) state: Badge,
}

/// None of what is over, or where nothing may be missing.
pub(super) fn error_budget(web: &Shared, declared: &Declared, report: &Report, zone: &TimeZone) -> Option<ErrorBudget> {
    let burn = web.burn(declared);
    let forecast = Forecast::of(declared.agreement.target, report, burn.as_ref())?;
    let rules = burn.map(|burn| rules(&burn, declared.burn_alerts)).unwrap_or_default();
    Some(ErrorBudget { says: foretold(&forecast, zone), rules })
}

/// What is left, and what it is enough for.
fn foretold(forecast: &Forecast, zone: &TimeZone) -> String {
    let Forecast { subject, budget, median_ms, outages_left, gone } = forecast;
    let (whole, left) = (words::duration(budget.whole_ms), words::duration(budget.left_ms.abs()));
    if budget.left_ms < 0 {
        return format!("That of {subject} is overdrawn by {left} of {whole}.");
    }
    let mut told = format!("Least is left of {subject}'s: {left} of {whole}.");
    if let Some((median, more)) = median_ms.zip(*outages_left) {
        let outages = match more {
            0 => "no more outage".to_owned(),
            1 => "1 more outage".to_owned(),
            more => format!("{more} more outages"),
        };
        let median = words::duration(median);
        told += &format!(" It covers {outages} like the middle one of the period, which lasted {median}.");
    }
    if let Some(gone) = gone {
        let at = words::clock_time(*gone, zone);
        told += &format!(" If it goes on as in the last hour, the first budget is gone at {at}.");
    }
    told
}

/// How near each rule is to being broken.
fn rules(burn: &Burn, alerts: BurnAlerts) -> Vec<RuleRow> {
    let rate = |window: Window| burn.rate(window).map_or_else(|| "–".into(), |rate| format!("{rate:.1}"));
    let row = |rule: Rule| {
        let (class, sign, word) = match (burn.breaks(&rule), alerts.asks(&rule)) {
            (false, _) => ("good", "✓", "kept"),
            (true, true) => ("critical", "✕", "broken"),
            (true, false) => ("quiet", "✕", "broken, and nobody is told"),
        };
        RuleRow {
            says: rule.words(),
            long: format!("{} in {}", rate(rule.long), rule.long.word),
            short: format!("{} in {}", rate(rule.short), rule.short.word),
            limit: format!("{:.1}", burn.pace.factor(&rule)),
            state: Badge { class, sign, word: word.into() },
        }
    };
    burn.pace.rules().map(row).collect()
}
