//! The data sheet for reviewers says what the code does: sections, fields, sources and spans stand in both or in neither.

use std::collections::BTreeSet;

use super::source::{Complaint, Source};

/// The sheet.
pub(crate) const SHEET: &str = "deploy/SECURITY.md";
/// Where fields of the inventory are laid on rows, by which calls.
const INVENTORY: &str = "agent/src/inventory/";
const FIELDS: [&str; 4] = [".durable(", ".known(", ".latest(", ".volatile("];
/// Tables of fields that are laid on by a loop: the file, and where the table begins.
const TABLES: [(&str, &str); 1] = [("agent/src/inventory/os.rs", "const KEYS")];
/// Values and forms that stand in the rows of the sheet and are no fields.
const NO_FIELDS: [&str; 4] = ["set", "locked", "none", "custom_NAME"];
/// Where sections and sources are listed.
const SECTIONS: (&str, &str) = ("agent/src/inventory/mod.rs", "pub static SECTIONS");
const SOURCES: (&str, &str) = ("agent/src/probe/mod.rs", "pub const SOURCES:");
/// A source that is there where checks are defined.
const CHECKS: &str = "check";

/// What the sheet says and what the code does.
pub(crate) fn agrees(sheet: &Source, sources: &[Source]) -> Vec<Complaint> {
    if sheet.path != SHEET {
        return Vec::new();
    }
    let rows = rows(sheet, "### The inventory, field by field");
    let told: BTreeSet<String> = rows.iter().flat_map(|(_, cells)| ticked(&cells[1])).collect();
    let told = told.into_iter().filter(|name| !NO_FIELDS.contains(&name.as_str())).collect();
    let sections: BTreeSet<String> = rows.iter().flat_map(|(_, cells)| ticked(&cells[0])).collect();
    let sections = sections.into_iter().filter(|name| !NO_FIELDS.contains(&name.as_str())).collect();
    let mut read = listed(sources, SOURCES);
    read.insert(CHECKS.to_owned());
    let mut complaints = differ(sheet, "field", &told, &fields(sources));
    complaints.extend(differ(sheet, "section", &sections, &listed(sources, SECTIONS)));
    complaints.extend(differ(sheet, "source", &paragraph(sheet, "Sources have the names of node_exporter's"), &read));
    complaints
}

fn differ(sheet: &Source, what: &str, told: &BTreeSet<String>, done: &BTreeSet<String>) -> Vec<Complaint> {
    let missing = done.difference(told).map(|name| format!("the {what} `{name}` is read and stands not here"));
    let gone = told.difference(done).map(|name| format!("the {what} `{name}` stands here and is not read"));
    missing.chain(gone).map(|text| sheet.complain(1, text)).collect()
}

/// Rows of the table below a heading: line and cells.
fn rows(sheet: &Source, heading: &str) -> Vec<(usize, Vec<String>)> {
    let lines = sheet.text.lines().enumerate().skip_while(|(_, line)| *line != heading).skip(1);
    let lines = lines.take_while(|(_, line)| !line.starts_with('#'));
    let table = lines.filter(|(_, line)| line.starts_with("| `"));
    table
        .map(|(number, line)| {
            (number + 1, line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        })
        .filter(|(_, cells): &(usize, Vec<String>)| cells.len() == 4)
        .collect()
}

/// The paragraph after the line in which `words` stand.
fn paragraph(sheet: &Source, words: &str) -> BTreeSet<String> {
    let lines = sheet.text.lines().skip_while(|line| !line.contains(words)).skip(1);
    lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).flat_map(ticked).collect()
}

/// What stands in backticks.
fn ticked(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The code of a file without its tests.
fn code(source: &Source) -> usize {
    source.text.find("#[cfg(test)]\nmod tests").unwrap_or(source.text.len())
}

/// Literals between two places of a file's text.
fn literals(source: &Source, from: usize, to: usize) -> impl Iterator<Item = &str> {
    let line = |at: usize| source.text[..at].bytes().filter(|byte| *byte == b'\n').count() + 1;
    let (from, to) = (line(from), line(to));
    source.literals.iter().filter(move |literal| literal.line > from && literal.line <= to).map(|one| one.text.as_str())
}

/// The first name of each row of a list in the code.
fn listed(sources: &[Source], (path, begin): (&str, &str)) -> BTreeSet<String> {
    let Some(source) = sources.iter().find(|source| source.path == path) else { return BTreeSet::new() };
    let Some(from) = source.text.find(begin) else { return BTreeSet::new() };
    let to = source.text[from..].find("\n];").map_or(source.text.len(), |length| from + length);
    literals(source, from, to).map(str::to_owned).collect()
}

/// Names of the fields that are laid on rows.
fn fields(sources: &[Source]) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for source in sources.iter().filter(|source| source.path.starts_with(INVENTORY)) {
        let text = &source.text[..code(source)];
        for call in FIELDS {
            let after =
                text.match_indices(call).filter_map(|(at, _)| text[at + call.len()..].trim_start().strip_prefix('"'));
            fields.extend(after.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
    for (path, begin) in TABLES {
        let table = listed(sources, (path, begin));
        fields.extend(
            table.into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')),
        );
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_not_told_and_what_is_told_and_not_read_is_named() {
        let file = |path: &str, text: &str| Source::new(path.to_owned(), text.to_owned());
        let sheet = "Sources have the names of node_exporter's collectors:\n\n`cpu` `check`\n\n### The inventory, field by field\n\n\
                     | `disks` | `serial` `gone` | sysfs | parts |\n\n## End\n";
        let sources = [
            file(
                SOURCES.0,
                "pub const SOURCES: &[Source] = &[\n    report(\"cpu\", x),\n    report(\"hwmon\", x),\n];\n",
            ),
            file(SECTIONS.0, "pub static SECTIONS: &[Source] = &[\n    files(\"disks\", x),\n];\n"),
            file("agent/src/inventory/disks.rs", "fn f() { row.durable(\"serial\", 1).known(\n \"wwn\", 2); }\n"),
        ];
        let said: Vec<String> = agrees(&file(SHEET, sheet), &sources).iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        for word in ["field `wwn` is read", "field `gone` stands here", "source `hwmon` is read"] {
            assert!(said.iter().any(|line| line.contains(word)), "{word}: {said:?}");
        }
    }
}
