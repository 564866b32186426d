//! InfiniBand: links that make errors, and ports that are no longer active.

use super::{
    finding::{Finding, Part, Weight},
    growth::WINDOW_DAYS,
    plausible::since,
};
use crate::domain::{event::Severity, hardware::Port};

/// Counters of the link that tell of cable, optic or port.
const LINK: [&str; 5] =
    ["symbol_error", "link_error_recovery", "link_downed", "port_rcv_errors", "local_link_integrity_errors"];
/// So many of one counter within the window are told (infiniband-diags, ibcheckerrors: 10).
const ERRORS: u64 = 10;

/// Findings about what is worse than `then`, the window ago. A port that never was active is one without a cable.
pub(super) fn grown(now: &[Port], then: &[Port]) -> Vec<Finding> {
    let before = |port: &Port| {
        then.iter()
            .find(|known| known.adapter == port.adapter && known.number == port.number && known.guid == port.guid)
    };
    let both = now.iter().filter(|port| !port.is_ethernet).filter_map(|port| Some((port, before(port)?)));
    both.flat_map(|(port, before)| down(port, before).into_iter().chain(errors(port, before))).collect()
}

fn part(port: &Port) -> Part {
    Part {
        kind: "link",
        name: format!("{} port {}", port.adapter, port.number),
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
    let summary = "the port carried data and does no more";
    let finding = Finding::new(part(port), "infiniband-port-down", Severity::Warning, Weight::Failing, summary);
    Some(finding.seen("rate then", &before.rate).so("look at cable, optic and the port of the switch"))
}

fn errors(port: &Port, before: &Port) -> Option<Finding> {
    let count =
        |port: &Port, name: &str| port.counters.iter().find(|(known, _)| *known == name).map(|(_, count)| *count);
    let grown: Vec<(&str, u64)> = LINK
        .into_iter()
        .filter_map(|name| {
            let (now, then) = (count(port, name)?, count(before, name).unwrap_or(0));
            Some((name, since(now, then)))
        })
        .filter(|(_, by)| *by >= ERRORS)
        .collect();
    if grown.is_empty() {
        return None;
    }
    let summary = format!("its link made errors within {WINDOW_DAYS} days");
    let finding = Finding::new(part(port), "infiniband-link-errors", Severity::Warning, Weight::Failing, summary);
    let finding = grown.into_iter().fold(finding, |finding, (name, by)| finding.against(name, by, ERRORS));
    Some(finding.so("replace cable or optic, then try another port"))
}
