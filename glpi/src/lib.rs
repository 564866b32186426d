//! A machine's inventory in GLPI's inventory format (`inventory.schema.json`, github.com/glpi-project/inventory_format): the
//! same document whether the agent prints it or the collector exports it, so that GLPI knows the machine again.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Bytes of a MiB: sizes are told in MiB there.
const MIB: u64 = 1 << 20;

/// A row of a section.
#[derive(Debug, Clone, Default)]
pub struct Row<'a> {
    /// What names it where no field does; empty: nothing.
    pub key: &'a str,
    /// Names and values.
    pub fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Row<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// What it is called there: by one of these fields, or by its key.
    fn called(&self, fields: &[&str]) -> Option<&'a str> {
        let named = fields.iter().find_map(|field| self.get(field));
        named.or(Some(self.key).filter(|key| !key.is_empty()))
    }
}

/// What there is to tell of a machine: sections with the names and fields of `muster-agent inventory`.
#[derive(Debug, Clone, Default)]
pub struct Machine<'a> {
    /// Its name.
    pub name: &'a str,
    /// The sections by name.
    pub sections: BTreeMap<&'a str, Vec<Row<'a>>>,
}

impl<'a> Machine<'a> {
    fn rows(&self, section: &str) -> impl Iterator<Item = &Row<'a>> {
        self.sections.get(section).into_iter().flatten()
    }

    fn get(&self, section: &str, field: &str) -> Option<&'a str> {
        self.rows(section).find_map(|row| row.get(field))
    }

    /// An entry for each row.
    fn each(&self, section: &str, entry: impl Fn(&Row<'a>) -> Entry) -> Value {
        self.rows(section).map(|row| entry(row).value()).collect::<Vec<_>>().into()
    }
}

/// An object without what is not known.
#[derive(Default)]
struct Entry(Map<String, Value>);

impl Entry {
    fn text(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    fn number(mut self, name: &str, value: Option<u64>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    fn flag(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), (value == "yes").into());
        }
        self
    }

    fn value(self) -> Value {
        Value::Object(self.0)
    }
}

fn number(row: &Row<'_>, field: &str) -> Option<u64> {
    row.get(field)?.parse().ok()
}

fn mib(row: &Row<'_>, field: &str) -> Option<u64> {
    number(row, field).map(|bytes| bytes / MIB)
}

/// `2026-11-30T12:00:00Z` as `2026-11-30 12:00:00`.
fn spaced(instant: &str) -> String {
    instant.trim_end_matches('Z').replace('T', " ")
}

/// By what GLPI knows the machine again: its name and since when it is installed, as GLPI's own agent has it.
#[must_use]
pub fn device_id(machine: &Machine<'_>) -> String {
    let since = machine.get("os", "installed_at").unwrap_or("1970-01-01T00:00:00Z");
    format!("{}-{}", machine.name, since.trim_end_matches('Z').replace(['T', ':'], "-"))
}

/// The document. What is not known is left out.
#[must_use]
pub fn document(machine: &Machine<'_>) -> Value {
    let mut content = json!({
        "versionclient": format!("Muster-Agent_v{}", env!("CARGO_PKG_VERSION")),
        "hardware": hardware(machine),
        "bios": bios(machine),
        "operatingsystem": operating_system(machine),
    });
    let lists = [
        ("cpus", cpus(machine)),
        ("memories", memories(machine)),
        ("storages", storages(machine)),
        ("drives", drives(machine)),
        ("networks", networks(machine)),
        ("softwares", software(machine)),
        ("local_users", local_users(machine)),
        ("local_groups", local_groups(machine)),
        ("batteries", batteries(machine)),
        ("controllers", controllers(machine)),
        ("usbdevices", usb(machine)),
        (
            "videos",
            machine.each("gpus", |row| {
                Entry::default().text("name", row.called(&["name", "address"])).text("pcislot", row.get("address"))
            }),
        ),
        ("powersupplies", power_supplies(machine)),
        ("virtualmachines", virtual_machines(machine)),
        (
            "antivirus",
            machine.each("protection", |row| {
                Entry::default().text("name", row.get("name")).flag("enabled", row.get("running"))
            }),
        ),
    ];
    for (section, list) in lists {
        if list.as_array().is_some_and(|list| !list.is_empty()) {
            content[section] = list;
        }
    }
    json!({"action": "inventory", "itemtype": "Computer", "deviceid": device_id(machine), "content": content})
}

