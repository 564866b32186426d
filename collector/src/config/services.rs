//! `[[service]]`: what depends on several hosts, checks and other services, for agreements to promise. What it needs of them
//! is said with the words of `[[redundancy]]`.

use std::collections::BTreeSet;

use super::{agreements::scope, oncall::name, read::short_text, section::Section};
use crate::domain::{
    device::declared::Fleet,
    sla::service::{Needs, Service},
};

/// Most services.
pub(super) const MOST: usize = 500;
/// Most checks or services that one names, and most services that one is made of in the end.
const PARTS: usize = 200;
const CHECK: &str = "the name of a check with * and ?";
/// What agreements and services name.
pub(super) const NAMED: &str = "the name of a [[service]] of this file";
const NEEDS: &str = "all, any, or how many of the members, such as 2";

/// One as it stands in the file: services that it is made of are names.
struct Declared<'s, 'i> {
    section: Section<'s, 'i>,
    service: Service,
    named: Vec<String>,
    named_at: Option<usize>,
}

/// Reads all of them; those with mistakes are noted and left out. Hosts that the fleet does not know are worth a word, as far
/// as it is known: they may be enrolled yet.
pub(super) fn read(sections: Vec<Section<'_, '_>>, fleet: Option<&Fleet>, devices: &[String]) -> Vec<Service> {
    let mut all: Vec<Declared<'_, '_>> = Vec::new();
    for section in sections {
        let taken = |name: &str| all.iter().any(|other| other.service.name == name);
        let is_known =
            |name: &str| fleet.is_none_or(|fleet| fleet.knows(name)) || devices.iter().any(|device| device == name);
        let declared = one(section, taken, is_known);
        all.extend(declared);
    }
    let mut made = Vec::with_capacity(all.len());
    for declared in &all {
        match whole(&declared.service.name, &all, &mut Vec::new()) {
            Ok(service) if service.whole().len() > PARTS => {
                let expected = format!("at most {PARTS} services that it is made of, counted each time that they are");
                declared.section.wrong_at(declared.named_at, "services", &declared.named.join(", "), expected);
            }
            Ok(service) => made.push(service),
            Err(Wrong::Unknown) => {
                for name in declared.named.iter().filter(|name| all.iter().all(|other| other.service.name != **name)) {
                    declared.section.wrong_at(declared.named_at, "services", name, NAMED.to_owned());
                }
            }
            // Each of a circle is told of it where it stands, and who merely leads to one is not.
            Err(Wrong::Circle(chain)) if chain.first() == Some(&declared.service.name) => {
                let chain = chain.iter().chain(chain.first()).map(String::as_str).collect::<Vec<_>>();
                let expected = format!("no circle: {}", chain.join(" is made of "));
                declared.section.wrong_at(declared.named_at, "services", &declared.named.join(", "), expected);
            }
            Err(Wrong::Circle(_)) => {}
        }
    }
    all.into_iter().for_each(|declared| declared.section.finish());
    made
}

/// Why a service cannot be made.
enum Wrong {
    /// One that it is made of is not there.
    Unknown,
    /// One is made of itself: from that to the last before itself.
    Circle(Vec<String>),
}

/// A service with all that it is made of; `above` are those that it is a part of.
fn whole(name: &str, all: &[Declared<'_, '_>], above: &mut Vec<String>) -> Result<Service, Wrong> {
    if let Some(at) = above.iter().position(|other| other == name) {
        return Err(Wrong::Circle(above[at..].to_vec()));
    }
    let declared = all.iter().find(|declared| declared.service.name == name).ok_or(Wrong::Unknown)?;
    above.push(name.to_owned());
    let services = declared.named.iter().map(|name| whole(name, all, above)).collect::<Result<Vec<Service>, Wrong>>();
    above.pop();
    Ok(Service { services: services?, ..declared.service.clone() })
}

fn one<'s, 'i>(
    mut section: Section<'s, 'i>,
    taken: impl Fn(&str) -> bool,
    is_known: impl Fn(&str) -> bool,
) -> Option<Declared<'s, 'i>> {
    let name = name(&mut section, taken);
    let hosts_at = section.at("hosts");
    let scope = scope(&mut section);
    for host in scope.hosts.iter().filter(|host| !is_pattern(host) && !is_known(host)) {
        let advice = format!(
            "no host or device is called {host:?} (muster-collector host list): it is no member until there is one"
        );
        section.advise(hosts_at, "hosts", &advice);
    }
    let checks = section.texts("checks", CHECK, PARTS, short_text).unwrap_or_default();
    let named_at = section.at("services");
    let mut seen = BTreeSet::new();
    let named = section.texts("services", NAMED, PARTS, |text| {
        let text = short_text(text)?;
        if seen.insert(text.clone()) { Ok(text) } else { Err("each service once".to_owned()) }
    });
    let named = named.unwrap_or_default();
    if scope.is_empty() && seen.is_empty() {
        let expected = if checks.is_empty() { "a service without members is none" } else { "whose checks are meant" };
        section.wrong("hosts", format!("hosts, sites, class or labels, or services: {expected}"));
    }
    // Sites, class and labels leave some of those that are named out, and add none.
    let is_named = scope.is_empty() || !scope.hosts.is_empty();
    let is_counted = is_named && scope.hosts.iter().chain(&checks).all(|name| !is_pattern(name));
    let most = is_counted.then(|| scope.hosts.len() * checks.len().max(1) + named.len());
    let needs = needs(&mut section, most);
    let Some((name, needs)) = name.zip(needs) else {
        section.finish();
        return None;
    };
    Some(Declared { service: Service { name, needs, scope, checks, services: Vec::new() }, section, named, named_at })
}

/// How many members it needs, of which there are no more than `most` where that can be told.
fn needs(section: &mut Section<'_, '_>, most: Option<usize>) -> Option<Needs> {
    if !section.has("needs") {
        section.knows("needs");
        section.wrong("needs", format!("{NEEDS}; it is missing"));
        return None;
    }
    section.amount("needs", NEEDS, |text| match text {
        "any" => Ok(Needs::Any),
        "all" => Ok(Needs::All),
        number => match (number.parse(), most) {
            (Ok(least), Some(most)) if (1..=most).contains(&least) => Ok(Needs::AtLeast(least)),
            (Ok(least), None) if least > 0 => Ok(Needs::AtLeast(least)),
            (_, Some(most)) if most > 0 => Err(format!("{NEEDS}, from 1 to {most}: that many members are named")),
            _ => Err(NEEDS.to_owned()),
        },
    })
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?'])
}
