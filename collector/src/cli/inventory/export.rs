//! The inventory in other people's formats: tables for spreadsheets, hosts for Ansible.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::domain::{
    csv::safe_cell,
    sheet::{Book, Cell, Sheet},
    time::Timestamp,
};

/// The columns that come before the fields.
const FIXED: [&str; 3] = ["host", "section", "collected_at"];
/// Longest name of a sheet, in characters: Excel takes no more.
const SHEET_CHARS: usize = 31;

/// A row of a host's section.
struct Line<'a> {
    host: &'a Value,
    section: &'a str,
    collected: &'a Value,
    row: &'a Value,
}

fn lines(documents: &[Value]) -> impl Iterator<Item = Line<'_>> {
    documents.iter().flat_map(|document| {
        let sections = document["sections"].as_object().into_iter().flatten();
        sections.flat_map(move |(section, said)| {
            let rows = said["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
            rows.iter().map(move |row| Line { host: &document["host"], section, collected: &said["collected_at"], row })
        })
    })
}

fn fields<'a>(lines: impl Iterator<Item = &'a Line<'a>>) -> BTreeSet<&'a str> {
    lines.filter_map(|line| line.row.as_object()).flat_map(|row| row.keys().map(String::as_str)).collect()
}

/// All rows of all hosts, with a column for each field that any of them has.
pub(super) fn csv(documents: &[Value]) -> String {
    let all: Vec<Line<'_>> = lines(documents).collect();
    let names = fields(all.iter());
    let cell = |value: &Value| safe_cell(value.as_str().unwrap_or_default());
    let mut text = FIXED.join(",");
    for name in &names {
        text.push(',');
        text.push_str(&safe_cell(name));
    }
    text.push('\n');
    for line in &all {
        let fixed = [cell(line.host), safe_cell(line.section), cell(line.collected)];
        let fields = names.iter().map(|name| cell(&line.row[*name]));
        text.push_str(&fixed.into_iter().chain(fields).collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

/// The same with a sheet for each section, as of when the latest was read.
pub(super) fn book(documents: &[Value]) -> Book {
    let all: Vec<Line<'_>> = lines(documents).collect();
    let mut sections: BTreeMap<&str, Vec<&Line<'_>>> = BTreeMap::new();
    all.iter().for_each(|line| sections.entry(line.section).or_default().push(line));
    let latest = all.iter().filter_map(|line| line.collected.as_str()?.parse::<jiff::Timestamp>().ok()).max();
    let mut taken = BTreeSet::new();
    let sheets = sections.into_iter().map(|(section, lines)| {
        let mut names: Vec<&str> = fields(lines.iter().copied()).into_iter().collect();
        // What people look for first.
        names.sort_by_key(|name| (*name != "name", *name != "version"));
        let cell = |value: &Value| value.as_str().map_or(Cell::Empty, |text| Cell::Text(text.to_owned()));
        let row = |line: &&Line<'_>| {
            let fixed = [cell(line.host), cell(line.collected)];
            fixed.into_iter().chain(names.iter().map(|name| cell(&line.row[*name]))).collect()
        };
        let heading = ["host", "collected_at"].into_iter().chain(names.iter().copied());
        Sheet {
            name: sheet_name(section, &mut taken),
            heading: heading.map(str::to_owned).collect(),
            rows: lines.iter().map(row).collect(),
        }
    });
    let sheets = sheets.collect();
    let made = Timestamp::from_ms(latest.map_or(0, jiff::Timestamp::as_millisecond));
    Book { title: "Inventory".to_owned(), made, sheets }
}

/// Sections of one's own may have long names; two that begin alike are numbered.
fn sheet_name(section: &str, taken: &mut BTreeSet<String>) -> String {
    let name = |n: usize| {
        let end = if n == 0 { String::new() } else { format!("_{n}") };
        let begin: String = section.chars().take(SHEET_CHARS - end.len()).collect();
        begin + &end
    };
    let mut n = 0;
    while !taken.insert(name(n)) {
        n += 1;
    }
    name(n)
}

/// An inventory for Ansible's YAML plugin: each host with its address, in groups by class, site and labels. What hosts and
/// people said is tagged `!unsafe`: Ansible would run what stands in braces in any other text.
pub(super) fn ansible(hosts: &[Value]) -> String {
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut text = String::from("all:\n  hosts:\n");
    for host in hosts {
        let name = quoted(&host["name"]);
        text.push_str(&format!("    {name}:\n"));
        let mut say = |key: &str, value: &Value| {
            if value.as_str().is_some_and(|value| !value.is_empty()) {
                text.push_str(&format!("      {key}: !unsafe {}\n", quoted(value)));
            }
        };
        say("ansible_host", &host["address"]);
        say("muster_id", &host["id"]);
        say("muster_os", &host["facts"]["os_release"]);
        say("muster_state", &host["state"]);
        let labels = host["labels"].as_object().into_iter().flatten();
        let labels = labels.map(|(label, value)| (label.as_str(), value));
        for (label, value) in [("class", &host["class"]), ("site", &host["site"])].into_iter().chain(labels) {
            let Some(value) = value.as_str().filter(|value| !value.is_empty()) else { continue };
            groups.entry(identifier(&format!("{label}_{value}"))).or_default().insert(name.clone());
        }
    }
    text.push_str("  children:\n");
    for (group, hosts) in groups {
        text.push_str(&format!("    {group}:\n      hosts:\n"));
        hosts.iter().for_each(|host| text.push_str(&format!("        {host}:\n")));
    }
    text
}

/// A string of YAML 1.2, of which JSON's are some.
fn quoted(value: &Value) -> String {
    Value::String(value.as_str().unwrap_or_default().to_owned()).to_string()
}

/// A group's name as Ansible takes it: letters, digits and underscores.
fn identifier(text: &str) -> String {
    text.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(host: &str, name: &str) -> Value {
        json!({ "host": host, "sections": {
            "packages": { "collected_at": "2026-11-30T12:00:00Z", "rows": [{ "name": name, "version": "1, 2" }] },
            "users": { "collected_at": "2026-11-30T12:00:00Z", "rows": [{ "name": "ann", "uid": "1000" }] } } })
    }

    #[test]
    fn a_table_has_a_line_for_each_row_and_no_formula() {
        let text = csv(&[document("web-1", "=cmd()"), document("web-2", "@x\n\"y\"")]);
        let expected = "host,section,collected_at,name,uid,version\n\
            web-1,packages,2026-11-30T12:00:00Z,'=cmd(),,\"1, 2\"\n\
            web-1,users,2026-11-30T12:00:00Z,ann,1000,\n\
            web-2,packages,2026-11-30T12:00:00Z,\"'@x\n\"\"y\"\"\",,\"1, 2\"\n\
            web-2,users,2026-11-30T12:00:00Z,ann,1000,\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_book_has_a_sheet_for_each_section_whatever_it_is_called() {
        let long = "custom_".to_owned() + &"x".repeat(40);
        let rows = |value: &str| json!({ "rows": [{ "key": value }] });
        let sections = json!({ "sections": { long.clone(): rows("a"), format!("{long}y"): rows("b") } });
        let found = book(&[document("web-1", "=cmd()"), sections]);
        let names: Vec<&str> = found.sheets.iter().map(|sheet| sheet.name.as_str()).collect();
        let [first, second] = ["x".repeat(24), format!("{}_1", "x".repeat(22))].map(|end| format!("custom_{end}"));
        assert_eq!(names, [first.as_str(), &second, "packages", "users"]);
        let packages = &found.sheets[2];
        assert_eq!(packages.heading, ["host", "collected_at", "name", "version"]);
        assert_eq!(packages.rows[0][2], Cell::Text("=cmd()".into()), "a text, which nobody reckons");
        // 2026-11-30T12:00:00Z
        assert_eq!(found.made.ms(), 1_796_040_000_000);
    }

    #[test]
    fn hosts_are_grouped_for_ansible_and_what_they_say_is_not_run() {
        let host = |name: &str, site: &str, os: &str| {
            json!({ "name": name, "id": "0190-1", "address": "192.0.2.7", "class": "server", "site": site, "state": "up",
                    "labels": { "environment": "prod" }, "facts": { "os_release": os } })
        };
        let text =
            ansible(&[host("web-1", "Ulm (Nord)", "{{ lookup('pipe', 'id') }}"), host("web-2", "", "Debian \"12\"")]);
        let expected = "all:\n  hosts:\n    \"web-1\":\n      ansible_host: !unsafe \"192.0.2.7\"\n      \
            muster_id: !unsafe \"0190-1\"\n      muster_os: !unsafe \"{{ lookup('pipe', 'id') }}\"\n      \
            muster_state: !unsafe \"up\"\n    \"web-2\":\n      ansible_host: !unsafe \"192.0.2.7\"\n      \
            muster_id: !unsafe \"0190-1\"\n      muster_os: !unsafe \"Debian \\\"12\\\"\"\n      muster_state: !unsafe \"up\"\n  \
            children:\n    class_server:\n      hosts:\n        \"web-1\":\n        \"web-2\":\n    \
            environment_prod:\n      hosts:\n        \"web-1\":\n        \"web-2\":\n    \
            site_Ulm__Nord_:\n      hosts:\n        \"web-1\":\n";
        assert_eq!(text, expected);
    }
}