fn hardware(machine: &Machine<'_>) -> Value {
    let memory: u64 = machine.rows("memory_modules").filter_map(|row| mib(row, "size_bytes")).sum();
    let swap = machine.rows("volumes").filter(|row| row.get("file_system") == Some("swap"));
    let swap: u64 = swap.filter_map(|row| mib(row, "size_bytes")).sum();
    Entry::default()
        .text("name", Some(machine.name))
        .text("uuid", machine.get("system", "uuid"))
        .text("chassis_type", machine.get("system", "chassis"))
        .text("vmsystem", machine.get("virtualization", "hypervisor").or(Some("Physical")))
        .number("memory", Some(memory).filter(|memory| *memory > 0))
        .number("swap", Some(swap))
        .value()
}

fn bios(machine: &Machine<'_>) -> Value {
    let board = machine.rows("boards").find(|row| row.get("kind") == Some("board"));
    let chassis = machine.rows("boards").find(|row| row.get("kind") == Some("chassis"));
    let of = |row: Option<&Row<'_>>, field: &str| row.and_then(|row| row.get(field)).map(str::to_owned);
    let secure = match (machine.get("firmware", "secure_boot"), machine.get("firmware", "boot_mode")) {
        (Some("yes"), _) => Some("enabled"),
        (Some(_), _) => Some("disabled"),
        (None, Some("bios")) => Some("unsupported"),
        (None, _) => None,
    };
    Entry::default()
        .text("smanufacturer", machine.get("system", "manufacturer"))
        .text("smodel", machine.get("system", "model"))
        .text("ssn", machine.get("system", "serial"))
        .text("skunumber", machine.get("system", "sku"))
        .text("assettag", machine.get("system", "asset_tag"))
        .text("bmanufacturer", machine.get("firmware", "vendor"))
        .text("bversion", machine.get("firmware", "version"))
        .text("bdate", machine.get("firmware", "date").filter(|date| date.len() == 10 && date.as_bytes()[4] == b'-'))
        .text("mmanufacturer", of(board, "manufacturer").as_deref())
        .text("mmodel", of(board, "product").as_deref())
        .text("msn", of(board, "serial").as_deref())
        .text("enclosureserial", of(chassis, "serial").as_deref())
        .text("secure_boot", secure)
        .value()
}

fn operating_system(machine: &Machine<'_>) -> Value {
    let at = |field: &str| machine.get("os", field).map(spaced);
    Entry::default()
        .text("name", machine.get("os", "name").or(machine.get("os", "id")))
        .text("full_name", machine.get("os", "pretty_name"))
        .text("version", machine.get("os", "version_id"))
        .text("arch", machine.get("os", "architecture"))
        .text("kernel_name", Some("linux"))
        .text("kernel_version", machine.get("os", "kernel"))
        .text("fqdn", Some(machine.name).filter(|name| name.contains('.')))
        .text("boot_time", at("booted_at").as_deref())
        .text("install_date", at("installed_at").as_deref())
        .value()
}

fn cpus(machine: &Machine<'_>) -> Value {
    machine.each("cpu", |row| {
        let threads = number(row, "threads").unwrap_or(1);
        let cores = number(row, "cores").unwrap_or(threads).max(1);
        let mut parts = row.get("family_model_stepping").unwrap_or_default().split('/');
        Entry::default()
            .text("name", row.get("model"))
            .text("manufacturer", row.get("vendor"))
            .text("familynumber", parts.next().filter(|part| !part.is_empty()))
            .text("model", parts.next())
            .number("stepping", parts.next().and_then(|part| part.parse().ok()))
            .number("core", Some(cores))
            .number("corecount", Some(cores))
            // Of each core, there.
            .number("thread", Some(threads / cores))
            .number("speed", number(row, "max_mhz"))
    })
}

fn memories(machine: &Machine<'_>) -> Value {
    let rows = machine.rows("memory_modules").zip(1_u64..);
    let entry = |(row, slot): (&Row<'_>, u64)| {
        Entry::default()
            .text("caption", row.get("slot"))
            .text("description", row.get("form"))
            .text("formfactor", row.get("form"))
            .text("type", row.get("type"))
            .text("manufacturer", row.get("manufacturer"))
            .text("model", row.get("part_number"))
            .text("serialnumber", row.get("serial"))
            .text("speed", row.get("configured_speed_mts").or(row.get("speed_mts")))
            .number("capacity", mib(row, "size_bytes"))
            .number("numslots", Some(slot))
            .value()
    };
    rows.map(entry).collect::<Vec<_>>().into()
}

