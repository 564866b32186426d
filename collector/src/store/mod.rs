//! EDGE. What the collector remembers: `state.db` and `facts.db` (decisions 10, 14). (bodies to come)

pub mod people;

use std::path::Path;

use crate::domain::{
    ids::HostNo,
    record::{AuditRow, Loaded, Row},
    time::Timestamp,
};

/// What can go wrong when storing.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another collector took over.
    #[error("another collector has taken over this store")]
    Fenced,
    /// No space.
    #[error("no space left for {0}")]
    Full(String),
    /// Locked for too long.
    #[error("{0} is busy")]
    Busy(String),
    /// Damaged or unreadable.
    #[error("{0}")]
    Broken(String),
}

/// A fact from an agent, self-contained, as committed before it is acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// The record's number in its epoch.
    pub sequence: u64,
    /// When it was so, in collector time (corrected), milliseconds.
    pub at: Timestamp,
    /// `gap`, `clock_step`, `rollup`, `kernel`, `evidence`, `checks`, `inventory`.
    pub kind: &'static str,
    /// JSON of what it says (<= 64 KiB).
    pub body: String,
}

/// A handle to the store; cheap to clone. Writes go through one thread per file.
#[derive(Debug, Clone)]
pub struct Store {}

impl Store {
    /// Opens or creates both files, migrating them (a copy is set aside first) and setting damaged ones aside.
    ///
    /// # Errors
    /// [`StoreError`] when the directory cannot be written, is locked by another collector, or is newer than this program.
    pub fn open(_directory: &Path, _now: Timestamp) -> Result<Self, StoreError> {
        unimplemented!()
    }

    /// What a starting engine is given back.
    ///
    /// # Errors
    /// [`StoreError::Broken`] when a row cannot be read.
    pub async fn load(&self) -> Result<Loaded, StoreError> {
        unimplemented!()
    }

    /// Commits all rows in one transaction with full sync, or none.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn commit(&self, _rows: Vec<Row>) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Notes that this collector runs (each 5 s).
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn heartbeat(&self, _now: Timestamp) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Commits facts with their position; returns the highest sequence stored of this epoch. Known ones are skipped.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn commit_facts(&self, _host: HostNo, _epoch: [u8; 16], _facts: Vec<Fact>) -> Result<u64, StoreError> {
        unimplemented!()
    }

    /// The epoch and highest sequence received of a host.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn received(&self, _host: HostNo) -> Result<Option<([u8; 16], u64)>, StoreError> {
        unimplemented!()
    }

    /// The last lines of the audit log, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn audit(&self, _limit: usize) -> Result<Vec<AuditRow>, StoreError> {
        unimplemented!()
    }
}
