//! Reports of agreements, reckoned from the ledgers when they are asked for.

use std::sync::Arc;

use super::{Web, problem::Problem};
use crate::domain::{
    calendar::zone,
    hold::Hold,
    sla::{
        burn::Burn,
        force,
        period::Period,
        report::{Declared, Report},
        subjects::{applies, subjects},
    },
    snapshot::HostView,
};
use crate::store::agreements::AgreementVersion;

impl Web {
    /// All that is promised, now.
    pub(super) fn promised(&self) -> Arc<Vec<Declared>> {
        Arc::clone(&self.context.agreements.borrow())
    }

    /// How fast the budget of an agreement is spent, as looked at last.
    pub(super) fn burn(&self, declared: &Declared) -> Option<Burn> {
        let burns = self.context.burns.borrow();
        burns.iter().find(|burn| burn.agreement == declared.agreement.name).cloned()
    }

    /// What one of these agreements promises in a period; without one in the present period. `on` is a date on which another
    /// declaration is in force than the one that comes first in the period.
    pub(super) fn agreement<'a>(
        &self,
        promised: &'a [Declared],
        name: &str,
        period: Option<&str>,
        on: Option<&str>,
    ) -> Result<force::Chosen<'a>, Problem> {
        let named = force::named(promised, name);
        if named.is_empty() {
            return Err(Problem::not_found(&format!("agreement {name:?} (muster-collector sla list)")));
        }
        let date = |text: &str| text.parse().map_err(|_| Problem::invalid("on", text, "a date such as 2026-10-25"));
        let wrong = || Problem::invalid("period", period.unwrap_or_default(), Period::EXPECTED);
        force::choose(&named, period, on.map(date).transpose()?, self.now()).ok_or_else(wrong)
    }

    /// The version of an agreement that holds.
    pub(super) async fn version(&self, name: &str) -> Result<Option<AgreementVersion>, Problem> {
        Ok(self.context.store.agreement_versions(name.to_owned()).await?.pop())
    }

    /// An agreement over the present period.
    pub(super) async fn report(&self, declared: &Declared) -> Result<Report, Problem> {
        let zone = zone(&declared.agreement.zone).ok_or_else(|| Problem::internal("a zone is not known any more"))?;
        self.report_over(declared, declared.period.at(self.now(), &zone)).await
    }

    /// An agreement over a period that has begun.
    pub(super) async fn report_over(&self, declared: &Declared, period: Period) -> Result<Report, Problem> {
        let windows = self.context.store.maintenance_windows().await?;
        self.report_with(declared, period, &windows).await
    }

    /// The same with these windows of planned work, whatever was entered.
    pub(super) async fn report_with(
        &self,
        declared: &Declared,
        period: Period,
        windows: &[Hold],
    ) -> Result<Report, Problem> {
        let now = self.now();
        let window = period.until(now).ok_or_else(|| {
            Problem::invalid("period", &period.name, "one that has begun: nothing is known of the future")
        })?;
        let snapshot = self.snapshot();
        let hosts = subjects(declared, &snapshot);
        let mut known = Vec::with_capacity(hosts.len());
        let take = |some| known.extend(some);
        let of = (windows, &*snapshot, &*hosts);
        self.context.store.gather(declared, of, (period.span, window), now, take).await?;
        Ok(Report::of(declared, period, window, known, now))
    }

    /// Names of the agreements that one of these hosts falls under.
    pub(super) fn agreements_of(&self, is_meant: impl Fn(&Declared, &HostView) -> bool) -> Vec<String> {
        let snapshot = self.snapshot();
        let touched = |declared: &&Declared| {
            snapshot.hosts.values().any(|host| is_meant(declared, host) && applies(declared, host))
        };
        let promised = self.promised();
        let agreements = promised.iter().filter(touched);
        let names = agreements.map(|declared| declared.agreement.name.clone());
        names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }
}
