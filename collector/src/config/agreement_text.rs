//! An agreement as the text that is kept of it: every key in one order and in one way of writing, so that equal agreements
//! are equal texts, and read back by the reader of `collector.toml`.

use std::{collections::BTreeMap, fmt::Write, path::Path};

use jiff::civil::{Date, Time};
use toml::de::DeTable;

use super::{
    ConfigErrors, agreements,
    rules::{toml_key, toml_text},
    section::{Section, Source},
    services,
};
use crate::domain::{
    calendar::{Recurring, WEEKDAYS},
    hold::Scope,
    sla::{
        agreement::Agreement,
        report::Declared,
        service::{Needs, Service},
    },
};

/// The text of the declarations under a name, in the order of their dates, after the services that they are about.
#[must_use]
pub fn agreement_text(declared: &[&Declared]) -> String {
    let mut sorted = declared.to_vec();
    sorted.sort_by_key(|declared| declared.agreement.force.from);
    let services = sorted.iter().flat_map(|declared| declared.whole_services());
    let services: BTreeMap<&str, &Service> = services.map(|service| (service.name.as_str(), service)).collect();
    let texts = services.into_values().map(service).chain(sorted.into_iter().map(one));
    texts.collect::<Vec<_>>().join("\n")
}

/// Reads such a text, or any with `[[agreement]]` and `[[service]]` alone.
///
/// # Errors
/// Every mistake, with its line and key.
pub fn parse_agreements(text: &str, file: &Path) -> Result<Vec<Declared>, ConfigErrors> {
    let source = Source::new(file.to_owned(), text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        source.syntax(error.span().map_or(0, |span| span.start), error.message());
    }
    let mut all = Section::new(&source, String::new(), 0, table.into_inner());
    let defined = services::read(all.tables("service", services::MOST), None, &[]);
    let declared = agreements::read_all(all.tables("agreement", agreements::MOST), &defined);
    all.finish();
    source.finish().map(|_| declared)
}

fn one(declared: &Declared) -> String {
    // Taken apart whole, so that nothing new is left out.
    let Declared { agreement, period, scope, checks, services, burn_alerts } = declared;
    let Agreement {
        name,
        target,
        zone,
        maintenance,
        unreachable,
        collector_down,
        unknown,
        clean_stop,
        warning,
        service_hours,
        holidays,
        force,
        outages,
    } = agreement;
    let mut text = String::from("[[agreement]]\n");
    let mut line = |key: &str, value: String| {
        // Writing to a text does not fail.
        let _ = writeln!(text, "{key} = {value}");
    };
    line("name", toml_text(name));
    line("target", toml_text(&target.percent()));
    line("zone", toml_text(zone));
    let policies = [
        ("maintenance", maintenance),
        ("unreachable", unreachable),
        ("collector_down", collector_down),
        ("unknown", unknown),
        ("clean_stop", clean_stop),
        ("warning", warning),
    ];
    policies.into_iter().for_each(|(key, policy)| line(key, toml_text(policy.word())));
    line("service_hours", list(service_hours.iter().map(hours)));
    line("holidays", list(holidays.iter().map(date)));
    force.from.iter().for_each(|from| line("from", date(from)));
    force.until.iter().for_each(|until| line("until", date(until)));
    if let Some(limit) = outages {
        line("max_outages", limit.most.to_string());
        line("min_outage", toml_text(&format!("{} ms", limit.shortest_ms)));
    }
    line("period", toml_text(&period.word()));
    members(scope, checks, services).into_iter().for_each(|(key, value)| line(key, value));
    line("burn_alerts", toml_text(burn_alerts.word()));
    text
}

fn service(service: &Service) -> String {
    let Service { name, needs, scope, checks, services } = service;
    let needs = match needs {
        Needs::All => toml_text("all"),
        Needs::Any => toml_text("any"),
        Needs::AtLeast(least) => least.to_string(),
    };
    let lines = [("name", toml_text(name)), ("needs", needs)].into_iter().chain(members(scope, checks, services));
    let lines: String = lines.map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("[[service]]\n{lines}")
}

/// To whom an agreement applies, or what a service is made of.
fn members(scope: &Scope, checks: &[String], services: &[Service]) -> Vec<(&'static str, String)> {
    // Of a scope they have these alone.
    let Scope { hosts, sites, class, labels, what: _, all: _ } = scope;
    let texts = |texts: &[String]| list(texts.iter().map(|text| toml_text(text)));
    let mut lines = vec![("hosts", texts(hosts)), ("sites", texts(sites))];
    lines.extend(class.map(|class| ("class", toml_text(class.word()))));
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{} = {}", toml_key(name), toml_text(value))).collect();
    lines.push(("labels", format!("{{ {} }}", labels.join(", "))));
    lines.push(("checks", texts(checks)));
    if !services.is_empty() {
        lines.push(("services", list(services.iter().map(|service| toml_text(&service.name)))));
    }
    lines
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn date(date: &Date) -> String {
    toml_text(&date.to_string())
}

fn hours(hours: &Recurring) -> String {
    let day = |day: &i8| {
        let place = usize::try_from(day - 1).ok().and_then(|at| WEEKDAYS.get(at));
        toml_text(place.copied().unwrap_or_default())
    };
    let end = if hours.end == Time::midnight() { "24:00".to_owned() } else { hours.end.to_string() };
    format!(
        "{{ days = {}, from = {}, to = {} }}",
        list(hours.weekdays.iter().map(day)),
        toml_text(&hours.start.to_string()),
        toml_text(&end)
    )
}
