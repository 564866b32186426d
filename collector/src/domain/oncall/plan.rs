//! Who is told of an incident, and who after them: the decision itself, and the same foretold for people who ask.

use super::{
    Destination, Roster,
    absence::Exceptions,
    policy::{Policy, Step, Target},
    route::About,
};
use crate::domain::{page::Next, record::Escalation, time::Timestamp};

/// What routes come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Who is told at once.
    pub destinations: Vec<Destination>,
    /// Which policies are followed until somebody has it.
    pub policies: Vec<String>,
    /// Each route that was looked at, and why it does or does not fit.
    pub why: Vec<String>,
}

/// Somebody who would be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foretold {
    /// So long after the incident pages, in milliseconds.
    pub after_ms: i64,
    /// Who: a person, or a receiver as such.
    pub who: String,
    /// Through which receiver, to which address or number there.
    pub through: String,
    /// Why.
    pub why: String,
}

impl Roster {
    /// Who is told of an incident. Where no route leads to anybody, every messenger that wants this severity is.
    #[must_use]
    pub fn plan(&self, about: &About<'_>, now: Timestamp) -> Plan {
        let mut plan = Plan::default();
        for route in &self.routes {
            if let Some(why) = route.misfit(about, now) {
                plan.why.push(format!("{} does not fit: {why}", route.place));
                continue;
            }
            let leads = route.receivers.iter().map(|name| format!("receiver {name}"));
            let leads: Vec<String> = leads.chain(route.policy.iter().map(|name| format!("policy {name}"))).collect();
            plan.why.push(format!("{} fits: {}", route.place, leads.join(", ")));
            for destination in route.receivers.iter().map(|name| Destination::receiver(name)) {
                if !plan.destinations.contains(&destination) {
                    plan.destinations.push(destination);
                }
            }
            if let Some(policy) = route.policy.as_ref().filter(|policy| !plan.policies.contains(policy)) {
                plan.policies.push(policy.clone());
            }
            if !route.go_on {
                break;
            }
        }
        if plan.destinations.is_empty() && plan.policies.is_empty() {
            let wants = self.messengers.iter().filter(|one| one.least.is_some_and(|least| about.severity >= least));
            plan.destinations = wants.map(|one| Destination::receiver(&one.receiver)).collect();
            let all = plan.destinations.iter().map(|one| one.receiver.as_str()).collect::<Vec<_>>().join(", ");
            let all = if all.is_empty() { "nobody".to_owned() } else { all };
            plan.why
                .push(format!("no route leads to anybody: every receiver that wants this severity is told ({all})"));
        }
        plan
    }

    /// Who would be told from an instant on, if nobody took it: the first round of each policy.
    #[must_use]
    pub fn foretell(&self, about: &About<'_>, plan: &Plan, now: Timestamp, exceptions: &Exceptions) -> Vec<Foretold> {
        let at_once = plan.destinations.iter().map(|one| Foretold {
            after_ms: 0,
            who: one.receiver.clone(),
            through: one.receiver.clone(),
            why: "route".into(),
        });
        let policies = plan.policies.iter().filter_map(|name| self.policies.get(name));
        let steps = policies.flat_map(|policy| policy.steps.iter().enumerate().map(move |(n, step)| (policy, n, step)));
        let later = steps.flat_map(|(policy, n, step)| self.of_step(about, policy, n, step, now, exceptions));
        let mut all: Vec<Foretold> = at_once.chain(later).collect();
        all.sort_by_key(|one| one.after_ms);
        all
    }

