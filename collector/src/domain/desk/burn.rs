//! Error budgets that burn: one problem for each agreement, and no second call for what somebody was called for already.
//!
//! An outage that is told of as such is told: as long as the incident of a host's being gone is open the burn belongs to it,
//! and afterwards that outage is no reason to tell anybody again. What is left are outages that nobody heard of, each too
//! short to page: when they spend the budget too fast, that is a cause of its own and an incident of its own, one for all
//! hosts of the agreement. A burn of which all is told stays visible as an info.

use std::collections::{BTreeMap, BTreeSet};

use super::{Desk, DeskStep, cut, incident::Incident, problem::Problem};
use crate::domain::{
    calendar::Span,
    event::Effect,
    ids::{HostNo, IncidentNo},
    record::{IncidentRow, ProblemRow},
    severity::Severity,
    sla::burn::{Burn, Lately, Rule, bad_ms},
    time::Timestamp,
};

/// What kind of problem it is.
pub(super) const KIND: &str = "burn_rate";
/// Hosts that the evidence names; more are counted.
const NAMED: usize = 5;
/// Figures change all the time; they are said anew after this long, in milliseconds, or when it is about something else.
const SAID_ANEW_MS: i64 = 5 * 60_000;

/// What was said last of each agreement's burn: about which subjects by which rules, and when.
#[derive(Debug, Default)]
pub(super) struct Said(BTreeMap<String, (Vec<(String, Rule)>, Timestamp)>);

/// Where a burn belongs.
enum Home {
    /// It is news.
    Own,
    /// To the open incident of a host that is gone.
    Of(IncidentNo),
    /// Nowhere: all of it was told.
    Told,
}

impl Desk {
    /// How fast budgets are spent, of all agreements of which that is told; of others it is nobody's trouble any more.
    pub fn burn(&mut self, burns: &[Burn], now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        let known: BTreeSet<String> = burns.iter().map(|burn| key(&burn.agreement)).collect();
        let problems = self.problems.values().map(|problem| &problem.row).filter(|row| row.kind == KIND);
        let gone: Vec<String> = problems.map(|row| row.key.clone()).filter(|key| !known.contains(key)).collect();
        for key in gone {
            self.weigh(key, None, now, &mut step);
        }
        self.burn_said.0.retain(|key, _| known.contains(key));
        for burn in burns {
            self.weigh_burn(burn, now, &mut step);
        }
        step
    }

    fn weigh_burn(&mut self, burn: &Burn, now: Timestamp, step: &mut DeskStep) {
        let key = key(&burn.agreement);
        let broken = |lately: Lately| Some((burn.pace.broken(burn.alerts, &lately, burn.at)?, lately));
        let mut burning: Vec<(Rule, Lately)> = burn.subjects.iter().cloned().filter_map(broken).collect();
        if burning.is_empty() {
            self.burn_said.0.remove(&key);
            return self.weigh(key, None, now, step);
        }
        let untold = |lately: &Lately| lately.without(|span| self.all_is_told(lately, span, burn.at));
        let news: Vec<(Rule, Lately)> = burn.subjects.iter().map(untold).filter_map(broken).collect();
        let home = match self.home_of(&key, &burning) {
            _ if !news.is_empty() => Home::Own,
            Some(no) => Home::Of(no),
            None => Home::Told,
        };
        let severity = match &home {
            Home::Own => news.iter().map(|(rule, lately)| self.loudness(rule, lately)).max(),
            // How loud the loss of a host is was decided where that was told.
            Home::Of(no) => {
                let loudest = burning.iter().map(|(rule, _)| rule.severity).max();
                loudest.min(self.incidents.get(no).map(|incident| incident.row.severity))
            }
            Home::Told => None,
        };
        if !news.is_empty() {
            burning = news;
        }
        burning.sort_by_key(|(rule, lately)| {
            (std::cmp::Reverse(rule.severity), std::cmp::Reverse(bad_ms(&lately.bad, rule.long, burn.at)))
        });
        self.move_burn(&key, &home, now, step);
        let mut problem = self.burn_problem(&key, burn, &burning, severity.unwrap_or(Severity::Info), now);
        if let Home::Of(no) = home {
            problem.row.part_of = self.incidents.get(&no).map(|incident| incident.row.key.clone());
        }
        self.weigh(key.clone(), Some(problem), now, step);
        self.burn_may_be_held_no_more(&key, now, step);
    }

    /// What holds pages back has to cover all hosts: one more may be one too many.
    fn burn_may_be_held_no_more(&mut self, key: &str, now: Timestamp, step: &mut DeskStep) {
        let no = self.problems.get(key).and_then(|problem| problem.row.incident);
        let is_held = |no: &IncidentNo| {
            self.incidents.get(no).is_some_and(|incident| incident.held.is_some() && incident.waits_for_page())
        };
        let Some(no) = no.filter(is_held) else { return };
        if !self.hold_back(no, now, step)
            && now >= self.hold_until
            && self.incidents.get(&no).is_some_and(|incident| incident.to_be_paged(now))
        {
            self.page_now(no, now, step);
        }
    }

