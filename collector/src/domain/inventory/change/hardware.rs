//! Changes of the machine itself: what it says of itself, and parts that were added, taken out or swapped.

use super::{Class, Named, changed_title, field_changes, noun, row_change};
use crate::domain::inventory::{apply::Difference, field, first_of, name};

/// Fields that say where a part sits.
const PLACES: [&str; 6] = ["slot", "locator", "bay", "position", "device", "address"];
/// Fields that say which release an operating system is of.
const RELEASE: [&str; 6] = ["version", "version_id", "os_version", "os_version_id", "build", "codename"];
const GIB: u64 = 1 << 30;

/// What a row about the whole machine says otherwise than before.
pub(super) fn system(section: &str, one: &Difference) -> Named {
    if one.before.is_none() || one.after.is_none() {
        return super::plain(section, one);
    }
    let fields = field_changes(one);
    let differs = |name: &str| fields.iter().find(|field| field.name == name);
    let from_to = |what: &str, name: &str| {
        let value = |side: &Option<Vec<(String, String)>>| {
            side.as_deref().and_then(|side| field(side, name)).unwrap_or("unknown").to_owned()
        };
        format!("{what} {} -> {}", value(&one.before), value(&one.after))
    };
    let release = ["os", "os_name", "os_version", "os_version_id", "os_pretty_name", "pretty_name"]
        .into_iter()
        .find(|name| differs(name).is_some());
    let release = release.or_else(|| RELEASE.into_iter().find(|name| section == "os" && differs(name).is_some()));
    if let Some(name) = release {
        return Named::of(Class::OsUpgraded, from_to("operating system", name), one);
    }
    if let Some(name) =
        ["memory_bytes", "memory_total_bytes", "memory_size_bytes"].into_iter().find(|name| differs(name).is_some())
    {
        let bytes = |side: &Option<Vec<(String, String)>>| {
            side.as_deref().and_then(|side| field(side, name)).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
        };
        let (before, after) = (bytes(&one.before), bytes(&one.after));
        return Named::of(memory_class(before, after), memory_title(before, after), one);
    }
    let kernel = ["kernel", "kernel_release", "kernel_version"].into_iter().find(|name| differs(name).is_some());
    if let Some(name) = kernel {
        return Named::of(Class::KernelChanged, from_to("kernel", name), one);
    }
    let firmware = |name: &str| name.starts_with("bios_") || name.starts_with("firmware_") || section == "firmware";
    if let Some(field) = fields.iter().find(|field| firmware(&field.name)) {
        return Named::of(Class::FirmwareChanged, from_to(&field.name.replace('_', " "), &field.name), one);
    }
    Named::of(Class::SystemChanged, changed_title("", one).trim_start().to_owned(), one)
}

fn memory_class(before: u64, after: u64) -> Class {
    if after < before { Class::MemoryReduced } else { Class::MemoryAdded }
}

fn memory_title(before: u64, after: u64) -> String {
    let word = if after < before { "reduced" } else { "added" };
    format!("memory {word}: {} -> {}", gib(before), gib(after))
}

fn gib(bytes: u64) -> String {
    // Tenths of a GiB, cut.
    let tenths = u128::from(bytes) * 10 / u128::from(GIB);
    if tenths % 10 == 0 { format!("{} GiB", tenths / 10) } else { format!("{}.{} GiB", tenths / 10, tenths % 10) }
}

/// Parts that came, went or differ. One that went and one that came in the same place are a swap; so are one disk that went
/// and one that came between two looks, wherever they sit.
pub(super) fn components(section: &str, differences: &[Difference]) -> Vec<Named> {
    let mut left: Vec<&Difference> = differences.iter().collect();
    let mut named = Vec::new();
    let came: Vec<&Difference> = differences.iter().filter(|one| one.before.is_none()).collect();
    let gone: Vec<&Difference> = differences.iter().filter(|one| one.after.is_none()).collect();
    if let ("disks", [came], [gone]) = (section, &came[..], &gone[..]) {
        left.retain(|one| one.before.is_some() && one.after.is_some());
        named.push(swapped(section, gone, came, place_of(gone).unwrap_or_default()));
        named.extend(left.into_iter().map(|one| component(section, one)));
        return named;
    }
    for gone in differences.iter().filter(|one| one.after.is_none()) {
        let place = place_of(gone);
        let came = left.iter().position(|one| one.before.is_none() && place.is_some() && place_of(one) == place);
        if let Some(came) = came {
            let came = left.remove(came);
            left.retain(|one| one.key != gone.key);
            named.push(swapped(section, gone, came, place.unwrap_or_default()));
        }
    }
    named.extend(left.into_iter().map(|one| component(section, one)));
    named
}