    fn of_step(
        &self,
        about: &About<'_>,
        policy: &Policy,
        n: usize,
        step: &Step,
        now: Timestamp,
        exceptions: &Exceptions,
    ) -> Vec<Foretold> {
        let mut all = Vec::new();
        for target in &step.targets {
            let why = format!("policy {} step {}: {}", policy.name, n + 1, target.words());
            let nobody =
                |why: String| Foretold { after_ms: step.after_ms, who: "nobody".into(), through: String::new(), why };
            match (target, self.person_of(target, now.plus_ms(step.after_ms), exceptions)) {
                (Target::Receiver(name), _) => {
                    all.push(Foretold { after_ms: step.after_ms, who: name.clone(), through: name.clone(), why })
                }
                (_, None) => all.push(nobody(format!("{why}, nobody is on call then"))),
                (_, Some(name)) => match self.people.get(&name) {
                    None => all.push(nobody(format!("{why}, {name} is not configured"))),
                    Some(person) => all.extend(person.contacts(about.severity).iter().map(|contact| Foretold {
                        after_ms: step.after_ms + contact.after_ms,
                        who: name.clone(),
                        through: match &contact.to {
                            Some(to) => format!("{} ({to})", contact.receiver),
                            None => contact.receiver.clone(),
                        },
                        why: why.clone(),
                    })),
                },
            }
        }
        all
    }

    /// Whom the next step of a policy calls, and when. A step that has nobody is not waited for.
    #[must_use]
    pub fn next_step(&self, next: &Escalation, exceptions: &Exceptions) -> Option<Next> {
        let policy = self.policies.get(&next.policy)?;
        let (mut step, mut round, mut at) = (next.step, next.round, next.due);
        loop {
            let called = policy.steps.get(step)?.targets.iter().filter_map(|target| match target {
                Target::Receiver(name) => Some(name.clone()),
                _ => self.person_of(target, at, exceptions),
            });
            let who = called.collect::<Vec<_>>().join(", ");
            if !who.is_empty() {
                return Some(Next { who, at });
            }
            let (after, again, wait_ms) = policy.after(step, round)?;
            at = if again > round { at.plus_ms(wait_ms) } else { at };
            (step, round) = (after, again);
        }
    }

    /// The person that a target is at an instant; none for a receiver, or where nobody is on call.
    #[must_use]
    pub fn person_of(&self, target: &Target, at: Timestamp, exceptions: &Exceptions) -> Option<String> {
        match target {
            Target::Person(name) => Some(name.clone()),
            Target::Rotation(name) => self.rotations.get(name)?.at(at, exceptions).0,
            Target::Receiver(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        hold::{Labels, Scope, Subject},
        labels::Class,
        oncall::{Messenger, route::RouteRule},
        priority::Priority,
        severity::Severity,
    };

    fn route(site: &str, least: Severity, receivers: &[&str], go_on: bool) -> RouteRule {
        let sites = if site.is_empty() { vec![] } else { vec![site.to_owned()] };
        RouteRule {
            place: format!("route for {site:?}"),
            scope: Scope { sites, ..Scope::default() },
            least,
            urgent: None,
            hours: None,
            receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
            policy: None,
            go_on,
        }
    }

    fn told(roster: &Roster, site: Option<&str>, severity: Severity) -> Vec<String> {
        let host = Subject { name: "web-1", site, class: Some(Class::Server), labels: Labels(&[]) };
        let about = About { hosts: vec![host], what: "liveness/host".into(), severity, priority: Priority::P2 };
        roster.plan(&about, Timestamp::from_ms(0)).destinations.into_iter().map(|one| one.receiver).collect()
    }

    #[test]
    fn the_first_route_that_fits_decides_unless_it_goes_on_and_somebody_is_always_told() {
        let messengers = vec![Messenger { receiver: "mail".into(), least: Some(Severity::Warning) }];
        let routes = vec![
            route("Berlin", Severity::Critical, &["pager"], true),
            route("Berlin", Severity::Warning, &["chat"], false),
            route("Kiel", Severity::Critical, &["kiel"], false),
        ];
        let roster = Roster { messengers, routes, ..Roster::default() };
        assert_eq!(told(&roster, Some("Berlin"), Severity::Critical), ["pager", "chat"]);
        assert_eq!(told(&roster, Some("Berlin"), Severity::Warning), ["chat"]);
        assert_eq!(told(&roster, Some("Kiel"), Severity::Critical), ["kiel"]);
        assert_eq!(told(&roster, Some("Kiel"), Severity::Warning), ["mail"]);
        assert_eq!(told(&roster, None, Severity::Critical), ["mail"]);
    }
}
