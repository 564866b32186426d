//! The inventory as GLPI takes it.

use muster_glpi::{Machine, Row, document};

use super::{Section, print};
use crate::host::Host;

/// The document.
#[must_use]
pub fn json(host: &Host, sections: &[Section]) -> String {
    let name = print::name(host);
    let mut machine = Machine { name: &name, ..Machine::default() };
    for section in sections {
        let rows = section.rows.iter().map(|row| {
            let fields = row.durable.iter().chain(&row.latest);
            Row { key: &row.key, fields: fields.map(|(name, value)| (name.as_ref(), value.as_str())).collect() }
        });
        machine.sections.insert(&section.name, rows.collect());
    }
    format!("{:#}\n", document(&machine))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tell::Wanted;
    use super::super::testing::Machine;
    use super::*;

    #[test]
    fn what_is_known_has_the_formats_names_and_units_and_what_is_not_is_left_out() {
        let machine = Machine::new();
        machine.files(&[
            ("proc/sys/kernel/hostname", "alpha\n"),
            ("etc/os-release", "ID=debian\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n"),
            ("etc/group", "sudo:x:27:ann,bob\n"),
            ("var/lib/dpkg/status", "Package: bash\nVersion: 5.2-1\nArchitecture: amd64\n"),
            ("proc/swaps", "Filename Type Size Used Priority\n/swap.img file 2097152 0 -2\n"),
            ("proc/1/mountinfo", ""),
        ]);
        let host = machine.host();
        let sections = print::look(&host, &Wanted::default());
        let document: Value = serde_json::from_str(&super::json(&host, &sections)).unwrap();
        let content = &document["content"];
        assert!(document["deviceid"].as_str().is_some_and(|id| id == "alpha-1970-01-01-00-00-00"), "{document}");
        assert_eq!(content["hardware"], json!({"name": "alpha", "vmsystem": "Physical", "swap": 2048}));
        assert_eq!(content["softwares"], json!([{"name": "bash", "version": "5.2-1", "arch": "amd64", "from": "deb"}]));
        assert_eq!(content["local_groups"], json!([{"id": "27", "name": "sudo", "members": ["ann", "bob"]}]));
        assert_eq!(content["operatingsystem"]["version"], "12");
        assert!(content.get("batteries").is_none(), "{content}");
    }
}
