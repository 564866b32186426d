//! Cuts: when many hosts of a scope fall silent at once it is the way to them that is broken, not they.
//!
//! Scopes are each site of at least five hosts, and the collector's own network. A scope is cut when at least
//! max(3, 30 %) of its up hosts became suspect by silence within 5 s. What cuts off all sites at once reaches that share
//! at each of them at about the same time as in all, so a site waits for a moment whether it is alone. A cut heals when
//! half are back; the rest become suspect again 60 s later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    Desk, DeskStep, ForHosts,
    fleet::{Fleet, Member},
    incident::Incident,
    problem,
};
use crate::domain::{
    event::{Effect, HostEvent},
    host::{Cause, State, change::HostChange},
    ids::{HostNo, IncidentNo},
    labels::Profile,
    record::{PageKind, Row},
    severity::Severity,
    time::Timestamp,
};

/// Sites with fewer hosts are no scope of their own.
const SITE_HOSTS: usize = 5;
/// Never a cut below this many hosts.
const CUT_HOSTS: usize = 3;
/// Share of a scope's up hosts, in percent.
const CUT_PERCENT: usize = 30;
/// The same for those that did not come back after the collector was away: they fall due at once by our own doing, so
/// only the absence of half of a scope speaks for a cut.
const NOT_BACK_PERCENT: usize = 50;
/// They must fall silent within this time.
const WINDOW_MS: i64 = 5_000;
/// Those that are not back this long after the scope healed are suspect again.
const HEAL_MS: i64 = 60_000;
/// The scope that holds every host.
const COLLECTOR: &str = "the collector's network";
/// What the name of a site's scope begins with.
const SITE: &str = "site ";

/// All scopes.
#[derive(Debug, Default)]
pub struct Cuts {
    scopes: BTreeMap<String, Scope>,
}

#[derive(Debug, Default)]
struct Scope {
    /// In the order in which they fell silent.
    order: VecDeque<(Timestamp, HostNo)>,
    suspects: BTreeSet<HostNo>,
    /// Enough are silent; cut then, unless all sites turn out to be.
    ripe: Option<Timestamp>,
    cut: Option<Cut>,
}

#[derive(Debug)]
struct Cut {
    since: Timestamp,
    members: BTreeSet<HostNo>,
    back: BTreeSet<HostNo>,
    /// How many were back when the last collector ended; they are not among the members.
    back_before: usize,
    healed: Option<Timestamp>,
    incident: Option<IncidentNo>,
    /// Whether its problem has not been told of the last change.
    changed: bool,
}

impl Cut {
    /// How many it took with it.
    fn hosts(&self) -> usize {
        self.back_before + self.members.len()
    }
}

impl Scope {
    fn open(&self) -> Option<&Cut> {
        self.cut.as_ref().filter(|cut| cut.healed.is_none())
    }

    fn suspect(&mut self, host: HostNo, now: Timestamp) {
        while let Some((_, old)) = self.order.pop_front_if(|(at, _)| now.since_ms(*at) > WINDOW_MS) {
            self.suspects.remove(&old);
        }
        if self.suspects.insert(host) {
            self.order.push_back((now, host));
        }
    }

    /// Whether so many are silent that it is cut, and nothing else explains it.
    fn is_silent(&self, site: Option<&str>, percent: usize, fleet: &Fleet) -> bool {
        self.suspects.len() >= CUT_HOSTS.max((fleet.up_in(site) * percent).div_ceil(100))
            && !fleet.family.explains(&self.suspects, fleet)
            && !fleet.a_group_explains(&self.suspects)
    }

    fn back(&mut self, host: HostNo, now: Timestamp) {
        if self.suspects.remove(&host) {
            self.order.retain(|(_, suspect)| *suspect != host);
        }
        if let Some(cut) = self.cut.as_mut().filter(|cut| cut.members.contains(&host)) {
            cut.back.insert(host);
            if cut.healed.is_none() && (cut.back_before + cut.back.len()) * 2 >= cut.hosts() {
                cut.healed = Some(now);
                cut.changed = true;
            }
        }
    }
}

impl Cuts {
    /// Follows a host's change; declares and heals cuts.
    pub fn heard(&mut self, host: HostNo, change: &HostChange, fleet: &Fleet, now: Timestamp, step: &mut DeskStep) {
        match change {
            HostChange::Suspected { not_back, .. } => {
                let percent = if *not_back { NOT_BACK_PERCENT } else { CUT_PERCENT };
                self.suspected(host, percent, fleet, now, step);
            }
            HostChange::Liveness { to: State::Unreachable, cause: Cause::Cut(scope), .. } => {
                if let Some(cut) = self.scopes.get_mut(scope).and_then(|scope| scope.cut.as_mut()) {
                    cut.members.insert(host);
                    cut.back.remove(&host);
                    cut.changed = true;
                }
            }
            HostChange::Liveness { to: State::Up, .. } => {
                self.scopes.values_mut().for_each(|scope| scope.back(host, now));
            }
            HostChange::Ran { .. }
            | HostChange::Finding(_)
            | HostChange::Check { .. }
            | HostChange::Changed(_)
            | HostChange::Liveness { .. } => {}
        }
    }