    /// Takes the problem out of an incident that it does not belong to any more.
    fn move_burn(&mut self, key: &str, home: &Home, now: Timestamp, step: &mut DeskStep) {
        let Some(row) = self.problems.get(key).map(|problem| &problem.row) else { return };
        let is_own = row.part_of.is_none() && row.incident.is_some();
        match (home, row.incident) {
            (Home::Own, Some(_)) if is_own => {}
            (Home::Of(home), Some(no)) if *home == no => {}
            (Home::Told, None) => {}
            _ if is_own => {
                self.burn_said.0.remove(key);
                self.weigh(key.to_owned(), None, now, step);
            }
            (_, left) => {
                self.burn_said.0.remove(key);
                self.problems.remove(key);
                step.touched.extend(left);
                step.effects.push(Effect::Publish);
            }
        }
    }

    /// How loud a burn is: as loud as that of the host that is least spared.
    fn loudness(&self, rule: &Rule, lately: &Lately) -> Severity {
        let hosts = lately.hosts_in(&lately.bad).map(|host| self.spared(rule.severity, host));
        hosts.max().unwrap_or(rule.severity)
    }

    /// Whether an outage is told as one: of a service, that of each host that was gone in it.
    fn all_is_told(&self, lately: &Lately, outage: &Span, now: Timestamp) -> bool {
        let mut gone = lately.hosts_in(std::slice::from_ref(outage)).peekable();
        gone.peek().is_some() && gone.all(|host| self.is_told(host, outage, now))
    }

    /// Whether an outage of a host is told as one: by an incident about its being gone that is open, or that somebody heard
    /// of. So is one that waits for the cause that may explain it.
    fn is_told(&self, host: HostNo, outage: &Span, now: Timestamp) -> bool {
        let heard = |row: &IncidentRow| row.paged || row.acknowledged_by.is_some() || row.resolved.is_none();
        let overlaps =
            |row: &IncidentRow| row.since < outage.until && row.resolved.is_none_or(|resolved| outage.from < resolved);
        let waits = |row: &ProblemRow| {
            row.host == Some(host)
                && row.kind == "liveness"
                && row.incident.is_none()
                && row.severity > Severity::Info
                && outage.until >= now
        };
        let mut incidents = self.incidents.values().map(|incident| &incident.row);
        incidents.any(|row| heard(row) && overlaps(row) && self.explains_loss(row, host))
            || self.problems.values().any(|problem| waits(&problem.row))
    }

    /// Whether an incident is about a host's being gone: its own, of what it is behind, of its site or its group.
    fn explains_loss(&self, row: &IncidentRow, host: HostNo) -> bool {
        let Some(member) = self.fleet.get(host) else { return false };
        match (row.key.split('/').next(), row.host) {
            (Some("liveness"), Some(of)) => of == host || self.fleet.family.above(host).contains(&of),
            (Some("liveness"), None) => cut::is_of(&row.key, member.site.as_deref()),
            (Some("redundancy"), _) => self.is_of_group(&row.key, &member.name),
            _ => false,
        }
    }

    /// The open incident of one of these hosts' being gone; rather the one that it is in already.
    fn home_of(&self, key: &str, burning: &[(Rule, Lately)]) -> Option<IncidentNo> {
        let is_home = |incident: &Incident| {
            let row = &incident.row;
            let lost = |lately: &Lately| lately.hosts_in(&lately.bad).any(|host| self.explains_loss(row, host));
            incident.is_open() && row.part_of.is_none() && burning.iter().any(|(_, lately)| lost(lately))
        };
        let present = self.problems.get(key).filter(|problem| problem.row.part_of.is_some());
        let present = present.and_then(|problem| self.incidents.get(&problem.row.incident?));
        let home = present.filter(|incident| is_home(incident));
        home.or_else(|| self.incidents.values().find(|incident| is_home(incident))).map(|incident| incident.row.no)
    }

    /// The open incident that a burn says it is a part of.
    pub(super) fn cause_of_burn(&self, problem: &ProblemRow) -> Option<IncidentNo> {
        let of = problem.part_of.as_deref()?;
        let mut open = self.incidents.values().filter(|incident| incident.is_open() && incident.row.key == of);
        open.next().map(|incident| incident.row.no)
    }

    /// Whether an incident has a problem that keeps it open: a burn that came with a host's loss does not.
    pub(super) fn has_problems(&self, no: IncidentNo) -> bool {
        self.problems.values().any(|problem| problem.row.incident == Some(no) && !is_guest(&problem.row))
    }

