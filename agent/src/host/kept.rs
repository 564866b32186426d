//! Descriptors that stay open between two reports: as many as the process can spare, however many threads read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::lock;
use super::os::{self, Descriptor};

/// Descriptors kept; beyond it a file is opened, read and closed. Half of the usual soft limit of a process (1024,
/// systemd.exec(5)).
const KEPT_MAX: usize = 512;

/// Those of one reading thread. A thread that hangs keeps what it has, so all threads share one allowance.
pub(super) struct Kept {
    open: Mutex<HashMap<Box<str>, Descriptor>>,
    allowance: Arc<Allowance>,
}

struct Allowance {
    most: usize,
    held: AtomicUsize,
}

impl Kept {
    /// Half of what the process may open, so that there is always one for a socket, a tool or the spool.
    pub(super) fn new() -> Self {
        let limit = os::descriptors_max().and_then(|limit| usize::try_from(limit).ok());
        Self::at_most(limit.map_or(KEPT_MAX, |limit| KEPT_MAX.min(limit / 2)))
    }

    fn at_most(most: usize) -> Self {
        Self { open: Mutex::default(), allowance: Arc::new(Allowance { most, held: AtomicUsize::new(0) }) }
    }

    /// None yet, under the same allowance.
    pub(super) fn of_another_thread(&self) -> Self {
        Self { open: Mutex::default(), allowance: Arc::clone(&self.allowance) }
    }

    pub(super) fn lock(&self) -> Holding<'_> {
        Holding { open: lock(&self.open), allowance: &self.allowance }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.lock().clear();
    }
}

/// The descriptors while they are looked at.
pub(super) struct Holding<'a> {
    open: MutexGuard<'a, HashMap<Box<str>, Descriptor>>,
    allowance: &'a Allowance,
}

impl Holding<'_> {
    pub(super) fn get(&self, path: &str) -> Option<&Descriptor> {
        self.open.get(path)
    }

    /// Keeps it if one more can be spared.
    pub(super) fn insert(&mut self, path: &str, descriptor: Descriptor) {
        let spare = |held: usize| (held < self.allowance.most).then_some(held + 1);
        if self.allowance.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spare).is_ok()
            && self.open.insert(path.into(), descriptor).is_some()
        {
            self.allowance.held.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn remove(&mut self, path: &str) {
        if self.open.remove(path).is_some() {
            self.allowance.held.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn clear(&mut self) {
        self.allowance.held.fetch_sub(self.open.len(), Ordering::Relaxed);
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_threads_together_keep_what_the_process_can_spare() {
        let file = || Descriptor::from(std::fs::File::open("/dev/null").unwrap());
        let first = Kept::at_most(3);
        let second = first.of_another_thread();
        first.lock().insert("a", file());
        first.lock().insert("a", file());
        first.lock().insert("b", file());
        second.lock().insert("a", file());
        second.lock().insert("b", file());
        assert!(second.lock().get("a").is_some() && second.lock().get("b").is_none());
        first.lock().remove("a");
        first.lock().remove("a");
        second.lock().insert("b", file());
        assert!(second.lock().get("b").is_some());
        drop(second);
        first.lock().clear();
        for name in ["a", "b", "c", "d"] {
            first.lock().insert(name, file());
        }
        assert_eq!(["a", "b", "c", "d"].map(|name| first.lock().get(name).is_some()), [true, true, true, false]);
    }
}
