//! A bell: hosts of which there is news, for whoever looks when it can. Each is named once, however often it was rung.

use std::{
    collections::BTreeSet,
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
    rung: Notify,
}

impl Bell {
    /// There is news of a host.
    pub fn ring(&self, host: HostNo) {
        self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner).insert(host);
        self.0.rung.notify_one();
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
