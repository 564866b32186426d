//! There is no privileged helper but on Linux.

use std::path::Path;

use super::os::{Descriptor, Errno};
use super::{CommandError, Host, HostError, Output};

impl Host {
    /// The same machine.
    #[must_use]
    pub fn with_helper(self, _: &Path) -> Self {
        self
    }

    /// The same machine.
    #[must_use]
    pub fn without_helper(&self) -> Self {
        self.clone()
    }

    /// Nobody is asked.
    pub(super) fn helped(&self, _: &str, _: &[&str], _: usize) -> Option<Result<Output, CommandError>> {
        debug_assert!(self.helper.is_none(), "nobody sets it here");
        None
    }

    /// Why the file cannot be opened.
    #[expect(clippy::unused_self, reason = "on Linux the host knows its helper")]
    pub(super) fn opened_by_helper(&self, path: &str, errno: Errno) -> Result<Descriptor, HostError> {
        Err(HostError::from_errno(path, errno))
    }
}
