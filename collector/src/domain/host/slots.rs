//! All slots. (bodies to come)

use std::sync::Arc;

use super::slot::Slot;
use crate::domain::{
    ids::{HostNo, SessionId},
    time::Timestamp,
    watch::Watch,
};

/// One silence, told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// Which host.
    pub host: HostNo,
    /// On which session.
    pub session: SessionId,
    /// Its last message.
    pub proof: Timestamp,
}

/// All slots of this collector.
#[derive(Debug, Default)]
pub struct Slots {}

impl Slots {
    /// A new session has this host's slot; its readings start anew.
    pub fn open(&self, _host: HostNo, _session: SessionId, _watch: Watch, _now: Timestamp) -> Arc<Slot> {
        unimplemented!()
    }

    /// The watch level changed.
    pub fn set_watch(&self, _host: HostNo, _watch: Watch) {
        unimplemented!()
    }

    /// The session ended; nothing more is swept for it. The last values stay for views.
    pub fn close(&self, _host: HostNo, _session: SessionId) {
        unimplemented!()
    }

    /// Hosts that have been silent for their level's `suspect` time, each told once per silence.
    pub fn sweep(&self, _now: Timestamp) -> Vec<Silence> {
        unimplemented!()
    }

    /// The slot of a host, if it ever reported to this collector.
    pub fn find(&self, _host: HostNo) -> Option<Arc<Slot>> {
        unimplemented!()
    }
}