    /// A cut as it was when the last collector ended: its incident, the hosts that it took with it, `hosts` in all, and those
    /// that are still away. One that had healed (`healed`) has only its rest to be looked after.
    pub fn reopen(
        &mut self,
        name: &str,
        since: Timestamp,
        healed: Option<Timestamp>,
        incident: Option<IncidentNo>,
        members: BTreeSet<HostNo>,
        hosts: usize,
    ) {
        let back_before = hosts.saturating_sub(members.len());
        let cut = Cut { since, members, back: BTreeSet::new(), back_before, healed, incident, changed: false };
        self.scopes.entry(name.to_owned()).or_default().cut = Some(cut);
    }

    fn suspected(&mut self, host: HostNo, percent: usize, fleet: &Fleet, now: Timestamp, step: &mut DeskStep) {
        for site in self.scopes_of(host, fleet) {
            let name = scope_name(site);
            let scope = self.scopes.entry(name.clone()).or_default();
            if scope.open().is_some() {
                step.for_hosts.push(ForHosts { hosts: vec![host], event: HostEvent::Cut { scope: name } });
                return;
            }
            scope.suspect(host, now);
            if !scope.is_silent(site, percent, fleet) {
                continue;
            }
            if site.is_some() {
                scope.ripe.get_or_insert(now.plus_ms(patience_ms(&scope.suspects, fleet)));
            } else if more_than_a_site(&scope.suspects, fleet) {
                declare(scope, site, fleet, now, step);
                return;
            }
        }
    }

    /// Sites that have waited long enough are cut, unless all of them are.
    fn ripen(&mut self, fleet: &Fleet, now: Timestamp, step: &mut DeskStep) {
        let all_cut = self.scopes.get(COLLECTOR).is_some_and(|scope| scope.open().is_some());
        for (name, scope) in &mut self.scopes {
            if scope.ripe.take_if(|at| *at <= now).is_none() {
                continue;
            }
            let site = name.strip_prefix(SITE);
            if !all_cut && scope.open().is_none() && scope.is_silent(site, CUT_PERCENT, fleet) {
                declare(scope, site, fleet, now, step);
            }
        }
    }

    /// The clock was set by this much.
    pub fn stepped(&mut self, by_ms: i64) {
        for scope in self.scopes.values_mut() {
            scope.order.iter_mut().for_each(|(at, _)| *at = at.plus_ms(by_ms));
            scope.ripe = scope.ripe.map(|at| at.plus_ms(by_ms));
            if let Some(cut) = &mut scope.cut {
                cut.healed = cut.healed.map(|at| at.plus_ms(by_ms));
            }
        }
    }

    /// Sends those that did not come back with their scope into suspicion again; forgets a cut that took nobody along.
    pub fn tick(&mut self, fleet: &Fleet, now: Timestamp, step: &mut DeskStep) {
        for scope in self.scopes.values_mut() {
            let over = |cut: &Cut| match cut.healed {
                Some(at) => now.since_ms(at) >= HEAL_MS && !cut.changed,
                None => cut.members.is_empty(),
            };
            if scope.cut.as_ref().is_some_and(over)
                && let Some(cut) = scope.cut.take()
            {
                let hosts = cut.members.difference(&cut.back).copied().collect();
                step.for_hosts.push(ForHosts { hosts, event: HostEvent::Healed });
            }
        }
        // Last: whom a new cut takes along joins it after this step.
        self.ripen(fleet, now, step);
    }

    /// When the next cut wants to be looked at: at once after a change, else when the rest of a healed one is due.
    pub fn due(&self) -> impl Iterator<Item = Timestamp> {
        let ripe = self.scopes.values().filter_map(|scope| scope.ripe);
        let cuts = self.scopes.values().filter_map(|scope| {
            let cut = scope.cut.as_ref()?;
            if cut.changed || cut.members.is_empty() {
                return Some(cut.since);
            }
            Some(cut.healed?.plus_ms(HEAL_MS))
        });
        ripe.chain(cuts)
    }

    /// Scopes that are cut: name and since.
    pub fn open(&self) -> impl Iterator<Item = (String, Timestamp)> {
        self.scopes.iter().filter_map(|(name, scope)| Some((name.clone(), scope.open()?.since)))
    }

