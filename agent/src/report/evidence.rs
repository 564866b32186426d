//! Evidence as a record.

use muster_proto::v1::{self, record};

use super::text;
use crate::evidence::{Evidence, Outcome};

/// How what was found is written; another number where an old collector could not read it.
const FORMAT: u32 = 1;

/// The record of what was found.
#[must_use]
pub fn evidence_record(evidence: &Evidence) -> record::Body {
    let (outcome, reason, payload) = match &evidence.outcome {
        Outcome::Read(json) => (0, "", json.clone().into_bytes()),
        Outcome::NotPresent(reason) => (1, reason.as_str(), Vec::new()),
        Outcome::Unreadable(reason) => (2, reason.as_str(), Vec::new()),
        Outcome::Failed(reason) => (3, reason.as_str(), Vec::new()),
    };
    let (source, reason) = (evidence.source.to_owned(), text(reason));
    record::Body::Evidence(v1::Evidence { source, part: String::new(), outcome, reason, payload, format: FORMAT })
}
