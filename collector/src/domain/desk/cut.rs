//! Cuts: when many hosts of a scope fall silent at once it is the way to them that is broken, not they.
//!
//! Scopes are each site of at least five hosts, and the collector's own network. A scope is cut when at least
//! max(3, 30 %) of its up hosts became suspect by silence within 5 s (decisions 5). It heals when half are back; the rest
//! become suspect again 60 s later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Desk, DeskStep, ForHosts, problem};
use crate::domain::{
    event::{Effect, HostEvent, Severity},
    host::{Cause, State, machine::HostChange},
    ids::{HostNo, IncidentNo},
    labels::Profile,
    record::{PageKind, Row},
    time::Timestamp,
    watch::Watch,
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

/// All scopes, and what the desk knows of the hosts in them.
#[derive(Debug, Default)]
pub struct Cuts {
    hosts: BTreeMap<HostNo, Member>,
    scopes: BTreeMap<String, Scope>,
}

#[derive(Debug)]
struct Member {
    name: String,
    site: Option<String>,
    watch: Watch,
    state: State,
    since: Timestamp,
    proof: Timestamp,
}

#[derive(Debug, Default)]
struct Scope {
    suspects: VecDeque<(Timestamp, HostNo)>,
    cut: Option<Cut>,
}

#[derive(Debug)]
struct Cut {
    since: Timestamp,
    members: BTreeSet<HostNo>,
    back: BTreeSet<HostNo>,
    healed: Option<Timestamp>,
    incident: Option<IncidentNo>,
}

impl Cuts {
    /// Follows a host's change; declares and heals cuts.
    pub fn heard(&mut self, profile: &Profile, change: &HostChange, now: Timestamp, step: &mut DeskStep) {
        let member = self.hosts.entry(profile.no).or_insert_with(|| Member {
            name: String::new(),
            site: None,
            watch: profile.watch,
            state: State::Unknown,
            since: now,
            proof: now,
        });
        member.name.clone_from(&profile.name);
        member.site.clone_from(&profile.site);
        member.watch = profile.watch;
        match change {
            HostChange::Finding(_) => {}
            HostChange::Suspected { not_back, proof } => {
                member.proof = *proof;
                let percent = if *not_back { NOT_BACK_PERCENT } else { CUT_PERCENT };
                self.suspected(profile.no, percent, now, step);
            }
            HostChange::Liveness { to, cause, since, .. } => {
                member.state = *to;
                member.since = *since;
                match (to, cause) {
                    (State::Unreachable, Cause::Cut(scope)) => {
                        if let Some(cut) = self.scopes.get_mut(scope).and_then(|scope| scope.cut.as_mut()) {
                            cut.members.insert(profile.no);
                        }
                    }
                    (State::Up, _) => self.back(profile.no, now),
                    _ => {}
                }
            }
        }
    }

    /// A host as loaded, so that counts and names are right from the start.
    pub fn know(&mut self, profile: &Profile, state: State, now: Timestamp) {
        let member = Member {
            name: profile.name.clone(),
            site: profile.site.clone(),
            watch: profile.watch,
            state,
            since: now,
            proof: now,
        };
        self.hosts.insert(profile.no, member);
    }

    /// A cut as it was when the last collector ended: its incident, and the hosts it took with it.
    pub fn reopen(&mut self, name: &str, since: Timestamp, incident: Option<IncidentNo>, members: BTreeSet<HostNo>) {
        let cut = Cut { since, members, back: BTreeSet::new(), healed: None, incident };
        self.scopes.entry(name.to_owned()).or_default().cut = Some(cut);
    }

    fn suspected(&mut self, host: HostNo, percent: usize, now: Timestamp, step: &mut DeskStep) {
        for name in self.scopes_of(host) {
            let up = self.up_in(&name);
            let scope = self.scopes.entry(name.clone()).or_default();
            if scope.cut.as_ref().is_some_and(|cut| cut.healed.is_none()) {
                step.for_hosts.push(ForHosts { hosts: vec![host], event: HostEvent::Cut { scope: name } });
                return;
            }
            scope.suspects.push_back((now, host));
            while scope.suspects.front().is_some_and(|(at, _)| now.since_ms(*at) > WINDOW_MS) {
                scope.suspects.pop_front();
            }
            let suspects: BTreeSet<HostNo> = scope.suspects.iter().map(|(_, host)| *host).collect();
            let enough = suspects.len() >= CUT_HOSTS.max((up * percent).div_ceil(100));
            if enough && (name != COLLECTOR || self.more_than_a_site(&suspects)) {
                self.declare(&name, &suspects, now, step);
                return;
            }
        }
    }

    fn declare(&mut self, name: &str, suspects: &BTreeSet<HostNo>, now: Timestamp, step: &mut DeskStep) {
        let since = suspects.iter().filter_map(|host| self.hosts.get(host)).map(|member| member.proof).min();
        let recently_down = |member: &Member| member.state == State::Down && now.since_ms(member.since) < HEAL_MS;
        let scoped: Vec<HostNo> = self
            .hosts
            .iter()
            .filter(|(_, member)| name == COLLECTOR || member.site.as_deref().map(site_scope).as_deref() == Some(name))
            .filter(|(host, member)| suspects.contains(host) || recently_down(member))
            .map(|(host, _)| *host)
            .collect();
        let scope = self.scopes.entry(name.to_owned()).or_default();
        scope.suspects.clear();
        scope.cut = Some(Cut {
            since: since.unwrap_or(now),
            members: BTreeSet::new(),
            back: BTreeSet::new(),
            healed: None,
            incident: None,
        });
        step.for_hosts.push(ForHosts { hosts: scoped, event: HostEvent::Cut { scope: name.to_owned() } });
        step.effects.push(Effect::Publish);
    }

    fn back(&mut self, host: HostNo, now: Timestamp) {
        for scope in self.scopes.values_mut() {
            scope.suspects.retain(|(_, suspect)| *suspect != host);
            if let Some(cut) = scope.cut.as_mut().filter(|cut| cut.members.contains(&host)) {
                cut.back.insert(host);
                if cut.healed.is_none() && cut.back.len() * 2 >= cut.members.len() {
                    cut.healed = Some(now);
                }
            }
        }
    }

    /// Sends those that did not come back with their scope into suspicion again.
    pub fn tick(&mut self, now: Timestamp, step: &mut DeskStep) {
        for scope in self.scopes.values_mut() {
            let over = scope.cut.as_ref().and_then(|cut| cut.healed).is_some_and(|at| now.since_ms(at) >= HEAL_MS);
            if over && let Some(cut) = scope.cut.take() {
                let hosts = cut.members.difference(&cut.back).copied().collect();
                step.for_hosts.push(ForHosts { hosts, event: HostEvent::Healed });
            }
        }
    }

    /// When the next cut's remainder is due.
    pub fn due(&self) -> impl Iterator<Item = Timestamp> {
        self.scopes.values().filter_map(|scope| scope.cut.as_ref()?.healed).map(|at| at.plus_ms(HEAL_MS))
    }

    /// Scopes that are cut: name and since.
    pub fn open(&self) -> impl Iterator<Item = (String, Timestamp)> {
        let cut = |scope: &Scope| scope.cut.as_ref().filter(|cut| cut.healed.is_none()).map(|cut| cut.since);
        self.scopes.iter().filter_map(move |(name, scope)| Some((name.clone(), cut(scope)?)))
    }

    /// Hosts of the cut that is this incident.
    pub fn members(&self, no: IncidentNo) -> impl Iterator<Item = HostNo> {
        let cuts = self.scopes.values().filter_map(|scope| scope.cut.as_ref());
        cuts.filter(move |cut| cut.incident == Some(no)).flat_map(|cut| cut.members.iter().copied())
    }

    /// The incident of the cut that a host is in.
    #[must_use]
    pub fn incident_of(&self, host: HostNo) -> Option<IncidentNo> {
        let mut cuts = self.scopes.values().filter_map(|scope| scope.cut.as_ref());
        cuts.find(|cut| cut.healed.is_none() && cut.members.contains(&host)).and_then(|cut| cut.incident)
    }

    /// How long the page of a cut waits: as long as that of its most closely watched host.
    #[must_use]
    pub fn page_after_ms(&self, key: &str) -> Option<i64> {
        let scope = key.strip_prefix("liveness/")?.strip_suffix("/cut")?;
        let cut = self.scopes.get(scope)?.cut.as_ref()?;
        let levels = cut.members.iter().filter_map(|host| self.hosts.get(host)).map(|member| member.watch.timers());
        levels.map(|timers| timers.fold_ms + timers.page_after_ms).min()
    }

    /// A host's display name.
    #[must_use]
    pub fn name_of(&self, host: HostNo) -> Option<String> {
        self.hosts.get(&host).map(|member| member.name.clone())
    }

    /// A host's watch level.
    #[must_use]
    pub fn watch_of(&self, host: HostNo) -> Option<Watch> {
        self.hosts.get(&host).map(|member| member.watch)
    }

    fn scopes_of(&self, host: HostNo) -> Vec<String> {
        let site = self.hosts.get(&host).and_then(|member| member.site.as_ref());
        let site = site.filter(|site| {
            self.hosts.values().filter(|member| member.site.as_ref() == Some(site)).count() >= SITE_HOSTS
        });
        let collector_cut = self.scopes.get(COLLECTOR).and_then(|scope| scope.cut.as_ref());
        let mut scopes: Vec<String> = site.map(|site| site_scope(site)).into_iter().collect();
        if collector_cut.is_some_and(|cut| cut.healed.is_none()) {
            scopes.insert(0, COLLECTOR.into());
        } else {
            scopes.push(COLLECTOR.into());
        }
        scopes
    }

    fn up_in(&self, name: &str) -> usize {
        let inside =
            |member: &Member| name == COLLECTOR || member.site.as_deref().map(site_scope).as_deref() == Some(name);
        self.hosts.values().filter(|member| inside(member) && member.state.counts_as_up()).count()
    }

    /// One site falling silent is that site's cut, not the collector's.
    fn more_than_a_site(&self, suspects: &BTreeSet<HostNo>) -> bool {
        let sites: BTreeSet<Option<&String>> =
            suspects.iter().filter_map(|host| self.hosts.get(host)).map(|member| member.site.as_ref()).collect();
        sites.len() > 1 || sites.contains(&None)
    }
}

fn site_scope(site: &str) -> String {
    format!("site {site}")
}

impl Desk {
    /// Gives each cut its incident and takes away what has healed.
    pub(super) fn settle_cuts(&mut self, now: Timestamp, step: &mut DeskStep) {
        let names: Vec<String> = self.cuts.scopes.keys().cloned().collect();
        for name in names {
            let Some((members, since, healed, incident)) = self
                .cuts
                .scopes
                .get(&name)
                .and_then(|scope| scope.cut.as_ref())
                .map(|cut| (cut.members.clone(), cut.since, cut.healed.is_some(), cut.incident))
            else {
                continue;
            };
            let key = format!("liveness/{name}/cut");
            if healed {
                self.weigh(key, None, now, step);
            } else if !members.is_empty() {
                self.weigh(key.clone(), Some(problem::of_cut(&name, members.len(), since, now, 0)), now, step);
                let no = self.problems.get(&key).and_then(|problem| problem.row.incident);
                if incident.is_none()
                    && let Some(cut) = self.cuts.scopes.get_mut(&name).and_then(|scope| scope.cut.as_mut())
                {
                    cut.incident = no;
                }
            }
        }
    }

    /// Opens the cuts again that were open when the last collector ended; one without hosts is over.
    pub fn reopen_cuts(&mut self, unreachable: &[(HostNo, String)], now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        let open: Vec<(String, Timestamp, Option<IncidentNo>)> = self
            .problems
            .values()
            .filter_map(|problem| {
                let scope = problem.row.key.strip_prefix("liveness/")?.strip_suffix("/cut")?;
                Some((scope.to_owned(), problem.row.since, problem.row.incident))
            })
            .collect();
        for (scope, since, incident) in open {
            let members: BTreeSet<HostNo> =
                unreachable.iter().filter(|(_, name)| *name == scope).map(|(host, _)| *host).collect();
            if members.is_empty() {
                self.weigh(format!("liveness/{scope}/cut"), None, now, &mut step);
            } else {
                self.cuts.reopen(&scope, since, incident, members);
            }
        }
        step
    }

    /// A host joined a cut: its own incident, if it has one, becomes part of the cut's.
    pub(super) fn join_cut(&mut self, profile: &Profile, scope: &str, now: Timestamp, step: &mut DeskStep) {
        self.settle_cuts(now, step);
        let cut = self.cuts.scopes.get(scope).and_then(|scope| scope.cut.as_ref()).and_then(|cut| cut.incident);
        let Some(problem) = self.problems.remove(&problem::liveness_key(profile)) else { return };
        step.effects.push(Effect::Record(Row::ProblemCleared(problem.row.key.clone())));
        let (Some(own), Some(cut)) = (problem.row.incident, cut) else { return };
        self.become_part(own, cut, now, step);
    }

    /// The page already sent is not repeated: its receivers hear one update now and one recovery at the end.
    fn become_part(&mut self, own: IncidentNo, cut: IncidentNo, now: Timestamp, step: &mut DeskStep) {
        if own == cut {
            return;
        }
        let Some(title) = self.incidents.get(&cut).map(|incident| incident.row.title.clone()) else { return };
        let Some(incident) = self.incidents.get_mut(&own).filter(|incident| incident.is_open()) else { return };
        incident.row.part_of = Some(cut);
        incident.row.title = title;
        incident.row.severity = Severity::Critical;
        let told = incident.row.paged;
        step.effects.push(Effect::Record(Row::Incident(incident.row.clone())));
        step.effects.push(incident.note(now, "joined", format!("it is part of incident #{cut}"), None));
        step.touched.insert(own);
        if told {
            self.page_told(own, PageKind::Updated, now, step);
            // Whoever was just told by the update is not called again for the cut itself.
            let Some(incident) = self.incidents.get_mut(&cut) else { return };
            incident.row.paged = true;
            step.effects.push(Effect::Record(Row::Incident(incident.row.clone())));
            step.effects.push(incident.note(now, "paged", format!("told as an update of incident #{own}"), None));
            step.touched.insert(cut);
        }
    }
}