    /// Hosts of the cut that is this incident.
    pub fn members(&self, no: IncidentNo) -> impl Iterator<Item = HostNo> {
        let cuts = self.scopes.values().filter_map(|scope| scope.cut.as_ref());
        cuts.filter(move |cut| cut.incident == Some(no)).flat_map(|cut| cut.members.iter().copied())
    }

    /// The incident of the cut that a host is in.
    #[must_use]
    pub fn incident_of(&self, host: HostNo) -> Option<IncidentNo> {
        let mut cuts = self.scopes.values().filter_map(Scope::open);
        cuts.find(|cut| cut.members.contains(&host)).and_then(|cut| cut.incident)
    }

    /// How long the page of a cut waits: as long as that of its most closely watched host.
    #[must_use]
    pub fn page_after_ms(&self, key: &str, fleet: &Fleet) -> Option<i64> {
        let scope = key.strip_prefix("liveness/")?.strip_suffix("/cut")?;
        let cut = self.scopes.get(scope)?.cut.as_ref()?;
        let levels = cut.members.iter().filter_map(|host| fleet.get(*host)).map(|member| member.watch.timers());
        let levels = levels.filter(|timers| !timers.looks_at_ms.is_empty());
        levels.map(|timers| timers.fold_ms + timers.page_after_ms).min()
    }

    /// The sites that a host's suspicion counts for, narrowest first; `None` is the collector's own network. When that
    /// is cut it comes first: it explains everything.
    fn scopes_of<'a>(&self, host: HostNo, fleet: &'a Fleet) -> Vec<Option<&'a str>> {
        let site = fleet.get(host).and_then(|member| member.site.as_deref());
        let site = site.filter(|site| fleet.hosts_in(Some(site)) >= SITE_HOSTS);
        let all_cut = self.scopes.get(COLLECTOR).is_some_and(|scope| scope.open().is_some());
        match site {
            Some(_) if !all_cut => vec![site, None],
            _ => vec![None],
        }
    }
}

fn declare(scope: &mut Scope, site: Option<&str>, fleet: &Fleet, now: Timestamp, step: &mut DeskStep) {
    let suspects = std::mem::take(&mut scope.suspects);
    scope.order.clear();
    let since = suspects.iter().filter_map(|host| fleet.get(*host)).map(|member| member.proof).min();
    let inside = |member: &Member| !member.is_device() && (site.is_none() || member.site.as_deref() == site);
    let recently_down = |member: &Member| member.state == State::Down && now.since_ms(member.since) < HEAL_MS;
    let joins = |host: HostNo, member: &Member| inside(member) && (suspects.contains(&host) || recently_down(member));
    let hosts = fleet.iter().filter(|(host, member)| joins(*host, member)).map(|(host, _)| host).collect();
    // Those of an earlier cut that are not back yet stay in it.
    let earlier = scope.cut.take().map(|cut| cut.members.difference(&cut.back).copied().collect());
    scope.cut = Some(Cut {
        since: since.unwrap_or(now),
        members: earlier.unwrap_or_default(),
        back: BTreeSet::new(),
        back_before: 0,
        healed: None,
        incident: None,
        changed: false,
    });
    step.for_hosts.push(ForHosts { hosts, event: HostEvent::Cut { scope: scope_name(site) } });
    step.effects.push(Effect::Publish);
}

/// How long a site waits for the others: not so long that the first of its hosts is down before, in milliseconds.
fn patience_ms(suspects: &BTreeSet<HostNo>, fleet: &Fleet) -> i64 {
    let timers = suspects.iter().filter_map(|host| fleet.get(*host)).map(|member| member.watch.timers());
    let confirm_ms = timers.filter(|timers| !timers.looks_at_ms.is_empty()).map(|timers| timers.confirm_ms).min();
    confirm_ms.unwrap_or(0) * 3 / 4
}

/// One site falling silent is that site's cut, not the collector's.
fn more_than_a_site(suspects: &BTreeSet<HostNo>, fleet: &Fleet) -> bool {
    let mut sites = suspects.iter().filter_map(|host| fleet.get(*host)).map(|member| member.site.as_deref());
    let Some(first) = sites.next() else { return false };
    first.is_none() || sites.any(|site| site != first)
}

fn scope_name(site: Option<&str>) -> String {
    site.map_or_else(|| COLLECTOR.to_owned(), |site| format!("{SITE}{site}"))
}

/// Whether the cut with this key is one of a scope that holds hosts of a site.
pub(super) fn is_of(key: &str, site: Option<&str>) -> bool {
    let scope = key.strip_prefix("liveness/").and_then(|rest| rest.strip_suffix("/cut"));
    scope.is_some_and(|scope| scope == COLLECTOR || site.is_some_and(|site| scope == scope_name(Some(site))))
}

