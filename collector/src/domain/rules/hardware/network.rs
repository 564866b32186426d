//! Network interfaces, their optical modules, and bonds of several: frames that arrive damaged, links that come and go or are
//! slower than they were. What is dropped for lack of room is load and no hardware.

use super::{
    finding::{Finding, Part, Weight},
    growth::WINDOW_DAYS,
    plausible::since,
};
use crate::domain::{hardware::nic::Nic, severity::Severity};

/// Damaged frames among those received that blame the cable, 0-1 (node_exporter's mixin: 1 %).
const DAMAGED_FRAMES: f64 = 0.01;
/// Damaged frames within the window that blame the cable, if they are this share of those received, 0-1: Ethernet allows one
/// wrong bit in 10^12 (IEEE 802.3), which is one damaged frame of 1 500 bytes in 80 million; this is eighty times that.
const DAMAGED_GROWN: u64 = 100;
const DAMAGED_GROWN_SHARE: f64 = 1e-6;
/// A link that was lost so often within the window does not only follow people who pull cables or restart switches: seven a
/// day. No count: our own choice.
const FLAPS: u64 = 50;

fn part(nic: &Nic, kind: &'static str) -> Part {
    let (model, serial) = nic.module.clone();
    Part { kind, name: nic.name.clone(), model, serial, ..Part::default() }
}

#[expect(clippy::cast_precision_loss, reason = "a share of packets")]
fn share(of: u64, all: u64) -> f64 {
    of as f64 / all.max(1) as f64
}

/// Findings about network interfaces.
pub(super) fn judge(nic: &Nic) -> Vec<Finding> {
    let mut findings = Vec::new();
    for alarm in &nic.alarms {
        // No light comes from a fibre that is unplugged or dirty, or from the other end; the module is not to blame.
        let is_dark = alarm.to_ascii_lowercase().contains("rx power low");
        let (severity, weight, summary, action) = if is_dark {
            (
                Severity::Info,
                Weight::Doubt,
                "no or too little light arrives",
                "look at the fibre and the other end, clean both",
            )
        } else {
            (Severity::Warning, Weight::Failing, "the optical module raises an alarm", "replace the module")
        };
        findings.push(
            Finding::new(part(nic, "module"), "module-alarm", severity, weight, summary)
                .seen("alarm", alarm)
                .so(action),
        );
    }
    if nic.damaged > 0 {
        let share = share(nic.damaged, nic.received.unwrap_or(0));
        let (severity, weight) =
            if share > DAMAGED_FRAMES { (Severity::Warning, Weight::Failing) } else { (Severity::Info, Weight::Told) };
        let finding = Finding::new(part(nic, "link"), "nic-damaged-frames", severity, weight, "frames arrive damaged");
        findings
            .push(finding.against("damaged frames", nic.damaged, "1 % of those received").so("replace cable or optic"));
    }
    let down = nic.members.iter().filter(|(_, is_up)| !is_up);
    for (name, _) in down.clone() {
        let is_all = down.clone().count() == nic.members.len();
        let (severity, weight) =
            if is_all { (Severity::Critical, Weight::Failed) } else { (Severity::Warning, Weight::Failing) };
        let part = Part { kind: "link", name: name.clone(), ..Part::default() };
        let summary = "a member of the bond has no link";
        findings.push(
            Finding::new(part, "bond-member-down", severity, weight, summary)
                .seen("link", "down")
                .so("look at cable and switch port"),
        );
    }
    findings
}

/// Findings about what is worse than `then`, the window ago.
pub(super) fn grown(now: &Nic, then: &Nic) -> Vec<Finding> {
    if now.name != then.name || now.address != then.address {
        return Vec::new();
    }
    [damaged(now, then), flaps(now, then), slower(now, then)].into_iter().flatten().collect()
}

fn damaged(now: &Nic, then: &Nic) -> Option<Finding> {
    let damaged = since(now.damaged, then.damaged);
    let received = since(now.received?, then.received?);
    if damaged < DAMAGED_GROWN || share(damaged, received) < DAMAGED_GROWN_SHARE {
        return None;
    }
    let summary = format!("{damaged} frames arrived damaged within {WINDOW_DAYS} days");
    let finding =
        Finding::new(part(now, "link"), "nic-damaged-frames-growing", Severity::Warning, Weight::Failing, summary);
    Some(finding.seen("frames received", received).so("replace cable or optic, then try another port"))
}

fn flaps(now: &Nic, then: &Nic) -> Option<Finding> {
    let downs = since(now.downs?, then.downs?);
    if downs < FLAPS || now.is_wireless {
        return None;
    }
    let summary = format!("its link was lost {downs} times within {WINDOW_DAYS} days");
    let finding = Finding::new(part(now, "link"), "nic-link-flaps", Severity::Warning, Weight::Failing, summary);
    Some(finding.against("losses", downs, FLAPS).so("look at plugs, cable or optic and the port of the switch"))
}

fn slower(now: &Nic, then: &Nic) -> Option<Finding> {
    let (from, to) = (then.speed?, now.speed?);
    let is_slower = to < from || now.is_half_duplex && !then.is_half_duplex;
    if !is_slower || !now.is_up || !then.is_up || now.is_wireless {
        return None;
    }
    let summary = "its link is slower than it was: a pair of the cable is broken, or the other end changed";
    let finding = Finding::new(part(now, "link"), "nic-link-slower", Severity::Warning, Weight::Failing, summary);
    let duplex = |nic: &Nic| if nic.is_half_duplex { " half duplex" } else { "" };
    Some(
        finding
            .seen("Mbit/s then", format!("{from}{}", duplex(then)))
            .seen("Mbit/s now", format!("{to}{}", duplex(now)))
            .so("replace the cable, then look at the port of the switch"),
    )
}
