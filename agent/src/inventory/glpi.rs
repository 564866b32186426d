//! The inventory in GLPI's inventory format (`inventory.schema.json`, github.com/glpi-project/inventory_format).

use serde_json::{Map, Value, json};

use super::{Row, Section, print};
use crate::host::Host;

/// Bytes of a MiB: sizes are told in MiB there.
const MIB: u64 = 1 << 20;

/// The sections as they were taken.
struct Taken<'a>(&'a [Section]);

impl<'a> Taken<'a> {
    fn rows(&self, section: &str) -> impl Iterator<Item = &'a Row> {
        self.0.iter().filter(move |one| one.name == section).flat_map(|one| &one.rows)
    }

    fn get(&self, section: &str, field: &str) -> Option<&'a str> {
        self.rows(section).find_map(|row| row.get(field))
    }

    /// An entry for each row.
    fn each(&self, section: &str, entry: impl Fn(&'a Row) -> Entry) -> Value {
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

fn number(row: &Row, field: &str) -> Option<u64> {
    row.get(field)?.parse().ok()
}

fn mib(row: &Row, field: &str) -> Option<u64> {
    number(row, field).map(|bytes| bytes / MIB)
}

/// `2026-11-30T12:00:00Z` as `2026-11-30 12:00:00`.
fn spaced(instant: &str) -> String {
    instant.trim_end_matches('Z').replace('T', " ")
}

/// The document.
#[must_use]
pub fn json(host: &Host, sections: &[Section]) -> String {
    let taken = Taken(sections);
    let name = print::name(host);
    // A name and an instant, as GLPI's own agent has it: by which it knows the machine again.
    let since = taken.get("os", "installed_at").unwrap_or("1970-01-01T00:00:00Z");
    let id = format!("{name}-{}", since.trim_end_matches('Z').replace(['T', ':'], "-"));
    let mut content = json!({
        "versionclient": format!("Muster-Agent_v{}", env!("CARGO_PKG_VERSION")),
        "hardware": hardware(&taken, &name),
        "bios": bios(&taken),
        "operatingsystem": operating_system(&taken, &name),
    });
    let lists = [
        ("cpus", cpus(&taken)),
        ("memories", memories(&taken)),
        ("storages", storages(&taken)),
        ("drives", drives(&taken)),
        ("networks", networks(&taken)),
        ("softwares", software(&taken)),
        ("local_users", local_users(&taken)),
        ("local_groups", local_groups(&taken)),
        ("batteries", batteries(&taken)),
        ("controllers", controllers(&taken)),
        ("usbdevices", usb(&taken)),
        (
            "videos",
            taken.each("gpus", |row| {
                Entry::default().text("name", row.get("name").or(Some(&row.key))).text("pcislot", row.get("address"))
            }),
        ),
        ("powersupplies", power_supplies(&taken)),
        ("virtualmachines", virtual_machines(&taken)),
        (
            "antivirus",
            taken.each("protection", |row| {
                Entry::default().text("name", row.get("name")).flag("enabled", row.get("running"))
            }),
        ),
    ];
    for (section, list) in lists {
        if list.as_array().is_some_and(|list| !list.is_empty()) {
            content[section] = list;
        }
    }
    let document = json!({"action": "inventory", "itemtype": "Computer", "deviceid": id, "content": content});
    format!("{document:#}\n")
}

fn hardware(taken: &Taken<'_>, name: &str) -> Value {
    let memory: u64 = taken.rows("memory_modules").filter_map(|row| mib(row, "size_bytes")).sum();
    let swap = taken.rows("volumes").filter(|row| row.get("file_system") == Some("swap"));
    let swap: u64 = swap.filter_map(|row| mib(row, "size_bytes")).sum();
    Entry::default()
        .text("name", Some(name))
        .text("uuid", taken.get("system", "uuid"))
        .text("chassis_type", taken.get("system", "chassis"))
        .text("vmsystem", taken.get("virtualization", "hypervisor").or(Some("Physical")))
        .number("memory", Some(memory).filter(|memory| *memory > 0))
        .number("swap", Some(swap))
        .value()
}

fn bios(taken: &Taken<'_>) -> Value {
    let board = taken.rows("boards").find(|row| row.get("kind") == Some("board"));
    let chassis = taken.rows("boards").find(|row| row.get("kind") == Some("chassis"));
    let of = |row: Option<&Row>, field: &str| row.and_then(|row| row.get(field)).map(str::to_owned);
    let secure = match (taken.get("firmware", "secure_boot"), taken.get("firmware", "boot_mode")) {
        (Some("yes"), _) => Some("enabled"),
        (Some(_), _) => Some("disabled"),
        (None, Some("bios")) => Some("unsupported"),
        (None, _) => None,
    };
    Entry::default()
        .text("smanufacturer", taken.get("system", "manufacturer"))
        .text("smodel", taken.get("system", "model"))
        .text("ssn", taken.get("system", "serial"))
        .text("skunumber", taken.get("system", "sku"))
        .text("assettag", taken.get("system", "asset_tag"))
        .text("bmanufacturer", taken.get("firmware", "vendor"))
        .text("bversion", taken.get("firmware", "version"))
        .text("bdate", taken.get("firmware", "date").filter(|date| date.len() == 10 && date.as_bytes()[4] == b'-'))
        .text("mmanufacturer", of(board, "manufacturer").as_deref())
        .text("mmodel", of(board, "product").as_deref())
        .text("msn", of(board, "serial").as_deref())
        .text("enclosureserial", of(chassis, "serial").as_deref())
        .text("secure_boot", secure)
        .value()
}

fn operating_system(taken: &Taken<'_>, name: &str) -> Value {
    let at = |field: &str| taken.get("os", field).map(spaced);
    Entry::default()
        .text("name", taken.get("os", "name").or(taken.get("os", "id")))
        .text("full_name", taken.get("os", "pretty_name"))
        .text("version", taken.get("os", "version_id"))
        .text("arch", taken.get("os", "architecture"))
        .text("kernel_name", Some("linux"))
        .text("kernel_version", taken.get("os", "kernel"))
        .text("fqdn", Some(name).filter(|name| name.contains('.')))
        .text("boot_time", at("booted_at").as_deref())
        .text("install_date", at("installed_at").as_deref())
        .value()
}

fn cpus(taken: &Taken<'_>) -> Value {
    taken.each("cpu", |row| {
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

fn memories(taken: &Taken<'_>) -> Value {
    let rows = taken.rows("memory_modules").zip(1_u64..);
    let entry = |(row, slot): (&Row, u64)| {
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

fn storages(taken: &Taken<'_>) -> Value {
    taken.each("disks", |row| {
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

fn drives(taken: &Taken<'_>) -> Value {
    let rows = taken.rows("volumes").filter(|row| row.get("file_system") != Some("swap"));
    let entry = |row: &Row| {
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
fn networks(taken: &Taken<'_>) -> Value {
    let mut entries = Vec::new();
    for row in taken.rows("interfaces") {
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
                .text("description", name.or(Some(&row.key)))
                .text("mac", row.get("mac"))
                .text("status", status)
                .text("type", kind)
                .text("driver", row.get("driver"))
                .text("speed", row.get("speed_mbits"))
                .number("mtu", number(row, "mtu"))
                .flag("virtualdev", Some(if row.get("bus").is_some() { "no" } else { "yes" }))
        };
        let own: Vec<&Row> = taken.rows("addresses").filter(|address| address.get("interface") == name).collect();
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

fn software(taken: &Taken<'_>) -> Value {
    taken.each("packages", |row| {
        let installed = row.get("installed_at").map(spaced);
        Entry::default()
            .text("name", row.get("name").or(Some(&row.key)))
            .text("version", row.get("version"))
            .text("arch", row.get("architecture"))
            .text("publisher", row.get("vendor").or(row.get("maintainer")))
            .text("from", row.get("manager").map(|manager| if manager == "dpkg" { "deb" } else { manager }))
            .text("install_date", installed.as_deref())
    })
}

fn local_users(taken: &Taken<'_>) -> Value {
    taken.each("users", |row| {
        Entry::default()
            .text("id", row.get("uid").or(Some("")))
            .text("login", row.get("name"))
            .text("name", row.get("full_name"))
            .text("home", row.get("home"))
            .text("shell", row.get("shell"))
    })
}

fn local_groups(taken: &Taken<'_>) -> Value {
    taken.each("groups", |row| {
        let members: Vec<&str> = row.get("members").into_iter().flat_map(|members| members.split(',')).collect();
        let mut entry = Entry::default().text("id", row.get("gid").or(Some(""))).text("name", Some(&row.key));
        entry.0.insert("members".to_owned(), members.into());
        entry
    })
}

fn batteries(taken: &Taken<'_>) -> Value {
    taken.each("batteries", |row| {
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

fn controllers(taken: &Taken<'_>) -> Value {
    taken.each("pci", |row| {
        Entry::default()
            .text("name", row.get("name").or(Some(&row.key)))
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

fn usb(taken: &Taken<'_>) -> Value {
    taken.each("usb", |row| {
        Entry::default()
            .text("name", row.get("product").or(Some(&row.key)))
            .text("caption", row.get("product"))
            .text("manufacturer", row.get("manufacturer"))
            .text("vendorid", row.get("vendor_id"))
            .text("productid", row.get("product_id"))
            .text("class", row.get("class"))
            .text("serial", row.get("serial"))
    })
}

fn power_supplies(taken: &Taken<'_>) -> Value {
    taken.each("power_supplies", |row| {
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

fn virtual_machines(taken: &Taken<'_>) -> Value {
    taken.each("containers", |row| {
        let status = row.get("state").map(|state| if state == "running" { "running" } else { "off" });
        Entry::default()
            .text("name", row.get("name").or(Some(&row.key)))
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
        let document: Value = serde_json::from_str(&json(&host, &sections)).unwrap();
        let content = &document["content"];
        assert!(document["deviceid"].as_str().is_some_and(|id| id == "alpha-1970-01-01-00-00-00"), "{document}");
        assert_eq!(content["hardware"], json!({"name": "alpha", "vmsystem": "Physical", "swap": 2048}));
        assert_eq!(content["softwares"], json!([{"name": "bash", "version": "5.2-1", "arch": "amd64", "from": "deb"}]));
        assert_eq!(content["local_groups"], json!([{"id": "27", "name": "sudo", "members": ["ann", "bob"]}]));
        assert_eq!(content["operatingsystem"]["version"], "12");
        assert!(content.get("batteries").is_none(), "{content}");
    }
}