fn place_of(one: &Difference) -> Option<&str> {
    let fields = one.after.as_deref().or(one.before.as_deref())?;
    first_of(fields, &PLACES)
}

fn serial_of(one: &Difference, after: bool) -> Option<&str> {
    let fields = if after { one.after.as_deref() } else { one.before.as_deref() };
    first_of(fields?, &["serial", "wwn", "serial_number"])
}

fn swap_class(section: &str) -> Class {
    if section == "disks" { Class::DiskReplaced } else { Class::ComponentSwapped }
}

fn swapped(section: &str, gone: &Difference, came: &Difference, place: &str) -> Named {
    let class = swap_class(section);
    let shown = |serial: Option<&str>, one: &Difference| serial.map_or_else(|| one.key.clone(), str::to_owned);
    let (old, new) = (shown(serial_of(gone, false), gone), shown(serial_of(came, true), came));
    let place = if place.is_empty() { String::new() } else { format!(" in {place}") };
    let title = format!("{}{place} replaced: {old} -> {new}", noun(section));
    Named { class, title, rows: vec![row_change(class, gone), row_change(class, came)] }
}

fn component(section: &str, one: &Difference) -> Named {
    let fields = one.after.as_deref().or(one.before.as_deref()).unwrap_or_default();
    let noun = noun(section);
    let called = first_of(fields, &["model", "product", "part_number"]).unwrap_or_else(|| name(&one.key, fields));
    let place = first_of(fields, &PLACES).map_or_else(String::new, |place| format!(" in {place}"));
    let size = first_of(fields, &["size_bytes", "capacity_bytes"]).and_then(|text| text.parse::<u64>().ok());
    let size = size.map_or_else(String::new, |bytes| format!(" of {}", gib(bytes)));
    let what = format!("{noun} {called}{size}{place}");
    let is_memory = matches!(section, "memory_modules" | "memory");
    // A slot stays, whatever sits in it.
    let sits = |side: &Option<Vec<(String, String)>>| {
        side.as_deref().and_then(|side| field(side, "populated")).map(str::to_owned)
    };
    let (class, title) = match (&one.before, &one.after) {
        (Some(_), Some(_)) if is_memory && sits(&one.before) != sits(&one.after) => match sits(&one.after).as_deref() {
            Some("yes") => (Class::MemoryAdded, format!("memory added: {what}")),
            _ => (Class::MemoryReduced, format!("memory reduced:{place} is empty").replace(" in ", " ")),
        },
        (None, _) if is_memory => (Class::MemoryAdded, format!("memory added: {what}")),
        (_, None) if is_memory => (Class::MemoryReduced, format!("memory reduced: {what} is gone")),
        (None, _) if section == "disks" => (Class::DiskAdded, format!("{what} added")),
        (_, None) if section == "disks" => (Class::DiskRemoved, format!("{what} removed")),
        (None, _) => (Class::ComponentAdded, format!("{what} added")),
        (_, None) => (Class::ComponentRemoved, format!("{what} removed")),
        _ => match (serial_of(one, false), serial_of(one, true)) {
            (Some(old), Some(new)) if old != new => {
                (swap_class(section), format!("{noun}{place} replaced: {old} -> {new}"))
            }
            _ if field_changes(one).iter().any(|field| field.name.starts_with("firmware")) => {
                (Class::FirmwareChanged, changed_title(&noun, one))
            }
            _ => (Class::ComponentChanged, changed_title(&noun, one)),
        },
    };
    Named::of(class, title, one)
}