fn storages(machine: &Machine<'_>) -> Value {
    machine.each("disks", |row| {
        Entry::default()
            .text("name", row.get("name"))
            .text("model", row.get("model"))
            .text("manufacturer", row.get("vendor"))
            .text("serial", row.get("serial"))
            .text("firmware", row.get("firmware"))
            .text("wwn", row.get("wwn"))
            .text("type", row.get("media"))
            .text("interface", row.get("transport"))
            .number("disksize", mib(row, "size_bytes"))
    })
}

fn drives(machine: &Machine<'_>) -> Value {
    let rows = machine.rows("volumes").filter(|row| row.get("file_system") != Some("swap"));
    let entry = |row: &Row<'_>| {
        Entry::default()
            .text("type", row.get("mount_point"))
            .text("volumn", row.get("device"))
            .text("filesystem", row.get("file_system"))
            .text("label", row.get("label"))
            .text("serial", row.get("uuid"))
            .number("total", mib(row, "size_bytes"))
            .number("free", mib(row, "free_bytes"))
            .text("encrypt_status", row.get("encrypted").map(|yes| if yes == "yes" { "Yes" } else { "No" }))
            .text("encrypt_type", row.get("encryption"))
            .value()
    };
    rows.map(entry).collect::<Vec<_>>().into()
}

/// An entry for each address, and one for an interface without any.
fn networks(machine: &Machine<'_>) -> Value {
    let mut entries = Vec::new();
    for row in machine.rows("interfaces") {
        let name = row.get("name");
        let kind = match row.get("kind") {
            Some("wlan") => Some("wifi"),
            Some("bridge") => Some("bridge"),
            Some("bond") => Some("aggregate"),
            Some("ethernet") => Some("ethernet"),
            _ => None,
        };
        let status = row.get("state").filter(|state| ["up", "down", "dormant", "unknown"].contains(state));
        let entry = || {
            Entry::default()
                .text("description", row.called(&["name"]))
                .text("mac", row.get("mac"))
                .text("status", status)
                .text("type", kind)
                .text("driver", row.get("driver"))
                .text("speed", row.get("speed_mbits"))
                .number("mtu", number(row, "mtu"))
                .flag("virtualdev", Some(if row.get("bus").is_some() { "no" } else { "yes" }))
        };
        let own: Vec<&Row<'_>> = machine.rows("addresses").filter(|address| address.get("interface") == name).collect();
        for address in &own {
            let field = if address.get("family") == Some("IPv4") { "ipaddress" } else { "ipaddress6" };
            entries.push(entry().text(field, address.get("address")).value());
        }
        if own.is_empty() {
            entries.push(entry().value());
        }
    }
    entries.into()
}

fn software(machine: &Machine<'_>) -> Value {
    machine.each("packages", |row| {
        let installed = row.get("installed_at").map(spaced);
        Entry::default()
            .text("name", row.called(&["name"]))
            .text("version", row.get("version"))
            .text("arch", row.get("architecture"))
            .text("publisher", row.get("vendor").or(row.get("maintainer")))
            .text("from", row.get("manager").map(|manager| if manager == "dpkg" { "deb" } else { manager }))
            .text("install_date", installed.as_deref())
    })
}

fn local_users(machine: &Machine<'_>) -> Value {
    machine.each("users", |row| {
        Entry::default()
            .text("id", row.get("uid").or(Some("")))
            .text("login", row.get("name"))
            .text("name", row.get("full_name"))
            .text("home", row.get("home"))
            .text("shell", row.get("shell"))
    })
}

fn local_groups(machine: &Machine<'_>) -> Value {
    machine.each("groups", |row| {
        let members: Vec<&str> = row.get("members").into_iter().flat_map(|members| members.split(',')).collect();
        let mut entry = Entry::default().text("id", row.get("gid").or(Some(""))).text("name", row.called(&["name"]));
        entry.0.insert("members".to_owned(), members.into());
        entry
    })
}

