//! Where a test makes a commit fail: the only seam between the store and a broken disk.

use super::StoreError;

/// Decides whether the next commit to a file fails.
pub trait Faults: Send + Sync + std::fmt::Debug {
    /// Asked before each commit to `file` (`state.db`, `facts.db`), retries included; an error is what the disk would have said.
    ///
    /// # Errors
    /// The [`StoreError`] that the commit shall fail with.
    fn before_commit(&self, file: &'static str) -> Result<(), StoreError>;
}

/// A disk that does what it is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn before_commit(&self, _file: &'static str) -> Result<(), StoreError> {
        Ok(())
    }
}
