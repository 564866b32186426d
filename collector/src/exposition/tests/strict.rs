//! Small strict parsers of text format 0.0.4 and OpenMetrics 1.0.0: what they take, Prometheus takes.

use std::collections::HashSet;

/// The names of all samples, in order; or the line that is wrong.
pub(crate) fn parse(page: &str) -> Result<Vec<String>, String> {
    let (mut samples, mut headers, mut seen) = (Vec::new(), HashSet::new(), HashSet::new());
    if !page.is_empty() && !page.ends_with('\n') {
        return Err("the last line has no end".into());
    }
    for line in page.split_terminator('\n') {
        let wrong = || format!("{line:?}");
        if line.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)) {
            return Err(wrong());
        }
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (kind, name, rest) = (words.next(), words.next().ok_or_else(wrong)?, words.next().ok_or_else(wrong)?);
            let known = match kind {
                Some("HELP") => !rest.replace("\\\\", "").replace("\\n", "").contains('\\'),
                Some("TYPE") => ["counter", "gauge", "histogram", "summary", "untyped"].contains(&rest),
                _ => false,
            };
            if !known || !is_name(name) || !headers.insert((kind, name)) {
                return Err(wrong());
            }
            continue;
        }
        let (name, rest) = sample(line).ok_or_else(wrong)?;
        rest.parse::<f64>().map_err(|_| wrong())?;
        if !seen.insert(&line[..line.len() - rest.len()]) {
            return Err(wrong());
        }
        samples.push(name.to_owned());
    }
    Ok(samples)
}

fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

/// Name and number of a sample line.
fn sample(line: &str) -> Option<(&str, &str)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    if let Some(labels) = rest.strip_prefix('{') {
        rest = labels;
        loop {
            let (label, after) = rest.split_once("=\"")?;
            let value_end = closing_quote(after)?;
            rest = &after[value_end + 1..];
            if !is_name(label) {
                return None;
            }
            match rest.as_bytes().first()? {
                b',' => rest = &rest[1..],
                b'}' => break,
                _ => return None,
            }
        }
        rest = &rest[1..];
    }
    Some((name, rest.strip_prefix(' ')?)).filter(|(name, _)| is_name(name))
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped && !b"\\\"n".contains(&byte) => return None,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// The parts that a family of each type has: suffix of the sample's name, and the label that it must have.
const PARTS: &[(&str, &[(&str, &str)])] = &[
    ("counter", &[("_total", ""), ("_created", "")]),
    ("gauge", &[("", "")]),
    ("unknown", &[("", "")]),
    ("histogram", &[("_bucket", "le"), ("_sum", ""), ("_count", ""), ("_created", "")]),
    ("summary", &[("", "quantile"), ("_sum", ""), ("_count", ""), ("_created", "")]),
];

/// Name and type of all samples of an OpenMetrics page, in order; or the line that is wrong.
pub(crate) fn parse_openmetrics(page: &str) -> Result<Vec<(String, String)>, String> {
    let body = page.strip_suffix("# EOF\n").ok_or("the last line is not # EOF")?;
    if !body.is_empty() && !body.ends_with('\n') {
        return Err("the end stands on another line".into());
    }
    let mut reader = Reader::default();
    for line in body.split_terminator('\n') {
        reader.read(line).map_err(|why| format!("{why}: {line:?}"))?;
    }
    Ok(reader.samples)
}

#[derive(Default)]
struct Reader<'a> {
    samples: Vec<(String, String)>,
    series: HashSet<&'a str>,
    /// Names that families have or reserve.
    names: HashSet<String>,
    family: &'a str,
    kind: &'a str,
    described: HashSet<&'a str>,
    has_samples: bool,
    /// Labels without `le`, and count, of the last bucket.
    bucket: (String, f64),
}

impl<'a> Reader<'a> {
    fn read(&mut self, line: &'a str) -> Result<(), &'static str> {
        if line.is_empty() || line.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)) {
            return Err("an empty line or a character that is not one of text");
        }
        match line.strip_prefix("# ") {
            Some(comment) => self.describe(comment),
            None => self.sample(line),
        }
    }

    fn describe(&mut self, comment: &'a str) -> Result<(), &'static str> {
        let mut words = comment.splitn(3, ' ');
        let (Some(what), Some(name), Some(text)) = (words.next(), words.next(), words.next()) else {
            return Err("no descriptor");
        };
        if name != self.family || self.has_samples {
            (self.family, self.kind, self.has_samples) = (name, "unknown", false);
            self.described.clear();
        }
        if !is_name(name) || !self.described.insert(what) {
            return Err("no name, or described twice");
        }
        let bare = text.replace("\\\\", "").replace("\\n", "").replace("\\\"", "");
        match what {
            "TYPE" if PARTS.iter().any(|(kind, _)| *kind == text) => self.kind = text,
            "HELP" if !bare.contains(['\\', '"']) => {}
            _ => return Err("an unknown type, or help that is not escaped"),
        }
        Ok(())
    }

    fn sample(&mut self, line: &'a str) -> Result<(), &'static str> {
        let (name, number) = sample(line).ok_or("no sample")?;
        let (_, parts) = PARTS.iter().find(|(kind, _)| *kind == self.kind).ok_or("a sample before any family")?;
        if !self.has_samples {
            self.has_samples = true;
            let reserved = parts.iter().map(|(suffix, _)| format!("{}{suffix}", self.family));
            let own: HashSet<String> = reserved.chain([self.family.to_owned()]).collect();
            if !own.into_iter().all(|name| self.names.insert(name)) {
                return Err("a family that was there, or is called as a part of another");
            }
        }
        let suffix = name.strip_prefix(self.family).ok_or("a sample of another family")?;
        let (_, label) = parts.iter().find(|(known, _)| *known == suffix).ok_or("no part of this type of family")?;
        let series = &line[..line.len() - number.len()];
        if !self.series.insert(series) || !label.is_empty() && !series.contains(&format!("{label}=\"")) {
            return Err("a series that was there, or without its label");
        }
        let value = value(number).ok_or("no number")?;
        if self.kind == "counter" && (value < 0.0 || value.is_nan()) {
            return Err("a counter that is none");
        }
        if self.kind == "histogram" {
            self.check_bucket(suffix, &series[name.len()..], value)?;
        }
        self.samples.push((name.to_owned(), self.kind.to_owned()));
        Ok(())
    }

    /// Buckets of one set of labels grow, and the last is the count.
    fn check_bucket(&mut self, suffix: &str, labels: &str, value: f64) -> Result<(), &'static str> {
        if suffix == "_sum" {
            return Ok(());
        }
        // Our writers put `le` where it belongs or last; without it and the brackets the labels are those of the count.
        let without_bound: String =
            labels.split(['{', '}', ',', ' ']).filter(|part| !part.starts_with("le=\"")).collect();
        let (set, before) = std::mem::replace(&mut self.bucket, (without_bound, value));
        let is_same = set == self.bucket.0;
        match suffix {
            "_bucket" if is_same && before > value => Err("buckets that shrink"),
            "_count" if !is_same || before != value => Err("a count that is not the last bucket's"),
            "_count" => {
                self.bucket = (String::new(), 0.0);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// A number as the standard spells it.
fn value(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => text.parse().ok(),
        _ => None,
    }
}
