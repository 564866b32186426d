//! Linux under systemd, or under whatever sends SIGTERM.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sd_notify::NotifyState;

use super::{Known, Notice};

/// Where settings are read from when no other file is named.
pub const DEFAULT_CONFIG: &str = "/etc/muster/agent.toml";
/// Where the agent keeps its state when nothing else is configured.
pub const DEFAULT_STATE: &str = "/var/lib/muster/agent";
/// Where a site's own sections are where nothing else is configured.
pub const DEFAULT_CUSTOM: &str = "/etc/muster/inventory.d";

/// Time since boot, suspend included (`CLOCK_BOOTTIME`).
pub(crate) fn boottime() -> Duration {
    let boot = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(boot.tv_sec).unwrap_or(0), u32::try_from(boot.tv_nsec).unwrap_or(0))
}

/// Ends on SIGTERM and on SIGINT.
///
/// # Errors
/// When signals cannot be received.
pub fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    super::unix::asked_to_stop()
}

/// Without a service manager this does nothing.
pub(crate) fn notify(notice: Notice<'_>) {
    let _ = match notice {
        Notice::Ready(status) => sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(status)]),
        Notice::Status(text) => sd_notify::notify(&[NotifyState::Status(text)]),
        Notice::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
        Notice::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
    };
}

/// Whether the machine stops and not the agent alone: systemd's queue of jobs says it.
pub(crate) fn going_down() -> bool {
    false
}

/// This very program, whatever stands now where it was started from.
pub(crate) fn own_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

/// Whoever waits for this process can go on when it is late.
pub(crate) fn lower_priority() {
    let _ = rustix::process::setpriority_process(None, 19);
}

/// Files tell of the machine.
pub(crate) fn known() -> Option<Known> {
    None
}
