//! The inventory as one JSON document.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::tell::{Wanted, take};
use super::{Row, Section, date};
use crate::host::Host;

/// Takes all sections once.
#[must_use]
pub fn look(host: &Host, wanted: &Wanted) -> Vec<Section> {
    let mut sections = Vec::new();
    take(host, wanted, |_| true, |section| sections.push(section));
    sections
}

/// The document: of each section `status`, `reason`, `source`, `collected_at`, `volatile` (the names of the fields that
/// move by themselves) and `rows`, in the order of their keys.
#[must_use]
pub fn json(host: &Host, sections: &[Section]) -> String {
    let all: Map<String, Value> = sections.iter().map(|one| (one.name.clone(), section(one))).collect();
    let document = json!({ "schema": 1, "host": name(host), "sections": all });
    format!("{document:#}\n")
}

/// What the machine calls itself.
pub(super) fn name(host: &Host) -> String {
    let told = host.read_text("/proc/sys/kernel/hostname").ok().filter(|name| !name.is_empty());
    told.or_else(|| host.uname().ok().map(|uname| uname.nodename)).unwrap_or_default()
}

fn section(section: &Section) -> Value {
    let volatile: BTreeSet<&str> =
        section.rows.iter().flat_map(|row| &row.latest).map(|(name, _)| name.as_ref()).collect();
    json!({
        "status": section.status.word(),
        "reason": section.reason,
        "source": section.source,
        "collected_at": date::spelled(section.collected_ms.div_euclid(1000)),
        "volatile": volatile,
        "rows": section.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn row(row: &Row) -> Value {
    let fields = row.durable.iter().chain(&row.latest);
    let mut value: Map<String, Value> = fields.map(|(name, value)| (name.to_string(), value.as_str().into())).collect();
    if !row.source.is_empty() {
        value.insert("source".to_owned(), row.source.as_str().into());
    }
    value.into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::*;

    #[test]
    fn a_section_says_status_reason_source_and_time_and_its_rows_are_plain_objects() {
        let machine = Machine::new();
        machine.file("proc/sys/kernel/hostname", "alpha\n");
        machine.file(
            "var/lib/dpkg/status",
            "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\n\n",
        );
        let host = machine.host();
        let wanted = Wanted { off: vec!["system".to_owned()], ..Wanted::default() };
        let document: Value = serde_json::from_str(&json(&host, &look(&host, &wanted))).unwrap();
        assert_eq!((&document["schema"], &document["host"]), (&json!(1), &json!("alpha")));
        let packages = &document["sections"]["packages"];
        assert_eq!((&packages["status"], &packages["source"]), (&json!("complete"), &json!("/var/lib/dpkg/status")));
        let row = json!({"manager": "dpkg", "name": "bash", "version": "5.2-1", "architecture": "amd64"});
        assert_eq!(packages["rows"], json!([row]));
        assert!(packages["collected_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{packages}");
        let off = &document["sections"]["system"];
        assert_eq!((&off["status"], &off["rows"]), (&json!("switched_off"), &json!([])));
    }
}
