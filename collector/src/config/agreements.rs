//! `[[agreement]]`: what is promised of uptime, and to whom it applies. The same keys may stand in a file of their own, for
//! `sla compute`, where it applies to what the table has.

use std::{collections::BTreeSet, path::Path};

use jiff::civil::{Date, Time};
use toml::de::DeTable;

use super::{
    ConfigErrors, agreement_terms,
    oncall::{WEEKDAY, ZONE},
    read::{CLASS, short_text},
    section::{Section, Source},
    services,
};
use crate::domain::{
    calendar::{self, Recurring, weekday_of, weekday_word},
    hold::Scope,
    labels::Class,
    sla::{
        agreement::{Agreement, Policy},
        burn::{BurnAlerts, Pace, Rule},
        force::Force,
        period::Length,
        report::Declared,
        service::Service,
        target::Target,
    },
    time::Timestamp,
};

/// Most of them.
pub const MOST: usize = 200;
/// Most names and sites in one.
const SUBJECTS: usize = 100;
const NAME: &str = "the name of the agreement";
const CHECK: &str = "the name of a check with * and ?";
const WARNING: &str = "one of as_up, as_down";
/// Most windows of service hours in an agreement, and holidays.
const HOURS: usize = 100;
const HOLIDAYS: usize = 1_000;
const CLOCK: &str = "a time of the day such as 08:00, at the end also 24:00";
/// An instant in a long month and in no leap year: 2026-01-15T12:00:00Z.
const AN_INSTANT_MS: i64 = 1_768_478_400_000;
const DATE: &str = "a date such as 2026-12-25";

/// Reads an agreement that stands in a file of its own.
///
/// # Errors
/// Every mistake, with its line and key.
pub fn parse_agreement(text: &str, file: &Path) -> Result<Agreement, ConfigErrors> {
    parse_declaration(text, file).map(|(declared, _)| declared.agreement)
}

/// The same with its period and its subjects, which may be none, and with the services that stand beside it.
///
/// # Errors
/// Every mistake, with its line and key.
pub fn parse_declaration(text: &str, file: &Path) -> Result<(Declared, Vec<Service>), ConfigErrors> {
    let source = Source::new(file.to_owned(), text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        source.syntax(error.span().map_or(0, |span| span.start), error.message());
    }
    let mut section = Section::new(&source, String::new(), 0, table.into_inner());
    let defined = services::read(section.tables("service", services::MOST), None, &[]);
    let declared = read(section, &[], &defined, Subjects::MayLack);
    // Where something is missing, a mistake says what.
    let unnamed = || Declared {
        agreement: Agreement::new("", Target::WHOLE),
        period: Length::Month,
        scope: Scope::default(),
        checks: Vec::new(),
        services: Vec::new(),
        burn_alerts: BurnAlerts::Off,
    };
    source.finish().map(|_| (declared.unwrap_or_else(unnamed), defined))
}

/// Reads all of them; those with mistakes are noted and left out.
pub(super) fn read_all(sections: Vec<Section<'_, '_>>, services: &[Service]) -> Vec<Declared> {
    let mut found: Vec<Declared> = Vec::new();
    for section in sections {
        let declared = read(section, &found, services, Subjects::Needed);
        found.extend(declared);
    }
    found
}

/// Whether an agreement has to say to whom it applies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subjects {
    Needed,
    /// It applies to what a table has, or to those of another one.
    MayLack,
}

