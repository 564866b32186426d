//! What is known of the subjects of an agreement, gathered from their ledgers: the same for every report and figure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Store, StoreError, check_ledger::CheckEntries};
use crate::domain::{
    calendar::Span,
    dismissal::Dismissal,
    hold::Hold,
    ids::HostNo,
    labels::matches_pattern,
    sla::{
        agreement::Policy,
        amendment::{Amended, Amendment},
        check::CheckHistory,
        check_basis::{CheckBasis, Stood},
        history::{LIVENESS, Observation, Planned, observations},
        inputs::{Basis, Position, amendments_about, false_alarms_about, host_key},
        report::{Declared, Known},
        service::{self, Service},
        subject::Subject,
        subjects::{hosts_of, laid, planned},
    },
    snapshot::{HostView, Snapshot},
    time::Timestamp,
};

/// Hosts whose ledgers are read in one go.
const SLICE: usize = 200;

/// What holds for all subjects.
struct Facts<'a> {
    holds: &'a [Hold],
    amendments: Vec<Amendment>,
    dismissals: Arc<Vec<Dismissal>>,
    period: Span,
    window: Span,
    /// What a check's warning counts as.
    warning: Policy,
    now: Timestamp,
}

/// The hosts and checks that the services of an agreement are made of.
struct Members<'a>(BTreeMap<&'a str, Direct<'a>>);

/// Those of one service, without those of the services that it is made of.
struct Direct<'a> {
    service: &'a Service,
    hosts: BTreeSet<HostNo>,
    known: Vec<Known>,
}

impl<'a> Members<'a> {
    fn of(declared: &'a Declared, hosts: &[Arc<HostView>]) -> Self {
        let direct = |service: &'a Service| {
            let hosts = hosts_of(service, hosts).map(|host| host.profile.no).collect();
            (service.name.as_str(), Direct { service, hosts, known: Vec::new() })
        };
        Self(declared.whole_services().map(direct).collect())
    }

    fn read(&mut self, history: &HostHistory<'_>, facts: &Facts<'_>) {
        for Direct { service, hosts, known } in self.0.values_mut() {
            if !hosts.contains(&history.host.profile.no) {
                continue;
            }
            match service.checks.is_empty() {
                true => known.push(history.host(facts)),
                false => known.extend(history.checks(&service.checks, facts)),
            }
        }
    }

    fn known(&self, service: &Service, facts: &Facts<'_>) -> Known {
        let mut members = self.0.get(service.name.as_str()).map(|direct| direct.known.clone()).unwrap_or_default();
        members.extend(service.services.iter().map(|part| self.known(part, facts)));
        let key = Subject::service_key(&service.name);
        let said = Amended::of(&key, &facts.amendments, &[]);
        let amendments = amendments_about(&key, &[], &facts.amendments);
        service::known(service, members, (facts.period, facts.window), (said, amendments))
    }
}

/// What was read of a host.
struct HostHistory<'a> {
    host: &'a HostView,
    begun: Timestamp,
    observed: Vec<Observation>,
    checks: BTreeMap<String, CheckEntries>,
}

impl Store {
    /// What is known of the subjects of an agreement on these hosts of a snapshot - the hosts themselves, their checks, or
    /// services that are made of them - in a window of time, given to `take` some at a time and in their order, so that
    /// nobody has to hold all of it; of services all is held until the last member was read. Planned work is that of
    /// `windows` in `period`, which may go on beyond the window.
    ///
    /// Read are only ledgers of hosts that have an entry in the window: one whose open end reaches over all of it has none.
    ///
    /// # Errors
    /// [`StoreError`]; some may have been given by then.
    pub async fn gather(
        &self,
        declared: &Declared,
        (windows, snapshot, hosts): (&[Hold], &Snapshot, &[Arc<HostView>]),
        (period, window): (Span, Span),
        now: Timestamp,
        mut take: impl FnMut(Vec<Known>),
    ) -> Result<(), StoreError> {
        let facts = Facts {
            holds: windows,
            amendments: self.amendments().await?,
            dismissals: Arc::clone(&snapshot.dismissals),
            period,
            window,
            warning: declared.agreement.warning,
            now,
        };
        let mut members = Members::of(declared, hosts);
        for slice in hosts.chunks(SLICE) {
            let histories = self.histories(slice, declared.has_checks(), &facts).await?;
            if !declared.services.is_empty() {
                histories.iter().for_each(|history| members.read(history, &facts));
                continue;
            }
            take(match declared.checks.is_empty() {
                true => histories.iter().map(|history| history.host(&facts)).collect(),
                false => histories.iter().flat_map(|history| history.checks(&declared.checks, &facts)).collect(),
            });
        }
        if !declared.services.is_empty() {
            take(declared.services.iter().map(|service| members.known(service, &facts)).collect());
        }
        Ok(())
    }

