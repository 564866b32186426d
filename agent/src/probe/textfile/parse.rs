//! Prometheus' text format 0.0.4, as scripts write it: a file into families, or the line that is wrong.

use std::borrow::Cow;
use std::collections::HashMap;

use super::super::sink::{is_metric_name, is_name_character};
use super::super::{Kind, Part, spell_double};

/// Label of a bucket's upper bound, and of a quantile.
const BOUND: &str = "le";
const QUANTILE: &str = "quantile";

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) line: usize,
    pub(super) what: String,
}

/// Names and values of labels.
pub(super) type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) part: Part,
    /// Those with an empty value are left out: to Prometheus they are none.
    pub(super) labels: Labels<'a>,
    pub(super) value: f64,
}

/// A name with its values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Family<'a> {
    pub(super) name: &'a str,
    kind: Option<Kind>,
    pub(super) help: Option<Cow<'a, str>>,
    pub(super) samples: Vec<Sample<'a>>,
}

impl Family<'_> {
    /// Its type; where the file does not say it, there is none.
    pub(super) fn kind(&self) -> Kind {
        self.kind.unwrap_or(Kind::Untyped)
    }
}

/// The families of a file that have values, in the order of the file.
pub(super) fn parse(text: &str) -> Result<Vec<Family<'_>>, Mistake> {
    let mut file = File::default();
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        let mut take = || {
            let line = line.strip_suffix('\n').ok_or("unexpected end of input stream")?;
            file.take(line.trim_matches([' ', '\t']))
        };
        take().map_err(|what: Cow<'static, str>| Mistake { line: number, what: what.into_owned() })?;
    }
    file.families.retain(|family| !family.samples.is_empty());
    Ok(file.families)
}

type Wrong = Cow<'static, str>;

#[derive(Default)]
struct File<'a> {
    families: Vec<Family<'a>>,
    places: HashMap<&'a str, usize>,
}

impl<'a> File<'a> {
    fn take(&mut self, line: &'a str) -> Result<(), Wrong> {
        match line.strip_prefix('#') {
            Some(comment) => self.take_comment(comment.trim_start_matches([' ', '\t'])),
            None if line.is_empty() => Ok(()),
            None => self.take_sample(line),
        }
    }

    /// `HELP name text`, `TYPE name type`, or words to people.
    fn take_comment(&mut self, comment: &'a str) -> Result<(), Wrong> {
        let (keyword, rest) = split_word(comment);
        if keyword != "HELP" && keyword != "TYPE" || rest.is_empty() {
            return Ok(());
        }
        let (name, rest) = split_word(rest);
        if !is_metric_name(name) {
            return Err("invalid metric name in comment".into());
        }
        if rest.is_empty() {
            return Ok(());
        }
        let family = self.family(name);
        if keyword == "HELP" {
            if family.help.is_some() {
                return Err(format!("second HELP line for metric name {name:?}").into());
            }
            family.help = Some(unescape(rest, false)?);
            return Ok(());
        }
        if family.kind.is_some() || !family.samples.is_empty() {
            return Err(format!("second TYPE line for metric name {name:?}, or TYPE reported after samples").into());
        }
        family.kind = Some(match rest.to_ascii_lowercase().as_str() {
            "counter" => Kind::Counter,
            "gauge" => Kind::Gauge,
            "histogram" => Kind::Histogram,
            "summary" => Kind::Summary,
            "untyped" => Kind::Untyped,
            _ => return Err(format!("unknown metric type {rest:?}").into()),
        });
        Ok(())
    }