    fn burn_problem(
        &mut self,
        key: &str,
        burn: &Burn,
        burning: &[(Rule, Lately)],
        severity: Severity,
        now: Timestamp,
    ) -> Problem {
        let about: Vec<(String, Rule)> = burning.iter().map(|(rule, lately)| (lately.name.clone(), *rule)).collect();
        let is_old =
            |(said, at): &(Vec<(String, Rule)>, Timestamp)| *said != about || now.since_ms(*at) >= SAID_ANEW_MS;
        let known = self.problems.get(key).filter(|_| self.burn_said.0.get(key).is_some_and(|said| !is_old(said)));
        let (summary, evidence) = match known {
            Some(known) => (known.row.summary.clone(), known.row.evidence.clone()),
            None => (summary(&burn.agreement, burning), evidence(burn, burning)),
        };
        let mut seen = BTreeSet::new();
        let hosts = burning.iter().flat_map(|(_, lately)| lately.hosts_in(&lately.bad));
        let hosts = hosts.filter(|host| seen.insert(*host)).collect();
        let since = burning.iter().filter_map(|(rule, lately)| begun(lately, rule, burn.at)).min().unwrap_or(now);
        if known.is_none() {
            self.burn_said.0.insert(key.to_owned(), (about, now));
        }
        let row = ProblemRow {
            key: key.to_owned(),
            host: None,
            hosts,
            kind: KIND.into(),
            severity,
            since,
            summary,
            evidence,
            cause: None,
            part_of: None,
            incident: None,
            fold_until: now,
            alert: None,
        };
        Problem { row, until: None }
    }
}

/// Whether it is in the incident of a host that is gone: it neither keeps that open nor makes it about more hosts.
pub(super) fn is_guest(row: &ProblemRow) -> bool {
    row.kind == KIND && row.part_of.is_some()
}

/// The agreement that an incident with this key is about.
pub(super) fn agreement_of(key: &str) -> Option<&str> {
    key.strip_prefix(KIND)?.strip_prefix('/')?.strip_suffix("/budget")
}

/// `burn_rate/<agreement>/budget`
fn key(agreement: &str) -> String {
    format!("{KIND}/{agreement}/budget")
}

/// When the first outage in the window of a rule began.
fn begun(lately: &Lately, rule: &Rule, now: Timestamp) -> Option<Timestamp> {
    let from = now.plus_ms(-rule.long.ms);
    lately.bad.iter().find(|span| span.until > from).map(|span| span.from)
}

fn summary(agreement: &str, burning: &[(Rule, Lately)]) -> String {
    match burning {
        [(_, only)] => format!("{agreement}: {} spends its error budget too fast", only.name),
        several => format!("{agreement}: {} {} spend their error budgets too fast", several.len(), plural(several)),
    }
}

/// What they are: `hosts`, `services`.
fn plural(burning: &[(Rule, Lately)]) -> String {
    format!("{}s", burning.first().map_or("subject", |(_, lately)| lately.kind))
}

fn evidence(burn: &Burn, burning: &[(Rule, Lately)]) -> String {
    let one = |(rule, lately): &(Rule, Lately)| {
        let rate = |window| burn.pace.rate(bad_ms(&lately.bad, window, burn.at), window).unwrap_or_default();
        format!(
            "{}: {} out of {} gone within {}, {:.1} times as fast as allowed, and {:.1} times within {}; the limit is {:.1} times ({})",
            lately.name,
            time(bad_ms(&lately.bad, rule.long, burn.at)),
            time(burn.pace.budget_ms()),
            rule.long.word,
            rate(rule.long),
            rate(rule.short),
            rule.short.word,
            burn.pace.factor(rule),
            rule.words(),
        )
    };
    let mut parts: Vec<String> = burning.iter().take(NAMED).map(one).collect();
    let more = burning.len().checked_sub(NAMED).filter(|more| *more > 0);
    parts.extend(more.map(|more| format!("and {more} more {}", plural(burning))));
    parts.extend(burn.left.map(|budget| match budget.left_ms {
        left if left < 0 => format!("the agreement's budget is overdrawn by {}", time(-left)),
        left => format!("the agreement has {} of {} left", time(left), time(budget.whole_ms)),
    }));
    parts.join("; ")
}

/// A length of time with a figure that tells it from another: `51.8 s`, `12.3 min`, `5.1 h`.
#[expect(clippy::cast_precision_loss, reason = "years of milliseconds are exact")]
fn time(ms: i64) -> String {
    match ms {
        ..120_000 => format!("{:.1} s", ms as f64 / 1e3),
        120_000..7_200_000 => format!("{:.1} min", ms as f64 / 6e4),
        _ => format!("{:.1} h", ms as f64 / 3.6e6),
    }
}
