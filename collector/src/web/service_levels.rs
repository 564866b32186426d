//! Reports of agreements, reckoned from the ledgers when they are asked for.

use super::{Web, problem::Problem};
use crate::domain::{
    calendar::{Span, zone},
    hold::{Hold, Labels, Subject, confirmed_labels},
    ids::HostNo,
    sla::{
        amendment::{Amended, Amendment},
        history::{Planned, maintenance, observations},
        period::Period,
        report::{Declared, Known, Report},
    },
    snapshot::HostView,
};

/// Hosts whose ledgers are read in one go.
const SLICE: usize = 200;

impl Web {
    /// The agreement of this name.
    pub(super) fn agreement(&self, name: &str) -> Result<&Declared, Problem> {
        let found = self.context.config.agreements.iter().find(|declared| declared.agreement.name == name);
        found.ok_or_else(|| Problem::not_found(&format!("agreement {name:?} in collector.toml")))
    }

    /// An agreement over a period that has begun; without one over the present period.
    pub(super) async fn report(&self, declared: &Declared, period: Option<&str>) -> Result<Report, Problem> {
        let now = self.now();
        let zone = zone(&declared.agreement.zone).ok_or_else(|| Problem::internal("a zone is not known any more"))?;
        let wrong = |name: &str| Problem::invalid("period", name, Period::EXPECTED);
        let period = match period {
            None => declared.period.at(now, &zone),
            Some(name) => Period::parse(name, &zone).ok_or_else(|| wrong(name))?,
        };
        let window = period.until(now).ok_or_else(|| {
            Problem::invalid("period", &period.name, "one that has begun: nothing is known of the future")
        })?;
        let known = self.known(declared, period.span, window).await?;
        Ok(Report::of(declared, period, window, known, now))
    }

    /// Names of the agreements that one of these hosts falls under.
    pub(super) fn agreements_of(&self, is_meant: impl Fn(&HostView) -> bool) -> Vec<String> {
        let snapshot = self.snapshot();
        let meant: Vec<_> = snapshot.hosts.values().filter(|host| is_meant(host)).collect();
        let touched = |declared: &&Declared| meant.iter().any(|host| applies(declared, host));
        let agreements = self.context.config.agreements.iter().filter(touched);
        agreements.map(|declared| declared.agreement.name.clone()).collect()
    }

    /// The subjects of an agreement, by name. Planned work is asked for beyond the window.
    async fn known(&self, declared: &Declared, period: Span, window: Span) -> Result<Vec<Known>, Problem> {
        let (snapshot, now) = (self.snapshot(), self.now());
        let mut subjects: Vec<_> = snapshot.hosts.values().filter(|host| applies(declared, host)).collect();
        subjects.sort_by(|one, other| one.profile.name.cmp(&other.profile.name));
        let holds = self.context.store.maintenance_windows().await?;
        let amendments = self.context.store.amendments().await?;
        let mut known = Vec::with_capacity(subjects.len());
        for slice in subjects.chunks(SLICE) {
            let hosts: Vec<HostNo> = slice.iter().map(|host| host.profile.no).collect();
            let mut ledgers = self.context.store.ledgers(hosts, window).await?;
            known.extend(slice.iter().map(|host| {
                let entries = ledgers.remove(&host.profile.no).unwrap_or_default();
                let begun = entries.begun.unwrap_or(host.observed.from);
                Known {
                    host: host.profile.no,
                    id: host.profile.id,
                    name: host.profile.name.clone(),
                    observed: observations(&entries.rows, &host.observed, begun, window, now),
                    maintenance: planned(&holds, &amendments, host, period),
                    amended: Amended::of(&format!("host/{}", host.profile.id), &amendments, &snapshot.dismissals),
                }
            }));
        }
        Ok(known)
    }
}

/// What a host says of itself does not bring it under a contract.
fn applies(declared: &Declared, host: &HostView) -> bool {
    let labels = confirmed_labels(&host.profile);
    declared.scope.fits_host(&subject(host, &labels))
}

fn planned(holds: &[Hold], amendments: &[Amendment], host: &HostView, period: Span) -> Vec<Planned> {
    let labels = confirmed_labels(&host.profile);
    maintenance(holds, amendments, &subject(host, &labels), period)
}

fn subject<'a>(host: &'a HostView, labels: &'a [(String, String)]) -> Subject<'a> {
    let profile = &host.profile;
    Subject { name: &profile.name, site: profile.confirmed_site(), class: Some(profile.class), labels: Labels(labels) }
}