    async fn histories<'a>(
        &self,
        slice: &'a [Arc<HostView>],
        with_checks: bool,
        facts: &Facts<'_>,
    ) -> Result<Vec<HostHistory<'a>>, StoreError> {
        let changed = slice.iter().filter(|host| host.observed.from > facts.window.from);
        let changed: Vec<HostNo> = changed.map(|host| host.profile.no).collect();
        let mut ledgers =
            if changed.is_empty() { BTreeMap::new() } else { self.ledgers(changed, facts.window).await? };
        let mut checks = match with_checks {
            true => self.check_ledgers(slice.iter().map(|host| host.profile.no).collect(), facts.window).await?,
            false => BTreeMap::new(),
        };
        let history = |host: &'a Arc<HostView>| {
            let mut entries = ledgers.remove(&host.profile.no).unwrap_or_default();
            // What was written after the snapshot was taken is in its open end.
            entries.rows.retain(|row| row.n <= host.observed.after);
            let begun = entries.begun.unwrap_or(host.observed.from);
            let observed = observations(&entries.rows, &host.observed, begun, facts.window, facts.now);
            let open = |name: &str| host.checks.iter().find(|row| row.check == name)?.ledger.counted.as_ref();
            let checks = checks.remove(&host.profile.no).unwrap_or_default().into_iter();
            let checks = checks.map(|(name, entries)| (open(&name), name, entries));
            let checks = checks.map(|(open, name, entries)| (name, entries.until(open))).collect();
            HostHistory { host, begun, observed, checks }
        };
        Ok(slice.iter().map(history).collect())
    }
}

impl HostHistory<'_> {
    fn host(&self, facts: &Facts<'_>) -> Known {
        let profile = &self.host.profile;
        let subject = Subject::Host { no: profile.no, id: profile.id, name: profile.name.clone() };
        Known {
            amended: facts.amended(&subject),
            basis: self.basis(&subject, LIVENESS, facts),
            subject,
            observed: self.observed.clone(),
            with_others: None,
            maintenance: self.planned(LIVENESS, facts),
            members: Vec::new(),
        }
    }

    /// Its checks of these names: those that there are, and those that there were in the window.
    fn checks(&self, patterns: &[String], facts: &Facts<'_>) -> Vec<Known> {
        let there_are = self.host.checks.iter().map(|row| &row.check);
        let names: BTreeSet<&String> = self.checks.keys().chain(there_are).collect();
        let meant = names.into_iter().filter(|name| patterns.iter().any(|pattern| matches_pattern(pattern, name)));
        let none = CheckEntries::default();
        let was_there = |name: &&String| {
            let is_defined = self.host.checks.iter().any(|row| row.check == **name);
            is_defined || self.history(name, &none).touches(facts.window)
        };
        meant.filter(was_there).map(|name| self.check(name, facts)).collect()
    }

    fn check(&self, check: &str, facts: &Facts<'_>) -> Known {
        let profile = &self.host.profile;
        let (no, id, host) = (profile.no, profile.id, profile.name.clone());
        let subject = Subject::Check { no, id, host: host.clone(), check: check.to_owned() };
        let (none, what) = (CheckEntries::default(), format!("check/{check}"));
        let history = self.history(check, &none);
        let over = |host: &[Observation]| history.observations(host, facts.warning, facts.window, facts.now);
        let of_host = facts.amended(&Subject::Host { no, id, name: host });
        Known {
            amended: facts.amended(&subject),
            basis: Basis {
                check: Some(CheckBasis {
                    name: check.to_owned(),
                    n: self.checks.get(check).map_or(0, CheckEntries::last),
                    hash: String::new(),
                    open: history.open.map(Stood::of),
                    host_amendments: amendments_about(&host_key(id), &[], &facts.amendments),
                    host_false_alarms: false_alarms_about(&host_key(id), &facts.dismissals),
                }),
                ..self.basis(&subject, &what, facts)
            },
            subject,
            observed: over(&self.observed),
            with_others: (!of_host.corrections.is_empty()).then(|| over(&of_host.over(&self.observed))),
            maintenance: self.planned(&what, facts),
            members: Vec::new(),
        }
    }

    fn history<'s>(&'s self, check: &str, none: &'s CheckEntries) -> CheckHistory<'s> {
        let row = self.host.checks.iter().find(|row| row.check == check);
        let CheckEntries { from_its_beginning, rows, .. } = self.checks.get(check).unwrap_or(none);
        let open = row.and_then(|row| row.ledger.counted.as_ref());
        CheckHistory { from_its_beginning: *from_its_beginning, rows, open }
    }

    fn planned(&self, what: &str, facts: &Facts<'_>) -> Vec<Planned> {
        planned(facts.holds, &facts.amendments, self.host, what, facts.period)
    }

    /// What all that was taken from, a check's own ledger aside.
    fn basis(&self, subject: &Subject, what: &str, facts: &Facts<'_>) -> Basis {
        let key = subject.key();
        let windows = laid(facts.holds, self.host, what, facts.period);
        Basis {
            amendments: amendments_about(&key, &windows, &facts.amendments),
            false_alarms: false_alarms_about(&key, &facts.dismissals),
            windows,
            ..Basis::new(&subject.name(), subject.host(), Position::at(&self.host.observed, self.begun))
        }
    }
}

impl Facts<'_> {
    fn amended(&self, subject: &Subject) -> Amended {
        Amended::of(&subject.key(), &self.amendments, &self.dismissals)
    }
}
