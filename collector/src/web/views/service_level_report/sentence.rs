//! The verdict in a sentence that can be read aloud, and the other words of a report.

use jiff::civil::Date;

use crate::{
    domain::sla::{
        agreement::Policy,
        figures::Verdict,
        report::{Declared, Line, Report},
        target::Ratio,
    },
    web::words,
};

/// Decimals of a percentage, as the field's tools show them.
const DECIMALS: usize = 4;
/// Names told in a sentence; the tables have them all.
const NAMES: usize = 3;

/// A period as people say it: `October 2026`, `week 44 of 2026`.
pub(in crate::web::views) fn period(name: &str) -> String {
    let date = |text: &str| text.parse::<Date>().ok();
    if let Some((first, last)) = name.split_once("..") {
        let day =
            |text: &str| date(text).map_or_else(|| text.to_owned(), |date| date.strftime("%-d %B %Y").to_string());
        return format!("{} to {}", day(first), day(last));
    }
    if let Some(days) = name.strip_suffix('d') {
        return format!("the last {days} days");
    }
    match name.split_once('-') {
        Some((year, quarter)) if quarter.starts_with('Q') => format!("quarter {} of {year}", &quarter[1..]),
        Some((year, week)) if week.starts_with('W') => format!("week {} of {year}", &week[1..]),
        Some((_, month)) if month.len() == 2 => {
            date(&format!("{name}-01")).map_or_else(|| name.to_owned(), |date| date.strftime("%B %Y").to_string())
        }
        Some(_) => date(name).map_or_else(|| name.to_owned(), |date| date.strftime("%-d %B %Y").to_string()),
        None => name.to_owned(),
    }
}

/// What came of a promise, in words.
pub(in crate::web::views) fn verdict(declared: &Declared, report: &Report) -> String {
    let name = &declared.agreement.name;
    let period = period(&report.period.name);
    if report.lines.is_empty() {
        return format!("{name} applies to no {}: nothing is promised in {period}.", declared.each());
    }
    let Some(availability) = report.total.figures.availability else {
        return format!("In {period} there was no agreed time of {name}: nothing can be kept or broken.");
    };
    let complete = report.window == report.period.span;
    let so_far = if complete { "In" } else { "So far in" };
    let promised = declared.agreement.target.percent();
    let mut said = format!(
        "{so_far} {period}, {name} was available for {} % of the agreed time. Promised is {promised} %{}: {}.",
        availability.percent(DECIMALS),
        if report.lines.len() == 1 {
            String::new()
        } else {
            format!(" for each of {} {}s", report.lines.len(), declared.each())
        },
        kept(report),
    );
    if !complete {
        said.push_str(&format!(" If nothing more happens, {}.", later(report)));
    }
    if let Some(agreed) = &report.agreed {
        let outcome = match agreed.figures.verdict {
            Verdict::Met => "kept",
            Verdict::Missed => "broken",
            Verdict::Undetermined => "undecided",
        };
        let percent = percent(agreed.figures.availability);
        said.push_str(&format!(
            " That is what was measured; with what people said afterwards it is {percent}: {outcome}."
        ));
    }
    said
}

/// Who kept it, who did not, and of whom nobody can say.
fn kept(report: &Report) -> String {
    let of = |verdict: Verdict| -> Vec<&Line> {
        let decided = report.lines.iter().filter(|line| line.reckoning.figures.agreed_ms > 0);
        decided.filter(|line| line.reckoning.figures.verdict == verdict).collect()
    };
    let (missed, open) = (of(Verdict::Missed), of(Verdict::Undetermined));
    let one = report.lines.len() == 1;
    match (missed.is_empty(), open.is_empty()) {
        (true, true) if one => "it was kept".into(),
        (true, true) => "all kept it".into(),
        (false, _) if one => "it was broken".into(),
        (true, false) if one => "whether it was kept cannot be proven".into(),
        (true, false) => format!("of {} it cannot be proven, all others kept it", names(&open)),
        (false, true) => format!("{} did not keep it", names(&missed)),
        (false, false) => format!("{} did not keep it, and of {} it cannot be proven", names(&missed), names(&open)),
    }
}

fn later(report: &Report) -> String {
    let percent = percent(report.total.at_best.availability);
    match report.total.at_best.verdict {
        Verdict::Met => format!("it will be kept with {percent}"),
        Verdict::Missed => format!("it will be broken with {percent}"),
        Verdict::Undetermined => format!("it will be {percent}, and what could not be proven decides"),
    }
}

fn names(lines: &[&Line]) -> String {
    let mut told: Vec<String> = lines.iter().take(NAMES).map(|line| line.known.subject.name()).collect();
    if lines.len() > NAMES {
        told.push(format!("{} more", lines.len() - NAMES));
    }
    let last = told.pop().unwrap_or_default();
    if told.is_empty() { last } else { format!("{} and {last}", told.join(", ")) }
}

/// A percentage, cut off.
pub(super) fn percent(ratio: Option<Ratio>) -> String {
    ratio.map_or_else(|| "–".into(), |ratio| format!("{}\u{a0}%", ratio.percent(DECIMALS)))
}

/// What time of a kind does to the figure.
pub(super) const fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Exclude => "left out",
        Policy::AsUp => "counts as up",
        Policy::AsDown => "counts as an outage",
    }
}

/// A length for people and the seconds of it: `1 h 12 min (4 320.250 s)`.
pub(super) fn length(ms: i64) -> String {
    format!("{} ({})", words::duration(ms), words::seconds(ms))
}