fn batteries(machine: &Machine<'_>) -> Value {
    machine.each("batteries", |row| {
        Entry::default()
            .text("name", row.get("model").or(row.get("name")))
            .text("manufacturer", row.get("manufacturer"))
            .text("serial", row.get("serial"))
            .text("chemistry", row.get("technology"))
            .text("date", row.get("made"))
            .number("capacity", number(row, "design_mwh"))
            .number("real_capacity", number(row, "full_mwh"))
    })
}

fn controllers(machine: &Machine<'_>) -> Value {
    machine.each("pci", |row| {
        Entry::default()
            .text("name", row.called(&["name", "address"]))
            .text("caption", row.get("name"))
            .text("manufacturer", row.get("vendor"))
            .text("driver", row.get("driver"))
            .text("pcislot", row.get("address"))
            .text("pciclass", row.get("class").and_then(|class| class.get(..4)))
            .text("vendorid", row.get("vendor_id"))
            .text("productid", row.get("device_id"))
            .text("pcisubsystemid", row.get("subsystem"))
    })
}

fn usb(machine: &Machine<'_>) -> Value {
    machine.each("usb", |row| {
        Entry::default()
            .text("name", row.called(&["product", "port"]))
            .text("caption", row.get("product"))
            .text("manufacturer", row.get("manufacturer"))
            .text("vendorid", row.get("vendor_id"))
            .text("productid", row.get("product_id"))
            .text("class", row.get("class"))
            .text("serial", row.get("serial"))
    })
}

fn power_supplies(machine: &Machine<'_>) -> Value {
    machine.each("power_supplies", |row| {
        Entry::default()
            .text("name", row.get("name"))
            .text("location", row.get("location"))
            .text("manufacturer", row.get("manufacturer"))
            .text("serialnumber", row.get("serial"))
            .text("partnum", row.get("part_number"))
            .number("power_max", number(row, "watts"))
            .flag("hotreplaceable", row.get("hot_replaceable"))
            .flag("plugged", row.get("present"))
    })
}

fn virtual_machines(machine: &Machine<'_>) -> Value {
    machine.each("containers", |row| {
        let status = row.get("state").map(|state| if state == "running" { "running" } else { "off" });
        Entry::default()
            .text("name", row.called(&["name"]))
            .text("vmtype", row.get("manager"))
            .text("subsystem", row.get("kind"))
            .text("image", row.get("image"))
            .text("uuid", row.get("uuid"))
            .text("status", status)
            .number("vcpu", number(row, "processors"))
            .number("memory", mib(row, "memory_bytes"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(key: &'a str, fields: &[(&'a str, &'a str)]) -> Row<'a> {
        Row { key, fields: fields.to_vec() }
    }

    #[test]
    fn what_is_known_has_the_formats_names_and_units_and_what_is_not_is_left_out() {
        let os =
            row("os", &[("name", "Debian GNU/Linux"), ("version_id", "12"), ("installed_at", "2026-01-02T03:04:05Z")]);
        let swap = row("swap//swap.img", &[("file_system", "swap"), ("size_bytes", "2147483648")]);
        let bash = row(
            "dpkg/bash/amd64",
            &[("name", "bash"), ("version", "5.2-1"), ("architecture", "amd64"), ("manager", "dpkg")],
        );
        let group = row("sudo", &[("gid", "27"), ("members", "ann,bob")]);
        let usb = row("", &[("port", "1-2"), ("vendor_id", "1d6b")]);
        let machine = Machine {
            name: "alpha",
            sections: [("os", os), ("volumes", swap), ("packages", bash), ("groups", group), ("usb", usb)]
                .into_iter()
                .map(|(name, row)| (name, vec![row]))
                .collect(),
        };
        let document = document(&machine);
        assert_eq!(document["deviceid"], "alpha-2026-01-02-03-04-05");
        let content = &document["content"];
        assert_eq!(content["hardware"], json!({"name": "alpha", "vmsystem": "Physical", "swap": 2048}));
        assert_eq!(content["softwares"], json!([{"name": "bash", "version": "5.2-1", "arch": "amd64", "from": "deb"}]));
        assert_eq!(content["local_groups"], json!([{"id": "27", "name": "sudo", "members": ["ann", "bob"]}]));
        assert_eq!(
            content["usbdevices"],
            json!([{"name": "1-2", "vendorid": "1d6b"}]),
            "by its port where it has no name"
        );
        assert_eq!(content["operatingsystem"]["version"], "12");
        assert!(content.get("batteries").is_none(), "{content}");
    }
}
