//! A small strict parser of the text format 0.0.4: what it takes, Prometheus takes.

use std::collections::HashSet;

/// The names of all samples, in order; or the line that is wrong.
pub(super) fn parse(page: &str) -> Result<Vec<String>, String> {
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
