//! PCI Express: errors on links, and links that lost lanes. The kernel counts from its start, so that what was counted before
//! the agent saw it says little, and what grows much.

use super::{
    finding::{Finding, Part, Weight},
    growth::WINDOW_DAYS,
    plausible::since,
};
use crate::domain::{hardware::Pcie, severity::Severity};

/// So many corrected errors within the window are told: ten a minute, all the time. Some platforms make them all the time
/// (endlessm/linux#625), so that they wake nobody.
const CORRECTED: u64 = 10 * 60 * 24 * 7;
const RESEAT: &str = "reseat the card, or move it to another slot; if it goes on, replace it";

/// Findings about devices as they are now.
pub(super) fn judge(devices: &[Pcie]) -> Vec<Finding> {
    devices.iter().flat_map(|device| counted(device).into_iter().chain(narrow(device, devices))).collect()
}

/// Findings about what is worse than `then`, the window ago.
pub(super) fn grown(now: &[Pcie], then: &[Pcie]) -> Vec<Finding> {
    let both = now.iter().filter_map(|device| {
        let before = then.iter().find(|before| before.address == device.address && before.id == device.id)?;
        Some((device, before))
    });
    both.flat_map(|(device, before)| errors(device, before).into_iter().chain(narrower(device, before))).collect()
}

pub(super) fn part(device: &Pcie) -> Part {
    let label = [&device.label, &device.driver].into_iter().find(|text| !text.is_empty());
    let model = label.map_or_else(|| device.id.clone(), |label| format!("{label} {}", device.id));
    Part {
        kind: "card",
        name: device.address.clone(),
        model: model.trim().to_owned(),
        slot: device.slot.clone(),
        ..Part::default()
    }
}

fn new(device: &Pcie, rule: &'static str, severity: Severity, weight: Weight, summary: &str) -> Finding {
    let finding = Finding::new(part(device), rule, severity, weight, summary);
    if device.named.is_empty() { finding } else { finding.seen("by kind", device.named.join(", ")) }
}

/// What was counted before anybody looked.
fn counted(device: &Pcie) -> Vec<Finding> {
    let of = |count: Option<u64>, rule, words| {
        let count = count.filter(|count| *count > 0)?;
        let finding = new(device, rule, Severity::Info, Weight::Doubt, words).seen("errors since the start", count);
        Some(finding.so("watch whether it goes on; the kernel's log says when it was"))
    };
    let fatal = of(device.fatal, "pcie-fatal", "its link had to be reset since the machine started");
    let nonfatal = of(device.nonfatal, "pcie-nonfatal", "transfers were lost since the machine started");
    fatal.into_iter().chain(nonfatal).collect()
}

/// A device whose link has fewer lanes than it and the port above have. Boards do wire some slots so.
fn narrow(device: &Pcie, devices: &[Pcie]) -> Option<Finding> {
    let port = devices.iter().find(|port| !device.port.is_empty() && port.address == device.port)?;
    let both = device.width_max?.min(port.width_max?);
    let width = device.width.filter(|width| *width < both && !device.is_bridge())?;
    let summary = "its link has fewer lanes than both of its ends: some slots are wired so, or a contact is bad";
    let finding = Finding::new(part(device), "pcie-link-narrow", Severity::Info, Weight::Doubt, summary);
    Some(
        finding.against("lanes", width, both).so("look into the board's manual; if the slot has more, reseat the card"),
    )
}

fn narrower(device: &Pcie, before: &Pcie) -> Option<Finding> {
    let (from, to) = (before.width?, device.width?);
    if to >= from || device.is_bridge() {
        return None;
    }
    let summary = "its link has lost lanes";
    let finding = Finding::new(part(device), "pcie-link-lost-lanes", Severity::Warning, Weight::Failing, summary);
    Some(finding.seen("lanes then", from).seen("lanes now", to).so(RESEAT))
}

fn errors(device: &Pcie, before: &Pcie) -> Vec<Finding> {
    let grown = |now: Option<u64>, then: Option<u64>| now.map(|now| since(now, then.unwrap_or(0))).unwrap_or(0);
    let mut findings = Vec::new();
    let fatal = grown(device.fatal, before.fatal);
    if fatal > 0 {
        let summary = "its link had to be reset: a PCI Express device could not go on";
        let finding = new(device, "pcie-fatal", Severity::Critical, Weight::Failed, summary);
        findings.push(finding.seen(format!("errors within {WINDOW_DAYS} days"), fatal).so(RESEAT));
    }
    let nonfatal = grown(device.nonfatal, before.nonfatal);
    if nonfatal > 0 {
        let finding =
            new(device, "pcie-nonfatal", Severity::Warning, Weight::Failing, "PCI Express transfers were lost");
        findings.push(finding.seen(format!("errors within {WINDOW_DAYS} days"), nonfatal).so(RESEAT));
    }
    let corrected = grown(device.corrected, before.corrected);
    if corrected >= CORRECTED {
        let summary = "many PCI Express errors are corrected: transfers are slower for it, and some platforms do that all the time";
        let finding = new(device, "pcie-corrected", Severity::Info, Weight::Doubt, summary);
        findings.push(finding.against(format!("errors within {WINDOW_DAYS} days"), corrected, CORRECTED).so(
            "reseat the card; if all cards do that, look for newer firmware or switch the link's power saving (ASPM) off",
        ));
    }
    findings
}
