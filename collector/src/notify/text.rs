//! The default page as text, in one line, in 160 characters and in full; what all receivers share. Pure.
//!
//! What is not known is left out, never invented: fields whose source does not exist yet have no line.

use crate::domain::{
    ids::{IncidentNo, PageId},
    page::{Next, PageFacts, Past},
    record::{Delivery, IncidentState, Page, PageKind},
    severity::Severity,
    time::Timestamp,
};

/// Longest title, in characters; RFC 5322 allows lines of 998 octets.
pub(super) const TITLE_CHARS: usize = 200;
/// What one text message holds (3GPP TS 23.038, 7-bit alphabet), in characters.
pub(super) const SHORT_CHARS: usize = 160;
/// Lines of evidence in the full text; a storm has thousands.
const EVIDENCE_LINES: usize = 30;
/// What shows it, in a short page, in characters.
const EVIDENCE_CHARS: usize = 80;
/// Longest line of evidence, in characters.
const LINE_CHARS: usize = 1_000;

/// `[critical] web-1 is down`
pub(super) fn title(page: &Page) -> String {
    clean(&format!("[{}] {}", tag(page), page.title), TITLE_CHARS)
}

/// What happened in a word or two: the severity while it lasts, else what became of it.
fn tag(page: &Page) -> String {
    let severity = page.severity.word();
    match page.kind {
        PageKind::Opened => severity.to_owned(),
        PageKind::Updated => format!("{severity}, update"),
        PageKind::Acknowledged => "acknowledged".into(),
        PageKind::Resolved => "resolved".into(),
        PageKind::Test => "test".into(),
        PageKind::Notice => "notice".into(),
    }
}

/// The name of the symbol before a title, as ntfy and Slack both know it (<https://docs.ntfy.sh/emojis/>).
pub(super) fn symbol(page: &Page) -> &'static str {
    match (page.kind, page.severity) {
        (PageKind::Resolved, _) => "white_check_mark",
        (PageKind::Acknowledged, _) => "eyes",
        (PageKind::Test, _) => "wrench",
        (PageKind::Notice, _) => "calendar",
        (_, Severity::Critical) => "rotating_light",
        (_, Severity::Warning) => "warning",
        (_, Severity::Info) => "information_source",
    }
}

/// Severity, host or service, what, since when and site in at most 160 characters of one line; the title gives way. Where
/// there is room left: what it takes with it, what shows it best, and who is next.
pub(super) fn short(page: &Page) -> String {
    let head = match page.kind {
        PageKind::Opened => format!("{} ", page.severity.word().to_uppercase()),
        PageKind::Updated => format!("{} (update) ", page.severity.word().to_uppercase()),
        PageKind::Acknowledged => {
            page.facts.acknowledged_by.as_ref().map_or("TAKEN: ".into(), |who| format!("TAKEN by {}: ", clean(who, 30)))
        }
        PageKind::Resolved => format!("RESOLVED after {}: ", lasted(page)),
        PageKind::Test => "TEST: ".into(),
        PageKind::Notice => String::new(),
    };
    let mut tail = format!(", since {}", minute(page.since));
    if !page.facts.site.is_empty() {
        tail.push_str(&format!(", {}", clean(&page.facts.site, 30)));
    }
    if let Some(incident) = page.incident {
        tail.push_str(&format!(", #{incident}"));
    }
    let room = SHORT_CHARS - (head.chars().count() + tail.chars().count()).min(SHORT_CHARS);
    let mut text = format!("{head}{}{tail}", shortened(&named(page), room));
    for more in besides(page) {
        let room = SHORT_CHARS.saturating_sub(text.chars().count() + 2);
        if more.chars().count() <= room {
            text.push_str(&format!(". {more}"));
        }
    }
    text
}

/// What a short page says besides, each only whole, the most important first. That somebody has it, or that it is over,
/// needs no more words.
fn besides(page: &Page) -> Vec<String> {
    if !matches!(page.kind, PageKind::Opened | PageKind::Updated) {
        return Vec::new();
    }
    let strongest = page.facts.evidence.first().map(|first| shortened(&clean(first, LINE_CHARS), EVIDENCE_CHARS));
    let next = page.facts.next.as_ref().map(|next| format!("Next: {} {}", clean(&next.who, 40), soon(page, next.at)));
    let impact = impact(page).join(", ");
    [Some(impact), strongest, next].into_iter().flatten().filter(|words| !words.is_empty()).collect()
}

