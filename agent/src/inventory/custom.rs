//! A site's own sections: each `NAME.json` in a directory is the section `custom_NAME`.

use serde_json::Value;

use super::row::Filled;
use super::{Row, Section, Sheet, Unread, is_name};
use crate::clock;
use crate::host::Host;

/// Sections of one machine.
const SECTIONS_MAX: usize = 16;
/// Longest name of a field.
const NAME_MAX: usize = 63;

/// Names of sections and the files they are in, by name.
pub(super) fn found(host: &Host, directories: &[String]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for directory in directories {
        for file in host.list(directory).unwrap_or_default() {
            let name = file.strip_suffix(".json").map(|name| format!("custom_{name}")).filter(|name| is_name(name));
            if let Some(name) = name.filter(|name| found.iter().all(|(known, _)| known != name)) {
                found.push((name, format!("{directory}/{file}")));
            }
        }
    }
    found.sort_unstable();
    found.truncate(SECTIONS_MAX);
    found
}

/// Reads one.
pub(super) fn read(host: &Host, name: &str, path: &str) -> Section {
    let mut sheet = Sheet::default();
    sheet.read_in(path);
    let outcome = rows(host, path, &mut sheet);
    let Filled { status, reason, source, rows, whole } = sheet.filled(outcome);
    Section { name: name.to_owned(), status, reason, source, collected_ms: clock::now().wall_ms, rows, whole }
}

fn rows(host: &Host, path: &str, sheet: &mut Sheet) -> Result<(), Unread> {
    let text = host.read_text(path)?;
    let wrong = |why: &dyn std::fmt::Display| Unread::Unreadable(format!("{path}: {why}"));
    let all: Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
    let all = all.as_array().ok_or_else(|| wrong(&"expected an array of objects"))?;
    for (place, one) in all.iter().enumerate() {
        let Some(fields) = one.as_object() else {
            sheet.lacks(format!("{path}: entry {} is no object", place + 1));
            continue;
        };
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
            Value::Null => Some(String::new()),
            Value::Array(_) | Value::Object(_) => None,
        };
        let key = fields.get("key").or_else(|| fields.get("name")).and_then(text).filter(|key| !key.trim().is_empty());
        let mut row = Row::new(key.unwrap_or_else(|| format!("entry {}", place + 1)));
        for (name, value) in fields.iter().filter(|(name, _)| *name != "key") {
            match text(value).filter(|_| is_field(name)) {
                Some(value) => row = row.durable(name.clone(), value),
                None => sheet.lacks(format!("{path}: {name} is no field: small letters, digits and _, and one value")),
            }
        }
        sheet.row(row);
    }
    Ok(())
}

fn is_field(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;
    use super::*;

    #[test]
    fn each_file_is_a_section_and_says_what_is_wrong_with_it() {
        let machine = Machine::new();
        let own = |text: &str| machine.file("etc/muster/inventory.d/racks.json", text);
        own(r#"[{"key": "R1", "units": 42, "locked": true, "Bad": 1}, {"name": "R2", "list": []}, 7]"#);
        machine.file("etc/muster/inventory.d/Bad Name.json", "[]");
        let host = machine.host();
        let all = found(&host, &["/etc/muster/inventory.d".to_owned(), "/none".to_owned()]);
        assert_eq!(all, [("custom_racks".to_owned(), "/etc/muster/inventory.d/racks.json".to_owned())]);
        let section = || read(&host, &all[0].0, &all[0].1);
        let first = section();
        let rows: Vec<(&str, Option<&str>)> = first.rows.iter().map(|row| (&*row.key, row.get("units"))).collect();
        assert_eq!(rows, [("R1", Some("42")), ("R2", None)]);
        assert_eq!((first.rows[0].get("locked"), first.status), (Some("yes"), Status::Partial));
        assert!(first.reason.contains("Bad is no field"), "{}", first.reason);
        own("{\"a\": 1}");
        assert_eq!((section().status, section().whole), (Status::Unreadable, false));
        own("[{");
        assert!(section().reason.contains("EOF"), "{}", section().reason);
    }
}