/// Reads one that comes after others.
fn read(
    mut section: Section<'_, '_>,
    others: &[Declared],
    defined: &[Service],
    subjects: Subjects,
) -> Option<Declared> {
    let name_at = section.at("name");
    let name = section.required("name", NAME, short_text);
    let given = section.has("target");
    let target = section.amount("target", Target::EXPECTED, |text| Target::parse(text).ok_or(Target::EXPECTED.into()));
    if !given {
        section.wrong("target", format!("{}; it is missing", Target::EXPECTED));
    }
    let usual = Agreement::new("", Target::WHOLE);
    let zone =
        section.text("zone", ZONE, |text| calendar::zone(text).map(|_| text.to_owned()).ok_or_else(|| ZONE.to_owned()));
    let zone = zone.unwrap_or(usual.zone);
    let maintenance = policy(&mut section, "maintenance", usual.maintenance);
    let unreachable = policy(&mut section, "unreachable", usual.unreachable);
    let collector_down = policy(&mut section, "collector_down", usual.collector_down);
    let unknown = policy(&mut section, "unknown", usual.unknown);
    let clean_stop = policy(&mut section, "clean_stop", usual.clean_stop);
    let warning = section.text("warning", WARNING, |word| {
        Policy::parse(word).filter(|policy| *policy != Policy::Exclude).ok_or_else(|| WARNING.to_owned())
    });
    let warning = warning.unwrap_or(usual.warning);
    let service_hours = service_hours(&mut section, &zone);
    let holidays = section.texts("holidays", DATE, HOLIDAYS, |text| text.parse::<Date>().map_err(|_| DATE.to_owned()));
    let holidays: BTreeSet<Date> = holidays.unwrap_or_default().into_iter().collect();
    let force = agreement_terms::force(&mut section, name.as_deref().map(|name| (name_at, name)), others);
    let outages = agreement_terms::outage_limit(&mut section);
    let read_length = |word: &str| Length::parse(word).ok_or_else(|| Length::EXPECTED.to_owned());
    let period = section.text("period", Length::EXPECTED, read_length).unwrap_or(Length::Month);
    let scope = scope(&mut section);
    let checks = section.texts("checks", CHECK, SUBJECTS, short_text).unwrap_or_default();
    let services = promised(&mut section, defined, &scope, &checks);
    if subjects == Subjects::Needed && scope.is_empty() && services.is_none() {
        section.wrong(
            "hosts",
            "hosts, sites, class or labels, or services: an agreement without subjects promises nothing",
        );
    }
    let (asked_at, asked) = (section.at("burn_alerts"), burn_alerts(&mut section));
    let (Some(name), Some(target)) = (name, target) else {
        section.finish();
        return None;
    };
    let agreement = Agreement {
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
    };
    if let Some(asked) = asked {
        check_rules(&section, (asked_at, asked), &agreement, period);
    }
    section.finish();
    let usual = if target.is_whole() { BurnAlerts::Off } else { BurnAlerts::Tickets };
    let services = services.unwrap_or_default();
    Some(Declared { agreement, period, scope, checks, services, burn_alerts: asked.unwrap_or(usual) })
}

fn burn_alerts(section: &mut Section<'_, '_>) -> Option<BurnAlerts> {
    let read = |word: &str| BurnAlerts::parse(word).ok_or_else(|| BurnAlerts::EXPECTED.to_owned());
    section.text("burn_alerts", BurnAlerts::EXPECTED, read)
}

/// A rule that even a total outage does not break is an empty promise: one of several is worth a word, all are a mistake.
fn check_rules(
    section: &Section<'_, '_>,
    (at, asked): (Option<usize>, BurnAlerts),
    agreement: &Agreement,
    length: Length,
) {
    if asked == BurnAlerts::Off {
        return;
    }
    let wrong = |expected: &str| section.wrong_at(at, "burn_alerts", asked.word(), expected.to_owned());
    if agreement.target.is_whole() {
        return wrong("off where target = 100: nothing may be missing, so there is no budget that could burn");
    }
    let Some(zone) = calendar::zone(&agreement.zone) else { return };
    // The lengths of months hardly differ; that of a service hour does not at all.
    let always = Agreement { force: Force::default(), ..agreement.clone() };
    let pace = Pace::of(&always, length.at(Timestamp::from_ms(AN_INSTANT_MS), &zone).span);
    let (can, cannot): (Vec<Rule>, Vec<Rule>) =
        pace.rules().filter(|rule| asked.asks(rule)).partition(|rule| pace.can_break(rule));
    let cannot: Vec<String> = cannot.iter().map(Rule::words).collect();
    let percent = agreement.target.percent();
    let why = format!("with target = {percent} and period = {:?} even a total outage", length.word());
    if can.is_empty() {
        wrong(&format!("off or a higher target: {why} spends no more than {}", cannot.join(", or ")));
    } else if !cannot.is_empty() {
        section.advise(
            at,
            "burn_alerts",
            &format!("{why} spends no more than {}: nobody is told by that rule", cannot.join(", or ")),
        );
    }
}