    fn take_sample(&mut self, line: &'a str) -> Result<(), Wrong> {
        let end = line.find(|c: char| !is_name_character(c)).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        if !is_metric_name(name) {
            return Err("invalid metric name".into());
        }
        let mut rest = rest.trim_start_matches([' ', '\t']);
        let mut labels = Vec::new();
        if let Some(inside) = rest.strip_prefix('{') {
            (labels, rest) = take_labels(name, inside)?;
        }
        let (value, rest) = split_word(rest.trim_start_matches([' ', '\t']));
        let value = double(value).ok_or_else(|| format!("expected float as value, got {value:?}"))?;
        if !rest.is_empty() {
            return Err("a timestamp: what a script leaves is as old as its file".into());
        }
        let (place, part) = self.place(name);
        let family = &mut self.families[place];
        for (label, text) in &mut labels {
            let bound = family.kind == Some(Kind::Histogram) && *label == BOUND
                || family.kind == Some(Kind::Summary) && *label == QUANTILE;
            if bound {
                let number =
                    double(text).ok_or_else(|| format!("expected float as value for {label:?}, got {text:?}"))?;
                *text = spell_double(number).into();
            }
        }
        labels.retain(|(_, text)| !text.is_empty());
        family.samples.push(Sample { part, labels, value });
        Ok(())
    }

    /// The family that a sample of this name belongs to, and what it is of it.
    fn place(&mut self, name: &'a str) -> (usize, Part) {
        if let Some(known) = self.places.get(name) {
            return (*known, Part::Whole);
        }
        for part in [Part::Sum, Part::Count, Part::Bucket] {
            let whole = name.strip_suffix(part.suffix()).and_then(|stem| self.places.get(stem));
            let Some(whole) = whole else { continue };
            match self.families[*whole].kind {
                Some(Kind::Histogram) => return (*whole, part),
                Some(Kind::Summary) if part != Part::Bucket => return (*whole, part),
                _ => {}
            }
        }
        self.family(name);
        (self.families.len() - 1, Part::Whole)
    }

    fn family(&mut self, name: &'a str) -> &mut Family<'a> {
        let place = *self.places.entry(name).or_insert_with(|| {
            self.families.push(Family { name, kind: None, help: None, samples: Vec::new() });
            self.families.len() - 1
        });
        &mut self.families[place]
    }
}

/// Labels and what stands after the closing brace.
fn take_labels<'a>(metric: &str, inside: &'a str) -> Result<(Labels<'a>, &'a str), Wrong> {
    let mut labels = Labels::new();
    let mut rest = inside.trim_start_matches([' ', '\t']);
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after));
        }
        let end = rest.find(|c: char| !is_name_character(c) || c == ':').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("invalid label name for metric {metric:?}").into());
        }
        if name == "__name__" {
            return Err("label name \"__name__\" is reserved".into());
        }
        if labels.iter().any(|(known, _)| *known == name) {
            return Err(format!("duplicate label names for metric {metric:?}").into());
        }
        let after = after.trim_start_matches([' ', '\t']);
        let after = after.strip_prefix('=').ok_or("expected '=' after label name")?.trim_start_matches([' ', '\t']);
        let quoted = after.strip_prefix('"').ok_or("expected '\"' at start of label value")?;
        let end = end_of_quoted(quoted).ok_or("unexpected end of label value")?;
        labels.push((name, unescape(&quoted[..end], true)?));
        rest = quoted[end + 1..].trim_start_matches([' ', '\t']);
        match rest.strip_prefix(',') {
            Some(after) => rest = after.trim_start_matches([' ', '\t']),
            None if rest.starts_with('}') => {}
            None => return Err("unexpected end of label value".into()),
        }
    }
}

/// Where the closing quote is.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// `\\` and `\n`, in label values also `\"`.
fn unescape(text: &str, in_quotes: bool) -> Result<Cow<'_, str>, Wrong> {
    if !text.contains('\\') {
        return Ok(text.into());
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if in_quotes => '"',
                other => return Err(format!("invalid escape sequence '\\{}'", other.unwrap_or(' ')).into()),
            },
            other => other,
        });
    }
    Ok(plain.into())
}

fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start_matches([' ', '\t']))
}

/// A number as Go reads it; Rust differs in nothing that scripts write.
fn double(text: &str) -> Option<f64> {
    text.parse().ok()
}