/// What it takes with it, the weightiest first.
pub(super) fn impact(page: &Page) -> Vec<String> {
    let hosts = (page.facts.hosts > 1).then(|| format!("{} hosts", page.facts.hosts));
    page.facts.impact.iter().map(|words| clean(words, 256)).chain(hosts).collect()
}

/// The last incident like it and how it ended.
pub(super) fn last(page: &Page) -> Option<String> {
    let last = page.facts.last.as_ref()?;
    let (began, lasted) = (minute(last.since), length(last.resolved.since_ms(last.since)));
    Some(clean(&format!("#{} of {began}, over after {lasted}: {}", last.incident, last.ended()), LINE_CHARS))
}

/// Who is called next if nobody takes it, and when.
pub(super) fn next(page: &Page) -> Option<String> {
    let next = page.facts.next.as_ref()?;
    Some(format!("{} at {}", clean(&next.who, 256), minute(next.at)))
}

/// The time alone, where the day is that of the page.
fn soon(page: &Page, at: Timestamp) -> String {
    let day = |at| written(at, "%Y-%m-%d");
    if day(at) == day(page.decided) { written(at, "%H:%M") } else { written(at, "%m-%d %H:%M") }
}

/// The title, with the host before it where it does not say so itself.
fn named(page: &Page) -> String {
    let title = clean(&page.title, TITLE_CHARS);
    if page.host.is_empty() || title.contains(&page.host) {
        return title;
    }
    format!("{}: {title}", clean(&page.host, 100))
}

/// All that is known, in lines; the first is the title and the last the address of the view.
pub(super) fn full(page: &Page, base_url: &str) -> String {
    let mut lines = vec![named(page), String::new()];
    lines.extend(facts(page).into_iter().map(|(name, value)| format!("{name:<10} {value}")));
    let evidence = evidence(page);
    if !evidence.is_empty() {
        lines.push(String::new());
        lines.extend(evidence);
    }
    lines.push(String::new());
    lines.extend(act_url(page, base_url).map(|link| match page.kind {
        PageKind::Test => format!("Say that it came: {link}"),
        _ => format!("Take it: {link}"),
    }));
    lines.push(url(page, base_url));
    lines.join("\n")
}