impl Desk {
    /// Gives each cut that changed its incident and takes away what has healed.
    pub(super) fn settle_cuts(&mut self, now: Timestamp, step: &mut DeskStep) {
        let mut changed = Vec::new();
        for (name, scope) in &mut self.cuts.scopes {
            if let Some(cut) = scope.cut.as_mut().filter(|cut| cut.changed) {
                cut.changed = false;
                changed.push((name.clone(), cut.hosts(), cut.since, cut.healed.is_some()));
            }
        }
        for (name, hosts, since, healed) in changed {
            let key = format!("liveness/{name}/cut");
            let problem = (!healed).then(|| problem::of_cut(&name, hosts, since, now, 0));
            self.weigh(key.clone(), problem, now, step);
            let no = self.problems.get(&key).and_then(|problem| problem.row.incident);
            if let Some(cut) = self.cuts.scopes.get_mut(&name).and_then(|scope| scope.cut.as_mut()) {
                cut.incident = cut.incident.or(no);
            }
        }
    }

    /// Opens the cuts again that were open when the last collector ended; one without hosts is over.
    pub fn reopen_cuts(&mut self, unreachable: &[(HostNo, String)], now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        let open: Vec<(String, Timestamp, Option<IncidentNo>, usize)> = self
            .problems
            .values()
            .filter_map(|problem| {
                let scope = problem.row.key.strip_prefix("liveness/")?.strip_suffix("/cut")?;
                let hosts = problem::hosts_of_cut(&problem.row);
                Some((scope.to_owned(), problem.row.since, problem.row.incident, hosts))
            })
            .collect();
        for (scope, since, incident, hosts) in open {
            let members: BTreeSet<HostNo> =
                unreachable.iter().filter(|(_, name)| *name == scope).map(|(host, _)| *host).collect();
            if members.is_empty() {
                self.weigh(format!("liveness/{scope}/cut"), None, now, &mut step);
            } else {
                self.cuts.reopen(&scope, since, None, incident, members, hosts);
            }
        }
        let mut rest: BTreeMap<&String, BTreeSet<HostNo>> = BTreeMap::new();
        for (host, scope) in unreachable {
            if self.cuts.scopes.get(scope).is_none_or(|scope| scope.cut.is_none()) {
                rest.entry(scope).or_default().insert(*host);
            }
        }
        for (scope, members) in rest {
            self.cuts.reopen(scope, now, Some(now), None, members, 0);
        }
        step
    }

    /// A host joined a cut: its own incident, if it has one, becomes part of the cut's.
    pub(super) fn join_cut(&mut self, profile: &Profile, scope: &str, now: Timestamp, step: &mut DeskStep) {
        let Some(problem) = self.problems.remove(&problem::liveness_key(profile)) else { return };
        if problem.row.incident.is_some() {
            self.settle_cuts(now, step);
        }
        let cut = self.cuts.scopes.get(scope).and_then(|scope| scope.cut.as_ref()).and_then(|cut| cut.incident);
        step.effects.push(Effect::Record(Row::ProblemCleared(problem.row.key.clone())));
        let (Some(own), Some(cut)) = (problem.row.incident, cut) else { return };
        self.become_part(own, cut, now, step);
    }

    /// The page already sent is not repeated: its receivers hear one update now and one recovery at the end.
    pub(super) fn become_part(&mut self, own: IncidentNo, cut: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        if own == cut {
            return;
        }
        if !self.incidents.get(&cut).is_some_and(Incident::is_open) {
            // Somebody closed the cut's incident by hand: what joins it is over with it.
            self.resolve(own, now, step);
            return;
        }
        let Some(title) = self.incidents.get(&cut).map(|incident| incident.row.title.clone()) else { return };
        let Some(incident) = self.incidents.get_mut(&own).filter(|incident| incident.is_open()) else { return };
        incident.row.part_of = Some(cut);
        incident.row.title = title;
        incident.row.severity = Severity::Critical;
        let told = incident.row.paged;
        step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
        step.effects.push(incident.note(now, "joined", format!("it is part of incident #{cut}"), None));
        step.touched.insert(own);
        if told {
            self.page_told(own, PageKind::Updated, now, step);
            // Whoever was just told by the update is not called again for the cut itself.
            let Some(incident) = self.incidents.get_mut(&cut) else { return };
            incident.row.paged = true;
            step.effects.push(Effect::Record(Row::Incident(Box::new(incident.row.clone()))));
            step.effects.push(incident.note(now, "paged", format!("told as an update of incident #{own}"), None));
            step.touched.insert(cut);
        }
    }
}
