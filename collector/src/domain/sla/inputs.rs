//! What a report was reckoned from, named so that it can be reckoned again: for each subject how far its ledger was, which
//! versions of which windows were laid over it, the version of the definition, the time zones, and when.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    amendment::{Amendment, Says, about},
    check_basis::CheckBasis,
    handling::Incident,
};
use crate::domain::{
    dismissal::Dismissal,
    host::{Cause, ledger::OpenSpan},
    ids::{HostId, IncidentNo},
    record::Observed,
    time::Timestamp,
};

/// The member of a report that carries [`fingerprint`].
pub const DIGEST: &str = "digest";

/// All of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// When it was reckoned.
    #[serde(with = "rfc3339")]
    pub as_of: Timestamp,
    /// The program's version.
    pub program: String,
    /// The version of the time zone database that the program brought along, such as `2026e`.
    pub tzdata: String,
    /// What was promised.
    pub definition: Definition,
    /// The period's name; one that rolls ends at `as_of`.
    pub period: String,
    /// Subjects, in the order of the report.
    pub subjects: Vec<Basis>,
    /// Incidents that told of their outages, as they were then.
    pub incidents: Vec<About>,
}

/// Which declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The agreement's name.
    pub name: String,
    /// Counts its changes.
    pub version: i64,
    /// Of its text, in hexadecimal.
    pub sha256: String,
    /// Of several under the name, the one that is in force from this date on.
    pub in_force_from: Option<String>,
}

/// What was known of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Its name at the time.
    pub subject: String,
    /// The id of the host that it is, or is on; none of a service, which is on many.
    pub host: Option<HostId>,
    /// How far that host's ledger was; none of a service, which has none.
    pub ledger: Option<Position>,
    /// Of a check: what its own ledger said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckBasis>,
    /// Windows that were laid over it.
    pub windows: Vec<Version>,
    /// What people said of it afterwards, and of those windows.
    pub amendments: Vec<Version>,
    /// What was said of incidents about it that were false alarms.
    pub false_alarms: Vec<Version>,
    /// What a service was made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Self>,
}

/// An incident, and what it was about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The key of what it was about.
    pub about: String,
    /// Its number.
    pub number: i64,
    /// When the trouble began.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// When it was opened.
    #[serde(with = "rfc3339")]
    pub opened: Timestamp,
    /// When it was over.
    #[serde(with = "rfc3339::maybe")]
    pub resolved: Option<Timestamp>,
    /// When a person was first called.
    #[serde(with = "rfc3339::maybe")]
    pub paged: Option<Timestamp>,
    /// When somebody first had it.
    #[serde(with = "rfc3339::maybe")]
    pub acknowledged: Option<Timestamp>,
    /// Who.
    pub acknowledged_by: Option<String>,
}

impl About {
    /// Of an incident.
    #[must_use]
    pub fn of(key: &str, incident: &Incident) -> Self {
        let Incident { no, since, opened, resolved, paged, acknowledged } = incident.clone();
        let (acknowledged, acknowledged_by) = acknowledged.unzip();
        Self { about: key.to_owned(), number: no.0, since, opened, resolved, paged, acknowledged, acknowledged_by }
    }

    /// The incident.
    #[must_use]
    pub fn incident(&self) -> Incident {
        Incident {
            no: IncidentNo(self.number),
            since: self.since,
            opened: self.opened,
            resolved: self.resolved,
            paged: self.paged,
            acknowledged: self.acknowledged.zip(self.acknowledged_by.clone()),
        }
    }
}

/// How far a ledger was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Its last entry; 0: none yet.
    pub n: i64,
    /// That entry's link of the chain, in hexadecimal; empty without an entry.
    pub hash: String,
    /// When it begins.
    #[serde(with = "rfc3339")]
    pub begun: Timestamp,
    /// What was being observed then, and is no entry yet.
    pub open: Open,
}

/// The open end of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Since when: the end of the last entry.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// What.
    pub state: Observed,
    /// Why.
    pub cause: Cause,
}

/// One version of something that people enter and change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Which.
    pub number: i64,
    /// Counts its changes.
    pub version: i64,
}

impl Basis {
    /// Of a ledger, and nothing that people said.
    #[must_use]
    pub fn new(subject: &str, host: Option<HostId>, ledger: Position) -> Self {
        Self { host, ledger: Some(ledger), ..Self::of_members(subject) }
    }

