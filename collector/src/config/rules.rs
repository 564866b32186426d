//! `[rules.NAME]` and `[overrides]`: by which limits hosts are judged, for all of them and for some.

use toml::de::DeTable;

use super::{
    ConfigErrors, Mistake,
    read::{CLASS, label, short_text},
    section::{Section, Source},
};
use crate::domain::{
    labels::Class,
    rules::{Change, Line, RULES, Rule, Selector, Settings},
    severity::Severity,
};

/// Most lines of `[overrides]`; each is tried on every host.
const OVERRIDES: usize = 1_000;
const SEVERITY: &str = "one of info, warning, critical";

/// Reads both tables.
pub(super) fn read(mut rules: Section<'_, '_>, mut overrides: Section<'_, '_>) -> Settings {
    let mut lines = Vec::new();
    for rule in RULES {
        if !rules.has(rule.name) {
            rules.knows(rule.name);
            continue;
        }
        let mut section = rules.table(rule.name);
        let origin = format!("[rules.{}], {}", rule.name, section.place());
        let change = change(&mut section, rule, &[]);
        section.finish();
        if change != Change::default() {
            lines.push(Line { rule, selector: Selector::default(), change, origin });
        }
    }
    rules.finish();
    let general = lines.clone();
    for (name, mut section) in overrides.named_tables(OVERRIDES) {
        let origin = format!("override {name}, {}", section.place());
        if let Some(line) = one_override(&mut section, &general, origin) {
            section.finish();
            lines.push(line);
        }
    }
    Settings::new(lines)
}

/// Reads one line of `[overrides]` that does not stand in the file; `origin` is what an explanation says of it.
///
/// # Errors
/// Every mistake in the line.
pub fn parse_override(line: &str, general: &Settings, origin: &str) -> Result<Line, ConfigErrors> {
    let source = Source::new("override".into(), line);
    let (table, errors) = DeTable::parse_recoverable(line);
    for error in errors {
        source.syntax(error.span().map_or(0, |span| span.start), error.message());
    }
    let mut section = Section::new(&source, String::new(), 0, table.into_inner());
    let mut found = Vec::new();
    for (_, mut section) in section.named_tables(1) {
        if let Some(line) = one_override(&mut section, general.lines(), origin.to_owned()) {
            section.finish();
            found.push(line);
        }
    }
    source.finish()?;
    let expected = "one line such as NAME = { rule = \"filesystem_space\", host = \"db-*\", warning = \"3 %\" }";
    let nothing =
        || Mistake { file: "override".into(), line: None, key: String::new(), value: None, expected: expected.into() };
    found.pop().ok_or_else(|| ConfigErrors { mistakes: vec![nothing()] })
}

/// The configuration's lines and those made elsewhere, each with its origin. One that can no longer be read (a rule that is gone) is left out
/// and said so in the log.
#[must_use]
pub fn with_overrides(general: &Settings, made: impl IntoIterator<Item = (String, String)>) -> Settings {
    let mut lines = general.lines().to_vec();
    for (line, origin) in made {
        match parse_override(&line, general, &origin) {
            Ok(line) => lines.push(line),
            Err(errors) => tracing::warn!("{origin} is left out: {errors}"),
        }
    }
    Settings::new(lines)
}

/// A text in quotes.
#[must_use]
pub fn toml_text(text: &str) -> String {
    // A JSON string is a TOML string, but for DEL.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

/// A key, in quotes where it needs them.
#[must_use]
pub fn toml_key(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if bare { key.to_owned() } else { toml_text(key) }
}

fn one_override(section: &mut Section<'_, '_>, general: &[Line], origin: String) -> Option<Line> {
    let (rule, selector) = about(section)?;
    let is_general = |line: &&Line| std::ptr::eq(line.rule, rule) && line.selector == Selector::default();
    let before = general.iter().find(is_general).map(|line| &line.change);
    let change = change(section, rule, before.map_or(&[], |change| &change.limits));
    Some(Line { rule, selector, change, origin })
}

/// Which rule an override is about, and where.
fn about(section: &mut Section<'_, '_>) -> Option<(&'static Rule, Selector)> {
    let names = || RULES.iter().map(|rule| rule.name).collect::<Vec<_>>().join(", ");
    let expected = format!("the name of a rule: {}", names());
    let rule = section.required("rule", &expected, |name| Rule::named(name).ok_or_else(|| expected.clone()));
    let rule = rule?;
    let is_about_some = ["host", "label", "site", "class"].into_iter().chain(rule.part).any(|key| section.has(key));
    let selector = Selector {
        host: section.text("host", "a host name with * and ?, such as \"db-*\"", short_text),
        label: section.text("label", "a label such as \"environment=dev\"", label_pair),
        site: section.text("site", "the name of a site", short_text),
        class: section.text("class", CLASS, |word| Class::from_word(word).ok_or_else(|| CLASS.into())),
        part: rule.part.and_then(|part| section.text(part, "a name with * and ?, such as \"/backup\"", short_text)),
    };
    if !is_about_some {
        let part = rule.part.map_or_else(String::new, |part| format!(", {part}"));
        section.wrong("rule", format!("host, label, site, class{part}: for all hosts write [rules.{}]", rule.name));
    }
    Some((rule, selector))
}

pub(super) fn label_pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a label such as \"environment=dev\"")?;
    label(name, value)?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What is changed; `before`: what is said of the rule's limits for all hosts.
fn change(section: &mut Section<'_, '_>, rule: &'static Rule, before: &[(usize, f64)]) -> Change {
    let enabled = section.switch("enabled");
    let severity = section.text("severity", SEVERITY, |word| {
        let all = [Severity::Info, Severity::Warning, Severity::Critical];
        all.into_iter().find(|severity| severity.word() == word).ok_or_else(|| SEVERITY.into())
    });
    let mut limits = Vec::new();
    for (place, limit) in rule.limits.iter().enumerate() {
        let amount = section.amount(limit.key, limit.unit.example(), |text| limit.read(text));
        limits.extend(amount.map(|amount| (place, amount)));
    }
    let change = Change { enabled, severity, limits };
    if let Some(mistake) = change.out_of_order(rule, before) {
        section.wrong("critical", mistake);
    }
    change
}