/// What is known, by name, the most important first.
pub(super) fn facts(page: &Page) -> Vec<(&'static str, String)> {
    if page.kind == PageKind::Notice {
        return vec![("Since", second(page.since))];
    }
    let is_over = page.kind == PageKind::Resolved;
    let mut impact = impact(page);
    impact.extend(Some(clean(&page.facts.redundancy, LINE_CHARS)).filter(|left| !left.is_empty()));
    let more = page.facts.hosts.saturating_sub(page.facts.names.len());
    let mut names = page.facts.names.clone();
    names.extend((more > 0 && !names.is_empty()).then(|| format!("and {more} more")));
    let all = [
        ("Severity", page.severity.word().to_owned()),
        ("Priority", page.facts.priority.map_or_else(String::new, |priority| priority.word().to_owned())),
        ("State", page.state.word().to_owned()),
        ("Host", clean(&page.host, 256)),
        ("Component", clean(&page.component, 256)),
        ("Since", second(page.since)),
        ("Lasted", if is_over { lasted(page) } else { String::new() }),
        ("Site", clean(&page.facts.site, 256)),
        ("Impact", impact.join("; ")),
        ("Hosts", clean(&names.join(", "), LINE_CHARS)),
        ("Taken by", clean(page.facts.acknowledged_by.as_deref().unwrap_or_default(), 256)),
        ("Paged", clean(&page.facts.paged.join(", "), LINE_CHARS)),
        ("Next", next(page).unwrap_or_default()),
        ("Last time", last(page).unwrap_or_default()),
        ("Runbook", clean(page.facts.runbook.as_deref().unwrap_or_default(), 2_048)),
        ("Incident", page.incident.map_or_else(String::new, |incident| format!("#{incident}"))),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// What shows it best, in lines, the strongest first.
pub(super) fn evidence(page: &Page) -> Vec<String> {
    if page.facts.evidence.is_empty() {
        // What the title says itself, what is over, and pages of earlier versions.
        let listed = |line: &String| page.facts.names.is_empty() || !line.starts_with("hosts: ");
        return details(page).into_iter().filter(listed).collect();
    }
    let mut all: Vec<String> = page.facts.evidence.iter().map(|piece| clean(piece, LINE_CHARS)).collect();
    all.extend((page.facts.evidence_left > 0).then(|| format!("and {} more", page.facts.evidence_left)));
    all
}

/// All that shows it, in lines; what repeats the title adds nothing, and there is an end to it.
pub(super) fn details(page: &Page) -> Vec<String> {
    let title = clean(&page.title, TITLE_CHARS);
    let all = page.details.lines().map(|line| clean(line, LINE_CHARS));
    let all: Vec<String> = all.filter(|line| !line.is_empty() && *line != title).collect();
    let more = all.len().saturating_sub(EVIDENCE_LINES);
    let mut kept: Vec<String> = all.into_iter().take(EVIDENCE_LINES).collect();
    if more > 0 {
        kept.push(format!("and {more} more"));
    }
    kept
}

/// The address of the incident's view.
pub(super) fn url(page: &Page, base_url: &str) -> String {
    format!("{base_url}{}", page.path)
}

/// Where the page's person takes the incident with one button, without signing in.
pub(super) fn act_url(page: &Page, base_url: &str) -> Option<String> {
    page.act.as_ref().map(|path| format!("{base_url}{path}"))
}

/// How long it lasted until this page was decided.
pub(super) fn lasted(page: &Page) -> String {
    length(page.decided.since_ms(page.since))
}

fn length(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

fn minute(at: Timestamp) -> String {
    written(at, "%Y-%m-%d %H:%M UTC")
}

fn second(at: Timestamp) -> String {
    written(at, "%Y-%m-%d %H:%M:%S UTC")
}

fn written(at: Timestamp, form: &str) -> String {
    jiff::Timestamp::from_millisecond(at.ms()).map_or_else(|_| at.to_string(), |at| at.strftime(form).to_string())
}

/// Text from hosts is hostile: control characters become spaces, and there is an end to it.
pub(super) fn clean(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect::<String>().trim().to_owned()
}

/// At most `most` characters; what is cut off shows.
pub(super) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

/// At most `most` bytes of whole characters; what is cut off shows.
pub(super) fn shortened_to_bytes(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most.saturating_sub(3)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...", &text[..end])
}

/// What a page of this kind knows besides.
fn sample_facts(kind: PageKind) -> PageFacts {
    if kind == PageKind::Test {
        return PageFacts::default();
    }
    let goes_on = matches!(kind, PageKind::Opened | PageKind::Updated);
    let evidence = ["no answer to the look; last heard 2026-11-21T09:14:00.000Z", "also: web-1: /var: 3 % free"];
    PageFacts {
        impact: vec!["service shop".into(), "2 hosts behind it".into()],
        evidence: evidence.into_iter().filter(|_| kind != PageKind::Resolved).map(str::to_owned).collect(),
        last: Some(Past {
            incident: IncidentNo(977),
            since: Timestamp::from_ms(1_793_675_400_000),
            resolved: Timestamp::from_ms(1_793_677_920_000),
            taken_by: Some("Bob".into()),
            closed: None,
        }),
        runbook: Some("https://wiki.example.org/down".into()),
        next: goes_on.then(|| Next { who: "Bob".into(), at: Timestamp::from_ms(1_795_253_700_000) }),
        ..PageFacts::default()
    }
}

/// A page of each kind that templates are tried on before anything happens.
pub(super) fn samples() -> Vec<Page> {
    let sample = |kind: PageKind, state: IncidentState| Page {
        id: PageId(7),
        message_id: "sample-1-oncall".into(),
        receiver: "on-call".into(),
        to: None,
        person: None,
        incident: (kind != PageKind::Test).then_some(IncidentNo(1_042)),
        n: 1,
        kind,
        key: "liveness/0190b1a4-5e3c-7c11-9d2a-0123456789ab/host".into(),
        state,
        severity: Severity::Critical,
        title: "web-1 is down".into(),
        host: "web-1".into(),
        component: "host".into(),
        since: Timestamp::from_ms(1_795_252_440_000),
        decided: Timestamp::from_ms(1_795_252_800_000),
        details: "web-1 is down: no answer to the look; last heard 2026-11-21T09:14:00.000Z".into(),
        path: "/incidents/1042".into(),
        act: None,
        delivery: Delivery::Queued,
        proof: Default::default(),
        facts: PageFacts {
            site: "berlin".into(),
            hosts: 1,
            acknowledged_by: (state == IncidentState::Acknowledged).then(|| "Ana".into()),
            paged: vec!["mail".into(), "on-call".into()],
            ..sample_facts(kind)
        },
    };
    vec![
        sample(PageKind::Opened, IncidentState::Open),
        sample(PageKind::Updated, IncidentState::Open),
        sample(PageKind::Acknowledged, IncidentState::Acknowledged),
        sample(PageKind::Resolved, IncidentState::Resolved),
        sample(PageKind::Test, IncidentState::Open),
    ]
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
