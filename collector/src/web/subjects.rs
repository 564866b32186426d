//! What is known of those who have to keep an agreement, from the ledgers and the present picture.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Web, problem::Problem};
use crate::{
    domain::{
        calendar::Span,
        dismissal::Dismissal,
        hold::{self, Hold, Labels, confirmed_labels},
        ids::HostNo,
        labels::matches_pattern,
        sla::{
            agreement::Policy,
            amendment::{Amended, Amendment},
            check::CheckHistory,
            history::{LIVENESS, Observation, Planned, maintenance, observations},
            report::{Declared, Known},
            subject::Subject,
        },
        snapshot::HostView,
        time::Timestamp,
    },
    store::check_ledger::CheckEntries,
};

/// Hosts whose ledgers are read in one go.
const SLICE: usize = 200;

/// What holds for all subjects of a report.
struct Facts {
    /// Maintenance windows.
    holds: Vec<Hold>,
    /// What people said afterwards.
    amendments: Vec<Amendment>,
    /// What was said to be no problem.
    dismissals: Arc<Vec<Dismissal>>,
    /// The whole period; planned work is asked for beyond the window.
    period: Span,
    /// What of it is over.
    window: Span,
    /// What a check's warning counts as.
    warning: Policy,
    now: Timestamp,
}

/// What was read of a host.
struct HostHistory<'a> {
    host: &'a HostView,
    observed: Vec<Observation>,
    checks: BTreeMap<String, CheckEntries>,
}

impl Web {
    /// The subjects of an agreement: hosts or checks, by name.
    pub(super) async fn known(&self, declared: &Declared, period: Span, window: Span) -> Result<Vec<Known>, Problem> {
        let (snapshot, now) = (self.snapshot(), self.now());
        let facts = Facts {
            holds: self.context.store.maintenance_windows().await?,
            amendments: self.context.store.amendments().await?,
            dismissals: Arc::clone(&snapshot.dismissals),
            period,
            window,
            warning: declared.agreement.warning,
            now,
        };
        let mut hosts: Vec<&HostView> =
            snapshot.hosts.values().map(Arc::as_ref).filter(|host| applies(declared, host)).collect();
        hosts.sort_by(|one, other| one.profile.name.cmp(&other.profile.name));
        let mut known = Vec::with_capacity(hosts.len());
        for history in self.histories(&hosts, !declared.checks.is_empty(), &facts).await? {
            match declared.checks.is_empty() {
                true => known.push(history.host(&facts)),
                false => known.extend(history.checks(&declared.checks, &facts)),
            }
        }
        Ok(known)
    }

    async fn histories<'a>(
        &self,
        hosts: &[&'a HostView],
        with_checks: bool,
        facts: &Facts,
    ) -> Result<Vec<HostHistory<'a>>, Problem> {
        let mut found = Vec::with_capacity(hosts.len());
        for slice in hosts.chunks(SLICE) {
            let numbers: Vec<HostNo> = slice.iter().map(|host| host.profile.no).collect();
            let mut ledgers = self.context.store.ledgers(numbers.clone(), facts.window).await?;
            let mut checks = match with_checks {
                true => self.context.store.check_ledgers(numbers, facts.window).await?,
                false => BTreeMap::new(),
            };
            found.extend(slice.iter().map(|host| {
                let entries = ledgers.remove(&host.profile.no).unwrap_or_default();
                let begun = entries.begun.unwrap_or(host.observed.from);
                let observed = observations(&entries.rows, &host.observed, begun, facts.window, facts.now);
                HostHistory { host, observed, checks: checks.remove(&host.profile.no).unwrap_or_default() }
            }));
        }
        Ok(found)
    }
}

impl HostHistory<'_> {
    fn host(&self, facts: &Facts) -> Known {
        let profile = &self.host.profile;
        let subject = Subject::Host { no: profile.no, id: profile.id, name: profile.name.clone() };
        Known {
            amended: facts.amended(&subject),
            subject,
            observed: self.observed.clone(),
            with_others: None,
            maintenance: self.planned(LIVENESS, facts),
        }
    }

    /// Its checks of these names: those that there are, and those that there were in the window.
    fn checks(&self, patterns: &[String], facts: &Facts) -> Vec<Known> {
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

    fn check(&self, check: &str, facts: &Facts) -> Known {
        let profile = &self.host.profile;
        let (no, id, host) = (profile.no, profile.id, profile.name.clone());
        let subject = Subject::Check { no, id, host: host.clone(), check: check.to_owned() };
        let none = CheckEntries::default();
        let history = self.history(check, &none);
        let over = |host: &[Observation]| history.observations(host, facts.warning, facts.window, facts.now);
        let of_host = facts.amended(&Subject::Host { no, id, name: host });
        Known {
            amended: facts.amended(&subject),
            subject,
            observed: over(&self.observed),
            with_others: (!of_host.corrections.is_empty()).then(|| over(&of_host.over(&self.observed))),
            maintenance: self.planned(&format!("check/{check}"), facts),
        }
    }

    fn history<'s>(&'s self, check: &str, none: &'s CheckEntries) -> CheckHistory<'s> {
        let row = self.host.checks.iter().find(|row| row.check == check);
        let CheckEntries { from_its_beginning, rows } = self.checks.get(check).unwrap_or(none);
        let open = row.and_then(|row| row.ledger.counted.as_ref());
        CheckHistory { from_its_beginning: *from_its_beginning, rows, open }
    }

    fn planned(&self, what: &str, facts: &Facts) -> Vec<Planned> {
        let labels = confirmed_labels(&self.host.profile);
        maintenance(&facts.holds, &facts.amendments, &subject(self.host, &labels), what, facts.period)
    }
}

impl Facts {
    fn amended(&self, subject: &Subject) -> Amended {
        Amended::of(&subject.key(), &self.amendments, &self.dismissals)
    }
}

/// What a host says of itself does not bring it under a contract.
pub(super) fn applies(declared: &Declared, host: &HostView) -> bool {
    let labels = confirmed_labels(&host.profile);
    declared.scope.fits_host(&subject(host, &labels))
}

fn subject<'a>(host: &'a HostView, labels: &'a [(String, String)]) -> hold::Subject<'a> {
    let profile = &host.profile;
    let (site, labels) = (profile.confirmed_site(), Labels(labels));
    hold::Subject { name: &profile.name, site, class: Some(profile.class), labels }
}
