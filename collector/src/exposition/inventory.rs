//! The inventory as metrics: what each host is, how long its operating system is supported, and how sections stand in the
//! fleet. A fixed number of series for each host; names of sections that are not ours are counted together.

use std::collections::BTreeMap;

use super::{ExpositionContext, family::Family};
use crate::domain::{
    labels::Admission,
    os_support::Tier,
    readings::dictionary::text::{self, Format},
    snapshot::Snapshot,
};

/// Sections that agents of ours tell; a host may make up other names.
const SECTIONS: [&str; 38] = [
    "addresses",
    "backups",
    "batteries",
    "boards",
    "certificates",
    "cloud",
    "containers",
    "cpu",
    "custom",
    "databases",
    "disks",
    "firmware",
    "gpus",
    "groups",
    "interfaces",
    "listening_ports",
    "memory_arrays",
    "memory_modules",
    "monitors",
    "os",
    "packages",
    "pci",
    "power_supplies",
    "printers",
    "protection",
    "reboot",
    "remote_control",
    "repositories",
    "scheduled_jobs",
    "services",
    "ssh_keys",
    "system",
    "time",
    "updates",
    "usb",
    "users",
    "virtualization",
    "volumes",
];
const OTHER: &str = "other";

/// The families; those without a sample are to be left out.
pub(super) fn families(context: &ExpositionContext, snapshot: &Snapshot, format: Format) -> [Family; 5] {
    let family = |name, help| Family::new(format, name, help);
    let mut info = family("muster_inventory_info", "What a host is by its inventory; always 1.");
    let mut support = family(
        "muster_inventory_os_support_info",
        "How a host's operating system is supported: active, security_only, extended, ended, rolling or unknown; always 1.",
    );
    let mut end = family(
        "muster_inventory_os_support_end_timestamp_seconds",
        "The end of the last day on which holes of a host's operating system are mended; extended support counts where all other has ended.",
    );
    let mut tiers = family("muster_inventory_os_support_hosts", "Hosts by how their operating system is supported.");
    let mut sections =
        family("muster_inventory_sections", "Hosts by section of the inventory and how much of it could be read.");
    let known = context.board.stock.known();
    let mut counted: BTreeMap<Tier, u32> = BTreeMap::new();
    for view in snapshot.hosts.values().filter(|view| view.profile.admission == Admission::Active) {
        let name = text::clean(&view.profile.name);
        let host = ("host", name.as_str());
        let Some(system) = known.systems.get(&view.profile.no) else { continue };
        let clean = [&system.vendor, &system.model, &system.os, &system.kernel].map(|value| text::clean(value));
        let [vendor, model, os, kernel] = &clean;
        info.push_once(&[host, ("vendor", vendor), ("model", model), ("os", os), ("kernel", kernel)], 1.0);
        let Some(found) = &system.support else { continue };
        *counted.entry(found.tier).or_default() += 1;
        let (product, cycle) = (text::clean(&found.product), text::clean(&found.cycle));
        let contract = if found.has_contract { "yes" } else { "no" };
        let labels = [
            host,
            ("product", product.as_str()),
            ("cycle", &cycle),
            ("tier", found.tier.word()),
            ("contract", contract),
        ];
        support.push_once(&labels, 1.0);
        let last = found.last_day().and_then(|day| day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok());
        if let Some(after) = last {
            end.push(&[host], after.timestamp().as_second() as f64);
        }
    }
    if !counted.is_empty() {
        for tier in Tier::ALL {
            tiers.push(&[("tier", tier.word())], f64::from(counted.get(&tier).copied().unwrap_or(0)));
        }
    }
    let mut by_section: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for ((section, status), count) in &known.sections {
        let section = if SECTIONS.contains(&section.as_str()) { section.as_str() } else { OTHER };
        *by_section.entry((section, status)).or_default() += count;
    }
    for ((section, status), count) in by_section {
        sections.push(&[("section", section), ("status", status)], count as f64);
    }
    [info, support, end, tiers, sections]
}
