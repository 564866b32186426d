//! The space that is kept back for bad times, and how much the disk has left.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, fallocate};

use super::StoreError;
use crate::domain::severity::Severity;

/// Given back to the disk when a commit finds it full: enough for some ten thousand incidents.
pub(super) const RESERVE_BYTES: u64 = 32 * 1024 * 1024;

/// The reserve file beside `state.db`.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// Takes the reserve if it is not there and the disk has three times as much left.
    pub(super) fn keep(directory: &Path) -> Self {
        let reserve = Self { path: directory.join("reserve") };
        reserve.restore();
        reserve
    }

    /// Gives the reserve back to the disk. True when there was one: the caller may try again.
    pub(super) fn release(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    pub(super) fn is_held(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|meta| meta.len() >= RESERVE_BYTES)
    }

    /// Takes the reserve again once there is room; a failure leaves things as they are until the next call.
    pub(super) fn restore(&self) {
        let room = self.path.parent().and_then(|parent| disk_space(parent).ok());
        if self.is_held() || room.is_none_or(|space| space.free_bytes < 3 * RESERVE_BYTES) {
            return;
        }
        if self.allocate().is_err() {
            // Half a reserve is none.
            let _ = fs::remove_file(&self.path);
        }
    }

    fn allocate(&self) -> std::io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&self.path)?;
        if fallocate(&file, FallocateFlags::empty(), 0, RESERVE_BYTES).is_err() {
            // Some file systems cannot promise blocks; zeros written are the next best.
            let zeros = vec![0; 1024 * 1024];
            for _ in 0..RESERVE_BYTES / (1024 * 1024) {
                file.write_all(&zeros)?;
            }
        }
        file.sync_all()
    }
}

/// What the disk of the state directory has left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiskState {
    /// Bytes that we may still write.
    pub free_bytes: u64,
    /// Size of the file system in bytes.
    pub total_bytes: u64,
    /// Whether the 32 MiB reserve is held; false after it had to be given back.
    pub reserve_held: bool,
}

impl DiskState {
    /// Free space as a ratio 0-1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn free_ratio(&self) -> f64 {
        if self.total_bytes == 0 { 0.0 } else { self.free_bytes as f64 / self.total_bytes as f64 }
    }

    /// The problem that this is, if it is one: a warning at 10 % free, critical at 5 % or without reserve.
    #[must_use]
    pub fn trouble(&self) -> Option<(Severity, String)> {
        let percent = self.free_ratio() * 100.0;
        let mib = self.free_bytes / (1024 * 1024);
        let words = format!("the collector's disk has {mib} MiB free ({percent:.1} %)");
        if !self.reserve_held && percent <= 10.0 {
            Some((Severity::Critical, format!("{words} and the reserve is used up: free some space at once")))
        } else if percent <= 5.0 {
            Some((Severity::Critical, format!("{words}, below 5 %: free some space")))
        } else if percent <= 10.0 {
            Some((Severity::Warning, format!("{words}, below 10 %: free some space")))
        } else {
            None
        }
    }
}

/// Free and total bytes of the file system that holds `directory`; `reserve_held` is false.
pub(super) fn disk_space(directory: &Path) -> Result<DiskState, StoreError> {
    let stat = rustix::fs::statvfs(directory)
        .map_err(|error| StoreError::Broken(format!("cannot see the space of {}: {error}", directory.display())))?;
    Ok(DiskState {
        free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
        total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
        reserve_held: false,
    })
}
