//! InfiniBand, Fibre Channel and SAS: links that make errors, and ports that are no longer active.

use super::{
    finding::{Finding, Part, Weight},
    growth::WINDOW_DAYS,
    plausible::since,
};
use crate::domain::{
    hardware::{Port, Transport},
    severity::Severity,
};

/// Counters of the link that tell of cable, optic or port, each with how much of it within the window is told.
type Counters = &'static [(&'static str, u64)];
/// infiniband-diags, ibcheckerrors: 10.
const INFINIBAND: Counters = &[
    ("symbol_error", 10),
    ("link_error_recovery", 10),
    ("link_downed", 10),
    ("port_rcv_errors", 10),
    ("local_link_integrity_errors", 10),
];
/// A link that is well has none; one that is plugged or whose switch starts has some.
const FIBRE_CHANNEL: Counters = &[
    ("invalid_crc_count", 10),
    ("error_frames", 10),
    ("loss_of_sync_count", 10),
    ("loss_of_signal_count", 10),
    ("link_failure_count", 10),
];
/// A link that comes up counts some dozens of invalid words before both ends are in step.
const SAS: Counters = &[
    ("invalid_dword_count", 1_000),
    ("running_disparity_error_count", 1_000),
    ("loss_of_dword_sync_count", 10),
    ("phy_reset_problem_count", 10),
];

/// Findings about what is worse than `then`, the window ago. A port that never was active is one without a cable.
pub(super) fn grown(now: &[Port], then: &[Port]) -> Vec<Finding> {
    let before = |port: &Port| {
        then.iter()
            .find(|known| known.adapter == port.adapter && known.number == port.number && known.guid == port.guid)
    };
    let both = now.iter().filter(|port| !port.is_ethernet).filter_map(|port| Some((port, before(port)?)));
    both.flat_map(|(port, before)| down(port, before).into_iter().chain(errors(port, before))).collect()
}

pub(super) fn part(port: &Port) -> Part {
    let number = if port.number.is_empty() { String::new() } else { format!(" port {}", port.number) };
    Part {
        kind: "link",
        name: format!("{}{number}", port.adapter),
        model: port.model.clone(),
        serial: String::new(),
        firmware: port.firmware.clone(),
        slot: String::new(),
    }
}

fn down(port: &Port, before: &Port) -> Option<Finding> {
    if port.is_active || !before.is_active {
        return None;
    }
    let rule = match port.transport {
        Transport::Infiniband => "infiniband-port-down",
        Transport::FibreChannel => "fc-port-down",
        // A drive was taken out: that is told of the drive.
        Transport::Sas => return None,
    };
    let summary = "the port carried data and does no more";
    let finding = Finding::new(part(port), rule, Severity::Warning, Weight::Failing, summary);
    Some(finding.seen("rate then", &before.rate).so("look at cable, optic and the port of the switch"))
}

fn errors(port: &Port, before: &Port) -> Option<Finding> {
    let (rule, counters, action) = match port.transport {
        Transport::Infiniband => {
            ("infiniband-link-errors", INFINIBAND, "replace cable or optic, then try another port")
        }
        Transport::FibreChannel => ("fc-link-errors", FIBRE_CHANNEL, "replace optic or cable, then try another port"),
        Transport::Sas => ("sas-link-errors", SAS, "reseat what is at this link, then its cable, then try another bay"),
    };
    let count =
        |port: &Port, name: &str| port.counters.iter().find(|(known, _)| *known == name).map(|(_, count)| *count);
    let grown: Vec<(&str, u64, u64)> = counters
        .iter()
        .filter_map(|(name, limit)| {
            let (now, then) = (count(port, name)?, count(before, name).unwrap_or(0));
            Some((*name, since(now, then), *limit))
        })
        .filter(|(_, by, limit)| by >= limit)
        .collect();
    if grown.is_empty() {
        return None;
    }
    let summary = format!("its link made errors within {WINDOW_DAYS} days");
    let finding = Finding::new(part(port), rule, Severity::Warning, Weight::Failing, summary);
    let finding = grown.into_iter().fold(finding, |finding, (name, by, limit)| finding.against(name, by, limit));
    Some(finding.so(action))
}
