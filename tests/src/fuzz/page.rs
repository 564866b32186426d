//! What is promised of everything a source says, whatever it read.

use muster_agent::exposition::{Format, page};
use muster_agent::probe::{Section, Table};
use std::sync::Arc;

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
    let said = section.samples().filter(|(_, _, value)| !value.is_nan());
    let (mut expected, mut read): (Vec<u64>, Vec<u64>) = (said.map(|(_, _, value)| value.to_bits()).collect(), vec![]);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let value = sample(line).ok_or_else(|| format!("no sample: {line:?}"))?;
        if !value.is_nan() {
            read.push(value.to_bits());
        }
    }
    // Zeros have two signs, which mean the same.
    for bits in expected.iter_mut().chain(&mut read) {
        *bits = if f64::from_bits(*bits) == 0.0 { 0 } else { *bits };
    }
    expected.sort_unstable();
    read.sort_unstable();
    promise(expected == read, || format!("{} values are said and {} read back, or others", expected.len(), read.len()))
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
