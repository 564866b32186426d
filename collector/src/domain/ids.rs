//! Identifiers: UUID v7 at the faces, small numbers inside.

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A host inside the store and the engine; never shown.
    HostNo
);
number!(
    /// An incident as people call it: `#1042`.
    IncidentNo
);
number!(
    /// A maintenance window or a silence.
    HoldNo
);
number!(
    /// What was said of an incident that was no problem.
    DismissalNo
);
number!(
    /// What somebody added to the record of service levels afterwards.
    AmendmentNo
);
number!(
    /// That somebody else is on call for a time.
    OverrideNo
);
number!(
    /// That somebody is away and cannot be called.
    AbsenceNo
);
number!(
    /// A page: one call to one receiver about one incident.
    PageId
);
number!(
    /// One accepted session; counts up while the collector runs and over restarts.
    SessionId
);

/// A host at the faces; random, given at enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostId(pub uuid::Uuid);

impl std::fmt::Display for HostId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl std::str::FromStr for HostId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        uuid::Uuid::parse_str(text).map(Self)
    }
}

impl TryFrom<String> for HostId {
    type Error = uuid::Error;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostId> for String {
    fn from(id: HostId) -> Self {
        id.to_string()
    }
}
