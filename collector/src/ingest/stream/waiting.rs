//! Records that are judged once the store has them.

use crate::{
    domain::{event::HostEvent, host::checks},
    store::Fact,
};

/// What waits for its commit.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    checks: Vec<Fact>,
    /// The last record with evidence of hardware.
    evidence: Option<u64>,
}

impl Waiting {
    /// What there is to judge in a fact.
    pub(super) fn of(fact: &Fact) -> Self {
        match fact.kind {
            "checks" => Self { checks: vec![fact.clone()], evidence: None },
            "evidence" => Self { checks: Vec::new(), evidence: Some(fact.sequence) },
            _ => Self::default(),
        }
    }

    /// More of it.
    pub(super) fn add(&mut self, more: Self) {
        self.checks.extend(more.checks);
        self.evidence = more.evidence.or(self.evidence);
    }

    /// What checks turned out to be, now that all `through` this record is durable.
    pub(super) fn outcomes(&mut self, through: u64) -> Option<HostEvent> {
        let stored = self.checks.iter().take_while(|fact| fact.sequence <= through).count();
        let facts: Vec<Fact> = self.checks.drain(..stored).collect();
        let outcomes = checks::outcomes(facts.iter().map(|fact| (fact.at, fact.body.as_str())));
        (!outcomes.is_empty()).then_some(HostEvent::Checked { outcomes })
    }

    /// Whether evidence has become durable.
    pub(super) fn has_evidence(&mut self, through: u64) -> bool {
        self.evidence.take_if(|sequence| *sequence <= through).is_some()
    }
}
