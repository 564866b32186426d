//! Help inside the product: pages in Markdown that lie beside the program's source, drawn when they are asked for. They say nothing of
//! this fleet, so that nobody has to sign in to learn how.

use std::fmt::Write as _;

use askama::Template;
use axum::extract::Path;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::{Shown, show};
use crate::{
    domain::rules::{RULES, Rule},
    web::problem::Problem,
};

/// The pages by their names in the address, in the order in which they are listed.
pub(crate) const PAGES: [(&str, &str); 19] = [
    ("", include_str!("../../../help/index.md")),
    ("install", include_str!("../../../help/install.md")),
    ("on-call", include_str!("../../../help/on-call.md")),
    ("states", include_str!("../../../help/states.md")),
    ("rules", include_str!("../../../help/rules.md")),
    ("inventory", include_str!("../../../help/inventory.md")),
    ("sla-report", include_str!("../../../help/sla-report.md")),
    ("backup", include_str!("../../../help/backup.md")),
    ("checks", include_str!("../../../help/checks.md")),
    ("devices", include_str!("../../../help/devices.md")),
    ("labels", include_str!("../../../help/labels.md")),
    ("incidents", include_str!("../../../help/incidents.md")),
    ("paging", include_str!("../../../help/paging.md")),
    ("elsewhere", include_str!("../../../help/elsewhere.md")),
    ("hardware", include_str!("../../../help/hardware.md")),
    ("trends", include_str!("../../../help/trends.md")),
    ("service-levels", include_str!("../../../help/service-levels.md")),
    ("what-is-read", include_str!("../../../help/what-is-read.md")),
    ("faces", include_str!("../../../help/faces.md")),
];

#[derive(Template)]
#[template(path = "help.html")]
struct HelpPage<'a> {
    title: &'a str,
    pages: Vec<Entry>,
    html: String,
    rules: &'static [&'static Rule],
}

struct Entry {
    href: String,
    title: &'static str,
    current: &'static str,
}

/// The first page.
pub(in crate::web) async fn index() -> Shown {
    page("")
}

/// One page.
pub(in crate::web) async fn view(Path(name): Path<String>) -> Shown {
    page(&name)
}

fn page(name: &str) -> Shown {
    let Some((_, text)) = PAGES.iter().find(|(page, _)| *page == name) else {
        return Err(Problem::not_found(&format!("help about {name:?}; /help lists what there is")).into());
    };
    let entry = |(page, text): &(&str, &'static str)| Entry {
        href: format!("/help/{page}").trim_end_matches('/').to_owned(),
        title: title(text),
        current: if *page == name { "page" } else { "false" },
    };
    let rules = if name == "rules" { RULES } else { &[] };
    show(&HelpPage { title: title(text), pages: PAGES.iter().map(entry).collect(), html: drawn(text), rules })
}

/// The first line's heading.
fn title(text: &'static str) -> &'static str {
    text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
}

/// Headings can be linked to by their words, as on every forge.
fn drawn(text: &str) -> String {
    let mut events: Vec<Event<'_>> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    let headings: Vec<usize> =
        (0..events.len()).filter(|at| matches!(events[*at], Event::Start(Tag::Heading { .. }))).collect();
    for at in headings {
        let words: String = events[at..]
            .iter()
            .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))))
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
                _ => None,
            })
            .collect();
        let anchor = anchor(&words);
        if let Event::Start(Tag::Heading { level, id, .. }) = &mut events[at]
            && *level != HeadingLevel::H1
        {
            *id = Some(anchor.into());
        }
    }
    let mut out = String::new();
    html::push_html(&mut out, events.into_iter());
    out
}

fn anchor(words: &str) -> String {
    let mut anchor = String::new();
    for word in words.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let dash = if anchor.is_empty() { "" } else { "-" };
        // A string takes all that is written to it.
        let _ = write!(anchor, "{dash}{word}");
    }
    anchor
}
