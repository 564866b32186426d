//! `[[settings]]`: what agents are told, for all hosts and for some; and the same documents made through the API.

use toml::de::DeTable;

use super::{
    ConfigErrors,
    checks::{self, CHECKS, duration_ms},
    read::{CLASS, short_text},
    rules::label_pair,
    section::{Section, Source},
};
use crate::domain::{
    labels::Class,
    settings::{Part, Scope},
};

/// Most scopes; each is tried on every host.
pub(super) const SCOPES: usize = 500;
const INTERVAL: &str = "a time from 1s to 5m, as \"15s\" or \"1m\"";

/// Reads all `[[settings]]`.
pub(super) fn read(sections: Vec<Section<'_, '_>>) -> Vec<Part> {
    let mut parts = Vec::new();
    for mut section in sections {
        let scope = scope(&mut section);
        let origin = format!("[[settings]], {}", section.place());
        let part = part(&mut section, scope.unwrap_or(Scope::All), origin);
        section.finish();
        parts.push(part);
    }
    parts
}

/// Reads the document of one scope that does not stand in the file; `origin` is what an explanation says of it.
///
/// # Errors
/// Every mistake in it.
pub fn parse_settings(document: &str, scope: Scope, origin: String) -> Result<Part, ConfigErrors> {
    let source = Source::new("settings".into(), document);
    let (table, errors) = DeTable::parse_recoverable(document);
    for error in errors {
        source.syntax(error.span().map_or(0, |span| span.start), error.message());
    }
    let mut section = Section::new(&source, String::new(), 0, table.into_inner());
    let part = part(&mut section, scope, origin);
    section.finish();
    source.finish().map(|_| part)
}

fn part(section: &mut Section<'_, '_>, scope: Scope, origin: String) -> Part {
    let report_ms = section.text("interval", INTERVAL, |text| {
        let ms = duration_ms(text).filter(|ms| (1_000..=300_000).contains(ms));
        ms.and_then(|ms| u32::try_from(ms).ok()).ok_or_else(|| INTERVAL.into())
    });
    let checks = checks::read(section.tables("check", CHECKS));
    Part { scope, origin, report_ms, checks }
}

/// Whom it is about: at most one of the keys is there.
fn scope(section: &mut Section<'_, '_>) -> Option<Scope> {
    let given = ["class", "site", "label", "host"].into_iter().filter(|key| section.has(key)).count();
    if given > 1 {
        section.wrong("", "one of class, site, label and host, or none of them for all hosts");
    }
    let class = section.text("class", CLASS, |word| Class::from_word(word).ok_or_else(|| CLASS.into()));
    let site = section.text("site", "the name of a site", short_text);
    let label = section.text("label", "a label such as \"environment=dev\"", label_pair);
    let host = section.text("host", "a host name with * and ?, such as \"db-*\"", short_text);
    let class = class.map(Scope::Class);
    let label = label.map(|(name, value)| Scope::Label(name, value));
    class.or_else(|| site.map(Scope::Site)).or(label).or_else(|| host.map(Scope::Host))
}
