//! The health axis of one host: judgements become findings that open, change and clear; and what ends them all.

use super::{
    Cause, State,
    change::{HostChange, Step},
    machine::Host,
};
use crate::domain::{
    event::{CloseReason, Effect},
    finding::{FindingRow, Judgement, Verdict},
    labels::Admission,
    record::Row,
    severity::Severity,
    time::Timestamp,
};

impl Host {
    /// Its open findings.
    pub fn findings(&self) -> impl Iterator<Item = &FindingRow> {
        self.findings.values()
    }

    pub(super) fn admitted(&mut self, admission: Admission, now: Timestamp, step: &mut Step) {
        self.profile.admission = admission;
        if admission == Admission::Active {
            return;
        }
        if let Some(session) = self.session.take() {
            step.effects.push(Effect::Close(session, CloseReason::NotAdmitted));
        }
        self.suspicion = None;
        self.enter(State::Unknown, Cause::NotAdmitted, now, now, step);
        let open: Vec<FindingRow> = std::mem::take(&mut self.findings).into_values().collect();
        for mut finding in open {
            finding.open = false;
            finding.evidence = Cause::NotAdmitted.words();
            step.effects.push(Effect::Record(Row::Finding(finding.clone())));
            step.changes.push(HostChange::Finding(finding));
        }
        self.checks_end(now, step);
    }

    pub(super) fn judged(&mut self, judgement: Judgement, now: Timestamp, step: &mut Step) {
        let key = (judgement.part.clone(), judgement.rule.to_owned());
        let known = self.findings.get(&key);
        let row = |open: bool, severity: Severity, since: Timestamp, evidence: String| FindingRow {
            host: self.profile.no,
            part: judgement.part.clone(),
            rule: judgement.rule.to_owned(),
            open,
            severity,
            since,
            evidence,
            cause: judgement.cause.clone(),
        };
        let finding = match judgement.verdict {
            Verdict::Holds { severity, evidence } => {
                let since = known.map_or(now, |finding| finding.since);
                row(true, severity, since, evidence)
            }
            Verdict::Cleared { evidence } => {
                let Some(known) = known else { return };
                row(false, known.severity, known.since, evidence)
            }
            Verdict::CannotTell(_) => return,
        };
        if finding.open {
            self.findings.insert(key, finding.clone());
        } else {
            self.findings.remove(&key);
        }
        step.effects.push(Effect::Record(Row::Finding(finding.clone())));
        step.effects.push(Effect::Publish);
        step.changes.push(HostChange::Finding(finding));
    }
}
