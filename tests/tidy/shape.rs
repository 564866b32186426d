//! Sizes: a newcomer reads a file at a sitting and a function at a glance.

use super::source::{Complaint, Source};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// Files are short.
pub(crate) fn file_lines(source: &Source) -> Vec<Complaint> {
    let lines = source.text.lines().count();
    if lines <= FILE_LINES {
        return Vec::new();
    }
    let text =
        format!("{lines} lines, at most {FILE_LINES}: look for the second concept and give it a file of its own");
    vec![source.complain(FILE_LINES + 1, text)]
}

/// Functions are short; blank lines and comments do not count.
pub(crate) fn function_lines(source: &Source) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for at in source.words("fn") {
        // `fn(` is a type, not a function.
        if source.code[at + 2..].trim_start().starts_with('(') {
            continue;
        }
        let Some((_, end)) = source.block_after(at) else { continue };
        let lines = source.code[at..end].lines().filter(|line| !line.trim().is_empty()).count();
        if lines > FUNCTION_LINES {
            let name: String = source.code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let text = format!("{name} has {lines} lines, at most {FUNCTION_LINES}: name its steps as functions");
            complaints.push(source.complain(source.line_of(at), text));
        }
    }
    complaints
}
