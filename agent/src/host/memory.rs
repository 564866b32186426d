//! What is remembered of the machine from one reading to the next: the names in directories, and numbers that a source
//! noted about a thing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::{Host, lock};

/// Directories whose names are remembered until [`Host::forget_facts`].
const DIRECTORIES_MAX: usize = 1024;
/// Things about which sources remember a number.
const NUMBERS_MAX: usize = 1024;

#[derive(Default)]
pub(super) struct Memory {
    names: Mutex<HashMap<Box<str>, Option<Arc<str>>>>,
    /// Shared by all clones of a host: what a thread that hangs learns at last is known to the one that took over.
    numbers: Arc<Mutex<HashMap<Box<str>, u64>>>,
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self { names: Mutex::default(), numbers: Arc::clone(&self.numbers) }
    }
}

impl Memory {
    /// Forgets the names; they are facts.
    pub(super) fn forget_names(&self) {
        lock(&self.names).clear();
    }
}

impl Host {
    /// The names in a directory whose entries hardly ever change: sorted, one per line, listed once until
    /// [`Host::forget_facts`]. `None` when it cannot be listed.
    #[must_use]
    pub fn names(&self, directory: &str) -> Option<Arc<str>> {
        let mut known = lock(&self.memory.names);
        if let Some(names) = known.get(directory) {
            return names.clone();
        }
        let names: Option<Arc<str>> = self.list(directory).ok().map(|names| names.join("\n").into());
        if known.len() < DIRECTORIES_MAX {
            known.insert(directory.into(), names.clone());
        }
        names
    }

    /// The number that a source noted about a thing when it read it last.
    #[must_use]
    pub fn recall(&self, thing: &str) -> Option<u64> {
        lock(&self.memory.numbers).get(thing).copied()
    }

    /// Notes a number about a thing until it is read again. It is no fact and outlives them; only where there are very
    /// many things all are forgotten.
    pub fn remember(&self, thing: &str, number: u64) {
        let mut numbers = lock(&self.memory.numbers);
        if let Some(known) = numbers.get_mut(thing) {
            *known = number;
            return;
        }
        if numbers.len() >= NUMBERS_MAX {
            numbers.clear();
        }
        numbers.insert(thing.into(), number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_a_directory_are_listed_once_until_facts_are_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::captured(root.path().into(), None);
        let add = |name: &str| std::fs::write(root.path().join(name), "").unwrap();
        assert_eq!(host.names("/absent"), None);
        add("b");
        add("a");
        assert_eq!(host.names("/").as_deref(), Some("a\nb"));
        add("c");
        assert_eq!(host.names("/").as_deref(), Some("a\nb"));
        host.forget_facts();
        assert_eq!(host.names("/").as_deref(), Some("a\nb\nc"));
    }

    #[test]
    fn what_a_source_noted_outlives_the_facts_and_is_bounded() {
        let host = Host::live();
        assert_eq!(host.recall("disk"), None);
        host.remember("disk", 7);
        host.remember("disk", 8);
        host.forget_facts();
        assert_eq!((host.recall("disk"), host.clone().recall("disk")), (Some(8), Some(8)));
        (0..5000).for_each(|number| host.remember(&format!("thing {number}"), number));
        assert!(lock(&host.memory.numbers).len() <= NUMBERS_MAX);
        assert_eq!(host.recall("thing 4999"), Some(4999));
    }
}
