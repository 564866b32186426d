//! Evidence of the hardware as a record.

use muster_proto::v1::{self, record};

use super::text;
use crate::hardware::{Found, Outcome, packed};

/// The record of what was found of one part. What was not asked has none.
#[must_use]
pub fn hardware_record(found: &Found) -> Option<record::Body> {
    let (outcome, reason, (format, payload, left_out)) = match &found.outcome {
        Outcome::Read { payload, note, .. } => (0, note.clone(), packed(payload)),
        Outcome::Unseen { why, reason } => (why.outcome().0, format!("{}: {reason}", why.word()), (1, Vec::new(), 0)),
        Outcome::Unasked { .. } => return None,
    };
    let reason = match (left_out, reason.is_empty()) {
        (0, _) => reason,
        (_, true) => format!("partial: its last {left_out} bytes do not fit into a record"),
        (_, false) => format!("{reason}; partial: its last {left_out} bytes do not fit into a record"),
    };
    let (source, part, reason) = (text(&found.source), text(&found.part), text(&reason));
    Some(record::Body::Evidence(v1::Evidence { source, part, outcome, reason, payload, format }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Why;

    fn record(found: &Found) -> v1::Evidence {
        let Some(record::Body::Evidence(evidence)) = hardware_record(found) else { panic!("{found:?}") };
        evidence
    }

    #[test]
    fn a_record_says_what_was_read_or_why_it_could_not_be() {
        let read = record(&Found::read("smartctl-json", "sda", b"{}".to_vec(), "exit status 4".into()));
        assert_eq!(
            (read.source.as_str(), read.part.as_str(), read.outcome, read.format),
            ("smartctl-json", "sda", 0, 1)
        );
        assert_eq!((read.reason.as_str(), &read.payload[..]), ("exit status 4", &b"{}"[..]));
        for (why, outcome) in [(Why::Gone, 1), (Why::NoPermission, 2), (Why::Hung, 3), (Why::Asleep, 4)] {
            let unseen = record(&Found::unseen("smartctl-json", "sda", why, "as it is"));
            assert_eq!((unseen.outcome, unseen.reason), (outcome, format!("{}: as it is", why.word())));
            assert!(unseen.payload.is_empty());
        }
    }
}
