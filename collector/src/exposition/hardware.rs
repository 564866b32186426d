//! The fleet's hardware as metrics: of each host what became of asking its parts and what they came to, and which part
//! each finding is about. A fixed number of series for each host, and one for each finding.

use super::{ExpositionContext, family::Family};
use crate::domain::{
    labels::Admission,
    readings::dictionary::text::{self, Format},
    rules::hardware::{Part, named, summary::VERDICTS},
    snapshot::Snapshot,
};

/// The families; those without a sample are to be left out.
pub(super) fn families(context: &ExpositionContext, snapshot: &Snapshot, format: Format) -> [Family; 4] {
    let family = |name, help| Family::new(format, name, help);
    let mut asked = family(
        "muster_hardware_parts",
        "Parts of a host's hardware by what asks them, what became of that, and why where they could not be read.",
    );
    let mut judged = family("muster_hardware_parts_judged", "Parts of a host's hardware by what is thought of them.");
    let mut last = family(
        "muster_hardware_last_evidence_timestamp_seconds",
        "When anything of a host's hardware changed last; what stays the same is not told again.",
    );
    let mut info = family(
        "muster_hardware_finding_info",
        "Which part an open finding of the hardware is about, as it is ordered; always 1.",
    );
    for view in snapshot.hosts.values().filter(|view| view.profile.admission == Admission::Active) {
        let name = text::clean(&view.profile.name);
        let host = ("host", name.as_str());
        let Some(summary) = context.board.of(view.profile.no) else { continue };
        for ((source, outcome, reason), count) in &summary.asked {
            asked.push(&[host, ("source", source), ("outcome", outcome), ("reason", reason)], f64::from(*count));
        }
        for (verdict, count) in VERDICTS.iter().zip(summary.verdicts) {
            judged.push(&[host, ("verdict", verdict.word())], f64::from(count));
        }
        if let Some(at) = summary.last {
            last.push(&[host], at.ms() as f64 / 1_000.0);
        }
        for finding in view.findings.iter().filter(|finding| finding.open && named(&finding.rule).is_some()) {
            let unknown = Part::default();
            let Part { kind, name, model, serial, firmware, slot } = summary.part(&finding.part).unwrap_or(&unknown);
            let labels = [
                host,
                ("component", finding.part.as_str()),
                ("rule", &finding.rule),
                ("kind", kind),
                ("device", name.trim_start_matches("/dev/")),
                ("model", model),
                ("serial", serial),
                ("firmware", firmware),
                ("slot", slot),
            ];
            info.push_once(&labels, 1.0);
        }
    }
    [asked, judged, last, info]
}
