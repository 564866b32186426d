//! Reports of agreements, reckoned from the ledgers when they are asked for.

use super::{Web, problem::Problem, subjects::applies};
use crate::domain::{
    calendar::zone,
    sla::{
        period::Period,
        report::{Declared, Report},
    },
    snapshot::HostView,
};

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
}