/// The services that have to keep it, if it is about services.
fn promised(
    section: &mut Section<'_, '_>,
    defined: &[Service],
    scope: &Scope,
    checks: &[String],
) -> Option<Vec<Service>> {
    let at = section.at("services")?;
    let mut seen = BTreeSet::new();
    let read = |text: &str| {
        let service = defined.iter().find(|service| service.name == text).cloned();
        let service = service.ok_or_else(|| services::NAMED.to_owned())?;
        if seen.insert(service.name.clone()) { Ok(service) } else { Err("each service once".to_owned()) }
    };
    let found = section.texts("services", services::NAMED, SUBJECTS, read).unwrap_or_default();
    if !scope.is_empty() || !checks.is_empty() {
        let names: Vec<&str> = found.iter().map(|service| service.name.as_str()).collect();
        let expected = "services alone, without hosts, sites, class, labels and checks: what is promised of hosts too is \
                        an agreement of its own";
        section.wrong_at(Some(at), "services", &names.join(", "), expected.to_owned());
    }
    Some(found)
}

pub(super) fn scope(section: &mut Section<'_, '_>) -> Scope {
    Scope {
        hosts: section.texts("hosts", "a host name with * and ?", SUBJECTS, short_text).unwrap_or_default(),
        sites: section.texts("sites", "the name of a site", SUBJECTS, short_text).unwrap_or_default(),
        class: section.text("class", CLASS, |word| Class::from_word(word).ok_or_else(|| CLASS.to_owned())),
        labels: section.pairs("labels", |_, value| short_text(value).map(drop)),
        ..Scope::default()
    }
}

fn policy(section: &mut Section<'_, '_>, key: &'static str, usual: Policy) -> Policy {
    let read = |word: &str| Policy::parse(word).ok_or_else(|| Policy::EXPECTED.to_owned());
    section.text(key, Policy::EXPECTED, read).unwrap_or(usual)
}

fn service_hours(section: &mut Section<'_, '_>, zone: &str) -> Vec<Recurring> {
    let mut found: Vec<Recurring> = Vec::new();
    for mut window in section.tables("service_hours", HOURS) {
        let days = window.texts("days", WEEKDAY, 7, |text| weekday_of(text).ok_or_else(|| WEEKDAY.to_owned()));
        let start = window.required("from", CLOCK, clock);
        let end_at = window.at("to");
        let end = window.required("to", CLOCK, end);
        let (Some(start), Some((end, end_text))) = (start, end) else {
            window.finish();
            continue;
        };
        if start == end && end != Time::midnight() {
            window.wrong_at(end_at, "to", &end_text, "a time other than from; the whole day is 00:00 to 24:00".into());
        }
        let weekdays = days.unwrap_or_default();
        let hours = Recurring { zone: zone.to_owned(), weekdays, month_days: Vec::new(), start, end };
        if let Some((day, other)) = found.iter().find_map(|other| Some((shared_day(&hours, other)?, other))) {
            window.wrong("from", format!("hours that do not overlap: on {day} they also lie in {}", other.words()));
        }
        window.finish();
        found.push(hours);
    }
    found
}

/// The day of the week on which two windows overlap, by what clocks show in a week without a change.
fn shared_day(one: &Recurring, other: &Recurring) -> Option<&'static str> {
    let (one, other) = (minutes(one), minutes(other));
    let overlap = |(from, until): &(i64, i64)| other.iter().any(|(start, end)| from < end && start < until);
    let (from, _) = one.iter().find(|span| overlap(span))?;
    Some(weekday_word(i8::try_from(from / DAY_S).unwrap_or(0) + 1))
}

const DAY_S: i64 = 86_400;
const WEEK_S: i64 = 7 * DAY_S;

/// The seconds of a week, from Monday, that a window covers; what goes on over Sunday's midnight comes again at its start.
fn minutes(hours: &Recurring) -> Vec<(i64, i64)> {
    let second = |time: Time| i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    let every: Vec<i8> = (1..=7).collect();
    let days = if hours.weekdays.is_empty() { &every } else { &hours.weekdays };
    let end = if hours.end > hours.start { second(hours.end) } else { second(hours.end) + DAY_S };
    let on = |day: &i8| {
        let midnight = i64::from(day - 1) * DAY_S;
        let (from, until) = (midnight + second(hours.start), midnight + end);
        [(from, until.min(WEEK_S)), (0, until - WEEK_S)].into_iter().filter(|(from, until)| from < until)
    };
    days.iter().flat_map(on).collect()
}

fn clock(text: &str) -> Result<Time, String> {
    text.parse().map_err(|_| CLOCK.to_owned())
}

/// The end of a window, and how it was written.
fn end(text: &str) -> Result<(Time, String), String> {
    let time = if text == "24:00" { Time::midnight() } else { clock(text)? };
    Ok((time, text.to_owned()))
}
