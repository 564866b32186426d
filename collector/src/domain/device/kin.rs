//! What devices are behind, by the names that people write: whether a list of them can be, with what is known already.

use std::collections::{BTreeMap, BTreeSet};

/// What is known: by name, without what the list itself speaks of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kin<'a> {
    /// Devices, which others may be behind.
    pub devices: BTreeSet<&'a str>,
    /// What each host is behind.
    pub parents: BTreeMap<&'a str, &'a str>,
}

/// Why a parent cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongParent {
    /// No device is called so.
    Unknown,
    /// It is behind the device itself.
    Circle,
}

/// Names and parents of a list that cannot be so, by their place in it.
#[must_use]
pub fn wrong_parents<'a>(list: &[(&'a str, Option<&'a str>)], known: &Kin<'a>) -> Vec<(usize, WrongParent)> {
    let in_list: BTreeSet<&str> = list.iter().map(|(name, _)| *name).collect();
    let mut parents: BTreeMap<&str, &str> = known.parents.clone();
    parents.retain(|name, _| !in_list.contains(name));
    parents.extend(list.iter().filter_map(|(name, parent)| Some((*name, (*parent)?))));
    let wrong = |(name, parent): (&'a str, &'a str)| {
        if !in_list.contains(parent) && !known.devices.contains(parent) {
            return Some(WrongParent::Unknown);
        }
        let mut above = std::iter::successors(Some(parent), |name| parents.get(name).copied()).take(parents.len() + 1);
        above.any(|ancestor| ancestor == name).then_some(WrongParent::Circle)
    };
    let named = list.iter().enumerate().filter_map(|(at, (name, parent))| Some((at, (*name, (*parent)?))));
    named.filter_map(|(at, pair)| Some((at, wrong(pair)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_close_over_what_is_known_and_the_list_is_heard_before_it() {
        let known = Kin { devices: ["core", "floor"].into(), parents: [("floor", "core"), ("a", "floor")].into() };
        let wrong = |list: &[(&'static str, Option<&'static str>)]| wrong_parents(list, &known);
        assert_eq!(wrong(&[("new", Some("floor")), ("other", Some("new")), ("core", None)]), []);
        assert_eq!(
            wrong(&[("core", Some("new")), ("new", Some("floor"))]),
            [(0, WrongParent::Circle), (1, WrongParent::Circle)]
        );
        assert_eq!(wrong(&[("core", Some("floor")), ("floor", None)]), [], "floor is no longer behind it");
        assert_eq!(wrong(&[("x", Some("x")), ("y", Some("a"))]), [(0, WrongParent::Circle), (1, WrongParent::Unknown)]);
    }
}
