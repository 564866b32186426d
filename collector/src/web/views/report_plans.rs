//! Reports that are delivered by themselves: where they go, when the next is due, and whether the last one arrived.

use super::Badge;
use crate::{
    domain::{
        calendar::zone,
        sla::{
            delivery::{Delivery, Issue, Plan, State, Way, trouble},
            force::present,
        },
    },
    web::{Web, access::Caller, documents::names, problem::Problem, recipients, words},
};

/// A `[[report]]`.
pub(super) struct ReportPlan {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) formats: String,
    pub(super) goes: Vec<String>,
    /// Period and time, of the agreement that comes first.
    pub(super) next: Option<(String, String)>,
    pub(super) last: Badge,
    /// What was issued last, or what is wrong with it.
    pub(super) told: String,
}

/// All of them.
pub(super) async fn report_plans(web: &Web, caller: &Caller) -> Result<Vec<ReportPlan>, Problem> {
    let plans = &web.context.config.reports;
    if plans.is_empty() {
        return Ok(Vec::new());
    }
    let issues = web.context.store.newest_issues().await?;
    let shown = recipients::are_shown_to(caller);
    Ok(plans.iter().map(|plan| report_plan(web, plan, &issues, shown)).collect())
}

fn report_plan(web: &Web, plan: &Plan, issues: &[Issue], shown: bool) -> ReportPlan {
    let promised = web.promised();
    let names = names(&promised);
    let about = plan.about(&names);
    let is_own = |issue: &&Issue| issue.report == plan.name && about.contains(&issue.agreement.as_str());
    let own: Vec<Issue> = issues.iter().filter(is_own).cloned().collect();
    let (last, told) = stands(plan, &own);
    let told =
        recipients::without(&told, own.iter().flat_map(|issue| &issue.deliveries).map(|one| &one.destination), shown);
    let agreements = present(&promised, web.now());
    let due = agreements.iter().filter(|declared| about.contains(&declared.agreement.name.as_str()));
    let next = due.filter_map(|declared| {
        let zone = zone(&declared.agreement.zone)?;
        Some((plan.next(web.now(), &zone), zone))
    });
    let next = next.min_by_key(|(closed, _)| closed.due);
    ReportPlan {
        name: plan.name.clone(),
        about: if plan.agreements.is_empty() { "all agreements".into() } else { about.join(", ") },
        formats: plan.formats.iter().map(|format| format.word()).collect::<Vec<_>>().join(", "),
        goes: plan.destinations().iter().map(|place| recipients::place(place, shown).to_owned()).collect(),
        next: next.map(|(closed, zone)| (closed.period.name, words::clock_time(closed.due, &zone))),
        last,
        told,
    }
}

/// How the newest of each agreement fared.
fn stands(plan: &Plan, issues: &[Issue]) -> (Badge, String) {
    let badge = |class, sign, word: &str| Badge { class, sign, word: word.to_owned() };
    if let Some(trouble) = trouble(&plan.name, issues) {
        return (badge("critical", "✕", "not delivered"), trouble);
    }
    let Some(newest) = issues.first() else { return (badge("quiet", "–", "none yet"), String::new()) };
    let told = format!("number {}, {} {}", newest.no, newest.agreement, newest.period);
    let open: Vec<&Delivery> =
        issues.iter().flat_map(|issue| &issue.deliveries).filter(|delivery| !delivery.state.is_settled()).collect();
    match open.iter().find(|delivery| delivery.state == State::Waiting && delivery.tries > 0) {
        Some(waiting) => {
            let what = if waiting.destination.way == Way::Mail { "not mailed" } else { "not written" };
            (
                badge("warning", "!", "tried again"),
                format!("{what} to {} yet: {}", waiting.destination.to, waiting.said),
            )
        }
        None if !open.is_empty() => (badge("quiet", "…", "under way"), told),
        None => (badge("good", "✓", "delivered"), told),
    }
}