    /// Of members, which are still to be named.
    #[must_use]
    pub fn of_members(subject: &str) -> Self {
        Self {
            subject: subject.to_owned(),
            host: None,
            ledger: None,
            check: None,
            windows: Vec::new(),
            amendments: Vec::new(),
            false_alarms: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Itself and all that it is made of, each time that it is.
    #[must_use]
    pub fn whole(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.members.iter().flat_map(Self::whole)).collect()
    }

    /// Itself or, of a service, what it is made of in the end, each with where it stands below `place`.
    #[must_use]
    pub fn leaves<'a>(&'a self, place: &str) -> Vec<(String, &'a Self)> {
        if self.ledger.is_some() {
            return vec![(place.to_owned(), self)];
        }
        let below = |(at, member): (usize, &'a Self)| member.leaves(&format!("{place}.members[{at}]"));
        self.members.iter().enumerate().flat_map(below).collect()
    }
}

impl Position {
    /// Of an open end, before the hash is known.
    #[must_use]
    pub fn at(open: &OpenSpan, begun: Timestamp) -> Self {
        let OpenSpan { after, from, state, cause } = open.clone();
        Self { n: after, hash: String::new(), begun, open: Open { from, state, cause } }
    }

    /// The open end.
    #[must_use]
    pub fn open_span(&self) -> OpenSpan {
        let Open { from, state, cause } = self.open.clone();
        OpenSpan { after: self.n, from, state, cause }
    }
}

/// The key of a host in what people say of it.
#[must_use]
pub fn host_key(id: HostId) -> String {
    format!("host/{id}")
}

/// What people said of a subject or of windows that were laid over it, and holds.
#[must_use]
pub fn amendments_about(subject: &str, windows: &[Version], amendments: &[Amendment]) -> Vec<Version> {
    let is_about = |amendment: &&Amendment| match &amendment.says {
        Says::Was { subjects, .. } => subjects.iter().any(|known| known == subject),
        Says::Note { subject: about, .. } => about == subject,
        Says::Disregard { window } => windows.iter().any(|version| version.number == window.0),
    };
    let holding = amendments.iter().filter(|amendment| amendment.holds()).filter(is_about);
    holding.map(|amendment| Version { number: amendment.no.0, version: amendment.version }).collect()
}

/// False alarms of incidents about a subject.
#[must_use]
pub fn false_alarms_about(subject: &str, alarms: &[Dismissal]) -> Vec<Version> {
    let is_about = |alarm: &&Dismissal| about(&alarm.key).as_deref() == Some(subject) && alarm.corrects().is_some();
    alarms.iter().filter(is_about).map(|alarm| Version { number: alarm.no.0, version: alarm.version }).collect()
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Members of a report that say how it is now, whatever its period: no part of what can be reckoned again.
const OF_NOW: [&str; 2] = ["burn", "forecast"];

/// A report without what it says of the present.
#[must_use]
pub fn lasting(report: &Value) -> Value {
    let mut rest = report.clone();
    if let Some(members) = rest.as_object_mut() {
        members.retain(|name, _| !OF_NOW.contains(&name.as_str()));
    }
    rest
}

/// SHA-256 over what lasts of a report without its digest: JSON with its members sorted by name, without white space, in
/// UTF-8.
#[must_use]
pub fn fingerprint(report: &Value) -> String {
    let mut rest = lasting(report);
    if let Some(members) = rest.as_object_mut() {
        members.remove(DIGEST);
    }
    sha256(rest.to_string().as_bytes())
}

/// Instants as the API writes them.
pub(super) mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::domain::time::Timestamp;

    pub(in crate::domain::sla) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    pub(in crate::domain::sla) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        read(&String::deserialize(deserializer)?)
    }

    fn read<E: Error>(text: &str) -> Result<Timestamp, E> {
        let at = text.parse::<jiff::Timestamp>().map(|at| Timestamp::from_ms(at.as_millisecond()));
        let at = at.ok().filter(|at| at.to_string() == text);
        at.ok_or_else(|| E::custom(format!("{text:?} is not an instant such as 2026-11-21T09:14:03.250Z")))
    }

    /// One that may be missing.
    pub(super) mod maybe {
        use serde::{Deserialize, Deserializer, Serializer};

        use crate::domain::time::Timestamp;

        pub(in crate::domain::sla::inputs) fn serialize<S: Serializer>(
            at: &Option<Timestamp>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => serializer.collect_str(at),
                None => serializer.serialize_none(),
            }
        }

        pub(in crate::domain::sla::inputs) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            Option::<String>::deserialize(deserializer)?.map(|text| super::read(&text)).transpose()
        }
    }
}
