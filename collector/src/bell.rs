//! A bell: hosts of which there is news, for whoever looks when it can. Each is named once, however often it was rung.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;

use crate::domain::ids::HostNo;

/// A handle to the bell. Cheap to clone; one listens.
#[derive(Debug, Clone, Default)]
pub struct Bell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    hosts: Mutex<BTreeSet<HostNo>>,
    rings: Mutex<HashMap<HostNo, u64>>,
    rung: Notify,
}

impl Bell {
    /// There is news of a host.
    pub fn ring(&self, host: HostNo) {
        *self.0.rings.lock().unwrap_or_else(PoisonError::into_inner).entry(host).or_default() += 1;
        self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner).insert(host);
        self.0.rung.notify_one();
    }

    /// How often it was rung for a host: whoever kept something of it knows thereby whether there was news.
    #[must_use]
    pub fn rings(&self, host: HostNo) -> u64 {
        self.0.rings.lock().unwrap_or_else(PoisonError::into_inner).get(&host).copied().unwrap_or_default()
    }

    /// Waits until it is rung; nothing is lost if the wait is given up.
    pub async fn rung(&self) {
        while self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            self.0.rung.notified().await;
        }
    }

    /// All of which there is news since this was asked last.
    #[must_use]
    pub fn take(&self) -> BTreeSet<HostNo> {
        mem::take(&mut *self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_names_each_host_once_and_counts_its_rings() {
        let bell = Bell::default();
        bell.ring(HostNo(1));
        bell.ring(HostNo(1));
        bell.ring(HostNo(2));
        assert_eq!((bell.rings(HostNo(1)), bell.rings(HostNo(2)), bell.rings(HostNo(3))), (2, 1, 0));
        assert_eq!(bell.take(), BTreeSet::from([HostNo(1), HostNo(2)]));
        assert_eq!((bell.take().len(), bell.rings(HostNo(1))), (0, 2));
    }
}
