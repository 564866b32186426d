//! What is promised of everything a source says, whatever it read.

use std::collections::BTreeSet;
use std::sync::Arc;

use muster_agent::exposition::{Format, page};
use muster_agent::probe::{Family, Section, Series, Table};

use super::promise;

/// Checks names, labels and values; with `whole` that the page of them is read back as the same.
///
/// # Errors
/// The first promise that is not kept.
pub(crate) fn check(section: &Section, whole: bool) -> Result<(), String> {
    for (family, series, _) in section.samples() {
        promise(is_name(&family.name, true), || format!("{:?} is no metric's name", family.name))?;
        for (name, value) in series.labels() {
            promise(is_name(name, false), || format!("{name:?} is no label's name"))?;
            promise(!value.contains('\0'), || format!("{name}={value:?} has a NUL"))?;
        }
    }
    if whole { check_page(section) } else { Ok(()) }
}

fn check_page(section: &Section) -> Result<(), String> {
    let table = Table { sections: vec![Arc::new(section.clone())] };
    let text = page(&table, Format::Text);
    // Zeros have two signs, which mean the same.
    let bits = |value: f64| if value == 0.0 { 0 } else { value.to_bits() };
    let said: BTreeSet<u64> = section.samples().map(|(_, _, value)| bits(value)).collect();
    // Two families of one name may say the same series, of which the page keeps one.
    let series: BTreeSet<String> = section.samples().map(|(family, one, _)| named(family, one)).collect();
    let mut lines = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let value = sample(line).ok_or_else(|| format!("no sample: {line:?}"))?;
        let known = value.is_nan() || said.contains(&bits(value));
        promise(known, || format!("{line:?} has a value that was not said"))?;
        lines += 1;
    }
    promise(lines == series.len(), || format!("{} series are said and {lines} read back", series.len()))
}

fn named(family: &Family, series: &Series) -> String {
    let mut labels: Vec<(&str, &str)> = series.labels().collect();
    labels.sort_unstable();
    format!("{}{} {labels:?}", family.name, series.part.suffix())
}

/// Checks that every line of a page of metrics can be read.
///
/// # Errors
/// The first that cannot.
pub(crate) fn check_text(text: &str) -> Result<(), String> {
    let bad = text.lines().find(|line| !line.starts_with("# ") && sample(line).is_none());
    promise(bad.is_none(), || format!("no sample: {bad:?}"))
}

/// The value of `name{label="value",...} value`.
fn sample(line: &str) -> Option<f64> {
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')?;
    let (name, mut rest) = line.split_at(end);
    if !is_name(name, true) {
        return None;
    }
    if let Some(labels) = rest.strip_prefix('{') {
        rest = labels;
        while !rest.starts_with('}') {
            let (name, after) = rest.split_once("=\"")?;
            is_name(name, false).then_some(())?;
            rest = after_quote(after)?;
            rest = rest.strip_prefix(',').unwrap_or(rest);
        }
        rest = &rest[1..];
    }
    rest.strip_prefix(' ')?.parse().ok()
}

/// What stands after the quotation mark that ends a label's value.
fn after_quote(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped && !matches!(c, '\\' | '"' | 'n') => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(&text[at + 1..]),
            _ => {}
        }
    }
    None
}

fn is_name(name: &str, colons: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(fits)
}
