//! What was known of a subject when a report was made, from the entries and the versions that it stands on.

use std::collections::BTreeMap;

use super::{
    agreement::Policy,
    amendment::{Amended, Amendment},
    check::CheckHistory,
    check_basis::{CheckBasis, KeptCheck, Stood},
    history::{Observation, observations, occurrences},
    inputs::{Basis, Version, host_key},
    report::Known,
    subject::Subject,
    verification::Trouble,
};
use crate::domain::{
    calendar::Span,
    dismissal::Dismissal,
    hold::Hold,
    ids::{HostId, HostNo},
    record::SpanRow,
    time::Timestamp,
};

/// What an amendment is called where one is missing.
const AMENDMENT: &str = "amendment";
/// The same of what was said of an incident.
const ALARM: &str = "what was said of an incident, number";

/// What people had said, in all versions that reports stand on.
#[derive(Debug, Default)]
pub struct Said {
    /// Maintenance windows.
    pub windows: BTreeMap<Version, Hold>,
    /// What they said afterwards.
    pub amendments: BTreeMap<Version, Amendment>,
    /// What they said of incidents.
    pub alarms: BTreeMap<Version, Dismissal>,
}

impl Said {
    /// What was known of a host with these entries of its ledger.
    ///
    /// # Errors
    /// Something that was said is not in the records.
    pub fn known(
        &self,
        (no, id): (HostNo, HostId),
        basis: &Basis,
        rows: &[SpanRow],
        (period, window): (Span, Span),
        as_of: Timestamp,
    ) -> Result<Known, Trouble> {
        let windows = of(&self.windows, &basis.windows, "maintenance window")?;
        let amendments = of(&self.amendments, &basis.amendments, AMENDMENT)?;
        let alarms = of(&self.alarms, &basis.false_alarms, ALARM)?;
        let ledger = basis.ledger.as_ref();
        let ledger =
            ledger.ok_or_else(|| Trouble::Cannot(format!("the report names no ledger of {}", basis.subject)))?;
        Ok(Known {
            subject: Subject::Host { no, id, name: basis.subject.clone() },
            with_others: None,
            observed: observations(rows, &ledger.open_span(), ledger.begun, window, as_of),
            maintenance: windows.iter().flat_map(|hold| occurrences(hold, &amendments, period)).collect(),
            amended: Amended::of(&host_key(id), &amendments, &alarms),
            basis: basis.clone(),
            members: Vec::new(),
        })
    }

    /// What people had said of the service with this key.
    ///
    /// # Errors
    /// The same.
    pub fn of_service(&self, key: &str, basis: &Basis) -> Result<Amended, Trouble> {
        Ok(Amended::of(key, &of(&self.amendments, &basis.amendments, AMENDMENT)?, &[]))
    }

    /// What was known of a check on that host with these entries of its own ledger.
    ///
    /// # Errors
    /// The same.
    pub fn known_check(
        &self,
        (no, id): (HostNo, HostId),
        of_host: Known,
        of_check: &CheckBasis,
        kept: &KeptCheck,
        (warning, window): (Policy, Span),
        as_of: Timestamp,
    ) -> Result<Known, Trouble> {
        let Known { observed, maintenance, basis, .. } = of_host;
        let check = of_check.name.clone();
        let open = of_check.open.as_ref().map(Stood::counted);
        let history =
            CheckHistory { from_its_beginning: kept.from_its_beginning, rows: &kept.rows, open: open.as_ref() };
        let over = |host: &[Observation]| history.observations(host, warning, window, as_of);
        let amended = |key: &str, amendments: &[Version], alarms: &[Version]| {
            let amendments = of(&self.amendments, amendments, AMENDMENT)?;
            Ok::<_, Trouble>(Amended::of(key, &amendments, &of(&self.alarms, alarms, ALARM)?))
        };
        let of_host = amended(&host_key(id), &of_check.host_amendments, &of_check.host_false_alarms)?;
        // The subject is called `host/check`, by the host's name of then.
        let host = basis.subject.strip_suffix(&format!("/{check}")).unwrap_or(&basis.subject).to_owned();
        let subject = Subject::Check { no, id, host, check };
        Ok(Known {
            amended: amended(&subject.key(), &basis.amendments, &basis.false_alarms)?,
            subject,
            with_others: (!of_host.corrections.is_empty()).then(|| over(&of_host.over(&observed))),
            observed: over(&observed),
            maintenance,
            basis,
            members: Vec::new(),
        })
    }
}

/// These versions of something.
fn of<T: Clone>(kept: &BTreeMap<Version, T>, versions: &[Version], what: &str) -> Result<Vec<T>, Trouble> {
    let one = |asked: &Version| {
        let Version { number, version } = asked;
        let missing = || Trouble::Cannot(format!("version {version} of {what} {number} is not in the records"));
        kept.get(asked).cloned().ok_or_else(missing)
    };
    versions.iter().map(one).collect()
}
