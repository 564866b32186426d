//! How outages were handled: which incidents told of them, who took them, and how long both took.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    outages::{Outage, rank},
    report::{Known, Line},
};
use crate::domain::{calendar::Span, ids::IncidentNo, time::Timestamp};

/// What ended a time may be noticed only after it, in milliseconds: a day.
pub const NOTICED_WITHIN_MS: i64 = 24 * 3_600_000;

/// An incident about a subject's being there, as far as reports tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// `#1042`.
    pub no: IncidentNo,
    /// When the trouble began: the last proof that the subject served.
    pub since: Timestamp,
    /// When it was detected.
    pub opened: Timestamp,
    /// When it was over.
    pub resolved: Option<Timestamp>,
    /// When the first page to a person was taken by what delivers it; none where nobody was called by name.
    pub paged: Option<Timestamp>,
    /// When somebody first had it, and who.
    pub acknowledged: Option<(Timestamp, String)>,
}

/// The incidents that told of what was wrong in this time, in their order.
pub fn of_span(span: Span, incidents: &[Incident]) -> impl Iterator<Item = &Incident> {
    let overlaps =
        move |one: &&Incident| one.since < span.until && one.resolved.is_none_or(|resolved| resolved > span.from);
    incidents.iter().filter(overlaps)
}

/// How long something took, over several times that it was done; lengths in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delays {
    /// How often it was done.
    pub count: i64,
    /// Mean.
    pub mean_ms: Option<i64>,
    /// The middle one.
    pub median_ms: Option<i64>,
    /// Nine of ten took no longer.
    pub p90_ms: Option<i64>,
}

impl Delays {
    fn of(mut lengths: Vec<i64>) -> Self {
        lengths.sort_unstable();
        let count = i64::try_from(lengths.len()).unwrap_or(i64::MAX);
        Self {
            count,
            mean_ms: (count > 0).then(|| lengths.iter().sum::<i64>() / count),
            median_ms: rank(&lengths, 50),
            p90_ms: rank(&lengths, 90),
        }
    }
}

/// How soon outages were noticed and taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reaction {
    /// Incidents that told of them, each once.
    pub incidents: i64,
    /// Mean time to detect: from when the trouble began until its incident was opened.
    pub detected: Delays,
    /// Mean time to acknowledge: from the first page to a person until somebody had it. What was taken before a page went
    /// out, or what called nobody, is not counted.
    pub acknowledged: Delays,
}

impl Reaction {
    /// Of the incidents that told of these outages. `told` says which incidents there were about the subject of each.
    #[must_use]
    pub fn of<'a>(told: impl Iterator<Item = (&'a [Outage], &'a [Incident])>) -> Self {
        let mut found: BTreeMap<IncidentNo, &Incident> = BTreeMap::new();
        for (outages, incidents) in told {
            let of_all = outages.iter().flat_map(|outage| of_span(outage.span, incidents));
            found.extend(of_all.map(|incident| (incident.no, incident)));
        }
        let detected = found.values().map(|one| one.opened.since_ms(one.since)).filter(|ms| *ms >= 0);
        let acknowledged = found.values().filter_map(|one| {
            let taken = one.acknowledged.as_ref()?.0.since_ms(one.paged?);
            (taken >= 0).then_some(taken)
        });
        Self {
            incidents: i64::try_from(found.len()).unwrap_or(i64::MAX),
            detected: Delays::of(detected.collect()),
            acknowledged: Delays::of(acknowledged.collect()),
        }
    }
}

/// What was done about the outages of a report, by what incidents are about.
#[derive(Debug, Clone, Default)]
pub struct Handling(BTreeMap<String, Vec<Incident>>);

impl Handling {
    /// Of incidents by the key of what they are about.
    #[must_use]
    pub const fn new(by_key: BTreeMap<String, Vec<Incident>>) -> Self {
        Self(by_key)
    }

    /// The keys of incidents that tell of a subject's outages; those of a service tell of its members.
    #[must_use]
    pub fn keys(known: &Known) -> BTreeSet<String> {
        known.leaves().into_iter().filter_map(|leaf| leaf.subject.incident_key()).collect()
    }

    /// All of them, by what they are about.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Incident)> {
        self.0.iter().flat_map(|(key, incidents)| incidents.iter().map(move |incident| (key.as_str(), incident)))
    }

    /// The incidents about a subject, in their order.
    #[must_use]
    pub fn of(&self, known: &Known) -> Vec<Incident> {
        let about = Self::keys(known);
        let mut found: Vec<Incident> = about.iter().filter_map(|key| self.0.get(key)).flatten().cloned().collect();
        if about.len() > 1 {
            found.sort_by_key(|incident| incident.no);
        }
        found
    }

    /// How soon the outages of some subjects were noticed and taken.
    #[must_use]
    pub fn reaction(&self, lines: &[Line]) -> Reaction {
        let told: Vec<(&[Outage], Vec<Incident>)> =
            lines.iter().map(|line| (line.outages.as_slice(), self.of(&line.known))).collect();
        Reaction::of(told.iter().map(|(outages, incidents)| (*outages, incidents.as_slice())))
    }
}
